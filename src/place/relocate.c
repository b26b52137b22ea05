// SPDX-License-Identifier: GPL-3.0-or-later
// Moves are tried in a room of their own; what does not work out is put back before the plan sees
// it.
#include "place/relocate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define HOUR_S 3600.0
#define DOWNTIME_MAX_S 0.3
#define SWITCH_OVER_S 0.05 // device state and the last handshake
#define ROUNDS_MAX 30
#define BANDWIDTH_BYTES 1e9
// What copying a byte costs on both ends, and what a second of degradation is worth.
#define COPY_J_PER_BYTE (0.3 / (1 << 20))
#define DOWNTIME_J_PER_S 500.0
// Hosts that say nothing of their power: a usual two-socket server.
#define WATTS_IDLE 150.0
#define WATTS_BUSY 400.0
// Candidates looked at for a move that spreads load, from the least loaded on.
#define TARGETS 64

static const char *const reason_names[RELOCATE_REASONS] = {
    [RELOCATE_EVACUATE] = "evacuate", [RELOCATE_BALANCE] = "balance", [RELOCATE_FREE] = "free"};

const char *relocate_reason_name(enum relocate_reason reason)
{
    return reason_names[reason];
}

struct place_migration place_migration_forecast(int64_t memory_bytes,
                                                int64_t dirty_bytes_per_second,
                                                int64_t bandwidth_bytes_per_second)
{
    double bandwidth =
        bandwidth_bytes_per_second > 0 ? (double)bandwidth_bytes_per_second : BANDWIDTH_BYTES;
    double dirty = (double)dirty_bytes_per_second / bandwidth;
    double left_s = (double)memory_bytes / bandwidth; // what is still to be sent, in seconds
    struct place_migration m = {.converges = true};
    for (int round = 0; left_s > DOWNTIME_MAX_S && round < ROUNDS_MAX; round++) {
        m.duration_s += left_s;
        left_s = fmin(left_s * dirty, (double)memory_bytes / bandwidth);
    }
    m.converges = left_s <= DOWNTIME_MAX_S;
    m.downtime_s = left_s + SWITCH_OVER_S;
    m.duration_s += m.downtime_s;
    return m;
}

double relocate_vm_load(const struct place_vm *vm)
{
    const struct place_usage *u = &vm->usage[PLACE_CPU];
    if (u->n == 0)
        return (double)vm->request.of[PLACE_CPU];
    return isnan(u->forecast) ? u->mean : fmax(u->mean, u->forecast);
}

struct work {
    const struct place_snapshot *s;
    const struct relocate_options *options;
    struct place_room room;
    struct place_chooser *chooser;
    double *load; // by host, expected CPU use in the resource's unit
    struct relocate_plan *plan;
    int32_t *first, *next; // VMs by host at the beginning: first of a host, next of a VM
};

static double ratio_of(const struct work *w, int32_t host)
{
    double capacity = (double)w->s->hosts[host].capacity.of[PLACE_CPU];
    return capacity > 0 ? w->load[host] / capacity : 0;
}

static double spread(const struct work *w, double *ret_mean)
{
    double sum = 0, squares = 0, n = 0;
    for (size_t i = 0; i < w->s->n_hosts; i++) {
        if (w->s->hosts[i].off || w->s->hosts[i].maintenance)
            continue;
        double ratio = ratio_of(w, (int32_t)i);
        sum += ratio;
        squares += ratio * ratio;
        n++;
    }
    *ret_mean = n > 0 ? sum / n : 0;
    return n > 0 ? sqrt(fmax(0, squares / n - *ret_mean * *ret_mean)) : 0;
}

