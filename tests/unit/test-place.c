// SPDX-License-Identifier: GPL-3.0-or-later
// Filters, scores, the index against a plain search, moves; every constraint on random herds.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "near.h"
#include "place/choose.h"
#include "place/relocate.h"

#define GIB (INT64_C(1) << 30)

static int32_t add_host(struct place_snapshot *s, const char *name, int cpus, int gib)
{
    int32_t h = place_snapshot_add_host(s, name);
    s->hosts[h].capacity.of[PLACE_CPU] = (int64_t)cpus * PLACE_CPU_UNIT;
    s->hosts[h].capacity.of[PLACE_MEMORY] = gib * GIB;
    return h;
}

static int32_t add_vm(struct place_snapshot *s, const char *name, int cpus, int gib)
{
    int32_t v = place_snapshot_add_vm(s, name);
    s->vms[v].request.of[PLACE_CPU] = (int64_t)cpus * PLACE_CPU_UNIT;
    s->vms[v].request.of[PLACE_MEMORY] = gib * GIB;
    return v;
}

static void refused(const struct place_snapshot *s, int32_t vm, int32_t host, const char *expected)
{
    struct place_room room;
    struct place_refusal why;
    struct place_allow none = {0};
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1000);
    assert_int_equal(place_room_init(&room, s), 0);
    bool fits = place_filter_host(&room, vm, host, &none, &why);
    assert_true(fits == place_filter_host(&room, vm, host, &none, NULL));
    place_refusal_text(s, &why, &text);
    assert_string_equal(text.data, expected);
    place_room_done(&room);
}

static void test_each_filter_says_why(void **state)
{
    struct place_snapshot *s = place_snapshot_new();
    int32_t h = add_host(s, "h", 8, 16), other = add_host(s, "other", 8, 16);
    int32_t v = add_vm(s, "v", 4, 8), friend = add_vm(s, "friend", 1, 1);
    refused(s, v, h, "fits");
    s->vms[v].request.of[PLACE_CPU] = 9 * PLACE_CPU_UNIT;
    refused(s, v, h, "cpu: asks 9 CPUs, 8 CPUs left");
    s->vms[friend].host = h;
    s->vms[friend].request.of[PLACE_CPU] = 20 * PLACE_CPU_UNIT;
    refused(s, v, h, "cpu: asks 9 CPUs, none left: 12 CPUs over the limit");
    s->vms[friend].request.of[PLACE_CPU] = PLACE_CPU_UNIT;
    s->vms[friend].host = -1;
    s->hosts[h].overcommit_ratio[PLACE_CPU] = 2;
    refused(s, v, h, "fits");
    s->vms[friend].host = h;
    s->vms[v].request.of[PLACE_MEMORY] = 16 * GIB;
    refused(s, v, h, "memory: asks 16.0 GiB, 15.0 GiB left");
    s->vms[v].request.of[PLACE_MEMORY] = GIB;
    int32_t model = place_snapshot_trait(s, PLACE_TRAIT_CPU_MODEL, "EPYC");
    place_traits_add(&s->vms[v].needs, model);
    refused(s, v, h, "does not have CPU model \"EPYC\"");
    place_traits_add(&s->hosts[h].provides, model);
    int32_t label = place_snapshot_trait(s, PLACE_TRAIT_LABEL, "tier=test");
    place_traits_add(&s->vms[v].avoids, label);
    refused(s, v, h, "fits");
    place_traits_add(&s->hosts[h].provides, label);
    refused(s, v, h, "has label \"tier=test\", which the VM avoids");
    s->vms[v].avoids = (struct place_traits){0};
    s->vms[v].anti_affinity = s->vms[friend].anti_affinity =
        place_snapshot_group(s, "db", PLACE_APART);
    refused(s, v, h, "already has 1 of group \"db\"");
    s->vms[v].anti_affinity = -1;
    s->vms[v].affinity = s->vms[friend].affinity = place_snapshot_group(s, "app", PLACE_TOGETHER);
    refused(s, v, h, "fits");
    s->vms[v].needs = (struct place_traits){0};
    refused(s, v, other, "group \"app\" is on h");
    s->hosts[h].n_numa = 2;
    s->hosts[h].numa[0] = s->hosts[h].numa[1] = (struct place_numa_node){2000, 8 * GIB};
    s->vms[v].one_numa_node = true;
    refused(s, v, h, "no NUMA node has room for it");
    s->vms[v].request.of[PLACE_CPU] = 3000; // 2 × overcommit 2 = 4 CPUs a node
    refused(s, v, h, "fits");
    s->hosts[h].off = true;
    refused(s, v, h, "is powered down");
    s->hosts[h].maintenance = true;
    refused(s, v, h, "is in maintenance");
    place_snapshot_free(s);
}

