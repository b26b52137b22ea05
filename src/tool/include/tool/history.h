// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TOOL_HISTORY_H
#define TOOL_HISTORY_H

/*
 * Recorded history, read without a daemon: of a store's directory that no daemon has open, of a
 * snapshot, or of an OpenMetrics file with timestamps (also compressed with zstd). Backtests, the
 * simulator, replay and import walk through it.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/labels.h"

struct history;

/** Most samples of a file, which are held in memory at 16 bytes each. */
#define HISTORY_FILE_SAMPLES_MAX ((size_t)400 * 1000 * 1000)

/**
 * Open a directory or a file ("-": standard input). A store is opened as a daemon opens it (what
 * its log holds is replayed; it must be writable), but nothing is ever too old to keep. The caller
 * owns *ret. 0; -EBUSY: a daemon has the store; -EINVAL: malformed, with the line; -E2BIG; -errno.
 */
int history_open(const char *path, struct history **ret, struct err *err);
void history_free(struct history *h);

/** Number of series, and the labels of one; both live as long as the history. */
size_t history_count(const struct history *h);
const struct labels *history_labels(const struct history *h, size_t series);

/** Time of the first and the last sample; 0 where there is none. */
int64_t history_start_ms(const struct history *h);
int64_t history_end_ms(const struct history *h);

/** A sample of the series with this number. Ends of series are marked: sample_is_stale(v). */
struct history_sample {
    uint32_t series;
    double v;
};

/** All samples of one time, by series. Negative ends the walk and is its result. */
typedef int history_step_fn(void *arg, int64_t t_ms, const struct history_sample *sample, size_t n);

/**
 * Walk through [start_ms, end_ms] in order of time, each time once. Memory: five minutes of all
 * series. 0, what `step` returned, -EIO (a block cannot be read), -ENOMEM.
 */
int history_walk(struct history *h, int64_t start_ms, int64_t end_ms, history_step_fn *step,
                 void *arg, struct err *err);

#endif
