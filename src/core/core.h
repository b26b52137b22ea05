// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_H
#define CORE_H

// What core's files share; all of it belongs to the loop's thread.

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "asker.h"
#include "certificates.h"
#include "auth/grant.h"
#include "base/buf.h"
#include "base/json.h"
#include "collect/collector.h"
#include "collect/keep.h"
#include "conf/conf.h"
#include "events.h"
#include "exits.h"
#include "flow.h"
#include "import.h"
#include "jobs.h"
#include "notices.h"
#include "model/herd.h"
#include "model/query.h"
#include "net/problem.h"
#include "net/ipc.h"
#include "rules.h"
#include "statedb.h"
#include "store_flow.h"
#include "verb/verb.h"

// One end of a connection to web, act or send.
struct peer {
    struct core *core;
    const char *name;
    struct ipc *ipc; // NULL while the peer is away
    uv_poll_t poll;
    bool polling;
    bool closing;
    bool takes_fds; // web's connections come along with its requests
    int waiting_fd; // came while the old one was still closing, -1 = none
    bool (*frame)(struct peer *p, const struct ipc_frame *f); // false: drop the connection
    void (*gone)(struct peer *p);
};

// The exposition of one sample, kept for the next scraper.
struct exposition {
    struct buf text;
    uint64_t changes;
    unsigned sets;
    bool valid;
    enum { GIVEN_NOT, GIVEN_ONCE, GIVEN_SHARED } given; // to the web that is connected
};

// A VM's dirty page rate that somebody waits for.
struct waiting {
    struct waiting *next;
    struct core *core;
    uint32_t id;
    struct uuid uuid;
};

// Positions of remote write on their way to the disk, by a worker: a disk may take its time.
struct flow_saving {
    uv_work_t work;
    uv_sem_t written; // posted by the worker when it is done
    struct buf text;
    char *directory;
    struct err err;
    int result;
    bool is_under_way;
};

struct query_source;

struct core {
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t timer;
    uv_timer_t self_timer;
    uv_poll_t control;
    uv_signal_t term;
    struct peer web, act, send;
    struct conf *conf;
    struct herd *herd;
    struct collector *collector;
    struct tsdb *db;    // NULL where nothing is kept
    struct keep *keep;  // of db
    uint64_t news_seen; // of db, as is told_disk_error: an errno, 0: it is well
    int told_disk_error;
    char *store_error;             // why nothing is kept though it should be; or NULL
    struct store_flow *store_flow; // of db
    struct flow *flow;             // what comes without a db is counted and dropped
    uv_timer_t flow_timer;
    struct flow_saving saving;
    struct exposition exposition;
    struct waiting *waiting;
    struct forward *forwards; // requests that act has
    uint32_t last_forward;
    struct grant_key key; // of grants
    bool has_key;         // the supervisor has said it
    struct asker_rules rules;
    struct query_source *source; // stored samples; NULL while there is no store
    struct jobs *jobs;
    struct statedb *statedb; // events, alerts, notifications
    struct events *events;
    struct notices *notices;
    struct certificates *certificates;
    struct exits *exits;       // of the VMs' processes
    struct rules *alert_rules; // NULL while there is no store
    enum { TOLD_NOTHING, TOLD_UP, TOLD_DOWN } libvirt_told;
    struct imports *imports; // NULL where nothing is kept
    struct plan_auto *plan_auto;
    int64_t started_real_ns, configured_real_ns;
    const char *logged_status; // one of collector_libvirt()'s words
    bool started;              // the supervisor has said START
    bool stopping;
};

// queries.c: how jobs are started, limited and ended
void queries_begin(struct core *c); // with the configuration that is known
void queries_limit(struct core *c);
void queries_end(struct core *c);

// api_import.c
void imports_begin(struct core *c); // with the store open
void import_frame(struct core *c, const struct ipc_frame *f);

// main.c
void core_stop(struct core *c);

// peer.c
void peer_init(struct peer *p, struct core *c, const char *name,
               bool (*frame)(struct peer *, const struct ipc_frame *), void (*gone)(struct peer *));
void peer_connect(struct peer *p, int fd);
void peer_send(struct peer *p, enum ipc_type type, uint32_t id, int status, const void *a,
               size_t a_len, const void *b, size_t b_len);
void peer_close(struct peer *p);

// control.c
int control_begin(struct core *c, struct err *err); // waits for START
void control_watch(struct core *c);

// store.c
int samples_open(struct core *c, struct err *err);
void samples_close(struct core *c);
void store_reload(struct core *c);
void store_sampled(int64_t mono_ns, void *arg);
/** Save positions of remote writes where they changed: the flow timer, or what is awake before. */
void store_flow_timer(uv_timer_t *handle);
// Room on its disk and what could not be read, as facts of the host.
void store_measure(struct core *c);
void store_view(const struct core *c, struct json *j);
void store_view_data(const struct core *c, struct json *j);

// tell.c: the state database and what lives in it
void tell_open(struct core *c);
void tell_close(struct core *c);
void tell_join(struct core *c); // after rules_begin(): alerts go to notifications
void tell_libvirt(struct core *c, bool is_up, const char *message);
void tell_vm_process(const struct vm *vm, int pid, void *arg);
void tell_vm_event(const struct virt_event *e, const struct vm *vm, void *arg);

// views.c
unsigned sets_of_conf(const struct conf *conf);

// answer.c: requests from web
bool web_frame(struct peer *p, const struct ipc_frame *f);
void web_gone(struct peer *p);
void answer(struct core *c, uint32_t id, int status, const char *type, const char *body,
            size_t len);
void answer_problem(struct core *c, uint32_t id, int status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// views.c
struct view {
    struct core *core;
    uint32_t id;
    const struct ipc_request *request;
    const char *object; // in place of the path's {…}, or NULL
    const struct grant *grant;
    bool is_open; // nobody asks, and it may be read by anybody: all of it
};

// May the asker know of this VM?
bool view_covers(const struct view *v, const struct vm *vm);
bool view_grant_covers(const struct grant *grant, const struct vm *vm);
void view_vms(const struct view *v);
void view_vm(const struct view *v);
void view_host(const struct view *v);
void view_status(const struct view *v);
void view_metrics(const struct view *v);
void view_openapi(const struct view *v);
void view_whoami(const struct view *v);
void view_healthy(const struct view *v);
void view_ready(const struct view *v);

// dirty.c
void view_dirty_rate(const struct view *v);
void dirty_forget(struct core *c, uint32_t id);

// page.c
void view_page(const struct view *v);

// plan.c
void view_plan(const struct view *v);

// plan_auto.c: plans that are carried out without being asked for
void plan_auto_begin(struct core *c);
void plan_auto_reload(struct core *c);
void plan_auto_end(struct core *c);

// forward.c: requests that act answers
void forward_request(const struct view *v);
void forward_refusal(const struct view *v); // tells act, for the audit log
// An answer to core's own request: payload is media type, NUL, body; status 503 and nothing where
// act went away.
typedef void forward_done(struct core *c, int status, const char *payload, size_t len, void *arg);
// core itself asks, with a grant of its own making. 0, -EAGAIN (act is not there), -ENOMEM.
int forward_own(struct core *c, const struct ipc_request *request, const struct grant *grant,
                forward_done *done, void *arg);
bool forward_answer(struct core *c, const struct ipc_frame *f); // false: not of these
void forward_forget(struct core *c, uint32_t web_id);
void forward_web_gone(struct core *c);
void forward_act_gone(struct core *c);

// processes.c: vherd's own processes
void processes_learn(struct core *c, const char *json);
void processes_measure(struct core *c);

#endif
