// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_ARENA_H
#define PROMQL_ARENA_H

/*
 * Memory that lives as long as an expression or a query, with a cap. Where there is no more, the
 * arena's owner is called and does not return (it jumps back to where parsing or evaluation began),
 * so that no caller has to check.
 */

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *block;
    char *at, *end;
    size_t used, limit; /**< bytes taken from malloc(), and their cap */
    void (*on_failure)(void *arg, int r) __attribute__((noreturn));
    void *arg;
};

void arena_done(struct arena *a);

/** `size` bytes, aligned for any type, not zeroed. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));

/** An array; the product is checked. */
void *arena_array(struct arena *a, size_t n, size_t size) __attribute__((returns_nonnull));
void *arena_zalloc(struct arena *a, size_t n, size_t size) __attribute__((returns_nonnull));

/** A copy of `len` bytes with a NUL behind them. */
char *arena_text(struct arena *a, const char *text, size_t len) __attribute__((returns_nonnull));

/** Room for one more element in an array that grows by doubling. */
void *arena_grow(struct arena *a, void *array, size_t *cap, size_t n, size_t size);

/** A place to which arena_rewind() returns, giving back all that was taken since. */
struct arena_mark {
    struct arena_block *block;
    char *at;
};

struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark mark);

#endif
