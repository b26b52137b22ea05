// SPDX-License-Identifier: GPL-3.0-or-later
// Which samples of a chunk a reader needs: a chunk holds a day or more, of which a long query with
// far steps looks at little. Times on a schedule are not even written down for that.
#include <errno.h>

#include "base/mem.h"
#include "block.h"

/** The times of a chunk: an array, or a line. */
struct times {
    const int64_t *t_ms; // NULL: a line
    int64_t first_ms, step_ms;
    size_t n;
};

// The first from `from` on that is not before `least_ms`; n where there is none.
static size_t find(const struct times *t, size_t from, int64_t least_ms)
{
    if (!t->t_ms) {
        if (least_ms <= t->first_ms)
            return from;
        size_t at = (size_t)((least_ms - t->first_ms + t->step_ms - 1) / t->step_ms);
        return MIN_OF(MAX_OF(from, at), t->n);
    }
    size_t high = t->n;
    while (from < high) {
        size_t middle = from + (high - from) / 2;
        if (t->t_ms[middle] < least_ms)
            from = middle + 1;
        else
            high = middle;
    }
    return from;
}

static size_t find_past(const struct times *t, size_t from, int64_t last_ms)
{
    return last_ms == INT64_MAX ? t->n : find(t, from, last_ms + 1);
}

// Windows that touch one another become one part.
static size_t add_part(struct codec_part *part, size_t n, size_t from, size_t to)
{
    if (from >= to)
        return n;
    if (n > 0 && part[n - 1].to >= from) {
        part[n - 1].to = to;
        return n;
    }
    part[n] = (struct codec_part){from, to};
    return n + 1;
}

static size_t find_windows(const struct times *t, const struct query_hints *h, int64_t start_ms,
                           int64_t end_ms, struct codec_part *part)
{
    size_t n = 0, at = 0;
    int64_t ahead_ms = start_ms - h->align_ms;
    int64_t now_ms = h->align_ms;
    if (ahead_ms > 0)
        now_ms += (ahead_ms + h->step_ms - 1) / h->step_ms * h->step_ms;
    for (; now_ms - h->window_ms < end_ms && at < t->n; now_ms += h->step_ms) {
        size_t from = find(t, at, MAX_OF(now_ms - h->window_ms + 1, start_ms));
        at = find_past(t, from, MIN_OF(now_ms, end_ms));
        if (h->last_only && at > from)
            from = at - 1;
        n = add_part(part, n, from, at);
    }
    return n;
}

// Whether windows may be walked through without an overflow.
static bool has_windows(const struct query_hints *h, int64_t start_ms, int64_t end_ms)
{
    const int64_t far_ms = INT64_C(1) << 60;
    return h && h->window_ms > 0 && h->step_ms > h->window_ms && h->step_ms < far_ms &&
           start_ms > -far_ms && end_ms < far_ms && h->align_ms > -far_ms && h->align_ms < far_ms;
}

static int get_times(const struct block *b, const struct block_chunk *c, int64_t *t_ms,
                     struct times *ret)
{
    size_t len = 0;
    const uint8_t *p = block_column(b, c->times, &len);
    *ret = (struct times){.n = c->n};
    if (!p)
        return -EBADMSG;
    if (codec_get_line(p, len, &ret->first_ms, &ret->step_ms) && ret->step_ms > 0) {
        int64_t last_ms;
        bool is_wrong = __builtin_mul_overflow(ret->step_ms, (int64_t)c->n - 1, &last_ms) ||
                        __builtin_add_overflow(last_ms, ret->first_ms, &last_ms);
        if (is_wrong || ret->first_ms != c->min_ms || last_ms != c->max_ms)
            return -EBADMSG;
        return block_sound(b);
    }
    ret->t_ms = t_ms;
    int r = codec_get_i64(p, len, t_ms, c->n);
    if (r < 0 || t_ms[0] != c->min_ms || t_ms[c->n - 1] != c->max_ms)
        return -EBADMSG;
    return block_sound(b);
}

int block_samples_needed(const struct block *b, const struct block_chunk *c, int64_t start_ms,
                         int64_t end_ms, const struct query_hints *hints, int64_t *t_ms,
                         struct codec_part *part, size_t *ret_n_parts)
{
    struct times t;
    int r = get_times(b, c, t_ms, &t);
    if (r < 0)
        return r;
    start_ms = MAX_OF(start_ms, c->min_ms);
    end_ms = MIN_OF(end_ms, c->max_ms);
    size_t n = 0;
    if (start_ms <= end_ms && has_windows(hints, start_ms, end_ms))
        n = find_windows(&t, hints, start_ms, end_ms, part);
    else if (start_ms <= end_ms)
        n = add_part(part, 0, find(&t, 0, start_ms), find_past(&t, 0, end_ms));
    for (size_t k = 0; k < n && !t.t_ms; k++)
        for (size_t i = part[k].from; i < part[k].to; i++)
            t_ms[i] = t.first_ms + t.step_ms * (int64_t)i;
    *ret_n_parts = n;
    return 0;
}
