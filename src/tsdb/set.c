// SPDX-License-Identifier: GPL-3.0-or-later
#include "set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define WINDOW_MS level_window_ms[0]
#define WINDOWS_MAX (1u << 20)

// What there is of one window: bits of resolutions, and whether samples may have come since the
// roll-ups were made.
#define FRESH 0x80u

static void mark(uint8_t *have, size_t n, int64_t base_ms, int64_t first_ms, int64_t last_ms,
                 uint8_t bits)
{
    int64_t from = (window_end(first_ms, WINDOW_MS) - base_ms) / WINDOW_MS;
    int64_t to = (window_end(last_ms, WINDOW_MS) - base_ms) / WINDOW_MS;
    for (int64_t i = MAX_OF(from, INT64_C(0)); i <= to && i < (int64_t)n; i++)
        have[i] |= bits;
}

static int choose(uint8_t have, int wanted)
{
    uint8_t rollups = have & ~(FRESH | 1u);
    if ((have & FRESH) && ((have & 1u) || !rollups))
        return 0;
    for (int i = wanted; i >= 0; i--)
        if (have >> i & 1)
            return i;
    for (int i = wanted + 1; i < TSDB_RESOLUTIONS; i++)
        if (have >> i & 1)
            return i;
    return 0;
}

static int coarsest(const struct query_hints *h)
{
    for (int i = TSDB_RESOLUTIONS - 1; i > 0; i--)
        if (h->max_resolution_ms > 0 && h->max_resolution_ms % resolution_ms[i] == 0 &&
            h->align_ms % resolution_ms[i] == 0)
            return i;
    return 0;
}

// Reading a bucket costs as much as reading so many samples.
#define BUCKET_COST 5

/** How many there are in a while, on the average of the blocks of one resolution. */
struct density {
    double n, ms;
};

static struct density density_of(const struct set *set, int64_t resolution)
{
    struct density d = {0};
    for (size_t i = 0; i < set->view->n; i++) {
        const struct block_meta *m = &set->view->block[i]->meta;
        if (m->resolution_ms != resolution || m->window_end_ms < set->hints.start_ms ||
            m->window_start_ms > set->hints.end_ms)
            continue;
        d.n += (double)m->n_samples;
        d.ms += (double)(m->window_end_ms - m->window_start_ms);
    }
    return d;
}

// Where samples lie far apart, their buckets are no shorter than they are.
static int worthwhile(const struct set *set, int wanted)
{
    struct density samples = density_of(set, 0), buckets = density_of(set, resolution_ms[wanted]);
    bool known = samples.ms > 0 && buckets.ms > 0;
    return known && samples.n / samples.ms < BUCKET_COST * buckets.n / buckets.ms ? 0 : wanted;
}

static void bounds(const struct set *set, int64_t *first_ms, int64_t *last_ms)
{
    *first_ms = set->head_min_ms;
    *last_ms = set->head_max_ms;
    for (size_t i = 0; i < set->view->n; i++) {
        const struct block_meta *m = &set->view->block[i]->meta;
        *first_ms = MIN_OF(*first_ms, m->window_start_ms + 1);
        *last_ms = MAX_OF(*last_ms, m->window_end_ms);
    }
    *first_ms = MAX_OF(*first_ms, set->hints.start_ms);
    int64_t end_ms = set->hints.end_ms;
    *last_ms =
        MIN_OF(*last_ms,
               end_ms < INT64_MAX - RESOLUTION_HOUR_MS ? end_ms + RESOLUTION_HOUR_MS - 1 : end_ms);
}

static int add_span(struct set *set, int64_t start_ms, int64_t end_ms, int resolution)
{
    if (set->n_spans > 0 && set->span[set->n_spans - 1].resolution == resolution) {
        set->span[set->n_spans - 1].end_ms = end_ms;
        return 0;
    }
    int r = mem_grow_capped(&set->span, &set->spans_cap, set->n_spans, sizeof(set->span[0]),
                            WINDOWS_MAX);
    if (r == 0)
        set->span[set->n_spans++] = (struct set_span){start_ms, end_ms, resolution};
    return r;
}

