// SPDX-License-Identifier: GPL-3.0-or-later
// Building a world from a scenario, and letting time pass in it. At a tick loads change, then what
// waits is started, then the policy plans.
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "maths.h"
#include "world.h"

DEFINE_FREEP(struct world, world_free, world_freep)

// Streams of random numbers: one for each thing, apart from those of other kinds.
enum stream {
    STREAM_NODE = 1,
    STREAM_GUEST,
    STREAM_STORE,
    STREAM_ARRIVALS,
};

static void stream_init(struct prng *p, const struct scenario *s, enum stream stream, uint64_t n)
{
    prng_init(p, s->seed, (uint64_t)stream << 48 | n);
}

void world_free(struct world *w)
{
    if (!w)
        return;
    for (size_t i = 0; w->node && i < w->nodes; i++)
        free(w->node[i].tenant);
    free(w->node);
    free(w->guest);
    free(w->store);
    free(w->heap);
    free(w->timeline);
    free(w->live_host);
    free(w->live_vm);
    free(w->first);
    free(w->listed);
    free(w->turns);
    free(w->pending);
    place_plan_done(&w->plan);
    place_planner_free(w->planner);
    free(w);
}

static int allocate(struct world *w, struct err *err)
{
    const struct scenario *s = w->scenario;
    for (size_t i = 0; i < s->hosts_n; i++)
        w->nodes += s->hosts[i].count;
    for (size_t i = 0; i < s->vms_n; i++)
        w->guests += s->vms[i].count;
    w->stores = s->storage_n;
    w->node = calloc(w->nodes, sizeof(*w->node));
    w->guest = calloc(w->guests + 1, sizeof(*w->guest));
    w->store = calloc(w->stores + 1, sizeof(*w->store));
    w->live_host = calloc(w->nodes, sizeof(*w->live_host));
    w->live_vm = calloc(w->guests + 1, sizeof(*w->live_vm));
    w->first = calloc(w->nodes + 1, sizeof(*w->first));
    w->listed = calloc(w->guests + 1, sizeof(*w->listed));
    if (!w->node || !w->guest || !w->store || !w->live_host || !w->live_vm || !w->first ||
        !w->listed)
        return err_set(err, ENOMEM, "not enough memory for %zu hosts and %zu VMs", w->nodes,
                       w->guests);
    return 0;
}

static void failure_add(struct world *w, struct prng *prng, double mtbf_s, enum event_kind kind,
                        uint32_t who, double from_s)
{
    if (mtbf_s > 0)
        event_add(w, from_s + maths_exponential(prng, mtbf_s), kind, who, 0, 0);
}

static void build_nodes(struct world *w)
{
    uint32_t n = 0;
    for (size_t i = 0; i < w->scenario->hosts_n; i++)
        for (uint32_t k = 0; k < w->scenario->hosts[i].count; k++, n++) {
            struct node *node = &w->node[n];
            node->kind = &w->scenario->hosts[i];
            node->number = k;
            stream_init(&node->prng, w->scenario, STREAM_NODE, n);
            failure_add(w, &node->prng, node->kind->mtbf_s, EVENT_NODE_FAIL, n, 0);
            failure_add(w, &node->prng, node->kind->libvirt_mtbf_s, EVENT_LIBVIRT_GONE, n, 0);
        }
}

static void build_stores(struct world *w)
{
    for (uint32_t i = 0; i < w->stores; i++) {
        struct backend *s = &w->store[i];
        s->kind = &w->scenario->storage[i];
        stream_init(&s->prng, w->scenario, STREAM_STORE, i);
        failure_add(w, &s->prng, s->kind->mtbf_s, EVENT_STORE_GONE, i, 0);
        failure_add(w, &s->prng, s->kind->slow_mtbf_s, EVENT_STORE_SLOW, i, 0);
    }
}

static uint32_t find_store(const struct world *w, const char *name)
{
    for (uint32_t i = 0; name && i < w->stores; i++)
        if (strcmp(w->store[i].kind->name, name) == 0)
            return i;
    return NOWHERE;
}

static void build_guests(struct world *w)
{
    uint32_t n = 0;
    for (size_t i = 0; i < w->scenario->vms_n; i++) {
        const struct scenario_vms *kind = &w->scenario->vms[i];
        struct prng arrivals;
        double at = kind->arrive_s;
        stream_init(&arrivals, w->scenario, STREAM_ARRIVALS, i);
        for (uint32_t k = 0; k < kind->count; k++, n++) {
            struct guest *g = &w->guest[n];
            *g = (struct guest){.kind = kind,
                                .number = k,
                                .host = NOWHERE,
                                .to = NOWHERE,
                                .storage = find_store(w, kind->storage)};
            stream_init(&g->prng, w->scenario, STREAM_GUEST, n);
            // The first look at the load changes it to the opposite.
            g->bursting = prng_double(&g->prng) >= kind->burst_s / (kind->burst_s + kind->calm_s);
            event_add(w, at, EVENT_ARRIVE, n, 0, 0);
            failure_add(w, &g->prng, kind->crash_mtbf_s, EVENT_GUEST_CRASH, n, at);
            failure_add(w, &g->prng, kind->hang_mtbf_s, EVENT_GUEST_HANG, n, at);
            if (kind->every_s > 0)
                at += maths_exponential(&arrivals, kind->every_s);
        }
    }
}

// "NAME-3" names the fourth of that kind.
static bool is_named(const char *target, const char *name, uint32_t number)
{
    CLEANUP(freep) char *whole = mem_printf("%s-%u", name, number);
    return strcmp(whole, target) == 0;
}

static uint32_t find_node(const struct world *w, const char *target)
{
    for (uint32_t i = 0; i < w->nodes; i++)
        if (is_named(target, w->node[i].kind->name, w->node[i].number))
            return i;
    return NOWHERE;
}

