// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_RULES_PRIVATE_H
#define CORE_RULES_PRIVATE_H

// What rules.c (the thread), rules_ask.c (what it asks the loop for) and api_rules.c share.

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "core.h"
#include "rule/eval.h"
#include "rule/keep.h"

// What the thread asks the loop for; one at a time, the thread waits for it.
enum ask_kind {
    ASK_WRITE, // samples into the store
    ASK_SAVE,  // the state of a group, and transitions
    ASK_LOAD,  // stored state of new groups
};

enum ask_state {
    ASK_NONE,
    ASK_NEW,   // the loop has not seen it
    ASK_TAKEN, // it or the state database is at it
    ASK_DONE,
};

struct ask {
    enum ask_kind kind;
    enum ask_state state;
    int result;
    const struct rule_sample *sample; // of ASK_WRITE
    size_t n_samples;
    struct rule_group_run *group; // of ASK_SAVE one, of ASK_LOAD all
    size_t n_groups;
    struct rule_update *update;
    bool is_stored; // of ASK_SAVE: the state is to be stored too
};

// What the configuration says, as the thread may see it.
struct rules_settings {
    char **pattern;
    size_t n_patterns;
    char **disable; // names of rules
    size_t n_disable;
    int64_t interval_ms, query_offset_ms, resend_delay_ms, timeout_ns, lookback_ms;
    int64_t keep_ms; // transitions; 0: for ever
    size_t max_samples, max_series, max_memory_bytes;
    bool hold_gaps;
    char *external_url;
    struct labels *external_labels;
};

// How a group fares, for its metrics: a copy, so that whoever looks never waits for an evaluation.
struct rules_tally {
    char *file, *name;
    uint64_t iterations, missed, failures;
    int64_t duration_ns, late_ms;
    int64_t last_ms; // of the last evaluation on schedule; 0: none
};

struct map;

struct rules {
    struct core *core;
    pthread_t thread;
    uv_async_t async;
    bool closed; // `async` is

    pthread_mutex_t lock; // of what follows up to `groups_lock`
    pthread_cond_t more;  // for the thread
    struct ask ask;
    struct rules_settings *settings; // new ones; NULL: none
    int64_t poke_ms;                 // 0: none
    struct rules_tally *tally;       // of each group
    size_t n_tallies;
    struct map *settled; // names of VMs of which events told soon after the start
    bool is_regrouped;   // other groups than when they were last shown
    bool ending, ended;
    char *error; // why files in force are not those of the configuration; NULL
    atomic_bool cancelled;

    // Held while the groups are looked at or changed; never while the loop is waited for by
    // somebody whom the loop waits for: the loop itself takes it never.
    pthread_mutex_t groups_lock;
    struct rules_settings *now;
    struct rule_files files;
    struct rule_group_run *group;
    size_t n_groups;

    // The thread's alone.
    struct rule_env env;
    int64_t *due_ms;
    bool **hurried; // rules of each group that an event concerns; NULL: none
    int64_t started_ms;
    bool is_loaded; // stored state was read

    int64_t swept_ms; // the state database's thread's, while the thread waits for it

    // The loop's.
    rules_told *told;
    rules_stored *stored;
    void *arg;
    atomic_llong ahead_ms; // the store's time before the clock's
    atomic_llong late_ms;  // how late the last evaluation began
    atomic_ullong missed, evaluations, failures;
};

// Pattern of the files of the pack: installed, or those of the build tree that this program is of.
char *rules_pack_pattern(void);

// rules_tally.c: the thread's, after other groups or an evaluation on schedule; the loop's.
void rules_tally_groups(struct rules *r);
void rules_tally_group(struct rules *r, size_t i);
void rules_tally_free(struct rules *r);

// Ask the loop and wait. 0, -ECANCELED (it ends), or what came of it. The thread's.
int rules_ask(struct rules *r, const struct ask *ask);

// The loop's end of it.
void rules_on_async(uv_async_t *handle);

#endif
