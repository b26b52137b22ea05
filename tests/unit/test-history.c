// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "model/query.h"
#include "tool/history.h"
#include "tsdb/tsdb.h"

struct trace {
    struct history *h;
    struct buf text;
    int64_t stop_ms;
};

// "1000 a=1 b=2;"
static int step(void *arg, int64_t t_ms, const struct history_sample *sample, size_t n)
{
    struct trace *t = arg;
    if (t_ms == t->stop_ms)
        return -ECANCELED;
    buf_printf(&t->text, "%lld", (long long)t_ms);
    for (size_t i = 0; i < n; i++) {
        const struct labels *l = history_labels(t->h, sample[i].series);
        buf_printf(&t->text, " %s=", labels_get(l, "__name__"));
        if (sample_is_stale(sample[i].v))
            buf_puts(&t->text, "end");
        else
            buf_f64(&t->text, sample[i].v);
    }
    buf_putc(&t->text, ';');
    return 0;
}

static void assert_walk(struct history *h, int64_t start, int64_t end, const char *want)
{
    struct trace t = {.h = h};
    buf_init(&t.text, 1 << 16);
    assert_int_equal(history_walk(h, start, end, step, &t, NULL), 0);
    assert_string_equal(t.text.len ? t.text.data : "", want);
    buf_done(&t.text);
}

static int open_text(const char *text, struct history **ret, struct err *err)
{
    char path[] = "/tmp/vherd-history-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int r = history_open(path, ret, err);
    unlink(path);
    return r;
}

static void test_a_file_in_any_order_is_walked_by_time(void **state)
{
    struct history *h = NULL;
    assert_int_equal(open_text("# TYPE b gauge\n"
                               "b 1 2\n"
                               "b 2 1\n"
                               "a{x=\"1\"} 3 1.5\n"
                               "a{x=\"1\"} NaN 2\n"
                               "a{x=\"1\"} 9 2\n"
                               "# EOF\n",
                               &h, NULL),
                     0);
    assert_int_equal(history_count(h), 2);
    assert_int_equal(history_start_ms(h), 1000);
    assert_int_equal(history_end_ms(h), 2000);
    // Of two samples of one time the first counts.
    assert_walk(h, 0, INT64_MAX, "1000 b=2;1500 a=3;2000 b=1 a=end;");
    assert_walk(h, 1001, 1999, "1500 a=3;");
    assert_walk(h, 1000, 1000, "1000 b=2;");
    struct trace t = {.h = h, .stop_ms = 1500};
    buf_init(&t.text, 1 << 16);
    assert_int_equal(history_walk(h, 0, 9000, step, &t, NULL), -ECANCELED);
    buf_done(&t.text);
    history_free(h);
}

static void test_long_pauses(void **state)
{
    struct history *h = NULL;
    assert_int_equal(open_text("a 1 1\na 2 100000000\na 3 100000301\na 4 1700000000\n", &h, NULL),
                     0);
    assert_walk(h, 0, INT64_MAX, "1000 a=1;100000000000 a=2;100000301000 a=3;1700000000000 a=4;");
    history_free(h);
}

static void test_what_is_malformed_is_named(void **state)
{
    static const struct {
        const char *text;
        int line;
    } rows[] = {{"a 1 1\nb{ 2 1\n", 2}, {"a 1 1\nb 2\n", 2}, {"a 1 x\n", 1}, {"a{b=\"1", 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct history *h = NULL;
        struct err err = {0};
        assert_int_equal(open_text(rows[i].text, &h, &err), -EINVAL);
        assert_int_equal(err.line, rows[i].line);
        assert_null(h);
    }
    struct err err = {0};
    struct history *h = NULL;
    assert_int_equal(history_open("/nowhere/at/all", &h, &err), -ENOENT);
}

static void test_lines_across_pieces_and_line_numbers(void **state)
{
    // More than is read at once; the mistake stands in the last line.
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 16 << 20);
    for (int i = 0; i < 100000; i++)
        buf_printf(&text, "some_long_name{label=\"value\"} %d %d\n", i, i);
    struct history *h = NULL;
    assert_int_equal(open_text(text.data, &h, NULL), 0);
    assert_int_equal(history_end_ms(h), INT64_C(99999) * 1000);
    history_free(TAKE_PTR(h));
    buf_puts(&text, "wrong\n");
    struct err err = {0};
    assert_int_equal(open_text(text.data, &h, &err), -EINVAL);
    assert_int_equal(err.line, 100001);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void test_a_store_is_walked_like_a_file(void **state)
{
    char top[] = "/tmp/vherd-history-XXXXXX";
    assert_non_null(mkdtemp(top));
    struct history *h = NULL;
    // An empty directory is not made a store by looking at it.
    assert_int_equal(history_open(top, &h, NULL), -EINVAL);
    assert_int_equal(rmdir(top), 0);
    struct tsdb_options o;
    struct tsdb *db = NULL;
    tsdb_options_init(&o);
    assert_int_equal(tsdb_open(top, &o, &db, NULL), 0);
    struct tsdb_kind_of of = {.kind = TSDB_SCALED, .scale = 9};
    struct label a = {"__name__", "a"}, b = {"__name__", "b"};
    uint32_t ref_a, ref_b;
    assert_int_equal(tsdb_series(db, &a, 1, &of, &ref_a, NULL), 0);
    of = (struct tsdb_kind_of){.kind = TSDB_DOUBLE};
    assert_int_equal(tsdb_series(db, &b, 1, &of, &ref_b, NULL), 0);
    assert_int_equal(tsdb_append_one(db, ref_a, 1000, 1.5), 0);
    assert_int_equal(tsdb_append_one(db, ref_b, 1000, 2), 0);
    assert_int_equal(tsdb_append_one(db, ref_a, 2000, 2.5), 0);
    assert_int_equal(tsdb_append_stale(db, ref_a, 3000), 0);
    assert_int_equal(history_open(top, &h, NULL), -EBUSY);
    tsdb_close(db);
    assert_int_equal(history_open(top, &h, NULL), 0);
    assert_int_equal(history_count(h), 2);
    struct trace t = {.h = h};
    buf_init(&t.text, 1 << 16);
    assert_int_equal(history_walk(h, 0, INT64_MAX, step, &t, NULL), 0);
    // Which of two series has the lower number is the store's affair.
    assert_true(strcmp(t.text.data, "1000 a=1.5 b=2;2000 a=2.5;3000 a=end;") == 0 ||
                strcmp(t.text.data, "1000 b=2 a=1.5;2000 a=2.5;3000 a=end;") == 0);
    buf_done(&t.text);
    history_free(h);
    assert_int_equal(nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_in_any_order_is_walked_by_time),
        cmocka_unit_test(test_long_pauses),
        cmocka_unit_test(test_what_is_malformed_is_named),
        cmocka_unit_test(test_lines_across_pieces_and_line_numbers),
        cmocka_unit_test(test_a_store_is_walked_like_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
