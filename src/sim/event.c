// SPDX-License-Identifier: GPL-3.0-or-later
// The queue of events, and what each kind of them does. Faults of one host, VM or storage come
// from its own stream of random numbers, so that they do not depend on the policy.
#include <math.h>

#include "base/mem.h"
#include "maths.h"
#include "world.h"

static bool before(const struct event *a, const struct event *b)
{
    return a->time_s < b->time_s || (a->time_s == b->time_s && a->order < b->order);
}

void event_add(struct world *w, double time_s, enum event_kind kind, uint32_t who, uint32_t detail,
               double span_s)
{
    mem_grow(&w->heap, &w->heap_cap, w->heap_n, sizeof(*w->heap));
    struct event e = {time_s, w->order++, kind, who, detail, span_s};
    size_t i = w->heap_n++;
    for (; i > 0 && before(&e, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = e;
}

bool event_next(struct world *w, double until_s, struct event *ret)
{
    if (w->heap_n == 0 || w->heap[0].time_s > until_s)
        return false;
    *ret = w->heap[0];
    struct event last = w->heap[--w->heap_n];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= w->heap_n)
            break;
        if (child + 1 < w->heap_n && before(&w->heap[child + 1], &w->heap[child]))
            child++;
        if (!before(&w->heap[child], &last))
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return true;
}

// A span that follows from a script, or else from a mean.
static double span_of(const struct event *e, struct prng *prng, double mean_s)
{
    return e->span_s > 0 ? e->span_s : maths_exponential(prng, mean_s);
}

static void again(struct world *w, const struct event *e, struct prng *prng, double mtbf_s)
{
    if (e->span_s == 0 && mtbf_s > 0)
        event_add(w, w->now_s + maths_exponential(prng, mtbf_s), e->kind, e->who, 0, 0);
}

void guests_changed(struct world *w, uint32_t guest, bool was_down)
{
    struct guest *g = &w->guest[guest];
    bool down = guest_is_down(w, g);
    w->down += (uint32_t)down - (uint32_t)was_down;
    if (g->host == NOWHERE)
        return;
    node_settle(w, g->host);
    guest_load(w, g);
    node_refresh(w, g->host);
}

void guest_start(struct world *w, uint32_t guest)
{
    struct guest *g = &w->guest[guest];
    bool is_first = g->state == GUEST_FUTURE && g->kind->host >= 0;
    uint32_t node = is_first ? (uint32_t)g->kind->host : node_find(w, guest);
    bool was_down = guest_is_down(w, g);
    if (node == NOWHERE) {
        guest_waits(w, guest);
        guests_changed(w, guest, was_down);
        return;
    }
    guest_waited(w, guest);
    g->state = GUEST_RUNNING;
    g->host = node;
    node_settle(w, node);
    node_put(w, node, guest, false);
    w->totals.starts++;
    guests_changed(w, guest, was_down);
}

void guest_draw_end(struct world *w, uint32_t guest)
{
    struct guest *g = &w->guest[guest];
    if (g->has_end || g->state != GUEST_RUNNING || !(g->kind->lifetime_s > 0))
        return;
    g->has_end = true;
    event_add(w, w->now_s + maths_exponential(&g->prng, g->kind->lifetime_s), EVENT_DEPART, guest,
              0, 0);
}

static void arrive(struct world *w, const struct event *e)
{
    struct guest *g = &w->guest[e->who];
    w->alive++;
    w->totals.arrivals++;
    if (guest_must_wait(w, g)) {
        guest_waits(w, e->who);
        guests_changed(w, e->who, false);
        guests_waiting(w);
    } else {
        guest_start(w, e->who);
    }
    guest_draw_end(w, e->who);
}

// Off its host; what the VM is after that is the caller's.
static void unplace(struct world *w, uint32_t guest)
{
    struct guest *g = &w->guest[guest];
    if (g->host == NOWHERE)
        return;
    migration_cancel(w, guest);
    uint32_t node = g->host;
    node_settle(w, node);
    node_remove(w, node, guest, false);
    g->host = NOWHERE;
    g->wanted = 0;
    node_refresh(w, node);
}

static void depart(struct world *w, const struct event *e)
{
    struct guest *g = &w->guest[e->who];
    bool was_down = guest_is_down(w, g);
    unplace(w, e->who);
    w->waiting -= g->state == GUEST_WAITING;
    g->state = GUEST_GONE;
    w->alive--;
    w->totals.departures++;
    guests_changed(w, e->who, was_down);
}

static void guest_fault(struct world *w, const struct event *e, enum guest_state state,
                        enum scenario_fault fault, double mtbf_s)
{
    struct guest *g = &w->guest[e->who];
    again(w, e, &g->prng, mtbf_s);
    if (g->state != GUEST_RUNNING)
        return;
    bool was_down = guest_is_down(w, g);
    migration_cancel(w, e->who);
    g->state = state;
    w->totals.faults[fault]++;
    event_add(w, w->now_s + span_of(e, &g->prng, g->kind->mttr_s), EVENT_GUEST_REPAIRED, e->who, 0,
              0);
    guests_changed(w, e->who, was_down);
}

static void guest_crash(struct world *w, const struct event *e)
{
    guest_fault(w, e, GUEST_CRASHED, FAULT_VM_CRASH, w->guest[e->who].kind->crash_mtbf_s);
}

static void guest_hang(struct world *w, const struct event *e)
{
    guest_fault(w, e, GUEST_HUNG, FAULT_VM_HANG, w->guest[e->who].kind->hang_mtbf_s);
}

static void guest_repaired(struct world *w, const struct event *e)
{
    struct guest *g = &w->guest[e->who];
    if (g->state != GUEST_CRASHED && g->state != GUEST_HUNG)
        return;
    g->state = GUEST_RUNNING;
    guests_changed(w, e->who, true);
}

static void restart(struct world *w, const struct event *e)
{
    if (w->guest[e->who].state == GUEST_WAITING)
        guest_start(w, e->who);
    guest_draw_end(w, e->who);
}

static void migrated(struct world *w, const struct event *e)
{
    const struct guest *g = &w->guest[e->who];
    if (g->to != NOWHERE && g->journey == e->detail)
        migration_end(w, e->who);
    migrations_start(w);
}

static void node_fail(struct world *w, const struct event *e)
{
    struct node *n = &w->node[e->who];
    again(w, e, &n->prng, n->kind->mtbf_s);
    if (n->state == NODE_DOWN)
        return;
    n->state = NODE_DOWN;
    w->totals.faults[FAULT_HOST_FAILURE]++;
    event_add(w, w->now_s + span_of(e, &n->prng, n->kind->mttr_s), EVENT_NODE_REPAIRED, e->who, 0,
              0);
    while (n->n > 0) {
        struct tenant tenant = n->tenant[n->n - 1];
        struct guest *g = &w->guest[tenant.vm];
        if (tenant.incoming) {
            migration_cancel(w, tenant.vm);
            continue;
        }
        bool was_down = guest_is_down(w, g);
        unplace(w, tenant.vm);
        g->state = GUEST_WAITING;
        g->waits_since_s = w->now_s;
        w->waiting++;
        guests_changed(w, tenant.vm, was_down);
        event_add(w, w->now_s + w->scenario->restart_s, EVENT_RESTART, tenant.vm, 0, 0);
    }
}

static void node_repaired(struct world *w, const struct event *e)
{
    w->node[e->who].state = NODE_UP;
    w->refused_bytes = INFINITY;
}

static void libvirt_gone(struct world *w, const struct event *e)
{
    struct node *n = &w->node[e->who];
    again(w, e, &n->prng, n->kind->libvirt_mtbf_s);
    if (n->libvirt_gone)
        return;
    n->libvirt_gone = true;
    w->totals.faults[FAULT_LIBVIRT_GONE]++;
    event_add(w, w->now_s + span_of(e, &n->prng, n->kind->libvirt_mttr_s), EVENT_LIBVIRT_BACK,
              e->who, 0, 0);
}

static void libvirt_back(struct world *w, const struct event *e)
{
    w->node[e->who].libvirt_gone = false;
    w->refused_bytes = INFINITY;
}

// All VMs on a storage feel what becomes of it.
static void store_change(struct world *w, uint32_t store, bool gone, bool slow)
{
    struct backend *s = &w->store[store];
    bool was_gone = s->gone;
    for (uint32_t i = 0; i < w->guests; i++) {
        struct guest *g = &w->guest[i];
        if (g->storage != store || g->host == NOWHERE)
            continue;
        s->gone = was_gone;
        bool was_down = guest_is_down(w, g);
        node_settle(w, g->host);
        s->gone = gone;
        s->slow = slow;
        guests_changed(w, i, was_down);
    }
    s->gone = gone;
    s->slow = slow;
}

static void store_gone(struct world *w, const struct event *e)
{
    struct backend *s = &w->store[e->who];
    again(w, e, &s->prng, s->kind->mtbf_s);
    if (s->gone)
        return;
    w->totals.faults[FAULT_STORAGE_GONE]++;
    store_change(w, e->who, true, s->slow);
    event_add(w, w->now_s + span_of(e, &s->prng, s->kind->mttr_s), EVENT_STORE_BACK, e->who, 0, 0);
}

static void store_back(struct world *w, const struct event *e)
{
    store_change(w, e->who, false, w->store[e->who].slow);
}

static void store_slow(struct world *w, const struct event *e)
{
    struct backend *s = &w->store[e->who];
    again(w, e, &s->prng, s->kind->slow_mtbf_s);
    if (s->slow)
        return;
    w->totals.faults[FAULT_STORAGE_SLOW]++;
    store_change(w, e->who, s->gone, true);
    event_add(w, w->now_s + span_of(e, &s->prng, s->kind->slow_mttr_s), EVENT_STORE_FAST, e->who, 0,
              0);
}

static void store_fast(struct world *w, const struct event *e)
{
    store_change(w, e->who, w->store[e->who].gone, false);
}

static void close_node(struct world *w, const struct event *e)
{
    w->node[e->who].closed = true;
    w->totals.faults[FAULT_MAINTENANCE]++;
    event_add(w, w->now_s + e->span_s, EVENT_OPEN, e->who, 0, 0);
}

static void open_node(struct world *w, const struct event *e)
{
    w->node[e->who].closed = false;
    w->refused_bytes = INFINITY;
}

static void (*const handlers[])(struct world *w, const struct event *e) = {
    [EVENT_TICK] = NULL, // world_run() itself
    [EVENT_ARRIVE] = arrive,
    [EVENT_DEPART] = depart,
    [EVENT_GUEST_CRASH] = guest_crash,
    [EVENT_GUEST_HANG] = guest_hang,
    [EVENT_GUEST_REPAIRED] = guest_repaired,
    [EVENT_RESTART] = restart,
    [EVENT_MIGRATED] = migrated,
    [EVENT_NODE_FAIL] = node_fail,
    [EVENT_NODE_REPAIRED] = node_repaired,
    [EVENT_LIBVIRT_GONE] = libvirt_gone,
    [EVENT_LIBVIRT_BACK] = libvirt_back,
    [EVENT_STORE_GONE] = store_gone,
    [EVENT_STORE_BACK] = store_back,
    [EVENT_STORE_SLOW] = store_slow,
    [EVENT_STORE_FAST] = store_fast,
    [EVENT_CLOSE] = close_node,
    [EVENT_OPEN] = open_node,
};
_Static_assert(ARRAY_LEN(handlers) == EVENT_MAX, "an event that nobody handles");

void event_handle(struct world *w, const struct event *e)
{
    handlers[e->kind](w, e);
}
