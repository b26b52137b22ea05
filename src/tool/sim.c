// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd sim run` and `vherd sim cloudsim`: what a simulation gave, for people, as JSON and as CSV.
#include "tool/sim.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/width.h"
#include "columns.h"
#include "sim/cloudsim.h"
#include "sim/world.h"

DEFINE_FREEP(struct scenario, scenario_free, scenario_freep)
DEFINE_FREEP(struct world, world_free, world_freep)

#define LINES 24 // of the timeline, unless all is asked for

#define SAMPLE(key, title, width, member, put)                                                     \
    {                                                                                              \
        key, title, width, offsetof(struct world_sample, member), put                              \
    }

static const struct column sample_columns[] = {
    SAMPLE("time_seconds", "TIME", COLUMN_DOUBLE, time_s, column_age),
    SAMPLE("hosts", "HOSTS", COLUMN_U32, hosts, column_count),
    SAMPLE("vms", "VMS", COLUMN_U32, vms, column_count),
    SAMPLE("waiting", "WAITING", COLUMN_U32, waiting, column_count),
    SAMPLE("down", "DOWN", COLUMN_U32, down, column_count),
    SAMPLE("load_ratio", "LOAD", COLUMN_DOUBLE, load, column_ratio),
    SAMPLE("steal_ratio", "STEAL", COLUMN_DOUBLE, steal, column_ratio),
    SAMPLE("power_watts", "WATTS", COLUMN_DOUBLE, watts, column_fixed),
    SAMPLE("migrations", "MOVES", COLUMN_U64, migrations, column_count),
    SAMPLE("faults", "FAULTS", COLUMN_U64, faults, column_count),
    SAMPLE("balloon_gib", "BALLOONED", COLUMN_DOUBLE, balloon_gib, column_gib),
    SAMPLE("swap_gib", "SWAPPED", COLUMN_DOUBLE, swap_gib, column_gib),
};

// What a run comes to; made of totals.
struct summary {
    const char *policy;
    double time_s, energy_kwh, hosts, vms, steal, contended, downtime, copy_s, copy_max_s, pause_s,
        pause_max_s, wait_s, wait_max_s, balloon_gib_h, swap_gib_h;
    uint64_t migrations, cancelled, arrivals, departures, waits, faults, returns, violations;
};

#define SUMMARY(key, title, width, member, put)                                                    \
    {                                                                                              \
        key, title, width, offsetof(struct summary, member), put                                   \
    }

static const struct column summary_columns[] = {
    SUMMARY("time_seconds", "simulated time", COLUMN_DOUBLE, time_s, column_age),
    SUMMARY("energy_kwh", "energy, kWh", COLUMN_DOUBLE, energy_kwh, column_fixed),
    SUMMARY("hosts_mean", "hosts running, mean", COLUMN_DOUBLE, hosts, column_fixed),
    SUMMARY("vms_mean", "VMs, mean", COLUMN_DOUBLE, vms, column_fixed),
    SUMMARY("arrivals", "VMs arrived", COLUMN_U64, arrivals, column_count),
    SUMMARY("departures", "VMs departed", COLUMN_U64, departures, column_count),
    SUMMARY("waits", "VMs that had to wait", COLUMN_U64, waits, column_count),
    SUMMARY("wait_seconds_mean", "their wait, mean", COLUMN_DOUBLE, wait_s, column_age),
    SUMMARY("wait_seconds_max", "their wait, longest", COLUMN_DOUBLE, wait_max_s, column_age),
    SUMMARY("steal_ratio", "work not done", COLUMN_DOUBLE, steal, column_small_ratio),
    SUMMARY("contended_ratio", "host time with steal", COLUMN_DOUBLE, contended,
            column_small_ratio),
    SUMMARY("downtime_ratio", "VM time down", COLUMN_DOUBLE, downtime, column_small_ratio),
    SUMMARY("migrations", "migrations", COLUMN_U64, migrations, column_count),
    SUMMARY("migrations_cancelled", "migrations called off", COLUMN_U64, cancelled, column_count),
    SUMMARY("migration_seconds_mean", "migration, mean", COLUMN_DOUBLE, copy_s, column_latency),
    SUMMARY("migration_seconds_max", "migration, longest", COLUMN_DOUBLE, copy_max_s,
            column_latency),
    SUMMARY("pause_seconds_mean", "downtime of one, mean", COLUMN_DOUBLE, pause_s, column_latency),
    SUMMARY("pause_seconds_max", "downtime of one, longest", COLUMN_DOUBLE, pause_max_s,
            column_latency),
    SUMMARY("returns_within_hour", "returns within 1 h", COLUMN_U64, returns, column_count),
    SUMMARY("memory_violations", "memory limits broken", COLUMN_U64, violations, column_count),
    SUMMARY("balloon_gib_hours", "ballooned, GiB·h", COLUMN_DOUBLE, balloon_gib_h, column_fixed),
    SUMMARY("swap_gib_hours", "swapped, GiB·h", COLUMN_DOUBLE, swap_gib_h, column_fixed),
    SUMMARY("faults", "faults", COLUMN_U64, faults, column_count),
};

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static struct summary sum_up(const char *policy, const struct world_totals *t)
{
    struct summary s = {
        .policy = policy,
        .time_s = t->time_s,
        .energy_kwh = t->energy_kwh,
        .hosts = ratio(t->host_hours * 3600, t->time_s),
        .vms = ratio(t->vm_hours * 3600, t->time_s),
        .steal = 1 - ratio(t->given, t->wanted),
        .contended = ratio(t->contended_s, t->active_s),
        .downtime = ratio(t->down_s, t->vm_hours * 3600),
        .copy_s = ratio(t->copy_s, (double)t->migrations),
        .copy_max_s = t->copy_max_s,
        .pause_s = ratio(t->pause_s, (double)t->migrations),
        .pause_max_s = t->pause_max_s,
        .wait_s = ratio(t->wait_s, (double)t->waits),
        .wait_max_s = t->wait_max_s,
        .balloon_gib_h = t->balloon_gib_h,
        .swap_gib_h = t->swap_gib_h,
        .migrations = t->migrations,
        .cancelled = t->failed_migrations,
        .arrivals = t->arrivals,
        .departures = t->departures,
        .waits = t->waits,
        .returns = t->returns,
        .violations = t->memory_violations,
    };
    for (size_t i = 0; i < FAULT_MAX; i++)
        s.faults += t->faults[i];
    return s;
}

