// SPDX-License-Identifier: GPL-3.0-or-later
// Sizes out of history, and shares for hosts that have promised more CPU than they have.
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "place/allocate.h"
#include "plan.h"

struct totals {
    size_t advised, unknown;
    int64_t vcpus, memory_bytes, saved_vcpus, saved_bytes, added_vcpus, added_bytes;
};

#define NO_HISTORY                                                                                 \
    "no history: of what VMs have used, nothing is stored yet, or given as cpu_history and "       \
    "memory_history in a herd file"

static void add_up(struct totals *t, const struct rightsize_vm *vm,
                   const struct rightsize_advice *a)
{
    t->advised++;
    t->vcpus += vm->vcpus;
    t->memory_bytes += vm->memory_bytes;
    t->saved_vcpus += MAX_OF(0, vm->vcpus - a->vcpus);
    t->added_vcpus += MAX_OF(0, a->vcpus - vm->vcpus);
    t->saved_bytes += MAX_OF(0, vm->memory_bytes - a->memory_bytes);
    t->added_bytes += MAX_OF(0, a->memory_bytes - vm->memory_bytes);
}

static void put_advice(const struct writing *w, int32_t index, const struct rightsize_vm *vm,
                       const struct rightsize_advice *a)
{
    struct json *j = w->j;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, PLAN_TEXT_MAX);
    rightsize_explain(vm, a, &text);
    json_object_begin(j);
    json_kv_string(j, "vm", vm->name);
    json_kv_f64(j, "history_days", a->days);
    json_kv_i64(j, "vcpus", vm->vcpus);
    json_kv_i64(j, "memory_bytes", vm->memory_bytes);
    if (a->known) {
        json_kv_i64(j, "advised_vcpus", a->vcpus);
        json_kv_i64(j, "advised_memory_bytes", a->memory_bytes);
        json_kv_u64(j, "advised_cpu_shares", a->cpu_shares);
        if (a->cpu_quota_us >= 0)
            json_kv_i64(j, "advised_vcpu_quota_us", a->cpu_quota_us);
        json_kv_u64(j, "vcpu_period_us", RIGHTSIZE_PERIOD_US);
        json_kv_f64(j, "cpu_p99", a->cpu.p99);
        json_kv_f64(j, "cpu_forecast", a->cpu.forecast);
        json_kv_f64(j, "memory_p99_bytes", a->memory.p99);
        json_kv_f64(j, "memory_forecast_bytes", a->memory.forecast);
        json_kv_f64(j, "cpu_risk_ratio", a->cpu_risk_ratio);
        json_kv_f64(j, "memory_risk_ratio", a->memory_risk_ratio);
        json_kv_i64(j, "saved_vcpus", vm->vcpus - a->vcpus);
        json_kv_i64(j, "saved_memory_bytes", vm->memory_bytes - a->memory_bytes);
        plan_put_sizing(w, index, a);
    }
    json_kv_string(j, "reason", text.data);
    json_object_end(j);
}

static void put_totals(struct json *j, const struct totals *t)
{
    json_key(j, "total");
    json_object_begin(j);
    json_kv_u64(j, "advised", t->advised);
    json_kv_u64(j, "too_little_history", t->unknown);
    json_kv_i64(j, "vcpus", t->vcpus);
    json_kv_i64(j, "memory_bytes", t->memory_bytes);
    json_kv_i64(j, "saved_vcpus", t->saved_vcpus);
    json_kv_i64(j, "saved_memory_bytes", t->saved_bytes);
    json_kv_i64(j, "added_vcpus", t->added_vcpus);
    json_kv_i64(j, "added_memory_bytes", t->added_bytes);
    json_object_end(j);
}

// Shares and limits on a host that has promised more CPU than it has.
struct division {
    struct allocate_vm *vms;
    int32_t *index; // of the snapshot's VMs
    double *amount, *filled;
    size_t n;
};

static void division_done(struct division *d)
{
    free(d->vms);
    free(d->index);
    free(d->amount);
    free(d->filled);
}

// A VM is guaranteed what it uses half of the time, and may have what it asked for.
static int divide(const struct place_snapshot *s, int32_t host, struct division *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_vms; i++)
        n += s->vms[i].host == host;
    struct division d = {calloc(n + 1, sizeof(*d.vms)), calloc(n + 1, sizeof(*d.index)),
                         calloc(n + 1, sizeof(*d.amount)), calloc(n + 1, sizeof(*d.filled)), 0};
    *ret = d;
    if (!d.vms || !d.index || !d.amount || !d.filled)
        return -ENOMEM;
    for (size_t i = 0; i < s->n_vms; i++) {
        const struct place_vm *v = &s->vms[i];
        const struct place_usage *u = &v->usage[PLACE_CPU];
        if (v->host != host)
            continue;
        double most = (double)v->request.of[PLACE_CPU] / PLACE_CPU_UNIT;
        double used = u->n == 0 ? 0 : (u->p50 > 0 ? u->p50 : u->mean) / PLACE_CPU_UNIT;
        ret->vms[ret->n] = (struct allocate_vm){v->name, fmin(most, fmax(0, used)), most,
                                                1 + fmax(0, v->priority)};
        ret->index[ret->n++] = (int32_t)i;
    }
    return 0;
}

