// SPDX-License-Identifier: GPL-3.0-or-later
// The owner's side: into the head, and as records to the log. Both under the head's lock, so that a
// generation and its log segments hold the same.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec.h"
#include "store.h"

#define STAGE_BYTES (256u << 10)
#define REPEATS 256 /* least descriptions written again with one append */
#define REPEAT_SHARE 16

int tsdb_series(struct tsdb *db, const struct label *label, size_t n, const struct tsdb_kind_of *of,
                uint32_t *ret, struct err *err)
{
    if (of->scale < 0 || of->scale > TSDB_SCALE_MAX)
        return err_set(err, EINVAL, "a scale is 0 to %d", TSDB_SCALE_MAX);
    int r = head_series(&db->head, label, n, of, ret);
    if (r == -EINVAL)
        err_set(err, EINVAL, "no label, a name twice, or too many");
    else if (r == -EDOM)
        err_set(err, EDOM, "the series is stored in another unit");
    else if (r == -ENOSPC)
        err_set(err, ENOSPC, "%u series are stored already", db->o.series_max);
    else if (r < 0)
        err_set(err, -r, "%s", strerror(-r));
    return r;
}

void tsdb_release(struct tsdb *db, uint32_t ref)
{
    pthread_mutex_lock(&db->head.lock);
    bool was_crowded = head_is_crowded(&db->head);
    head_release(&db->head, head_slot(&db->head, ref));
    bool is_crowded = head_is_crowded(&db->head);
    pthread_mutex_unlock(&db->head.lock);
    if (is_crowded && !was_crowded)
        upkeep_ask(db);
}

static void hand_over(struct tsdb *db, struct buf *stage)
{
    if (stage->len > 0)
        log_put(&db->log, stage->data, stage->len);
    buf_reset(stage);
}

// Whoever follows the log reads it once: what a series is stands before its samples.
static void hand_over_all(struct tsdb *db)
{
    hand_over(db, &db->stage_series);
    hand_over(db, &db->stage);
}

static void describe(struct tsdb *db, struct series *s, uint32_t ref)
{
    struct tsdb_kind_of of = {s->kind, s->scale, s->is_counter, (double)s->max_rate};
    log_series(&db->stage_series, ref, &of, s->labels);
    if (db->stage_series.len > STAGE_BYTES)
        hand_over(db, &db->stage_series);
}

// A series' first sample in this segment: what it is, now and once more with a later append.
static void describe_new(struct tsdb *db, struct series *s, uint32_t ref)
{
    s->log_segment = (uint32_t)db->log.segment;
    describe(db, s, ref);
    mem_grow(&db->repeat, &db->repeat_cap, db->n_repeat, sizeof(db->repeat[0]));
    db->repeat[db->n_repeat++] = ref;
}

static void describe_again(struct tsdb *db, size_t n_samples)
{
    size_t most = REPEATS + n_samples / REPEAT_SHARE;
    for (size_t i = 0; i < most && db->n_repeat > 0; i++) {
        uint32_t ref = db->repeat[--db->n_repeat];
        struct series *s = head_slot(&db->head, ref);
        if (s->labels && s->log_segment == (uint32_t)db->log.segment)
            describe(db, s, ref);
    }
}

static bool is_full(struct tsdb *db)
{
    return head_bytes(&db->head) > db->o.memory_max_bytes;
}

static void count(struct head *h, struct tsdb_appended *a, enum head_verdict verdict)
{
    switch (verdict) {
    case HEAD_STORED:
        a->stored++;
        break;
    case HEAD_DUPLICATE:
        a->duplicate++;
        h->appended.duplicate++;
        break;
    case HEAD_LATE:
        a->late++;
        h->appended.late++;
        break;
    case HEAD_NO_MEMORY:
        a->refused++;
        h->appended.refused++;
        break;
    }
}

/** How samples go in. */
struct way {
    enum head_verdict (*to_head)(struct head *h, struct series *s, uint32_t ref, int64_t t_ms,
                                 union tsdb_value v);
    enum log_type record;
};

static const struct way fresh = {head_append, LOG_SAMPLES};
static const struct way history = {head_append_old, LOG_HISTORY};

#define AHEAD 12 /* series: by then memory has answered */

// A sample of all series finds none of them in the caches. Each lies in three places, of which one
// says where the next is.
static inline void fetch_ahead(const struct head *h, const uint32_t *ref, size_t i, size_t n)
{
    if (i + AHEAD < n)
        __builtin_prefetch(head_slot(h, ref[i + AHEAD]), 1);
    const struct open *o =
        i + AHEAD * 2 / 3 < n ? head_slot(h, ref[i + AHEAD * 2 / 3])->open : NULL;
    if (o)
        __builtin_prefetch(o, 1);
    o = i + AHEAD / 3 < n ? head_slot(h, ref[i + AHEAD / 3])->open : NULL;
    if (o)
        __builtin_prefetch(&o->v[o->n], 1);
}

