// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "store.h"

static struct query_bucket begin(int64_t end_ms, int64_t t_ms, double v)
{
    return (struct query_bucket){
        .end_ms = end_ms, .first_ms = t_ms, .first = v, .min = NAN, .max = NAN};
}

static void add(struct query_bucket *b, int64_t t_ms, double v, struct rollup_before *before)
{
    b->last_ms = t_ms;
    b->last = v;
    b->sum += v;
    b->count++;
    b->stale = false;
    // Comparisons are false with NaN: the first number takes its place.
    if (!(b->min <= v) && !isnan(v))
        b->min = v;
    if (!(b->max >= v) && !isnan(v))
        b->max = v;
    if (before->is_there) {
        bool is_reset = v < before->value;
        b->increase += is_reset ? v : v - before->value;
        b->resets += is_reset;
    }
    *before = (struct rollup_before){true, v};
}

int rollup(const int64_t *t_ms, const double *v, size_t n, int64_t resolution,
           struct rollup_before before, struct query_bucket **ret, size_t *ret_n, size_t *cap)
{
    size_t first = *ret_n;
    for (size_t i = 0; i < n; i++) {
        int64_t end_ms = window_end(t_ms[i], resolution);
        bool is_new = *ret_n == first || (*ret)[*ret_n - 1].end_ms != end_ms;
        if (sample_is_stale(v[i])) {
            if (*ret_n > first)
                (*ret)[*ret_n - 1].stale = true;
            continue;
        }
        if (is_new) {
            int r = mem_grow_capped(ret, cap, *ret_n, sizeof(**ret), SIZE_MAX / 256);
            if (r < 0)
                return r;
            (*ret)[(*ret_n)++] = begin(end_ms, t_ms[i], v[i]);
        }
        add(&(*ret)[*ret_n - 1], t_ms[i], v[i], &before);
    }
    return 0;
}

static bool is_sorted(const struct query_bucket *b, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (b[i - 1].end_ms >= b[i].end_ms)
            return false;
    return true;
}

size_t buckets_sort(struct query_bucket *b, size_t n)
{
    size_t kept = 0;
    if (is_sorted(b, n))
        return n;
    for (size_t i = 0; i < n; i++) {
        struct query_bucket one = b[i];
        size_t at = kept;
        while (at > 0 && b[at - 1].end_ms > one.end_ms)
            at--;
        if (at > 0 && b[at - 1].end_ms == one.end_ms) {
            b[at - 1] = one;
            continue;
        }
        memmove(b + at + 1, b + at, (kept - at) * sizeof(*b));
        b[at] = one;
        kept++;
    }
    return kept;
}
