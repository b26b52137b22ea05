// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Selecting: `struct query_source` over head and blocks.
 *
 * The head is copied first, bit by bit under its lock, the view is taken last: what moves from the
 * head into a block meanwhile is seen twice at most, never not at all, and equal times are read
 * once. The pin, set before, keeps pieces, texts and blocks alive.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "set.h"

#define SLICE HEAD_SLICE

static int copy_open(struct set *set, const struct open *o, struct open **ret)
{
    *ret = NULL;
    if (!o || o->n == 0)
        return 0;
    struct open *copy = arena_take(set->memory, sizeof(*o) + o->n * sizeof(o->v[0]));
    if (!copy)
        return -ENOMEM;
    memcpy(copy, o, sizeof(*o) + o->n * sizeof(o->v[0]));
    if (o->t_ms) {
        copy->t_ms = arena_take(set->memory, o->n * sizeof(o->t_ms[0]));
        if (!copy->t_ms)
            return -ENOMEM;
        memcpy(copy->t_ms, o->t_ms, o->n * sizeof(o->t_ms[0]));
    }
    *ret = copy;
    return 0;
}

// Needs the head's lock.
static int copy_series(struct set *set, const struct series *s, struct set_series *e)
{
    bool with_frozen = !set->db->frozen_is_published;
    *e = (struct set_series){.kind = s->kind,
                             .scale = s->scale,
                             .pieces = s->pieces,
                             .frozen = with_frozen ? s->frozen : NULL,
                             .first_part = NO_PART,
                             .last_part = NO_PART};
    int r = copy_open(set, s->open, &e->open[3]);
    if (r == 0)
        r = copy_open(set, s->late, &e->open[2]);
    if (r == 0 && with_frozen)
        r = copy_open(set, s->frozen_open, &e->open[1]);
    if (r == 0 && with_frozen)
        r = copy_open(set, s->frozen_late, &e->open[0]);
    return r;
}

static int add_series(struct set *set, const struct labels *labels, struct set_series **ret)
{
    size_t cap = set->cap;
    if (set->max_series > 0 && set->base.n >= set->max_series)
        return -E2BIG;
    int r = mem_grow_capped(&set->labels, &cap, set->base.n, sizeof(set->labels[0]), UINT32_MAX);
    if (r == 0)
        r = mem_grow_capped(&set->series, &set->cap, set->base.n, sizeof(set->series[0]),
                            UINT32_MAX);
    if (r < 0)
        return r;
    set->labels[set->base.n] = labels;
    *ret = &set->series[set->base.n++];
    **ret = (struct set_series){.first_part = NO_PART, .last_part = NO_PART}; // may be freed so
    return set_enter(set, (uint32_t)(set->base.n - 1));
}

static int take_slice(struct set *set, const uint64_t *bits, uint32_t n, uint32_t *ref)
{
    struct head *h = &set->db->head;
    int r = 0;
    head_lock_patiently(h);
    for (uint32_t i = 0; i < SLICE && r == 0; i++, ++*ref) {
        *ref = match_next(bits, n, *ref);
        if (*ref == UINT32_MAX)
            break;
        const struct series *s = head_slot(h, *ref);
        struct set_series *e = NULL;
        r = add_series(set, s->labels, &e);
        if (r == 0)
            r = copy_series(set, s, e);
        // One without samples in the head stands in for its blocks; others find it by its labels.
    }
    pthread_mutex_unlock(&h->lock);
    return r;
}

// Needs the head's lock.
static void take_view(struct set *set)
{
    const struct head *h = &set->db->head;
    set->view = set->db->view;
    set->head_min_ms = h->arena->min_ms;
    set->head_max_ms = h->arena->max_ms;
    if (h->frozen && !set->db->frozen_is_published) {
        set->head_min_ms = MIN_OF(set->head_min_ms, h->frozen->min_ms);
        set->head_max_ms = MAX_OF(set->head_max_ms, h->frozen->max_ms);
    }
}

static int select_head(struct set *set, const struct query_matcher *matcher, size_t n)
{
    struct head *h = &set->db->head;
    CLEANUP(freep) uint64_t *bits = NULL;
    pthread_rwlock_rdlock(&h->index);
    struct match_index index = head_index(h);
    int r = match_bits(&index, matcher, n, &bits);
    for (uint32_t ref = 0; r == 0 && ref != UINT32_MAX;)
        r = take_slice(set, bits, index.n_series, &ref);
    pthread_mutex_lock(&h->lock);
    take_view(set);
    pthread_mutex_unlock(&h->lock);
    pthread_rwlock_unlock(&h->index);
    return r;
}

static int select_one_of_head(struct set *set, const struct labels *labels)
{
    struct head *h = &set->db->head;
    uint32_t ref = 0;
    int r = 0;
    pthread_rwlock_rdlock(&h->index);
    bool found = head_find(h, labels, &ref);
    head_lock_patiently(h);
    if (found) {
        const struct series *s = head_slot(h, ref);
        struct set_series *e = NULL;
        r = add_series(set, s->labels, &e);
        if (r == 0)
            r = copy_series(set, s, e);
    }
    take_view(set);
    pthread_mutex_unlock(&h->lock);
    pthread_rwlock_unlock(&h->index);
    return r;
}

