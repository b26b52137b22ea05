// SPDX-License-Identifier: GPL-3.0-or-later
// The lanes that ask libvirt about one VM or one pool at a time, on workers: statistics, state and
// XML, pools and networks.
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "private.h"

#define SHARED_MAX 10
#define WHOLE_TOGETHER 4 // are asked everything by one call: more gains little, and comes in a rush

enum call_kind {
    CALL_STATS,
    CALL_CONFIG,
    CALL_STORED,
    CALL_POOL,
    CALL_POOLS, // their list
    CALL_NETWORKS,
};

struct call {
    struct work work;
    struct msg msg;
    struct collector *c;
    enum call_kind kind;
    struct conn *conn;
    uint64_t generation;
    uint64_t number; // of the lane
    struct uuid uuid;
    char *pool;
    unsigned parts; // of the statistics
    bool may_rest;  // its disks may be left out
    bool rests;     // they were
    bool has_perf;  // events to be read each time
    bool has_io;
    struct host_io io;        // of its process, just before the call
    struct still still;       // before that
    struct call *beside;      // the next of those that share this call
    struct call *next_shared; // in the collector's list, as is the first of them
    bool is_parted;           // took too long and was given up
    int known;                // snapshots; -1: ask for all that is stored
    bool persistent;
    int32_t pid;
    int64_t process_start;
    int64_t started_ns;
    struct batch *out;
    struct virt_domain domain;
    char **names;
    size_t n_names;
    int result;
    struct err err;
};

// How long a shared call may take before all that are in it are asked by themselves.
static int64_t shared_limit_ns(const struct collector *c)
{
    return MIN_OF(NS_PER_S, c->p.conf->libvirt.deadline_ns / 2);
}

static void call_free(struct call *call)
{
    batch_free(call->out);
    virt_domain_done(&call->domain);
    virt_names_free(call->names, call->n_names);
    free(call->pool);
    free(call);
}

static char process_state(const struct call *call)
{
    const struct collector *c = call->c;
    if (c->p.host->process_state)
        return c->p.host->process_state(&call->uuid);
    if (!call->pid)
        return 0;
    return host_process_state(c->root, call->pid, call->process_start);
}

// A call that reaches QEMU while it is stopped or in uninterruptible sleep would not come back.
static bool may_reach(const struct call *call)
{
    char state = process_state(call);
    return !state || !strchr("TtDZX", state);
}

static int process_io(const struct call *call, struct host_io *ret)
{
    const struct collector *c = call->c;
    if (c->p.host->process_io)
        return c->p.host->process_io(&call->uuid, ret);
    if (c->p.host->process_state || !call->pid)
        return -ENOENT;
    return host_process_io(c->root, call->pid, ret);
}

// The process's figures are read before its disks' are: what happens in between is seen again.
static void leave_out_still_disks(struct call *call)
{
    if (!(call->parts & VIRT_PART_DISKS))
        return;
    call->has_io = process_io(call, &call->io) == 0;
    call->rests =
        call->may_rest && call->has_io && still_rests(&call->still, &call->io, call->started_ns);
    if (call->rests)
        call->parts &= ~(unsigned)VIRT_PART_DISKS;
}

// Nothing is left to ask for but the state, which events tell.
static bool is_spared(const struct call *call)
{
    return call->rests && call->parts == 0 && !call->has_perf;
}

static int stats_run(struct call *call)
{
    if (!may_reach(call))
        return -EAGAIN;
    leave_out_still_disks(call);
    if (is_spared(call))
        return 0;
    return call->c->p.virt->stats(call->conn->virt, &call->uuid, call->parts, call->out,
                                  &call->err);
}

static void shared_run(struct call *first)
{
    struct virt_asked asked[SHARED_MAX];
    struct call *calls[SHARED_MAX];
    size_t n = 0;
    for (struct call *call = first; call; call = call->beside) {
        call->result = -EAGAIN;
        if (!may_reach(call))
            continue;
        leave_out_still_disks(call);
        if (is_spared(call)) {
            call->result = 0;
            continue;
        }
        asked[n] = (struct virt_asked){.uuid = call->uuid, .parts = call->parts, .out = call->out};
        calls[n++] = call;
    }
    if (n > 0)
        first->c->p.virt->stats_many(first->conn->virt, asked, n);
    for (size_t i = 0; i < n; i++) {
        calls[i]->result = asked[i].result;
        calls[i]->err = asked[i].err;
    }
}

