// SPDX-License-Identifier: GPL-3.0-or-later
// Invariant: of the frames that are here the first alone is worked on, by a worker or by the loop.
#include "import.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/labels.h"

#define WAITING_MAX 8
#define SLICE 10000 // samples that are appended before the loop does other things
#define KEY_MAX (64u * 1024 - 1)
#define NO_POINT UINT32_MAX

/** A sample of the frame. */
struct point {
    uint32_t series, next; // next: of the same series, NO_POINT at the end
    int64_t t_ms;
    double v;
    bool is_known;   // the store has one of its time
    bool is_deleted; // it would go with what is being deleted
};

struct series {
    struct labels *labels; // NULL: there can be no such series
    int64_t min_ms, max_ms;
    uint32_t first;
};

struct import {
    struct import *next;
    struct imports *all;
    uint32_t id; // 0: nobody waits
    bool is_dry; // the store stays as it is
    char *frame;
    size_t len;
    struct series *series;
    size_t n_series, series_cap;
    struct map *names; // number of a series + 1 by its labels
    struct point *point;
    size_t n_points, points_cap;
    size_t at;  // the next to append
    int result; // of reading the frame and looking it up
    struct samples_written written;
};

struct imports {
    struct imports_params p;
    uv_work_t work;
    struct import *first;
    size_t n;
    bool is_working;
    atomic_bool is_ending;
};

static void import_free(struct import *m)
{
    for (size_t i = 0; i < m->n_series; i++)
        labels_free(m->series[i].labels);
    free(m->series);
    map_free(m->names);
    free(m->point);
    free(m->frame);
    free(m);
}

// Reading

static int key_of(const struct label *label, size_t n, char *key, size_t *ret_len)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        const char *texts[] = {label[i].name, label[i].value};
        for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
            size_t size = strlen(texts[k]) + 1;
            if (size > KEY_MAX - len)
                return -E2BIG;
            memcpy(key + len, texts[k], size);
            len += size;
        }
    }
    *ret_len = len;
    return 0;
}

static int series_of(struct import *m, const struct label *label, size_t n, uint32_t *ret)
{
    char key[KEY_MAX];
    size_t len = 0;
    bool has_key = key_of(label, n, key, &len) == 0 && len > 0;
    uintptr_t found = has_key ? (uintptr_t)map_get(m->names, key, len) : 0;
    if (found) {
        *ret = (uint32_t)(found - 1);
        return 0;
    }
    int r = mem_grow_capped(&m->series, &m->series_cap, m->n_series, sizeof(m->series[0]),
                            UINT32_MAX - 1);
    if (r < 0)
        return r;
    *ret = (uint32_t)m->n_series;
    m->series[m->n_series++] = (struct series){.labels = has_key ? labels_new(label, n) : NULL,
                                               .min_ms = INT64_MAX,
                                               .max_ms = INT64_MIN,
                                               .first = NO_POINT};
    if (has_key)
        map_put(m->names, key, len, (void *)(uintptr_t)m->n_series);
    return 0;
}

static int take_sample(void *arg, const struct label *label, size_t n, int64_t t_ms, double v,
                       bool same)
{
    struct import *m = arg;
    uint32_t i = 0;
    int r = 0;
    if (same && m->n_points > 0)
        i = m->point[m->n_points - 1].series;
    else
        r = series_of(m, label, n, &i);
    if (r == 0)
        r = mem_grow_capped(&m->point, &m->points_cap, m->n_points, sizeof(m->point[0]),
                            UINT32_MAX - 1);
    if (r < 0)
        return r;
    struct series *s = &m->series[i];
    m->point[m->n_points] = (struct point){.series = i, .next = s->first, .t_ms = t_ms, .v = v};
    s->first = (uint32_t)m->n_points++;
    s->min_ms = MIN_OF(s->min_ms, t_ms);
    s->max_ms = MAX_OF(s->max_ms, t_ms);
    return 0;
}

// Looking up

// What is rolled up and no longer there in samples is known too: it is in the sums already.
static bool has_time(const struct query_run *run, int64_t t_ms)
{
    size_t low = 0, high = run->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t at_ms = run->resolution_ms ? run->bucket[middle].end_ms : run->t_ms[middle];
        if (at_ms < t_ms)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == run->n)
        return false;
    return run->resolution_ms ? run->bucket[low].end_ms - run->resolution_ms < t_ms
                              : run->t_ms[low] == t_ms;
}

static void mark_known(struct import *m, const struct series *s, const struct query_run *run,
                       size_t n_runs)
{
    for (uint32_t i = s->first; i != NO_POINT; i = m->point[i].next)
        for (size_t k = 0; k < n_runs && !m->point[i].is_known; k++)
            m->point[i].is_known = has_time(&run[k], m->point[i].t_ms);
}

static void mark_deleted(struct import *m, const struct series *s)
{
    for (uint32_t i = s->first; i != NO_POINT; i = m->point[i].next) {
        int64_t t_ms = m->point[i].t_ms;
        m->point[i].is_deleted = tsdb_is_deleted(m->all->p.db, s->labels, t_ms, t_ms);
    }
}

