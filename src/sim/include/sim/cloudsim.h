// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SIM_CLOUDSIM_H
#define SIM_CLOUDSIM_H

/*
 * The PlanetLab experiment of Beloglazov and Buyya (CCPE 2012) as CloudSim 3.0.3 carries it out,
 * with all its peculiarities, so that a policy can be compared with published and executed figures:
 * 800 hosts of two kinds, four kinds of VMs, one day in steps of 300 s.
 */

#include <stdint.h>

#include "base/buf.h"
#include "place/consolidate.h"
#include "sim/trace.h"

enum cloudsim_mode {
    CLOUDSIM_A, /**< as CloudSim: a VM whose sample is 0 is gone, memory counts at boot only */
    CLOUDSIM_B, /**< VMs survive a sample of 0 */
    CLOUDSIM_C, /**< as B, and no VM is moved where memory would pass 16 GiB */
    CLOUDSIM_MAX,
};

struct cloudsim_result {
    size_t vms, vms_left; /**< created; still there at the end */
    double energy_kwh;
    uint64_t migrations, shutdowns;
    double slatah;  /**< share of the hosts' active time in which they gave less than was asked */
    double pdm;     /**< share of all work asked for that was lost while migrating */
    double sla;     /**< slatah · pdm */
    double esv;     /**< energy · sla in percent, as the published tables use it: kWh·% */
    double overall; /**< share of all work asked for that was not given */
    uint64_t memory_violations; /**< moves to a host whose memory they overfilled */
    uint64_t returns;           /**< moves of a VM to a host that it had left within an hour */
    uint64_t unpaid;            /**< moves whose logged gain was not above their cost */
    /** CPU time of planning a step, and of all; differs from run to run. */
    double plan_mean_s, plan_p99_s, plan_max_s, cpu_s;
};

struct cloudsim_setup {
    const struct trace_set *traces; /**< each of at least 288 samples; one VM each */
    struct place_policy policy;
    enum cloudsim_mode mode;
    uint64_t seed;
    size_t hosts; /**< 0: 800 */
    /** Called for each move when it starts; may be NULL. */
    void (*moved)(void *arg, double now_s, const struct place_move *move);
    void *arg;
};

/** Carry out one day. 0, -EINVAL (a trace is too short; `err` names it), -ENOMEM. */
int cloudsim_run(const struct cloudsim_setup *setup, struct cloudsim_result *ret, struct err *err);

/** "A", "B", "C". CLOUDSIM_MAX where it is none of these. */
enum cloudsim_mode cloudsim_mode_parse(const char *text);

#endif
