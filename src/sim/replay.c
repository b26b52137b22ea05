// SPDX-License-Identifier: GPL-3.0-or-later
// A scenario made of a snapshot and a history: each host and each VM is a kind of its own. Work is
// in thousandths of a CPU a second, as the snapshot has it.
#include "sim/replay.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sim/world.h"

#define LINK_BYTES_PER_S 1000000000 // 10 Gbit/s at 80 %, as forecasts of moves have it
#define WATTS_IDLE 150.0            // as plans take hosts that do not tell
#define WATTS_BUSY 400.0
#define DOWNTIME_LIMIT_S 0.3
#define STRETCH_S 3600.0 // of simulated time between two looks at the clock

DEFINE_FREEP(struct scenario, scenario_free, scenario_freep)
DEFINE_FREEP(struct world, world_free, world_freep)

static void add_host(struct scenario *to, const struct place_host *h, double booked)
{
    double idle = isnan(h->watts_idle) ? WATTS_IDLE : h->watts_idle;
    double busy = isnan(h->watts_busy) ? WATTS_BUSY : h->watts_busy;
    double memory = (double)MAX_OF(h->capacity.of[PLACE_MEMORY], INT64_C(1));
    struct scenario_hosts *host = &to->hosts[to->hosts_n++];
    *host = (struct scenario_hosts){
        .name = mem_strdup(h->name),
        .count = 1,
        .cores = (uint64_t)MAX_OF(h->capacity.of[PLACE_CPU] / PLACE_CPU_UNIT, INT64_C(1)),
        .mips = PLACE_CPU_UNIT,
        .memory_bytes = (uint64_t)memory,
        .swap_bytes = UINT64_C(1) << 53, // what does not fit slows VMs by its share
        .network_bytes_per_s = h->migration_bytes_per_second > 0
                                   ? (uint64_t)h->migration_bytes_per_second
                                   : LINK_BYTES_PER_S,
        // A host that has more on it than it may have today keeps that.
        .overcommit = fmax(h->overcommit_ratio[PLACE_MEMORY], booked / memory),
        .mttr_s = 1,
        .libvirt_mttr_s = 1};
    for (size_t i = 0; i < PLACE_POWER_POINTS; i++)
        host->power.watts[i] = idle + (busy - idle) * (double)i / (PLACE_POWER_POINTS - 1);
}

static void set_trace(struct trace_set *set, const double *v, size_t n, double size)
{
    set->trace = mem_zalloc(sizeof(*set->trace));
    set->n = 1;
    set->trace[0] = (struct trace){mem_strdup(""), mem_zalloc(n * sizeof(double)), n};
    for (size_t i = 0; i < n; i++)
        set->trace[0].sample[i] = v[i] / size;
}

static struct plan_size size_of(const struct place_snapshot *s, const struct plan_effect *effect,
                                size_t vm)
{
    const struct place_vector *asked = &s->vms[vm].request;
    struct plan_size now = {(double)asked->of[PLACE_CPU] / PLACE_CPU_UNIT, asked->of[PLACE_MEMORY]};
    struct plan_size size = effect && effect->sizes ? effect->sizes[vm] : now;
    // A size of 0 could not run.
    return (struct plan_size){fmax(size.vcpus, 0.001), MAX_OF(size.memory_bytes, INT64_C(1))};
}

static void add_vm(struct scenario *to, const struct place_snapshot *s, size_t vm,
                   const struct sim_history *h, const struct plan_effect *effect)
{
    const struct place_vm *v = &s->vms[vm];
    struct plan_size size = size_of(s, effect, vm);
    uint64_t vcpus = (uint64_t)fmax(ceil(size.vcpus), 1);
    struct scenario_vms *kind = &to->vms[to->vms_n++];
    *kind = (struct scenario_vms){.name = mem_strdup(v->name),
                                  .count = 1,
                                  .vcpus = vcpus,
                                  .mips = PLACE_CPU_UNIT * size.vcpus / (double)vcpus,
                                  .memory_bytes = (uint64_t)size.memory_bytes,
                                  .dirty_bytes_per_s = (uint64_t)v->dirty_bytes_per_second,
                                  .workload = WORKLOAD_TRACE,
                                  .sample_s = to->step_s,
                                  .calm_s = 1,
                                  .burst_s = 1,
                                  .mttr_s = 1,
                                  .host = v->host};
    set_trace(&kind->set, h->vm[vm].cpu, h->steps, size.vcpus);
    set_trace(&kind->memory, h->vm[vm].memory_bytes, h->steps, (double)size.memory_bytes);
}