static void text_timeline(const struct world *w, bool all, struct buf *out)
{
    size_t n, n_columns = ARRAY_LEN(sample_columns);
    const struct world_sample *s = world_timeline(w, &n);
    size_t every = all || n <= LINES ? 1 : (n + LINES - 1) / LINES;
    for (size_t k = 0; k < n_columns; k++)
        buf_printf(out, "%9s%s", sample_columns[k].title, k + 1 < n_columns ? " " : "\n");
    for (size_t i = 0; i < n; i += every)
        for (size_t k = 0; k < n_columns; k++) {
            column_cell(&sample_columns[k], &s[i], 9, WIDTH_RIGHT, out);
            buf_putc(out, k + 1 < n_columns ? ' ' : '\n');
        }
    buf_putc(out, '\n');
}

static void text_faults(const struct world_totals *t, struct buf *out)
{
    for (size_t i = 0; i < FAULT_MAX; i++)
        if (t->faults[i] > 0)
            buf_printf(out, "  %-24s  %14llu\n", scenario_fault_name((enum scenario_fault)i),
                       (unsigned long long)t->faults[i]);
}

// As wide as its policy's name: two policies may differ in the last letter.
static int summary_width(const struct summary *s)
{
    return (int)MAX_OF(strlen(s->policy), (size_t)14);
}

static void text_summaries(const struct summary *s, size_t n, struct buf *out)
{
    buf_printf(out, "%-26s", "policy");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "  %*s", summary_width(&s[i]), s[i].policy);
    buf_putc(out, '\n');
    for (size_t k = 0; k < ARRAY_LEN(summary_columns); k++) {
        width_put(out, summary_columns[k].title, 26, WIDTH_LEFT, "~");
        for (size_t i = 0; i < n; i++) {
            buf_puts(out, "  ");
            column_cell(&summary_columns[k], &s[i], summary_width(&s[i]), WIDTH_RIGHT, out);
        }
        buf_putc(out, '\n');
    }
}

static void json_faults(const struct world_totals *t, struct json *j)
{
    json_key(j, "faults_by_kind");
    json_object_begin(j);
    for (size_t i = 0; i < FAULT_MAX; i++)
        json_kv_u64(j, scenario_fault_name((enum scenario_fault)i), t->faults[i]);
    json_object_end(j);
}

static void json_run(const struct world *w, const struct summary *s, bool timeline, struct json *j)
{
    size_t n;
    const struct world_sample *samples = world_timeline(w, &n);
    json_object_begin(j);
    json_kv_string(j, "policy", s->policy);
    columns_json(summary_columns, ARRAY_LEN(summary_columns), s, j);
    json_faults(world_totals(w), j);
    if (timeline) {
        json_key(j, "timeline");
        json_array_begin(j);
        for (size_t i = 0; i < n; i++) {
            json_object_begin(j);
            columns_json(sample_columns, ARRAY_LEN(sample_columns), &samples[i], j);
            json_object_end(j);
        }
        json_array_end(j);
    }
    json_object_end(j);
}

