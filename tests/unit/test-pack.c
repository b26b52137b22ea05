// SPDX-License-Identifier: GPL-3.0-or-later
// The trace reader, learned lifetimes, online and offline packing.
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
#include "place/pack.h"

static const char flavours[] = "1,1.75 b\n2,3.5 g\n16,112 d\n";
static const char intervals[] = "0 0\n300 1\n600 2\n900 2\n1200 2\n";
static const char arrivals[] = "1000 b,b,|,g\n1300\n1600 d,|,b,|\n";
static const char lifetimes[] = "1000 U0,U1,|,C2\n1300\n1600 U2,|,U1,|\n";

static int read_trace(const char *f, const char *a, const char *l, const char *i,
                      struct place_arrivals *ret, struct err *err)
{
    struct place_text texts[ARRIVALS_TEXTS] = {
        {"f", f, strlen(f)}, {"a", a, strlen(a)}, {"l", l, strlen(l)}, {"i", i, strlen(i)}};
    return place_arrivals_read(texts, ret, err);
}

static void test_reader(void **state)
{
    struct place_arrivals a;
    struct err err = {0};
    if (read_trace(flavours, arrivals, lifetimes, intervals, &a, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(a.n, 5);
    assert_int_equal(a.n_batches, 4);
    assert_int_equal(a.batch_size[0], 2);
    assert_int_equal(a.start_s, 1000);
    assert_int_equal(a.end_s, 1900);
    assert_int_equal(a.vms[0].leaves_s, 1000);
    assert_int_equal(a.vms[1].leaves_s, 1300);
    assert_true(a.vms[2].leaves_s == INT64_MAX);
    assert_int_equal(a.vms[3].leaves_s, 1600 + 900); // the middle of 600 … 1200
    assert_int_equal(a.flavours['g'].of[PLACE_CPU], 2000);
    assert_int_equal(a.flavours['b'].of[PLACE_MEMORY], INT64_C(7) << 28);
    place_arrivals_done(&a);
}

static const struct {
    const char *f, *a, *l, *i, *message;
} wrong[] = {
    {"1 b\n", arrivals, lifetimes, intervals, "f:1:2: a comma is expected"},
    {"1,1.7500 b\n", arrivals, lifetimes, intervals,
     "f:1:8: more than three digits behind the point"},
    {flavours, "1000 z\n", lifetimes, intervals, "a:1:6: no such flavour"},
    {flavours, "1000 b\n900 b\n", lifetimes, intervals, "a:2:4: time does not go on"},
    {flavours, arrivals, "1000 U0\n", intervals, "l:2:1: fewer lifetimes than arrivals"},
    {flavours, "1000 b\n", "1000 U0,U0\n", intervals, "l:1:9: more lifetimes than arrivals"},
    {flavours, "1000 b\n", "1000 U9\n", intervals, "l:1:8: no such bin"},
    {flavours, "1000 b\n", "1000 X1\n", intervals, "l:1:6: U or C is expected"},
    {flavours, arrivals, lifetimes, "0 999\n", "i:1:5: the number is too large"},
};

static void test_reader_says_where(void **state)
{
    for (size_t k = 0; k < ARRAY_LEN(wrong); k++) {
        struct place_arrivals a;
        struct err err = {0};
        assert_int_equal(read_trace(wrong[k].f, wrong[k].a, wrong[k].l, wrong[k].i, &a, &err),
                         -EINVAL);
        assert_string_equal(err.message, wrong[k].message);
        assert_null(a.vms);
    }
}

static double median_of(struct place_lifetimes *l, uint32_t class_id, double age_s)
{
    float s[PLACE_OUTLOOK];
    place_lifetimes_survival(l, class_id, age_s, s);
    for (int g = 1; g < PLACE_OUTLOOK; g++)
        assert_true(s[g] <= s[g - 1] && s[g] >= 0);
    return place_outlook_median_s(s);
}

static void test_lifetimes_are_learned_by_class(void **state)
{
    struct place_lifetimes *l = place_lifetimes_new();
    uint32_t brief = place_lifetimes_class(l, 1, 1), lasting = place_lifetimes_class(l, 2, 1);
    assert_int_equal(place_lifetimes_class(l, 1, 1), brief);
    // Without knowledge: the longer it has lived, the longer it will.
    assert_true(median_of(l, brief, 86400) > 5 * median_of(l, brief, 600));
    struct prng p;
    prng_init(&p, 1, 0);
    for (int i = 0; i < 3000; i++) {
        place_lifetimes_ended(l, brief, draw_exponential(&p, 1000));
        place_lifetimes_ended(l, lasting, draw_exponential(&p, 50000));
    }
    place_lifetimes_renew_begin(l);
    place_lifetimes_renew_end(l);
    double expected = log(2);
    assert_true(fabs(median_of(l, brief, 0) / 1000 - expected) < 0.1);
    assert_true(fabs(median_of(l, lasting, 0) / 50000 - expected) < 0.1);
    // Exponential lives have no memory.
    assert_true(fabs(median_of(l, lasting, 20000) / 50000 - expected) < 0.1);
    // A new flavour is taken for one of all.
    uint32_t unknown = place_lifetimes_class(l, 3, 1);
    place_lifetimes_renew_begin(l);
    place_lifetimes_renew_end(l);
    assert_true(median_of(l, unknown, 0) > 700 && median_of(l, unknown, 0) < 30000);
    place_lifetimes_free(l);
}

static void test_those_that_run_count_too(void **state)
{
    struct place_lifetimes *l = place_lifetimes_new();
    uint32_t c = place_lifetimes_class(l, 1, 1);
    for (int i = 0; i < 100; i++)
        place_lifetimes_ended(l, c, 300);
    place_lifetimes_renew_begin(l);
    place_lifetimes_renew_end(l);
    double without = median_of(l, c, 0);
    place_lifetimes_renew_begin(l);
    for (int i = 0; i < 900; i++)
        place_lifetimes_running(l, c, 80000);
    place_lifetimes_renew_end(l);
    assert_true(median_of(l, c, 0) > 20 * without);
    place_lifetimes_free(l);
}

// 400 VMs in batches: short ones come all the time, long ones hold hosts open.
static void make_trace(struct place_arrivals *a)
{
    struct prng p;
    prng_init(&p, 9, 0);
    *a = (struct place_arrivals){.start_s = 0, .end_s = 400 * 300};
    a->flavours['a'] = (struct place_vector){{1000, INT64_C(2) << 30}};
    a->flavours['b'] = (struct place_vector){{4000, INT64_C(8) << 30}};
    for (int64_t t = 0; t < 400; t++) {
        uint32_t size = 1 + (uint32_t)prng_below(&p, 8);
        bool lasts = prng_below(&p, 5) == 0;
        uint16_t flavour = prng_below(&p, 2) ? 'a' : 'b';
        mem_grow(&a->batch_size, &a->cap_batches, a->n_batches, sizeof(*a->batch_size));
        a->batch_size[a->n_batches] = size;
        for (uint32_t i = 0; i < size; i++) {
            int64_t life = lasts ? 100 + (int64_t)prng_below(&p, 60) : (int64_t)prng_below(&p, 8);
            mem_grow(&a->vms, &a->cap, a->n, sizeof(*a->vms));
            a->vms[a->n++] =
                (struct place_arrival){t * 300, (t + life) * 300, (uint32_t)a->n_batches, flavour};
        }
        a->n_batches++;
    }
}

static struct place_pack_result play(const struct place_arrivals *a, enum place_score score,
                                     bool known, int moves)
{
    struct place_pack_options options = {
        .score = score,
        .host = {.of = {[PLACE_CPU] = 32000, [PLACE_MEMORY] = INT64_C(64) << 30}},
        .n_hosts = 200,
        .known_ends = known,
        .moves_per_step = moves,
    };
    struct place_pack_result r;
    assert_int_equal(place_pack_online(a, &options, &r), 0);
    assert_int_equal(r.placed, a->n);
    assert_int_equal(r.refused, 0);
    assert_int_equal(r.breaches, 0);
    assert_true(r.mean_hosts >= r.mean_bound - 1e-9);
    assert_true(moves > 0 || r.moves == 0);
    return r;
}

static void test_online_packing(void **state)
{
    struct place_arrivals a;
    make_trace(&a);
    struct place_pack_result best = play(&a, PLACE_SCORE_BEST_FIT, false, 0);
    struct place_pack_result again = play(&a, PLACE_SCORE_BEST_FIT, false, 0);
    assert_memory_equal(&best, &again, sizeof(best));
    play(&a, PLACE_SCORE_DEPARTURE, false, 0);
    struct place_pack_result known = play(&a, PLACE_SCORE_DEPARTURE, true, 0);
    struct place_pack_result moved = play(&a, PLACE_SCORE_DEPARTURE, false, 5);
    assert_true(known.mean_hosts < best.mean_hosts);
    assert_true(moved.moves > 0 && moved.mean_hosts < best.mean_hosts);
    place_arrivals_done(&a);
}

static void test_too_few_hosts_refuse(void **state)
{
    struct place_arrivals a;
    make_trace(&a);
    struct place_pack_options options = {
        .score = PLACE_SCORE_BEST_FIT,
        .host = {.of = {[PLACE_CPU] = 8000, [PLACE_MEMORY] = INT64_C(64) << 30}},
        .n_hosts = 1};
    struct place_pack_result r;
    assert_int_equal(place_pack_online(&a, &options, &r), 0);
    assert_true(r.refused > 0 && r.placed + r.refused == a.n && r.breaches == 0);
    place_arrivals_done(&a);
}

static void test_offline_packing_is_near_the_bound(void **state)
{
    for (int g = 0; g < PLACE_GENERATORS; g++) {
        struct place_snapshot *s = place_generate(g, 600, 5);
        CLEANUP(freep) int32_t *hosts = calloc(s->n_vms, sizeof(*hosts));
        size_t used = place_pack_offline(s, 1000, hosts), bound = place_pack_bound(s);
        assert_true(used >= bound);
        assert_true((double)used <= 1.03 * (double)bound + 1);
        bool seen[600] = {false};
        size_t different = 0;
        for (size_t i = 0; i < s->n_vms; i++) {
            s->vms[i].host = hosts[i];
            different += !seen[hosts[i]];
            seen[hosts[i]] = true;
        }
        assert_int_equal(different, used);
        struct place_room room;
        assert_int_equal(place_room_init(&room, s), 0);
        assert_int_equal(place_count_breaches(&room), 0);
        place_room_done(&room);
        place_snapshot_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_reader_says_where),
        cmocka_unit_test(test_lifetimes_are_learned_by_class),
        cmocka_unit_test(test_those_that_run_count_too),
        cmocka_unit_test(test_online_packing),
        cmocka_unit_test(test_too_few_hosts_refuse),
        cmocka_unit_test(test_offline_packing_is_near_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