static void impossible(const struct place_snapshot *s, int32_t vm, bool never, const char *expected)
{
    struct place_room room;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1000);
    assert_int_equal(place_room_init(&room, s), 0);
    assert_true(place_why_impossible(&room, vm, &(struct place_allow){0}, &text) == never);
    assert_string_equal(text.data, expected);
    place_room_done(&room);
}

static void test_impossible_requests_name_the_constraint(void **state)
{
    struct place_snapshot *s = place_snapshot_new();
    int32_t v = add_vm(s, "v", 4, 8);
    impossible(s, v, true, "there are no hosts");
    int32_t a = add_host(s, "a", 8, 4), b = add_host(s, "b", 2, 64);
    s->vms[v].request.of[PLACE_CPU] = 16 * PLACE_CPU_UNIT;
    impossible(s, v, true, "cpu: asks 16 CPUs, the largest host allows 8 CPUs");
    s->vms[v].request.of[PLACE_CPU] = 4 * PLACE_CPU_UNIT;
    impossible(s, v, true, "no host fulfils all constraints at once: capacity refuses 2");
    s->hosts[a].capacity.of[PLACE_MEMORY] = 64 * GIB;
    place_traits_add(&s->vms[v].needs, place_snapshot_trait(s, PLACE_TRAIT_STORAGE, "ssd"));
    impossible(s, v, true, "no host has storage pool \"ssd\"");
    place_traits_add(&s->hosts[a].provides, 0);
    s->hosts[a].maintenance = true;
    impossible(s, v, false, "none of 2 hosts takes it now: maintenance refuses 1, trait refuses 1");
    assert_int_equal(b, 1);
    place_snapshot_free(s);
}

static int32_t chosen(const struct place_snapshot *s, enum place_score score, int32_t vm)
{
    struct place_room room;
    assert_int_equal(place_room_init(&room, s), 0);
    struct place_chooser *c = place_chooser_new(&room, score, NULL, NULL, NULL);
    assert_non_null(c);
    int32_t host = place_choose(c, vm);
    place_chooser_free(c);
    place_room_done(&room);
    return host;
}

static void put_on(struct place_snapshot *s, int32_t host, int cpus, int gib)
{
    int32_t vm = add_vm(s, "guest", cpus, gib);
    s->vms[vm].host = host;
}

static void test_scores_differ_as_they_should(void **state)
{
    struct place_snapshot *s = place_snapshot_new();
    int32_t roomy = add_host(s, "roomy", 16, 64), tight = add_host(s, "tight", 16, 64);
    int32_t lean = add_host(s, "lean", 16, 64);
    put_on(s, roomy, 1, 1);
    put_on(s, tight, 11, 44);
    put_on(s, lean, 2, 40);
    // Wants CPU above all: "lean" has CPU left over for little memory.
    int32_t v = add_vm(s, "v", 4, 4);
    assert_int_equal(chosen(s, PLACE_SCORE_FIRST_FIT, v), roomy);
    assert_int_equal(chosen(s, PLACE_SCORE_BEST_FIT, v), tight);
    assert_int_equal(chosen(s, PLACE_SCORE_WORST_FIT, v), roomy);
    assert_int_equal(chosen(s, PLACE_SCORE_DOT_PRODUCT, v), roomy);
    place_snapshot_free(s);
}

