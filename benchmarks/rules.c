// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What rules cost; rows of `name value` for benchmarks/tell.
 *
 *   rules evaluate DIR FILE VMS ROUNDS           rules of FILE over VMS that are sampled
 *   rules history DIR VMS DAYS SECONDS           a store with so many days, a sample each SECONDS
 *   rules backtest DIR FILE DAYS                 FILE over that store
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "rule/backtest.h"
#include "rule/eval.h"
#include "tsdb/tsdb.h"

#define T0 INT64_C(1700006400000)
#define DAY_MS INT64_C(86400000)

// Metrics that the rules of the benchmark read, with what a guest does.
enum shape {
    SHAPE_COUNTER, // rises at a rate of about `size`
    SHAPE_GAUGE,   // about `size`, with a daily wave
    SHAPE_STEP,    // 1, rarely 0
    SHAPE_FIXED,   // `size`
    SHAPE_NOW,     // the time
};

#define STATE                                                                                      \
    {                                                                                              \
        "state", "running"                                                                         \
    }
#define DISK                                                                                       \
    {                                                                                              \
        "target_device", "vda"                                                                     \
    }
#define NIC                                                                                        \
    {                                                                                              \
        "target_device", "vnet0"                                                                   \
    }
#define VCPU                                                                                       \
    {                                                                                              \
        "vcpu", "0"                                                                                \
    }
#define ROOT                                                                                       \
    {"mountpoint", "/"},                                                                           \
    {                                                                                              \
        "type", "ext4"                                                                             \
    }
#define HOST .is_host = true

