// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store.h"

static struct view *view_new(size_t n_blocks)
{
    struct view *v = mem_zalloc(sizeof(*v));
    v->block = mem_zalloc((n_blocks + 1) * sizeof(struct block *));
    v->in_time = mem_zalloc((n_blocks + 1) * sizeof(struct block *));
    return v;
}

void view_free(void *p)
{
    struct view *v = p;
    if (!v)
        return;
    free((void *)v->deletion);
    free(v->block);
    free(v->in_time);
    free(v);
}

static void set_deletions(struct view *v, struct deletion *const *d, size_t n)
{
    struct deletion **copy = mem_zalloc((n + 1) * sizeof(*copy));
    if (n > 0)
        memcpy(copy, d, n * sizeof(*copy));
    v->deletion = copy;
    v->n_deletions = n;
}

static bool is_among(const struct block *b, struct block *const *set, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (set[i] == b)
            return true;
    return false;
}

static int by_serial(const void *a, const void *b)
{
    const struct block *p = *(struct block *const *)a, *q = *(struct block *const *)b;
    return (p->meta.serial > q->meta.serial) - (p->meta.serial < q->meta.serial);
}

static int by_window(const void *a, const void *b)
{
    const struct block_meta *p = &(*(struct block *const *)a)->meta;
    const struct block_meta *q = &(*(struct block *const *)b)->meta;
    if (p->resolution_ms != q->resolution_ms)
        return p->resolution_ms < q->resolution_ms ? -1 : 1;
    return (p->window_start_ms > q->window_start_ms) - (p->window_start_ms < q->window_start_ms);
}

// What readers gather is sorted already where blocks come in order of time. Where windows overlap,
// the order of writing decides which of two equal times counts.
static void order_in_time(struct view *v)
{
    size_t bytes = v->n * sizeof(v->block[0]);
    memcpy(v->in_time, v->block, bytes);
    qsort(v->in_time, v->n, sizeof(v->in_time[0]), by_window);
    for (size_t i = 1; i < v->n; i++) {
        const struct block_meta *p = &v->in_time[i - 1]->meta, *q = &v->in_time[i]->meta;
        if (p->resolution_ms == q->resolution_ms && p->window_end_ms > q->window_start_ms) {
            memcpy(v->in_time, v->block, bytes);
            return;
        }
    }
}

struct view *view_change(const struct view *v, struct block *const *added, size_t n_added,
                         struct block *const *gone, size_t n_gone)
{
    size_t before = v ? v->n : 0;
    struct view *next = view_new(before + n_added);
    for (size_t i = 0; i < before; i++)
        if (!is_among(v->block[i], gone, n_gone))
            next->block[next->n++] = v->block[i];
    for (size_t i = 0; i < n_added; i++)
        next->block[next->n++] = added[i];
    qsort(next->block, next->n, sizeof(next->block[0]), by_serial);
    order_in_time(next);
    set_deletions(next, v ? v->deletion : NULL, v ? v->n_deletions : 0);
    return next;
}

struct view *view_with_deletions(const struct view *v, struct deletion *const *d, size_t n)
{
    struct view *next = view_new(v->n);
    memcpy(next->block, v->block, v->n * sizeof(v->block[0]));
    memcpy(next->in_time, v->in_time, v->n * sizeof(v->block[0]));
    next->n = v->n;
    set_deletions(next, d, n);
    return next;
}

void view_publish(struct tsdb *db, struct view *next, bool frozen_is_published)
{
    pthread_mutex_lock(&db->head.lock);
    struct view *old = db->view;
    db->view = next;
    db->frozen_is_published |= frozen_is_published;
    pthread_mutex_unlock(&db->head.lock);
    if (old)
        pin_retire(&db->pins, view_free, old);
}

struct view *view_get(struct tsdb *db)
{
    pthread_mutex_lock(&db->head.lock);
    struct view *v = db->view;
    pthread_mutex_unlock(&db->head.lock);
    return v;
}