static void test_fragmentation_keeps_room_for_what_is_usual(void **state)
{
    struct place_snapshot *s = place_snapshot_new();
    int32_t a = add_host(s, "a", 16, 64), b = add_host(s, "b", 16, 64);
    for (int i = 0; i < 10; i++)
        add_vm(s, "usual", 8, 8);
    put_on(s, a, 6, 6);  // 10 CPUs left: one usual VM fits, with 2 more it does, with 3 it does not
    put_on(s, b, 13, 6); // 3 left, of no use to the usual VM anyway
    int32_t v = add_vm(s, "v", 3, 3);
    assert_int_equal(chosen(s, PLACE_SCORE_FRAGMENTATION, v), b);
    place_snapshot_free(s);
}

static void test_departure_puts_together_what_ends_together(void **state)
{
    struct place_snapshot *s = place_snapshot_new();
    int32_t a = add_host(s, "a", 16, 64), b = add_host(s, "b", 16, 64);
    s->now_s = 1e9;
    put_on(s, a, 8, 8);
    put_on(s, b, 6, 6);
    s->vms[0].ends_s = s->now_s + 1000;
    s->vms[1].ends_s = s->now_s + 100000;
    int32_t v = add_vm(s, "v", 2, 2);
    s->vms[v].ends_s = s->now_s + 90000;
    assert_int_equal(chosen(s, PLACE_SCORE_DEPARTURE, v), b);
    s->vms[v].ends_s = s->now_s + 900;
    assert_int_equal(chosen(s, PLACE_SCORE_DEPARTURE, v), a);
    assert_int_equal(chosen(s, PLACE_SCORE_BEST_FIT, v), a);
    place_snapshot_free(s);
}

// A herd with everything: racks, traits, groups, NUMA nodes, maintenance, overcommit.
static struct place_snapshot *draw_herd(struct prng *p, size_t hosts, size_t vms)
{
    struct place_snapshot *s = place_snapshot_new();
    static const char *const labels[] = {"a", "b", "c"};
    char name[32];
    s->now_s = 1e9;
    for (size_t i = 0; i < hosts; i++) {
        snprintf(name, sizeof(name), "h%zu", i);
        int32_t h = add_host(s, name, prng_below(p, 2) ? 32 : 64, prng_below(p, 2) ? 128 : 256);
        struct place_host *host = &s->hosts[h];
        snprintf(name, sizeof(name), "rack%zu", i / 8);
        host->domain = place_snapshot_domain(s, name);
        host->maintenance = prng_below(p, 20) == 0;
        host->off = prng_below(p, 20) == 0;
        host->overcommit_ratio[PLACE_CPU] = prng_below(p, 2) ? 1 : 2;
        for (int t = 0; t < 3; t++)
            if (prng_below(p, 3))
                place_traits_add(&host->provides,
                                 place_snapshot_trait(s, PLACE_TRAIT_LABEL, labels[t]));
        host->n_numa = prng_below(p, 2) ? 2 : 0;
        for (int n = 0; n < host->n_numa; n++)
            host->numa[n] = (struct place_numa_node){host->capacity.of[PLACE_CPU] / 2,
                                                     host->capacity.of[PLACE_MEMORY] / 2};
    }
    for (size_t i = 0; i < vms; i++) {
        snprintf(name, sizeof(name), "v%zu", i);
        int32_t v = add_vm(s, name, 1 << prng_below(p, 5), 1 << prng_below(p, 6));
        struct place_vm *vm = &s->vms[v];
        vm->one_numa_node = prng_below(p, 4) == 0;
        vm->ends_s = prng_below(p, 2) ? NAN : s->now_s + 1e5 * prng_double(p);
        if (prng_below(p, 5) == 0)
            place_traits_add(&vm->needs, place_snapshot_trait(s, PLACE_TRAIT_LABEL, "a"));
        if (prng_below(p, 9) == 0)
            place_traits_add(&vm->avoids, place_snapshot_trait(s, PLACE_TRAIT_LABEL, "b"));
        snprintf(name, sizeof(name), "g%d", (int)prng_below(p, 20));
        if (prng_below(p, 5) == 0)
            vm->anti_affinity = place_snapshot_group(s, name, PLACE_APART);
        else if (prng_below(p, 9) == 0)
            vm->affinity = place_snapshot_group(s, name, PLACE_TOGETHER);
    }
    for (size_t g = 0; g < s->n_groups; g++)
        if (s->groups[g].kind == PLACE_APART) {
            s->groups[g].per_domain = prng_below(p, 2);
            s->groups[g].most = 1 + (int32_t)prng_below(p, 2);
        }
    return s;
}

