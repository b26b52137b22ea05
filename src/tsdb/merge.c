// SPDX-License-Identifier: GPL-3.0-or-later
#include "merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "codec.h"

/** One input, walked in the order of labels. */
struct walk {
    struct block *block;
    uint32_t next;
    struct block_series series; // that `labels` are of
    struct labels *labels;      // owned; NULL at the end
};

struct merge {
    struct tsdb *db;
    const struct view *view;
    const struct merge_order *order;
    struct walk *walk;
    size_t n;
    struct block_writer *writer[TSDB_RESOLUTIONS]; // by resolution; NULL: not made
    struct labels **labels;                        // of the series written, for the writers
    size_t n_labels, labels_cap;
    struct gather g;
    double *v; // values as they are read
    size_t v_cap;
    struct query_bucket *bucket;
    size_t n_buckets, buckets_cap;
    struct block *bad;
};

static int step(struct merge *m, struct walk *w)
{
    w->labels = NULL;
    if (w->next == w->block->meta.n_series)
        return 0;
    int r = block_series(w->block, w->next++, &w->series);
    if (r == 0 && !(w->labels = block_labels(w->block, &w->series)))
        r = -EBADMSG;
    if (r < 0)
        m->bad = w->block;
    return r;
}

static void merge_done(struct merge *m)
{
    for (size_t i = 0; i < m->n; i++)
        labels_free(m->walk[i].labels);
    for (size_t i = 0; i < TSDB_RESOLUTIONS; i++)
        block_writer_abort(m->writer[i]);
    free(m->walk);
    gather_done(&m->g);
    free(m->v);
    free(m->bucket);
}

// The first in order of labels of what is left; NULL at the end.
static const struct labels *lowest(const struct merge *m)
{
    const struct labels *low = NULL;
    for (size_t i = 0; i < m->n; i++) {
        const struct labels *l = m->walk[i].labels;
        if (l && (!low || labels_compare(l, low) < 0))
            low = l;
    }
    return low;
}

static bool has(const struct walk *w, const struct labels *labels)
{
    return w->labels && (w->labels == labels || labels_equal(w->labels, labels));
}

static void choose_kind(struct merge *m, const struct labels *labels)
{
    const struct block_series *first = NULL;
    bool is_mixed = false;
    for (size_t i = 0; i < m->n; i++) {
        if (!has(&m->walk[i], labels))
            continue;
        const struct block_series *s = &m->walk[i].series;
        if (!first)
            first = s;
        is_mixed |= s->kind != first->kind || s->scale != first->scale;
    }
    gather_reset(&m->g, first->kind, first->scale, is_mixed || first->kind == TSDB_DOUBLE);
}

static int gather_samples(struct merge *m, const struct labels *labels)
{
    int r = 0;
    choose_kind(m, labels);
    for (size_t i = 0; i < m->n && r == 0; i++) {
        struct walk *w = &m->walk[i];
        if (!has(w, labels))
            continue;
        struct block_chunk c;
        for (uint32_t k = 0; k < w->series.n_chunks && r == 0; k++) {
            r = block_next_chunk(w->block, &w->series, &c);
            if (r == 0)
                r = gather_chunk(&m->g, w->block, &w->series, &c, INT64_MIN, INT64_MAX, NULL);
        }
        if (r == -EBADMSG)
            m->bad = w->block;
    }
    return r < 0 ? r : gather_sort(&m->g);
}

static int gather_buckets(struct merge *m, const struct labels *labels)
{
    int r = 0;
    m->n_buckets = 0;
    for (size_t i = 0; i < m->n && r == 0; i++) {
        struct walk *w = &m->walk[i];
        if (!has(w, labels))
            continue;
        for (uint32_t k = 0; k < w->series.n_chunks && r == 0; k++) {
            struct block_chunk c;
            r = block_next_chunk(w->block, &w->series, &c);
            for (size_t n = 0; n < c.n && r == 0; n++)
                r = mem_grow_capped(&m->bucket, &m->buckets_cap, m->n_buckets + n,
                                    sizeof(m->bucket[0]), SIZE_MAX / 256);
            if (r == 0)
                r = block_buckets(w->block, &c, m->bucket + m->n_buckets);
            if (r == 0)
                m->n_buckets += c.n;
        }
        if (r == -EBADMSG)
            m->bad = w->block;
    }
    if (r == 0)
        m->n_buckets = buckets_sort(m->bucket, m->n_buckets);
    return r;
}

