// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NET_EXPO_H
#define NET_EXPO_H

/*
 * What exporters answer with: OpenMetrics 1.0, read strictly or, when scraping, as Prometheus does,
 * and the classic text format 0.0.4, read as leniently as Prometheus does. Both may carry
 * timestamps and names in quotes (UTF-8). Iterative; every line is read in one pass; nothing is
 * kept but the family that is being read (and, of OpenMetrics, the names of those that were).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct label;

enum expo_format {
    EXPO_TEXT,              /**< text/plain; version=0.0.4 */
    EXPO_OPENMETRICS,       /**< application/openmetrics-text; version=1.0.0, all its rules */
    EXPO_OPENMETRICS_LOOSE, /**< its syntax; of the rules no more than Prometheus asks for */
};

enum expo_type {
    EXPO_UNKNOWN, /**< "unknown" in OpenMetrics, "untyped" in text */
    EXPO_COUNTER,
    EXPO_GAUGE,
    EXPO_HISTOGRAM,
    EXPO_GAUGEHISTOGRAM,
    EXPO_SUMMARY,
    EXPO_INFO,
    EXPO_STATESET,
    EXPO_TYPE_MAX,
};

/** "unknown", "counter", … */
const char *expo_type_name(enum expo_type type);

/** One sample; everything is borrowed until the callback returns. */
struct expo_sample {
    const struct label *label; /**< as they stand; `__name__` is the first */
    size_t n;
    double v;
    bool has_time;
    int64_t t_ms; /**< the sample's own timestamp */
    int line;
};

/** What is known of a family once its first sample comes (or the next family begins). */
struct expo_family {
    const char *name; /**< as in TYPE, that is without _total in OpenMetrics */
    enum expo_type type;
    const char *help; /**< "" where none was given */
    const char *unit;
};

struct expo_events {
    /** A negative value ends the parsing and is its result. */
    int (*sample)(void *arg, const struct expo_sample *s);
    /** May be NULL. Called once for each family that has any metadata. */
    int (*family)(void *arg, const struct expo_family *f);
};

/** Most bytes of one line, and of one label's name or value. */
#define EXPO_LINE_MAX (1024u * 1024)

/**
 * Parse a whole exposition. 0; -EINVAL with line and column of the first thing that is malformed
 * (in OpenMetrics also of what the standard forbids); -E2BIG (a line, its labels); -ENOMEM; or what
 * a callback returned. Samples before the error have been given out: who wants all or nothing keeps
 * them aside. Exemplars are checked and dropped. `_created` samples are given out like others.
 */
int expo_parse(const char *text, size_t len, enum expo_format format,
               const struct expo_events *events, void *arg, struct err *err);

/** By the media type of a response: EXPO_OPENMETRICS_LOOSE, or EXPO_TEXT for all else and NULL. */
enum expo_format expo_format_of(const char *content_type);

/** The Accept header with which Prometheus asks, best first. */
extern const char expo_accept[];

#endif
