// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include <snappy-c.h>

#include "base/mem.h"
#include "model/labels.h"
#include "net/remote_write.h"

DEFINE_FREEP(struct samples_writer, samples_writer_free, writer_freep)
DEFINE_FREEP(struct rw_request, rw_request_free, request_freep)
DEFINE_FREEP(struct rw_metadata, rw_metadata_free, metadata_freep)

static int put_sample(void *arg, const struct label *label, size_t n, int64_t t_ms, double v,
                      bool same)
{
    struct buf *out = arg;
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s=%s ", label[i].name, label[i].value);
    buf_printf(out, "%g @%lld|", v, (long long)t_ms);
    return 0;
}

static int put_family(void *arg, const struct expo_family *f)
{
    buf_printf(arg, "(%s %s %s %s)", f->name, expo_type_name(f->type), f->help, f->unit);
    return 0;
}

static void frame_text(struct samples_writer *w, struct buf *out)
{
    static const struct samples_events events = {put_sample, put_family};
    size_t len = 0;
    const char *frame = samples_finish(w, &len);
    assert_int_equal(samples_read(frame, len, &events, out), 0);
    if (out->len == 0)
        buf_puts(out, "");
}

static struct rw_request *example(void)
{
    static const struct label a[] = {{"__name__", "a_total"}, {"x", "1"}};
    static const struct label b[] = {{"__name__", "b"}, {"x", "1"}};
    struct rw_request *r = rw_request_new();
    assert_int_equal(rw_request_put(r, a, 2, 2000, 2), 0);
    assert_int_equal(rw_request_put(r, b, 2, 1500, 5), 0);
    assert_int_equal(rw_request_put(r, a, 2, 1000, 1), 0);
    return r;
}

static void check_version(enum rw_version v, const char *want)
{
    CLEANUP(request_freep) struct rw_request *r = example();
    CLEANUP(metadata_freep) struct rw_metadata *m = rw_metadata_new(10);
    CLEANUP(writer_freep) struct samples_writer *w = samples_writer_new(65536);
    CLEANUP(buf_done) struct buf body, got;
    buf_init(&body, 65536);
    buf_init(&got, 65536);
    assert_true(rw_metadata_put(m, &(struct expo_family){"a", EXPO_COUNTER, "help a", "s"}));
    assert_int_equal(rw_request_series(r), 2);
    assert_int_equal(rw_request_samples(r), 3);
    assert_int_equal(rw_encode(r, v, m, &body), 0);
    struct rw_content content;
    assert_int_equal(rw_decode(body.data, body.len, v, w, &content, NULL), 0);
    frame_text(w, &got);
    assert_string_equal(got.data, want);
    assert_int_equal(content.samples, 3);
    assert_int_equal(content.dropped_series, 0);
}

// Series together, samples of each oldest first.
static void test_round_trip(void **state)
{
    check_version(RW_1_0, "__name__=a_total x=1 1 @1000|__name__=a_total x=1 2 @2000|"
                          "__name__=b x=1 5 @1500|");
    check_version(RW_2_0, "__name__=a_total x=1 1 @1000|__name__=a_total x=1 2 @2000|"
                          "(a_total counter help a s)__name__=b x=1 5 @1500|");
}

static void test_metadata_message(void **state)
{
    CLEANUP(metadata_freep) struct rw_metadata *m = rw_metadata_new(2);
    CLEANUP(writer_freep) struct samples_writer *w = samples_writer_new(65536);
    CLEANUP(buf_done) struct buf body, got;
    buf_init(&body, 65536);
    buf_init(&got, 65536);
    assert_true(rw_metadata_put(m, &(struct expo_family){"a", EXPO_GAUGE, "x", ""}));
    assert_false(rw_metadata_put(m, &(struct expo_family){"a", EXPO_GAUGE, "x", ""}));
    assert_true(rw_metadata_put(m, &(struct expo_family){"a", EXPO_GAUGE, "y\nz", ""}));
    assert_true(rw_metadata_put(m, &(struct expo_family){"b", EXPO_STATESET, "", ""}));
    assert_false(rw_metadata_put(m, &(struct expo_family){"c", EXPO_GAUGE, "", ""}));
    assert_int_equal(rw_encode_metadata(m, 0, 10, &body), 0);
    struct rw_content content;
    assert_int_equal(rw_decode(body.data, body.len, RW_1_0, w, &content, NULL), 0);
    frame_text(w, &got);
    assert_string_equal(got.data, "(a gauge y\nz )(b stateset  )");
    assert_int_equal(content.metadata, 2);
}

