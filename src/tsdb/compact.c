// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Merges blocks into larger ones and makes roll-ups. Owned by the block thread.
 *
 * 1. A window is merged once it is closed: nothing of it is left in the head. Samples that come for
 *    it later make it due again, with its roll-ups.
 * 2. The merged block is under its name before the ones it replaces are deleted; a crash in between
 *    leaves both, which read the same.
 * 3. Of samples of the same time the first written stays; of buckets the last made.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "merge.h"
#include "store.h"

static const uint32_t top_level[TSDB_RESOLUTIONS] = {2, 2, 3};

struct work {
    struct block **input;
    size_t n;
    struct merge_order order;
};

static bool lies_within(const struct block *b, int64_t start_ms, int64_t end_ms)
{
    return b->meta.window_start_ms >= start_ms && b->meta.window_end_ms <= end_ms;
}

static void take_inputs(struct work *w, const struct view *v)
{
    const struct block_meta *m = &w->order.meta;
    w->n = 0;
    for (size_t i = 0; i < v->n; i++) {
        struct block *b = v->block[i];
        if (!b->is_bad && b->meta.resolution_ms == m->resolution_ms &&
            lies_within(b, m->window_start_ms, m->window_end_ms))
            w->input[w->n++] = b;
    }
}

// Samples that came from the head, into the block that has their window.
static bool find_fresh(const struct view *v, int64_t closed_ms, struct work *w)
{
    for (size_t i = 0; i < v->n; i++) {
        const struct block_meta *m = &v->block[i]->meta;
        if (m->resolution_ms != 0 || m->level > 0 || m->window_end_ms > closed_ms ||
            v->block[i]->is_bad)
            continue;
        struct block_meta *target = &w->order.meta;
        *target = (struct block_meta){
            .window_start_ms = m->window_start_ms, .window_end_ms = m->window_end_ms, .level = 1};
        for (size_t k = 0; k < v->n; k++) {
            const struct block_meta *wide = &v->block[k]->meta;
            if (wide->resolution_ms == 0 && wide->level > target->level &&
                wide->window_start_ms <= m->window_start_ms &&
                wide->window_end_ms >= m->window_end_ms)
                *target = (struct block_meta){.window_start_ms = wide->window_start_ms,
                                              .window_end_ms = wide->window_end_ms,
                                              .level = wide->level};
        }
        w->order.with_rollups = true;
        take_inputs(w, v);
        return true;
    }
    return false;
}

// Two blocks or more that the next level has in one.
static bool find_small(const struct view *v, int64_t closed_ms, struct work *w)
{
    for (size_t i = 0; i < v->n; i++) {
        const struct block_meta *m = &v->block[i]->meta;
        int resolution = resolution_index(m->resolution_ms);
        if (resolution < 0 || m->level == 0 || v->block[i]->is_bad)
            continue;
        for (uint32_t level = MAX_OF(m->level, 2u); level <= top_level[resolution]; level++) {
            int64_t window = level_window_ms[level], end_ms = window_end(m->window_end_ms, window);
            w->order = (struct merge_order){.meta = {.resolution_ms = m->resolution_ms,
                                                     .window_start_ms = end_ms - window,
                                                     .window_end_ms = end_ms,
                                                     .level = level}};
            take_inputs(w, v);
            if (end_ms <= closed_ms && w->n > 1)
                return true;
        }
    }
    return false;
}

static bool concerns(const struct deletion *d, const struct block *b)
{
    if (b->is_bad || b->meta.deletions >= d->number || b->meta.min_ms > d->end_ms ||
        b->meta.max_ms < d->start_ms)
        return false;
    struct match_index index = block_index(b);
    CLEANUP(freep) uint64_t *bits = NULL;
    return match_bits(&index, d->matcher, d->n, &bits) == 0 &&
           match_next(bits, b->meta.n_series, 0) != UINT32_MAX;
}