static int work_init(struct work *w, const struct place_snapshot *s,
                     const struct relocate_options *options, enum place_score score,
                     struct relocate_plan *plan)
{
    double mean;
    *w = (struct work){.s = s, .options = options, .plan = plan};
    *plan = (struct relocate_plan){0};
    w->load = calloc(s->n_hosts + 1, sizeof(*w->load));
    w->first = calloc(s->n_hosts + 1, sizeof(*w->first));
    w->next = calloc(s->n_vms + 1, sizeof(*w->next));
    if (!w->load || !w->first || !w->next || place_room_init(&w->room, s) < 0)
        return -ENOMEM;
    w->chooser = place_chooser_new(&w->room, score, options->allow, NULL, NULL);
    if (!w->chooser)
        return -ENOMEM;
    for (size_t i = 0; i < s->n_hosts; i++)
        w->first[i] = -1;
    for (size_t i = s->n_vms; i-- > 0;) {
        int32_t host = s->vms[i].host;
        if (host < 0)
            continue;
        w->next[i] = w->first[host];
        w->first[host] = (int32_t)i;
        w->load[host] += relocate_vm_load(&s->vms[i]);
    }
    plan->spread_before = spread(w, &mean);
    return 0;
}

static void work_done(struct work *w)
{
    double mean;
    if (w->chooser)
        w->plan->spread_after = spread(w, &mean);
    place_chooser_free(w->chooser);
    if (w->room.s)
        place_room_done(&w->room);
    free(w->load);
    free(w->first);
    free(w->next);
}

static bool may_move(const struct work *w, int32_t vm)
{
    const struct place_vm *v = &w->s->vms[vm];
    return !v->pinned && !(w->s->now_s - v->moved_s < HOUR_S) && w->room.host_of[vm] == v->host;
}

static bool left_lately(const struct work *w, int32_t vm, int32_t host)
{
    const struct place_vm *v = &w->s->vms[vm];
    return v->moved_from == host && w->s->now_s - v->moved_s < HOUR_S;
}

static bool is_full(const struct work *w)
{
    return w->options->moves_max > 0 && w->plan->n >= w->options->moves_max;
}

static void shift(struct work *w, int32_t vm, int32_t to)
{
    double load = relocate_vm_load(&w->s->vms[vm]);
    w->load[w->room.host_of[vm]] -= load;
    w->load[to] += load;
    place_chooser_take(w->chooser, vm);
    place_chooser_put(w->chooser, vm, to);
}

static struct place_migration forecast(const struct work *w, int32_t vm, int32_t from, int32_t to)
{
    const struct place_vm *v = &w->s->vms[vm];
    int64_t a = w->s->hosts[from].migration_bytes_per_second;
    int64_t b = w->s->hosts[to].migration_bytes_per_second;
    return place_migration_forecast(
        v->resident_bytes > 0 ? v->resident_bytes : v->request.of[PLACE_MEMORY],
        v->dirty_bytes_per_second, a > 0 && b > 0 ? MIN_OF(a, b) : MAX_OF(a, b));
}

static double cost_of(const struct work *w, int32_t vm, const struct place_migration *m)
{
    const struct place_vm *v = &w->s->vms[vm];
    double bytes =
        (double)(v->resident_bytes > 0 ? v->resident_bytes : v->request.of[PLACE_MEMORY]) +
        (double)v->dirty_bytes_per_second * m->duration_s;
    return bytes * COPY_J_PER_BYTE + m->downtime_s * DOWNTIME_J_PER_S;
}

// The move as it would be now; the caller adds gain and reason.
static struct relocate_move describe(const struct work *w, int32_t vm, int32_t to)
{
    int32_t from = w->room.host_of[vm];
    struct relocate_move m = {.vm = vm,
                              .from = from,
                              .to = to,
                              .from_load_ratio = ratio_of(w, from),
                              .to_load_ratio = ratio_of(w, to),
                              .migration = forecast(w, vm, from, to)};
    m.cost_joules = cost_of(w, vm, &m.migration);
    return m;
}

static void plan_add(struct relocate_plan *plan, const struct relocate_move *m)
{
    mem_grow(&plan->moves, &plan->cap, plan->n, sizeof(*plan->moves));
    plan->moves[plan->n++] = *m;
}

