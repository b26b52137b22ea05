// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/** Run `fn(&variable)` when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/** Hand over ownership: yields the pointer and leaves NULL behind. */
#define TAKE_PTR(p)                                                                                \
    ({                                                                                             \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/** Define `name(type **p)`, for CLEANUP(), out of a free function that accepts NULL. */
#define DEFINE_FREEP(type, free_fn, name)                                                          \
    static inline void name(type **p)                                                              \
    {                                                                                              \
        free_fn(*p);                                                                               \
        *p = NULL;                                                                                 \
    }

/** CLEANUP(freep) for memory from malloc(). */
static inline void freep(void *p)
{
    free(*(void **)p);
}

/** CLEANUP(closep) for a descriptor; ignores negative values and keeps errno. */
void closep(int *fd);

/**
 * Allocate zeroed memory for our own small, bounded needs; aborts when there is none.
 * Sizes that come from outside use calloc() and check.
 * The caller owns the result.
 */
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));

/** Copy a string (NULL gives NULL); aborts without memory. The caller owns the result. */
char *mem_strdup(const char *s);

/** Copy at most `len` bytes and end them with NUL; aborts without memory. */
char *mem_strndup(const char *s, size_t len);

/**
 * Replace an owned string: frees `*dst`, stores a copy of `src` (NULL allowed).
 * Returns true where the text changed.
 */
bool mem_strset(char **dst, const char *src);

/** printf() into fresh memory; aborts without memory. The caller owns the result. */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * Make room for one more element in a growable array: doubles `*cap` when `n == *cap`.
 * `array` is the address of the array pointer. Aborts without memory.
 */
void mem_grow(void *array, size_t *cap, size_t n, size_t elem_size);

/**
 * The same for arrays whose length comes from outside: refuses to pass `limit` elements.
 * Returns 0, -E2BIG or -ENOMEM; the array is untouched on failure.
 */
int mem_grow_capped(void *array, size_t *cap, size_t n, size_t elem_size, size_t limit);

#endif
