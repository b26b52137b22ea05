// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Invariants, under `index` (written by the owner, by head_collect(); read by whoever selects):
 * 1. Texts of labels exist once, in the label_name and label_value they belong to.
 * 2. A series' slot number is in the list of each of its label_values, and in no other.
 * 3. The table finds a series by the addresses of its texts, mixed with a random seed: texts come
 *    from outside, and are found through SipHash before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "head.h"

#define IDLE_GENERATIONS 2
#define COLLECT_SHARE 8 /* collect when one in so many series is not held */
#define CROWD_SHARE 4
#define CROWD_MIN 1024

void head_init(struct head *h, struct pins *pins, uint32_t series_max, int64_t late_ms)
{
    *h = (struct head){.pins = pins,
                       .series_max = series_max,
                       .late_ms = MIN_OF(late_ms, HEAD_LATE_MAX_MS),
                       .newest_ms = INT64_MIN / 2};
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    // Else the owner waits as long as one query begins before another has ended.
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&h->index, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    pthread_mutex_init(&h->lock, NULL);
    h->names = map_new();
    h->arena = arena_new();
    if (getrandom(&h->seed, sizeof(h->seed), GRND_NONBLOCK) != (ssize_t)sizeof(h->seed))
        h->seed = (uint64_t)(uintptr_t)h;
}

static void value_free(void *p)
{
    struct label_value *v = p;
    free(v->series);
    free(v);
}

static void names_free(struct head *h)
{
    size_t cursor = 0;
    for (struct label_name *name; (name = map_next(h->names, &cursor));) {
        size_t inner = 0;
        for (void *v; (v = map_next(name->values, &inner));)
            value_free(v);
        map_free(name->values);
        free(name);
    }
    map_free(h->names);
}

void head_done(struct head *h)
{
    for (uint32_t ref = 0; ref < h->n_slots; ref++) {
        struct series *s = head_slot(h, ref);
        free(s->labels);
        struct open *open[] = {s->open, s->late, s->frozen_open, s->frozen_late};
        for (size_t i = 0; i < ARRAY_LEN(open); i++) {
            if (open[i])
                free(open[i]->t_ms);
            free(open[i]);
        }
    }
    for (uint32_t i = 0; i < h->n_pages; i++)
        free(h->page[i]);
    free(h->page);
    free(h->table);
    free(h->free_slot);
    names_free(h);
    arena_free(h->arena);
    arena_free(h->frozen);
    pthread_rwlock_destroy(&h->index);
    pthread_mutex_destroy(&h->lock);
}

static struct label_name *intern_name(struct head *h, const char *text)
{
    size_t size = strlen(text) + 1;
    struct label_name *name = map_get(h->names, text, size);
    if (name)
        return name;
    name = malloc(sizeof(*name) + size);
    if (!name)
        return NULL;
    memcpy(name->text, text, size);
    name->values = map_new();
    map_put(h->names, text, size, name);
    return name;
}

static struct label_value *intern_value(struct label_name *name, const char *text)
{
    size_t size = strlen(text) + 1;
    struct label_value *value = map_get(name->values, text, size);
    if (value)
        return value;
    value = malloc(sizeof(*value) + size);
    if (!value)
        return NULL;
    *value = (struct label_value){0};
    memcpy(value->text, text, size);
    map_put(name->values, text, size, value);
    return value;
}

