// SPDX-License-Identifier: GPL-3.0-or-later
// Reading one series of a selection: samples of all raw spans into one array, buckets of all others
// into another, then runs that point into them.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "set.h"

static int read_chunks(struct set *set, const struct set_part *part, const struct set_span *span,
                       int (*take)(struct set *set, const struct set_part *part,
                                   const struct block_chunk *c, int64_t start_ms, int64_t end_ms))
{
    struct block_series s = part->series;
    int r = 0;
    for (uint32_t i = 0; i < s.n_chunks && r == 0; i++) {
        struct block_chunk c;
        r = block_next_chunk(part->block, &s, &c);
        if (r < 0)
            return set_damaged(set, part->block);
        if (c.min_ms > span->end_ms)
            break;
        if (c.max_ms < span->start_ms)
            continue;
        r = take(set, part, &c, span->start_ms, span->end_ms);
        if (r == -EBADMSG)
            r = set_damaged(set, part->block);
    }
    return r;
}

static int take_samples(struct set *set, const struct set_part *part, const struct block_chunk *c,
                        int64_t start_ms, int64_t end_ms)
{
    return gather_chunk(&set->g, part->block, &part->series, c, start_ms, end_ms, &set->hints);
}

static int take_buckets(struct set *set, const struct set_part *part, const struct block_chunk *c,
                        int64_t start_ms, int64_t end_ms)
{
    if (set->buckets_cap - set->n_buckets < c->n) {
        size_t cap = MAX_OF(set->n_buckets + c->n, set->buckets_cap * 2);
        struct query_bucket *b = realloc(set->bucket, cap * sizeof(*b));
        if (!b)
            return -ENOMEM;
        set->bucket = b;
        set->buckets_cap = cap;
    }
    struct query_bucket *b = set->bucket + set->n_buckets;
    size_t kept = 0, n;
    int r = block_buckets_needed(part->block, c, &set->hints, b, &n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        if (b[i].end_ms >= start_ms && b[i].end_ms <= end_ms)
            b[kept++] = b[i];
    set->n_buckets += kept;
    return 0;
}

static void cut_buckets(struct set *set, size_t from, int64_t resolution, const struct deletion *d)
{
    size_t kept = from;
    for (size_t i = from; i < set->n_buckets; i++) {
        const struct query_bucket *b = &set->bucket[i];
        if (b->end_ms - resolution + 1 < d->start_ms || b->end_ms > d->end_ms)
            set->bucket[kept++] = *b;
    }
    set->n_buckets = kept;
}

static int read_samples(struct set *set, const struct set_series *e, const struct set_span *span)
{
    int r = 0;
    for (uint32_t i = e->first_part; i != NO_PART && r == 0; i = set->part[i].next)
        if (set->part[i].block->meta.resolution_ms == 0)
            r = read_chunks(set, &set->part[i], span, take_samples);
    if (r == 0)
        r = gather_pieces(&set->g, e->frozen, e->kind, e->scale, span->start_ms, span->end_ms);
    for (size_t i = 0; i < 2 && r == 0; i++)
        r = gather_open(&set->g, e->open[i], e->kind, e->scale, span->start_ms, span->end_ms);
    if (r == 0)
        r = gather_pieces(&set->g, e->pieces, e->kind, e->scale, span->start_ms, span->end_ms);
    for (size_t i = 2; i < 4 && r == 0; i++)
        r = gather_open(&set->g, e->open[i], e->kind, e->scale, span->start_ms, span->end_ms);
    return r;
}

static int add_run(struct set *set, const struct query_run *run)
{
    int r =
        mem_grow_capped(&set->run, &set->runs_cap, set->n_runs, sizeof(set->run[0]), SIZE_MAX / 64);
    if (r == 0)
        set->run[set->n_runs++] = *run;
    return r;
}

static int read_buckets(struct set *set, size_t i, const struct set_span *span)
{
    size_t from = set->n_buckets;
    int64_t resolution = resolution_ms[span->resolution];
    int r = 0;
    for (uint32_t k = set->series[i].first_part; k != NO_PART && r == 0; k = set->part[k].next)
        if (set->part[k].block->meta.resolution_ms == resolution)
            r = read_chunks(set, &set->part[k], span, take_buckets);
    if (r < 0)
        return r;
    set->n_buckets = from + buckets_sort(set->bucket + from, set->n_buckets - from);
    for (size_t k = 0; k < set->view->n_deletions; k++)
        if (deletion_matches(set->view->deletion[k], set->labels[i]))
            cut_buckets(set, from, resolution, set->view->deletion[k]);
    // The array may move yet: the place is put in once all is read.
    struct query_run run = {.resolution_ms = resolution, .n = set->n_buckets - from};
    return run.n > 0 ? add_run(set, &run) : 0;
}

static int finish_samples(struct set *set, size_t i)
{
    int r = gather_sort(&set->g);
    for (size_t k = 0; r == 0 && k < set->view->n_deletions; k++) {
        const struct deletion *d = set->view->deletion[k];
        if (deletion_matches(d, set->labels[i]))
            gather_cut(&set->g, d->start_ms, d->end_ms);
    }
    return r;
}

static struct set_span clip(const struct set_span *s, int64_t start_ms, int64_t end_ms)
{
    // A bucket reaches into the range as long as it begins before its end.
    int64_t reach = s->resolution == 0 ? 0 : resolution_ms[s->resolution] - 1;
    int64_t last_ms = end_ms < INT64_MAX - reach ? end_ms + reach : end_ms;
    return (struct set_span){MAX_OF(s->start_ms, start_ms), MIN_OF(s->end_ms, last_ms),
                             s->resolution};
}

// Runs of samples are cut from the one array where buckets come between.
static int read_spans(struct set *set, size_t i, int64_t start_ms, int64_t end_ms)
{
    int r = 0;
    for (size_t k = 0; k < set->n_spans && r == 0; k++) {
        struct set_span span = clip(&set->span[k], start_ms, end_ms);
        if (span.start_ms > span.end_ms)
            continue;
        if (span.resolution > 0) {
            r = read_buckets(set, i, &span);
            continue;
        }
        r = read_samples(set, &set->series[i], &span);
        struct query_run run = {.t_ms = &set->span[k].end_ms};
        if (r == 0)
            r = add_run(set, &run);
    }
    return r < 0 ? r : finish_samples(set, i);
}

static void place_runs(struct set *set)
{
    size_t bucket = 0, sample = 0, kept = 0;
    for (size_t i = 0; i < set->n_runs; i++) {
        struct query_run *run = &set->run[i];
        if (run->resolution_ms > 0) {
            run->bucket = set->bucket + bucket;
            bucket += run->n;
        } else {
            size_t end = gather_find(&set->g, *run->t_ms + 1);
            run->n = end - sample;
            if (run->n > 0) { // else there may be no room at all
                run->t_ms = set->g.t_ms + sample;
                run->v = &set->g.v[sample].f64;
            }
            sample = end;
        }
        if (run->n > 0)
            set->run[kept++] = *run;
    }
    set->n_runs = kept;
}

int set_read(struct query_set *base, size_t i, int64_t start_ms, int64_t end_ms,
             const struct query_run **ret, size_t *ret_n, struct err *err)
{
    struct set *set = (struct set *)base;
    set->n_runs = set->n_buckets = 0;
    gather_reset(&set->g, TSDB_DOUBLE, 0, true);
    int r = read_spans(set, i, start_ms, end_ms);
    if (r < 0)
        return err_set(err, r == -ENOMEM ? ENOMEM : EIO, "reading a series: %s", strerror(-r));
    place_runs(set);
    *ret = set->run;
    *ret_n = set->n_runs;
    return 0;
}