struct run {
    const struct scenario *scenario;
    const struct tool_sim_options *options;
    const char *const *policies;
    size_t n;
    struct buf *out;
    struct json json;
    struct summary *summaries; // owned
};

// From step to step, which gives the same as one stretch: each ends with a sample anyway.
static int run_to_the_end(const struct run *r, size_t i, struct world *w, struct err *err)
{
    const struct tool_sim_options *o = r->options;
    double end_s = r->scenario->duration_s;
    int e = 0;
    for (double t = 0; e == 0 && o->progress && t < end_s; t += r->scenario->step_s) {
        e = world_run(w, t);
        o->progress(o->arg, r->policies[i], ((double)i + t / end_s) / (double)r->n);
    }
    if (e == 0)
        e = world_run(w, end_s);
    return e < 0 ? err_set(err, ENOMEM, "not enough memory to simulate this") : 0;
}

static int run_one(struct run *r, size_t i, struct err *err)
{
    CLEANUP(world_freep) struct world *w = NULL;
    int e = world_new(r->scenario, r->policies[i], &w, err);
    if (e == 0)
        e = run_to_the_end(r, i, w, err);
    if (e < 0)
        return e;
    r->summaries[i] = sum_up(r->policies[i], world_totals(w));
    if (r->options->format == TOOL_FORMAT_JSON) {
        json_run(w, &r->summaries[i], r->n == 1, &r->json);
    } else if (r->options->format == TOOL_FORMAT_TEXT && r->n == 1) {
        text_timeline(w, r->options->report, r->out);
        text_summaries(r->summaries, 1, r->out);
        text_faults(world_totals(w), r->out);
    } else if (r->options->format == TOOL_FORMAT_CSV && r->n == 1) {
        size_t n;
        const struct world_sample *s = world_timeline(w, &n);
        columns_csv(sample_columns, ARRAY_LEN(sample_columns), NULL, r->out);
        for (size_t k = 0; k < n; k++)
            columns_csv(sample_columns, ARRAY_LEN(sample_columns), &s[k], r->out);
    }
    return 0;
}

static void compared(const struct run *r)
{
    if (r->options->format == TOOL_FORMAT_TEXT) {
        text_summaries(r->summaries, r->n, r->out);
    } else if (r->options->format == TOOL_FORMAT_CSV) {
        buf_puts(r->out, "policy,");
        columns_csv(summary_columns, ARRAY_LEN(summary_columns), NULL, r->out);
        for (size_t i = 0; i < r->n; i++) {
            buf_printf(r->out, "%s,", r->policies[i]);
            columns_csv(summary_columns, ARRAY_LEN(summary_columns), &r->summaries[i], r->out);
        }
    }
}

int tool_sim_run(const char *path, const struct tool_sim_options *options, struct buf *out,
                 struct err *err)
{
    CLEANUP(scenario_freep) struct scenario *scenario = NULL;
    int e = scenario_load(path, &scenario, err);
    if (e < 0)
        return e;
    const char *own[] = {scenario->policy};
    struct run r = {.scenario = scenario,
                    .options = options,
                    .policies = options->policies_n ? options->policies : own,
                    .n = options->policies_n ? options->policies_n : 1,
                    .out = out};
    CLEANUP(freep) struct summary *summaries = mem_zalloc(r.n * sizeof(*summaries));
    r.summaries = summaries;
    json_init(&r.json, out);
    if (options->format == TOOL_FORMAT_JSON) {
        json_object_begin(&r.json);
        json_kv_string(&r.json, "scenario", scenario->name);
        json_kv_u64(&r.json, "seed", scenario->seed);
        json_key(&r.json, "runs");
        json_array_begin(&r.json);
    }
    for (size_t i = 0; e == 0 && i < r.n; i++)
        e = run_one(&r, i, err);
    if (e < 0)
        return err->line ? err_wrap(err, "%s", path) : e;
    if (options->format == TOOL_FORMAT_JSON) {
        json_array_end(&r.json);
        if (options->told) {
            json_key(&r.json, "rules");
            json_raw(&r.json, options->told);
        }
        json_object_end(&r.json);
    } else if (options->told) {
        buf_printf(out, "\n%s", options->told);
    }
    if (r.n > 1)
        compared(&r);
    return out->error;
}

#define CLOUDSIM(key, title, width, member, put)                                                   \
    {                                                                                              \
        key, title, width, offsetof(struct cloudsim_result, member), put                           \
    }

static void put_esv(double v, struct buf *out)
{
    buf_printf(out, "%.3fe-3", v * 1000);
}

static void put_energy(double v, struct buf *out)
{
    buf_printf(out, "%.2f", v);
}

