// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "block.h"
#include "pin.h"
#include "regex/regex.h"
#include "tsdb-dir.h"

#define START INT64_C(1700006400000)
#define HOURS2 INT64_C(7200000)
#define SERIES 30
#define N 9000

DEFINE_FREEP(struct labels, labels_free, labels_freep)

static const struct block_meta meta = {.window_start_ms = START,
                                       .window_end_ms = START + HOURS2,
                                       .level = 1,
                                       .deletions = 3,
                                       .serial = 7};

static struct labels *labels_of(int i)
{
    char number[16];
    snprintf(number, sizeof(number), "%02d", i);
    struct label label[] = {{"__name__", "x"}, {"i", number}, {"even", i % 2 ? "" : "yes"}};
    return labels_new(label, 3);
}

static struct block_writer *writer(int dirfd)
{
    struct block_writer *w = NULL;
    assert_int_equal(block_writer_new(dirfd, &meta, &w), 0);
    return w;
}

// Even series are whole numbers, all the same; odd ones doubles that differ.
static void fill(struct block_writer *w)
{
    static int64_t t[N], whole[N];
    static double real[N];
    for (int k = 0; k < N; k++) {
        t[k] = START + 1 + k * 700;
        whole[k] = k * k;
    }
    for (int place = 0; place < SERIES; place++) {
        // In the order of labels: those that have the label "even" come first.
        int i = place < SERIES / 2 ? 2 * place : 2 * place - SERIES + 1;
        CLEANUP(labels_freep) struct labels *l = labels_of(i);
        assert_int_equal(block_writer_series(w, l, i % 2 ? TSDB_DOUBLE : TSDB_SCALED, 0), 0);
        for (int k = 0; k < N; k++)
            real[k] = k % 100 + i / 10.0;
        assert_int_equal(i % 2 ? block_writer_f64(w, t, real, N) : block_writer_i64(w, t, whole, N),
                         0);
    }
    assert_int_equal(block_writer_samples(w), SERIES * N);
}

static struct block *reopen(int dirfd)
{
    struct block *b = NULL;
    struct err err = {0};
    char name[96];
    block_name(&meta, name, sizeof(name));
    if (block_open(dirfd, name, &b, &err) < 0)
        fail_msg("%s", err.message);
    return b;
}

static void check_series(const struct block *b, int i)
{
    static double v[N];
    static int64_t t[N];
    CLEANUP(labels_freep) struct labels *l = labels_of(i);
    struct block_series s;
    assert_int_equal(block_find(b, l, &s), 0);
    assert_true(block_labels_equal(b, &s, l));
    assert_int_equal(s.n_chunks, 2);
    int next = 0;
    for (uint32_t k = 0; k < s.n_chunks; k++) {
        struct block_chunk c;
        assert_int_equal(block_next_chunk(b, &s, &c), 0);
        assert_int_equal(block_times(b, &c, t), 0);
        assert_int_equal(block_values_f64(b, &s, &c, v), 0);
        for (uint32_t j = 0; j < c.n; j++, next++) {
            assert_int_equal(t[j], START + 1 + next * 700);
            assert_true(v[j] == (i % 2 ? next % 100 + i / 10.0 : (double)next * next));
        }
    }
    assert_int_equal(next, N);
}

static void test_written_and_read(void **state)
{
    CLEANUP(closep) int dirfd = open(*state, O_RDONLY | O_DIRECTORY);
    struct block_writer *w = writer(dirfd);
    fill(w);
    assert_int_equal(block_writer_finish(w, 42), 0);
    struct block *b = reopen(dirfd);
    assert_int_equal(b->meta.log_covered, 42);
    assert_int_equal(b->meta.n_series, SERIES);
    assert_int_equal(b->meta.n_samples, SERIES * N);
    assert_int_equal(b->meta.n_chunks, SERIES * 2);
    assert_int_equal(b->meta.min_ms, START + 1);
    assert_int_equal(b->meta.deletions, 3);
    for (int i = 0; i < SERIES; i++)
        check_series(b, i);
    CLEANUP(labels_freep) struct labels *absent = labels_of(77);
    struct block_series s;
    assert_int_equal(block_find(b, absent, &s), -ENOENT);
    block_free(b);
}