static int config_run(struct call *call)
{
    const struct virt_ops *ops = call->c->p.virt;
    int r = ops->lookup(call->conn->virt, &call->uuid, &call->domain, &call->err);
    if (r < 0)
        return r;
    CLEANUP(freep) char *xml = NULL;
    r = ops->xml(call->conn->virt, &call->uuid, &xml, &call->err);
    return r < 0 ? r : virt_xml_read(xml, strlen(xml), call->out, &call->err);
}

static int stored_run(struct call *call)
{
    return call->c->p.virt->stored(call->conn->virt, &call->uuid, call->known, call->persistent,
                                   call->out, &call->err);
}

static int pools_run(struct call *call)
{
    return call->c->p.virt->pools(call->conn->virt, &call->names, &call->n_names, &call->err);
}

static int networks_run(struct call *call)
{
    return call->c->p.virt->networks(call->conn->virt, call->out, &call->err);
}

static int pool_run(struct call *call)
{
    return call->c->p.virt->pool(call->conn->virt, call->pool, call->out, &call->err);
}

// The kernel lane cannot say that it does not see a VM, which it knows by its process alone.
static void say_no_process(struct collector *c, struct call *call, const struct vm *vm, int64_t now)
{
    const struct vm_rec *rec = rec_of(vm);
    if (!rec->pid && now - rec->event_ns > c->p.conf->kernel.scan_interval_ns)
        batch_unavailable(call->out, "process",
                          "no process of it in /proc: hidden (hidepid), or out of sight of vherd's "
                          "PID namespace");
}

static void stats_apply(struct collector *c, struct call *call, struct vm *vm, int64_t now);
static void config_apply(struct collector *c, struct call *call, struct vm *vm, int64_t now);
static void stored_apply(struct collector *c, struct call *call, struct vm *vm, int64_t now);

static const struct {
    int (*run)(struct call *call);
    void (*apply)(struct collector *c, struct call *call, struct vm *vm, int64_t now); // a VM's
    enum lane lane;
} kinds[] = {
    [CALL_STATS] = {stats_run, stats_apply, LANE_LIBVIRT},
    [CALL_CONFIG] = {config_run, config_apply, LANE_CONFIG},
    [CALL_STORED] = {stored_run, stored_apply, LANE_STORED},
    [CALL_POOL] = {pool_run, NULL, LANE_POOL},
    [CALL_POOLS] = {pools_run, NULL, LANE_POOL},
    [CALL_NETWORKS] = {networks_run, NULL, LANE_POOL},
};

static struct call_lane *lane_of(struct collector *c, enum call_kind kind)
{
    switch (kind) {
    case CALL_STATS:
        return c->stats_lane;
    case CALL_CONFIG:
        return c->config_lane;
    case CALL_STORED:
        return c->stored_lane;
    default:
        return c->pool_lane;
    }
}

static void call_run(struct work *w)
{
    struct call *call = (struct call *)w;
    if (call->beside && call->c->p.virt->stats_many)
        shared_run(call);
    else
        for (; call; call = call->beside)
            call->result = kinds[call->kind].run(call);
}

static void call_over(struct work *w, void *arg)
{
    struct call *call = (struct call *)w;
    inbox_post(call->c, &call->msg);
}

static bool is_empty_drive(const struct object *disk)
{
    const char *device = object_attr(disk, ATTR_DISK_DEVICE);
    return device && !object_attr(disk, ATTR_DISK_SOURCE) &&
           (strcmp(device, "cdrom") == 0 || strcmp(device, "floppy") == 0);
}

// One that another process serves (vhostuser), as a rule.
static const struct object *untold_disk(const struct vm *vm)
{
    OBJECT_FOREACH_CHILD (disk, &vm->obj, KIND_DISK)
        if (isnan(object_fact(disk, FACT_DISK_READS)) && !is_empty_drive(disk))
            return disk;
    return NULL;
}

static void note_disks(struct vm *vm, int64_t now)
{
    const struct object *disk = untold_disk(vm);
    CLEANUP(freep) char *reason = NULL;
    if (disk)
        reason =
            mem_printf("libvirt tells no statistics of %s", object_attr(disk, ATTR_DISK_TARGET));
    vm_miss(vm, "disks", reason, now);
}

static void note_memory_and_job(struct vm *vm, unsigned parts, int64_t now)
{
    const struct object *o = &vm->obj;
    bool tells_memory = !isnan(object_fact(o, FACT_VM_GUEST_AVAILABLE)) ||
                        !isnan(object_fact(o, FACT_VM_GUEST_UNUSED));
    if (parts & VIRT_PART_MEMORY)
        vm_miss(vm, "guest_memory", tells_memory ? NULL : "the guest's balloon tells nothing", now);
    if (parts & VIRT_PART_JOB)
        vm_miss(vm, "job",
                isnan(object_fact(o, FACT_VM_JOB_TYPE)) ? "libvirt tells nothing of jobs" : NULL,
                now);
}

