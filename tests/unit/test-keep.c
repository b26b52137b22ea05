// SPDX-License-Identifier: GPL-3.0-or-later
// The herd in a real store: what is asked back is what a scrape would have shown.
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "collect/keep.h"

#define T0_MS INT64_C(1700000000437)
#define POINTS_MAX 100

struct stage {
    char directory[64];
    struct clock_fake clock;
    struct tsdb *db;
    struct herd *herd;
    struct keep *keep;
};

struct point {
    int64_t t_ms;
    double v;
};

static struct uuid uuid_of(unsigned n)
{
    struct uuid u = {0};
    memcpy(u.b, &n, sizeof(n));
    return u;
}

static struct vm *add_vm(struct stage *s, unsigned n, const char *name)
{
    struct uuid u = uuid_of(n);
    struct vm *vm = herd_vm_add(s->herd, &u);
    herd_vm_rename(s->herd, vm, name);
    return vm;
}

static void stage_init(struct stage *s)
{
    *s = (struct stage){0};
    snprintf(s->directory, sizeof(s->directory), "/tmp/vherd-keep-XXXXXX");
    assert_non_null(mkdtemp(s->directory));
    clock_fake_init(&s->clock, 1000 * NS_PER_S, T0_MS * NS_PER_MS);
    struct tsdb_options options;
    tsdb_options_init(&options);
    options.clock = &s->clock.clock;
    options.late_ms = KEEP_LATE_MS;
    struct err err = {0};
    assert_int_equal(tsdb_open(s->directory, &options, &s->db, &err), 0);
    s->herd = herd_new();
    s->herd->libvirt_up = true;
    s->herd->max_age_ns[LANE_KERNEL] = 3 * NS_PER_S;
    s->herd->max_age_ns[LANE_LIBVIRT] = 25 * NS_PER_S;
    s->herd->max_age_ns[LANE_MEMORY] = 25 * NS_PER_S;
    struct keep_params params = {s->db, s->herd, SET_ALL, false, "vherd", "host-1", NS_PER_S};
    s->keep = keep_new(&params);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    return remove(path);
}