// 15 series with the same values cost about what one costs; times are there once.
static void test_equal_columns_once(void **state)
{
    CLEANUP(closep) int dirfd = open(*state, O_RDONLY | O_DIRECTORY);
    struct block_writer *w = writer(dirfd);
    fill(w);
    assert_int_equal(block_writer_finish(w, 0), 0);
    struct block *b = reopen(dirfd);
    struct block_series s;
    struct block_chunk first, c;
    for (uint32_t i = 0; i < SERIES; i++) {
        assert_int_equal(block_series(b, i, &s), 0);
        assert_int_equal(block_next_chunk(b, &s, &c), 0);
        if (i == 0)
            first = c;
        assert_int_equal(c.times, first.times);
        assert_int_equal(c.column[0] == first.column[0], i < SERIES / 2);
    }
    block_free(b);
}

static void test_given_up(void **state)
{
    CLEANUP(closep) int dirfd = open(*state, O_RDONLY | O_DIRECTORY);
    struct block_writer *w = writer(dirfd);
    fill(w);
    block_writer_abort(w);
    assert_int_equal(rmdir(*state), 0); // nothing is left
    assert_int_equal(mkdir(*state, 0700), 0);
}

static uint32_t count(const struct block *b, enum query_match match, const char *name,
                      const char *value)
{
    struct regex *re = NULL;
    if (match == QUERY_REGEX || match == QUERY_NOT_REGEX)
        assert_int_equal(regex_new(value, true, &re, NULL), 0);
    struct query_matcher m = {match, name, value, re};
    struct match_index index = block_index(b);
    CLEANUP(freep) uint64_t *bits = NULL;
    assert_int_equal(match_bits(&index, &m, 1, &bits), 0);
    uint32_t n = 0;
    for (uint32_t i = 0; (i = match_next(bits, b->meta.n_series, i)) != UINT32_MAX; i++)
        n++;
    regex_free(re);
    return n;
}

static void test_matching(void **state)
{
    CLEANUP(closep) int dirfd = open(*state, O_RDONLY | O_DIRECTORY);
    struct block_writer *w = writer(dirfd);
    fill(w);
    assert_int_equal(block_writer_finish(w, 0), 0);
    struct block *b = reopen(dirfd);
    assert_int_equal(count(b, QUERY_EQUAL, "__name__", "x"), 30);
    assert_int_equal(count(b, QUERY_EQUAL, "even", "yes"), 15);
    assert_int_equal(count(b, QUERY_EQUAL, "even", ""), 15);
    assert_int_equal(count(b, QUERY_NOT_EQUAL, "even", "no"), 30);
    assert_int_equal(count(b, QUERY_REGEX, "i", "0."), 10);
    assert_int_equal(count(b, QUERY_REGEX, "i", "01|29|99"), 2);
    assert_int_equal(count(b, QUERY_NOT_REGEX, "i", "0."), 20);
    assert_int_equal(count(b, QUERY_REGEX, "absent", ".+"), 0);
    block_free(b);
}

static void mark(void *p)
{
    ++*(int *)p;
}

static void test_pins(void **state)
{
    struct pins pins;
    struct pin first, second;
    int a = 0, b = 0, c = 0;
    pins_init(&pins);
    pin_retire(&pins, mark, &a);
    assert_int_equal(a, 1); // nobody reads: at once
    pin_enter(&pins, &first);
    pin_retire(&pins, mark, &b);
    pin_enter(&pins, &second);
    pin_retire(&pins, mark, &c);
    assert_int_equal(b + c, 0);
    pin_leave(&pins, &first);
    assert_int_equal(b, 1); // the second began later
    assert_int_equal(c, 0);
    pin_leave(&pins, &second);
    assert_int_equal(c, 1);
    pins_done(&pins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TSDB_TEST(test_written_and_read), TSDB_TEST(test_equal_columns_once),
        TSDB_TEST(test_given_up),         TSDB_TEST(test_matching),
        cmocka_unit_test(test_pins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
