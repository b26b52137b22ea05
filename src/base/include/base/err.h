// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

/** A failure that a person reads: what, where, and what to do. Plain data, no ownership. */
struct err {
    int code; /**< positive errno; 0 = no error */
    int line; /**< 1-based place in an input, 0 where there is none */
    int column;
    char message[1000];
};

/**
 * Fill `err` (may be NULL) with a message and return -code, for `return err_set(...)`.
 * `code` is a positive errno. A message too long is cut and ends in "…".
 */
int err_set(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The same with a place in an input, 1-based. */
int err_set_at(struct err *err, int code, int line, int column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/** Put context in front of an existing message ("reading x: …"); returns -err->code. */
int err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
