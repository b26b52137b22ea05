// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MODEL_QUERY_H
#define MODEL_QUERY_H

/*
 * The table through which stored series are read: implemented by the store and, for tests, by
 * fakes; used by PromQL, export and replay. Times are Unix milliseconds; ranges are closed on both
 * sides (who wants them left-open adds 1).
 *
 * A selection is a snapshot: it holds on to what it needs, so that it can be read on another
 * thread, without a lock, while samples are appended and old ones deleted. One selection is read by
 * one thread at a time; several selections by several.
 */

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "model/labels.h"

struct regex;

/** The NaN that marks the end of a series, with the bits that Prometheus uses. */
#define SAMPLE_STALE_BITS UINT64_C(0x7ff0000000000002)

static inline bool sample_is_stale(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits == SAMPLE_STALE_BITS;
}

static inline double sample_stale(void)
{
    uint64_t bits = SAMPLE_STALE_BITS;
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

enum query_match {
    QUERY_EQUAL,
    QUERY_NOT_EQUAL,
    QUERY_REGEX,
    QUERY_NOT_REGEX,
};

/** One condition on a label; a label that is not there has the value "". */
struct query_matcher {
    enum query_match match;
    const char *name;
    const char *value;         /**< text, or the pattern */
    const struct regex *regex; /**< compiled, anchored; for the REGEX kinds only */
};

/**
 * What a roll-up keeps of the samples in (end_ms - resolution, end_ms], staleness markers apart.
 * Between neighbours increase is additive: a bucket's counts from the last sample before it (or, at
 * the beginning of the series, from its own first sample).
 */
struct query_bucket {
    int64_t end_ms;
    int64_t first_ms, last_ms; /**< times of its first and last sample */
    double first, last;        /**< their values */
    double min, max, sum;      /**< of all its samples; NaNs among them left out of min and max */
    double increase;           /**< of a counter: sum of rises, a fall counted as a reset to 0 */
    uint32_t count;            /**< samples; never 0: buckets without any are left out */
    uint32_t resets;           /**< falls counted in `increase` */
    bool stale;                /**< a staleness marker came after the last sample */
};

/** A stretch of one series: samples, or buckets of one resolution; sorted by time. */
struct query_run {
    int64_t resolution_ms; /**< 0: samples, `t_ms` and `v`; else `bucket` */
    size_t n;
    const int64_t *t_ms;
    const double *v;
    const struct query_bucket *bucket;
};

/**
 * What the reader will do, so that the source may give less than all. max_resolution_ms 0: samples
 * wherever they still exist. Else buckets of a resolution that divides max_resolution_ms, and whose
 * borders fall on `align_ms` + k·resolution, are as good as samples to the reader. Where samples
 * are gone but roll-ups remain, buckets are given in either case.
 *
 * window_ms > 0: only those samples and buckets are needed that lie in or reach into a window
 * (align_ms + k·step_ms - window_ms, align_ms + k·step_ms], k = 0, 1, …, and the one bucket before
 * each window. last_only: of the samples in each window only the last. skip_values: min, max and
 * sum of buckets are not looked at and may be anything.
 */
struct query_hints {
    int64_t start_ms, end_ms;
    int64_t max_resolution_ms;
    int64_t align_ms;
    int64_t step_ms, window_ms;
    bool last_only;
    bool skip_values;
};

/** Series that a selection holds, in no particular order. */
struct query_set {
    const struct query_source_ops *ops;
    size_t n;
    const struct labels *const *labels; /**< of each; live as long as the set */
};

struct query_source {
    const struct query_source_ops *ops;
};

/** Texts, sorted, each once. */
struct query_texts {
    char **text; /**< owned, as is each */
    size_t n;
};

struct query_source_ops {
    /**
     * Series that fulfil all matchers and may have samples within the hints' range. The caller
     * frees *ret with free_set. 0, -E2BIG (over `max_series`, 0 = no limit), -ENOMEM, -EIO.
     */
    int (*select)(struct query_source *source, const struct query_matcher *matcher, size_t n,
                  const struct query_hints *hints, size_t max_series, struct query_set **ret,
                  struct err *err);

    /**
     * Series i of the set within [start_ms, end_ms] (inside the hints' range): runs that follow one
     * another in time and do not overlap. *ret and what it points to belong to the set and hold
     * until the next call. A series without samples there has 0 runs. 0, -ENOMEM, -EIO (a block
     * cannot be read; err names it).
     */
    int (*read)(struct query_set *set, size_t i, int64_t start_ms, int64_t end_ms,
                const struct query_run **ret, size_t *ret_n, struct err *err);

    void (*free_set)(struct query_set *set);

    /** Names of labels of the series that match and have samples within the range. */
    int (*label_names)(struct query_source *source, const struct query_matcher *matcher, size_t n,
                       int64_t start_ms, int64_t end_ms, struct query_texts *ret, struct err *err);

    /** Values of one label of these series. */
    int (*label_values)(struct query_source *source, const char *name,
                        const struct query_matcher *matcher, size_t n, int64_t start_ms,
                        int64_t end_ms, struct query_texts *ret, struct err *err);
};

/** Whether labels fulfil all conditions. Needs the compiled `regex` of REGEX kinds. */
bool query_matches(const struct query_matcher *matcher, size_t n, const struct labels *labels);

/** Free the texts; usable with CLEANUP(). */
void query_texts_done(struct query_texts *texts);

#endif
