// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stddef.h>

#include "base/err.h"

/** More samples or files than this are refused. */
#define TRACE_SAMPLES_MAX 1000000
#define TRACE_FILES_MAX 200000

/** CPU load of one VM over time: ratios of its size, at equal distances. */
struct trace {
    char *name;     /**< owned; the file's */
    double *sample; /**< owned */
    size_t n;
};

struct trace_set {
    struct trace *trace; /**< owned, sorted by name, byte by byte */
    size_t n;
};

/** Free what a set holds; usable with CLEANUP(). */
void trace_set_done(struct trace_set *set);

/**
 * Read text as PlanetLab's traces are: one whole percentage a line. *ret_sample is the caller's.
 * 0, -ENOMEM or -EINVAL with file, line and column.
 */
int trace_parse_planetlab(const char *file, const char *text, size_t len, double **ret_sample,
                          size_t *ret_n, struct err *err);

/**
 * Read one column of a CSV text, as numbers times `scale`; lines that begin with '#' are left out,
 * a first line that is no number is a heading. Separator is ',', ';' or tab. Same results.
 */
int trace_parse_csv(const char *file, const char *text, size_t len, size_t column, double scale,
                    double **ret_sample, size_t *ret_n, struct err *err);

/**
 * Read every regular file of a folder as a PlanetLab trace, hidden files apart. The caller frees
 * the set. 0 or -errno with a message.
 */
int trace_set_load(const char *folder, struct trace_set *ret, struct err *err);

#endif
