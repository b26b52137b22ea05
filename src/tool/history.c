// SPDX-License-Identifier: GPL-3.0-or-later
// A walk through recorded history in order of time: stretches are read series by series, sorted,
// and given out time by time.
#include "tool/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "history_private.h"

#define STRETCH_MS (INT64_C(300) * 1000)
// Where there is nothing, stretches grow, up to this many of them at once.
#define STRETCHES_MAX 4096

int history_open(const char *path, struct history **ret, struct err *err)
{
    struct stat st;
    if (strcmp(path, "-") == 0)
        return history_open_file(path, ret, err);
    if (stat(path, &st) < 0)
        return err_set(err, errno, "%s: %s", path, strerror(errno));
    return S_ISDIR(st.st_mode) ? history_open_store(path, ret, err)
                               : history_open_file(path, ret, err);
}

void history_free(struct history *h)
{
    if (h)
        h->ops->free(h);
}

size_t history_count(const struct history *h)
{
    return h->n;
}

const struct labels *history_labels(const struct history *h, size_t series)
{
    return h->labels[series];
}

int64_t history_start_ms(const struct history *h)
{
    return h->start_ms;
}

int64_t history_end_ms(const struct history *h)
{
    return h->end_ms;
}

void history_push(struct history_stretch *s, int64_t t_ms, size_t series, double v)
{
    mem_grow(&s->entry, &s->cap, s->n, sizeof(*s->entry));
    s->entry[s->n++] = (struct history_entry){t_ms, {(uint32_t)series, v}};
}

static int by_time(const void *a, const void *b)
{
    const struct history_entry *x = a, *y = b;
    if (x->t_ms != y->t_ms)
        return x->t_ms < y->t_ms ? -1 : 1;
    return (x->sample.series > y->sample.series) - (x->sample.series < y->sample.series);
}

static int give_out(struct history_stretch *s, history_step_fn *step, void *arg)
{
    if (s->n == 0)
        return 0;
    qsort(s->entry, s->n, sizeof(*s->entry), by_time);
    CLEANUP(freep) struct history_sample *now = mem_zalloc(s->n * sizeof(*now));
    for (size_t i = 0; i < s->n;) {
        int64_t t_ms = s->entry[i].t_ms;
        size_t n = 0;
        for (; i < s->n && s->entry[i].t_ms == t_ms; i++)
            now[n++] = s->entry[i].sample;
        int r = step(arg, t_ms, now, n);
        if (r < 0)
            return r;
    }
    return 0;
}

int history_walk(struct history *h, int64_t start_ms, int64_t end_ms, history_step_fn *step,
                 void *arg, struct err *err)
{
    struct history_stretch s = {0};
    int r = 0;
    start_ms = MAX_OF(start_ms, h->start_ms);
    end_ms = MIN_OF(end_ms, h->end_ms);
    for (int64_t at = start_ms, length = STRETCH_MS; r == 0 && at <= end_ms; at += length) {
        length =
            s.n > 0 || at == start_ms ? STRETCH_MS : MIN_OF(length * 2, STRETCHES_MAX * STRETCH_MS);
        s.n = 0;
        int64_t last = end_ms - at >= length ? at + length - 1 : end_ms;
        for (size_t i = 0; r == 0 && i < h->n; i++)
            r = h->ops->read(h, i, at, last, &s, err);
        if (r == 0)
            r = give_out(&s, step, arg);
    }
    free(s.entry);
    return r;
}