static int add_part(struct set *set, struct set_series *e, const struct block *b,
                    const struct block_series *s)
{
    int r =
        mem_grow_capped(&set->part, &set->parts_cap, set->n_parts, sizeof(set->part[0]), NO_PART);
    if (r < 0)
        return r;
    uint32_t i = (uint32_t)set->n_parts++;
    set->part[i] = (struct set_part){b, *s, NO_PART};
    *(e->last_part == NO_PART ? &e->first_part : &set->part[e->last_part].next) = i;
    e->last_part = i;
    return 0;
}

static int add_block_series(struct set *set, const struct block *b, const struct block_series *of)
{
    struct block_series s = *of;
    int r = 0;
    uint32_t found = set_find(set, b, &s);
    struct set_series *e = NULL;
    if (found != UINT32_MAX) {
        e = &set->series[found];
    } else {
        struct labels *labels = block_labels(b, &s);
        if (!labels)
            return set_damaged(set, b);
        r = add_series(set, labels, &e);
        if (!e) {
            labels_free(labels);
            return r;
        }
        *e = (struct set_series){.kind = s.kind,
                                 .scale = s.scale,
                                 .owns_labels = true,
                                 .first_part = NO_PART,
                                 .last_part = NO_PART};
    }
    return r < 0 ? r : add_part(set, e, b, &s);
}

static int select_block(struct set *set, const struct block *b, const struct query_matcher *matcher,
                        size_t n)
{
    struct match_index index = block_index(b);
    CLEANUP(freep) uint64_t *bits = NULL;
    int r = match_bits(&index, matcher, n, &bits);
    if (r == -EBADMSG)
        return set_damaged(set, b);
    for (uint32_t i = 0; r == 0; i++) {
        i = match_next(bits, b->meta.n_series, i);
        if (i == UINT32_MAX)
            break;
        struct block_series s;
        r = block_series(b, i, &s);
        r = r < 0 ? set_damaged(set, b) : add_block_series(set, b, &s);
    }
    return r;
}

static int select_one_of_block(struct set *set, const struct block *b, const struct labels *labels)
{
    struct block_series s;
    int r = block_find(b, labels, &s);
    if (r == -ENOENT)
        return 0;
    return r < 0 ? set_damaged(set, b) : add_block_series(set, b, &s);
}

static bool has_in_range(const struct set *set, const struct set_series *e)
{
    if (e->first_part != NO_PART)
        return true;
    const struct piece *pieces[] = {e->pieces, e->frozen};
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        for (const struct piece *p = pieces[i]; p; p = p->older)
            if (piece_end(p) >= set->hints.start_ms && p->first_ms <= set->hints.end_ms)
                return true;
    for (size_t i = 0; i < ARRAY_LEN(e->open); i++) {
        const struct open *o = e->open[i];
        if (o && open_time(o, o->n - 1u) >= set->hints.start_ms &&
            open_time(o, 0) <= set->hints.end_ms)
            return true;
    }
    return false;
}

// Series of the head without any sample in range.
static void drop_empty(struct set *set)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->base.n; i++) {
        if (!has_in_range(set, &set->series[i]))
            continue;
        set->labels[kept] = set->labels[i];
        set->series[kept++] = set->series[i];
    }
    set->base.n = kept;
}

static int fill(struct set *set, const struct query_matcher *matcher, size_t n)
{
    int r = select_head(set, matcher, n);
    if (set->view->n_deletions > 0)
        set->hints.last_only = false; // the last may be one of those deleted
    if (r == 0)
        r = set_plan(set);
    for (size_t i = 0; r == 0 && i < set->view->n; i++)
        if (set_wants(set, set->view->in_time[i]))
            r = select_block(set, set->view->in_time[i], matcher, n);
    if (r == 0)
        drop_empty(set);
    return r;
}

static struct set *set_new(struct tsdb *db, const struct query_hints *hints, size_t max_series)
{
    struct set *set = mem_zalloc(sizeof(*set));
    set->db = db;
    set->hints = *hints;
    set->max_series = max_series;
    set->memory = arena_new();
    pin_enter(&db->pins, &set->pin);
    return set;
}

static int select_series(struct query_source *source, const struct query_matcher *matcher, size_t n,
                         const struct query_hints *hints, size_t max_series, struct query_set **ret,
                         struct err *err)
{
    struct set *set = set_new((struct tsdb *)source, hints, max_series);
    int r = fill(set, matcher, n);
    set->base.ops = &source_ops;
    set->base.labels = set->labels;
    if (r < 0) {
        set_free(&set->base);
        if (r == -E2BIG)
            return err_set(err, E2BIG, "more than %zu series match", max_series);
        return err_set(err, -r, "selecting series: %s", strerror(-r));
    }
    *ret = &set->base;
    return 0;
}

