// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "store.h"

static void add_blocks(const struct view *v, struct tsdb_status *s)
{
    for (size_t i = 0; i < v->n; i++) {
        const struct block *b = v->block[i];
        int r = resolution_index(b->meta.resolution_ms);
        if (r < 0)
            continue;
        s->blocks[r]++;
        s->block_bytes[r] += b->size;
        s->block_samples[r] += b->meta.n_samples;
        s->block_chunks[r] += b->meta.n_chunks;
        s->oldest_ms = MIN_OF(s->oldest_ms, b->meta.min_ms);
        s->newest_ms = MAX_OF(s->newest_ms, b->meta.max_ms);
    }
}

static void add_head(const struct tsdb *db, struct tsdb_status *s)
{
    const struct head *h = &db->head;
    const struct arena *arena[] = {h->arena, db->frozen_is_published ? NULL : h->frozen};
    s->series = h->n_series;
    s->head_bytes = head_bytes(h);
    s->appended = h->appended;
    for (size_t i = 0; i < ARRAY_LEN(arena); i++) {
        if (!arena[i] || arena[i]->samples == 0)
            continue;
        s->head_samples += arena[i]->samples;
        s->oldest_ms = MIN_OF(s->oldest_ms, arena[i]->min_ms);
        s->newest_ms = MAX_OF(s->newest_ms, arena[i]->max_ms);
    }
}

static void add_log(struct log *l, struct tsdb_status *s)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n_kept; i++)
        s->log_bytes += l->kept[i].bytes;
    s->log_segments = l->n_kept;
    s->log_unwritten_bytes = l->unwritten_bytes;
    s->log_dropped_bytes = l->dropped_bytes;
    s->disk_error = -l->error;
    pthread_mutex_unlock(&l->lock);
}

void tsdb_status(struct tsdb *db, struct tsdb_status *ret)
{
    struct pin pin;
    *ret = (struct tsdb_status){.oldest_ms = INT64_MAX, .newest_ms = INT64_MIN};
    pin_enter(&db->pins, &pin);
    pthread_mutex_lock(&db->head.lock);
    add_head(db, ret);
    const struct view *v = db->view;
    pthread_mutex_unlock(&db->head.lock);
    add_blocks(v, ret);
    pin_leave(&db->pins, &pin);
    add_log(&db->log, ret);
    pthread_mutex_lock(&db->notes_lock);
    ret->replayed = db->replayed;
    ret->unreadable = db->unreadable;
    if (db->disk_error)
        ret->disk_error = -db->disk_error;
    ret->disk_error_since_ms = db->disk_error ? db->disk_error_since_ms : 0;
    pthread_mutex_unlock(&db->notes_lock);
    if (ret->oldest_ms > ret->newest_ms)
        ret->oldest_ms = ret->newest_ms = 0;
}

static void add_series(struct tsdb_quality *q, const struct series *s)
{
    q->series++;
    q->samples += s->samples;
    q->missing += s->missing;
    q->gaps += s->gaps;
    q->late += s->late_refused;
    q->out_of_order += s->out_of_order;
    q->duplicates += s->duplicates;
    q->resets += s->resets;
    q->impossible += s->impossible;
    if (s->samples > 0)
        q->newest_ms = MAX_OF(q->newest_ms, s->last_ms);
}

// Groups by the value's text; needs both locks.
static struct map *group(const struct head *h, const char *label, size_t *ret_bytes)
{
    struct map *groups = map_new();
    *ret_bytes = 0;
    for (uint32_t ref = 0; ref < h->n_slots; ref++) {
        const struct series *s = head_slot(h, ref);
        if (!s->labels)
            continue;
        const char *value = labels_get(s->labels, label);
        size_t size = strlen(value ? value : "") + 1;
        struct tsdb_quality *q = map_get(groups, value ? value : "", size);
        if (!q) {
            q = mem_zalloc(sizeof(*q) + size);
            q->value = memcpy(q + 1, value ? value : "", size);
            map_put(groups, q->value, size, q);
            *ret_bytes += sizeof(*q) + size;
        }
        add_series(q, s);
    }
    return groups;
}

static int by_value(const void *a, const void *b)
{
    return strcmp(((const struct tsdb_quality *)a)->value, ((const struct tsdb_quality *)b)->value);
}

int tsdb_quality(struct tsdb *db, const char *label, struct tsdb_quality **ret, size_t *ret_n)
{
    size_t bytes = 0, cursor = 0, n = 0;
    pthread_rwlock_rdlock(&db->head.index);
    pthread_mutex_lock(&db->head.lock);
    struct map *groups = group(&db->head, label, &bytes);
    pthread_mutex_unlock(&db->head.lock);
    pthread_rwlock_unlock(&db->head.index);
    struct tsdb_quality *rows = malloc(bytes + 1);
    char *texts = rows ? (char *)(rows + map_count(groups)) : NULL;
    for (struct tsdb_quality *q; (q = map_next(groups, &cursor)); free(q)) {
        if (!rows)
            continue;
        size_t size = strlen(q->value) + 1;
        rows[n] = *q;
        rows[n++].value = memcpy(texts, q->value, size);
        texts += size;
    }
    map_free(groups);
    if (!rows)
        return -ENOMEM;
    qsort(rows, n, sizeof(*rows), by_value);
    *ret = rows;
    *ret_n = n;
    return 0;
}