static void stats_apply(struct collector *c, struct call *call, struct vm *vm, int64_t now)
{
    if (call->result < 0) {
        batch_reset(call->out);
        call->out->lane = LANE_LIBVIRT;
        call->out->mono_ns = now;
        batch_unavailable(call->out, "libvirt_statistics", call->err.message);
        batch_apply(call->out, &vm->obj);
        return;
    }
    say_no_process(c, call, vm, now);
    batch_apply(call->out, &vm->obj);
    object_sweep(&vm->obj, KIND_MISS, LANE_LIBVIRT, call->out->mono_ns);
    object_sweep(&vm->obj, KIND_PERF, LANE_LIBVIRT, call->out->mono_ns);
    note_memory_and_job(vm, call->parts, now);
    if (call->parts & VIRT_PART_DISKS)
        note_disks(vm, now);
    vm->obj.updated_ns[LANE_LIBVIRT] = call->out->mono_ns;
    c->disk_readings += (call->parts & VIRT_PART_DISKS) != 0;
    c->disk_rests += call->rests;
    if (call->rests) // what was read is still so
        OBJECT_FOREACH_CHILD (disk, &vm->obj, KIND_DISK)
            disk->updated_ns[LANE_LIBVIRT] = call->out->mono_ns;
    rates_disks(vm, now);
    pace_note(vm, &rec_of(vm)->pace, call->parts, call->has_io ? &call->io : NULL, c->p.conf, now);
}

// NICs by their host device, for the kernel lane.
void nics_forget(struct collector *c, struct vm *vm)
{
    OBJECT_FOREACH_CHILD (nic, &vm->obj, KIND_NIC) {
        const char *name = object_attr(nic, ATTR_NIC_TARGET);
        if (map_get(c->nics, name, strlen(name)) == nic)
            map_remove(c->nics, name, strlen(name));
    }
}

static void nics_learn(struct collector *c, struct vm *vm)
{
    OBJECT_FOREACH_CHILD (nic, &vm->obj, KIND_NIC) {
        const char *name = object_attr(nic, ATTR_NIC_TARGET);
        map_put(c->nics, name, strlen(name), nic);
    }
}

static void follow_agent(struct collector *c, struct vm *vm, int64_t now)
{
    bool is_connected = vm->active && object_fact(&vm->obj, FACT_VM_AGENT_CONNECTED) == 1;
    if (is_connected && c->p.conf->agent.enabled) {
        lane_add(c->agent_lane, vm->uuid.b, UUID_BYTES, now);
        return;
    }
    lane_remove(c->agent_lane, vm->uuid.b, UUID_BYTES);
    if (vm->active && c->p.conf->agent.enabled)
        agent_left(c, vm, now);
}

static void stored_apply(struct collector *c, struct call *call, struct vm *vm, int64_t now)
{
    if (call->result < 0)
        stored_failed(vm, call->out, call->err.message, now);
    else
        stored_read(c, vm, call->out, call->known, call->started_ns, now);
}

static void config_apply(struct collector *c, struct call *call, struct vm *vm, int64_t now)
{
    if (!vm && call->result == 0) {
        inventory_domain(c, &call->domain);
        vm = herd_vm(c->herd, &call->uuid);
    }
    if (!vm) {
        lane_remove(c->config_lane, call->uuid.b, UUID_BYTES);
        return;
    }
    if (call->result == -ENOENT) {
        nics_forget(c, vm);
        inventory_drop_unknown(c, vm);
        inventory_count(c);
        return;
    }
    if (call->result < 0) {
        log_debug("cannot read the configuration of a VM: %s", call->err.message);
        return;
    }
    // Of the inventory an event may know better by now; the next call, already due, will tell.
    if (rec_of(vm)->event_ns <= call->started_ns)
        inventory_domain(c, &call->domain);
    nics_forget(c, vm);
    batch_sweep(call->out, &vm->obj, KIND_NIC);
    batch_sweep(call->out, &vm->obj, KIND_DISK);
    batch_sweep(call->out, &vm->obj, KIND_LABEL);
    batch_apply(call->out, &vm->obj);
    nics_learn(c, vm);
    follow_agent(c, vm, now);
    stored_defined(c, vm, call->out, now);
}

static void networks_apply(struct collector *c, struct call *call)
{
    batch_sweep(call->out, c->herd->host, KIND_NETWORK);
    batch_apply(call->out, c->herd->host);
}

