// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "bits.h"
#include "codec.h"
#include "crc32c.h"
#include "model/query.h"
#include "tsdb/tsdb.h"

#define N 4000

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

// Any parts read as in the whole: borders fall into packs, between them, and packs are left out.
static void check_parts(const uint8_t *p, size_t len, const int64_t *x, size_t n)
{
    CLEANUP(freep) int64_t *back = malloc(n * sizeof(*back));
    for (size_t every = 1; every < n; every = every * 5 + 3) {
        struct codec_part part[64];
        size_t n_parts = 0;
        for (size_t at = every / 2; at < n && n_parts < ARRAY_LEN(part); at += every + 1)
            part[n_parts++] = (struct codec_part){at, MIN_OF(at + 1 + every / 7, n)};
        assert_int_equal(codec_get_i64_parts(p, len, back, n, part, n_parts), 0);
        for (size_t k = 0; k < n_parts; k++)
            assert_memory_equal(back + part[k].from, x + part[k].from,
                                (part[k].to - part[k].from) * sizeof(*x));
    }
}

// Encoded, decoded from memory of exactly that size, compared; the length.
static size_t whole(const int64_t *x, size_t n)
{
    CLEANUP(freep) uint8_t *out = malloc(codec_bound(n));
    size_t len = codec_put_i64(x, n, out);
    assert_true(len <= codec_bound(n));
    CLEANUP(freep) uint8_t *exact = malloc(len);
    memcpy(exact, out, len);
    CLEANUP(freep) int64_t *back = malloc(n * sizeof(*back));
    assert_int_equal(codec_get_i64(exact, len, back, n), 0);
    assert_memory_equal(back, x, n * sizeof(*x));
    check_parts(exact, len, x, n);
    // Neither one value more nor one byte less.
    assert_int_equal(codec_get_i64(exact, len - 1, back, n), -EBADMSG);
    return len;
}

static size_t real(const double *x, size_t n)
{
    CLEANUP(freep) uint8_t *out = malloc(codec_bound(n));
    size_t len = codec_put_f64(x, n, out);
    assert_true(len <= codec_bound(n));
    CLEANUP(freep) uint8_t *exact = malloc(len);
    memcpy(exact, out, len);
    CLEANUP(freep) double *back = malloc(n * sizeof(*back));
    assert_int_equal(codec_get_f64(exact, len, back, n), 0);
    assert_memory_equal(back, x, n * sizeof(*x));
    return len;
}

static void test_lines_and_runs(void **unused)
{
    int64_t x[N];
    for (int i = 0; i < N; i++)
        x[i] = 1700000000000 + 1000 * (int64_t)i;
    assert_true(whole(x, N) <= 10);
    assert_true(whole(x, 1) <= 10);
    assert_true(whole(x, 2) <= 10);
    for (int i = 0; i < N; i++)
        x[i] = i < 1000 ? 1 : i < 1003 ? 3 : 1;
    assert_true(whole(x, N) <= 12);
    // A schedule with a pause: one run of differences more.
    for (int i = 0; i < N; i++)
        x[i] = 1700000000000 + 1000 * (int64_t)i + (i > 2000 ? 30000 : 0);
    assert_true(whole(x, N) <= 24);
}

static void test_packs(void **unused)
{
    int64_t x[N], sum = 0;
    for (int i = 0; i < N; i++)
        x[i] = sum += 15000000 + (int64_t)(next_random() % 4096);
    // 12 bits of noise.
    assert_in_range(whole(x, N), N * 12 / 8, N * 13 / 8);
    for (int i = 0; i < N; i++)
        x[i] = 4096 * (int64_t)(1000000 + next_random() % 16);
    assert_in_range(whole(x, N), N * 4 / 8, N * 5 / 8);
    // Rare bursts are patched, not paid for by all.
    for (int i = 0; i < N; i++)
        x[i] = sum += (int64_t)(next_random() % 4) + (i % 50 == 0 ? 1000000000 : 0);
    assert_true(whole(x, N) < N * 5 / 8);
    for (size_t n = 1; n < 400; n++)
        whole(x, n);
}

static void test_extremes(void **unused)
{
    int64_t x[N];
    const int64_t corner[] = {INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN + 1, TSDB_STALE_I64};
    for (int i = 0; i < N; i++)
        x[i] = corner[next_random() % ARRAY_LEN(corner)];
    whole(x, N);
    // A factor of 3 whose differences wrap around must not be divided out.
    for (int i = 0; i < N; i++)
        x[i] = i % 7 == 3 ? TSDB_STALE_I64 : 3 * (int64_t)(next_random() % 1000);
    whole(x, N);
    for (int i = 0; i < N; i++)
        x[i] = (int64_t)next_random();
    assert_true(whole(x, N) <= codec_bound(N));
    for (int width = 1; width <= 64; width++) {
        for (int i = 0; i < 300; i++)
            x[i] = (int64_t)(next_random() >> (64 - width));
        whole(x, 300);
    }
}