// Those that the pack reads and that a healthy herd has.
static const struct metric {
    const char *name;
    enum shape shape;
    double size;
    struct label label[2]; // further ones
    bool is_host;          // one of the host, not of each VM
} metrics[] = {
    {"vherd_vm_state", SHAPE_STEP, 1, {STATE}},
    {"vherd_vm_state_reason", SHAPE_STEP, 1, {STATE, {"reason", "booted"}}},
    {"vherd_vm_autostart", SHAPE_FIXED, 1},
    {"vherd_vm_stalled", SHAPE_FIXED, 0},
    {"vherd_vm_timed_out", SHAPE_FIXED, 0},
    {"vherd_vm_process_threads", SHAPE_FIXED, 6, {{"state", "S"}}},
    {"vherd_vm_start_time_seconds", SHAPE_FIXED, 1.7e9},
    {"vherd_vm_config_differs", SHAPE_FIXED, 0},
    {"vherd_vm_agent_connected", SHAPE_STEP, 1},
    {"vherd_vm_agent_up", SHAPE_STEP, 1},
    {"vherd_vm_guest_time_offset_seconds", SHAPE_GAUGE, 0.01},
    {"vherd_vm_snapshots", SHAPE_FIXED, 0},
    {"vherd_vm_cgroup_periods_total", SHAPE_COUNTER, 10},
    {"vherd_vm_cgroup_throttled_periods_total", SHAPE_COUNTER, 0.1},
    {"vherd_vm_cgroup_throttled_seconds_total", SHAPE_COUNTER, 0.001},
    {"vherd_disk_chain_depth", SHAPE_FIXED, 1, {DISK}},
    {"vherd_filesystem_size_bytes", SHAPE_FIXED, 1e11, {ROOT}},
    {"vherd_filesystem_used_bytes", SHAPE_GAUGE, 6e10, {ROOT}},
    {"libvirt_domain_job_info_type", SHAPE_FIXED, 0},
    {"libvirt_domain_info_virtual_cpus", SHAPE_FIXED, 2},
    {"libvirt_domain_info_maximum_memory_bytes", SHAPE_FIXED, 4294967296},
    {"libvirt_domain_vcpu_time_seconds_total", SHAPE_COUNTER, 0.4, {VCPU}},
    {"libvirt_domain_vcpu_delay_seconds_total", SHAPE_COUNTER, 0.01, {VCPU}},
    {"libvirt_domain_memory_stats_available_bytes", SHAPE_GAUGE, 4e9},
    {"libvirt_domain_memory_stats_usable_bytes", SHAPE_GAUGE, 1.2e9},
    {"libvirt_domain_memory_stats_unused_bytes", SHAPE_GAUGE, 8e8},
    {"libvirt_domain_memory_stats_actual_balloon_bytes", SHAPE_FIXED, 4294967296},
    {"libvirt_domain_memory_stats_maximum_bytes", SHAPE_FIXED, 4294967296},
    {"libvirt_domain_memory_stats_last_update_timestamp_seconds", SHAPE_NOW, 0},
    {"libvirt_domain_memory_stats_major_fault_total", SHAPE_COUNTER, 2},
    {"libvirt_domain_memory_stats_swap_in_bytes", SHAPE_COUNTER, 100},
    {"libvirt_domain_memory_stats_swap_out_bytes", SHAPE_COUNTER, 100},
    {"libvirt_domain_block_stats_read_bytes_total", SHAPE_COUNTER, 2e6, {DISK}},
    {"libvirt_domain_block_stats_read_requests_total", SHAPE_COUNTER, 50, {DISK}},
    {"libvirt_domain_block_stats_read_time_seconds_total", SHAPE_COUNTER, 0.1, {DISK}},
    {"libvirt_domain_block_stats_write_requests_total", SHAPE_COUNTER, 50, {DISK}},
    {"libvirt_domain_block_stats_write_time_seconds_total", SHAPE_COUNTER, 0.1, {DISK}},
    {"libvirt_domain_block_stats_flush_requests_total", SHAPE_COUNTER, 5, {DISK}},
    {"libvirt_domain_block_stats_flush_time_seconds_total", SHAPE_COUNTER, 0.01, {DISK}},
    {"libvirt_domain_block_stats_allocation", SHAPE_GAUGE, 2e10, {DISK}},
    {"libvirt_domain_interface_stats_receive_packets_total", SHAPE_COUNTER, 100, {NIC}},
    {"libvirt_domain_interface_stats_transmit_packets_total", SHAPE_COUNTER, 100, {NIC}},
    {"libvirt_domain_interface_stats_receive_drops_total", SHAPE_COUNTER, 0.0001, {NIC}},
    {"libvirt_domain_interface_stats_transmit_drops_total", SHAPE_COUNTER, 0.0001, {NIC}},
    {"libvirt_domain_interface_stats_receive_errors_total", SHAPE_COUNTER, 0.0001, {NIC}},
    {"libvirt_domain_interface_stats_transmit_errors_total", SHAPE_COUNTER, 0.0001, {NIC}},
    {"libvirt_up", SHAPE_STEP, 1, HOST},
    {"libvirt_pool_info_available_bytes", SHAPE_GAUGE, 6e11, {{"pool", "default"}}, HOST},
    {"libvirt_pool_info_capacity_bytes", SHAPE_FIXED, 2e12, {{"pool", "default"}}, HOST},
    {"vherd_pool_state", SHAPE_FIXED, 2, {{"pool", "default"}}, HOST},
    {"vherd_pool_timed_out", SHAPE_FIXED, 0, {{"pool", "default"}}, HOST},
    {"vherd_network_active", SHAPE_FIXED, 1, {{"network", "default"}}, HOST},
    {"vherd_network_autostart", SHAPE_FIXED, 1, {{"network", "default"}}, HOST},
    {"vherd_host_cpus", SHAPE_FIXED, 64, HOST},
    {"vherd_host_memory_total_bytes", SHAPE_FIXED, 6e11, HOST},
    {"vherd_host_memory_available_bytes", SHAPE_GAUGE, 2e11, HOST},
    {"vherd_host_swap_in_pages_total", SHAPE_COUNTER, 1, HOST},
    {"vherd_host_swap_out_pages_total", SHAPE_COUNTER, 1, HOST},
    {"vherd_host_oom_kills_total", SHAPE_COUNTER, 0.000001, HOST},
    {"vherd_host_pressure_seconds_total",
     SHAPE_COUNTER,
     0.01,
     {{"resource", "io"}, {"stall", "full"}},
     HOST},
    {"vherd_host_kernel_warnings_total", SHAPE_COUNTER, 0.000001, {{"kind", "mce"}}, HOST},
    {"vherd_samples_total", SHAPE_COUNTER, 1, HOST},
    {"vherd_samples_missed_total", SHAPE_COUNTER, 0.0001, HOST},
};

static double next_random(void)
{
    return (double)(bench_random() >> 11) / 9007199254740992.0;
}

struct herd {
    struct tsdb *db;
    uint32_t *ref;
    union tsdb_value *value;
    double *level;
    const struct metric **metric;
    size_t *vm;
    size_t n;
};