static void stage_done(struct stage *s)
{
    keep_free(s->keep);
    tsdb_close(s->db);
    herd_free(s->herd);
    nftw(s->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void sample(struct stage *s)
{
    assert_int_equal(keep_sample(s->keep, s->clock.mono, s->clock.real), 0);
    clock_fake_advance(&s->clock, NS_PER_S);
}

static void set(struct stage *s, struct object *o, enum fact fact, double value)
{
    object_set_fact(o, fact, value, s->clock.mono);
}

// Samples of the one series of that name and label; SIZE_MAX where there is no such series.
static size_t points_of(struct stage *s, const char *metric, const char *label, const char *value,
                        struct point *ret)
{
    struct query_matcher m[] = {{QUERY_EQUAL, LABEL_METRIC_NAME, metric, NULL},
                                {QUERY_EQUAL, label, value, NULL}};
    struct query_hints hints = {.start_ms = 0, .end_ms = T0_MS * 2};
    struct query_source *source = tsdb_source(s->db);
    struct query_set *found = NULL;
    struct err err = {0};
    assert_int_equal(source->ops->select(source, m, 2, &hints, 0, &found, &err), 0);
    size_t n = SIZE_MAX;
    if (found->n) {
        assert_int_equal(found->n, 1);
        assert_string_equal(labels_get(found->labels[0], "job"), "vherd");
        assert_string_equal(labels_get(found->labels[0], "instance"), "host-1");
        const struct query_run *runs;
        size_t n_runs;
        assert_int_equal(found->ops->read(found, 0, 0, T0_MS * 2, &runs, &n_runs, &err), 0);
        n = 0;
        for (size_t i = 0; i < n_runs; i++)
            for (size_t k = 0; k < runs[i].n && n < POINTS_MAX; k++)
                ret[n++] = (struct point){runs[i].t_ms[k], runs[i].v[k]};
    }
    found->ops->free_set(found);
    return n;
}

static void test_counters_on_schedule(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    struct object *vcpu = object_child(&vm->obj, KIND_VCPU, "0");
    for (int i = 0; i < 5; i++) {
        set(&s, vcpu, FACT_VCPU_RUN, 1234567890 + i);
        // A wall clock that wavers does not show in the times.
        s.clock.real += (i % 2 ? 1 : -1) * 40 * NS_PER_MS;
        sample(&s);
    }
    struct point p[POINTS_MAX];
    assert_int_equal(points_of(&s, "libvirt_domain_vcpu_time_seconds_total", "domain", "web", p),
                     5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(p[i].t_ms, p[0].t_ms + i * 1000);
        assert_true(fabs(p[i].v - (1.23456789 + i * 1e-9)) < 1e-12);
    }
    assert_true(keep_stats(s.keep).samples >= 5);
    stage_done(&s);
}

static void test_a_vm_that_goes_is_ended(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    set(&s, &vm->obj, FACT_VM_RSS, 4096);
    sample(&s);
    herd_vm_remove(s.herd, vm);
    sample(&s);
    sample(&s);
    struct point p[POINTS_MAX];
    assert_int_equal(points_of(&s, "vherd_vm_resident_bytes", "domain", "web", p), 2);
    assert_true(p[0].v == 4096);
    assert_true(sample_is_stale(p[1].v));
    assert_int_equal(keep_stats(s.keep).refused, 0);
    stage_done(&s);
}

static void test_a_vm_that_comes_back_goes_on(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    set(&s, &vm->obj, FACT_VM_RSS, 4096);
    sample(&s);
    herd_vm_remove(s.herd, vm);
    vm = add_vm(&s, 2, "web");
    set(&s, &vm->obj, FACT_VM_RSS, 8192);
    sample(&s);
    struct point p[POINTS_MAX];
    assert_int_equal(points_of(&s, "vherd_vm_resident_bytes", "domain", "web", p), 2);
    assert_true(p[1].v == 8192);
    stage_done(&s);
}

// Seen by one sample: no series. By two: from the second on.
static void test_a_vm_that_comes_later(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "old");
    set(&s, &vm->obj, FACT_VM_RSS, 1);
    sample(&s);
    uint64_t series = keep_stats(s.keep).series;
    struct vm *brief = add_vm(&s, 2, "brief"), *stays = add_vm(&s, 3, "stays");
    set(&s, &brief->obj, FACT_VM_RSS, 2);
    set(&s, &stays->obj, FACT_VM_RSS, 3);
    sample(&s);
    assert_int_equal(keep_stats(s.keep).series, series);
    // Something happens to it: its state is told, and nothing else of it.
    object_set_attr(&brief->obj, ATTR_VM_STATE, "crashed");
    set(&s, &brief->obj, FACT_VM_STATE, 6);
    assert_true(keep_now(s.keep, brief, s.clock.mono) > 0);
    herd_vm_remove(s.herd, brief);
    set(&s, &stays->obj, FACT_VM_RSS, 4);
    sample(&s);
    struct point p[POINTS_MAX];
    assert_int_equal(points_of(&s, "vherd_vm_resident_bytes", "domain", "brief", p), SIZE_MAX);
    assert_int_equal(points_of(&s, "vherd_vm_state", "domain", "brief", p), 2);
    assert_true(p[0].v == 6 && sample_is_stale(p[1].v));
    assert_int_equal(points_of(&s, "vherd_vm_resident_bytes", "domain", "stays", p), 1);
    assert_true(p[0].v == 4);
    assert_true(keep_now(s.keep, stays, s.clock.mono) > 0);
    stage_done(&s);
}

// Other settings lose no sample.
static void test_a_reload_loses_nothing(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    struct point p[POINTS_MAX];
    for (int i = 0; i < 4; i++) {
        set(&s, &vm->obj, FACT_VM_RSS, i);
        keep_configure(s.keep, i % 2 ? SET_VHERD : SET_ALL, false, NS_PER_S);
        sample(&s);
    }
    assert_int_equal(points_of(&s, "vherd_vm_resident_bytes", "domain", "web", p), 4);
    stage_done(&s);
}

static void test_a_rename_makes_another_series(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "old");
    struct object *vcpu = object_child(&vm->obj, KIND_VCPU, "0");
    set(&s, vcpu, FACT_VCPU_RUN, 1e9);
    sample(&s);
    herd_vm_rename(s.herd, vm, "new");
    set(&s, vcpu, FACT_VCPU_RUN, 2e9);
    sample(&s);
    struct point p[POINTS_MAX];
    const char *metric = "libvirt_domain_vcpu_time_seconds_total";
    assert_int_equal(points_of(&s, metric, "domain", "old", p), 2);
    assert_true(p[0].v == 1 && sample_is_stale(p[1].v));
    assert_int_equal(points_of(&s, metric, "domain", "new", p), 1);
    assert_true(p[0].v == 2);
    stage_done(&s);
}

