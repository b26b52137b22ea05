// SPDX-License-Identifier: GPL-3.0-or-later
// Times are doubles that add up as CloudSim's clock does, since it compares them for equality. At a
// step all hosts are updated, energy is counted, VMs without load leave (mode A), the policy plans
// and migrations start; at the end of migrations all hosts are updated before and after. What a
// host gave and a VM got holds until the next update.
#include "sim/cloudsim.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "cloudsim.h"

static const struct place_power power_g4 = {
    {86, 89.4, 92.6, 96, 99.5, 102, 106, 108, 112, 114, 117}};
static const struct place_power power_g5 = {
    {93.7, 97, 101, 105, 110, 116, 121, 125, 129, 133, 135}};

static const struct {
    double core;
    const struct place_power *power;
} host_types[] = {{1860, &power_g4}, {2660, &power_g5}};

static const struct {
    double mips, ram_mib;
} vm_types[] = {{2500, 870}, {2000, 1740}, {1000, 1740}, {500, 613}};

#define HOSTS 800
#define CORES 2
#define INTERVAL_S 300.0
#define DAY_S 86400.0
#define FIRST_S 0.1
#define SAMPLES 288
#define BOOT_RAM_MIB 4096
#define RAM_MIB 16384
#define COPY_MIB_PER_S 62.5 // half of 1 Gbit/s
#define HOUR_S 3600

void experiment_done(struct experiment *x)
{
    for (size_t h = 0; h < x->n_hosts; h++)
        free(x->host[h].guest);
    free(x->host);
    free(x->vm);
    free(x->migration);
    free(x->live_host);
    free(x->live_vm);
    free(x->first);
    free(x->listed);
    free(x->plan_s);
    place_plan_done(&x->plan);
    place_planner_free(x->planner);
}

static void guest_add(struct host *h, uint32_t vm, bool incoming)
{
    mem_grow(&h->guest, &h->cap, h->n, sizeof(*h->guest));
    h->guest[h->n++] = (struct guest){vm, incoming};
}

static void guest_remove_at(struct host *h, size_t i)
{
    h->n--;
    memmove(&h->guest[i], &h->guest[i + 1], (h->n - i) * sizeof(*h->guest));
}

static bool guest_find(const struct host *h, uint32_t vm, bool incoming, size_t *ret)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->guest[i].vm == vm && h->guest[i].incoming == incoming) {
            *ret = i;
            return true;
        }
    return false;
}

static void guest_remove(struct host *h, uint32_t vm, bool incoming)
{
    size_t i;
    if (guest_find(h, vm, incoming, &i))
        guest_remove_at(h, i);
}

// Samples are 300 s apart; the last one stands twice.
static double load_at(const struct trace *t, double time)
{
    double first = floor(time / INTERVAL_S);
    size_t i = (size_t)first;
    double u1 = t->sample[MIN_OF(i, SAMPLES - 1)];
    double u2 = t->sample[MIN_OF(i + 1, SAMPLES - 1)];
    return u1 + (u2 - u1) / INTERVAL_S * (time - first * INTERVAL_S);
}

static void vm_update(struct experiment *x, struct vm *v)
{
    if (v->time == x->now)
        return;
    v->time = x->now;
    double load = load_at(v->trace, x->now);
    v->wanted = load * v->mips;
    if (fmod(x->now - FIRST_S, INTERVAL_S) != 0)
        return;
    memmove(&v->history[1], &v->history[0], (PLACE_HISTORY - 1) * sizeof(v->history[0]));
    v->history[0] = load;
    v->sampled += v->sampled < PLACE_HISTORY;
}

static void vm_account(struct experiment *x, struct vm *v, double given)
{
    if (v->state.time >= 0 && v->state.time != x->now) {
        double lost = v->state.wanted - v->state.given;
        double span = x->now - v->state.time;
        x->sum.wanted += v->state.wanted * span;
        x->sum.given += v->state.given * span;
        if (lost > 0 && v->state.moving)
            x->sum.lost_moving += lost * span;
    }
    v->state = (struct vm_state){x->now, given, v->wanted, v->moving};
}