static uint32_t find_guest(const struct world *w, const char *target)
{
    for (uint32_t i = 0; i < w->guests; i++)
        if (is_named(target, w->guest[i].kind->name, w->guest[i].number))
            return i;
    return NOWHERE;
}

static const struct {
    enum event_kind kind;
    const char *what;
    uint32_t (*find)(const struct world *w, const char *target);
} scripted[] = {
    [FAULT_VM_CRASH] = {EVENT_GUEST_CRASH, "VM", find_guest},
    [FAULT_VM_HANG] = {EVENT_GUEST_HANG, "VM", find_guest},
    [FAULT_HOST_FAILURE] = {EVENT_NODE_FAIL, "host", find_node},
    [FAULT_STORAGE_GONE] = {EVENT_STORE_GONE, "storage", find_store},
    [FAULT_STORAGE_SLOW] = {EVENT_STORE_SLOW, "storage", find_store},
    [FAULT_LIBVIRT_GONE] = {EVENT_LIBVIRT_GONE, "host", find_node},
    [FAULT_MAINTENANCE] = {EVENT_CLOSE, "host", find_node},
};

static int script(struct world *w, struct err *err)
{
    for (size_t i = 0; i < w->scenario->events_n; i++) {
        const struct scenario_event *e = &w->scenario->events[i];
        uint32_t who = scripted[e->fault].find(w, e->target);
        if (who == NOWHERE)
            return err_set_at(err, EINVAL, e->line, e->column,
                              "line %d, column %d: no %s is called \"%s\"", e->line, e->column,
                              scripted[e->fault].what, e->target);
        event_add(w, e->at_s, scripted[e->fault].kind, who, 0, e->for_s);
    }
    return 0;
}

int world_new(const struct scenario *scenario, const char *policy, struct world **ret,
              struct err *err)
{
    struct place_policy parsed;
    int r = place_policy_parse(policy ? policy : scenario->policy, &parsed, err);
    if (r < 0)
        return r;
    CLEANUP(world_freep) struct world *w = mem_zalloc(sizeof(*w));
    w->scenario = scenario;
    w->refused_bytes = INFINITY;
    r = allocate(w, err);
    if (r < 0)
        return r;
    w->planner = place_planner_new(&parsed, scenario->seed);
    build_nodes(w);
    build_stores(w);
    build_guests(w);
    event_add(w, 0, EVENT_TICK, 0, 0, 0);
    r = script(w, err);
    if (r == 0)
        *ret = TAKE_PTR(w);
    return r;
}

static void sample_guests(struct world *w)
{
    for (size_t i = 0; i < w->guests; i++) {
        struct guest *g = &w->guest[i];
        if (g->host == NOWHERE)
            continue;
        guest_load(w, g);
        memmove(&g->history[1], &g->history[0], (PLACE_HISTORY - 1) * sizeof(g->history[0]));
        g->history[0] = g->wanted / ((double)g->kind->vcpus * g->kind->mips);
        g->sampled += g->sampled < PLACE_HISTORY;
    }
}

static uint64_t sum_faults(const struct world_totals *t)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < FAULT_MAX; i++)
        sum += t->faults[i];
    return sum;
}

static void take_sample(struct world *w)
{
    double given = 0, wanted = 0, cpu = 0;
    struct world_sample s = {
        .time_s = w->now_s,
        .vms = w->alive,
        .waiting = w->waiting,
        .down = w->down,
        .migrations = w->totals.migrations - w->at_sample.migrations,
        .faults = sum_faults(&w->totals) - sum_faults(&w->at_sample),
    };
    for (size_t i = 0; i < w->nodes; i++) {
        const struct node *n = &w->node[i];
        if (n->n == 0)
            continue;
        s.hosts++;
        s.watts += n->watts;
        s.balloon_gib += n->balloon_bytes / GIB;
        s.swap_gib += n->swap_bytes / GIB;
        given += n->given;
        wanted += n->wanted;
        cpu += node_cpu(n);
    }
    s.load = cpu > 0 ? given / cpu : 0;
    s.steal = wanted > 0 ? 1 - given / wanted : 0;
    w->at_sample = w->totals;
    mem_grow(&w->timeline, &w->timeline_cap, w->timeline_n, sizeof(*w->timeline));
    w->timeline[w->timeline_n++] = s;
}

static int tick(struct world *w)
{
    for (uint32_t i = 0; i < w->nodes; i++)
        node_settle(w, i);
    sample_guests(w);
    for (uint32_t i = 0; i < w->nodes; i++)
        node_refresh(w, i);
    guests_waiting(w);
    int r = world_plan(w);
    migrations_start(w);
    take_sample(w);
    event_add(w, w->now_s + w->scenario->step_s, EVENT_TICK, 0, 0, 0);
    return r;
}

static void advance(struct world *w, double time_s)
{
    double span = time_s - w->now_s;
    w->totals.vm_hours += w->alive * span / 3600;
    w->totals.down_s += w->down * span;
    w->now_s = w->totals.time_s = time_s;
}

int world_run(struct world *w, double time_s)
{
    struct event e;
    while (event_next(w, time_s, &e)) {
        advance(w, e.time_s);
        if (e.kind != EVENT_TICK) {
            event_handle(w, &e);
            continue;
        }
        int r = tick(w);
        if (r < 0)
            return r;
    }
    advance(w, time_s);
    for (uint32_t i = 0; i < w->nodes; i++)
        node_settle(w, i);
    return 0;
}

const struct world_totals *world_totals(const struct world *w)
{
    return &w->totals;
}

const struct world_sample *world_timeline(const struct world *w, size_t *ret_n)
{
    *ret_n = w->timeline_n;
    return w->timeline;
}