static void herd_init(struct herd *h, struct tsdb *db, size_t vms)
{
    const struct tsdb_kind_of kind = {.kind = TSDB_DOUBLE};
    struct err err;
    *h = (struct herd){.db = db};
    h->metric = mem_zalloc(vms * ARRAY_LEN(metrics) * sizeof(*h->metric));
    h->vm = mem_zalloc(vms * ARRAY_LEN(metrics) * sizeof(*h->vm));
    h->ref = mem_zalloc(vms * ARRAY_LEN(metrics) * sizeof(*h->ref));
    h->value = mem_zalloc(vms * ARRAY_LEN(metrics) * sizeof(*h->value));
    h->level = mem_zalloc(vms * ARRAY_LEN(metrics) * sizeof(*h->level));
    for (size_t i = 0; i < vms; i++)
        for (size_t m = 0; m < ARRAY_LEN(metrics); m++) {
            CLEANUP(freep) char *name = mem_printf("vm%zu", i + 1);
            const struct label *more = metrics[m].label;
            struct label label[6] = {
                {LABEL_METRIC_NAME, metrics[m].name}, {"instance", "host"}, {"job", "vherd"}};
            size_t n = 3;
            if (metrics[m].is_host && i > 0)
                continue;
            if (!metrics[m].is_host)
                label[n++] = (struct label){"domain", name};
            for (size_t k = 0; k < ARRAY_LEN(metrics[m].label) && more[k].name; k++)
                label[n++] = more[k];
            h->metric[h->n] = &metrics[m];
            h->vm[h->n] = i;
            if (tsdb_series(db, label, n, &kind, &h->ref[h->n++], &err) < 0)
                bench_fail("series", err.message);
        }
}

static void herd_done(struct herd *h)
{
    free(h->ref);
    free(h->value);
    free(h->level);
    free(h->metric);
    free(h->vm);
}

static double sample_of(const struct metric *m, double *level, int64_t t_ms, double step_s,
                        size_t vm)
{
    double wave = 1 + 0.5 * sin((double)(t_ms % DAY_MS) / (double)DAY_MS * 6.2831853 + (double)vm);
    switch (m->shape) {
    case SHAPE_COUNTER:
        // Now and then a burst, so that rules have something to tell.
        *level += m->size * step_s * wave * (next_random() < 0.0005 ? 20 : next_random() * 2);
        return m->size < 0.01 ? floor(*level) : *level;
    case SHAPE_GAUGE:
        return m->size * wave * (0.9 + 0.2 * next_random());
    case SHAPE_FIXED:
        return m->size;
    case SHAPE_NOW:
        return (double)t_ms / 1000;
    default:
        if (next_random() < 0.0001)
            *level = 1 - *level;
        return m->size * (1 - *level);
    }
}

static void herd_sample(struct herd *h, int64_t t_ms, double step_s)
{
    for (size_t i = 0; i < h->n; i++)
        h->value[i].f64 = sample_of(h->metric[i], &h->level[i], t_ms, step_s, h->vm[i]);
    while (tsdb_append(h->db, t_ms, h->ref, h->value, h->n, NULL) == -ENOSPC) {
        struct err err;
        if (tsdb_settle(h->db, &err) < 0)
            bench_fail("settle", err.message);
    }
}

static void load(const char *path, struct rule_files *files)
{
    struct rule_errors errors = {0};
    if (rule_files_glob(files, NULL, path, &errors) < 0)
        bench_fail("rules", errors.n ? errors.err[0].message : path);
    rule_errors_done(&errors);
}

static int write_samples(void *arg, const struct rule_sample *sample, size_t n, struct err *err)
{
    struct tsdb *db = arg;
    const struct tsdb_kind_of kind = {.kind = TSDB_DOUBLE};
    for (size_t i = 0; i < n; i++) {
        uint32_t ref;
        int r = tsdb_series(db, sample[i].labels->label, sample[i].labels->n, &kind, &ref, err);
        if (r < 0)
            return r;
        (void)tsdb_append_one(db, ref, sample[i].t_ms, sample[i].v);
        tsdb_release(db, ref);
    }
    return 0;
}