static void test_attributes_that_are_no_labels_change_nothing(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    for (int i = 0; i < 4; i++) {
        object_set_attr(&vm->obj, ATTR_VM_PROCESS_STATE, i % 2 ? "R" : "S");
        set(&s, &vm->obj, FACT_VM_RSS, 4096 * (i + 1));
        sample(&s);
    }
    struct point p[POINTS_MAX];
    assert_int_equal(points_of(&s, "vherd_vm_resident_bytes", "domain", "web", p), 4);
    for (int i = 0; i < 4; i++)
        assert_true(p[i].v == 4096 * (i + 1));
    stage_done(&s);
}

// The process's state is a label of one series, and none of the others ends when it changes.
static void test_a_label_ends_what_carries_it(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    s.herd->max_age_ns[LANE_TURN] = 60 * NS_PER_S;
    for (int i = 0; i < 6; i++) {
        object_set_attr(&vm->obj, ATTR_VM_PROCESS_STATE, i < 3 ? "S" : "R");
        set(&s, &vm->obj, FACT_VM_RSS, 4096 * (i + 1));
        set(&s, &vm->obj, FACT_VM_THREADS, 5);
        sample(&s);
    }
    struct point p[POINTS_MAX];
    assert_int_equal(points_of(&s, "vherd_vm_process_threads", "state", "S", p), 4);
    assert_true(p[2].v == 5 && sample_is_stale(p[3].v));
    assert_int_equal(points_of(&s, "vherd_vm_process_threads", "state", "R", p), 3);
    assert_int_equal(points_of(&s, "vherd_vm_resident_bytes", "domain", "web", p), 6);
    for (int i = 0; i < 6; i++)
        assert_true(p[i].v == 4096 * (i + 1));
    stage_done(&s);
}

static void test_slow_lanes_are_repeated_then_ended(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    s.herd->max_age_ns[LANE_MEMORY] = 100 * NS_PER_S;
    set(&s, &vm->obj, FACT_VM_GUEST_UNUSED, 1000);
    for (int i = 0; i < 140; i++)
        sample(&s);
    struct point p[POINTS_MAX];
    size_t n = points_of(&s, "libvirt_domain_memory_stats_unused_bytes", "domain", "web", p);
    // The reading, a repetition each thirty seconds while it is fresh, the marker after 100 s.
    assert_int_equal(n, 5);
    for (size_t i = 0; i + 1 < n; i++) {
        assert_true(p[i].v == 1000);
        assert_int_equal(p[i].t_ms, T0_MS + (int64_t)i * 30000);
    }
    assert_true(sample_is_stale(p[n - 1].v));
    assert_int_equal(p[n - 1].t_ms, T0_MS + 101000);
    stage_done(&s);
}

