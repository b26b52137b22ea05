// SPDX-License-Identifier: GPL-3.0-or-later
// Series and what they advise; the Bitbrains reader; history out of a store.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <math.h>

#include <cmocka.h>

#include "base/draw.h"
#include "base/mem.h"
#include "near.h"
#include "place/bitbrains.h"
#include "place/history.h"
#include "place/rightsize.h"

#define N 6000 // three weeks of 300 s
#define GIB (INT64_C(1) << 30)

static int64_t t_s[N];
static double cpu[N], memory[N];

static struct rightsize_vm vm_of(int vcpus, int gib)
{
    for (int i = 0; i < N; i++)
        t_s[i] = 1600000200 + i * 300;
    return (struct rightsize_vm){"v", vcpus, gib * GIB, {t_s, cpu, N}, {t_s, memory, N}};
}

static void test_quantiles(void **state)
{
    static const double v[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    assert_near(usage_quantile(v, 10, 0.5), 5, 0);
    assert_near(usage_quantile(v, 10, 0.95), 10, 0);
    assert_near(usage_quantile(v, 10, 0), 1, 0);
    assert_near(usage_quantile(v, 10, 1), 10, 0);
    assert_true(isnan(usage_quantile(v, 0, 0.5)));
}

static void test_summary_and_forecast(void **state)
{
    struct place_usage u;
    struct rightsize_vm vm = vm_of(4, 8);
    for (int i = 0; i < N; i++)
        cpu[i] = 1 + (double)i / N; // rises by 2.4 % of a CPU an hour
    assert_int_equal(usage_summarise(&vm.cpu, &u), 0);
    assert_near(u.mean, 1.5, 0.001);
    assert_near(u.max, cpu[N - 1], 0);
    assert_near(u.now, cpu[N - 1], 0);
    assert_near(u.forecast, 2, 0.01);
    assert_near(usage_growth_per_day(&vm.cpu, 0.95), 288.0 / N, 0.002);
    struct usage_series none = {NULL, NULL, 0};
    assert_int_equal(usage_summarise(&none, &u), 0);
    assert_true(u.n == 0 && isnan(u.mean) && isnan(u.forecast));
}

static void test_an_idle_vm_shrinks(void **state)
{
    struct prng p;
    struct rightsize_advice a;
    struct rightsize_vm vm = vm_of(8, 32);
    prng_init(&p, 1, 0);
    for (int i = 0; i < N; i++) {
        cpu[i] = 0.2 + 0.5 * prng_double(&p);
        memory[i] = (2 + prng_double(&p)) * (double)GIB;
    }
    assert_int_equal(rightsize_advise(&vm, &rightsize_standard, &a), 0);
    assert_true(a.known);
    assert_int_equal(a.vcpus, 1);
    assert_true(a.memory_bytes > 3 * GIB && a.memory_bytes < 4 * GIB);
    assert_int_equal(a.memory_bytes % rightsize_standard.memory_step_bytes, 0);
    assert_near(a.cpu_risk_ratio, 0, 0);
    assert_true(a.cpu_quota_us > 70000 && a.cpu_quota_us <= 100000);
    assert_in_range(a.cpu_shares, 600, 720);
}

static void test_peaks_beyond_the_risk_are_kept(void **state)
{
    struct rightsize_advice a;
    struct rightsize_vm vm = vm_of(8, 32);
    for (int i = 0; i < N; i++) {
        cpu[i] = i % 50 == 0 ? 4.2 : 0.1;                                  // 2 % of the time
        memory[i] = i % 500 == 0 ? 20.0 * (double)GIB : 1.0 * (double)GIB; // 0.2 %
    }
    assert_int_equal(rightsize_advise(&vm, &rightsize_standard, &a), 0);
    assert_int_equal(a.vcpus, 5);
    assert_true(a.memory_bytes < 2 * GIB);
    assert_near(a.memory_risk_ratio, 0.002, 1e-9);
    assert_int_equal(a.rule_vcpus, 1);
}

static void test_a_vm_at_its_limit_grows(void **state)
{
    struct rightsize_advice a;
    struct rightsize_vm vm = vm_of(2, 4);
    for (int i = 0; i < N; i++) {
        cpu[i] = 1.99;
        memory[i] = 3.0 * (double)GIB;
    }
    assert_int_equal(rightsize_advise(&vm, &rightsize_standard, &a), 0);
    assert_int_equal(a.vcpus, 3);
    assert_true(a.memory_bytes <= 4 * GIB); // 75 % of it is enough
}

static void test_too_little_history_is_no_advice(void **state)
{
    struct rightsize_advice a;
    struct rightsize_vm vm = vm_of(2, 4);
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1000);
    vm.cpu.n = vm.memory.n = 288;
    assert_int_equal(rightsize_advise(&vm, &rightsize_standard, &a), 0);
    assert_false(a.known);
    rightsize_explain(&vm, &a, &text);
    assert_string_equal(text.data, "1.0 days of history, 7 are needed");
}

static const char months[] =
    "Timestamp [ms];\tCPU cores;\t…\n"
    "1373889928;\t4;\t10400;\t2600.0;\t25.0;\t1048576;\t524288.5;\t0;\t0;\t0;\t0\n"
    "1373890228;\t0;\t0;\t0;\t0;\t0;\t0;\t0;\t0;\t0;\t0\n"
    "1373890528;\t2;\t5200;\t2600;\t50;\t2097152;\t1024\n";

