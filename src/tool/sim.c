// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd sim`: what a simulation gave, for people, as JSON and as CSV. The columns of each are rows
// of one table.
#include "tool/sim.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/width.h"
#include "sim/cloudsim.h"
#include "sim/world.h"

DEFINE_FREEP(struct scenario, scenario_free, scenario_freep)
DEFINE_FREEP(struct world, world_free, world_freep)

#define LINES 24 // of the timeline, unless all is asked for

static void put_hours(double v, struct buf *out)
{
    human_age(v, out);
}

static void put_fixed(double v, struct buf *out)
{
    buf_printf(out, "%.1f", v);
}

static void put_ratio(double v, struct buf *out)
{
    human_percent(v, out);
}

static void put_small_ratio(double v, struct buf *out)
{
    buf_printf(out, "%.5f%%", v * 100);
}

static void put_count(double v, struct buf *out)
{
    buf_f64(out, v);
}

static void put_latency(double v, struct buf *out)
{
    if (v > 0)
        human_latency(v, false, out);
    else
        buf_puts(out, "–");
}

static void put_gib(double v, struct buf *out)
{
    human_bytes(v * 1024 * 1024 * 1024, out);
}

// A value of a struct: doubles, and counts of two widths.
enum width {
    DOUBLE,
    U64,
    U32,
};

struct column {
    const char *key, *title;
    enum width width;
    size_t offset;
    void (*put)(double v, struct buf *out);
};

static double value_of(const struct column *c, const void *of)
{
    const char *at = (const char *)of + c->offset;
    switch (c->width) {
    case U64:
        return (double)*(const uint64_t *)at;
    case U32:
        return *(const uint32_t *)at;
    default:
        return *(const double *)at;
    }
}

#define SAMPLE(key, title, width, member, put)                                                     \
    {                                                                                              \
        key, title, width, offsetof(struct world_sample, member), put                              \
    }

static const struct column sample_columns[] = {
    SAMPLE("time_seconds", "TIME", DOUBLE, time_s, put_hours),
    SAMPLE("hosts", "HOSTS", U32, hosts, put_count),
    SAMPLE("vms", "VMS", U32, vms, put_count),
    SAMPLE("waiting", "WAITING", U32, waiting, put_count),
    SAMPLE("down", "DOWN", U32, down, put_count),
    SAMPLE("load_ratio", "LOAD", DOUBLE, load, put_ratio),
    SAMPLE("steal_ratio", "STEAL", DOUBLE, steal, put_ratio),
    SAMPLE("power_watts", "WATTS", DOUBLE, watts, put_fixed),
    SAMPLE("migrations", "MOVES", U64, migrations, put_count),
    SAMPLE("faults", "FAULTS", U64, faults, put_count),
    SAMPLE("balloon_gib", "BALLOONED", DOUBLE, balloon_gib, put_gib),
    SAMPLE("swap_gib", "SWAPPED", DOUBLE, swap_gib, put_gib),
};

// What a run comes to; made of totals.
struct summary {
    const char *policy;
    double time_s, energy_kwh, hosts, vms, steal, contended, downtime, copy_s, copy_max_s, pause_s,
        pause_max_s, balloon_gib_h, swap_gib_h;
    uint64_t migrations, cancelled, arrivals, departures, waits, faults, returns, violations;
};

#define SUMMARY(key, title, width, member, put)                                                    \
    {                                                                                              \
        key, title, width, offsetof(struct summary, member), put                                   \
    }

static const struct column summary_columns[] = {
    SUMMARY("time_seconds", "simulated time", DOUBLE, time_s, put_hours),
    SUMMARY("energy_kwh", "energy, kWh", DOUBLE, energy_kwh, put_fixed),
    SUMMARY("hosts_mean", "hosts running, mean", DOUBLE, hosts, put_fixed),
    SUMMARY("vms_mean", "VMs, mean", DOUBLE, vms, put_fixed),
    SUMMARY("arrivals", "VMs arrived", U64, arrivals, put_count),
    SUMMARY("departures", "VMs departed", U64, departures, put_count),
    SUMMARY("waits", "VMs that had to wait", U64, waits, put_count),
    SUMMARY("steal_ratio", "work not done", DOUBLE, steal, put_small_ratio),
    SUMMARY("contended_ratio", "host time with steal", DOUBLE, contended, put_small_ratio),
    SUMMARY("downtime_ratio", "VM time down", DOUBLE, downtime, put_small_ratio),
    SUMMARY("migrations", "migrations", U64, migrations, put_count),
    SUMMARY("migrations_cancelled", "migrations called off", U64, cancelled, put_count),
    SUMMARY("migration_seconds_mean", "migration, mean", DOUBLE, copy_s, put_latency),
    SUMMARY("migration_seconds_max", "migration, longest", DOUBLE, copy_max_s, put_latency),
    SUMMARY("pause_seconds_mean", "downtime of one, mean", DOUBLE, pause_s, put_latency),
    SUMMARY("pause_seconds_max", "downtime of one, longest", DOUBLE, pause_max_s, put_latency),
    SUMMARY("returns_within_hour", "returns within 1 h", U64, returns, put_count),
    SUMMARY("memory_violations", "memory limits broken", U64, violations, put_count),
    SUMMARY("balloon_gib_hours", "ballooned, GiB·h", DOUBLE, balloon_gib_h, put_fixed),
    SUMMARY("swap_gib_hours", "swapped, GiB·h", DOUBLE, swap_gib_h, put_fixed),
    SUMMARY("faults", "faults", U64, faults, put_count),
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

static void cell(const struct column *c, const void *of, size_t columns, enum width_align align,
                 struct buf *out)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 200);
    c->put(value_of(c, of), &text);
    width_put(out, text.data ? text.data : "", columns, align, "~");
}