static void test_what_is_delivered_is_not_repeated(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    for (int i = 0; i < 90; i++) {
        if (i % 10 == 3)
            set(&s, &vm->obj, FACT_VM_GUEST_UNUSED, i);
        sample(&s);
    }
    struct point p[POINTS_MAX];
    size_t n = points_of(&s, "libvirt_domain_memory_stats_unused_bytes", "domain", "web", p);
    assert_int_equal(n, 9);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p[i].t_ms, T0_MS + 3000 + (int64_t)i * 10000);
    stage_done(&s);
}

// What vherd says of itself comes with each sample; five of them make one in the store.
static void test_flags_are_kept_when_they_change(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    for (int i = 0; i < 20; i++) {
        if (i == 8)
            object_set_attr(&vm->obj, ATTR_VM_FLAG, "stopped");
        set(&s, &vm->obj, FACT_VM_STALLED, i >= 8);
        sample(&s);
    }
    struct point p[POINTS_MAX];
    const int at[] = {0, 5, 8, 10, 15};
    assert_int_equal(points_of(&s, "vherd_vm_stalled", "domain", "web", p), ARRAY_LEN(at));
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        assert_int_equal(p[i].t_ms, T0_MS + at[i] * 1000);
        assert_true(p[i].v == (at[i] >= 8));
    }
    stage_done(&s);
}

static void test_an_event_counter_begins_with_nothing(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    sample(&s);
    struct object *counter = object_child(&vm->obj, KIND_EVENT, "crashed");
    counter->before_ns = s.clock.mono;
    set(&s, counter, FACT_EVENT_COUNT, 1);
    int64_t at = keep_now(s.keep, vm, s.clock.mono);
    sample(&s);
    struct point p[POINTS_MAX];
    assert_true(points_of(&s, "vherd_event_total", "event", "crashed", p) >= 2);
    assert_int_equal(p[0].t_ms, at - 1);
    assert_true(p[0].v == 0);
    assert_int_equal(p[1].t_ms, at);
    assert_true(p[1].v == 1);
    // Without anybody who hurries, with the next sample.
    struct object *other = object_child(&vm->obj, KIND_EVENT, "watchdog");
    other->before_ns = s.clock.mono;
    set(&s, other, FACT_EVENT_COUNT, 2);
    sample(&s);
    assert_int_equal(points_of(&s, "vherd_event_total", "event", "watchdog", p), 2);
    assert_true(p[0].v == 0 && p[1].v == 2);
    object_remove(other);
    // Another name is not another birth.
    for (int i = 0; i < 30; i++)
        sample(&s);
    herd_vm_rename(s.herd, vm, "shop");
    set(&s, counter, FACT_EVENT_COUNT, 2);
    sample(&s);
    size_t n = points_of(&s, "vherd_event_total", "domain", "shop", p);
    assert_int_equal(n, 1);
    assert_true(p[0].v == 2);
    stage_done(&s);
}

static void test_the_host_is_kept_between_samples(void **state)
{
    struct stage s;
    stage_init(&s);
    set(&s, s.herd->host, FACT_HOST_LIBVIRT_UP, 1);
    assert_int_equal(keep_host_now(s.keep, s.clock.mono), 0); // before the first sample
    sample(&s);
    s.clock.mono -= NS_PER_S / 2;
    set(&s, s.herd->host, FACT_HOST_LIBVIRT_UP, 0);
    int64_t at = keep_host_now(s.keep, s.clock.mono);
    assert_int_equal(at, T0_MS + 500);
    struct point p[POINTS_MAX];
    assert_int_equal(points_of(&s, "libvirt_up", "job", "vherd", p), 2);
    assert_true(p[0].v == 1 && p[1].v == 0);
    assert_int_equal(p[1].t_ms, at);
    stage_done(&s);
}

