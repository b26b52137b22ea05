// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

/* What VMs have used, read from stored series onto one grid of even steps for all of them. */

#include "base/err.h"
#include "model/query.h"

#define SIM_HISTORY_STEP_MS INT64_C(300000)
#define SIM_HISTORY_DAYS_MAX 366
/** Steps times VMs; where there would be more, steps are longer. */
#define SIM_HISTORY_CELLS_MAX ((size_t)16 << 20)

/** Whether to go on: 0, or -errno with a message, which ends the work. NULL functions say yes. */
struct sim_patience {
    int (*check)(void *arg, struct err *err);
    void *arg;
};

/** One VM's past by step; nothing stored in a step counts as nothing used. */
struct sim_past {
    double *cpu;          /**< owned; CPUs */
    double *memory_bytes; /**< owned; in use */
};

struct sim_history {
    int64_t start_ms, step_ms;
    size_t steps;
    struct sim_past *vm; /**< owned; in the order of the names asked for */
    size_t n;
    double recorded_ratio; /**< share of steps of VMs in which CPU was stored */
};

/**
 * Read the last `days` before `now_s` (Unix seconds; NaN: before the last sample that there is) of
 * the domains of these names, from the first sample that any
 * of them has there. Steps are 300 s; where there is less than a day, as short as gives some 288,
 * but never shorter than twice the distance of samples. See place/history.h for the series. The
 * caller frees *ret with sim_history_done(). 0, -ENODATA (nothing is stored of any of them, or less
 * than two steps), -ENOMEM, what the source or `patience` says.
 */
int sim_history_read(struct query_source *source, const char *const *name, size_t n, double now_s,
                     double days, const struct sim_patience *patience, struct sim_history *ret,
                     struct err *err);

/** Days that a history covers. */
double sim_history_days(const struct sim_history *h);

/** Free the arrays; usable with CLEANUP(). */
void sim_history_done(struct sim_history *h);

#endif
