// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_HISTORY_H
#define PLACE_HISTORY_H

/* What a VM has used, read from stored series into the even steps that right-sizing takes. */

#include "base/err.h"
#include "model/query.h"
#include "place/usage.h"

#define HISTORY_STEP_S 300
#define HISTORY_DAYS 60

/** CPU in CPUs and memory in bytes, by steps in which something was stored. All owned. */
struct place_history {
    int64_t *cpu_t_s, *memory_t_s; /**< end of the step, Unix seconds */
    double *cpu, *memory_bytes;
    size_t n_cpu, n_memory;
};

/** Even steps of time that samples are laid on: step i is (start + i·step, start + (i + 1)·step].
 */
struct place_grid {
    int64_t start_ms, step_ms;
    size_t n;
    double *value;     /**< owned; by step, NaN where nothing was stored */
    double *covered_s; /**< owned; of counters: time that the rise in a step took */
};

/** 0 or -ENOMEM. */
int place_grid_init(struct place_grid *g, int64_t start_ms, int64_t step_ms, size_t n);

/** Free the arrays; usable with CLEANUP(). */
void place_grid_done(struct place_grid *g);

/**
 * Fill a grid with the CPUs or the bytes that the domain of that name used, as
 * place_history_read() does. Steps must be no shorter than the distance of samples: a rise over a
 * longer gap is left out. 0, -ENOMEM, or what the source says.
 */
int place_grid_cpu(struct query_source *source, const char *domain, struct place_grid *g,
                   struct err *err);
int place_grid_memory(struct query_source *source, const char *domain, struct place_grid *g,
                      struct err *err);

/**
 * Read the last HISTORY_DAYS before `now_s` of the domain of that name. CPU is the rise of
 * libvirt_domain_info_cpu_time_seconds_total; memory is what the guest cannot give back
 * (…_memory_stats_available_bytes minus …_usable_bytes), or the host's view of it
 * (vherd_vm_resident_bytes) in steps where the guest does not tell, the greatest of each step.
 * 0, -ENOMEM, or what the source says. Nothing stored gives n = 0.
 */
int place_history_read(struct query_source *source, const char *domain, double now_s,
                       struct place_history *ret, struct err *err);

/** Free the arrays; usable with CLEANUP(). */
void place_history_done(struct place_history *h);

#endif