static void test_no_score_ever_breaks_a_constraint(void **state)
{
    struct prng p;
    prng_init(&p, 2, 0);
    for (int round = 0; round < 30; round++) {
        struct place_snapshot *s = draw_herd(&p, 40, 300);
        struct err err = {0};
        assert_int_equal(place_snapshot_check(s, &err), 0);
        CLEANUP(freep) int32_t *vms = calloc(s->n_vms, sizeof(*vms));
        CLEANUP(freep) int32_t *at = calloc(s->n_vms, sizeof(*at));
        for (size_t i = 0; i < s->n_vms; i++)
            vms[i] = (int32_t)i;
        struct place_room room;
        assert_int_equal(place_room_init(&room, s), 0);
        struct place_chooser *c = place_chooser_new(&room, round % PLACE_SCORES, NULL, NULL, NULL);
        assert_true(place_many(c, vms, s->n_vms, at) > 50);
        // Some leave, others come: the index has to keep up.
        for (int i = 0; i < 400; i++) {
            int32_t v = (int32_t)prng_below(&p, s->n_vms);
            if (room.host_of[v] >= 0) {
                place_chooser_take(c, v);
                continue;
            }
            int32_t host = place_choose(c, v);
            if (host >= 0)
                place_chooser_put(c, v, host);
        }
        assert_int_equal(place_count_breaches(&room), 0);
        for (size_t i = 0; i < s->n_hosts; i++)
            assert_true(room.hosts[i].n_vms == 0 || (!s->hosts[i].maintenance && !s->hosts[i].off));
        place_chooser_free(c);
        place_room_done(&room);
        place_snapshot_free(s);
    }
}

static void test_breaches_are_seen(void **state)
{
    struct place_snapshot *s = place_snapshot_new();
    int32_t h = add_host(s, "h", 4, 8);
    put_on(s, h, 3, 3);
    put_on(s, h, 3, 3);
    s->vms[0].anti_affinity = s->vms[1].anti_affinity = place_snapshot_group(s, "x", PLACE_APART);
    place_traits_add(&s->vms[0].needs, place_snapshot_trait(s, PLACE_TRAIT_NETWORK, "lan"));
    struct place_room room;
    assert_int_equal(place_room_init(&room, s), 0);
    assert_int_equal(place_count_breaches(&room), 3); // CPU, group, network
    place_room_done(&room);
    place_snapshot_free(s);
}

// The index gives what looking at all hosts gives: running hosts first where the score is to pack.
static void test_index_agrees_with_a_plain_search(void **state)
{
    static const enum place_score packing[] = {PLACE_SCORE_BEST_FIT, PLACE_SCORE_FRAGMENTATION,
                                               PLACE_SCORE_DEPARTURE};
    struct prng p;
    prng_init(&p, 4, 0);
    for (int round = 0; round < 30; round++) {
        struct place_snapshot *s = draw_herd(&p, 60, 400);
        struct place_room room;
        assert_int_equal(place_room_init(&room, s), 0);
        enum place_score score = packing[round % ARRAY_LEN(packing)];
        struct place_chooser *c = place_chooser_new(&room, score, NULL, NULL, NULL);
        CLEANUP(freep) struct place_candidate *all = calloc(s->n_hosts, sizeof(*all));
        for (size_t i = 0; i < s->n_vms; i++) {
            int32_t host = place_choose(c, (int32_t)i);
            place_candidates(c, (int32_t)i, all);
            double best = INFINITY;
            bool running = false;
            for (size_t k = 0; k < s->n_hosts; k++) {
                bool has_vms = room.hosts[all[k].host].n_vms > 0;
                if (!all[k].fits || (running && !has_vms))
                    continue;
                if (has_vms && !running)
                    best = INFINITY;
                running |= has_vms;
                best = fmin(best, all[k].score);
            }
            if (host < 0) {
                assert_true(isinf(best));
                continue;
            }
            assert_int_equal(all[0].host, host);
            assert_true(all[0].fits);
            assert_near(all[0].score, best, 1e-9 + 1e-6 * fabs(best));
            place_chooser_put(c, (int32_t)i, host);
        }
        place_chooser_free(c);
        place_room_done(&room);
        place_snapshot_free(s);
    }
}

