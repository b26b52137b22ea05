// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Invariants, all under the head's lock:
 * 1. An open buffer is sorted by time, no time twice; what a reader copied of it never changes.
 * 2. Pieces never change; `older` leads to pieces of the same generation only.
 * 3. Whatever is in the head of a generation below the current one is reached by `frozen` after
 *    head_freeze(), and by nothing else.
 * 4. The first sample of a time stays; a later one of the same time is a duplicate.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "codec.h"
#include "head.h"

#define SEALED_BYTES_MAX 1024
#define ANY_AGE INT64_MIN // of history
#define TIMES_BYTES (OPEN_MAX * sizeof(int64_t))

static size_t open_size(size_t cap)
{
    return sizeof(struct open) + cap * sizeof(union tsdb_value);
}

static void open_free(struct head *h, struct open *o)
{
    if (!o)
        return;
    h->open_bytes -= open_size(o->cap) + (o->t_ms ? TIMES_BYTES : 0);
    free(o->t_ms);
    free(o);
}

static bool make_irregular(struct head *h, struct open *o)
{
    o->t_ms = malloc(TIMES_BYTES);
    if (!o->t_ms)
        return false;
    h->open_bytes += TIMES_BYTES;
    for (size_t i = 0; i < o->n; i++)
        o->t_ms[i] = o->first_ms + (int64_t)i * o->step_ms;
    return true;
}

// Encode into an arena, as the newest of a chain.
static bool encode(struct arena *arena, const struct series *s, struct open *o,
                   struct piece **newest)
{
    uint8_t values[SEALED_BYTES_MAX], times[SEALED_BYTES_MAX];
    assert(codec_bound(OPEN_MAX) <= SEALED_BYTES_MAX);
    size_t n_times = o->t_ms ? codec_put_i64(o->t_ms, o->n, times) : 0;
    size_t n_values = s->kind == TSDB_SCALED ? codec_put_i64(&o->v[0].i64, o->n, values)
                                             : codec_put_f64(&o->v[0].f64, o->n, values);
    struct piece *p = arena_take(arena, offsetof(struct piece, data) + n_times + n_values);
    if (!p)
        return false;
    int64_t first_ms = open_time(o, 0);
    p->older = *newest;
    p->first_ms = first_ms;
    p->span_ms = (uint32_t)(open_time(o, o->n - 1u) - first_ms);
    p->times_len = (uint16_t)n_times;
    p->values_len = (uint16_t)n_values;
    p->n = (uint8_t)o->n;
    memcpy(p->data, times, n_times);
    memcpy(p->data + n_times, values, n_values);
    *newest = p;
    return true;
}

static bool seal(struct head *h, struct series *s, struct open *o)
{
    if (!encode(h->arena, s, o, &s->pieces))
        return false;
    if (o->t_ms)
        h->open_bytes -= TIMES_BYTES;
    free(o->t_ms);
    *o = (struct open){.cap = o->cap};
    return true;
}

// Series that began together would all be sealed in the same second; each has its own first length.
static uint16_t full_cap(const struct series *s, uint32_t ref)
{
    return s->pieces ? OPEN_MAX : (uint16_t)(OPEN_MAX / 2 + 1 + ref % (OPEN_MAX / 2));
}

// Room for one value more: NULL without memory.
static struct open *make_room(struct head *h, struct series *s, struct open **at, uint32_t ref)
{
    struct open *o = *at;
    if (o && o->n < o->cap)
        return o;
    // From little on: when a generation begins, the last one's buffers are still there.
    uint16_t full = full_cap(s, ref), cap = 4;
    if (o && o->n >= full) {
        if (!seal(h, s, o))
            return NULL;
        full = cap = OPEN_MAX;
        if (o->cap >= cap)
            return o;
    } else if (o) {
        cap = (uint16_t)MIN_OF(o->cap * 2, (int)full);
    }
    struct open *larger = realloc(o, open_size(cap));
    if (!larger)
        return NULL;
    if (!o)
        *larger = (struct open){0};
    h->open_bytes += open_size(cap) - (o ? open_size(larger->cap) : 0);
    larger->cap = cap;
    *at = larger;
    return larger;
}