static struct scenario *scenario_of(const struct place_snapshot *s, const struct sim_history *h,
                                    const struct plan_effect *effect)
{
    struct scenario *to = mem_zalloc(sizeof(*to));
    CLEANUP(freep) double *booked = mem_zalloc((s->n_hosts + 1) * sizeof(*booked));
    *to = (struct scenario){.name = mem_strdup("history"),
                            .policy = mem_strdup("none"),
                            .seed = 1,
                            .step_s = (double)h->step_ms / 1000,
                            .downtime_limit_s = DOWNTIME_LIMIT_S};
    to->duration_s = to->step_s * (double)h->steps;
    to->hosts = mem_zalloc((s->n_hosts + 1) * sizeof(*to->hosts));
    to->vms = mem_zalloc((s->n_vms + 1) * sizeof(*to->vms));
    for (size_t i = 0; i < s->n_vms; i++) {
        if (s->vms[i].host < 0)
            continue;
        booked[s->vms[i].host] += (double)size_of(s, effect, i).memory_bytes;
        add_vm(to, s, i, h, effect);
    }
    for (size_t i = 0; i < s->n_hosts; i++)
        add_host(to, &s->hosts[i], booked[i]);
    return to;
}

// The world knows only VMs that run.
static void direct(struct world *w, const struct place_snapshot *s,
                   const struct plan_effect *effect)
{
    CLEANUP(freep) uint32_t *number = mem_zalloc((s->n_vms + 1) * sizeof(*number));
    uint32_t n = 0;
    for (size_t i = 0; i < s->n_vms; i++)
        number[i] = s->vms[i].host >= 0 ? n++ : 0;
    world_direct(w, NULL, 0);
    for (size_t i = 0; effect && i < effect->n_moves; i++) {
        const struct relocate_move *m = &effect->moves[i];
        struct place_move move = {
            .vm = number[m->vm], .from = (uint32_t)m->from, .to = (uint32_t)m->to};
        world_direct(w, &move, 1);
    }
}

// How long VMs would have wanted more than their own size gives, wherever they run.
static void add_cut(const struct place_snapshot *s, const struct sim_history *h,
                    const struct plan_effect *effect, struct replay_result *ret)
{
    double step_s = (double)h->step_ms / 1000;
    for (size_t i = 0; i < s->n_vms; i++) {
        struct plan_size size = size_of(s, effect, i);
        if (s->vms[i].host < 0)
            continue;
        for (size_t k = 0; k < h->steps; k++) {
            // A rate over a step may pass the whole by what clocks differ.
            ret->vm_cpu_short_s += h->vm[i].cpu[k] > size.vcpus * 1.01 ? step_s : 0;
            ret->vm_memory_short_s +=
                h->vm[i].memory_bytes[k] > (double)size.memory_bytes * 1.01 ? step_s : 0;
        }
    }
}

static void sum_up(const struct world *w, struct replay_result *ret)
{
    const struct world_totals *t = world_totals(w);
    *ret = (struct replay_result){.energy_kwh = t->energy_kwh,
                                  .host_hours = t->host_hours,
                                  .active_s = t->active_s,
                                  .cpu_short_s = t->contended_s,
                                  .memory_short_s = t->swamped_s,
                                  .undone_ratio = t->wanted > 0 ? 1 - t->given / t->wanted : 0,
                                  .moves = t->migrations,
                                  .moves_not_made = world_pending(w),
                                  .copy_s = t->copy_s,
                                  .downtime_s = t->pause_s,
                                  .downtime_max_s = t->pause_max_s};
}

int replay_run(const struct place_snapshot *s, const struct sim_history *h,
               const struct plan_effect *effect, const struct sim_patience *patience,
               struct replay_result *ret, struct err *err)
{
    CLEANUP(scenario_freep) struct scenario *scenario = scenario_of(s, h, effect);
    CLEANUP(world_freep) struct world *w = NULL;
    int r = world_new(scenario, NULL, &w, err);
    if (r < 0)
        return r;
    direct(w, s, effect);
    // A tick at the very end would be of no step.
    double end_s = scenario->duration_s - 1e-3;
    for (double t = 0; r == 0 && t < end_s;) {
        t = fmin(t + STRETCH_S, end_s);
        r = patience && patience->check ? patience->check(patience->arg, err) : 0;
        if (r == 0 && world_run(w, t) < 0)
            r = err_set(err, ENOMEM, "no memory for the simulation");
    }
    if (r < 0)
        return r;
    sum_up(w, ret);
    add_cut(s, h, effect, ret);
    return 0;
}

