// SPDX-License-Identifier: GPL-3.0-or-later
#include "arena.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK_FIRST 8192
#define BLOCK_MAX (1u << 20)
#define ALIGN 16

struct arena_block {
    struct arena_block *next;
    size_t size;
    char *end;
};

void arena_done(struct arena *a)
{
    for (struct arena_block *b = a->block, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    a->block = NULL;
    a->at = a->end = NULL;
    a->used = 0;
}

static void add_block(struct arena *a, size_t size)
{
    size_t doubled = MIN_OF(MAX_OF(a->used, BLOCK_FIRST), BLOCK_MAX);
    size_t head = (sizeof(struct arena_block) + ALIGN - 1) / ALIGN * ALIGN;
    size_t whole = head + MAX_OF(size, doubled);
    if (whole > a->limit - a->used)
        whole = head + size;
    if (size > SIZE_MAX / 2 || whole > a->limit - a->used)
        a->on_failure(a->arg, -E2BIG);
    struct arena_block *b = malloc(whole);
    if (!b)
        a->on_failure(a->arg, -ENOMEM);
    *b = (struct arena_block){a->block, whole, (char *)b + whole};
    a->block = b;
    a->used += whole;
    a->at = (char *)b + head;
    a->end = b->end;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        a->on_failure(a->arg, -E2BIG);
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (size > (size_t)(a->end - a->at) || !a->at)
        add_block(a, size);
    void *p = a->at;
    a->at += size;
    return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        a->on_failure(a->arg, -E2BIG);
    return arena_alloc(a, bytes);
}

void *arena_zalloc(struct arena *a, size_t n, size_t size)
{
    void *p = arena_array(a, n, size);
    return memset(p, 0, n * size);
}

char *arena_text(struct arena *a, const char *text, size_t len)
{
    char *copy = arena_alloc(a, len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void *arena_grow(struct arena *a, void *array, size_t *cap, size_t n, size_t size)
{
    if (n < *cap)
        return array;
    size_t more = *cap ? *cap * 2 : 8;
    void *bigger = arena_array(a, more, size);
    if (n > 0)
        memcpy(bigger, array, n * size);
    *cap = more;
    return bigger;
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){a->block, a->at};
}

void arena_rewind(struct arena *a, struct arena_mark mark)
{
    while (a->block != mark.block) {
        struct arena_block *b = a->block;
        a->block = b->next;
        a->used -= b->size;
        free(b);
    }
    a->at = mark.at;
    a->end = a->block ? a->block->end : NULL;
}