static int look_up(struct import *m, const struct series *s)
{
    const struct query_hints hints = {s->min_ms, s->max_ms, 0, 0};
    struct query_set *set = NULL;
    const struct query_run *run = NULL;
    struct err err;
    size_t n_runs = 0;
    int r = tsdb_select_series(m->all->p.db, s->labels, &hints, &set, &err);
    if (r < 0)
        return r;
    if (set->n > 0)
        r = set->ops->read(set, 0, s->min_ms, s->max_ms, &run, &n_runs, &err);
    if (r == 0)
        mark_known(m, s, run, n_runs);
    set->ops->free_set(set);
    if (tsdb_is_deleted(m->all->p.db, s->labels, s->min_ms, s->max_ms))
        mark_deleted(m, s);
    return r;
}

// What is put back after a deletion must not go with what was deleted.
static void carry_out_deletions(const struct import *m)
{
    struct tsdb *db = m->all->p.db;
    struct err err = {0};
    for (size_t i = 0; i < m->n_series; i++) {
        const struct series *s = &m->series[i];
        if (!s->labels || !tsdb_is_deleted(db, s->labels, s->min_ms, s->max_ms))
            continue;
        if (tsdb_settle(db, &err) < 0)
            log_warning("import: %s", err.message);
        return;
    }
}

static void on_worker(uv_work_t *work)
{
    static const struct samples_events events = {.sample = take_sample};
    struct imports *im = work->data;
    struct import *m = im->first;
    pthread_setname_np(pthread_self(), "pool");
    if (!m->frame)
        return; // there was more to append
    if (im->p.wait && !m->is_dry)
        im->p.wait(im->p.arg);
    m->names = map_new();
    m->result = samples_read(m->frame, m->len, &events, m);
    if (m->result == 0 && !m->is_dry)
        carry_out_deletions(m);
    for (size_t i = 0; m->result == 0 && i < m->n_series && !atomic_load(&im->is_ending); i++)
        if (m->series[i].labels && m->series[i].labels->n > 0)
            m->result = look_up(m, &m->series[i]);
    free(TAKE_PTR(m->frame));
}

// Appending

static void count(struct samples_written *w, int r)
{
    w->samples += r == 0;
    w->late += r == -ERANGE;
    w->duplicate += r == -EEXIST;
    if (r < 0 && w->rejected++ == 0)
        snprintf(w->reason, sizeof(w->reason), "%s", samples_why(r));
}

static int append(struct imports *im, const struct import *m, const struct point *p)
{
    const struct series *s = &m->series[p->series];
    if (m->result < 0)
        return m->result;
    if (!s->labels)
        return -EINVAL;
    if (p->is_deleted && !m->is_dry) // else it would be carried out before
        return -EAGAIN;
    if (p->is_known)
        return -EEXIST;
    if (m->is_dry)
        return im->p.may_append(im->p.arg, p->t_ms);
    return im->p.append(im->p.arg, s->labels->label, s->labels->n, p->t_ms, p->v);
}

static void begin(struct imports *im);

static void after_work(uv_work_t *work, int status)
{
    struct imports *im = work->data;
    struct import *m = im->first;
    im->is_working = false;
    if (atomic_load(&im->is_ending))
        return;
    size_t end = MIN_OF(m->n_points, m->at + SLICE);
    for (; m->at < end; m->at++)
        count(&m->written, append(im, m, &m->point[m->at]));
    if (m->at == m->n_points) {
        if (m->id)
            im->p.answer(im->p.arg, m->id, &m->written);
        im->first = m->next;
        im->n--;
        import_free(m);
    }
    begin(im);
}

static void begin(struct imports *im)
{
    if (!im->first || im->is_working)
        return;
    im->is_working = true;
    uv_queue_work(im->p.loop, &im->work, on_worker, after_work);
}

struct imports *imports_new(const struct imports_params *p)
{
    struct imports *im = mem_zalloc(sizeof(*im));
    im->p = *p;
    im->work.data = im;
    return im;
}

void imports_free(struct imports *im)
{
    if (!im)
        return;
    atomic_store(&im->is_ending, true);
    while (im->is_working)
        uv_run(im->p.loop, UV_RUN_ONCE);
    while (im->first) {
        struct import *m = im->first;
        im->first = m->next;
        import_free(m);
    }
    free(im);
}

bool imports_have_room(const struct imports *im)
{
    return im->n < WAITING_MAX;
}

void imports_add(struct imports *im, uint32_t id, char *frame, size_t len, bool is_dry)
{
    struct import *m = mem_zalloc(sizeof(*m));
    *m = (struct import){.all = im, .id = id, .frame = frame, .len = len, .is_dry = is_dry};
    struct import **at = &im->first;
    while (*at)
        at = &(*at)->next;
    *at = m;
    im->n++;
    begin(im);
}

void imports_forget_all(struct imports *im)
{
    for (struct import *m = im ? im->first : NULL; m; m = m->next)
        m->id = 0;
}