// Those of CPU time stand last.
#define CLOUDSIM_TIMING 4
static const struct column cloudsim_columns[] = {
    CLOUDSIM("energy_kwh", "energy, kWh", COLUMN_DOUBLE, energy_kwh, put_energy),
    CLOUDSIM("migrations", "migrations", COLUMN_U64, migrations, column_count),
    CLOUDSIM("sla_ratio", "SLA violation", COLUMN_DOUBLE, sla, column_small_ratio),
    CLOUDSIM("slatah_ratio", "SLATAH", COLUMN_DOUBLE, slatah, column_small_ratio),
    CLOUDSIM("pdm_ratio", "PDM", COLUMN_DOUBLE, pdm, column_small_ratio),
    CLOUDSIM("esv", "ESV, kWh", COLUMN_DOUBLE, esv, put_esv),
    CLOUDSIM("overall_ratio", "work not done", COLUMN_DOUBLE, overall, column_small_ratio),
    CLOUDSIM("host_shutdowns", "host shutdowns", COLUMN_U64, shutdowns, column_count),
    CLOUDSIM("vms", "VMs at the start", COLUMN_U64, vms, column_count),
    CLOUDSIM("vms_left", "VMs at the end", COLUMN_U64, vms_left, column_count),
    CLOUDSIM("memory_violations", "memory limits broken", COLUMN_U64, memory_violations,
             column_count),
    CLOUDSIM("returns_within_hour", "returns within 1 h", COLUMN_U64, returns, column_count),
    CLOUDSIM("moves_without_gain", "moves without gain", COLUMN_U64, unpaid, column_count),
    CLOUDSIM("plan_seconds_mean", "planning a step, mean", COLUMN_DOUBLE, plan_mean_s,
             column_latency),
    CLOUDSIM("plan_seconds_p99", "planning a step, p99", COLUMN_DOUBLE, plan_p99_s, column_latency),
    CLOUDSIM("plan_seconds_max", "planning a step, longest", COLUMN_DOUBLE, plan_max_s,
             column_latency),
    CLOUDSIM("cpu_seconds", "CPU time of it all", COLUMN_DOUBLE, cpu_s, column_latency),
};

static void put_cloudsim(const struct tool_cloudsim_options *o, const char *policy,
                         const char *mode, const struct cloudsim_result *result, struct buf *out)
{
    size_t n = ARRAY_LEN(cloudsim_columns) - (o->timing ? 0 : CLOUDSIM_TIMING);
    struct json j;
    switch (o->format) {
    case TOOL_FORMAT_JSON:
        json_init(&j, out);
        json_object_begin(&j);
        json_kv_string(&j, "policy", policy);
        json_kv_string(&j, "mode", mode);
        columns_json(cloudsim_columns, n, result, &j);
        json_object_end(&j);
        break;
    case TOOL_FORMAT_CSV:
        columns_csv(cloudsim_columns, n, NULL, out);
        columns_csv(cloudsim_columns, n, result, out);
        break;
    default:
        buf_printf(out, "%-26s  %14s\n%-26s  %14s\n", "policy", policy, "mode", mode);
        for (size_t i = 0; i < n; i++) {
            width_put(out, cloudsim_columns[i].title, 26, WIDTH_LEFT, "~");
            buf_puts(out, "  ");
            column_cell(&cloudsim_columns[i], result, 14, WIDTH_RIGHT, out);
            buf_putc(out, '\n');
        }
    }
}

int tool_sim_cloudsim(const struct tool_cloudsim_options *options, struct buf *out, struct err *err)
{
    const char *policy = options->policy ? options->policy : "vherd";
    const char *mode = options->mode ? options->mode : "A";
    struct cloudsim_setup setup = {.mode = cloudsim_mode_parse(mode), .seed = 1};
    CLEANUP(trace_set_done) struct trace_set traces = {0};
    struct cloudsim_result result;
    if (!options->traces)
        return err_set(err, EINVAL, "sim cloudsim needs --traces with a folder of trace files");
    if (setup.mode == CLOUDSIM_MAX)
        return err_set(err, EINVAL, "no mode \"%.20s\": A, B or C", mode);
    if (options->seed && number_parse_u64(options->seed, &setup.seed) < 0)
        return err_set(err, EINVAL, "--seed must be a whole number");
    int e = place_policy_parse(policy, &setup.policy, err);
    if (e == 0)
        e = trace_set_load(options->traces, &traces, err);
    if (e < 0)
        return e;
    setup.traces = &traces;
    e = cloudsim_run(&setup, &result, err);
    if (e < 0)
        return e;
    put_cloudsim(options, policy, mode, &result, out);
    return out->error;
}
