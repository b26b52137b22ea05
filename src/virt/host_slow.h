// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_SLOW_H
#define VIRT_HOST_SLOW_H

/*
 * The costly sources of one process: proportional memory, swap, KVM's own statistics. Read on the
 * prober's thread, written into a batch on the sampler's; a struct slow is owned by one at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "host_parse.h"
#include "host_probe.h"
#include "model/batch.h"

/** A vCPU's statistics descriptor, taken over from the hypervisor process. */
struct kvm_descriptor {
    int32_t id; /**< KVM's number of the vCPU (on x86 its APIC id) */
    int fd;
    struct kvm_layout layout;
};

struct slow {
    struct probe probe; /**< first */
    const struct clock *clock;
    int root; /**< owned duplicates, so that a late reading finds them open */
    int dir;  /**< of the process in /proc */
    int32_t pid;
    bool real;      /**< descriptors can be taken over */
    int32_t *vcpus; /**< QEMU's numbers, ascending; owned; set by the sampler */
    size_t n_vcpus, cap_vcpus;

    struct kvm_descriptor *kvm; /**< by id; owned */
    size_t n_kvm, cap_kvm;
    bool is_kvm;  /**< found among the descriptors */
    int fd_error; /**< -errno of the first descriptor that could not be had, 0 = none */
    int searches; /**< of the process's descriptors, for so many vCPUs: */
    size_t searched_vcpus;

    double pss_bytes, swap_bytes;
    int64_t pss_ns, pss_cost_ns; /**< when it was measured, and how much CPU that took */
    int pss_error, swap_error;
    double (*stats)[KVM_STATS]; /**< n_stats of them, in the order of `vcpus`; owned */
    size_t n_stats, cap_stats;
    char kvm_reason[200]; /**< why there are no statistics; "" = there are */
};

/** `root` and `dir` are duplicated. NULL where descriptors run out. The caller owns the result. */
struct slow *slow_new(int root, int dir, int32_t pid, bool real, const struct clock *clock);
void slow_free(struct slow *s);

/** Facts of LANE_SLOW out of the last reading. */
void slow_emit(const struct slow *s, int64_t mono_ns, struct batch *b);

/** Read KVM's statistics into s->stats or say why not. Called by the reading itself. */
void kvm_read(struct slow *s);
void kvm_close(struct slow *s);

#endif