static int append(struct tsdb *db, int64_t t_ms, const uint32_t *ref, const union tsdb_value *v,
                  size_t n, const struct way *way, struct tsdb_appended *ret)
{
    if (t_ms < -TSDB_TIME_MAX_MS || t_ms > TSDB_TIME_MAX_MS) {
        ret->late += n;
        return 0;
    }
    struct head *h = &db->head;
    struct tsdb_appended appended = {0};
    struct log_samples log;
    log_samples_begin(&log, &db->stage, way->record, t_ms);
    atomic_store(&h->owner_waits, true);
    pthread_mutex_lock(&h->lock);
    atomic_store(&h->owner_waits, false);
    log_resume(&db->log);
    describe_again(db, n);
    bool no_room = is_full(db);
    for (size_t i = 0; i < n; i++) {
        fetch_ahead(h, ref, i, n);
        struct series *s = head_slot(h, ref[i]);
        enum head_verdict verdict =
            no_room ? HEAD_NO_MEMORY : way->to_head(h, s, ref[i], t_ms, v[i]);
        if (verdict != HEAD_STORED) {
            count(h, &appended, verdict);
            continue;
        }
        appended.stored++;
        if (s->log_segment != (uint32_t)db->log.segment)
            describe_new(db, s, ref[i]);
        log_samples_put(&log, ref[i], s->kind, v[i]);
        if (db->stage.len > STAGE_BYTES) {
            log_samples_end(&log);
            hand_over_all(db);
        }
    }
    log_samples_end(&log);
    hand_over_all(db);
    bool is_large = upkeep_head_is_large(db);
    pthread_mutex_unlock(&h->lock);
    if (is_large && !db->was_large)
        upkeep_ask(db);
    db->was_large = is_large;
    ret->stored += appended.stored;
    ret->duplicate += appended.duplicate;
    ret->late += appended.late;
    ret->refused += appended.refused;
    return appended.refused > 0 ? -ENOSPC : 0;
}

int tsdb_append(struct tsdb *db, int64_t t_ms, const uint32_t *ref, const union tsdb_value *v,
                size_t n, struct tsdb_appended *ret)
{
    struct tsdb_appended unused = {0};
    return append(db, t_ms, ref, v, n, &fresh, ret ? ret : &unused);
}

// The owner alone changes kind and scale of a slot, so it may look without the lock.
static int to_kind(const struct series *s, double v, union tsdb_value *ret)
{
    if (s->kind == TSDB_DOUBLE) {
        ret->f64 = v;
        return 0;
    }
    if (sample_is_stale(v)) {
        ret->i64 = TSDB_STALE_I64;
        return 0;
    }
    double power = codec_power_of_ten(s->scale), scaled = rint(v * power);
    if (!(fabs(scaled) < 9.2e18))
        return -EDOM;
    ret->i64 = (int64_t)scaled;
    return (double)ret->i64 / power == v ? 0 : -EDOM;
}

static int append_one(struct tsdb *db, uint32_t ref, int64_t t_ms, double v, const struct way *way)
{
    union tsdb_value value;
    struct tsdb_appended appended = {0};
    const struct series *s = head_slot(&db->head, ref);
    if (tsdb_is_deleted(db, s->labels, t_ms, t_ms))
        return -EAGAIN;
    int r = to_kind(s, v, &value);
    if (r == 0)
        r = append(db, t_ms, &ref, &value, 1, way, &appended);
    if (r < 0)
        return r;
    return appended.duplicate ? -EEXIST : appended.late ? -ETIME : 0;
}

int tsdb_append_one(struct tsdb *db, uint32_t ref, int64_t t_ms, double v)
{
    return append_one(db, ref, t_ms, v, &fresh);
}

int tsdb_append_old(struct tsdb *db, uint32_t ref, int64_t t_ms, double v)
{
    int64_t oldest_ms = tsdb_oldest_kept_ms(db);
    return t_ms < oldest_ms ? -ETIME : append_one(db, ref, t_ms, v, &history);
}

int64_t tsdb_oldest_kept_ms(const struct tsdb *db)
{
    const struct tsdb_retention *kept[] = {&db->o.raw, &db->o.minute, &db->o.hour};
    int64_t age_ms = 0;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        if (kept[i]->age_ms == 0)
            return -TSDB_TIME_MAX_MS;
        age_ms = MAX_OF(age_ms, kept[i]->age_ms);
    }
    return store_now_ms(db) - age_ms;
}

int tsdb_append_stale(struct tsdb *db, uint32_t ref, int64_t t_ms)
{
    return tsdb_append_one(db, ref, t_ms, sample_stale());
}
