// SPDX-License-Identifier: GPL-3.0-or-later
// The collector put together: inbox, lanes, link, sampler.
//
// Threads: the owner's (everything), the sampler and the workers (inbox_post(), the sink), and
// libvirt's event thread (inbox_post()). Only struct inbox is shared; its lock is held for a few
// instructions at a time.
#include "collect/collector.h"

#include <string.h>

#include "private.h"

#define SPARE_BATCHES_MAX 4096
#define WORKERS_MAX 64
#define CONFIG_INTERVAL_NS (600 * NS_PER_S)
#define AGENT_SLACK_NS (2 * NS_PER_S)

int64_t mono(const struct collector *c)
{
    return clock_mono_ns(c->p.clock);
}

struct vm_rec *rec_of(const struct vm *vm)
{
    // Made with the first need: a VM enters the herd in several ways.
    struct vm *writable = (struct vm *)(uintptr_t)vm;
    if (!writable->user)
        writable->user = mem_zalloc(sizeof(struct vm_rec));
    return vm->user;
}

static void on_vm_done(struct vm *vm, void *arg)
{
    struct collector *c = arg;
    nics_forget(c, vm);
    lane_remove(c->stats_lane, vm->uuid.b, UUID_BYTES);
    lane_remove(c->config_lane, vm->uuid.b, UUID_BYTES);
    lane_remove(c->stored_lane, vm->uuid.b, UUID_BYTES);
    lane_remove(c->agent_lane, vm->uuid.b, UUID_BYTES);
    free(vm->user);
}

void inbox_put(struct collector *c, struct msg *m)
{
    pthread_mutex_lock(&c->inbox.lock);
    m->next = NULL;
    *c->inbox.tail = m;
    c->inbox.tail = &m->next;
    pthread_mutex_unlock(&c->inbox.lock);
}

void inbox_post(struct collector *c, struct msg *m)
{
    inbox_put(c, m);
    c->p.wake(c->p.arg);
}

static struct batch *sink_batch(void *arg)
{
    struct collector *c = arg;
    pthread_mutex_lock(&c->inbox.lock);
    struct batch *b = c->inbox.spare;
    if (b) {
        c->inbox.spare = b->next;
        c->inbox.n_spare--;
    }
    pthread_mutex_unlock(&c->inbox.lock);
    if (!b)
        return batch_new();
    batch_reset(b);
    return b;
}

static void sink_emit(struct batch *b, void *arg)
{
    struct collector *c = arg;
    // The host's batch closes a sample: one wake-up serves all of it.
    bool is_last = b->host || b->lane == LANE_SLOW || b->pid == 0;
    pthread_mutex_lock(&c->inbox.lock);
    b->next = NULL;
    *c->inbox.batches_tail = b;
    c->inbox.batches_tail = &b->next;
    pthread_mutex_unlock(&c->inbox.lock);
    if (is_last)
        c->p.wake(c->p.arg);
}

struct host_sink collector_sink(struct collector *c)
{
    return (struct host_sink){sink_batch, sink_emit, c};
}

static void give_back(struct collector *c, struct batch *b)
{
    pthread_mutex_lock(&c->inbox.lock);
    bool is_kept = c->inbox.n_spare < SPARE_BATCHES_MAX;
    if (is_kept) {
        b->next = c->inbox.spare;
        c->inbox.spare = b;
        c->inbox.n_spare++;
    }
    pthread_mutex_unlock(&c->inbox.lock);
    if (!is_kept)
        batch_free(b);
}

static void inbox_empty(struct collector *c)
{
    pthread_mutex_lock(&c->inbox.lock);
    struct msg *m = c->inbox.head;
    c->inbox.head = NULL;
    c->inbox.tail = &c->inbox.head;
    struct batch *b = c->inbox.batches;
    c->inbox.batches = NULL;
    c->inbox.batches_tail = &c->inbox.batches;
    pthread_mutex_unlock(&c->inbox.lock);
    c->changes += m || b;
    while (m) {
        struct msg *next = m->next;
        m->deliver(c, m);
        m = next;
    }
    while (b) {
        struct batch *next = b->next;
        kernel_batch(c, b);
        give_back(c, b);
        b = next;
    }
}

static void report_lane(struct collector *c, const char *name, const struct call_lane *lane)
{
    struct object *o = object_child(c->herd->host, KIND_LANE, name);
    struct lane_stats stats = lane_stats(lane);
    int64_t now = mono(c);
    object_set_fact(o, FACT_LANE_CALLS, (double)stats.calls, now);
    object_set_fact(o, FACT_LANE_ERRORS, (double)stats.errors, now);
    object_set_fact(o, FACT_LANE_TIMEOUTS, (double)stats.timeouts, now);
    object_set_fact(o, FACT_LANE_LATE, (double)stats.late, now);
    object_set_fact(o, FACT_LANE_IN_FLIGHT, stats.in_flight, now);
    object_set_fact(o, FACT_LANE_WRITTEN_OFF, stats.written_off, now);
    object_set_fact(o, FACT_LANE_QUARANTINED, stats.quarantined, now);
}