static void test_bitbrains_reader(void **state)
{
    struct bitbrains b = {0};
    struct err err = {0};
    assert_int_equal(bitbrains_read("x", months, strlen(months), &b, &err), 0);
    assert_int_equal(b.n, 2); // the line of a VM that is off is none
    assert_near(b.cpus[0], 1, 1e-9);
    assert_near(b.memory_bytes[0], 524288.5 * 1024, 1e-3);
    assert_near(b.cpus[1], 1, 1e-9);
    assert_int_equal(b.vcpus, 2);
    assert_int_equal(b.provisioned_bytes, 2 * GIB);
    assert_int_equal(bitbrains_read("x", months, strlen(months), &b, &err), -EINVAL);
    assert_string_equal(err.message, "x:2:1: time does not go on");
    static const char bad[] = "head\n1;\t2;\tx;\t1;\t1;\t1;\t1\n";
    assert_int_equal(bitbrains_read("y", bad, strlen(bad), &b, &err), -EINVAL);
    assert_string_equal(err.message, "y:2:7: CPU capacity is not a number");
    static const char cut[] = "head\n9999999999;\t2\n";
    assert_int_equal(bitbrains_read("z", cut, strlen(cut), &b, &err), -EINVAL);
    assert_string_equal(err.message, "z:2:14: CPU capacity: a number is expected");
    bitbrains_done(&b);
}

// A store of one series per metric, with a fixed answer.
struct fake {
    struct query_source source;
    const char *fails;
};

struct fake_set {
    struct query_set set;
    const char *metric;
    struct query_run run;
    int64_t t_ms[2000];
    double v[2000];
    struct query_bucket bucket[300];
};

#define NOW_S 1700000100.0

static int fake_select(struct query_source *source, const struct query_matcher *m, size_t n,
                       const struct query_hints *hints, size_t max, struct query_set **ret,
                       struct err *err)
{
    struct fake *f = (struct fake *)source;
    assert_int_equal(n, 2);
    assert_string_equal(m[0].name, "__name__");
    assert_string_equal(m[1].value, "web");
    if (f->fails && strcmp(f->fails, m[0].value) == 0)
        return err_set(err, EIO, "broken");
    struct fake_set *s = mem_zalloc(sizeof(*s));
    s->set = (struct query_set){source->ops, 1, NULL};
    s->metric = m[0].value;
    if (strcmp(s->metric, "libvirt_domain_memory_stats_usable_bytes") == 0)
        s->set.n = 0;
    *ret = &s->set;
    return 0;
}

static int fake_read(struct query_set *set, size_t i, int64_t start_ms, int64_t end_ms,
                     const struct query_run **ret, size_t *ret_n, struct err *err)
{
    struct fake_set *s = (struct fake_set *)set;
    int64_t begin_ms = (int64_t)NOW_S * 1000 - 3600000;
    bool counter = strstr(s->metric, "_total") != NULL;
    s->run.resolution_ms = counter ? 0 : 60000;
    // A counter each 10 s: half a CPU, reset once; memory as roll-ups of a minute.
    for (size_t k = 0; k < 350; k++) {
        s->t_ms[k] = begin_ms + (int64_t)k * 10000;
        s->v[k] = (double)(k >= 100 ? k - 100 : k) * 5;
    }
    for (size_t k = 0; k < 50; k++)
        s->bucket[k] = (struct query_bucket){.first_ms = begin_ms + (int64_t)k * 60000,
                                             .last_ms = begin_ms + (int64_t)k * 60000 + 50000,
                                             .max = 1e9 + (double)k,
                                             .count = 6};
    s->run.n = counter ? 350 : 50;
    s->run.t_ms = s->t_ms;
    s->run.v = s->v;
    s->run.bucket = s->bucket;
    *ret = &s->run;
    *ret_n = 1;
    return 0;
}

static void fake_free(struct query_set *set)
{
    free(set);
}

static const struct query_source_ops fake_ops = {
    .select = fake_select, .read = fake_read, .free_set = fake_free};

static void test_history_out_of_a_store(void **state)
{
    struct fake fake = {.source.ops = &fake_ops};
    struct place_history h;
    struct err err = {0};
    assert_int_equal(place_history_read(&fake.source, "web", NOW_S, &h, &err), 0);
    assert_in_range(h.n_cpu, 10, 12);
    for (size_t i = 0; i < h.n_cpu; i++)
        assert_near(h.cpu[i], 0.5, 0.02);
    // The guest does not tell what it could give back: the host's view stands.
    assert_in_range(h.n_memory, 9, 12);
    for (size_t i = 0; i < h.n_memory; i++)
        assert_near(h.memory_bytes[i], 1e9, 100);
    for (size_t i = 1; i < h.n_memory; i++)
        assert_true(h.memory_t_s[i] - h.memory_t_s[i - 1] == HISTORY_STEP_S);
    place_history_done(&h);
    fake.fails = "vherd_vm_resident_bytes";
    assert_int_equal(place_history_read(&fake.source, "web", NOW_S, &h, &err), -EIO);
    assert_null(h.cpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_summary_and_forecast),
        cmocka_unit_test(test_an_idle_vm_shrinks),
        cmocka_unit_test(test_peaks_beyond_the_risk_are_kept),
        cmocka_unit_test(test_a_vm_at_its_limit_grows),
        cmocka_unit_test(test_too_little_history_is_no_advice),
        cmocka_unit_test(test_bitbrains_reader),
        cmocka_unit_test(test_history_out_of_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