static void cut_buckets(struct merge *m, const struct deletion *d)
{
    size_t kept = 0;
    int64_t resolution = m->order->meta.resolution_ms;
    for (size_t i = 0; i < m->n_buckets; i++) {
        const struct query_bucket *b = &m->bucket[i];
        if (b->end_ms - resolution + 1 < d->start_ms || b->end_ms > d->end_ms)
            m->bucket[kept++] = *b;
    }
    m->n_buckets = kept;
}

static void cut_deleted(struct merge *m, const struct labels *labels)
{
    for (size_t i = 0; i < m->view->n_deletions; i++) {
        const struct deletion *d = m->view->deletion[i];
        if (!deletion_matches(d, labels))
            continue;
        if (m->order->meta.resolution_ms == 0)
            gather_cut(&m->g, d->start_ms, d->end_ms);
        else
            cut_buckets(m, d);
    }
}

// The series' last value in a block, staleness markers apart.
static bool last_value(const struct block *b, struct block_series *s, double *ret)
{
    struct block_chunk c = {0};
    for (uint32_t i = 0; i < s->n_chunks; i++)
        if (block_next_chunk(b, s, &c) < 0)
            return false;
    CLEANUP(freep) double *v = c.n > 0 ? malloc(c.n * sizeof(*v)) : NULL;
    if (!v || block_values_f64(b, s, &c, v) < 0)
        return false;
    for (size_t i = c.n; i > 0; i--)
        if (!sample_is_stale(v[i - 1])) {
            *ret = v[i - 1];
            return true;
        }
    return false;
}

static struct rollup_before find_before(const struct merge *m, const struct labels *labels)
{
    struct rollup_before before = {0};
    for (size_t i = 0; i < m->view->n; i++) {
        const struct block *b = m->view->block[i];
        struct block_series s;
        if (b->meta.resolution_ms == 0 && b->meta.window_end_ms == m->order->meta.window_start_ms &&
            block_find(b, labels, &s) == 0)
            before.is_there |= last_value(b, &s, &before.value);
    }
    return before;
}

static int put_rollups(struct merge *m, const struct labels *labels)
{
    struct gather *g = &m->g;
    if (g->n > m->v_cap) {
        free(m->v);
        m->v = malloc(g->n * sizeof(*m->v));
        m->v_cap = m->v ? g->n : 0;
        if (!m->v)
            return -ENOMEM;
    }
    if (g->kind == TSDB_SCALED)
        codec_scale(&g->v[0].i64, g->n, g->scale, m->v);
    else
        memcpy(m->v, g->v, g->n * sizeof(*m->v));
    struct rollup_before before = find_before(m, labels);
    int r = 0;
    for (int i = 1; i < TSDB_RESOLUTIONS && r == 0; i++) {
        m->n_buckets = 0;
        r = rollup(g->t_ms, m->v, g->n, resolution_ms[i], before, &m->bucket, &m->n_buckets,
                   &m->buckets_cap);
        if (r == 0 && m->n_buckets > 0)
            r = block_writer_series(m->writer[i], labels, TSDB_DOUBLE, 0);
        if (r == 0 && m->n_buckets > 0)
            r = block_writer_buckets(m->writer[i], m->bucket, m->n_buckets);
    }
    return r;
}

static int put_samples(struct merge *m, const struct labels *labels)
{
    struct gather *g = &m->g;
    struct block_writer *w = m->writer[0];
    if (g->n == 0)
        return 0;
    int r = block_writer_series(w, labels, g->kind, g->kind == TSDB_SCALED ? g->scale : 0);
    if (r == 0)
        r = g->kind == TSDB_SCALED ? block_writer_i64(w, g->t_ms, &g->v[0].i64, g->n)
                                   : block_writer_f64(w, g->t_ms, &g->v[0].f64, g->n);
    return r == 0 && m->order->with_rollups ? put_rollups(m, labels) : r;
}