// No lane of its own, but what most of the first one's cost comes from.
static void report_disks(struct collector *c)
{
    struct object *o = object_child(c->herd->host, KIND_LANE, "disks");
    object_set_fact(o, FACT_LANE_CALLS, (double)c->disk_readings, mono(c));
    object_set_fact(o, FACT_LANE_SPARED, (double)c->disk_rests, mono(c));
}

// Our own figures, once a sample.
static void report_self(struct collector *c)
{
    struct object *host = c->herd->host;
    int64_t now = mono(c);
    report_lane(c, "libvirt", c->stats_lane);
    report_lane(c, "config", c->config_lane);
    report_lane(c, "stored", c->stored_lane);
    report_lane(c, "pool", c->pool_lane);
    report_lane(c, "agent", c->agent_lane);
    report_disks(c);
    object_set_fact(host, FACT_HOST_RECONNECTS, (double)c->reconnects, now);
    if (!c->sampler)
        return;
    struct sampler_stats stats = sampler_stats(c->sampler);
    object_set_fact(host, FACT_HOST_TICKS, (double)stats.taken, now);
    object_set_fact(host, FACT_HOST_TICKS_MISSED, (double)stats.missed, now);
    object_set_fact(host, FACT_HOST_TICK_LATENESS, (double)stats.lateness_ns, now);
    object_set_fact(host, FACT_HOST_TICK_DURATION, (double)stats.duration_ns, now);
}

int64_t collector_step(struct collector *c)
{
    uint64_t ticks = c->ticks_seen;
    inbox_empty(c);
    int64_t now = mono(c);
    link_step(c, now);
    calls_step(c, now);
    agent_step(c, now);
    if (ticks != c->ticks_seen)
        report_self(c);
    int64_t wake = MIN_OF(link_wake(c), calls_wake(c, now));
    return MIN_OF(wake, agent_wake(c, now));
}

static bool inbox_has(struct collector *c)
{
    pthread_mutex_lock(&c->inbox.lock);
    bool has = c->inbox.head || c->inbox.batches;
    pthread_mutex_unlock(&c->inbox.lock);
    return has;
}

void collector_settle(struct collector *c)
{
    do
        (void)collector_step(c);
    while (inbox_has(c));
}

static struct lane_policy policy(int64_t interval_ns, int64_t deadline_ns, const struct conf *conf,
                                 int in_flight, int written_off)
{
    return (struct lane_policy){
        .interval_ns = interval_ns,
        .deadline_ns = deadline_ns,
        .quarantine_min_ns = conf->libvirt.quarantine_min_ns,
        .quarantine_max_ns = conf->libvirt.quarantine_max_ns,
        .patience_ns = PATIENCE_NS,
        .max_in_flight = in_flight,
        .max_written_off = written_off,
    };
}

struct policies {
    struct lane_policy stats, config, stored, pool, agent;
};

static struct policies policies_of(const struct conf *conf)
{
    int64_t deadline = conf->libvirt.deadline_ns;
    struct policies p = {
        .stats = policy(conf->libvirt.interval_ns, deadline, conf, (int)conf->libvirt.max_in_flight,
                        (int)conf->libvirt.max_written_off),
        .config = policy(CONFIG_INTERVAL_NS, deadline, conf, 2, 2),
        .stored = policy(STORED_WHOLE_NS, deadline, conf, 1, 2),
        // One server's pools die together, and take their list with them.
        .pool = policy(conf->libvirt.pool_interval_ns, deadline, conf, 1, 3),
        .agent =
            policy(conf->agent.interval_ns, conf->agent.deadline_ns + AGENT_SLACK_NS, conf, 3, 8),
    };
    return p;
}

// A fact counts as fresh for two and a half intervals of its lane: one answer may be lost.
static void set_ages(struct collector *c, const struct conf *conf)
{
    struct herd *h = c->herd;
    int64_t sample = 3 * conf->kernel.interval_ns;
    h->max_age_ns[LANE_KERNEL] = h->max_age_ns[LANE_HOST] = sample;
    h->max_age_ns[LANE_TURN] =
        host_turn_ns(conf->kernel.interval_ns, c->detail_interval_ns) * 5 / 2;
    h->max_age_ns[LANE_SLOW] = conf->kernel.slow_interval_ns * 5 / 2;
    h->max_age_ns[LANE_LIBVIRT] = conf->libvirt.interval_ns * 5 / 2;
    int64_t slow = MAX_OF(conf->libvirt.slow_interval_ns, conf->libvirt.interval_ns);
    h->max_age_ns[LANE_MEMORY] = h->max_age_ns[LANE_JOB] = slow + slow / 2;
    h->max_age_ns[LANE_RATE] = conf->libvirt.interval_ns * 5 / 2;
    h->max_age_ns[LANE_AGENT] = conf->agent.info_interval_ns * 5 / 2;
    h->max_age_ns[LANE_STORED] = STORED_WHOLE_NS * 5 / 2;
    h->max_age_ns[LANE_POOL] = conf->libvirt.pool_interval_ns * 5 / 2;
}