static void place_all(struct place_snapshot *s, enum place_score score)
{
    struct place_room room;
    CLEANUP(freep) int32_t *vms = calloc(s->n_vms, sizeof(*vms));
    CLEANUP(freep) int32_t *at = calloc(s->n_vms, sizeof(*at));
    for (size_t i = 0; i < s->n_vms; i++)
        vms[i] = (int32_t)i;
    assert_int_equal(place_room_init(&room, s), 0);
    struct place_chooser *c = place_chooser_new(&room, score, NULL, NULL, NULL);
    place_many(c, vms, s->n_vms, at);
    for (size_t i = 0; i < s->n_vms; i++) {
        s->vms[i].host = room.host_of[i];
        s->vms[i].numa_node = room.node_of[i];
    }
    place_chooser_free(c);
    place_room_done(&room);
}

static void apply(struct place_snapshot *s, const struct relocate_plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        const struct relocate_move *m = &plan->moves[i];
        assert_int_equal(s->vms[m->vm].host, m->from);
        assert_true(m->from != m->to);
        assert_true(m->reason == RELOCATE_EVACUATE || m->gain_joules > 0);
        s->vms[m->vm].host = m->to;
        s->vms[m->vm].numa_node = -1;
        s->vms[m->vm].one_numa_node = false; // the node is found by the room, not told by the plan
        s->vms[m->vm].moved_s = s->now_s;
        s->vms[m->vm].moved_from = m->from;
    }
}

static size_t breaches(const struct place_snapshot *s)
{
    struct place_room room;
    assert_int_equal(place_room_init(&room, s), 0);
    size_t n = place_count_breaches(&room);
    place_room_done(&room);
    return n;
}

static size_t vms_on(const struct place_snapshot *s, int32_t host)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_vms; i++)
        n += s->vms[i].host == host;
    return n;
}

static void test_evacuation_empties_or_names_who_is_stuck(void **state)
{
    struct prng p;
    size_t emptied = 0;
    prng_init(&p, 5, 0);
    for (int round = 0; round < 20; round++) {
        struct place_snapshot *s = draw_herd(&p, 40, 200);
        place_all(s, PLACE_SCORE_WORST_FIT);
        int32_t host = (int32_t)prng_below(&p, s->n_hosts);
        size_t before = vms_on(s, host);
        struct relocate_options options = {0};
        struct relocate_plan plan;
        assert_int_equal(relocate_evacuate(s, host, &options, &plan), 0);
        assert_int_equal(plan.n + plan.n_stuck, before);
        apply(s, &plan);
        assert_int_equal(vms_on(s, host), plan.n_stuck);
        assert_int_equal(breaches(s), 0);
        emptied += plan.n > 0;
        relocate_plan_done(&plan);
        place_snapshot_free(s);
    }
    assert_true(emptied > 10);
}

