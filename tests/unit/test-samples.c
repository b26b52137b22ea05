// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "model/labels.h"
#include "net/samples.h"

DEFINE_FREEP(struct samples_writer, samples_writer_free, writer_freep)

static int put_sample(void *arg, const struct label *label, size_t n, int64_t t_ms, double v,
                      bool same)
{
    struct buf *out = arg;
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s=%s ", label[i].name, label[i].value);
    buf_printf(out, "%g @%lld%s|", v, (long long)t_ms, same ? " same" : "");
    return 0;
}

static int put_family(void *arg, const struct expo_family *f)
{
    buf_printf(arg, "(%s %s %s %s)", f->name, expo_type_name(f->type), f->help, f->unit);
    return 0;
}

static const struct samples_events events = {put_sample, put_family};

static void test_round_trip(void **state)
{
    static const struct label up[] = {{"__name__", "up"}, {"job", "a"}};
    static const struct label down[] = {{"__name__", "down"}, {"job", "a"}, {"x", "ä\n"}};
    CLEANUP(writer_freep) struct samples_writer *w = samples_writer_new(65536);
    CLEANUP(buf_done) struct buf got;
    buf_init(&got, 4096);
    for (int round = 0; round < 2; round++) {
        samples_writer_reset(w);
        assert_int_equal(samples_put(w, up, 2, 1700000000000, 1), 0);
        assert_int_equal(samples_put(w, up, 2, 1700000000250, -1e300), 0);
        assert_int_equal(samples_put(w, down, 3, INT64_MIN, 2), 0);
        assert_int_equal(samples_put_family(w, &(struct expo_family){"up", EXPO_GAUGE, "a", ""}),
                         0);
        assert_int_equal(samples_put(w, down, 3, INT64_MAX, 3), 0);
        assert_int_equal(samples_put(w, up, 2, 0, 4), 0);
    }
    assert_int_equal(samples_count(w), 5);
    assert_int_equal(samples_records(w), 6);
    size_t len = 0;
    const char *frame = samples_finish(w, &len);
    assert_int_equal(samples_read(frame, len, &events, &got), 0);
    assert_string_equal(got.data, "__name__=up job=a 1 @1700000000000|"
                                  "__name__=up job=a -1e+300 @1700000000250 same|"
                                  "__name__=down job=a x=ä\n 2 @-9223372036854775808|(up gauge a )"
                                  "__name__=down job=a x=ä\n 3 @9223372036854775807 same|"
                                  "__name__=up job=a 4 @0|");
    for (size_t n = 0; n < len; n++)
        assert_int_equal(samples_read(frame, n, &events, &got), -EPROTO);
}

static void test_full_frame_stays_good(void **state)
{
    CLEANUP(writer_freep) struct samples_writer *w = samples_writer_new(2000);
    CLEANUP(buf_done) struct buf got;
    buf_init(&got, 65536);
    size_t n = 0;
    int r = 0;
    while (r == 0) {
        CLEANUP(freep) char *value = mem_printf("value-%zu", n);
        struct label label[] = {{"__name__", "m"}, {"v", value}};
        r = samples_put(w, label, 2, (int64_t)n, (double)n);
        n += r == 0;
    }
    assert_int_equal(r, -E2BIG);
    assert_in_range(n, 20, 200);
    size_t len = 0;
    const char *frame = samples_finish(w, &len);
    assert_in_range(len, 1000, 2000);
    assert_int_equal(samples_read(frame, len, &events, &got), 0);
}

static void test_too_many_labels(void **state)
{
    struct label label[LABELS_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(label); i++)
        label[i] = (struct label){"a", "b"};
    CLEANUP(writer_freep) struct samples_writer *w = samples_writer_new(1 << 20);
    assert_int_equal(samples_put(w, label, LABELS_MAX + 1, 0, 0), -EINVAL);
    assert_int_equal(samples_put(w, label, LABELS_MAX, 0, 0), 0);
}

static void test_malformed(void **state)
{
    static const struct {
        const char *frame;
        size_t len;
    } bad[] = {
        {"", 0},
        {"\x02"
         "E\0",
         3}, // version
        {"\x01"
         "E\x01",
         3}, // count
        {"\x01"
         "E\0x",
         4},                                  // something behind
        {"\x01v\0\0\0\0\0\0\0\0\0E\x01", 13}, // no series before
        {"\x01V\x01\x01\x01", 5},             // unknown texts
        {"\x01V\x01\0\x7f"
         "a",
         6},                                                    // a text past the end
        {"\x01V\x01\0\x01\xff\0\0\0\0\0\0\0\0\0\0\0E\x01", 20}, // not UTF-8
        {"\x01V\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0E\x01", 19},     // a name of no length
        {"\x01V\0\0\0\0\0\0\0\0\0\0E\x01", 14},                 // no labels
        {"\x01M\0\x01"
         "a\x7f\0\0\0\0E\x01",
         12}, // type
    };
    CLEANUP(buf_done) struct buf got;
    buf_init(&got, 4096);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (samples_read(bad[i].frame, bad[i].len, &events, &got) != -EPROTO)
            fail_msg("row %zu was taken", i);
}

static void test_around_frames(void **state)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 4096);
    struct samples_ask ask = {true, {1, UINT64_MAX}, 500, "far"}, got = {0};
    samples_ask_encode(&ask, &b);
    assert_int_equal(samples_ask_decode(b.data, b.len, &got), 0);
    assert_memory_equal(&ask.from, &got.from, sizeof(ask.from));
    assert_true(got.from_start && got.max_samples == 500);
    assert_string_equal(got.name, "far");
    assert_int_equal(samples_ask_decode(b.data, b.len - 3, &got), -EPROTO);

    buf_reset(&b);
    struct samples_batch batch = {{7, 8}, true, 9}, batch_got = {{0}};
    samples_batch_encode(&batch, &b);
    buf_puts(&b, "frame");
    const char *frame = NULL;
    size_t len = 0;
    assert_int_equal(samples_batch_decode(b.data, b.len, &batch_got, &frame, &len), 0);
    assert_true(batch_got.next.b == 8 && batch_got.more && batch_got.lost == 9 && len == 5);
    assert_int_equal(samples_batch_decode(b.data, 5, &batch_got, &frame, &len), -EPROTO);

    buf_reset(&b);
    struct samples_written written = {5, 6, 2, 3, "why"}, written_got = {0};
    samples_written_encode(&written, &b);
    assert_int_equal(samples_written_decode(b.data, b.len, &written_got), 0);
    assert_true(written_got.samples == 5 && written_got.rejected == 6);
    assert_true(written_got.late == 2 && written_got.duplicate == 3);
    assert_string_equal(written_got.reason, "why");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_full_frame_stays_good),
        cmocka_unit_test(test_too_many_labels), cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_around_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