static void host_account(struct experiment *x, struct host *h, double given, double wanted)
{
    struct host_state *s = &h->state;
    if (s->time >= 0 && s->time != x->now) {
        double span = x->now - s->time;
        if (s->given > 0) {
            x->sum.active += span;
            if (s->given < s->wanted)
                x->sum.violated += span;
        }
        x->result->shutdowns += s->given == 0 && s->before > 0;
        s->before = s->given;
    }
    *s = (struct host_state){x->now, given, wanted, s->before};
}

// One tenth of what an incoming VM wants is charged to its new host.
static double charge(const struct experiment *x, const struct host *h, const struct guest *g)
{
    double capped = MIN_OF(x->vm[g->vm].wanted, h->core);
    return g->incoming ? capped * 0.1 : capped;
}

static bool fits(const struct experiment *x, const struct host *h, double *ret_scale)
{
    double left = h->core * CORES, sum = 0;
    bool fit = true;
    for (size_t i = 0; i < h->n; i++) {
        double c = charge(x, h, &h->guest[i]);
        fit = fit && left >= c;
        left -= c;
        sum += c;
    }
    *ret_scale = fit ? 1 : h->core * CORES / sum;
    return fit;
}

static void host_update(struct experiment *x, struct host *h)
{
    for (size_t i = 0; i < h->n; i++)
        vm_update(x, &x->vm[h->guest[i].vm]);
    double scale, used = 0, wanted = 0;
    bool fit = fits(x, h, &scale);
    for (size_t i = 0; i < h->n; i++) {
        const struct guest *g = &h->guest[i];
        struct vm *v = &x->vm[g->vm];
        double given = MIN_OF(v->wanted, h->core);
        if (g->incoming)
            given *= 0.1;
        if (!fit)
            given *= scale;
        if (v->moving && !g->incoming)
            given *= 0.9;
        if (!fit)
            given = floor(given);
        if (!g->incoming) {
            vm_account(x, v, given);
            if (v->moving)
                given /= 0.9;
        }
        used += given;
        wanted += v->wanted;
    }
    h->used = used;
    host_account(x, h, used, wanted);
}

static double utilisation(const struct host *h)
{
    double u = h->used / (h->core * CORES);
    return u > 1 && u < 1.01 ? 1 : u;
}

static void leave_idle(struct experiment *x, struct host *h)
{
    for (size_t i = h->n; i-- > 0;) {
        struct vm *v = &x->vm[h->guest[i].vm];
        if (!v->moving && v->wanted == 0) {
            v->gone = true;
            guest_remove_at(h, i);
        }
    }
}

// Update every host; energy since the last time follows from the loads then and now.
static void update_all(struct experiment *x)
{
    double span = x->now - x->updated;
    for (size_t i = 0; i < x->n_hosts; i++) {
        struct host *h = &x->host[i];
        double before = utilisation(h);
        host_update(x, h);
        if (span > 0 && before != 0)
            x->sum.energy_j += (place_power_watts(h->power, before) +
                                place_power_watts(h->power, utilisation(h))) /
                               2 * span;
    }
    for (size_t i = 0; i < x->n_hosts && x->setup->mode == CLOUDSIM_A; i++)
        leave_idle(x, &x->host[i]);
    x->updated = x->now;
}

static double host_ram(const struct experiment *x, const struct host *h)
{
    double sum = 0;
    for (size_t i = 0; i < h->n; i++)
        sum += x->vm[h->guest[i].vm].ram_mib;
    return sum;
}

// By least growth of power for all that a VM could ask for; hosts are all off.
static uint32_t boot_host(const struct experiment *x, const struct vm *v)
{
    uint32_t found = UINT32_MAX;
    double least = INFINITY;
    bool wake = x->setup->policy.wake_aware || x->setup->policy.kind == PLACE_KIND_STEADY;
    for (uint32_t i = 0; i < x->n_hosts; i++) {
        const struct host *h = &x->host[i];
        double cpu = h->core * CORES;
        if (h->core < v->mips || cpu - h->booked < v->mips ||
            h->ram_mib + v->ram_mib > BOOT_RAM_MIB)
            continue;
        double watts = place_power_watts(h->power, (h->booked + v->mips) / cpu) -
                       (wake && h->n == 0 ? 0 : place_power_watts(h->power, 0));
        if (watts < least) {
            least = watts;
            found = i;
        }
    }
    return found;
}

