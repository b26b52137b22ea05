// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_CODEC_H
#define TSDB_CODEC_H

/*
 * A column of numbers to bytes and back; byte for byte in docs/store-format.md. Decoding is in bulk
 * and takes any bytes: what does not decode to exactly n values is refused.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most values of one column. */
#define CODEC_VALUES_MAX (1u << 20)

/** No encoding of n values takes more bytes. */
size_t codec_bound(size_t n);

/** Encode n > 0 whole numbers into `out` (codec_bound() bytes); returns the length. */
size_t codec_put_i64(const int64_t *x, size_t n, uint8_t *out);

/** Encode n > 0 doubles, bit by bit the same when read. */
size_t codec_put_f64(const double *x, size_t n, uint8_t *out);

/** 0 or -EBADMSG. */
int codec_get_i64(const uint8_t *p, size_t len, int64_t *x, size_t n);
int codec_get_f64(const uint8_t *p, size_t len, double *x, size_t n);

/** Indexes [from, to). */
struct codec_part {
    size_t from, to;
};

/**
 * The same, where only these parts of x, in order and apart, are needed; what else is in x means
 * nothing.
 */
int codec_get_i64_parts(const uint8_t *p, size_t len, int64_t *x, size_t n,
                        const struct codec_part *part, size_t n_parts);
int codec_get_f64_parts(const uint8_t *p, size_t len, double *x, size_t n,
                        const struct codec_part *part, size_t n_parts);

/** Whether the column is a line, first + step * i, which needs no array. */
bool codec_get_line(const uint8_t *p, size_t len, int64_t *ret_first, int64_t *ret_step);

/**
 * Whole numbers read as doubles: x / 10^scale, TSDB_STALE_I64 as the staleness marker. `x` and `v`
 * may be the same memory.
 */
void codec_scale(const int64_t *x, size_t n, int scale, double *v);

/** 10^n, exact for 0 <= n <= 22. */
double codec_power_of_ten(int n);

#endif
