// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * A growable byte buffer with a cap. Writing past the cap or out of memory sets `error` once
 * (negative errno) and makes all later writes do nothing, so that callers check at the end.
 */
struct buf {
    char *data; /**< owned; NUL-terminated whenever len > 0 */
    size_t len;
    size_t cap;
    size_t limit; /**< never grows beyond this many bytes */
    int error;
};

/** Start empty, allocating nothing. */
void buf_init(struct buf *b, size_t limit);

/** Free the memory; the buffer may be initialised again. Usable with CLEANUP(). */
void buf_done(struct buf *b);

/** Empty it, keep memory and cap, clear the error. */
void buf_reset(struct buf *b);

/** Make room for `more` further bytes; 0, -E2BIG or -ENOMEM (also kept in b->error). */
int buf_reserve(struct buf *b, size_t more);

/** Append `n` bytes. */
void buf_put(struct buf *b, const void *data, size_t n);

/** Append a NUL-terminated string. */
void buf_puts(struct buf *b, const char *s);

/** Append one byte. */
void buf_putc(struct buf *b, char c);

/** Append formatted text. */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Append a whole number in decimal. */
void buf_u64(struct buf *b, uint64_t v);
void buf_i64(struct buf *b, int64_t v);

/**
 * Append a double as Prometheus and JSON readers accept it: the shortest text that reads back
 * the same; whole numbers below 2^53 without exponent. NaN and infinities: "NaN", "+Inf", "-Inf".
 */
void buf_f64(struct buf *b, double v);

/** Append `ns` nanoseconds as seconds, exactly, without trailing zeros ("1.5", "0", "-0.25"). */
void buf_ns_as_s(struct buf *b, int64_t ns);

/** Drop the first `n` bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);

/**
 * Take the data out; the caller owns it (free()). Returns NULL where an error is set;
 * the buffer is empty afterwards either way.
 */
char *buf_take(struct buf *b, size_t *ret_len);

#endif