static void boot(struct experiment *x)
{
    for (uint32_t i = 0; i < x->n_vms; i++) {
        struct vm *v = &x->vm[i];
        uint32_t to = boot_host(x, v);
        if (to == UINT32_MAX) {
            v->gone = true;
            continue;
        }
        v->host = to;
        x->host[to].booked += v->mips;
        x->host[to].ram_mib += v->ram_mib;
        guest_add(&x->host[to], i, false);
        x->result->vms++;
    }
}

static void snapshot(struct experiment *x)
{
    size_t n = 0;
    for (size_t i = 0; i < x->n_hosts; i++) {
        x->live_host[i].recorded = utilisation(&x->host[i]);
        x->first[i] = (uint32_t)n;
        for (size_t k = 0; k < x->host[i].n; k++)
            x->listed[n++] = x->host[i].guest[k].vm;
    }
    x->first[x->n_hosts] = (uint32_t)n;
    for (size_t i = 0; i < x->n_vms; i++) {
        struct place_live_vm *l = &x->live_vm[i];
        const struct vm *v = &x->vm[i];
        l->host = v->host;
        l->wanted = v->wanted;
        l->sampled = v->sampled;
        l->fixed = v->gone;
    }
}

static void note_return(struct experiment *x, struct vm *v, uint32_t to)
{
    for (size_t i = 0; i < ARRAY_LEN(v->left); i++)
        x->result->returns +=
            v->left[i].host == to && v->left[i].time > 0 && x->now - v->left[i].time < HOUR_S;
    v->left[v->left_n++ % ARRAY_LEN(v->left)] = (struct departure){v->host, x->now};
}

static void migration_start(struct experiment *x, const struct place_move *m)
{
    struct vm *v = &x->vm[m->vm];
    struct host *to = &x->host[m->to];
    v->moving = true;
    note_return(x, v, m->to);
    guest_add(to, m->vm, true);
    host_update(x, to);
    host_update(x, &x->host[v->host]);
    x->result->migrations++;
    x->result->memory_violations += host_ram(x, to) > RAM_MIB;
    x->result->unpaid += !(m->gain_j > m->cost_j);
    mem_grow(&x->migration, &x->migration_cap, x->migration_n, sizeof(*x->migration));
    x->migration[x->migration_n++] =
        (struct migration){x->now + v->ram_mib / COPY_MIB_PER_S, m->vm, m->to};
    if (x->setup->moved)
        x->setup->moved(x->setup->arg, x->now, m);
}

static void migration_end(struct experiment *x, const struct migration *m)
{
    struct vm *v = &x->vm[m->vm];
    guest_remove(&x->host[v->host], m->vm, false);
    guest_remove(&x->host[m->to], m->vm, true);
    v->moving = false;
    v->host = m->to;
    guest_add(&x->host[m->to], m->vm, false);
}

// Those that end at the same instant end together; order of start otherwise.
static void migrations_end(struct experiment *x)
{
    while (x->migration_n > 0) {
        double next = INFINITY;
        for (size_t i = 0; i < x->migration_n; i++)
            next = MIN_OF(next, x->migration[i].end);
        x->now = next;
        update_all(x);
        size_t left = 0;
        for (size_t i = 0; i < x->migration_n; i++) {
            if (x->migration[i].end == next)
                migration_end(x, &x->migration[i]);
            else
                x->migration[left++] = x->migration[i];
        }
        x->migration_n = left;
        update_all(x);
    }
}

