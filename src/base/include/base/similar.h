// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_SIMILAR_H
#define BASE_SIMILAR_H

#include <stddef.h>

/** Longer texts are compared by their first bytes only. */
#define SIMILAR_TEXT_MAX 128

/**
 * Edits (insert, remove, replace, swap two neighbours) that turn one text into the other: the
 * optimal string alignment distance, by bytes, over at most SIMILAR_TEXT_MAX of each.
 */
unsigned similar_distance(const char *a, const char *b);

/**
 * The candidate that is most like `text`, for "did you mean": NULL where none is within a third of
 * the text's length (at least 1, at most 4 edits). Earlier candidates win ties; NULL ones are
 * skipped.
 */
const char *similar_best(const char *text, const char *const *candidates, size_t n);

#endif
