// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MODEL_LABELS_H
#define MODEL_LABELS_H

/*
 * The labels of a time series, the metric name among them as `__name__`, as Prometheus has them:
 * sorted by name in byte order, no name twice, no empty value (which means: not there).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define LABEL_METRIC_NAME "__name__"

/** Most labels of one series, and bytes of all its names and values. */
#define LABELS_MAX 256
#define LABELS_BYTES_MAX (64u * 1024)

/** One label; both texts are UTF-8 and NUL-terminated. */
struct label {
    const char *name;
    const char *value;
};

/** A set of labels: immutable, one allocation that holds the texts too. */
struct labels {
    uint32_t n;
    uint32_t bytes; /**< of the allocation */
    uint64_t hash;  /**< of names and values, the same on each machine and run */
    struct label label[];
};

/**
 * Copy, sort and check labels in any order. Empty values are left out. The caller owns the result
 * (labels_free()). NULL: no memory, a name twice, over LABELS_MAX or LABELS_BYTES_MAX.
 */
struct labels *labels_new(const struct label *label, size_t n);
void labels_free(struct labels *l);

/** Bytes that labels_write() needs; 0 over LABELS_MAX or LABELS_BYTES_MAX. */
size_t labels_size(const struct label *label, size_t n);

/**
 * labels_new() into memory of the caller (labels_size() bytes, aligned for pointers); NULL: a name
 * twice.
 */
struct labels *labels_write(void *memory, size_t size, const struct label *label, size_t n);

/** The value under a name; NULL where there is none. */
const char *labels_get(const struct labels *l, const char *name);

/** By names and values in order, as Prometheus sorts series: <0, 0, >0. */
int labels_compare(const struct labels *a, const struct labels *b);
bool labels_equal(const struct labels *a, const struct labels *b);

/**
 * As Prometheus writes them: `name{a="b", c="d"}`, names that need it in quotes, values escaped.
 */
void labels_format(const struct labels *l, struct buf *out);

/** [a-zA-Z_:][a-zA-Z0-9_:]*: a metric name that needs no quotes. */
bool labels_is_plain_metric(const char *name);

/** [a-zA-Z_][a-zA-Z0-9_]*: a label name that needs no quotes. */
bool labels_is_plain_name(const char *name);

#endif
