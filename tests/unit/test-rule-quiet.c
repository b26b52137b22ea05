// SPDX-License-Identifier: GPL-3.0-or-later
// The rules that come with vherd over a herd in which nothing is wrong: idle, paused, saved, shut
// down and rebooted VMs, under a clock of our own. They say nothing; of a crash they do.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "collect/collector.h"
#include "collect/keep.h"
#include "rule/eval.h"
#include "tsdb-dir.h"
#include "virt/memory.h"

#define VMS 6
#define PAUSED 3
#define SHUT_OFF 5

struct stage {
    struct clock_fake clock;
    struct conf *conf;
    struct herd *herd;
    struct collector *collector;
    struct host *host;
    struct tsdb *db;
    struct keep *keep;
    struct rule_files files;
    struct rule_group_run *group;
    size_t n_groups;
    struct rule_env env;
};

static void on_wake(void *arg) {} // all is settled after each sample

static void sampled(int64_t mono_ns, void *arg)
{
    struct stage *s = arg;
    assert_int_equal(keep_sample(s->keep, mono_ns, s->clock.real), 0);
}

static int write_samples(void *arg, const struct rule_sample *sample, size_t n, struct err *err)
{
    const struct tsdb_kind_of kind = {.kind = TSDB_DOUBLE};
    for (size_t i = 0; i < n; i++) {
        uint32_t ref;
        int r = tsdb_series(arg, sample[i].labels->label, sample[i].labels->n, &kind, &ref, err);
        if (r < 0)
            return r;
        if (sample_is_stale(sample[i].v))
            (void)tsdb_append_stale(arg, ref, sample[i].t_ms);
        else
            (void)tsdb_append_one(arg, ref, sample[i].t_ms, sample[i].v);
        tsdb_release(arg, ref);
    }
    return 0;
}

static void open_rules(struct stage *s)
{
    struct rule_errors errors = {0};
    const char *data = getenv("VHERD_TEST_DATA");
    assert_non_null(data);
    assert_int_equal(rule_files_glob(&s->files, data, "../../rules/*.yml", &errors), 0);
    s->env = (struct rule_env){.source = tsdb_source(s->db),
                               .clock = &s->clock.clock,
                               .interval_ms = 15000,
                               .resend_delay_ms = 60000,
                               .hold_gaps = true,
                               .external_url = "",
                               .write = write_samples,
                               .arg = s->db};
    assert_int_equal(rule_groups_new(&s->files, &s->env, &s->group, &s->n_groups), 0);
    assert_true(rule_files_count(&s->files) > 50);
}

static void stage_open(struct stage *s, const char *directory)
{
    *s = (struct stage){0};
    struct err err = {0};
    clock_fake_init(&s->clock, 1000 * NS_PER_S, INT64_C(1700000000) * NS_PER_S);
    memory_reset(&s->clock.clock);
    s->conf = conf_new();
    s->herd = herd_new();
    struct tsdb_options options;
    tsdb_options_init(&options);
    options.clock = &s->clock.clock;
    options.late_ms = KEEP_LATE_MS;
    assert_int_equal(tsdb_open(directory, &options, &s->db, &err), 0);
    struct keep_params keep = {s->db, s->herd, SET_ALL, false, "vherd", "host-1", NS_PER_S};
    s->keep = keep_new(&keep);
    struct collector_params params = {
        .conf = s->conf,
        .uri = "memory:///?vms=6&vcpus=1&disks=1&nics=1",
        .virt = &virt_memory,
        .host = &host_memory,
        .clock = &s->clock.clock,
        .herd = s->herd,
        .wake = on_wake,
        .sampled = sampled,
        .arg = s,
        .no_sampler = true,
        .no_threads = true,
    };
    assert_int_equal(collector_new(&params, &s->collector, &err), 0);
    struct host_params host = {"/", &s->clock.clock, true};
    assert_int_equal(host_memory.open(&host, &s->host, &err), 0);
    open_rules(s);
}

