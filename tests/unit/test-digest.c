// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "digest.h"
#include "model/query.h"

DEFINE_FREEP(struct samples_writer, samples_writer_free, writer_freep)
DEFINE_FREEP(struct digest, digest_free, digest_freep)
DEFINE_FREEP(struct labels, labels_free, labels_freep)
DEFINE_FREEP(struct relabel, relabel_free, relabel_freep)

static const struct label app[] = {{"instance", "h:1"}, {"job", "app"}};

static int put_sample(void *arg, const struct label *label, size_t n, int64_t t_ms, double v,
                      bool same)
{
    struct buf *out = arg;
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s=%s ", label[i].name, label[i].value);
    if (sample_is_stale(v))
        buf_puts(out, "stale");
    else
        buf_f64(out, v);
    buf_printf(out, " @%lld\n", (long long)t_ms);
    return 0;
}

// What is in the writer, which is then empty.
static char *take(struct samples_writer *w)
{
    static const struct samples_events events = {.sample = put_sample};
    struct buf out;
    size_t len = 0;
    buf_init(&out, 1 << 20);
    buf_puts(&out, "");
    const char *frame = samples_finish(w, &len);
    assert_int_equal(samples_read(frame, len, &events, &out), 0);
    samples_writer_reset(w);
    char *text = buf_take(&out, NULL);
    return text ? text : mem_strdup("");
}

static void page(struct digest *d, struct samples_writer *w, const char *text, int64_t t_ms,
                 const char *want)
{
    struct digest_result result;
    struct err err = {0};
    if (digest_page(d, text, strlen(text), EXPO_TEXT, t_ms, w, &result, &err) < 0)
        fail_msg("%s", err.message);
    CLEANUP(freep) char *got = take(w);
    assert_string_equal(got, want);
}

#define RULES(...)                                                                                 \
    CLEANUP(labels_freep) struct labels *target = labels_new(app, 2);                              \
    struct digest_rules rules = {.target = target, .honor_timestamps = true, __VA_ARGS__};         \
    CLEANUP(digest_freep) struct digest *d = digest_new(&rules);                                   \
    CLEANUP(writer_freep) struct samples_writer *w = samples_writer_new(1 << 20)

static void test_target_labels(void **state)
{
    RULES();
    page(d, w, "a{x=\"1\"} 5\n", 10, "__name__=a instance=h:1 job=app x=1 5 @10\n");
    page(d, w, "a{job=\"own\",exported_job=\"taken\"} 5\n", 20,
         "__name__=a exported_exported_job=own exported_job=taken instance=h:1 job=app 5 @20\n"
         "__name__=a instance=h:1 job=app x=1 stale @20\n");
}

static void test_honor_labels(void **state)
{
    RULES(.honor_labels = true);
    page(d, w, "a{job=\"own\",instance=\"\"} 5\n", 10, "__name__=a job=own 5 @10\n");
}

static void test_vanished_series_end_once(void **state)
{
    RULES();
    page(d, w, "a 1\nb 2\n", 10,
         "__name__=a instance=h:1 job=app 1 @10\n__name__=b instance=h:1 job=app 2 @10\n");
    assert_int_equal(digest_series(d), 2);
    page(d, w, "b 3\n", 20,
         "__name__=b instance=h:1 job=app 3 @20\n__name__=a instance=h:1 job=app stale @20\n");
    page(d, w, "b 4\n", 30, "__name__=b instance=h:1 job=app 4 @30\n");
    digest_end(d, 40, w);
    CLEANUP(freep) char *got = take(w);
    assert_string_equal(got, "__name__=b instance=h:1 job=app stale @40\n");
    assert_int_equal(digest_series(d), 0);
    digest_end(d, 50, w);
    assert_int_equal(samples_count(w), 0);
}

static void test_bad_page_is_kept_out_as_a_whole(void **state)
{
    RULES();
    struct digest_result result;
    struct err err = {0};
    page(d, w, "a 1\n", 10, "__name__=a instance=h:1 job=app 1 @10\n");
    assert_int_equal(digest_page(d, "a 2\nnew 1\nb{ 1\n", 15, EXPO_TEXT, 20, w, &result, &err),
                     -EINVAL);
    assert_int_equal(err.line, 3);
    CLEANUP(freep) char *got = take(w);
    // `new` was never there, so it does not end.
    assert_string_equal(got, "__name__=a instance=h:1 job=app stale @20\n");
    page(d, w, "a 3\n", 30, "__name__=a instance=h:1 job=app 3 @30\n");
}

