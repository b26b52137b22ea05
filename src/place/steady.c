// SPDX-License-Identifier: GPL-3.0-or-later
// Our own policy. What traces say decides its shape: a VM's last sample tells next to nothing about
// the next one beyond the mean of the last hours, around which it jumps freely. So hosts are packed
// by means, which change slowly; the load of the moment only decides which VMs leave a host that
// cannot serve it now, and where they go. Every move has to gain more than it costs, in joules:
// work that is not done is priced as the energy it would have taken.
//
// Invariants: a VM is moved at most once a step, and never to a host that it left within the hour;
// sums in `room` are as after the moves planned so far.
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "planner.h"

// Samples that the herd's mean counts for in a VM's forecast: the spread between VMs' means is
// about as large as that of one VM's samples.
#define PRIOR_SAMPLES 2
// The newest samples that may stand for a change, and how far off they have to be.
#define RECENT 6
#define CHANGE_DEVIATIONS 3.5
// Samples whose sum over the herd is compared with its mean, and by how much it has to be above.
#define FOLLOW 2
#define FOLLOW_LEAST 1.05
// Mean load that a host is packed to; with some 25 VMs it then overflows in one interval of ten.
#define FILL 0.87
// Where memory decides how many hosts run, CPU is left over: how far from the even load to FILL.
#define SPREAD 0.6
// Mean load beyond packing that relief may cause. Not where memory decides: there is seldom a place
// to come back to, and only a host whose mean is too high is relieved.
#define RELIEF_OVER 0.08
// A mean above this does not pass by itself: another host is woken.
#define WAKE_OVER 1.0
// Load of the moment that a target may reach.
#define NOW_MOST 0.97
// Another host is woken when the herd's mean load passes this.
#define EXPAND 0.885
// A VM that could outgrow a core must have room for so many deviations above its mean.
#define CORE_TOLERANCE 1.1
#define CORE_DEVIATIONS 4
// Over which an emptied host has to pay, and for which a woken one stays on.
#define STAY_S 3600.0
#define HOUR_S 3600.0
// What a move costs whatever its size, and for each MiB copied (NICs and CPUs of both ends).
#define MOVE_J 200.0
#define COPY_J_PER_MIB 0.3
#define DEGRADED 0.1
// An evacuation is not a matter of energy.
#define EVACUATE_J 1e6
#define DEPARTURES 12
// Hosts that cannot be emptied, one after the other, until the step gives up looking for more.
#define FAILURES_MAX 256

struct departures {
    uint32_t host[DEPARTURES]; // the last ones, a ring
    double time[DEPARTURES];
    size_t n;
};

struct room {
    double mean, now, ram_mib;
    uint32_t n;
    bool running, source, target;
    double fill; // mean load it may be packed to
    double full; // of what it may hold, CPU or memory, whichever is scarcer
    double cost; // watts per share of the herd that it could carry
};

struct steady {
    double *mean, *variance; // of each VM's load
    struct departures *left;
    bool *moved;
    size_t vms_cap;
    struct room *room;
    double *woken_s; // when a host was last woken; 0: not yet
    uint32_t *running, *order;
    size_t running_n, hosts_cap;
    bool memory_bound;
    double most_cpu, most_ram_mib; // of any host
    double j_per_work;             // energy of one unit of work on the best host, fully loaded
    uint32_t *guest, *to;
    size_t guest_cap, to_cap;
};

struct context {
    struct steady *s;
    const struct place_live *live;
    struct place_plan *plan;
};

struct steady *steady_new(void)
{
    return mem_zalloc(sizeof(struct steady));
}

void steady_free(struct steady *s)
{
    if (!s)
        return;
    free(s->mean);
    free(s->variance);
    free(s->left);
    free(s->moved);
    free(s->room);
    free(s->woken_s);
    free(s->running);
    free(s->order);
    free(s->guest);
    free(s->to);
    free(s);
}

static int grow(void *array, size_t have, size_t want, size_t size)
{
    char **a = array;
    char *more = realloc(*a, want * size);
    if (!more)
        return -ENOMEM;
    memset(more + have * size, 0, (want - have) * size);
    *a = more;
    return 0;
}

