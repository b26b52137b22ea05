// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Writes the head into blocks. Owned by the block thread.
 *
 * 1. The generation and the log's segment change in one step under the head's lock: whatever is in
 *    the old generation is in segments up to `frozen_covered`, and nothing else is.
 * 2. A failed attempt leaves no file, and the frozen samples where they are: readers still see them
 *    and the next attempt writes the same again.
 * 3. Only the last block of an attempt says that the log is covered.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store.h"

#define SLICE HEAD_SLICE
#define LEVEL_0_WINDOW_MS level_window_ms[0]

struct frozen_series {
    const struct series *s;
};

static bool freeze(struct tsdb *db)
{
    struct head *h = &db->head;
    pthread_mutex_lock(&h->lock);
    bool is_due = h->frozen || h->arena->samples > 0;
    if (!h->frozen && is_due) {
        head_roll(h);
        db->frozen_is_published = false;
        db->frozen_covered = log_roll(&db->log);
        db->sealed = arena_new();
    }
    uint32_t n = h->n_slots;
    pthread_mutex_unlock(&h->lock);
    for (uint32_t ref = 0; is_due && ref < n; ref += SLICE) {
        head_lock_patiently(h);
        for (uint32_t i = ref; i < MIN_OF(ref + SLICE, n); i++) {
            struct series *s = head_slot(h, i);
            if (s->generation != h->generation)
                head_freeze(h, s);
        }
        pthread_mutex_unlock(&h->lock);
        head_seal_frozen(h, ref, MIN_OF(ref + SLICE, n), db->sealed);
    }
    return is_due;
}

static void thaw(struct tsdb *db)
{
    struct head *h = &db->head;
    bool is_end = false;
    for (uint32_t ref = 0; !is_end; ref += SLICE) {
        head_lock_patiently(h);
        for (uint32_t i = ref; i < MIN_OF(ref + SLICE, h->n_slots); i++)
            head_thaw(h, head_slot(h, i));
        is_end = ref + SLICE >= h->n_slots;
        pthread_mutex_unlock(&h->lock);
    }
    pthread_mutex_lock(&h->lock);
    struct arena *arena = TAKE_PTR(h->frozen);
    pthread_mutex_unlock(&h->lock);
    pin_retire(&db->pins, arena_free, arena);
    pin_retire(&db->pins, arena_free, TAKE_PTR(db->sealed));
}

static int by_labels(const void *a, const void *b)
{
    return labels_compare(((const struct frozen_series *)a)->s->labels,
                          ((const struct frozen_series *)b)->s->labels);
}

static int list_frozen(struct tsdb *db, struct frozen_series **ret, size_t *ret_n)
{
    struct head *h = &db->head;
    pthread_mutex_lock(&h->lock);
    struct frozen_series *list = malloc(((size_t)h->n_slots + 1) * sizeof(*list));
    size_t n = 0;
    for (uint32_t ref = 0; list && ref < h->n_slots; ref++) {
        const struct series *s = head_slot(h, ref);
        if (s->frozen || s->frozen_open || s->frozen_late)
            list[n++].s = s;
    }
    pthread_mutex_unlock(&h->lock);
    if (!list)
        return -ENOMEM;
    qsort(list, n, sizeof(*list), by_labels);
    *ret = list;
    *ret_n = n;
    return 0;
}

static int gather_frozen(struct gather *g, const struct series *s, int64_t start_ms, int64_t end_ms)
{
    gather_reset(g, s->kind, s->scale, false);
    int r = gather_pieces(g, s->frozen, s->kind, s->scale, start_ms, end_ms);
    if (r == 0)
        r = gather_open(g, s->frozen_open, s->kind, s->scale, start_ms, end_ms);
    if (r == 0)
        r = gather_open(g, s->frozen_late, s->kind, s->scale, start_ms, end_ms);
    return r < 0 ? r : gather_sort(g);
}

static void earliest(const struct series *s, int64_t after_ms, int64_t *earliest_ms)
{
    for (const struct piece *p = s->frozen; p; p = p->older)
        if (piece_end(p) > after_ms)
            *earliest_ms = MIN_OF(*earliest_ms, MAX_OF(p->first_ms, after_ms + 1));
    const struct open *open[] = {s->frozen_open, s->frozen_late};
    for (size_t i = 0; i < ARRAY_LEN(open); i++)
        for (size_t k = 0; open[i] && k < open[i]->n; k++)
            if (open_time(open[i], k) > after_ms)
                *earliest_ms = MIN_OF(*earliest_ms, open_time(open[i], k));
}