static int start_sampler(struct collector *c, struct err *err)
{
    const struct conf *conf = c->p.conf;
    struct sampler_params params = {
        .ops = c->p.host,
        .host = {conf->kernel.root, c->p.clock, true, c->detail_interval_ns},
        .interval_ns = conf->kernel.interval_ns,
        .scan_interval_ns = conf->kernel.scan_interval_ns,
        .slow_interval_ns = conf->kernel.slow_interval_ns,
        .sink = collector_sink(c),
    };
    return sampler_start(&params, &c->sampler, err);
}

int collector_new(const struct collector_params *params, struct collector **ret, struct err *err)
{
    struct collector *c = mem_zalloc(sizeof(*c));
    c->p = *params;
    c->herd = params->herd;
    c->uri = mem_strdup(params->uri);
    c->root = mem_strdup(params->conf->kernel.root);
    pthread_mutex_init(&c->inbox.lock, NULL);
    c->inbox.tail = &c->inbox.head;
    c->inbox.batches_tail = &c->inbox.batches;
    c->workers = workers_new(params->no_threads ? 0 : WORKERS_MAX);
    c->nics = map_new();
    struct policies p = policies_of(params->conf);
    c->stats_lane = lane_new(&p.stats);
    c->config_lane = lane_new(&p.config);
    c->stored_lane = lane_new(&p.stored);
    c->pool_lane = lane_new(&p.pool);
    c->agent_lane = lane_new(&p.agent);
    pools_begin(c, mono(c));
    c->herd->vm_done = on_vm_done;
    c->herd->vm_done_arg = c;
    c->detail_interval_ns = params->conf->kernel.detail_interval_ns;
    set_ages(c, params->conf);
    object_set_attr(c->herd->host, ATTR_HOST_URI, c->uri);
    link_init(c);
    int r = params->no_sampler ? 0 : start_sampler(c, err);
    if (r < 0) {
        collector_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

void collector_free(struct collector *c)
{
    if (!c)
        return;
    sampler_stop(c->sampler);
    link_done(c);
    // What has come in gives back its connection while there are workers to close it.
    inbox_empty(c);
    // What hangs still refers to us; the process is about to end, and keeps it until then.
    if (workers_free(c->workers) > 0)
        return;
    c->workers = NULL;
    inbox_empty(c);
    c->herd->vm_done = NULL;
    for (size_t i = 0; i < c->herd->n_vms; i++) {
        free(c->herd->vms[i]->user);
        c->herd->vms[i]->user = NULL;
    }
    agent_done(c);
    while (c->inbox.spare) {
        struct batch *next = c->inbox.spare->next;
        batch_free(c->inbox.spare);
        c->inbox.spare = next;
    }
    lane_free(c->stats_lane);
    lane_free(c->config_lane);
    lane_free(c->stored_lane);
    lane_free(c->pool_lane);
    lane_free(c->agent_lane);
    map_free(c->nics);
    pthread_mutex_destroy(&c->inbox.lock);
    free(c->uri);
    free(c->root);
    free(c);
}

void collector_reload(struct collector *c, const struct conf *conf)
{
    c->p.conf = conf;
    struct policies p = policies_of(conf);
    lane_set_policy(c->stats_lane, &p.stats);
    lane_set_policy(c->config_lane, &p.config);
    lane_set_policy(c->stored_lane, &p.stored);
    lane_set_policy(c->pool_lane, &p.pool);
    lane_set_policy(c->agent_lane, &p.agent);
    set_ages(c, conf);
    if (c->sampler)
        sampler_set_intervals(c->sampler, conf->kernel.interval_ns, conf->kernel.scan_interval_ns,
                              conf->kernel.slow_interval_ns);
}

struct collector_libvirt collector_libvirt(const struct collector *c)
{
    const struct link *l = &c->link;
    return (struct collector_libvirt){
        .uri = c->uri,
        .status = l->status,
        .message = l->message ? l->message : "",
        .up = l->state == LINK_UP,
        .tried = l->tried,
        .since_real_ns = l->since_real_ns,
    };
}

uint64_t collector_changes(const struct collector *c)
{
    return c->changes;
}

bool collector_sampled(const struct collector *c)
{
    return c->ticks_seen > 0;
}

int64_t collector_flag_since(const struct collector *c, const struct vm *vm)
{
    return rec_of(vm)->flag_since_real_ns;
}