static void test_state_is_not_shown_while_libvirt_is_away(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    set(&s, &vm->obj, FACT_VM_STATE, 1);
    sample(&s);
    s.herd->libvirt_up = false;
    sample(&s);
    sample(&s);
    s.herd->libvirt_up = true;
    sample(&s);
    struct point p[POINTS_MAX];
    assert_int_equal(points_of(&s, "libvirt_domain_info_vstate", "domain", "web", p), 3);
    assert_true(p[0].v == 1 && sample_is_stale(p[1].v) && p[2].v == 1);
    stage_done(&s);
}

static void test_a_clock_that_jumps_makes_no_interval_negative(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    for (int i = 0; i < 9; i++) {
        if (i == 3)
            s.clock.real -= 3 * NS_PER_S; // into time that is written already
        if (i == 6)
            s.clock.real += 3600 * NS_PER_S;
        set(&s, &vm->obj, FACT_VM_RSS, 4096 * (i + 1));
        sample(&s);
    }
    struct point p[POINTS_MAX];
    assert_int_equal(points_of(&s, "vherd_vm_resident_bytes", "domain", "web", p), 9);
    for (int i = 1; i < 9; i++)
        assert_true(p[i].t_ms > p[i - 1].t_ms);
    assert_true(p[5].t_ms - p[0].t_ms == 5000);
    assert_true(p[6].t_ms - p[5].t_ms > 3000 * 1000);
    stage_done(&s);
}

// A clock that was a day ahead, and right again: series that have samples of tomorrow go on.
static void test_a_clock_set_back_costs_no_samples(void **state)
{
    const int64_t ahead_ns[] = {6 * 3600 * NS_PER_S, 15 * 24 * 3600 * NS_PER_S,
                                90 * 24 * 3600 * NS_PER_S};
    for (size_t k = 0; k < ARRAY_LEN(ahead_ns); k++) {
        struct stage s;
        stage_init(&s);
        struct vm *vm = add_vm(&s, 1, "web");
        for (int i = 0; i < 9; i++) {
            if (i == 3)
                s.clock.real += ahead_ns[k];
            if (i == 6)
                s.clock.real -= ahead_ns[k];
            set(&s, &vm->obj, FACT_VM_RSS, 4096 * (i + 1));
            sample(&s);
        }
        struct point p[POINTS_MAX];
        assert_int_equal(points_of(&s, "vherd_vm_resident_bytes", "domain", "web", p), 9);
        assert_int_equal(keep_stats(s.keep).refused, 0);
        stage_done(&s);
    }
}

static void test_other_sets_after_a_reload(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    set(&s, &vm->obj, FACT_VM_RSS, 4096);
    sample(&s);
    keep_configure(s.keep, SET_TINKOFF, false, NS_PER_S);
    set(&s, &vm->obj, FACT_VM_RSS, 8192);
    sample(&s);
    struct point p[POINTS_MAX];
    assert_int_equal(points_of(&s, "vherd_vm_resident_bytes", "domain", "web", p), 2);
    assert_true(sample_is_stale(p[1].v));
    stage_done(&s);
}

static void test_completeness_of_a_lane(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    struct keep_lane lane;
    assert_false(keep_lane(s.keep, &vm->obj, LANE_KERNEL, &lane));
    for (int i = 0; i < 10; i++) {
        if (i != 4)
            set(&s, &vm->obj, FACT_VM_RSS, 4096);
        sample(&s);
    }
    assert_true(keep_lane(s.keep, &vm->obj, LANE_KERNEL, &lane));
    assert_int_equal(lane.delivered, 9);
    assert_int_equal(lane.last_ns - lane.first_ns, 9 * NS_PER_S);
    stage_done(&s);
}

static uint64_t gaps_of(struct stage *s, const char *domain)
{
    struct tsdb_quality *quality = NULL;
    size_t n = 0;
    uint64_t gaps = 0;
    assert_int_equal(tsdb_quality(s->db, "domain", &quality, &n), 0);
    for (size_t i = 0; i < n; i++)
        if (strcmp(quality[i].value, domain) == 0)
            gaps = quality[i].gaps;
    free(quality);
    return gaps;
}

