// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_MATCH_H
#define TSDB_MATCH_H

/*
 * From matchers to series, over the label index of the head or of a block. Sets of series are bit
 * maps: a million series are 128 KiB, and intersecting them is one pass.
 */

#include <stddef.h>
#include <stdint.h>

#include "model/query.h"

/** What an index must offer; `value` is its own token for one value of a name. */
struct match_index {
    const void *arg;
    uint32_t n_series;
    /** Set the bits of all series. */
    void (*all)(const void *arg, uint64_t *bits);
    /** The series with exactly this label; sets bits. 0 or -EBADMSG. */
    int (*find)(const void *arg, const char *name, const char *value, uint64_t *bits);
    /**
     * Each value of a name that begins with `prefix`: where `want` says so, the bits of its series
     * are set.
     */
    int (*scan)(const void *arg, const char *name, const char *prefix,
                bool (*want)(const struct query_matcher *m, const char *value),
                const struct query_matcher *m, uint64_t *bits);
};

/** Fresh words for n bits, all 0; NULL without memory. */
uint64_t *match_new(uint32_t n);
#define MATCH_WORDS(n) (((size_t)(n) + 63) / 64)

static inline void match_set(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= UINT64_C(1) << i % 64;
}

/** The series that fulfil all matchers; the caller frees *ret. 0, -ENOMEM, -EBADMSG. */
int match_bits(const struct match_index *index, const struct query_matcher *matcher, size_t n,
               uint64_t **ret);

/** The next set bit at or after `from`; UINT32_MAX at the end. */
uint32_t match_next(const uint64_t *bits, uint32_t n, uint32_t from);

#endif