// Where the chooser would put it, its present host left out; -1 nowhere.
static int32_t elsewhere(struct work *w, int32_t vm)
{
    int32_t from = w->room.host_of[vm];
    place_chooser_exclude(w->chooser, from);
    place_chooser_take(w->chooser, vm);
    int32_t to = place_choose(w->chooser, vm);
    place_chooser_put(w->chooser, vm, from);
    return to;
}

void relocate_plan_done(struct relocate_plan *plan)
{
    free(plan->moves);
    free(plan->stuck);
    *plan = (struct relocate_plan){0};
}

struct weighed {
    int32_t index;
    double weight;
};

static int heaviest_first(const void *a, const void *b)
{
    const struct weighed *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

// VMs of a host by the memory that they need, the caller's; NULL without memory.
static struct weighed *guests(const struct work *w, int32_t host, size_t *ret_n)
{
    size_t n = 0;
    for (int32_t vm = w->first[host]; vm >= 0; vm = w->next[vm])
        n++;
    struct weighed *list = calloc(n + 1, sizeof(*list));
    n = 0;
    for (int32_t vm = w->first[host]; list && vm >= 0; vm = w->next[vm])
        if (w->room.host_of[vm] == host)
            list[n++] = (struct weighed){vm, (double)w->s->vms[vm].request.of[PLACE_MEMORY]};
    if (list)
        qsort(list, n, sizeof(*list), heaviest_first);
    *ret_n = n;
    return list;
}

static void stay(struct relocate_plan *plan, int32_t vm)
{
    mem_grow(&plan->stuck, &plan->cap_stuck, plan->n_stuck, sizeof(*plan->stuck));
    plan->stuck[plan->n_stuck++] = vm;
}

static void evacuate_to(struct work *w, int32_t vm, int32_t to)
{
    struct relocate_move m = describe(w, vm, to);
    m.reason = RELOCATE_EVACUATE;
    shift(w, vm, to);
    plan_add(w->plan, &m);
}

static void evacuate_vm(struct work *w, int32_t vm)
{
    int32_t to = w->s->vms[vm].pinned ? -1 : elsewhere(w, vm);
    if (to < 0)
        stay(w->plan, vm);
    else
        evacuate_to(w, vm, to);
}

// Is there room for all of `vms`, which are nowhere, on that host? Leaves the room as it was.
static bool takes_all(struct work *w, const int32_t *vms, size_t n, int32_t host)
{
    static const struct place_allow none = {0};
    const struct place_allow *allow = w->options->allow ? w->options->allow : &none;
    size_t put = 0;
    while (put < n && !w->s->vms[vms[put]].pinned &&
           place_filter_host(&w->room, vms[put], host, allow, NULL))
        place_chooser_put(w->chooser, vms[put++], host);
    for (size_t i = put; i-- > 0;)
        place_chooser_take(w->chooser, vms[i]);
    return put == n;
}

// VMs that have to stand together leave together, which asking one by one cannot see.
static void evacuate_group(struct work *w, const int32_t *vms, size_t n, int32_t from)
{
    int32_t to = -1;
    for (size_t i = 0; i < n; i++)
        place_chooser_take(w->chooser, vms[i]);
    for (size_t h = 0; h < w->s->n_hosts && to < 0; h++)
        if ((int32_t)h != from && takes_all(w, vms, n, (int32_t)h))
            to = (int32_t)h;
    for (size_t i = 0; i < n; i++)
        place_chooser_put(w->chooser, vms[i], from);
    for (size_t i = 0; i < n; i++) {
        if (to < 0)
            stay(w->plan, vms[i]);
        else
            evacuate_to(w, vms[i], to);
    }
}

// One VM, or its affinity group where it is the first of it in the list.
static void evacuate_next(struct work *w, const struct weighed *list, size_t n, size_t i,
                          int32_t *members)
{
    int32_t group = w->s->vms[list[i].index].affinity;
    if (group < 0) {
        evacuate_vm(w, list[i].index);
        return;
    }
    size_t n_members = 0;
    for (size_t k = 0; k < n; k++) {
        if (w->s->vms[list[k].index].affinity != group)
            continue;
        if (k < i)
            return;
        members[n_members++] = list[k].index;
    }
    evacuate_group(w, members, n_members, w->room.host_of[list[i].index]);
}

int relocate_evacuate(const struct place_snapshot *s, int32_t host,
                      const struct relocate_options *options, struct relocate_plan *ret)
{
    struct work w;
    size_t n = 0;
    int r = work_init(&w, s, options, PLACE_SCORE_BEST_FIT, ret);
    CLEANUP(freep) struct weighed *list = r == 0 ? guests(&w, host, &n) : NULL;
    CLEANUP(freep) int32_t *members = calloc(n + 1, sizeof(*members));
    if (!list || !members)
        r = -ENOMEM;
    for (size_t i = 0; r == 0 && i < n; i++)
        evacuate_next(&w, list, n, i, members);
    ret->hosts_freed = r == 0 && ret->n_stuck == 0 && n > 0;
    work_done(&w);
    return r;
}

// Energy for an hour of load: what is lost where a host has more to do than it can is priced as the
// energy that it would have taken, and a host near its limit queues.
static double strain_joules(const struct work *w, int32_t host, double load)
{
    const struct place_host *h = &w->s->hosts[host];
    double capacity = (double)h->capacity.of[PLACE_CPU];
    double ratio = capacity > 0 ? load / capacity : 0;
    double busy = isnan(h->watts_busy) ? WATTS_BUSY : h->watts_busy;
    return busy * HOUR_S * ratio * ratio;
}

static double relief_joules(const struct work *w, int32_t vm, int32_t from, int32_t to)
{
    double load = relocate_vm_load(&w->s->vms[vm]);
    return strain_joules(w, from, w->load[from]) - strain_joules(w, from, w->load[from] - load) +
           strain_joules(w, to, w->load[to]) - strain_joules(w, to, w->load[to] + load);
}

// The best move off a host to one of the `n` least loaded, false where none gains.
static bool best_relief(struct work *w, int32_t from, const struct weighed *targets, size_t n,
                        double most_ratio, struct relocate_move *ret)
{
    bool found = false;
    struct place_allow none = {0};
    const struct place_allow *allow = w->options->allow ? w->options->allow : &none;
    for (int32_t vm = w->first[from]; vm >= 0; vm = w->next[vm]) {
        if (!may_move(w, vm))
            continue;
        for (size_t i = 0; i < n; i++) {
            int32_t to = targets[i].index;
            double load = relocate_vm_load(&w->s->vms[vm]);
            double capacity = (double)w->s->hosts[to].capacity.of[PLACE_CPU];
            if (to == from || capacity <= 0 || (w->load[to] + load) / capacity > most_ratio ||
                left_lately(w, vm, to) || !place_filter_host(&w->room, vm, to, allow, NULL))
                continue;
            struct relocate_move m = describe(w, vm, to);
            m.gain_joules = relief_joules(w, vm, from, to);
            m.reason = RELOCATE_BALANCE;
            if (m.gain_joules > m.cost_joules && m.migration.converges &&
                (!found || m.gain_joules - m.cost_joules > ret->gain_joules - ret->cost_joules)) {
                *ret = m;
                found = true;
            }
            break; // the least loaded that takes it
        }
    }
    return found;
}

static size_t sort_hosts(const struct work *w, struct weighed *list, double sign)
{
    size_t n = 0;
    for (size_t i = 0; i < w->s->n_hosts; i++) {
        const struct place_host *h = &w->s->hosts[i];
        if (!h->off && !h->maintenance)
            list[n++] = (struct weighed){(int32_t)i, sign * ratio_of(w, (int32_t)i)};
    }
    qsort(list, n, sizeof(*list), heaviest_first);
    return n;
}

static void relieve(struct work *w, int32_t host, const struct weighed *targets, size_t n,
                    double mean, double tolerance)
{
    while (ratio_of(w, host) > mean + tolerance && !is_full(w)) {
        struct relocate_move m;
        if (!best_relief(w, host, targets, n, mean + tolerance, &m))
            return;
        shift(w, m.vm, m.to);
        plan_add(w->plan, &m);
    }
}

int relocate_balance(const struct place_snapshot *s, const struct relocate_options *options,
                     struct relocate_plan *ret)
{
    struct work w;
    int r = work_init(&w, s, options, PLACE_SCORE_WORST_FIT, ret);
    CLEANUP(freep) struct weighed *loaded = calloc(s->n_hosts + 1, sizeof(*loaded));
    CLEANUP(freep) struct weighed *idle = calloc(s->n_hosts + 1, sizeof(*idle));
    if (!loaded || !idle)
        r = -ENOMEM;
    if (r == 0) {
        double mean, tolerance = options->tolerance_ratio > 0 ? options->tolerance_ratio : 0.1;
        spread(&w, &mean);
        size_t n = sort_hosts(&w, loaded, 1), from = 0;
        sort_hosts(&w, idle, -1);
        for (size_t i = 0; i < n && !is_full(&w); i++) {
            // Targets that have filled up make room for the next ones in the window.
            while (from < n && ratio_of(&w, idle[from].index) > mean + tolerance / 2)
                from++;
            relieve(&w, loaded[i].index, idle + from, MIN_OF(n - from, (size_t)TARGETS), mean,
                    tolerance);
        }
    }
    work_done(&w);
    return r;
}

// Move everything off a host to hosts that run VMs already; nothing where one has to stay.
static bool free_host(struct work *w, int32_t host)
{
    size_t n, done = 0, before = w->plan->n;
    CLEANUP(freep) struct weighed *list = guests(w, host, &n);
    double idle = isnan(w->s->hosts[host].watts_idle) ? WATTS_IDLE : w->s->hosts[host].watts_idle;
    double gain = idle * HOUR_S, cost = 0;
    bool works = list && n > 0 && n == (size_t)w->room.hosts[host].n_vms &&
                 (w->options->moves_max == 0 || before + n <= w->options->moves_max);
    for (; works && done < n; done++) {
        int32_t vm = list[done].index, to = may_move(w, vm) ? elsewhere(w, vm) : -1;
        works = to >= 0 && w->room.hosts[to].n_vms > 0 && !left_lately(w, vm, to);
        if (!works)
            break;
        struct relocate_move m = describe(w, vm, to);
        m.reason = RELOCATE_FREE;
        m.gain_joules = gain / (double)n;
        cost += m.cost_joules;
        works = m.migration.converges && cost < gain;
        shift(w, vm, to);
        plan_add(w->plan, &m);
    }
    while (!works && w->plan->n > before)
        shift(w, w->plan->moves[--w->plan->n].vm, host);
    return works;
}

int relocate_consolidate(const struct place_snapshot *s, const struct relocate_options *options,
                         struct relocate_plan *ret)
{
    struct work w;
    int r = work_init(&w, s, options, PLACE_SCORE_BEST_FIT, ret);
    CLEANUP(freep) struct weighed *order = calloc(s->n_hosts + 1, sizeof(*order));
    if (!order)
        r = -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; r == 0 && i < s->n_hosts; i++)
        if (w.room.hosts[i].n_vms > 0 && !s->hosts[i].maintenance)
            order[n++] = (struct weighed){(int32_t)i, -w.room.hosts[i].n_vms};
    if (r == 0)
        qsort(order, n, sizeof(*order), heaviest_first);
    for (size_t i = 0; r == 0 && i < n && !is_full(&w); i++)
        ret->hosts_freed += free_host(&w, order[i].index);
    work_done(&w);
    return r;
}