// Lanes that are read less often while a guest idles, and repeated meanwhile, lack nothing.
static void test_a_change_of_pace_is_no_gap(void **state)
{
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    s.herd->max_age_ns[LANE_TURN] = 25 * NS_PER_S;
    s.herd->max_age_ns[LANE_MEMORY] = 90 * NS_PER_S;
    for (int i = 0; i < 600; i++) {
        bool is_idle = i / 100 % 2;
        set(&s, &vm->obj, FACT_VM_RSS, 4096);
        if (i % (is_idle ? 10 : 5) == 0)
            set(&s, &vm->obj, FACT_VM_EMULATOR_RUN, i);
        if (i % (is_idle ? 60 : 10) == 4)
            set(&s, &vm->obj, FACT_VM_GUEST_UNUSED, i);
        sample(&s);
    }
    assert_int_equal(gaps_of(&s, "web"), 0);
    // A sample of the one-second lane that is missing is one, though another lane goes on.
    set(&s, &vm->obj, FACT_VM_EMULATOR_RUN, 600);
    sample(&s);
    set(&s, &vm->obj, FACT_VM_RSS, 4096);
    sample(&s);
    assert_int_equal(gaps_of(&s, "web"), 1);
    stage_done(&s);
}

// A vCPU that ran longer than the time that passed is an error of ours; a wait is counted when it
// ends and may be longer.
static void test_what_a_vcpu_cannot_do_is_counted(void **state)
{
    static const struct {
        double run_ns, wait_ns;
        uint64_t impossible;
    } steps[] = {{0, 0, 0}, {1e9, 0, 0}, {1.5e9, 2.5e9, 0}, {3e9, 2.5e9, 1}};
    struct stage s;
    stage_init(&s);
    struct vm *vm = add_vm(&s, 1, "web");
    struct object *vcpu = object_child(&vm->obj, KIND_VCPU, "0");
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct tsdb_quality *quality = NULL;
        size_t n = 0;
        set(&s, vcpu, FACT_VCPU_RUN, steps[i].run_ns);
        set(&s, vcpu, FACT_VCPU_WAIT, steps[i].wait_ns);
        sample(&s);
        assert_int_equal(tsdb_quality(s.db, "domain", &quality, &n), 0);
        for (size_t k = 0; k < n; k++)
            if (strcmp(quality[k].value, "web") == 0)
                assert_int_equal(quality[k].impossible, steps[i].impossible);
        free(quality);
    }
    stage_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters_on_schedule),
        cmocka_unit_test(test_a_vm_that_goes_is_ended),
        cmocka_unit_test(test_a_vm_that_comes_back_goes_on),
        cmocka_unit_test(test_a_vm_that_comes_later),
        cmocka_unit_test(test_a_reload_loses_nothing),
        cmocka_unit_test(test_a_rename_makes_another_series),
        cmocka_unit_test(test_attributes_that_are_no_labels_change_nothing),
        cmocka_unit_test(test_a_label_ends_what_carries_it),
        cmocka_unit_test(test_slow_lanes_are_repeated_then_ended),
        cmocka_unit_test(test_what_is_delivered_is_not_repeated),
        cmocka_unit_test(test_flags_are_kept_when_they_change),
        cmocka_unit_test(test_an_event_counter_begins_with_nothing),
        cmocka_unit_test(test_the_host_is_kept_between_samples),
        cmocka_unit_test(test_state_is_not_shown_while_libvirt_is_away),
        cmocka_unit_test(test_a_clock_that_jumps_makes_no_interval_negative),
        cmocka_unit_test(test_a_clock_set_back_costs_no_samples),
        cmocka_unit_test(test_other_sets_after_a_reload),
        cmocka_unit_test(test_completeness_of_a_lane),
        cmocka_unit_test(test_a_change_of_pace_is_no_gap),
        cmocka_unit_test(test_what_a_vcpu_cannot_do_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
