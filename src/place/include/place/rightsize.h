// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_RIGHTSIZE_H
#define PLACE_RIGHTSIZE_H

/*
 * How large a VM should be, from what it has used. CPU is in CPUs (1 = one whole CPU), memory in
 * bytes. Pure: history in, advice out.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "place/usage.h"

#define RIGHTSIZE_PERIOD_US 100000 /**< of the CPU quota, libvirt's vcpu_period */

struct rightsize_policy {
    double risk_ratio;          /**< part of the intervals that may exceed; 0.01 */
    double margin_ratio;        /**< on top of what was seen; 0.15 */
    double horizon_days;        /**< growth is looked ahead for so long; 30 */
    double least_days;          /**< of history, or there is no advice; 7 */
    int64_t memory_step_bytes;  /**< advice is a multiple of it; 64 MiB */
    int64_t memory_least_bytes; /**< a guest does not start with less; 128 MiB */
};

extern const struct rightsize_policy rightsize_standard;

struct rightsize_vm {
    const char *name;
    int vcpus;            /**< provisioned */
    int64_t memory_bytes; /**< provisioned */
    struct usage_series cpu, memory;
};

struct rightsize_advice {
    bool known;        /**< false: too little history; only the days say more */
    double days;       /**< of history */
    double least_days; /**< of the policy */
    int vcpus;         /**< recommended, 1 or more; above the provisioned where it is short */
    int64_t memory_bytes;
    unsigned cpu_shares;  /**< for libvirt's cpu_shares: 1024 for each CPU at the 95th percentile */
    int64_t cpu_quota_us; /**< of each vCPU in RIGHTSIZE_PERIOD_US; -1 no limit needed */
    double cpu_need;      /**< CPUs, memory: what the advice was rounded up from */
    double memory_need_bytes;
    double cpu_risk_ratio; /**< part of the seen intervals that would have exceeded the advice */
    double memory_risk_ratio;
    double cpu_growth_per_day, memory_growth_per_day; /**< as seen, not below 0 */
    int rule_vcpus; /**< what the 97th-percentile rule would say */
    int64_t rule_memory_bytes;
    struct place_usage cpu, memory;
};

/** Advise; 0 or -ENOMEM. */
int rightsize_advise(const struct rightsize_vm *vm, const struct rightsize_policy *policy,
                     struct rightsize_advice *ret);

/** One line of reasons. */
void rightsize_explain(const struct rightsize_vm *vm, const struct rightsize_advice *advice,
                       struct buf *out);

/**
 * Intervals of a series in which what the VM could have used as provisioned (min of value and
 * `provisioned`) is above `advised`.
 */
size_t rightsize_exceeding(const struct usage_series *series, double provisioned, double advised);

#endif