static void evaluate(const char *dir, const char *file, size_t vms, size_t rounds)
{
    struct tsdb *db = bench_open(dir, UINT64_C(2) << 30, UINT64_C(1) << 30);
    struct herd h;
    struct rule_files files = {0};
    struct rule_group_run *group = NULL;
    size_t n = 0, active = 0;
    uint64_t failures = 0;
    int64_t t = T0;
    herd_init(&h, db, vms);
    for (int i = 0; i < 60; i++, t += 10000)
        herd_sample(&h, t, 10);
    load(file, &files);
    struct rule_env env = {.source = tsdb_source(db),
                           .clock = &clock_system,
                           .interval_ms = 15000,
                           .resend_delay_ms = 60000,
                           .hold_gaps = true,
                           .external_url = "",
                           .write = write_samples,
                           .arg = db};
    rule_groups_new(&files, &env, &group, &n);
    double *seconds = mem_zalloc((rounds + 1) * sizeof(*seconds));
    for (size_t k = 0; k < rounds; k++, t += 10000) {
        herd_sample(&h, t, 10);
        double before = bench_seconds(CLOCK_THREAD_CPUTIME_ID);
        for (size_t i = 0; i < n; i++) {
            struct rule_update update = {0};
            struct err err = {0};
            if (rule_group_eval(&group[i], &env, t, NULL, &update, &err) < 0)
                bench_fail("evaluate", err.message);
            rule_update_done(&update);
        }
        printf("round %.6f\n", bench_seconds(CLOCK_THREAD_CPUTIME_ID) - before);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < group[i].n_runs; k++) {
            active += rule_state_active(&group[i].run[k].state);
            failures += group[i].run[k].failures;
        }
    printf("rules %zu\nalerts %zu\nfailures %" PRIu64 "\n", rule_files_count(&files), active,
           failures);
    free(seconds);
    rule_groups_free(group, n);
    rule_files_done(&files);
    herd_done(&h);
    tsdb_close(db);
}

static void history(const char *dir, size_t vms, double days, double step_s)
{
    struct tsdb *db = bench_open(dir, UINT64_C(2) << 30, UINT64_C(1) << 30);
    struct herd h;
    struct err err;
    int64_t step = (int64_t)(step_s * 1000), end = T0 + (int64_t)(days * (double)DAY_MS);
    herd_init(&h, db, vms);
    for (int64_t t = T0; t < end; t += step) {
        herd_sample(&h, t, step_s);
        if ((t - T0) % (DAY_MS / 4) == 0 && tsdb_settle(db, &err) < 0)
            bench_fail("settle", err.message);
    }
    if (tsdb_settle(db, &err) < 0)
        bench_fail("settle", err.message);
    printf("samples %zu\n", h.n * (size_t)((end - T0) / step));
    herd_done(&h);
    tsdb_close(db);
}

static void backtest(const char *dir, const char *file, double days)
{
    struct tsdb *db = bench_open(dir, UINT64_C(2) << 30, UINT64_C(1) << 30);
    struct rule_files files = {0};
    struct rule_backtest *result = NULL;
    struct err err = {0};
    load(file, &files);
    struct rule_backtest_params p = {
        .start_ms = T0, .end_ms = T0 + (int64_t)(days * (double)DAY_MS), .interval_ms = 15000};
    double wall = bench_seconds(CLOCK_MONOTONIC), cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (rule_backtest(&files, tsdb_source(db), &p, &result, &err) < 0)
        bench_fail("backtest", err.message);
    printf("wall %.3f\ncpu %.3f\n", bench_seconds(CLOCK_MONOTONIC) - wall,
           bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    size_t firings = 0, errors = 0;
    for (size_t i = 0; i < result->n; i++) {
        firings += result->rule[i].n;
        errors += result->rule[i].error != NULL;
        fprintf(stderr, "%-24s %6zu %8.3f s %s\n", result->rule[i].rule->name, result->rule[i].n,
                result->rule[i].eval_seconds, result->rule[i].error ? result->rule[i].error : "");
    }
    printf("rules %zu\nfirings %zu\nerrors %zu\nsteps %" PRIu64 "\n", result->n, firings, errors,
           result->steps);
    rule_backtest_free(result);
    rule_files_done(&files);
    tsdb_close(db);
}

static double number(const char *text)
{
    double v;
    if (number_parse_f64(text, &v) < 0)
        bench_fail(text, "is no number");
    return v;
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "evaluate") == 0)
        evaluate(argv[2], argv[3], (size_t)number(argv[4]), (size_t)number(argv[5]));
    else if (argc == 6 && strcmp(argv[1], "history") == 0)
        history(argv[2], (size_t)number(argv[3]), number(argv[4]), number(argv[5]));
    else if (argc == 5 && strcmp(argv[1], "backtest") == 0)
        backtest(argv[2], argv[3], number(argv[4]));
    else
        bench_fail(argv[0], "evaluate DIR FILE VMS ROUNDS | history DIR VMS DAYS SECONDS | "
                            "backtest DIR FILE DAYS");
    return 0;
}
