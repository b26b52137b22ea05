// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NOTIFY_PRIVATE_H
#define NOTIFY_PRIVATE_H

// What this folder's files share.

#include <jansson.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "notify/message.h"
#include "notify/notify.h"
#include "zone.h"

#define RECEIVERS_MAX 64
#define QUEUE_MAX 10000
#define BODY_MAX ((size_t)4 << 20)
#define MS_PER_S INT64_C(1000)

static inline void json_decref_at(json_t **j)
{
    json_decref(*j);
}

struct quiet {
    const char *name;
    struct zone *zone;
    unsigned days; // bit 0: Monday
    int from_min, to_min;
};

struct route {
    char *id; // place in the tree: "0", "0.2", …
    const struct conf_route *conf;
    struct matchers matchers;
    size_t receiver; // RECEIVERS_MAX: none
    struct conf_list group_by;
    bool by_all;
    int64_t wait_ms, interval_ms, repeat_ms;
    const struct quiet *quiet[8];
    size_t n_quiet;
    struct route *child;
    size_t n_children;
};

struct inhibition {
    struct matchers source, target;
    struct conf_list equal;
};

// A configuration made ready; its texts live in `conf`.
struct plan {
    struct conf *conf;
    bool is_borrowed;                     // conf is somebody else's
    const struct conf_receiver *receiver; // of conf
    size_t n_receivers;
    struct quiet *quiet;
    size_t n_quiet;
    struct inhibition *inhibit;
    size_t n_inhibit;
    struct route top;
    int64_t resend_ms; // rules.resend_delay
};

int plan_new(const struct conf *conf, struct plan **ret, struct err *err);
void plan_free(struct plan *p);
size_t plan_receiver(const struct plan *p, const char *name); // n_receivers: unknown
// When the route's quiet hours end, in ms; 0: they are not now.
int64_t route_quiet_until(const struct route *r, int64_t now_ms);

// What a receiver was told of an alert: that this firing began; 0: nothing.
struct told {
    int64_t start_ms, at_ms;
};

// An alert that fires, or is over but not everybody knows it yet.
struct entry {
    struct alert alert;
    bool is_resolved;
    struct told told[RECEIVERS_MAX]; // by number of the receiver in the plan
    char *ack_author, *ack_comment;  // NULL: not acknowledged
    int64_t ack_ms;
    unsigned n_groups;
    int64_t lease_ms, until_ms; // it counts as over when it is not heard of until then
    int64_t again_ms;           // its rule asked at this time to pass it on again; 0: never
    bool is_echo;               // over and told, only to be passed on once more
};

struct group {
    struct group *next;
    char *key;
    const struct route *route;
    struct labels *labels;
    struct entry **member;
    size_t n, cap;
    int64_t due_ms;      // INT64_MAX: nothing to do
    int64_t last_ms;     // last message; 0: none
    bool has_suppressed; // some firing ones are silenced or inhibited
};

struct silence {
    char *id, *text, *author, *comment;
    struct matchers matchers;
    int64_t starts_ms, ends_ms;
};

struct message {
    struct message *next;
    uint64_t number;
    char *id, *receiver, *group_key, *body;
    int64_t made_ms, due_ms;
    unsigned attempts;
    bool under_way;
    char *error; // of the last attempt
};

// The queue of one receiver, by name: it outlives a configuration without it until it is empty.
struct outbox {
    struct outbox *next;
    char *receiver;
    struct message *first, **last;
    size_t n;
    uint64_t delivered, failed, refused, expired;
    uint64_t expired_told; // by notify_given_up()
    bool is_failing;
};

struct notify {
    struct plan *plan;
    char *host, *instance;
    struct map *entries; // by fingerprint (8 bytes)
    struct group *groups;
    struct map *group_map; // by key
    struct silence **silence;
    size_t n_silences, cap_silences;
    int64_t next_silence_ms; // when one begins or ends
    struct outbox *outboxes;
    uint64_t last_number; // of messages and silences
    struct map *last_ms;  // loaded: last_ms of groups (struct stored_group), until notify_loaded()
    struct notify_changes changes;
    char *words; // of notify_result()
    bool is_loading;
    int64_t next_lease_ms; // when to look for entries that nobody has any more
};

// keep.c
void keep_put(struct notify *n, const char *kind, char *key, struct buf *value); // takes both
void keep_remove(struct notify *n, const char *kind, char *key);                 // takes key
void keep_entry(struct notify *n, const struct entry *e);
void keep_entry_gone(struct notify *n, const struct entry *e);
void keep_group(struct notify *n, const struct group *g);
void keep_group_gone(struct notify *n, const struct group *g);
void keep_silence(struct notify *n, const struct silence *s);
void keep_message(struct notify *n, const struct message *m);
void keep_message_gone(struct notify *n, const struct message *m);
void keep_number(struct notify *n);
struct labels *labels_of_json(const json_t *object);

// group.c
struct entry *entry_of(const struct notify *n, uint64_t fingerprint);
struct entry *entry_add(struct notify *n, const struct alert *a);
void entry_free(struct entry *e);
int entry_compare(const struct alert *a, const struct alert *b); // oldest first
void groups_join(struct notify *n, struct entry *e, int64_t now_ms);
void groups_touch_of(struct notify *n, const struct entry *e, int64_t now_ms);
void groups_touch_suppressed(struct notify *n, int64_t now_ms);
void groups_touch_passing(struct notify *n, const struct entry *e, int64_t now_ms);
void groups_clear(struct notify *n);
void group_flush(struct notify *n, struct group *g, int64_t now_ms);

// silence.c
const struct silence *silence_of(const struct notify *n, const struct labels *l, int64_t now_ms);
const struct entry *inhibitor_of(const struct notify *n, const struct entry *e);
void silences_sweep(struct notify *n, int64_t now_ms);
void silences_clear(struct notify *n);
int silence_load(struct notify *n, const char *id, const json_t *j);
void silences_schedule(struct notify *n, int64_t now_ms);

// outbox.c
struct outbox *outbox_of(struct notify *n, const char *receiver);
void outbox_add(struct notify *n, const char *receiver, const char *group_key, char *id,
                uint64_t number, char *body, int64_t now_ms);
bool outbox_waits_for(const struct notify *n, const char *receiver, const char *group_key);
void outboxes_expire(struct notify *n, int64_t now_ms);
int64_t outboxes_wake(const struct notify *n);
void outboxes_clear(struct notify *n);
int outbox_load(struct notify *n, const char *key, const json_t *j);
char *message_id(struct notify *n, uint64_t *ret_number);

#endif