static int make_room(struct steady *s, const struct place_live *live)
{
    size_t n = live->n_vms;
    if (n > s->vms_cap) {
        if (grow(&s->mean, s->vms_cap, n, sizeof(*s->mean)) < 0 ||
            grow(&s->variance, s->vms_cap, n, sizeof(*s->variance)) < 0 ||
            grow(&s->left, s->vms_cap, n, sizeof(*s->left)) < 0 ||
            grow(&s->moved, s->vms_cap, n, sizeof(*s->moved)) < 0)
            return -ENOMEM;
        s->vms_cap = n;
    }
    n = live->n_hosts;
    if (n > s->hosts_cap) {
        if (grow(&s->room, s->hosts_cap, n, sizeof(*s->room)) < 0 ||
            grow(&s->woken_s, s->hosts_cap, n, sizeof(*s->woken_s)) < 0 ||
            grow(&s->running, s->hosts_cap, n, sizeof(*s->running)) < 0 ||
            grow(&s->order, s->hosts_cap, n, sizeof(*s->order)) < 0)
            return -ENOMEM;
        s->hosts_cap = n;
    }
    return 0;
}

// Loads that rise together, as in the morning, show in the sum long before they show in a mean.
static void follow_herd(struct steady *s, const struct place_live *live)
{
    double mean = 0, now = 0;
    for (size_t i = 0; i < live->first[live->n_hosts]; i++) {
        const struct place_live_vm *v = &live->vm[live->listed[i]];
        mean += s->mean[live->listed[i]];
        for (size_t k = 0; k < FOLLOW && k < v->sampled; k++)
            now += v->history[k] * v->cpu / (double)MIN_OF(FOLLOW, v->sampled);
    }
    if (now <= mean * FOLLOW_LEAST)
        return;
    for (size_t i = 0; i < live->first[live->n_hosts]; i++)
        s->mean[live->listed[i]] *= now / mean;
}

// The newest samples, where they differ from the others by more than chance would have them: a VM
// whose load has changed for good, or is on the rise.
static double recent_mean(const struct place_live_vm *v, double mean, double variance)
{
    double sum = 0;
    if (v->sampled < 2 * RECENT)
        return mean;
    for (size_t k = 0; k < RECENT; k++)
        sum += v->history[k];
    double recent = sum / RECENT, away = recent - mean;
    return away * away > CHANGE_DEVIATIONS * CHANGE_DEVIATIONS * variance / RECENT ? recent : mean;
}

// Mean and variance of each VM's load, drawn towards the herd's where samples are few.
static void forecast(struct steady *s, const struct place_live *live)
{
    size_t n_listed = live->first[live->n_hosts];
    double sum = 0, squares = 0, n = 0;
    for (size_t i = 0; i < n_listed; i++) {
        const struct place_live_vm *v = &live->vm[live->listed[i]];
        if (v->sampled == 0)
            continue;
        sum += v->history[0];
        squares += v->history[0] * v->history[0];
        n++;
    }
    double herd = n > 0 ? sum / n : 0;
    double spread = n > 0 ? squares / n - herd * herd : 0;
    for (size_t i = 0; i < n_listed; i++) {
        uint32_t vm = live->listed[i];
        const struct place_live_vm *v = &live->vm[vm];
        double weight = PRIOR_SAMPLES + v->sampled;
        double total = PRIOR_SAMPLES * herd;
        for (size_t k = 0; k < v->sampled; k++)
            total += v->history[k];
        double mean = total / weight;
        // Half of what VMs differ by at one instant is each one's own unrest.
        double square = PRIOR_SAMPLES * spread / 2;
        for (size_t k = 0; k < v->sampled; k++)
            square += (v->history[k] - mean) * (v->history[k] - mean);
        s->mean[vm] = recent_mean(v, mean, square / weight) * v->cpu;
        s->variance[vm] = square / weight * v->cpu * v->cpu;
    }
    follow_herd(s, live);
}

static double fullness(const struct room *r, const struct place_live_host *l)
{
    return fmax(r->mean / (r->fill * l->cpu), r->ram_mib / l->ram_mib);
}

static void put(struct context *c, uint32_t vm, uint32_t host, double sign)
{
    struct room *r = &c->s->room[host];
    r->mean += sign * c->s->mean[vm];
    r->now += sign * c->live->vm[vm].wanted;
    r->ram_mib += sign * c->live->vm[vm].ram_mib;
    r->n += sign > 0 ? 1 : -1;
    r->full = fullness(r, &c->live->host[host]);
}