static void test_balance_evens_and_then_rests(void **state)
{
    struct prng p;
    prng_init(&p, 6, 0);
    for (int round = 0; round < 20; round++) {
        struct place_snapshot *s = draw_herd(&p, 40, 250);
        place_all(s, PLACE_SCORE_BEST_FIT);
        struct relocate_options options = {0};
        struct relocate_plan plan, again;
        assert_int_equal(relocate_balance(s, &options, &plan), 0);
        assert_true(plan.n > 0);
        assert_true(plan.spread_after < plan.spread_before);
        for (size_t i = 0; i < plan.n; i++)
            assert_true(plan.moves[i].gain_joules > plan.moves[i].cost_joules);
        apply(s, &plan);
        assert_int_equal(breaches(s), 0);
        // At once and two hours later: who came does not go back, and what is even stays.
        assert_int_equal(relocate_balance(s, &options, &again), 0);
        for (size_t i = 0; i < again.n; i++)
            assert_true(!(s->now_s - s->vms[again.moves[i].vm].moved_s < 3600));
        relocate_plan_done(&again);
        s->now_s += 7200;
        assert_int_equal(relocate_balance(s, &options, &again), 0);
        apply(s, &again);
        relocate_plan_done(&again);
        s->now_s += 7200;
        assert_int_equal(relocate_balance(s, &options, &again), 0);
        assert_true(again.n <= plan.n / 10);
        relocate_plan_done(&again);
        relocate_plan_done(&plan);
        place_snapshot_free(s);
    }
}

static void test_an_even_herd_is_left_alone(void **state)
{
    struct place_snapshot *s = place_snapshot_new();
    for (int h = 0; h < 10; h++) {
        int32_t host = add_host(s, "h", 16, 64);
        for (int i = 0; i < 4; i++)
            put_on(s, host, 2, 4);
    }
    struct relocate_options options = {0};
    struct relocate_plan plan;
    assert_int_equal(relocate_balance(s, &options, &plan), 0);
    assert_int_equal(plan.n, 0);
    relocate_plan_done(&plan);
    place_snapshot_free(s);
}

static void test_consolidation_frees_hosts(void **state)
{
    struct prng p;
    size_t freed = 0;
    prng_init(&p, 7, 0);
    for (int round = 0; round < 20; round++) {
        struct place_snapshot *s = draw_herd(&p, 40, 120);
        place_all(s, PLACE_SCORE_WORST_FIT);
        size_t used = 0, left = 0;
        for (size_t h = 0; h < s->n_hosts; h++)
            used += vms_on(s, (int32_t)h) > 0;
        struct relocate_options options = {.moves_max = 60};
        struct relocate_plan plan;
        assert_int_equal(relocate_consolidate(s, &options, &plan), 0);
        assert_true(plan.n <= 60);
        apply(s, &plan);
        for (size_t h = 0; h < s->n_hosts; h++)
            left += vms_on(s, (int32_t)h) > 0;
        assert_int_equal(used - left, plan.hosts_freed);
        assert_int_equal(breaches(s), 0);
        freed += plan.hosts_freed;
        relocate_plan_done(&plan);
        place_snapshot_free(s);
    }
    assert_true(freed > 40);
}

static void test_migration_forecast(void **state)
{
    struct place_migration m = place_migration_forecast(10 * INT64_C(1000000000), 0, 1000000000);
    assert_near(m.duration_s, 10.05, 1e-6);
    assert_true(m.converges);
    m = place_migration_forecast(10 * INT64_C(1000000000), 100000000, 1000000000);
    assert_true(m.converges && m.duration_s > 11 && m.duration_s < 11.3 && m.downtime_s < 0.35);
    m = place_migration_forecast(10 * INT64_C(1000000000), 2000000000, 1000000000);
    assert_false(m.converges);
    assert_true(m.downtime_s > 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_filter_says_why),
        cmocka_unit_test(test_impossible_requests_name_the_constraint),
        cmocka_unit_test(test_scores_differ_as_they_should),
        cmocka_unit_test(test_fragmentation_keeps_room_for_what_is_usual),
        cmocka_unit_test(test_departure_puts_together_what_ends_together),
        cmocka_unit_test(test_no_score_ever_breaks_a_constraint),
        cmocka_unit_test(test_breaches_are_seen),
        cmocka_unit_test(test_index_agrees_with_a_plain_search),
        cmocka_unit_test(test_evacuation_empties_or_names_who_is_stuck),
        cmocka_unit_test(test_balance_evens_and_then_rests),
        cmocka_unit_test(test_an_even_herd_is_left_alone),
        cmocka_unit_test(test_consolidation_frees_hosts),
        cmocka_unit_test(test_migration_forecast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