// A block with samples that are deleted.
static bool find_deleted(const struct view *v, struct work *w)
{
    for (size_t i = 0; i < v->n_deletions; i++)
        for (size_t k = 0; k < v->n; k++)
            if (concerns(v->deletion[i], v->block[k])) {
                w->order = (struct merge_order){.meta = v->block[k]->meta};
                w->input[0] = v->block[k];
                w->n = 1;
                return true;
            }
    return false;
}

// Whether a start would replay log that is in blocks already: a reader is behind or the disk is,
// and no block is left that says so.
static bool may_be_replayed(struct tsdb *db, const struct view *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->block[i]->meta.log_covered >= db->log_covered)
            return false;
    return log_holds(&db->log, db->log_covered);
}

// Deletions that no file needs any more. One that was made since the head was last written stays.
static int forget_deletions(struct tsdb *db, const struct view *v)
{
    CLEANUP(freep) struct deletion **left = mem_zalloc((v->n_deletions + 1) * sizeof(*left));
    CLEANUP(freep) struct deletion **gone = mem_zalloc((v->n_deletions + 1) * sizeof(*gone));
    size_t n = 0, n_gone = 0;
    for (size_t i = 0; i < v->n_deletions; i++) {
        struct deletion *d = v->deletion[i];
        bool is_done = d->flushes < db->flushes;
        for (size_t k = 0; k < v->n; k++)
            is_done &= !v->block[k]->is_bad || v->block[k]->meta.deletions >= d->number;
        *(is_done ? &gone[n_gone++] : &left[n++]) = d;
    }
    if (n_gone == 0 || may_be_replayed(db, v))
        return 0;
    int r = deletions_write(db, left, n);
    if (r < 0)
        return r;
    view_publish(db, view_with_deletions(v, left, n), false);
    for (size_t i = 0; i < n_gone; i++)
        pin_retire(&db->pins, deletion_free, gone[i]);
    return 0;
}

static void free_block(void *b)
{
    block_free(b);
}

static int carry_out(struct tsdb *db, const struct view *v, struct work *w)
{
    struct block *made[TSDB_RESOLUTIONS];
    size_t n_made = 0;
    struct block *bad = NULL;
    w->order.meta.deletions = db->last_deletion;
    int r = merge_blocks(db, v, w->input, w->n, &w->order, made, &n_made, &bad);
    if (r == -EBADMSG && bad) {
        // Its other columns still answer; it is left alone from now on.
        bad->is_bad = true;
        pthread_mutex_lock(&db->notes_lock);
        db->unreadable++;
        pthread_mutex_unlock(&db->notes_lock);
        store_note(db,
                   "block %s is damaged in part: what is whole is still read, and it is not "
                   "merged with others",
                   bad->name);
        return 1;
    }
    if (r != -ECANCELED)
        store_disk_error(db, r);
    if (r < 0)
        return r;
    view_publish(db, view_change(v, made, n_made, w->input, w->n), false);
    for (size_t i = 0; i < w->n; i++) {
        unlinkat(db->blocks_dirfd, w->input[i]->name, 0);
        pin_retire(&db->pins, free_block, w->input[i]);
    }
    return 1;
}

int compact_step(struct tsdb *db)
{
    struct view *v = view_get(db);
    CLEANUP(freep) struct block **input = mem_zalloc((v->n + 1) * sizeof(struct block *));
    struct work w = {.input = input};
    pthread_mutex_lock(&db->head.lock);
    int64_t closed_ms = db->head.newest_ms - COMPACT_GRACE_MS;
    closed_ms = MIN_OF(closed_ms, db->head.arena->min_ms - 1);
    if (db->head.frozen)
        closed_ms = MIN_OF(closed_ms, db->head.frozen->min_ms - 1);
    pthread_mutex_unlock(&db->head.lock);
    if (find_deleted(v, &w) || find_fresh(v, closed_ms, &w) || find_small(v, closed_ms, &w))
        return carry_out(db, v, &w);
    return forget_deletions(db, v);
}