static void json_row(const struct column *columns, size_t n, const void *of, struct json *j)
{
    for (size_t i = 0; i < n; i++) {
        json_key(j, columns[i].key);
        json_f64(j, value_of(&columns[i], of));
    }
}

static void csv_row(const struct column *columns, size_t n, const void *of, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(out, ',');
        if (of)
            buf_f64(out, value_of(&columns[i], of));
        else
            buf_puts(out, columns[i].key);
    }
    buf_putc(out, '\n');
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
            cell(&sample_columns[k], &s[i], 9, WIDTH_RIGHT, out);
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
            cell(&summary_columns[k], &s[i], summary_width(&s[i]), WIDTH_RIGHT, out);
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
    json_row(summary_columns, ARRAY_LEN(summary_columns), s, j);
    json_faults(world_totals(w), j);
    if (timeline) {
        json_key(j, "timeline");
        json_array_begin(j);
        for (size_t i = 0; i < n; i++) {
            json_object_begin(j);
            json_row(sample_columns, ARRAY_LEN(sample_columns), &samples[i], j);
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

static int run_one(struct run *r, size_t i, struct err *err)
{
    CLEANUP(world_freep) struct world *w = NULL;
    int e = world_new(r->scenario, r->policies[i], &w, err);
    if (e == 0 && world_run(w, r->scenario->duration_s) < 0)
        e = err_set(err, ENOMEM, "not enough memory to simulate this");
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
        csv_row(sample_columns, ARRAY_LEN(sample_columns), NULL, r->out);
        for (size_t k = 0; k < n; k++)
            csv_row(sample_columns, ARRAY_LEN(sample_columns), &s[k], r->out);
    }
    return 0;
}

static void compared(const struct run *r)
{
    if (r->options->format == TOOL_FORMAT_TEXT) {
        text_summaries(r->summaries, r->n, r->out);
    } else if (r->options->format == TOOL_FORMAT_CSV) {
        buf_puts(r->out, "policy,");
        csv_row(summary_columns, ARRAY_LEN(summary_columns), NULL, r->out);
        for (size_t i = 0; i < r->n; i++) {
            buf_printf(r->out, "%s,", r->policies[i]);
            csv_row(summary_columns, ARRAY_LEN(summary_columns), &r->summaries[i], r->out);
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
        json_object_end(&r.json);
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
    CLOUDSIM("energy_kwh", "energy, kWh", DOUBLE, energy_kwh, put_energy),
    CLOUDSIM("migrations", "migrations", U64, migrations, put_count),
    CLOUDSIM("sla_ratio", "SLA violation", DOUBLE, sla, put_small_ratio),
    CLOUDSIM("slatah_ratio", "SLATAH", DOUBLE, slatah, put_small_ratio),
    CLOUDSIM("pdm_ratio", "PDM", DOUBLE, pdm, put_small_ratio),
    CLOUDSIM("esv", "ESV, kWh", DOUBLE, esv, put_esv),
    CLOUDSIM("overall_ratio", "work not done", DOUBLE, overall, put_small_ratio),
    CLOUDSIM("host_shutdowns", "host shutdowns", U64, shutdowns, put_count),
    CLOUDSIM("vms", "VMs at the start", U64, vms, put_count),
    CLOUDSIM("vms_left", "VMs at the end", U64, vms_left, put_count),
    CLOUDSIM("memory_violations", "memory limits broken", U64, memory_violations, put_count),
    CLOUDSIM("returns_within_hour", "returns within 1 h", U64, returns, put_count),
    CLOUDSIM("moves_without_gain", "moves without gain", U64, unpaid, put_count),
    CLOUDSIM("plan_seconds_mean", "planning a step, mean", DOUBLE, plan_mean_s, put_latency),
    CLOUDSIM("plan_seconds_p99", "planning a step, p99", DOUBLE, plan_p99_s, put_latency),
    CLOUDSIM("plan_seconds_max", "planning a step, longest", DOUBLE, plan_max_s, put_latency),
    CLOUDSIM("cpu_seconds", "CPU time of it all", DOUBLE, cpu_s, put_latency),
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
        json_row(cloudsim_columns, n, result, &j);
        json_object_end(&j);
        break;
    case TOOL_FORMAT_CSV:
        csv_row(cloudsim_columns, n, NULL, out);
        csv_row(cloudsim_columns, n, result, out);
        break;
    default:
        buf_printf(out, "%-26s  %14s\n%-26s  %14s\n", "policy", policy, "mode", mode);
        for (size_t i = 0; i < n; i++) {
            width_put(out, cloudsim_columns[i].title, 26, WIDTH_LEFT, "~");
            buf_puts(out, "  ");
            cell(&cloudsim_columns[i], result, 14, WIDTH_RIGHT, out);
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