// An answer about something of the host.
static void host_apply(struct collector *c, struct call *call, int64_t now)
{
    bool is_told = call->result >= 0;
    if (call->kind == CALL_POOL)
        pools_answered(c, call->pool, is_told ? call->out : NULL, now);
    else if (is_told && call->kind == CALL_POOLS)
        pools_listed(c, call->names, call->n_names, now);
    else if (is_told)
        networks_apply(c, call);
    pools_note(c, now);
}

// By a call that was shared and given up.
static bool is_held(const struct collector *c, const struct uuid *uuid)
{
    for (const struct call *first = c->shared; first; first = first->next_shared)
        for (const struct call *call = first; call && first->is_parted; call = call->beside)
            if (memcmp(&call->uuid, uuid, sizeof(*uuid)) == 0)
                return true;
    return false;
}

static enum lane_outcome outcome_of(const struct call *call)
{
    if (call->result == -EAGAIN)
        return LANE_SKIPPED;
    if (call->result == -EBUSY && call->kind == CALL_STATS && is_held(call->c, &call->uuid))
        return LANE_STUCK;
    return call->result < 0 ? LANE_ERROR : LANE_OK;
}

static void deliver_one(struct collector *c, struct call *call, int64_t now)
{
    bool is_current = call->generation == c->link.generation;
    if (is_current && call->result != -EAGAIN && !is_spared(call))
        link_answered(c, call->started_ns);
    bool counts = lane_done(lane_of(c, call->kind), call->number, outcome_of(call), now);
    if (counts && is_current && call->result != -EAGAIN) {
        call->out->mono_ns = now;
        struct vm *vm = herd_vm(c->herd, &call->uuid);
        bool is_outdated = vm && call->kind == CALL_STATS &&
                           (!vm->active || rec_of(vm)->event_ns > call->started_ns);
        if (call->out->host)
            host_apply(c, call, now);
        else if ((vm || call->kind == CALL_CONFIG) && !is_outdated)
            kinds[call->kind].apply(c, call, vm, now);
        else if (vm)
            lane_hasten(c->stats_lane, call->uuid.b, UUID_BYTES, now);
    }
    link_unuse(c, call->conn);
    call_free(call);
}

static void call_deliver(struct collector *c, struct msg *m)
{
    struct call *call = (struct call *)((char *)m - offsetof(struct call, msg));
    int64_t now = mono(c);
    for (struct call **at = &c->shared; *at; at = &(*at)->next_shared)
        if (*at == call) {
            *at = call->next_shared;
            break;
        }
    while (call) {
        struct call *next = call->beside;
        deliver_one(c, call, now);
        call = next;
    }
}

// What is asked of a VM; `joins`: everything is, of another one by the same call.
static void choose_parts(struct collector *c, struct call *call, const struct vm *vm, bool joins,
                         int64_t now)
{
    const struct pace *pace = &rec_of(vm)->pace;
    call->parts = pace_parts(vm, pace, c->p.conf, joins, now);
    // One that has not been answering well is to answer.
    call->may_rest = call->parts != VIRT_PARTS_ALL &&
                     lane_steady(c->stats_lane, call->uuid.b, UUID_BYTES) &&
                     pace_may_rest(vm, pace, c->p.conf, now);
    call->still = pace->still;
    call->has_perf = vm->obj.children[KIND_PERF] != NULL;
}

static struct call *call_new(struct collector *c, enum call_kind kind, struct conn *conn,
                             uint64_t number, const void *key, size_t len, int64_t now)
{
    struct call *call = mem_zalloc(sizeof(*call));
    call->work = (struct work){.run = call_run, .done = call_over};
    call->msg.deliver = call_deliver;
    call->c = c;
    call->kind = kind;
    call->conn = link_use(conn);
    call->generation = c->link.generation;
    call->number = number;
    call->started_ns = now;
    call->out = batch_new();
    call->out->lane = kinds[kind].lane;
    if (kind >= CALL_POOL) {
        call->pool = mem_strndup(key, len);
        call->out->host = true;
    } else {
        memcpy(call->uuid.b, key, UUID_BYTES);
        call->out->uuid = call->uuid;
        const struct vm *vm = herd_vm(c->herd, &call->uuid);
        call->parts = VIRT_PARTS_ALL;
        if (vm && kind == CALL_STATS)
            choose_parts(c, call, vm, false, now);
        call->known = kind == CALL_STORED ? stored_known(vm, now) : -1;
        call->persistent = vm && object_fact(&vm->obj, FACT_VM_PERSISTENT) == 1;
        call->pid = vm ? rec_of(vm)->pid : 0;
        call->process_start = vm ? rec_of(vm)->process_start : 0;
    }
    return call;
}

