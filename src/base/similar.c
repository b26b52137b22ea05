// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/similar.h"

#include <string.h>

#include "base/mem.h"

#define EDITS_MAX 4

unsigned similar_distance(const char *a, const char *b)
{
    size_t a_len = strnlen(a, SIMILAR_TEXT_MAX), b_len = strnlen(b, SIMILAR_TEXT_MAX);
    unsigned rows[3][SIMILAR_TEXT_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_len; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned edit = last[j - 1] + (a[i - 1] != b[j - 1]);
            edit = MIN_OF(edit, MIN_OF(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                edit = MIN_OF(edit, before[j - 2] + 1);
            row[j] = edit;
        }
        unsigned *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_len];
}

const char *similar_best(const char *text, const char *const *candidates, size_t n)
{
    unsigned limit = (unsigned)strnlen(text, SIMILAR_TEXT_MAX) / 3;
    limit = MAX_OF(1u, MIN_OF(limit, (unsigned)EDITS_MAX));
    const char *best = NULL;
    unsigned best_distance = limit + 1;
    for (size_t i = 0; i < n; i++) {
        unsigned distance = candidates[i] ? similar_distance(text, candidates[i]) : best_distance;
        if (distance < best_distance) {
            best = candidates[i];
            best_distance = distance;
        }
    }
    return best;
}