static void test_own_timestamps(void **state)
{
    RULES();
    page(d, w, "a 1 5\n", 10, "__name__=a instance=h:1 job=app 1 @5\n");
    page(d, w, "a 1 5\na 2 6\n", 20,
         "__name__=a instance=h:1 job=app 1 @5\n__name__=a instance=h:1 job=app 2 @6\n");
    // When such a series ended is not known.
    page(d, w, "", 30, "");
}

static void test_timestamps_not_honoured(void **state)
{
    RULES();
    rules.honor_timestamps = false;
    CLEANUP(digest_freep) struct digest *other = digest_new(&rules);
    page(other, w, "a 1 5\n", 10, "__name__=a instance=h:1 job=app 1 @10\n");
    page(other, w, "", 20, "__name__=a instance=h:1 job=app stale @20\n");
}

static void test_timestamps_refused(void **state)
{
    RULES(.refuse_timestamps = true);
    struct digest_result result;
    assert_int_equal(digest_page(d, "a 1 5\n", 6, EXPO_TEXT, 10, w, &result, NULL), -EINVAL);
}

static void test_counts_and_relabelling(void **state)
{
    static const char *const name[] = {"__name__"};
    const struct relabel_spec spec = {.action = RELABEL_DROP,
                                      .source_labels = name,
                                      .n_source_labels = 1,
                                      .separator = ";",
                                      .regex = "go_.*",
                                      .target_label = "",
                                      .replacement = "$1"};
    CLEANUP(relabel_freep) struct relabel *drop = NULL;
    assert_int_equal(relabel_new(&spec, 1, &drop, NULL), 0);
    RULES(.relabel = drop);
    struct digest_result result;
    const char *text = "go_x 1\na 1\na 1\nb 1\n";
    assert_int_equal(digest_page(d, text, strlen(text), EXPO_TEXT, 10, w, &result, NULL), 0);
    assert_int_equal(result.scraped, 4);
    assert_int_equal(result.kept, 2); // the second a adds nothing
    assert_int_equal(result.added, 2);
    samples_writer_reset(w);
    assert_int_equal(digest_page(d, text, strlen(text), EXPO_TEXT, 20, w, &result, NULL), 0);
    assert_int_equal(result.added, 0);
    samples_writer_reset(w);
    // Dropped series do not end either.
    page(d, w, "", 30,
         "__name__=b instance=h:1 job=app stale @30\n__name__=a instance=h:1 job=app stale @30\n");
}

static void test_sample_limit(void **state)
{
    RULES(.sample_limit = 2);
    struct digest_result result;
    struct err err = {0};
    assert_int_equal(digest_page(d, "a 1\nb 1\n", 8, EXPO_TEXT, 10, w, &result, &err), 0);
    samples_writer_reset(w);
    assert_int_equal(digest_page(d, "a 1\nb 1\nc 1\n", 12, EXPO_TEXT, 20, w, &result, &err),
                     -E2BIG);
    assert_non_null(strstr(err.message, "sample_limit"));
    assert_int_equal(samples_count(w), 2); // a and b end
}

static void test_reports(void **state)
{
    RULES();
    assert_int_equal(digest_report(d, "up", 10, 1, w), 0);
    CLEANUP(freep) char *got = take(w);
    assert_string_equal(got, "__name__=up instance=h:1 job=app 1 @10\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_target_labels),
        cmocka_unit_test(test_honor_labels),
        cmocka_unit_test(test_vanished_series_end_once),
        cmocka_unit_test(test_bad_page_is_kept_out_as_a_whole),
        cmocka_unit_test(test_own_timestamps),
        cmocka_unit_test(test_timestamps_not_honoured),
        cmocka_unit_test(test_timestamps_refused),
        cmocka_unit_test(test_counts_and_relabelling),
        cmocka_unit_test(test_sample_limit),
        cmocka_unit_test(test_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