static void test_doubles(void **unused)
{
    double x[N];
    for (int i = 0; i < N; i++)
        x[i] = 36.6 + 0.1 * (double)(next_random() % 8);
    for (int i = 0; i < N; i++)
        x[i] = round(x[i] * 10) / 10;
    assert_true(real(x, N) < N * 5 / 8);
    x[7] = NAN;
    x[8] = sample_stale();
    x[9] = -0.0;
    x[10] = INFINITY;
    x[11] = 1e300;
    assert_true(real(x, N) < N * 5 / 8 + 100);
    for (int i = 0; i < N; i++)
        x[i] = sin(i) * 1e-3;
    real(x, N);
    for (int i = 0; i < N; i++)
        x[i] = 0.1;
    assert_true(real(x, N) < 8);
    for (int i = 0; i < N; i++) {
        uint64_t bits = next_random();
        memcpy(&x[i], &bits, sizeof(bits));
    }
    real(x, N);
}

static void test_scale(void **unused)
{
    const int64_t x[] = {1500000000, TSDB_STALE_I64, -1, 0};
    double v[4];
    codec_scale(x, 4, 9, v);
    assert_true(v[0] == 1.5 && sample_is_stale(v[1]) && v[2] == -1e-9 && v[3] == 0);
    // In bulk as one by one, around 2^51 and 2^53 too; in place.
    int64_t many[100];
    double one[100], *in_place = (double *)many;
    for (int scale = 0; scale < 12; scale += 3) {
        for (int i = 0; i < 100; i++)
            many[i] = i == 70  ? TSDB_STALE_I64
                      : i < 40 ? (int64_t)(next_random() >> 13) - (INT64_C(1) << 50)
                               : (int64_t)(next_random() >> (i % 30)) * (i % 2 ? 1 : -1);
        for (int i = 0; i < 100; i++)
            codec_scale(&many[i], 1, scale, &one[i]);
        codec_scale(many, 100, scale, in_place);
        assert_memory_equal(in_place, one, sizeof(one));
        assert_true(sample_is_stale(in_place[70]));
    }
}

static void test_damage(void **unused)
{
    int64_t x[300], back[300];
    for (int i = 0; i < 300; i++)
        x[i] = (int64_t)(next_random() % 1000) * (i % 30 == 0 ? 100000 : 1);
    uint8_t out[5000];
    size_t len = codec_put_i64(x, 300, out);
    for (size_t n = 0; n < len; n++) {
        CLEANUP(freep) uint8_t *exact = malloc(n + 1);
        memcpy(exact, out, n);
        assert_int_equal(codec_get_i64(exact, n, back, 300), -EBADMSG);
    }
    assert_int_equal(codec_get_i64(out, len, back, 299), -EBADMSG);
}

static void test_crc(void **unused)
{
    // RFC 3720, B.4.
    uint8_t zeros[32] = {0}, ones[32], up[32];
    memset(ones, 0xFF, sizeof(ones));
    for (int i = 0; i < 32; i++)
        up[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, zeros, 32), 0x8A9136AA);
    assert_int_equal(crc32c(0, ones, 32), 0x62A8AB43);
    assert_int_equal(crc32c(0, up, 32), 0x46DD794E);
    for (size_t n = 0; n <= 32; n++)
        assert_int_equal(crc32c(7, up, n), crc32c_portable(7, up, n));
    assert_int_equal(crc32c(crc32c(0, up, 11), up + 11, 21), 0x46DD794E);
}

// As docs/store-format.md has it: number i at bit i * width, the lowest bit first.
static void put_bits(uint8_t *p, size_t i, unsigned width, uint64_t v)
{
    for (unsigned k = 0; k < width; k++)
        p[(i * width + k) / 8] |= (uint8_t)((v >> k & 1) << (i * width + k) % 8);
}

// Each width and each border, out of memory that ends where it may.
static void test_bits(void **unused)
{
    enum { COUNT = 40 };
    for (unsigned width = 0; width <= 64; width++) {
        size_t bytes = (COUNT * width + 7) / 8 + BITS_READ_AHEAD;
        CLEANUP(freep) uint8_t *p = mem_zalloc(bytes);
        uint64_t x[COUNT], d[COUNT], portable[COUNT];
        for (size_t i = 0; i < COUNT; i++) {
            x[i] = width == 0 ? 0 : next_random() >> (64 - width);
            put_bits(p, i, width, x[i]);
        }
        memset(p + bytes - BITS_READ_AHEAD, 0xFF, BITS_READ_AHEAD);
        for (size_t from = 0; from <= COUNT; from++) {
            uint64_t sum = 0;
            for (size_t to = from; to <= COUNT; to++) {
                bits_get(p, from, to, width, d);
                bits_get_portable(p, from, to, width, portable);
                assert_memory_equal(d, x + from, (to - from) * sizeof(*x));
                assert_memory_equal(portable, x + from, (to - from) * sizeof(*x));
                assert_true(bits_sum(p, from, to, width) == sum);
                assert_true(bits_sum_portable(p, from, to, width) == sum);
                sum += to < COUNT ? x[to] : 0;
            }
        }
    }
}

// As long as a column: sums of pairs do not run over.
static void test_sum_of_many(void **unused)
{
    enum { COUNT = 8192 };
    CLEANUP(freep) uint8_t *p = malloc(COUNT * 28 / 8 + BITS_READ_AHEAD);
    memset(p, 0xFF, COUNT * 28 / 8 + BITS_READ_AHEAD);
    uint64_t sum = COUNT * ((UINT64_C(1) << 28) - 1);
    assert_true(bits_sum(p, 0, COUNT, 28) == sum);
    assert_true(bits_sum_portable(p, 0, COUNT, 28) == sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_and_runs),
        cmocka_unit_test(test_packs),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_crc),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_sum_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