// What share of the herd a host could carry, and what that would draw, tells which hosts to keep.
static void rate_hosts(struct context *c, double mean, double ram)
{
    struct steady *s = c->s;
    s->memory_bound = false;
    s->j_per_work = INFINITY;
    s->most_cpu = s->most_ram_mib = 0;
    for (uint32_t h = 0; h < c->live->n_hosts; h++) {
        const struct place_live_host *l = &c->live->host[h];
        double by_cpu = mean > 0 ? FILL * l->cpu / mean : 1;
        double by_ram = ram > 0 ? l->ram_mib / ram : 1;
        double share = fmin(by_cpu, by_ram);
        double even = share * mean / l->cpu;
        s->memory_bound = s->memory_bound || by_ram < by_cpu;
        s->room[h].fill = even + SPREAD * (FILL - even);
        s->room[h].full = fullness(&s->room[h], l);
        s->room[h].cost = place_power_watts(l->power, even) / share;
        s->most_cpu = fmax(s->most_cpu, l->cpu);
        s->most_ram_mib = fmax(s->most_ram_mib, l->ram_mib);
        s->j_per_work = fmin(s->j_per_work, place_power_watts(l->power, 1) / l->cpu);
    }
}

static void measure(struct context *c)
{
    const struct place_live *live = c->live;
    struct steady *s = c->s;
    double mean = 0, ram = 0;
    s->running_n = 0;
    for (uint32_t h = 0; h < live->n_hosts; h++) {
        s->room[h] = (struct room){0};
        for (uint32_t i = live->first[h]; i < live->first[h + 1]; i++) {
            put(c, live->listed[i], h, 1);
            s->moved[live->listed[i]] = live->vm[live->listed[i]].fixed;
        }
        mean += s->room[h].mean;
        ram += s->room[h].ram_mib;
        s->room[h].running = s->room[h].n > 0;
        if (s->room[h].running)
            s->running[s->running_n++] = h;
    }
    rate_hosts(c, mean, ram);
}

static bool may_return(const struct context *c, uint32_t vm, uint32_t host)
{
    const struct departures *d = &c->s->left[vm];
    size_t recent = 0;
    for (size_t i = 0; i < DEPARTURES && i < d->n; i++) {
        if (c->live->now_s - d->time[i] > HOUR_S)
            continue;
        if (d->host[i] == host)
            return false;
        recent++;
    }
    return recent < DEPARTURES;
}

static bool fits(const struct context *c, uint32_t vm, uint32_t host, double fill, double now)
{
    const struct place_live_host *l = &c->live->host[host];
    const struct place_live_vm *v = &c->live->vm[vm];
    const struct room *r = &c->s->room[host];
    double mean = c->s->mean[vm];
    if (l->closed || l->core < v->wanted || r->ram_mib + v->ram_mib > l->ram_mib ||
        r->now + v->wanted > now * l->cpu || r->mean + mean > fill * l->cpu)
        return false;
    if (v->cpu > CORE_TOLERANCE * l->core &&
        mean + CORE_DEVIATIONS * sqrt(c->s->variance[vm]) > l->core)
        return false;
    return may_return(c, vm, host);
}

static double move_cost(const struct context *c, uint32_t vm)
{
    const struct place_live_vm *v = &c->live->vm[vm];
    double lost = v->wanted * (DEGRADED * v->copy_s + v->pause_s);
    return MOVE_J + COPY_J_PER_MIB * v->ram_mib + c->s->j_per_work * lost;
}

static void carry_out(struct context *c, uint32_t vm, uint32_t to, enum place_reason reason,
                      double gain_j, double cost_j)
{
    const struct place_live_vm *v = &c->live->vm[vm];
    struct departures *d = &c->s->left[vm];
    d->host[d->n % DEPARTURES] = v->host;
    d->time[d->n % DEPARTURES] = c->live->now_s;
    d->n++;
    c->s->moved[vm] = true;
    c->s->room[to].target = true;
    place_plan_add(c->plan, &(struct place_move){.vm = vm,
                                                 .from = v->host,
                                                 .to = to,
                                                 .reason = reason,
                                                 .gain_j = gain_j,
                                                 .cost_j = cost_j,
                                                 .duration_s = v->copy_s,
                                                 .pause_s = v->pause_s});
}

// The cheapest host that is off; it runs from now on. UINT32_MAX where there is none.
static uint32_t wake(struct context *c)
{
    struct steady *s = c->s;
    uint32_t found = UINT32_MAX;
    for (uint32_t h = 0; h < c->live->n_hosts; h++)
        if (!s->room[h].running && !c->live->host[h].closed &&
            (found == UINT32_MAX || s->room[h].cost < s->room[found].cost))
            found = h;
    if (found != UINT32_MAX) {
        s->room[found].running = s->room[found].target = true;
        s->running[s->running_n++] = found;
        s->woken_s[found] = c->live->now_s;
    }
    return found;
}