static void put_division(const struct writing *w, const struct division *d,
                         const struct allocate_result *best, const struct allocate_result *greedy)
{
    struct json *j = w->j;
    json_kv_f64(j, "objective", best->objective);
    json_kv_f64(j, "greedy_objective", greedy->objective);
    json_kv_f64(j, "gap", best->gap);
    json_key(j, "vms");
    json_array_begin(j);
    for (size_t i = 0; i < d->n; i++) {
        json_object_begin(j);
        json_kv_string(j, "vm", d->vms[i].name);
        json_kv_f64(j, "asked_cpus", d->vms[i].most);
        json_kv_f64(j, "guaranteed_cpus", d->vms[i].least);
        json_kv_f64(j, "cpus", d->amount[i]);
        json_kv_f64(j, "greedy_cpus", d->filled[i]);
        json_kv_i64(j, "cpu_shares", llround(fmax(2, d->amount[i] * 1024)));
        json_object_end(j);
    }
    json_array_end(j);
}

static int put_host_shares(const struct writing *w, int32_t host, double capacity)
{
    static const struct allocate_limits limits = {.milliseconds = 1000};
    const char *name = w->s->hosts[host].name;
    CLEANUP(division_done) struct division d = {0};
    if (divide(w->s, host, &d) < 0)
        return -ENOMEM;
    struct allocate_cap cap = {name, capacity, NULL, 0};
    struct allocate_problem p = {d.vms, d.n, &cap, 1};
    struct allocate_result best = {.amount = d.amount}, greedy = {.amount = d.filled};
    struct err err = {0};
    json_object_begin(w->j);
    json_kv_string(w->j, "host", name);
    json_kv_f64(w->j, "cpus", capacity);
    int r = allocate_solve(&p, ALLOCATE_PROPORTIONAL, &limits, &best, &err);
    if (r == 0)
        r = allocate_greedy(&p, ALLOCATE_PROPORTIONAL, &greedy, &err);
    if (r == 0)
        put_division(w, &d, &best, &greedy);
    else
        json_kv_string(w->j, "reason", err.message);
    json_object_end(w->j);
    return 0;
}

static int plan_write_shares(const struct writing *w)
{
    CLEANUP(freep) double *asked = calloc(w->s->n_hosts + 1, sizeof(*asked));
    int r = asked ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < w->s->n_vms; i++)
        if (w->s->vms[i].host >= 0)
            asked[w->s->vms[i].host] += (double)w->s->vms[i].request.of[PLACE_CPU];
    json_key(w->j, "overcommitted_hosts");
    json_array_begin(w->j);
    for (size_t h = 0; r == 0 && h < w->s->n_hosts; h++) {
        double has = (double)w->s->hosts[h].capacity.of[PLACE_CPU];
        if (asked[h] > has)
            r = put_host_shares(w, (int32_t)h, has / PLACE_CPU_UNIT);
    }
    json_array_end(w->j);
    return r;
}

static struct plan_size *sizes_now(const struct place_snapshot *s)
{
    struct plan_size *size = calloc(s->n_vms + 1, sizeof(*size));
    for (size_t i = 0; size && i < s->n_vms; i++) {
        const struct place_vector *asked = &s->vms[i].request;
        size[i] = (struct plan_size){(double)asked->of[PLACE_CPU] / PLACE_CPU_UNIT,
                                     asked->of[PLACE_MEMORY]};
    }
    return size;
}

int plan_write_rightsize(const struct writing *w)
{
    struct totals t = {0};
    int32_t one = w->request->object ? place_snapshot_find_vm(w->s, w->request->object) : -1;
    if (w->request->object && one < 0)
        return err_set(w->err, ENOENT, "no VM is called \"%.256s\"", w->request->object);
    if (!w->history)
        return err_set(w->err, ENODATA, NO_HISTORY);
    CLEANUP(freep) struct plan_size *sizes = sizes_now(w->s);
    if (!sizes)
        return err_set(w->err, ENOMEM, "no memory for the plan");
    json_key(w->j, "vms");
    json_array_begin(w->j);
    for (size_t i = 0; i < w->s->n_vms; i++) {
        struct rightsize_vm vm = {0};
        struct rightsize_advice a;
        if (one >= 0 && (int32_t)i != one)
            continue;
        int r = w->history->of_vm(w->history->arg, (int32_t)i, &vm, w->err);
        if (r == -ENODATA)
            continue;
        if (r < 0)
            return err_wrap(w->err, "history of \"%.256s\"", w->s->vms[i].name);
        if (rightsize_advise(&vm, &rightsize_standard, &a) < 0)
            return err_set(w->err, ENOMEM, "no memory for the plan");
        if (a.known) {
            add_up(&t, &vm, &a);
            sizes[i] = (struct plan_size){a.vcpus, a.memory_bytes};
        }
        t.unknown += !a.known;
        put_advice(w, (int32_t)i, &vm, &a);
    }
    json_array_end(w->j);
    put_totals(w->j, &t);
    if (plan_write_shares(w) < 0)
        return err_set(w->err, ENOMEM, "no memory for the plan");
    if (t.advised + t.unknown == 0)
        return err_set(w->err, ENODATA, NO_HISTORY);
    return plan_try(w, &(struct plan_effect){.sizes = sizes});
}
