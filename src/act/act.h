// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ACT_H
#define ACT_H

// What act's files share; all of it belongs to the loop's thread, but for what a call carries to
// its worker.

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "collect/workers.h"
#include "conf/conf.h"
#include "consoles.h"
#include "deeds.h"
#include "gate.h"
#include "net/ipc.h"
#include "schedules.h"
#include "state.h"
#include "virt/virt.h"

/** Calls under way within their deadline. */
#define ACT_IN_FLIGHT 3
/** Calls past their deadline that have not come back; each keeps a thread. */
#define ACT_WRITTEN_OFF 8
/** Requests that wait for their turn. */
#define ACT_QUEUE 256

/** Arguments of a verb, checked. */
struct arguments {
    struct uuid uuid;
    int seconds; /**< 0 = not given */
};

struct act;

/** A read that libvirt refuses on a read-only connection. */
struct reading {
    const char *name;
    bool has_seconds;
    /** How long it may take, from its start. */
    int64_t (*deadline_ns)(const struct conf *conf, const struct arguments *args);
    /** Runs on a worker; the seconds are those of the agent's patience, or the argument. */
    int (*run)(const struct virt_ops *ops, struct virt *v, const struct arguments *args,
               int agent_s, struct batch *out, struct err *err);
};

/** verbs.c: the verb and arguments of a request "VERB\0{json}"; NULL with a sentence in `err`. */
const struct reading *verb_parse(const char *payload, size_t len, struct arguments *ret,
                                 struct err *err);
extern const struct reading act_verbs[];
extern const size_t act_verbs_count;

/** A connection; stays until the last call that uses it is back. */
struct conn {
    struct virt *virt;
    int users;
    int stuck;
    bool retired;
};

enum call_state {
    CALL_QUEUED,
    CALL_RUNNING,
    CALL_WRITTEN_OFF,
};

/** One request. */
struct call {
    struct work work; // first: a work is its call
    struct call *next;
    struct act *act;
    const struct reading *verb;
    struct arguments args;
    enum call_state state;
    uint32_t id;
    bool answered;       // or nobody wants an answer any more
    int64_t deadline_ns; // monotonic
    int agent_s;
    struct conn *conn;
    // Written by the worker before it hands the call back:
    struct batch *out;
    struct err err;
    int result;
};

enum link_state {
    LINK_DOWN,
    LINK_OPENING,
    LINK_UP,
};

/** The read-write connection to libvirt and the attempts to have one. */
struct act_link {
    enum link_state state;
    struct conn *conn; // NULL unless LINK_UP
    int64_t retry_ns;  // when to try again
    int64_t pause_ns;
    struct err err; // why it is not up
};

/** What came from other threads: finished work. */
struct inbox {
    uv_mutex_t lock;
    struct call *calls;
    struct attempt *attempts;
    bool lost;
};

struct act {
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t timer;
    uv_poll_t control;
    uv_poll_t core_poll;
    uv_signal_t term;
    struct ipc *core; // NULL while core is away
    int waiting_fd;   // a new core that came while the old one was closing; -1 = none
    bool core_closing;
    struct conf *conf;
    char *uri;
    const struct virt_ops *ops;
    struct workers *workers;
    struct act_link link;
    struct inbox inbox;
    struct call *calls; // all of them, oldest first
    struct deeds deeds;
    struct schedules schedules;
    struct consoles consoles;
    struct act_state state;
    struct gate gate;
    unsigned hashing; // passwords that are being set
    bool started;
    bool stopping;
};

static inline int64_t act_now(void)
{
    return clock_mono_ns(&clock_system);
}

// loop.c
void act_init(struct act *a);
void act_step(struct act *a); // everything that time or a message may have made due
void act_stop(struct act *a);

// control.c
int control_begin(struct act *a, struct err *err);
void control_watch(struct act *a);

// core.c: the connection to core
void core_connect(struct act *a, int fd);
void core_respond(struct act *a, struct call *call);
void core_problem(struct act *a, uint32_t id, int status, const char *detail);
void core_report(struct act *a);
void core_answer(struct act *a, uint32_t id, int status, const struct buf *json);

// api.c: requests of the API that core passes on; payload: ipc_request
void api_request(struct act *a, uint32_t id, const char *payload, size_t len);
void api_refused(struct act *a, const char *payload, size_t len); // by core: for the audit log

// calls.c
void calls_request(struct act *a, uint32_t id, const char *payload, size_t len);
void calls_cancel(struct act *a, uint32_t id);
void calls_forget_all(struct act *a);
void calls_step(struct act *a, int64_t now);
int64_t calls_wake_ns(const struct act *a);

// link.c
void link_step(struct act *a, int64_t now);
int64_t link_wake_ns(const struct act *a);
void link_reopen(struct act *a);
struct conn *link_use(struct act *a); // NULL while there is none
void link_unuse(struct act *a, struct conn *conn);
void link_note_stuck(struct act *a, struct conn *conn);
bool link_needs_transport(const char *uri); // by a program or over a network
bool link_has_host(const char *uri);
bool link_is_local(const struct act *a); // its VMs are processes of this machine

#endif