int set_plan(struct set *set)
{
    int64_t first_ms, last_ms;
    bounds(set, &first_ms, &last_ms);
    if (first_ms > last_ms)
        return 0;
    int64_t base_ms = window_end(first_ms, WINDOW_MS);
    int64_t n_windows = (window_end(last_ms, WINDOW_MS) - base_ms) / WINDOW_MS + 1;
    // A sample of 1970 among those of today: too far apart to plan; samples only.
    if (n_windows > WINDOWS_MAX)
        return add_span(set, first_ms, last_ms, 0);
    size_t n = (size_t)n_windows;
    CLEANUP(freep) uint8_t *have = calloc(n, 1);
    if (!have)
        return -ENOMEM;
    for (size_t i = 0; i < set->view->n; i++) {
        const struct block_meta *m = &set->view->block[i]->meta;
        int resolution = resolution_index(m->resolution_ms);
        uint8_t bits = resolution == 0 && m->level == 0 ? FRESH : (uint8_t)(1u << resolution);
        mark(have, n, base_ms, m->window_start_ms + 1, m->window_end_ms, bits);
    }
    if (set->head_min_ms <= set->head_max_ms)
        mark(have, n, base_ms, set->head_min_ms, set->head_max_ms, FRESH);
    int wanted = coarsest(&set->hints), r = 0;
    if (wanted > 0)
        wanted = worthwhile(set, wanted);
    for (size_t i = 0; i < n && r == 0; i++) {
        int64_t end_ms = base_ms + (int64_t)i * WINDOW_MS;
        r = add_span(set, end_ms - WINDOW_MS + 1, end_ms, choose(have[i], wanted));
    }
    return r;
}

bool set_wants(const struct set *set, const struct block *b)
{
    int resolution = resolution_index(b->meta.resolution_ms);
    if (b->meta.min_ms - b->meta.resolution_ms > set->hints.end_ms ||
        b->meta.max_ms < set->hints.start_ms)
        return false;
    for (size_t i = 0; i < set->n_spans; i++)
        if (set->span[i].resolution == resolution && set->span[i].start_ms <= b->meta.max_ms &&
            set->span[i].end_ms >= b->meta.min_ms)
            return true;
    return false;
}

static void put_in_table(struct set *set, uint32_t series)
{
    uint64_t hash = set->labels[series]->hash;
    size_t i = (hash ^ hash >> 32) & (set->table_size - 1);
    while (set->table[i])
        i = (i + 1) & (set->table_size - 1);
    set->table[i] = series + 1;
}

int set_enter(struct set *set, uint32_t i)
{
    if ((set->n_entered + 1) * 2 > set->table_size) {
        size_t size = set->table_size ? set->table_size * 2 : 64;
        uint32_t *table = calloc(size, sizeof(*table));
        if (!table)
            return -ENOMEM;
        free(set->table);
        set->table = table;
        set->table_size = size;
        for (uint32_t k = 0; k < set->n_entered; k++)
            put_in_table(set, k);
    }
    put_in_table(set, i);
    set->n_entered++;
    return 0;
}

uint32_t set_find(const struct set *set, const struct block *b, const struct block_series *s)
{
    if (!set->table_size)
        return UINT32_MAX;
    size_t i = (s->hash ^ s->hash >> 32) & (set->table_size - 1);
    for (; set->table[i]; i = (i + 1) & (set->table_size - 1)) {
        uint32_t at = set->table[i] - 1;
        if (block_labels_equal(b, s, set->labels[at]))
            return at;
    }
    return UINT32_MAX;
}

int set_damaged(struct set *set, const struct block *b)
{
    store_damaged(set->db, b);
    return 0;
}

void set_free(struct query_set *base)
{
    struct set *set = (struct set *)base;
    if (!set)
        return;
    for (size_t i = 0; i < set->base.n; i++)
        if (set->series[i].owns_labels)
            labels_free((struct labels *)set->labels[i]);
    pin_leave(&set->db->pins, &set->pin);
    arena_free(set->memory);
    gather_done(&set->g);
    free(set->labels);
    free(set->series);
    free(set->table);
    free(set->part);
    free(set->span);
    free(set->bucket);
    free(set->run);
    free(set);
}