static bool push_time(struct head *h, struct open *o, int64_t t_ms)
{
    if (o->t_ms) {
        o->t_ms[o->n] = t_ms;
        return true;
    }
    if (o->n == 0) {
        o->first_ms = t_ms;
        o->step_ms = 0;
        return true;
    }
    int64_t step_ms = t_ms - o->first_ms;
    if (o->n == 1 && step_ms <= INT32_MAX) {
        o->step_ms = (uint32_t)step_ms;
        return true;
    }
    if (o->n > 1 && step_ms == (int64_t)o->n * o->step_ms)
        return true;
    if (!make_irregular(h, o))
        return false;
    o->t_ms[o->n] = t_ms;
    return true;
}

static bool is_stale(const struct series *s, union tsdb_value v)
{
    return s->kind == TSDB_SCALED ? v.i64 == TSDB_STALE_I64 : sample_is_stale(v.f64);
}

// Before so many samples a series has no schedule yet; after so many shorter pauses it has another.
#define SCHEDULE_SAMPLES 3

// Instead of the number of shorter pauses: the writer has said what the longest one is; nothing is
// to be said of the next one, in which the store was closed.
enum { SCHEDULE_TOLD = UINT8_MAX, SCHEDULE_TOLD_LATER = UINT8_MAX - 1, SCHEDULE_LATER = 128 };

void head_tell_schedule(struct series *s, uint32_t pause_ms)
{
    bool is_later = s->shorter == SCHEDULE_LATER || s->shorter == SCHEDULE_TOLD_LATER;
    s->step_ms = pause_ms;
    s->shorter = is_later ? SCHEDULE_TOLD_LATER : SCHEDULE_TOLD;
}

void head_recovered(struct head *h)
{
    for (uint32_t ref = 0; ref < h->n_slots; ref++) {
        struct series *s = head_slot(h, ref);
        s->missing = s->gaps = s->late_refused = s->out_of_order = s->duplicates = 0;
        s->resets = s->impossible = 0;
        s->shorter = SCHEDULE_LATER;
    }
}

static bool note_gap(struct series *s, int64_t pause_ms)
{
    int64_t step = s->step_ms;
    if (pause_ms * 2 <= step * 3)
        return false;
    int64_t missing = (pause_ms + step / 2) / step - 1;
    s->gaps++;
    s->missing += (uint32_t)MIN_OF(missing, (int64_t)UINT32_MAX);
    return true;
}

// Without the writer's word a pause that is longer than the schedule is a gap, and the schedule
// from then on until shorter ones have become the rule again: a reading that comes each ten seconds
// and is repeated in between has pauses of all lengths and lacks nothing.
static void learn_schedule(struct series *s, int64_t pause_ms)
{
    uint32_t step = s->step_ms, pause = (uint32_t)MIN_OF(pause_ms, (int64_t)UINT32_MAX);
    if (s->samples < SCHEDULE_SAMPLES || step == 0) { // all but one may have come late
        s->step_ms = MAX_OF(step, pause);
    } else if (note_gap(s, pause_ms)) {
        s->step_ms = pause;
        s->shorter = 0;
    } else if (pause_ms * 3 >= (int64_t)step * 2) {
        s->shorter = 0;
    } else if (++s->shorter == SCHEDULE_SAMPLES) {
        s->step_ms = pause;
        s->shorter = 0;
    }
}

static void check_schedule(struct series *s, int64_t pause_ms)
{
    if (s->shorter == SCHEDULE_TOLD)
        note_gap(s, pause_ms);
    else if (s->shorter == SCHEDULE_TOLD_LATER)
        s->shorter = SCHEDULE_TOLD;
    else if (s->shorter == SCHEDULE_LATER)
        s->shorter = 0;
    else if (pause_ms != s->step_ms)
        learn_schedule(s, pause_ms);
    else
        s->shorter = 0;
}

static void check_value(struct series *s, int64_t pause_ms, union tsdb_value v)
{
    double rise = v.f64 - s->last.f64;
    if (s->kind == TSDB_SCALED) {
        int64_t step;
        bool is_beyond = __builtin_sub_overflow(v.i64, s->last.i64, &step);
        rise = is_beyond ? (double)v.i64 - (double)s->last.i64 : (double)step;
        rise /= codec_power_of_ten(s->scale);
    }
    if (s->is_counter && rise < 0)
        s->resets++;
    if (s->max_rate > 0 && rise * 1000 > (double)s->max_rate * (double)pause_ms)
        s->impossible++;
}