static const struct {
    const char *key;
    size_t offset;
    bool whole;
} rows[] = {
    {"energy_kwh", offsetof(struct replay_result, energy_kwh), false},
    {"host_hours", offsetof(struct replay_result, host_hours), false},
    {"cpu_short_seconds", offsetof(struct replay_result, cpu_short_s), false},
    {"memory_short_seconds", offsetof(struct replay_result, memory_short_s), false},
    {"undone_ratio", offsetof(struct replay_result, undone_ratio), false},
    {"vm_cpu_short_seconds", offsetof(struct replay_result, vm_cpu_short_s), false},
    {"vm_memory_short_seconds", offsetof(struct replay_result, vm_memory_short_s), false},
    {"moves", offsetof(struct replay_result, moves), true},
    {"moves_not_made", offsetof(struct replay_result, moves_not_made), true},
    {"copy_seconds", offsetof(struct replay_result, copy_s), false},
    {"downtime_seconds", offsetof(struct replay_result, downtime_s), false},
    {"downtime_longest_seconds", offsetof(struct replay_result, downtime_max_s), false},
};

static void put_result(struct json *j, const char *key, const struct replay_result *result)
{
    json_key(j, key);
    json_object_begin(j);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const void *at = (const char *)result + rows[i].offset;
        if (rows[i].whole)
            json_kv_u64(j, rows[i].key, *(const uint64_t *)at);
        else
            json_kv_f64(j, rows[i].key, *(const double *)at);
    }
    // SLATAH: share of the hosts' active time.
    json_kv_f64(j, "cpu_short_ratio",
                result->active_s > 0 ? result->cpu_short_s / result->active_s : 0);
    json_kv_f64(j, "memory_short_ratio",
                result->active_s > 0 ? result->memory_short_s / result->active_s : 0);
    json_object_end(j);
}

static void put_history(struct json *j, const struct sim_history *h, double asked_days)
{
    double days = sim_history_days(h);
    json_kv_f64(j, "asked_days", asked_days);
    json_kv_f64(j, "history_days", days);
    json_kv_f64(j, "start_seconds", (double)h->start_ms / 1000);
    json_kv_f64(j, "step_seconds", (double)h->step_ms / 1000);
    json_kv_f64(j, "recorded_ratio", h->recorded_ratio);
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 512);
    if (days < 1)
        buf_printf(&text,
                   "Less than a day of history: %.1f h are replayed, which say little about "
                   "other times of the day.",
                   days * 24);
    else if (days < asked_days * 0.99)
        buf_printf(&text, "Only %.1f days of history are there.", days);
    if (text.len > 0)
        json_kv_string(j, "note", text.data);
}

int replay_write(void *arg, const struct place_snapshot *s, const struct plan_effect *effect,
                 struct json *j, struct err *err)
{
    const struct replay *replay = arg;
    CLEANUP(sim_history_done) struct sim_history h = {0};
    struct replay_result without, with;
    CLEANUP(freep) const char **names = calloc(s->n_vms + 1, sizeof(*names));
    if (!names)
        return err_set(err, ENOMEM, "no memory for the simulation");
    for (size_t i = 0; i < s->n_vms; i++)
        names[i] = s->vms[i].name;
    if (!replay->source)
        return err_set(err, ENODATA, "no history yet: nothing is stored that VMs have used");
    int r = sim_history_read(replay->source, names, s->n_vms, replay->to_end ? NAN : s->now_s,
                             replay->days, &replay->patience, &h, err);
    if (r == 0)
        r = replay_run(s, &h, NULL, &replay->patience, &without, err);
    if (r == 0)
        r = replay_run(s, &h, effect, &replay->patience, &with, err);
    if (r < 0)
        return r;
    json_key(j, "simulation");
    json_object_begin(j);
    put_history(j, &h, replay->days);
    put_result(j, "without", &without);
    put_result(j, "with", &with);
    json_object_end(j);
    return 0;
}
