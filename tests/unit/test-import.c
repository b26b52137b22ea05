// SPDX-License-Identifier: GPL-3.0-or-later
// Frames of an import into a real store, on a real loop.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "import.h"
#include "store_flow.h"
#include "tsdb-dir.h"
#include "tsdb/tail.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

struct bench {
    uv_loop_t loop;
    struct tsdb *db;
    struct store_flow *flow;
    struct imports *imports;
    struct samples_written written[16];
    uint32_t id[16];
    size_t answers, waits;
    int64_t now_ms;
};

static int append(void *arg, const struct label *label, size_t n, int64_t t_ms, double v)
{
    return store_flow_import(((struct bench *)arg)->flow, label, n, t_ms, v);
}

static int may_append(void *arg, int64_t t_ms)
{
    return store_flow_may_import(((struct bench *)arg)->flow, t_ms);
}

static void answer(void *arg, uint32_t id, const struct samples_written *written)
{
    struct bench *b = arg;
    b->id[b->answers] = id;
    b->written[b->answers++] = *written;
}

static void wait_for_room(void *arg)
{
    ((struct bench *)arg)->waits++;
}

static void open_store(struct bench *b, const char *dir)
{
    struct tsdb_options o;
    tsdb_options_init(&o);
    assert_int_equal(tsdb_open(dir, &o, &b->db, NULL), 0);
    b->flow = store_flow_new(b->db);
    struct imports_params p = {&b->loop, b->db, wait_for_room, append, may_append, answer, b};
    b->imports = imports_new(&p);
}

static void close_store(struct bench *b)
{
    imports_free(b->imports);
    store_flow_free(b->flow);
    tsdb_close(b->db);
}

static void begin(struct bench *b, const char *dir)
{
    *b = (struct bench){.now_ms = clock_real_ns(&clock_system) / NS_PER_MS};
    uv_loop_init(&b->loop);
    open_store(b, dir);
}

static void end(struct bench *b)
{
    close_store(b);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
}

// Samples of n series, i days ago for i from `first` to `last`.
static void add_dry(struct bench *b, uint32_t id, int n, int first, int last, bool is_dry)
{
    struct samples_writer *w = samples_writer_new(SAMPLES_FRAME_MAX);
    for (int i = first; i <= last; i++)
        for (int k = 0; k < n; k++) {
            char number[12];
            snprintf(number, sizeof(number), "%d", k);
            const struct label label[] = {{"__name__", "x"}, {"i", number}};
            assert_int_equal(samples_put(w, label, 2, b->now_ms - i * DAY_MS, i), 0);
        }
    size_t len = 0;
    const char *frame = samples_finish(w, &len);
    char *copy = malloc(len);
    memcpy(copy, frame, len);
    imports_add(b->imports, id, copy, len, is_dry);
    samples_writer_free(w);
}

static void add(struct bench *b, uint32_t id, int n, int first, int last)
{
    add_dry(b, id, n, first, last, false);
}

static void expect(const struct bench *b, size_t i, uint32_t id, uint64_t samples,
                   uint64_t duplicate, uint64_t late)
{
    assert_true(i < b->answers);
    assert_int_equal(b->id[i], id);
    assert_int_equal(b->written[i].samples, samples);
    assert_int_equal(b->written[i].duplicate, duplicate);
    assert_int_equal(b->written[i].late, late);
    assert_int_equal(b->written[i].rejected, duplicate + late);
}

// In the head, in blocks, in roll-ups alone, and among frames that come together.
static void test_what_is_there_is_a_duplicate(void **state)
{
    struct bench b;
    begin(&b, *state);
    add(&b, 1, 300, 1, 100);
    add(&b, 2, 300, 1, 101);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    expect(&b, 0, 1, 30000, 0, 0);
    expect(&b, 1, 2, 300, 30000, 0);
    assert_int_equal(b.waits, 2);
    assert_int_equal(tsdb_settle(b.db, NULL), 0);
    close_store(&b);
    open_store(&b, *state); // now the clock is believed, as it goes on from what is stored
    struct tsdb_status s;
    for (int i = 0; i < 1000; i++, usleep(10000)) {
        tsdb_status(b.db, &s);
        if (s.oldest_ms > b.now_ms - 120 * DAY_MS && s.block_samples[0] < 300 * 32)
            break; // samples older than 30 days are gone
    }
    assert_in_range(s.block_samples[0], 1, 300 * 31);
    add(&b, 3, 300, 1, 102);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    expect(&b, 2, 3, 300, 300 * 101, 0);
    end(&b);
}

static void delete_until(struct bench *b, int64_t end_ms)
{
    const struct query_matcher m = {QUERY_EQUAL, "__name__", "x", NULL};
    assert_int_equal(tsdb_delete(b->db, &m, 1, 0, end_ms, NULL), 0);
}

// What is put right is imported again at once: it stays, also when the head is written.
static void test_what_was_deleted_can_come_again(void **state)
{
    struct bench b;
    begin(&b, *state);
    add(&b, 1, 3, 1, 20);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    delete_until(&b, b.now_ms - 5 * DAY_MS);
    add(&b, 2, 3, 1, 20);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    expect(&b, 1, 2, 3 * 16, 3 * 4, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tsdb_settle(b.db, NULL), 0);
        add(&b, 3, 3, 1, 20);
        uv_run(&b.loop, UV_RUN_DEFAULT);
        expect(&b, 2 + i, 3, 0, 3 * 20, 0);
    }
    end(&b);
}