// Of this thread, which others on the machine do not lengthen.
static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int step(struct experiment *x)
{
    update_all(x);
    snapshot(x);
    struct place_live live = {
        .now_s = x->now,
        .interval_s = INTERVAL_S,
        .n_hosts = x->n_hosts,
        .n_vms = x->n_vms,
        .host = x->live_host,
        .vm = x->live_vm,
        .first = x->first,
        .listed = x->listed,
    };
    double start = cpu_s();
    int r = place_planner_step(x->planner, &live, &x->plan);
    x->plan_s[x->steps++] = cpu_s() - start;
    for (size_t i = 0; r == 0 && i < x->plan.n; i++)
        migration_start(x, &x->plan.move[i]);
    return r;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void finish(struct experiment *x)
{
    struct cloudsim_result *r = x->result;
    r->energy_kwh = x->sum.energy_j / 3.6e6;
    r->slatah = x->sum.active > 0 ? x->sum.violated / x->sum.active : 0;
    r->pdm = x->sum.wanted > 0 ? x->sum.lost_moving / x->sum.wanted : 0;
    r->sla = r->slatah * r->pdm;
    r->esv = r->energy_kwh * r->sla;
    r->overall = x->sum.wanted > 0 ? (x->sum.wanted - x->sum.given) / x->sum.wanted : 0;
    for (size_t i = 0; i < x->n_vms; i++)
        r->vms_left += !x->vm[i].gone;
    for (size_t i = 0; i < x->steps; i++)
        r->plan_mean_s += x->plan_s[i] / (double)x->steps;
    qsort(x->plan_s, x->steps, sizeof(*x->plan_s), by_size);
    r->plan_p99_s = x->plan_s[x->steps * 99 / 100];
    r->plan_max_s = x->plan_s[x->steps - 1];
}

static int prepare(struct experiment *x, struct err *err)
{
    const struct cloudsim_setup *setup = x->setup;
    x->n_hosts = setup->hosts ? setup->hosts : HOSTS;
    x->n_vms = setup->traces->n;
    size_t per_type = (x->n_vms + ARRAY_LEN(vm_types) - 1) / ARRAY_LEN(vm_types);
    x->host = calloc(x->n_hosts, sizeof(*x->host));
    x->vm = calloc(x->n_vms, sizeof(*x->vm));
    x->live_host = calloc(x->n_hosts, sizeof(*x->live_host));
    x->live_vm = calloc(x->n_vms, sizeof(*x->live_vm));
    x->first = calloc(x->n_hosts + 1, sizeof(*x->first));
    x->listed = calloc(2 * x->n_vms, sizeof(*x->listed));
    x->plan_s = calloc((size_t)(DAY_S / INTERVAL_S), sizeof(*x->plan_s));
    if (!x->host || !x->vm || !x->live_host || !x->live_vm || !x->first || !x->listed || !x->plan_s)
        return err_set(err, ENOMEM, "not enough memory for %zu VMs", x->n_vms);
    for (size_t i = 0; i < x->n_hosts; i++) {
        size_t type = i % ARRAY_LEN(host_types);
        x->host[i].core = host_types[type].core;
        x->host[i].power = host_types[type].power;
        x->host[i].state.time = -1;
        x->live_host[i] = (struct place_live_host){
            .cpu = CORES * host_types[type].core,
            .core = host_types[type].core,
            .ram_mib = setup->mode == CLOUDSIM_C ? RAM_MIB : INFINITY,
            .power = host_types[type].power,
        };
    }
    for (size_t i = 0; i < x->n_vms; i++) {
        const struct trace *t = &setup->traces->trace[i];
        if (t->n < SAMPLES)
            return err_set(err, EINVAL, "%s: %zu samples where %d are needed", t->name, t->n,
                           SAMPLES);
        struct vm *v = &x->vm[i];
        *v = (struct vm){.mips = vm_types[i / per_type].mips,
                         .ram_mib = vm_types[i / per_type].ram_mib,
                         .trace = t,
                         .time = -1,
                         .state.time = -1};
        x->live_vm[i] = (struct place_live_vm){.cpu = v->mips,
                                               .ram_mib = v->ram_mib,
                                               .copy_s = v->ram_mib / COPY_MIB_PER_S,
                                               .history = v->history};
    }
    x->planner = place_planner_new(&setup->policy, setup->seed);
    return 0;
}

int cloudsim_run(const struct cloudsim_setup *setup, struct cloudsim_result *ret, struct err *err)
{
    double start = cpu_s();
    *ret = (struct cloudsim_result){0};
    CLEANUP(experiment_done) struct experiment x = {.setup = setup, .result = ret};
    int r = prepare(&x, err);
    if (r < 0)
        return r;
    boot(&x);
    for (double t = FIRST_S + INTERVAL_S; t < DAY_S; t += INTERVAL_S) {
        x.now = t;
        if (step(&x) < 0)
            return err_set(err, ENOMEM, "not enough memory to plan");
        migrations_end(&x);
    }
    finish(&x);
    ret->cpu_s = cpu_s() - start;
    return 0;
}

enum cloudsim_mode cloudsim_mode_parse(const char *text)
{
    static const char *const modes[] = {"A", "B", "C"};
    size_t i = 0;
    while (i < ARRAY_LEN(modes) && strcmp(modes[i], text) != 0)
        i++;
    return (enum cloudsim_mode)i;
}
