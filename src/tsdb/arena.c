// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>

#include "base/mem.h"
#include "head.h"

// Pages grow with what is in them: a selection of few series takes few kilobytes.
#define PAGE_FIRST ((size_t)4 << 10)
#define PAGE_BYTES ((size_t)256 << 10)

struct arena_page {
    struct arena_page *next;
    size_t used, size;
    uint8_t data[] __attribute__((aligned(8)));
};

struct arena *arena_new(void)
{
    struct arena *a = mem_zalloc(sizeof(*a));
    a->min_ms = INT64_MAX;
    a->max_ms = INT64_MIN;
    return a;
}

void arena_free(void *p)
{
    struct arena *a = p;
    if (!a)
        return;
    while (a->page) {
        struct arena_page *next = a->page->next;
        free(a->page);
        a->page = next;
    }
    free(a);
}

void *arena_take(struct arena *a, size_t bytes)
{
    bytes = (bytes + 7) & ~(size_t)7;
    if (!a->page || a->page->size - a->page->used < bytes) {
        size_t size = MAX_OF(bytes, MIN_OF(MAX_OF(a->bytes, PAGE_FIRST), PAGE_BYTES));
        struct arena_page *page = malloc(sizeof(*page) + size);
        if (!page)
            return NULL;
        page->used = 0;
        page->size = size;
        page->next = a->page;
        a->page = page;
    }
    void *p = a->page->data + a->page->used;
    a->page->used += bytes;
    a->bytes += bytes;
    return p;
}