// Also the newest sample of a series, of which the head knows the time.
static void test_the_newest_can_come_again(void **state)
{
    const struct query_matcher m = {QUERY_NOT_EQUAL, "i", "2", NULL};
    struct bench b;
    begin(&b, *state);
    add(&b, 1, 3, 1, 20);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    assert_int_equal(tsdb_delete(b.db, &m, 1, 0, b.now_ms, NULL), 0);
    add(&b, 2, 3, 1, 20);
    add(&b, 3, 3, 1, 20);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    expect(&b, 1, 2, 2 * 20, 20, 0);
    expect(&b, 2, 3, 0, 3 * 20, 0);
    end(&b);
}

// The log is read yet and would bring back what was deleted, so the deletion stays.
static void test_what_would_be_deleted_is_refused(void **state)
{
    struct bench b;
    struct tsdb_tail *tail = NULL;
    begin(&b, *state);
    assert_int_equal(tsdb_tail_open(b.db, "far", &(struct tsdb_tail_position){0}, &tail, NULL), 0);
    add(&b, 1, 3, 1, 20);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    delete_until(&b, b.now_ms);
    add(&b, 2, 3, 1, 21);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    assert_int_equal(b.written[1].samples, 0);
    assert_int_equal(b.written[1].rejected, 3 * 21);
    assert_non_null(strstr(b.written[1].reason, "deletion"));
    tsdb_tail_close(tail);
    end(&b);
}

static void test_what_cannot_be_taken(void **state)
{
    struct bench b;
    begin(&b, *state);
    add(&b, 1, 1, 2000, 2001);   // beyond all that is kept
    add(&b, 2, 1, -2000, -2000); // ahead of the clock
    struct samples_writer *w = samples_writer_new(SAMPLES_FRAME_MAX);
    const struct label twice[] = {{"__name__", "x"}, {"a", "1"}, {"a", "2"}};
    assert_int_equal(samples_put(w, twice, 3, b.now_ms, 1), 0);
    size_t len = 0;
    const char *frame = samples_finish(w, &len);
    char *copy = malloc(len);
    memcpy(copy, frame, len);
    imports_add(b.imports, 3, copy, len, false);
    imports_add(b.imports, 4, strdup("\1Vnonsense"), 10, false);
    imports_add(b.imports, 5, NULL, 0, false);
    samples_writer_free(w);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    expect(&b, 0, 1, 0, 0, 2);
    expect(&b, 1, 2, 0, 0, 1);
    assert_int_equal(b.answers, 5);
    assert_int_equal(b.written[2].rejected, 1);
    assert_string_equal(b.written[2].reason, strerror(EINVAL));
    assert_int_equal(b.written[3].samples, 0);
    assert_int_equal(b.written[4].samples, 0);
    end(&b);
}

// A dry run says what the import then does, also of what is being deleted, which it leaves so.
static void test_a_dry_run(void **state)
{
    struct bench b;
    struct tsdb_status before, after;
    begin(&b, *state);
    add(&b, 1, 3, 5, 10);
    add(&b, 2, 3, 2000, 2000);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    delete_until(&b, b.now_ms - 8 * DAY_MS);
    tsdb_status(b.db, &before);
    for (int i = 0; i < 2; i++)
        add_dry(&b, 3, 3, -1, 10, true);
    add_dry(&b, 4, 3, 2000, 2000, true);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    tsdb_status(b.db, &after);
    assert_int_equal(after.appended.stored, before.appended.stored);
    assert_int_equal(after.head_samples, before.head_samples);
    add(&b, 5, 3, -1, 10);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    expect(&b, 2, 3, 3 * 8, 3 * 3, 3);
    expect(&b, 3, 3, 3 * 8, 3 * 3, 3);
    expect(&b, 4, 4, 0, 0, 3);
    expect(&b, 5, 5, 3 * 8, 3 * 3, 3);
    end(&b);
}

static void test_who_is_gone_hears_nothing(void **state)
{
    struct bench b;
    begin(&b, *state);
    add(&b, 1, 10, 1, 3);
    imports_forget_all(b.imports);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    assert_int_equal(b.answers, 0);
    add(&b, 2, 10, 1, 3);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    expect(&b, 0, 2, 0, 30, 0);
    for (uint32_t i = 0; imports_have_room(b.imports); i++)
        add(&b, 3 + i, 1000, 1, 30);
    end(&b); // in the middle
    assert_in_range(b.answers, 1, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TSDB_TEST(test_what_is_there_is_a_duplicate),
                                       TSDB_TEST(test_what_was_deleted_can_come_again),
                                       TSDB_TEST(test_the_newest_can_come_again),
                                       TSDB_TEST(test_what_would_be_deleted_is_refused),
                                       TSDB_TEST(test_what_cannot_be_taken),
                                       TSDB_TEST(test_a_dry_run),
                                       TSDB_TEST(test_who_is_gone_hears_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