static void decode_packed(const char *packed, size_t len, enum rw_version v, int want,
                          const char *want_err, uint64_t want_dropped)
{
    char body[512];
    size_t size = sizeof(body);
    struct err err = {0};
    struct rw_content content;
    CLEANUP(writer_freep) struct samples_writer *w = samples_writer_new(65536);
    assert_int_equal(snappy_compress(packed, len, body, &size), SNAPPY_OK);
    assert_int_equal(rw_decode(body, size, v, w, &content, &err), want);
    assert_int_equal(content.dropped_series, want_dropped);
    if (!strstr(err.message, want_err))
        fail_msg("\"%s\" instead of \"%s\"", err.message, want_err);
}

#define PACKED(text) (text), sizeof(text) - 1

static void test_series_refused(void **state)
{
    // {a="b"}; no name
    decode_packed(PACKED("\x0a\x08\x0a\x06\x0a\x01"
                         "a\x12\x01"
                         "b"),
                  RW_1_0, 0, "metric's name", 1);
    // a label twice
    decode_packed(PACKED("\x0a\x10\x0a\x06\x0a\x01"
                         "a\x12\x01"
                         "b\x0a\x06\x0a\x01"
                         "a\x12\x01"
                         "b"),
                  RW_1_0, 0, "twice", 1);
    // 2.0: ["", "a"], refs 1, 2
    decode_packed(PACKED("\x22\x00\x22\x01"
                         "a\x2a\x04\x0a\x02\x01\x02"),
                  RW_2_0, 0, "outside", 1);
    decode_packed(PACKED("\x22\x00\x22\x01"
                         "a\x2a\x03\x0a\x01\x01"),
                  RW_2_0, 0, "odd", 1);
    decode_packed(PACKED("\x22\x01"
                         "a"),
                  RW_2_0, -EINVAL, "symbol table", 0);
    decode_packed(PACKED("\x0a\x7f"), RW_1_0, -EINVAL, "WriteRequest", 0);
    decode_packed(PACKED(""), RW_2_0, 0, "", 0);
}

static void test_bombs(void **state)
{
    CLEANUP(writer_freep) struct samples_writer *w = samples_writer_new(65536);
    struct rw_content content;
    struct err err = {0};
    // Claims 4 GiB.
    assert_int_equal(rw_decode("\xff\xff\xff\xff\x0f", 5, RW_1_0, w, &content, &err), -E2BIG);
    assert_int_equal(rw_decode("\x05"
                               "abc",
                               4, RW_1_0, w, &content, &err),
                     -EINVAL);
    assert_int_equal(rw_decode("", 0, RW_1_0, w, &content, &err), -EINVAL);
    // Sixteen million empty series, small once packed, would take gigabytes as structures.
    size_t n = RW_UNPACKED_MAX, size = snappy_max_compressed_length(n);
    CLEANUP(freep) char *packed = mem_zalloc(n);
    CLEANUP(freep) char *body = mem_zalloc(size);
    for (size_t i = 0; i < n; i += 2)
        packed[i] = '\x0a';
    assert_int_equal(snappy_compress(packed, n, body, &size), SNAPPY_OK);
    assert_int_equal(rw_decode(body, size, RW_1_0, w, &content, &err), -EINVAL);
}

static void test_headers(void **state)
{
    enum rw_version v;
    for (int i = 0; i < RW_VERSION_MAX; i++) {
        assert_int_equal(rw_version_of(rw_content_type((enum rw_version)i), &v), 0);
        assert_int_equal(v, i);
    }
    assert_int_equal(rw_version_of("application/x-protobuf; proto=prometheus.WriteRequest", &v), 0);
    assert_int_equal(v, RW_1_0);
    assert_int_equal(rw_version_of("application/x-protobuf;proto=x", &v), -EPROTONOSUPPORT);
    assert_int_equal(rw_version_of("text/plain", &v), -EPROTONOSUPPORT);
    assert_int_equal(rw_version_of(NULL, &v), -EPROTONOSUPPORT);
}

static void test_request_has_a_cap(void **state)
{
    CLEANUP(request_freep) struct rw_request *r = rw_request_new();
    static const struct label label[] = {{"__name__", "a"}};
    for (size_t i = 0; i < RW_SAMPLES_MAX; i++)
        assert_int_equal(rw_request_put(r, label, 1, (int64_t)i, 0), 0);
    assert_int_equal(rw_request_put(r, label, 1, 0, 0), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_metadata_message),
        cmocka_unit_test(test_series_refused), cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_headers),        cmocka_unit_test(test_request_has_a_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