static void expand(struct context *c)
{
    struct steady *s = c->s;
    double need = 0, have = 0;
    for (size_t i = 0; i < s->running_n; i++) {
        uint32_t h = s->running[i];
        need += s->room[h].mean;
        have += c->live->host[h].closed ? 0 : c->live->host[h].cpu;
    }
    while (s->running_n > 0 && need > EXPAND * have) {
        uint32_t h = wake(c);
        if (h == UINT32_MAX)
            return;
        have += c->live->host[h].cpu;
    }
}

// Of the hosts that could take it the one with the least mean load afterwards.
static uint32_t relief_target(const struct context *c, uint32_t vm)
{
    const struct steady *s = c->s;
    double over = s->memory_bound ? 0 : RELIEF_OVER;
    uint32_t found = UINT32_MAX;
    double best = INFINITY;
    for (size_t i = 0; i < s->running_n; i++) {
        uint32_t h = s->running[i];
        const struct room *r = &s->room[h];
        double load = (r->mean + s->mean[vm]) / c->live->host[h].cpu;
        if (r->source || load > best || (load == best && h > found) ||
            !fits(c, vm, h, r->fill + over, NOW_MOST))
            continue;
        best = load;
        found = h;
    }
    return found;
}

struct relief {
    uint32_t vm, to;
    double gain_j, cost_j;
};

// The VM that relieves most for its cost; where memory decides, the one that relieves longest.
static bool find_relief(const struct context *c, uint32_t host, double excess, struct relief *ret)
{
    const struct place_live *live = c->live;
    double best = INFINITY;
    for (uint32_t i = live->first[host]; i < live->first[host + 1]; i++) {
        uint32_t vm = live->listed[i];
        const struct place_live_vm *v = &live->vm[vm];
        double less = fmin(v->wanted, excess);
        double cost = move_cost(c, vm);
        double gain = c->s->j_per_work * less * (live->interval_s - v->copy_s);
        if (c->s->moved[vm] || gain <= cost || (c->s->memory_bound && v->wanted < excess / 2))
            continue;
        double score = c->s->memory_bound ? -c->s->mean[vm] : cost / less;
        if (score >= best)
            continue;
        uint32_t to = relief_target(c, vm);
        if (to == UINT32_MAX)
            continue;
        best = score;
        *ret = (struct relief){vm, to, gain, cost};
    }
    return best < INFINITY;
}

static void relieve(struct context *c, uint32_t host)
{
    struct room *r = &c->s->room[host];
    double cpu = c->live->host[host].cpu;
    struct relief relief;
    r->source = true;
    while (r->now > cpu && !(c->s->memory_bound && r->mean < r->fill * cpu)) {
        bool found = find_relief(c, host, r->now - cpu, &relief);
        if (!found && r->mean > WAKE_OVER * cpu && wake(c) != UINT32_MAX)
            found = find_relief(c, host, r->now - cpu, &relief);
        if (!found)
            return;
        put(c, relief.vm, host, -1);
        put(c, relief.vm, relief.to, 1);
        carry_out(c, relief.vm, relief.to, PLACE_REASON_OVERLOAD, relief.gain_j, relief.cost_j);
    }
}

// Of the cheapest kind of host that could take it the fullest.
static uint32_t packing_target(const struct context *c, uint32_t vm)
{
    const struct steady *s = c->s;
    uint32_t found = UINT32_MAX;
    double fullest = -1, cheapest = INFINITY;
    for (size_t i = 0; i < s->running_n; i++) {
        uint32_t h = s->running[i];
        const struct room *r = &s->room[h];
        if (!r->running || r->source || r->cost > cheapest)
            continue;
        double full = r->full;
        if ((r->cost == cheapest && (full < fullest || (full == fullest && h > found))) ||
            !fits(c, vm, h, r->fill, 1))
            continue;
        fullest = full;
        cheapest = r->cost;
        found = h;
    }
    return found;
}

static int compare(double a, double b)
{
    return (a > b) - (a < b);
}

// Dear hosts first, emptier ones first among equals.
static int by_worth(const void *a, const void *b, void *arg)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const struct context *c = arg;
    const struct room *p = &c->s->room[x], *q = &c->s->room[y];
    int order = compare(q->cost, p->cost);
    if (order == 0)
        order = compare(fmax(p->mean / c->s->most_cpu, p->ram_mib / c->s->most_ram_mib),
                        fmax(q->mean / c->s->most_cpu, q->ram_mib / c->s->most_ram_mib));
    return order ? order : compare(x, y);
}

// Those that are hardest to place first.
static int by_need(const void *a, const void *b, void *arg)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const struct context *c = arg;
    int order = c->s->memory_bound ? compare(c->live->vm[y].ram_mib, c->live->vm[x].ram_mib) : 0;
    if (order == 0)
        order = compare(c->s->mean[y], c->s->mean[x]);
    return order ? order : compare(x, y);
}