static void stage_close(struct stage *s)
{
    collector_free(s->collector);
    host_memory.close(s->host);
    rule_groups_free(s->group, s->n_groups);
    rule_files_done(&s->files);
    keep_free(s->keep);
    tsdb_close(s->db);
    herd_free(s->herd);
    conf_free(s->conf);
    memory_reset(&clock_system);
}

static void evaluate(struct stage *s, struct rule_group_run *g)
{
    struct rule_update update = {0};
    struct err err = {0};
    assert_int_equal(rule_group_eval(g, &s->env, s->clock.real / NS_PER_MS, NULL, &update, &err),
                     0);
    rule_update_done(&update);
    for (size_t i = 0; i < g->n_runs; i++)
        assert_int_equal(g->run[i].failures, 0);
}

// A second: a sample, what follows from it, and the groups whose time it is.
static void second(struct stage *s, int number)
{
    struct host_sink sink = collector_sink(s->collector);
    clock_fake_advance(&s->clock, NS_PER_S);
    host_memory.scan(s->host, &sink);
    host_memory.sample(s->host, s->clock.mono, &sink);
    collector_settle(s->collector);
    for (size_t i = 0; i < s->n_groups; i++)
        if (number % (s->group[i].interval_ms / 1000) == 0)
            evaluate(s, &s->group[i]);
}

// Alerts that fire; their names go to `names`.
static size_t firing(const struct stage *s, char *names, size_t size)
{
    size_t n = 0;
    names[0] = '\0';
    for (size_t i = 0; i < s->n_groups; i++)
        for (size_t k = 0; k < s->group[i].n_runs; k++) {
            const struct rule_state *state = &s->group[i].run[k].state;
            for (size_t m = 0; m < state->n; m++)
                if (state->alert[m].alert.state == ALERT_FIRING) {
                    snprintf(names + strlen(names), size - strlen(names), "%s ",
                             alert_name(&state->alert[m].alert));
                    n++;
                }
        }
    return n;
}

static const struct uuid *uuid_of(const struct stage *s, size_t i)
{
    return &s->herd->vms[i]->uuid;
}

static void run_quietly(struct stage *s, int from, int until)
{
    char names[1024];
    for (int i = from; i < until; i++) {
        second(s, i);
        if (firing(s, names, sizeof(names)) > 0)
            fail_msg("after %d s: %s", i, names);
    }
}

static void test_nothing_is_told_of_what_is_well(void **state)
{
    struct stage s;
    char names[1024];
    stage_open(&s, *state);
    run_quietly(&s, 1, 60);
    assert_int_equal(s.herd->n_vms, VMS);
    struct uuid paused = *uuid_of(&s, 1), saved = *uuid_of(&s, 2), off = *uuid_of(&s, 3),
                destroyed = *uuid_of(&s, 4), reboots = *uuid_of(&s, 5);
    // libvirt's reasons: paused by a user; saved; shut down; destroyed.
    assert_int_equal(memory_stop(&paused, PAUSED, 1), 0);
    assert_int_equal(memory_stop(&saved, SHUT_OFF, 5), 0);
    assert_int_equal(memory_stop(&off, SHUT_OFF, 1), 0);
    assert_int_equal(memory_stop(&destroyed, SHUT_OFF, 2), 0);
    for (int k = 0; k < 4; k++) {
        int from = 60 + k * 285;
        run_quietly(&s, from, from + 280);
        // Off and on again, as somebody does who works on it.
        if (k % 2 == 0)
            assert_int_equal(memory_stop(&reboots, SHUT_OFF, 1), 0);
        run_quietly(&s, from + 280, from + 285);
        if (k % 2 == 0)
            assert_int_equal(memory_start(&reboots), 0);
    }
    // Else the silence would prove nothing.
    assert_int_equal(memory_stop(&reboots, SHUT_OFF, 3), 0);
    for (int i = 1200; i <= 1260; i++)
        second(&s, i);
    assert_int_equal(firing(&s, names, sizeof(names)), 1);
    assert_string_equal(names, "VmCrashed ");
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TSDB_TEST(test_nothing_is_told_of_what_is_well)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