static uint64_t hash_texts(const struct head *h, const struct label *label, uint32_t n)
{
    uint64_t hash = h->seed;
    for (uint32_t i = 0; i < n; i++) {
        // The value's text belongs to one name, so that it says the name too.
        hash = (hash ^ (uint64_t)(uintptr_t)label[i].value) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash * UINT64_C(0xff51afd7ed558ccd) >> 16;
}

static bool same_texts(const struct labels *l, const struct label *label, uint32_t n)
{
    if (l->n != n)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (l->label[i].value != label[i].value)
            return false;
    return true;
}

static uint32_t *find(const struct head *h, const struct label *label, uint32_t n)
{
    size_t i = hash_texts(h, label, n) & (h->table_size - 1);
    while (h->table[i] && !same_texts(head_slot(h, h->table[i] - 1)->labels, label, n))
        i = (i + 1) & (h->table_size - 1);
    return &h->table[i];
}

// Enters all series anew; the table is of zeros.
static void fill_table(struct head *h)
{
    for (uint32_t ref = 0; ref < h->n_slots; ref++) {
        const struct labels *l = head_slot(h, ref)->labels;
        if (l)
            *find(h, l->label, l->n) = ref + 1;
    }
}

static int resize_table(struct head *h, size_t size)
{
    uint32_t *table = calloc(size, sizeof(*table));
    if (!table)
        return -ENOMEM;
    free(h->table);
    h->table = table;
    h->table_size = size;
    fill_table(h);
    return 0;
}

static int take_slot(struct head *h, uint32_t *ret)
{
    if (h->n_free > 0) {
        *ret = h->free_slot[--h->n_free];
        return 0;
    }
    if (h->n_series >= h->series_max)
        return -ENOSPC;
    if (h->n_slots == h->n_pages * PAGE_SERIES) {
        struct series **page = realloc(h->page, (h->n_pages + 1) * sizeof(*page));
        if (!page)
            return -ENOMEM;
        h->page = page;
        page[h->n_pages] = aligned_alloc(SERIES_ALIGN, PAGE_SERIES * sizeof(struct series));
        if (!page[h->n_pages])
            return -ENOMEM;
        memset(page[h->n_pages], 0, PAGE_SERIES * sizeof(struct series));
        h->n_pages++;
    }
    *ret = h->n_slots++;
    return 0;
}

static int add_posting(struct label_value *value, uint32_t ref)
{
    if (value->n == value->cap) {
        uint32_t cap = value->cap ? value->cap + value->cap / 8 + 1 : 1;
        uint32_t *series = realloc(value->series, cap * sizeof(*series));
        if (!series)
            return -ENOMEM;
        value->series = series;
        value->cap = cap;
    }
    value->series[value->n++] = ref;
    return 0;
}

static struct label_value *value_of(const struct label *label)
{
    return (struct label_value *)(label->value - offsetof(struct label_value, text));
}

static int add(struct head *h, struct labels *labels, const struct tsdb_kind_of *of, uint32_t *ret)
{
    size_t wanted = (size_t)(h->n_series + 1) * 3 / 2;
    int r = wanted > h->table_size ? resize_table(h, h->table_size ? h->table_size * 2 : 256) : 0;
    if (r == 0)
        r = take_slot(h, ret);
    if (r < 0)
        return r;
    struct series *s = head_slot(h, *ret);
    *s = (struct series){.kind = of->kind == TSDB_SCALED,
                         .scale = (uint8_t)of->scale,
                         .is_counter = of->is_counter,
                         .max_rate = (float)of->max_rate,
                         .generation = h->generation};
    *find(h, labels->label, labels->n) = *ret + 1;
    for (uint32_t i = 0; i < labels->n && r == 0; i++)
        r = add_posting(value_of(&labels->label[i]), *ret);
    s->labels = labels;
    h->n_series++;
    // Half-entered: it is never held, and head_collect() takes it out again.
    return r;
}

// The labels with the index's own texts: one small allocation.
static int intern(struct head *h, const struct labels *given, struct labels **ret)
{
    size_t bytes = sizeof(*given) + given->n * sizeof(given->label[0]);
    CLEANUP(freep) struct labels *own = malloc(bytes);
    if (!own)
        return -ENOMEM;
    *own = (struct labels){.n = given->n, .bytes = (uint32_t)bytes, .hash = given->hash};
    for (uint32_t i = 0; i < given->n; i++) {
        struct label_name *name = intern_name(h, given->label[i].name);
        struct label_value *value = name ? intern_value(name, given->label[i].value) : NULL;
        if (!value)
            return -ENOMEM;
        own->label[i] = (struct label){name->text, value->text};
    }
    *ret = TAKE_PTR(own);
    return 0;
}

bool head_find(const struct head *h, const struct labels *labels, uint32_t *ret)
{
    struct label own[LABELS_MAX];
    for (uint32_t i = 0; i < labels->n; i++) {
        const struct label *l = &labels->label[i];
        const struct label_name *name = map_get(h->names, l->name, strlen(l->name) + 1);
        const struct label_value *value =
            name ? map_get(name->values, l->value, strlen(l->value) + 1) : NULL;
        if (!value)
            return false;
        own[i] = (struct label){name->text, value->text};
    }
    uint32_t found = h->table_size ? *find(h, own, labels->n) : 0;
    *ret = found - 1;
    return found > 0;
}

static int enter(struct head *h, const struct labels *given, const struct tsdb_kind_of *of,
                 uint32_t *ret)
{
    CLEANUP(freep) struct labels *own = NULL;
    int r = intern(h, given, &own);
    if (r < 0)
        return r;
    uint32_t found = h->table_size ? *find(h, own->label, own->n) : 0;
    if (!found)
        return add(h, TAKE_PTR(own), of, ret);
    struct series *s = head_slot(h, found - 1);
    if (s->kind != of->kind || s->scale != of->scale)
        return -EDOM;
    *ret = found - 1;
    return 0;
}

static void hold(struct head *h, struct series *s)
{
    s->holds++;
    h->n_released -= s->is_released;
    s->is_released = false;
}

void head_release(struct head *h, struct series *s)
{
    if (s->holds == 0 || --s->holds > 0)
        return;
    s->is_released = true;
    h->n_released++;
}

bool head_is_crowded(const struct head *h)
{
    return h->n_released > MAX_OF((uint32_t)CROWD_MIN, h->n_series / CROWD_SHARE);
}

int head_series(struct head *h, const struct label *label, size_t n, const struct tsdb_kind_of *of,
                uint32_t *ret)
{
    CLEANUP(freep) struct labels *given = labels_new(label, n);
    if (!given || given->n == 0)
        return -EINVAL;
    pthread_rwlock_wrlock(&h->index);
    pthread_mutex_lock(&h->lock);
    int r = enter(h, given, of, ret);
    if (r == 0)
        hold(h, head_slot(h, *ret));
    if (r == 0 && of->pause_ms > 0)
        head_tell_schedule(head_slot(h, *ret), of->pause_ms);
    pthread_mutex_unlock(&h->lock);
    pthread_rwlock_unlock(&h->index);
    return r;
}

static bool is_collectable(const struct series *s, bool is_crowded)
{
    bool is_over = (is_crowded && s->is_released) || s->idle >= IDLE_GENERATIONS;
    return s->labels && s->holds == 0 && is_over && !s->pieces && !s->frozen && !s->frozen_open &&
           !s->frozen_late && !s->open && !s->late;
}

// Texts outlive their series: answers that were selected before still point to them.
static void sweep_values(struct head *h, const uint64_t *dead)
{
    size_t cursor = 0;
    for (struct label_name *name; (name = map_next(h->names, &cursor));) {
        size_t inner = 0;
        struct label_value **empty = NULL;
        size_t n_empty = 0, cap = 0;
        for (struct label_value *v; (v = map_next(name->values, &inner));) {
            uint32_t kept = 0;
            for (uint32_t i = 0; i < v->n; i++)
                if (!(dead[v->series[i] / 64] >> v->series[i] % 64 & 1))
                    v->series[kept++] = v->series[i];
            v->n = kept;
            if (kept == 0) {
                mem_grow(&empty, &cap, n_empty, sizeof(*empty));
                empty[n_empty++] = v;
            }
        }
        for (size_t i = 0; i < n_empty; i++) {
            map_remove(name->values, empty[i]->text, strlen(empty[i]->text) + 1);
            pin_retire(h->pins, value_free, empty[i]);
        }
        free(empty);
    }
}

static uint32_t mark_dead(struct head *h, uint64_t *dead)
{
    uint32_t n = 0;
    bool is_crowded = head_is_crowded(h);
    for (uint32_t ref = 0; ref < h->n_slots; ref++)
        if (is_collectable(head_slot(h, ref), is_crowded)) {
            match_set(dead, ref);
            n++;
        }
    return n;
}

void head_collect(struct head *h)
{
    pthread_rwlock_wrlock(&h->index);
    pthread_mutex_lock(&h->lock);
    CLEANUP(freep) uint64_t *dead = match_new(h->n_slots);
    uint32_t n = dead ? mark_dead(h, dead) : 0;
    if (n > 0 && n >= h->n_series / COLLECT_SHARE) {
        sweep_values(h, dead);
        for (uint32_t ref = 0; (ref = match_next(dead, h->n_slots, ref)) != UINT32_MAX; ref++) {
            struct series *s = head_slot(h, ref);
            pin_retire(h->pins, free, TAKE_PTR(s->labels));
            h->n_released -= s->is_released;
            s->is_released = false;
            mem_grow(&h->free_slot, &h->free_cap, h->n_free, sizeof(h->free_slot[0]));
            h->free_slot[h->n_free++] = ref;
        }
        h->n_series -= n;
        // In place of the entries of dead series: all others anew.
        memset(h->table, 0, h->table_size * sizeof(h->table[0]));
        fill_table(h);
    }
    pthread_mutex_unlock(&h->lock);
    pthread_rwlock_unlock(&h->index);
}

static void all_series(const void *arg, uint64_t *bits)
{
    const struct head *h = arg;
    for (uint32_t ref = 0; ref < h->n_slots; ref++)
        if (head_slot(h, ref)->labels)
            match_set(bits, ref);
}

static void set_all(const struct label_value *v, uint64_t *bits)
{
    for (uint32_t i = 0; i < v->n; i++)
        match_set(bits, v->series[i]);
}

static int find_label(const void *arg, const char *name, const char *value, uint64_t *bits)
{
    const struct head *h = arg;
    const struct label_name *n = map_get(h->names, name, strlen(name) + 1);
    const struct label_value *v = n ? map_get(n->values, value, strlen(value) + 1) : NULL;
    if (v)
        set_all(v, bits);
    return 0;
}

static int scan_labels(const void *arg, const char *name, const char *prefix,
                       bool (*want)(const struct query_matcher *m, const char *value),
                       const struct query_matcher *m, uint64_t *bits)
{
    const struct head *h = arg;
    const struct label_name *n = map_get(h->names, name, strlen(name) + 1);
    size_t cursor = 0, len = strlen(prefix);
    if (!n)
        return 0;
    for (const struct label_value *v; (v = map_next(n->values, &cursor));)
        if (strncmp(v->text, prefix, len) == 0 && want(m, v->text))
            set_all(v, bits);
    return 0;
}

struct match_index head_index(const struct head *h)
{
    return (struct match_index){h, h->n_slots, all_series, find_label, scan_labels};
}