static size_t list_guests(struct context *c, uint32_t host)
{
    struct steady *s = c->s;
    const uint32_t *first = &c->live->listed[c->live->first[host]];
    size_t n = c->live->first[host + 1] - c->live->first[host];
    for (size_t i = 0; i < n; i++) {
        mem_grow(&s->guest, &s->guest_cap, i, sizeof(*s->guest));
        mem_grow(&s->to, &s->to_cap, i, sizeof(*s->to));
        s->guest[i] = first[i];
    }
    qsort_r(s->guest, n, sizeof(*s->guest), by_need, c);
    return n;
}

static double watts(const struct context *c, uint32_t host)
{
    const struct place_live_host *l = &c->live->host[host];
    return place_power_watts(l->power, c->s->room[host].mean / l->cpu);
}

// A place for each of the first guests; returns how many were placed.
static size_t place_guests(struct context *c, size_t n, double *ret_watts, double *ret_cost_j)
{
    struct steady *s = c->s;
    *ret_watts = *ret_cost_j = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t vm = s->guest[i];
        uint32_t to = s->moved[vm] ? UINT32_MAX : packing_target(c, vm);
        if (to == UINT32_MAX)
            return i;
        *ret_watts -= watts(c, to);
        put(c, vm, to, 1);
        *ret_watts += watts(c, to);
        *ret_cost_j += move_cost(c, vm);
        s->to[i] = to;
    }
    return n;
}

// All of a host's VMs find a place and that pays, or none is moved.
static bool empty_host(struct context *c, uint32_t host)
{
    struct steady *s = c->s;
    struct room *r = &s->room[host];
    double more, cost, before = watts(c, host);
    size_t n = list_guests(c, host);
    r->source = true;
    size_t placed = place_guests(c, n, &more, &cost);
    double gain = (before - more) * STAY_S;
    if (placed < n || gain <= cost) {
        for (size_t i = 0; i < placed; i++)
            put(c, s->guest[i], s->to[i], -1);
        r->source = false;
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        put(c, s->guest[i], host, -1);
        carry_out(c, s->guest[i], s->to[i], PLACE_REASON_UNDERLOAD, gain / (double)n,
                  cost / (double)n);
    }
    r->running = false;
    return true;
}

static void evacuate(struct context *c, uint32_t host)
{
    struct steady *s = c->s;
    size_t n = list_guests(c, host);
    s->room[host].source = true;
    for (size_t i = 0; i < n; i++) {
        uint32_t vm = s->guest[i];
        if (s->moved[vm])
            continue;
        uint32_t to = packing_target(c, vm);
        if (to == UINT32_MAX)
            to = relief_target(c, vm);
        if (to == UINT32_MAX && wake(c) != UINT32_MAX)
            to = packing_target(c, vm);
        if (to == UINT32_MAX)
            continue;
        put(c, vm, host, -1);
        put(c, vm, to, 1);
        carry_out(c, vm, to, PLACE_REASON_EVACUATE, EVACUATE_J, move_cost(c, vm));
    }
}

static void empty_hosts(struct context *c)
{
    struct steady *s = c->s;
    size_t n = 0, failures = 0;
    for (size_t i = 0; i < s->running_n; i++) {
        const struct room *r = &s->room[s->running[i]];
        double woken = s->woken_s[s->running[i]];
        if (!r->source && !r->target && (woken == 0 || c->live->now_s - woken >= STAY_S))
            s->order[n++] = s->running[i];
    }
    qsort_r(s->order, n, sizeof(*s->order), by_worth, c);
    for (size_t i = 0; i < n && failures < FAILURES_MAX; i++) {
        if (s->room[s->order[i]].target)
            continue;
        failures = empty_host(c, s->order[i]) ? 0 : failures + 1;
    }
}

int steady_step(struct place_planner *p, const struct place_live *live, struct place_plan *plan)
{
    struct context c = {p->steady, live, plan};
    int r = make_room(p->steady, live);
    if (r < 0)
        return r;
    forecast(p->steady, live);
    measure(&c);
    size_t n = p->steady->running_n;
    for (size_t i = 0; i < n; i++)
        if (live->host[p->steady->running[i]].closed)
            evacuate(&c, p->steady->running[i]);
    expand(&c);
    for (size_t i = 0; i < n; i++) {
        uint32_t h = p->steady->running[i];
        if (p->steady->room[h].now > live->host[h].cpu && !live->host[h].closed)
            relieve(&c, h);
    }
    empty_hosts(&c);
    return 0;
}
