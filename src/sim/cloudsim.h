// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SIM_CLOUDSIM_PRIVATE_H
#define SIM_CLOUDSIM_PRIVATE_H

#include "sim/cloudsim.h"

// What was so since `time` (-1: nothing yet).
struct vm_state {
    double time, given, wanted;
    bool moving;
};

struct host_state {
    double time, given, wanted;
    double before; // given by the state before this one
};

struct departure {
    uint32_t host;
    double time;
};

struct vm {
    double mips, ram_mib;
    const struct trace *trace; // borrowed
    uint32_t host;             // where it runs; a migration's source
    bool gone, moving;
    double time, wanted; // of the last update
    uint8_t sampled;
    double history[PLACE_HISTORY]; // newest first
    struct vm_state state;
    struct departure left[16]; // the last ones
    size_t left_n;
};

struct guest {
    uint32_t vm;
    bool incoming;
};

struct host {
    double core;
    const struct place_power *power;
    struct guest *guest; // owned, in CloudSim's order
    size_t n, cap;
    double booked, ram_mib; // at boot
    double used;            // given at the last update
    struct host_state state;
};

struct migration {
    double end;
    uint32_t vm, to;
};

struct experiment {
    const struct cloudsim_setup *setup;
    struct cloudsim_result *result;
    double now, updated;
    size_t n_hosts, n_vms;
    struct host *host;
    struct vm *vm;
    struct migration *migration; // under way, in order of start
    size_t migration_n, migration_cap;
    struct {
        double energy_j, wanted, given, lost_moving, active, violated;
    } sum;
    struct place_planner *planner;
    struct place_plan plan;
    struct place_live_host *live_host;
    struct place_live_vm *live_vm;
    uint32_t *first, *listed;
    double *plan_s;
    size_t steps;
};

void experiment_done(struct experiment *x);

#endif