static void cut_deleted(struct gather *g, const struct view *v, const struct labels *labels)
{
    for (size_t i = 0; i < v->n_deletions && g->n > 0; i++)
        if (deletion_matches(v->deletion[i], labels))
            gather_cut(g, v->deletion[i]->start_ms, v->deletion[i]->end_ms);
}

static int write_series(struct block_writer *w, struct gather *g, const struct series *s)
{
    int r = block_writer_series(w, s->labels, s->kind, s->scale);
    if (r < 0)
        return r;
    return s->kind == TSDB_SCALED ? block_writer_i64(w, g->t_ms, &g->v[0].i64, g->n)
                                  : block_writer_f64(w, g->t_ms, &g->v[0].f64, g->n);
}

/** The blocks of one attempt. */
struct attempt {
    struct block **block;
    size_t n, cap;
};

static int keep_block(struct tsdb *db, struct attempt *a, const struct block_meta *meta)
{
    char name[96];
    struct block *b = NULL;
    struct err err;
    block_name(meta, name, sizeof(name));
    int r = block_open(db->blocks_dirfd, name, &b, &err);
    if (r < 0) {
        unlinkat(db->blocks_dirfd, name, 0);
        store_note(db, "the new block %s does not read back: %s", name, err.message);
        return r;
    }
    mem_grow(&a->block, &a->cap, a->n, sizeof(a->block[0]));
    a->block[a->n++] = b;
    return 0;
}

// One window's block; *next_ms: the earliest sample behind it.
static int write_window(struct tsdb *db, const struct frozen_series *list, size_t n,
                        int64_t *next_ms, const struct view *v, struct attempt *a)
{
    int64_t end_ms = window_end(*next_ms, LEVEL_0_WINDOW_MS), start_ms = end_ms - LEVEL_0_WINDOW_MS;
    struct block_meta meta = {.window_start_ms = start_ms,
                              .window_end_ms = end_ms,
                              .deletions = db->last_deletion,
                              .serial = db->next_serial};
    CLEANUP(gather_done) struct gather g = {0};
    struct block_writer *w = NULL;
    int r = block_writer_new(db->blocks_dirfd, &meta, &w);
    if (r < 0)
        return r;
    *next_ms = INT64_MAX;
    for (size_t i = 0; i < n && r == 0; i++) {
        r = gather_frozen(&g, list[i].s, start_ms + 1, end_ms);
        cut_deleted(&g, v, list[i].s->labels);
        if (r == 0 && g.n > 0)
            r = write_series(w, &g, list[i].s);
        earliest(list[i].s, end_ms, next_ms);
    }
    if (r < 0 || block_writer_samples(w) == 0) {
        block_writer_abort(w);
        return r;
    }
    bool is_last = *next_ms == INT64_MAX;
    r = block_writer_finish(w, is_last ? db->frozen_covered : db->log_covered);
    if (r < 0)
        return r;
    db->next_serial++;
    return keep_block(db, a, &meta);
}

static int write_frozen(struct tsdb *db, struct attempt *a)
{
    CLEANUP(freep) struct frozen_series *list = NULL;
    size_t n = 0;
    int r = list_frozen(db, &list, &n);
    const struct view *v = view_get(db);
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < n; i++)
        earliest(list[i].s, INT64_MIN / 2, &next_ms);
    while (r == 0 && next_ms != INT64_MAX)
        r = write_window(db, list, n, &next_ms, v, a);
    return r;
}

static void give_up(struct tsdb *db, struct attempt *a)
{
    for (size_t i = 0; i < a->n; i++) {
        unlinkat(db->blocks_dirfd, a->block[i]->name, 0);
        block_free(a->block[i]);
    }
}

int flush_head(struct tsdb *db)
{
    struct attempt a = {0};
    if (!freeze(db)) {
        head_collect(&db->head);
        return 0;
    }
    int r = write_frozen(db, &a);
    store_disk_error(db, r);
    if (r < 0) {
        give_up(db, &a);
    } else {
        view_publish(db, view_change(view_get(db), a.block, a.n, NULL, 0), true);
        thaw(db);
        db->log_covered = db->frozen_covered;
        db->flushes++;
        log_delete(&db->log, tails_need(db, db->log_covered));
        head_collect(&db->head);
        // What the old head took lies between what is in use: free() gives none of it back.
        malloc_trim(0);
    }
    free(a.block);
    return r;
}
