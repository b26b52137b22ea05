// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/** The value of a hexadecimal digit, -1 where it is none. */
int number_hex_digit(char c);

/**
 * Read an unsigned decimal at *p, after blanks (space, tab), and move *p behind it.
 * False where no digit stands there or it does not fit; *p and *ret are then untouched.
 */
bool number_scan_u64(const char **p, uint64_t *ret);

/** The same with an optional minus sign. */
bool number_scan_i64(const char **p, int64_t *ret);

/** Move *p behind the next `n` blank-separated words; false where the text ends before. */
bool number_skip_words(const char **p, int n);

/** A whole string as an unsigned decimal; 0, -EINVAL or -ERANGE. */
int number_parse_u64(const char *s, uint64_t *ret);

/** A whole string as a signed decimal; 0, -EINVAL or -ERANGE. */
int number_parse_i64(const char *s, int64_t *ret);

/** A whole string as a finite double, locale-free; 0, -EINVAL or -ERANGE. */
int number_parse_f64(const char *s, double *ret);

/** A duration ("250ms", "10s", "5m", "2h", "7d") in nanoseconds; 0, -EINVAL or -ERANGE. */
int number_parse_duration(const char *s, int64_t *ret_ns);

/** A size ("512", "64K", "40M", "2G", powers of 1024) in bytes; 0, -EINVAL or -ERANGE. */
int number_parse_size(const char *s, uint64_t *ret_bytes);

#endif