static void check_quality(struct series *s, int64_t t_ms, union tsdb_value v)
{
    int64_t pause_ms = t_ms - s->last_ms;
    check_schedule(s, pause_ms);
    if ((s->is_counter || s->max_rate > 0) && !is_stale(s, v))
        check_value(s, pause_ms, v);
}

static void note_stored(struct head *h, struct series *s, int64_t t_ms)
{
    s->samples++;
    h->appended.stored++;
    h->arena->samples++;
    if (t_ms < h->arena->min_ms)
        h->arena->min_ms = t_ms;
    if (t_ms > h->arena->max_ms)
        h->arena->max_ms = t_ms;
}

// The place of the first time that is not below t.
static size_t place_in(const struct open *o, int64_t t_ms)
{
    size_t i = o->n;
    while (i > 0 && open_time(o, i - 1) >= t_ms)
        i--;
    return i;
}

static enum head_verdict insert(struct head *h, struct open *o, int64_t t_ms, union tsdb_value v)
{
    size_t i = place_in(o, t_ms);
    if (i < o->n && open_time(o, i) == t_ms)
        return HEAD_DUPLICATE;
    if (!o->t_ms && !make_irregular(h, o))
        return HEAD_NO_MEMORY;
    memmove(&o->t_ms[i + 1], &o->t_ms[i], (o->n - i) * sizeof(o->t_ms[0]));
    memmove(&o->v[i + 1], &o->v[i], (o->n - i) * sizeof(o->v[0]));
    o->t_ms[i] = t_ms;
    o->v[i] = v;
    o->n++;
    return HEAD_STORED;
}

// Whether the buffer of late samples may take this one; one that is too far off begins it anew.
static bool has_span(struct head *h, struct series *s, int64_t t_ms)
{
    struct open *o = s->late;
    if (!o || o->n == 0)
        return true;
    int64_t first_ms = MIN_OF(open_time(o, 0), t_ms),
            last_ms = MAX_OF(open_time(o, o->n - 1u), t_ms);
    return last_ms - first_ms <= SPAN_MAX_MS || seal(h, s, o);
}

// Earlier than the series' newest sample: into the open buffer where it falls in there, else into a
// second one, so that a clock that was set back costs no more than one that was not.
static enum head_verdict append_late(struct head *h, struct series *s, uint32_t ref, int64_t t_ms,
                                     union tsdb_value v, int64_t oldest_ms)
{
    enum head_verdict verdict = HEAD_NO_MEMORY;
    // History may put back what was deleted: only what is there makes it a duplicate.
    if (t_ms == s->last_ms && oldest_ms != ANY_AGE)
        verdict = HEAD_DUPLICATE;
    else if (t_ms < oldest_ms)
        verdict = HEAD_LATE;
    else if (s->open && s->open->n > 0 && t_ms >= open_time(s->open, 0)) {
        struct open *o = s->open;
        if (o->n < o->cap || (o->n < full_cap(s, ref) && make_room(h, s, &s->open, ref)))
            verdict = insert(h, s->open, t_ms, v);
    }
    if (verdict == HEAD_NO_MEMORY) {
        if (has_span(h, s, t_ms) && make_room(h, s, &s->late, ref))
            verdict = insert(h, s->late, t_ms, v);
    }
    // That a series ends at the time of its last value says nothing against the value.
    s->duplicates += verdict == HEAD_DUPLICATE && !is_stale(s, v);
    s->late_refused += verdict == HEAD_LATE;
    if (verdict == HEAD_STORED) {
        s->out_of_order++;
        note_stored(h, s, t_ms);
    }
    return verdict;
}

static enum head_verdict append(struct head *h, struct series *s, uint32_t ref, int64_t t_ms,
                                union tsdb_value v, int64_t oldest_ms)
{
    if (s->generation != h->generation)
        head_freeze(h, s);
    if (t_ms <= s->last_ms && s->samples > 0)
        return append_late(h, s, ref, t_ms, v, oldest_ms);
    struct open *o = s->open;
    if (o && o->n > 0 && t_ms - open_time(o, 0) > SPAN_MAX_MS && !seal(h, s, o))
        return HEAD_NO_MEMORY;
    if (!o || o->n >= o->cap) {
        o = make_room(h, s, &s->open, ref);
        if (!o)
            return HEAD_NO_MEMORY;
    }
    if (!push_time(h, o, t_ms))
        return HEAD_NO_MEMORY;
    if (s->samples > 0 && !is_stale(s, s->last))
        check_quality(s, t_ms, v);
    o->v[o->n++] = v;
    s->last_ms = t_ms;
    s->last = v;
    if (t_ms > h->newest_ms)
        h->newest_ms = t_ms;
    note_stored(h, s, t_ms);
    return HEAD_STORED;
}