static int fill_one(struct set *set, const struct labels *labels)
{
    int r = select_one_of_head(set, labels);
    if (r == 0)
        r = set_plan(set);
    for (size_t i = 0; r == 0 && i < set->view->n; i++)
        if (set_wants(set, set->view->in_time[i]))
            r = select_one_of_block(set, set->view->in_time[i], labels);
    if (r == 0)
        drop_empty(set);
    return r;
}

int tsdb_select_series(struct tsdb *db, const struct labels *labels,
                       const struct query_hints *hints, struct query_set **ret, struct err *err)
{
    struct set *set = set_new(db, hints, 0);
    int r = fill_one(set, labels);
    set->base.ops = &source_ops;
    set->base.labels = set->labels;
    if (r < 0) {
        set_free(&set->base);
        return err_set(err, -r, "selecting a series: %s", strerror(-r));
    }
    *ret = &set->base;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void note_text(struct map *seen, const char *text)
{
    if (!map_get(seen, text, strlen(text) + 1))
        map_put(seen, text, strlen(text) + 1, mem_strdup(text));
}

static void hand_out(const struct map *seen, struct query_texts *ret)
{
    *ret = (struct query_texts){mem_zalloc((map_count(seen) + 1) * sizeof(char *)), 0};
    size_t cursor = 0;
    for (char *text; (text = map_next(seen, &cursor));)
        ret->text[ret->n++] = text;
    qsort(ret->text, ret->n, sizeof(ret->text[0]), by_text);
}

static void note_labels(struct map *seen, const struct labels *l, const char *name)
{
    const char *value = name ? labels_get(l, name) : NULL;
    if (value)
        note_text(seen, value);
    for (uint32_t k = 0; !name && k < l->n; k++)
        note_text(seen, l->label[k].name);
}

static int note_block(struct set *set, const struct block *b, const struct query_matcher *matcher,
                      size_t n, const char *name, struct map *seen)
{
    struct match_index index = block_index(b);
    CLEANUP(freep) uint64_t *bits = NULL;
    int r = match_bits(&index, matcher, n, &bits);
    if (r == -EBADMSG)
        return set_damaged(set, b);
    for (uint32_t i = 0; r == 0 && (i = match_next(bits, b->meta.n_series, i)) != UINT32_MAX; i++) {
        struct block_series s;
        struct labels *labels = block_series(b, i, &s) == 0 ? block_labels(b, &s) : NULL;
        if (!labels)
            return set_damaged(set, b);
        note_labels(seen, labels, name);
        labels_free(labels);
    }
    return r;
}

// Series of blocks one by one: all series of all time would not fit into memory.
static int note_texts(struct set *set, const struct query_matcher *matcher, size_t n,
                      const char *name, struct map *seen)
{
    int r = select_head(set, matcher, n);
    if (r == 0)
        r = set_plan(set);
    if (r < 0)
        return r;
    drop_empty(set);
    for (size_t i = 0; i < set->base.n; i++)
        note_labels(seen, set->labels[i], name);
    for (size_t i = 0; r == 0 && i < set->view->n; i++)
        if (set_wants(set, set->view->block[i]))
            r = note_block(set, set->view->block[i], matcher, n, name, seen);
    return r;
}

// Names of labels (name NULL) or the values of one.
static int texts(struct query_source *source, const char *name, const struct query_matcher *matcher,
                 size_t n, int64_t start_ms, int64_t end_ms, struct query_texts *ret,
                 struct err *err)
{
    struct query_hints hints = {start_ms, end_ms, RESOLUTION_HOUR_MS, 0};
    struct set *set = set_new((struct tsdb *)source, &hints, 0);
    struct map *seen = map_new();
    int r = note_texts(set, matcher, n, name, seen);
    set_free(&set->base);
    hand_out(seen, ret);
    map_free(seen);
    if (r < 0) {
        query_texts_done(ret);
        return err_set(err, -r, "reading labels: %s", strerror(-r));
    }
    return 0;
}

static int label_names(struct query_source *source, const struct query_matcher *matcher, size_t n,
                       int64_t start_ms, int64_t end_ms, struct query_texts *ret, struct err *err)
{
    return texts(source, NULL, matcher, n, start_ms, end_ms, ret, err);
}

static int label_values(struct query_source *source, const char *name,
                        const struct query_matcher *matcher, size_t n, int64_t start_ms,
                        int64_t end_ms, struct query_texts *ret, struct err *err)
{
    return texts(source, name, matcher, n, start_ms, end_ms, ret, err);
}

const struct query_source_ops source_ops = {
    .select = select_series,
    .read = set_read,
    .free_set = set_free,
    .label_names = label_names,
    .label_values = label_values,
};

struct query_source *tsdb_source(struct tsdb *db)
{
    return &db->source;
}
