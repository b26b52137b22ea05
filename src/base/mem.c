// SPDX-License-Identifier: GPL-3.0-or-later
// Small allocations of our own: they abort, since nothing sensible can go on without them.
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void out_of_memory(void) __attribute__((noreturn));

static void out_of_memory(void)
{
    static const char text[] = "vherd: out of memory\n";
    ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)n;
    abort();
}

void closep(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
    *fd = -1;
}

void *mem_zalloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

char *mem_strndup(const char *s, size_t len)
{
    char *copy = mem_zalloc(len + 1);
    memcpy(copy, s, len);
    return copy;
}

char *mem_strdup(const char *s)
{
    return s ? mem_strndup(s, strlen(s)) : NULL;
}

bool mem_strset(char **dst, const char *src)
{
    if (*dst == src || (*dst && src && strcmp(*dst, src) == 0))
        return false;
    char *copy = mem_strdup(src);
    free(*dst);
    *dst = copy;
    return true;
}

char *mem_printf(const char *format, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, format);
    int n = vasprintf(&text, format, ap);
    va_end(ap);
    if (n < 0)
        out_of_memory();
    return text;
}

int mem_grow_capped(void *array, size_t *cap, size_t n, size_t elem_size, size_t limit)
{
    if (n < *cap)
        return 0;
    if (n >= limit)
        return -E2BIG;
    size_t want = *cap ? *cap * 2 : 8;
    if (want > limit)
        want = limit;
    void **slot = array;
    void *bigger = reallocarray(*slot, want, elem_size);
    if (!bigger)
        return -ENOMEM;
    *slot = bigger;
    *cap = want;
    return 0;
}

void mem_grow(void *array, size_t *cap, size_t n, size_t elem_size)
{
    if (mem_grow_capped(array, cap, n, elem_size, SIZE_MAX / 2) < 0)
        out_of_memory();
}