static int put_buckets(struct merge *m, const struct labels *labels)
{
    struct block_writer *w = m->writer[resolution_index(m->order->meta.resolution_ms)];
    if (m->n_buckets == 0)
        return 0;
    int r = block_writer_series(w, labels, TSDB_DOUBLE, 0);
    return r < 0 ? r : block_writer_buckets(w, m->bucket, m->n_buckets);
}

// All that the inputs have of one series; then those inputs move on.
static int merge_one(struct merge *m, const struct labels *labels)
{
    bool is_raw = m->order->meta.resolution_ms == 0;
    struct labels *done = NULL;
    int r = is_raw ? gather_samples(m, labels) : gather_buckets(m, labels);
    if (r < 0)
        return r;
    cut_deleted(m, labels);
    r = is_raw ? put_samples(m, labels) : put_buckets(m, labels);
    for (size_t i = 0; i < m->n && r == 0; i++) {
        struct walk *w = &m->walk[i];
        if (!has(w, labels))
            continue;
        if (w->labels == labels)
            done = w->labels;
        else
            labels_free(w->labels);
        r = step(m, w);
    }
    labels_free(done);
    return r;
}

static int merge_all(struct merge *m)
{
    int r = 0;
    for (size_t i = 0; i < m->n && r == 0; i++)
        r = step(m, &m->walk[i]);
    for (const struct labels *low; r == 0 && (low = lowest(m));)
        r = upkeep_is_stopping(m->db) ? -ECANCELED : merge_one(m, low);
    return r;
}

static int begin_writers(struct merge *m, struct block_meta *meta)
{
    int own = resolution_index(m->order->meta.resolution_ms), r = 0;
    for (int i = 0; i < TSDB_RESOLUTIONS && r == 0; i++) {
        if (i != own && !m->order->with_rollups)
            continue;
        meta[i] = m->order->meta;
        meta[i].resolution_ms = resolution_ms[i];
        meta[i].serial = m->db->next_serial++;
        r = block_writer_new(m->db->blocks_dirfd, &meta[i], &m->writer[i]);
    }
    return r;
}

static int finish_writers(struct merge *m, const struct block_meta *meta, struct block **made,
                          size_t *ret_made)
{
    for (int i = 0; i < TSDB_RESOLUTIONS; i++) {
        struct block_writer *w = m->writer[i];
        if (!w || block_writer_samples(w) == 0)
            continue;
        m->writer[i] = NULL;
        int r = block_writer_finish(w, m->db->log_covered);
        if (r < 0)
            return r;
        char name[96];
        struct err err;
        block_name(&meta[i], name, sizeof(name));
        r = block_open(m->db->blocks_dirfd, name, &made[*ret_made], &err);
        if (r < 0) {
            unlinkat(m->db->blocks_dirfd, name, 0);
            store_note(m->db, "the new block %s does not read back: %s", name, err.message);
            return r;
        }
        ++*ret_made;
    }
    return 0;
}

int merge_blocks(struct tsdb *db, const struct view *v, struct block *const *input, size_t n,
                 const struct merge_order *order, struct block **made, size_t *ret_made,
                 struct block **ret_bad)
{
    CLEANUP(merge_done) struct merge m = {.db = db, .view = v, .order = order, .n = n};
    struct block_meta meta[TSDB_RESOLUTIONS];
    m.walk = mem_zalloc((n + 1) * sizeof(m.walk[0]));
    for (size_t i = 0; i < n; i++)
        m.walk[i].block = input[i];
    *ret_made = 0;
    int r = begin_writers(&m, meta);
    if (r == 0)
        r = merge_all(&m);
    if (r == 0)
        r = finish_writers(&m, meta, made, ret_made);
    for (size_t i = 0; r < 0 && i < *ret_made; i++) {
        unlinkat(db->blocks_dirfd, made[i]->name, 0);
        block_free(made[i]);
    }
    *ret_bad = m.bad;
    return r;
}