static void call_start(struct collector *c, struct call *call, int64_t now)
{
    bool is_shared = call->beside != NULL;
    if (workers_submit(c->workers, &call->work) == 0) {
        // It may be over, but is not delivered before we return to the loop.
        call->next_shared = is_shared ? c->shared : NULL;
        c->shared = is_shared ? call : c->shared;
        return;
    }
    while (call) {
        struct call *next = call->beside;
        lane_done(lane_of(c, call->kind), call->number, LANE_SKIPPED, now);
        link_unuse(c, call->conn);
        call_free(call);
        call = next;
    }
}

// Where one is asked everything, a few whose turn is not far off join in, and have it together from
// then on: questions that follow on one another cost half as much.
static void join_in(struct collector *c, struct call *first, int64_t now)
{
    int whole = 0;
    for (const struct call *call = first; call; call = call->beside)
        whole += call->parts == VIRT_PARTS_ALL;
    for (struct call *call = first; call && whole > 0; call = call->beside) {
        const struct vm *vm = herd_vm(c->herd, &call->uuid);
        if (!vm || call->parts == VIRT_PARTS_ALL || whole >= WHOLE_TOGETHER)
            continue;
        choose_parts(c, call, vm, true, now);
        whole += call->parts == VIRT_PARTS_ALL;
    }
}

// VMs that have been answering well are asked together.
static void share(struct collector *c, struct call *first, int64_t now)
{
    struct call *last = first;
    const void *key;
    size_t len;
    uint64_t number;
    for (int n = 1; n < SHARED_MAX && (number = lane_more(c->stats_lane, now, &key, &len)); n++)
        last = last->beside = call_new(c, CALL_STATS, first->conn, number, key, len, now);
    join_in(c, first, now);
}

// One of them may hang: ask the others by themselves.
static void part_shared(struct collector *c, int64_t now)
{
    for (struct call *first = c->shared; first; first = first->next_shared) {
        if (first->is_parted || now - first->started_ns < shared_limit_ns(c))
            continue;
        first->is_parted = true;
        for (const struct call *call = first; call; call = call->beside)
            lane_part(c->stats_lane, call->number, now);
    }
}

static enum call_kind pool_kind(const char *key, size_t len)
{
    if (len == strlen(POOLS_KEY))
        return CALL_POOLS;
    return len == strlen(NETWORKS_KEY) && *key == *NETWORKS_KEY ? CALL_NETWORKS : CALL_POOL;
}

static void start_due(struct collector *c, enum call_kind kind, struct conn *conn, int64_t now)
{
    struct call_lane *lane = lane_of(c, kind);
    const void *key;
    size_t len;
    uint64_t number;
    while ((number = lane_next(lane, now, &key, &len))) {
        bool is_steady = kind == CALL_STATS && lane_steady(lane, key, len);
        enum call_kind it = kind == CALL_POOL ? pool_kind(key, len) : kind;
        struct call *call = call_new(c, it, conn, number, key, len, now);
        if (is_steady)
            share(c, call, now);
        call_start(c, call, now);
    }
}

static void write_off(struct collector *c, enum call_kind kind, int64_t now)
{
    struct call_lane *lane = lane_of(c, kind);
    const void *key;
    size_t len;
    while (lane_expire(lane, now, c->link.answered_ns, &key, &len))
        if (kind == CALL_POOL)
            pools_unanswered(c, key, len, now);
}

void calls_step(struct collector *c, int64_t now)
{
    static const enum call_kind lanes[] = {CALL_CONFIG, CALL_STATS, CALL_STORED, CALL_POOL};
    for (size_t i = 0; i < ARRAY_LEN(lanes); i++)
        write_off(c, lanes[i], now);
    part_shared(c, now);
    if (c->link.state != LINK_UP)
        return;
    for (size_t i = 0; i < ARRAY_LEN(lanes); i++)
        start_due(c, lanes[i], c->link.main, now);
}

int64_t calls_wake(const struct collector *c, int64_t now)
{
    int64_t wake = INT64_MAX;
    for (const struct call *first = c->shared; first; first = first->next_shared)
        if (!first->is_parted)
            wake = MIN_OF(wake, first->started_ns + shared_limit_ns(c));
    if (c->link.state != LINK_UP)
        return wake;
    wake = MIN_OF(wake, lane_wake_ns(c->stats_lane, now));
    wake = MIN_OF(wake, lane_wake_ns(c->config_lane, now));
    wake = MIN_OF(wake, lane_wake_ns(c->stored_lane, now));
    return MIN_OF(wake, lane_wake_ns(c->pool_lane, now));
}