enum head_verdict head_append(struct head *h, struct series *s, uint32_t ref, int64_t t_ms,
                              union tsdb_value v)
{
    return append(h, s, ref, t_ms, v, h->newest_ms - h->late_ms);
}

enum head_verdict head_append_old(struct head *h, struct series *s, uint32_t ref, int64_t t_ms,
                                  union tsdb_value v)
{
    return append(h, s, ref, t_ms, v, ANY_AGE);
}

void head_freeze(struct head *h, struct series *s)
{
    bool has_samples = s->pieces || (s->open && s->open->n > 0) || (s->late && s->late->n > 0);
    s->idle = has_samples ? 0 : (uint8_t)MIN_OF(s->idle + 1, UINT8_MAX);
    s->generation = h->generation;
    if (has_samples) {
        s->frozen = TAKE_PTR(s->pieces);
        s->frozen_open = TAKE_PTR(s->open);
        s->frozen_late = TAKE_PTR(s->late);
    } else {
        open_free(h, TAKE_PTR(s->open));
        open_free(h, TAKE_PTR(s->late));
    }
}

/** What is frozen of one series, while it is encoded. */
struct sealing {
    struct series *s;
    struct open *open[2]; // in order of writing
    struct piece *newest;
};

void head_lock_patiently(struct head *h)
{
    while (atomic_load(&h->owner_waits))
        usleep(20);
    pthread_mutex_lock(&h->lock);
}

static void put_sealed(struct head *h, struct sealing *x)
{
    struct open **at[2] = {&x->s->frozen_open, &x->s->frozen_late};
    x->s->frozen = x->newest;
    for (size_t i = 0; i < ARRAY_LEN(at); i++)
        if (x->open[i]) {
            open_free(h, x->open[i]);
            *at[i] = NULL;
        }
}

void head_seal_frozen(struct head *h, uint32_t from, uint32_t to, struct arena *arena)
{
    struct sealing sealing[HEAD_SLICE];
    uint32_t n = to - from;
    assert(n <= HEAD_SLICE);
    head_lock_patiently(h);
    for (uint32_t i = 0; i < n; i++) {
        struct series *s = head_slot(h, from + i);
        sealing[i] = (struct sealing){s, {s->frozen_open, s->frozen_late}, s->frozen};
    }
    pthread_mutex_unlock(&h->lock);
    for (uint32_t i = 0; i < n; i++)
        for (size_t k = 0; k < ARRAY_LEN(sealing[i].open); k++) {
            struct open *o = sealing[i].open[k];
            // What does not find memory stays as it is.
            if (o && o->n > 0 && !encode(arena, sealing[i].s, o, &sealing[i].newest))
                sealing[i].open[k] = NULL;
        }
    head_lock_patiently(h);
    for (uint32_t i = 0; i < n; i++)
        put_sealed(h, &sealing[i]);
    pthread_mutex_unlock(&h->lock);
}

void head_thaw(struct head *h, struct series *s)
{
    s->frozen = NULL;
    open_free(h, TAKE_PTR(s->frozen_open));
    open_free(h, TAKE_PTR(s->frozen_late));
}

void head_roll(struct head *h)
{
    assert(!h->frozen);
    h->frozen = h->arena;
    h->arena = arena_new();
    h->generation++;
}

size_t head_bytes(const struct head *h)
{
    return h->arena->bytes + (h->frozen ? h->frozen->bytes : 0) + h->open_bytes;
}

int piece_times(const struct piece *p, int64_t *t_ms)
{
    if (p->times_len > 0)
        return codec_get_i64(p->data, p->times_len, t_ms, p->n);
    int64_t step_ms = p->n > 1 ? p->span_ms / (p->n - 1u) : 0;
    for (size_t i = 0; i < p->n; i++)
        t_ms[i] = p->first_ms + (int64_t)i * step_ms;
    return 0;
}

int piece_i64(const struct piece *p, int64_t *v)
{
    return codec_get_i64(p->data + p->times_len, p->values_len, v, p->n);
}

int piece_f64(const struct piece *p, double *v)
{
    return codec_get_f64(p->data + p->times_len, p->values_len, v, p->n);
}
