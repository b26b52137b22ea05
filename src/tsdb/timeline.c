// SPDX-License-Identifier: GPL-3.0-or-later
#include "tsdb/timeline.h"

#include <string.h>

#include "base/mem.h"

void timeline_init(struct timeline *l, int64_t newest_ms, int64_t back_max_ms)
{
    *l = (struct timeline){.back_max_ms = back_max_ms};
    if (newest_ms > 0) {
        // What lies before the newest sample is taken as written, as far back as is looked.
        l->stretch[0] = (struct timeline_stretch){newest_ms - back_max_ms, newest_ms};
        l->n = 1;
    }
}

static void insert(struct timeline *l, size_t at, int64_t t_ms)
{
    if (l->n == TIMELINE_STRETCHES) {
        // The two oldest become one: what is given up is a gap of long ago.
        l->stretch[1].start_ms = l->stretch[0].start_ms;
        memmove(&l->stretch[0], &l->stretch[1], (l->n - 1) * sizeof(l->stretch[0]));
        l->n--;
        at -= at > 0;
    }
    memmove(&l->stretch[at + 1], &l->stretch[at], (l->n - at) * sizeof(l->stretch[0]));
    l->stretch[at] = (struct timeline_stretch){t_ms, t_ms};
    l->n++;
    l->at = at;
}

// Put t behind stretch i - 1 or, where the pause is short, at its end.
static int64_t write_at(struct timeline *l, size_t i, int64_t t_ms, int64_t gap_ms)
{
    if (i > 0 && t_ms - l->stretch[i - 1].end_ms <= gap_ms) {
        l->stretch[i - 1].end_ms = t_ms;
        l->at = i - 1;
    } else {
        insert(l, i, t_ms);
    }
    return t_ms;
}

static int64_t place(struct timeline *l, int64_t elapsed_ms, int64_t real_ms, int64_t gap_ms)
{
    int64_t newest_ms = l->n > 0 ? l->stretch[l->n - 1].end_ms : real_ms - 1;
    if (real_ms > newest_ms)
        return write_at(l, l->n, real_ms, gap_ms);
    size_t i = l->n;
    while (i > 0 && real_ms < l->stretch[i - 1].start_ms)
        i--;
    bool is_believed = newest_ms - real_ms <= l->back_max_ms;
    if (is_believed && (i == 0 || real_ms > l->stretch[i - 1].end_ms))
        return write_at(l, i, real_ms, gap_ms);
    // Written already, or not believed: on from the end of that stretch, or of the last one.
    size_t from = is_believed ? i - 1 : l->n - 1;
    if (l->started && !is_believed)
        from = l->at;
    int64_t t_ms = l->stretch[from].end_ms + MAX_OF(elapsed_ms, INT64_C(1));
    while (from + 1 < l->n && t_ms >= l->stretch[from + 1].start_ms)
        t_ms = l->stretch[++from].end_ms + MAX_OF(elapsed_ms, INT64_C(1));
    l->stretch[from].end_ms = t_ms;
    l->at = from;
    return t_ms;
}

int64_t timeline_step(struct timeline *l, int64_t mono_ms, int64_t real_ms, int64_t gap_ms,
                      int64_t *ret_offset_ms)
{
    int64_t elapsed_ms = l->started ? mono_ms - l->mono_ms : 0;
    l->mono_ms = mono_ms;
    l->last_ms = place(l, elapsed_ms, real_ms, gap_ms);
    l->started = true;
    if (ret_offset_ms)
        *ret_offset_ms = l->last_ms - real_ms;
    return l->last_ms;
}
