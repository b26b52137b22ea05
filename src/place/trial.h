// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_TRIAL_H
#define PLACE_TRIAL_H

// The herd as it would be after the moves that a plan has so far. Order of VMs within a host is
// kept, since the published rules break ties by it.

#include "place/live.h"

struct trial_host {
    uint32_t *vm; // owned
    size_t n, cap;
    double wanted;    // sum of what its VMs want
    double capped;    // the same, each at most one core
    double allocated; // what they get
    double ram_mib;
    double mean, slope; // sums of the VMs' regressions, in units of host capacity
    double longest_s;   // copy_s of the VM that takes longest
    uint8_t sampled;    // samples up to the oldest that is not 0
};

struct trial_vm {
    uint32_t host;
    uint8_t sampled;
    double mean, slope; // of the last samples, times the VM's cpu
};

struct trial {
    const struct place_live *live; // borrowed
    struct trial_host *host;
    struct trial_vm *vm;
    size_t hosts_cap, vms_cap;
};

// Samples that the regression looks at.
#define TRIAL_REGRESSION 10

// Start from what is; memory of an earlier round is used again. 0 or -ENOMEM.
int trial_begin(struct trial *t, const struct place_live *live);
void trial_done(struct trial *t);

void trial_remove(struct trial *t, uint32_t vm);
void trial_add(struct trial *t, uint32_t vm, uint32_t host);

// What a host's VMs get if one more (NULL: none) is on it.
struct trial_host trial_with(const struct trial *t, uint32_t host, uint32_t vm);

// Sum of the samples of a host's VMs, and of one more unless UINT32_MAX, as ratios of its capacity,
// newest first; returns how many there are up to the oldest that is not 0.
size_t trial_history(const struct trial *t, uint32_t host, uint32_t more,
                     double ret[PLACE_HISTORY]);

#endif
