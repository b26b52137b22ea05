// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

/*
 * A data centre and what happens in it, as read from a YAML file (docs/simulation.md). Plain data.
 * Whatever the file leaves out has the default of its row in scenario.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "place/live.h"
#include "sim/trace.h"

#define SCENARIO_HOSTS_MAX 100000
#define SCENARIO_VMS_MAX 1000000

enum scenario_workload {
    WORKLOAD_CONSTANT,
    WORKLOAD_DAILY,   /**< a wave of 24 h with its top at `peak_at` */
    WORKLOAD_WEEKLY,  /**< daily, with `weekend` of it on days 6 and 7 */
    WORKLOAD_BURSTY,  /**< `mean`, and `peak` in bursts of random length */
    WORKLOAD_HEAVY,   /**< `mean`, and bursts of Pareto-distributed height */
    WORKLOAD_TRACE,   /**< from files */
    WORKLOAD_HISTORY, /**< from a store; WORKLOAD_TRACE once it is loaded */
    WORKLOAD_MAX,
};

/** Which of the VMs that wait for a host is next; all but the first hold back those behind. */
enum scenario_queue {
    QUEUEING_ANY, /**< whoever finds room, in order of number */
    QUEUEING_FCFS,
    QUEUEING_SJF, /**< by `lifetime`; for ever is longest */
    QUEUEING_PRIORITY,
    QUEUEING_AGEING, /**< priority grows by 1 with each `ageing` of waiting */
    QUEUEING_MAX,
};

/** A kind of host, `count` times: named NAME-0, NAME-1, … */
struct scenario_hosts {
    char *name;
    uint64_t count, cores;
    double mips; /**< of one core */
    uint64_t memory_bytes, swap_bytes;
    uint64_t network_bytes_per_s; /**< for migrations */
    double overcommit;            /**< memory of VMs over memory, at placement */
    struct place_power power;
    double mtbf_s, mttr_s; /**< of the host; 0: never fails */
    double libvirt_mtbf_s, libvirt_mttr_s;
};

struct scenario_storage {
    char *name;
    double mtbf_s, mttr_s; /**< gone */
    double slow_mtbf_s, slow_mttr_s;
    double slow_ratio; /**< of work that VMs on it still do while it is slow */
};

struct scenario_vms {
    char *name;
    char *storage; /**< name of a storage; NULL: none */
    uint64_t count, vcpus;
    double mips; /**< of one vCPU */
    uint64_t memory_bytes;
    double working_set; /**< share of memory in use */
    uint64_t dirty_bytes_per_s;
    enum scenario_workload workload;
    double mean, peak, noise; /**< ratios */
    double peak_at_s, weekend, burst_s, calm_s, alpha;
    char *traces; /**< folder of PlanetLab files, or one CSV file */
    uint64_t column;
    double scale, sample_s;
    char *store;       /**< directory of a store whose domains, by name, these VMs follow */
    uint64_t days;     /**< of it, up to its last sample */
    double arrive_s;   /**< the first one */
    double every_s;    /**< mean distance of the others; 0: all at once */
    double lifetime_s; /**< mean; 0: for ever */
    int64_t priority;  /**< where queue is priority or ageing; greater is more important */
    double crash_mtbf_s, hang_mtbf_s, mttr_s;
    int32_t host;         /**< number of the host it starts on; -1: the first that fits */
    struct trace_set set; /**< loaded */
    /** Ratios of the memory in use, at the same times as `set`; n = 0: `working_set` throughout. */
    struct trace_set memory;
};

enum scenario_fault {
    FAULT_VM_CRASH,
    FAULT_VM_HANG,
    FAULT_HOST_FAILURE,
    FAULT_STORAGE_GONE,
    FAULT_STORAGE_SLOW,
    FAULT_LIBVIRT_GONE,
    FAULT_MAINTENANCE, /**< no fault: the host is to be emptied */
    FAULT_MAX,
};

/** Something that happens at a known time. */
struct scenario_event {
    double at_s, for_s;
    enum scenario_fault fault;
    char *target; /**< a VM, host or storage by name */
    int line, column;
};

struct scenario {
    char *name;
    uint64_t seed;
    double duration_s, step_s;
    char *policy;
    enum scenario_queue queue;
    double ageing_s;
    double downtime_limit_s; /**< pre-copy stops when the rest takes no longer */
    double restart_s;        /**< until VMs of a failed host are started elsewhere */
    struct scenario_hosts *hosts;
    size_t hosts_n;
    struct scenario_storage *storage;
    size_t storage_n;
    struct scenario_vms *vms;
    size_t vms_n;
    struct scenario_event *events;
    size_t events_n;
};

const char *scenario_fault_name(enum scenario_fault fault);

/**
 * Read a scenario; `name` stands in messages, traces are found relative to `folder` (may be NULL:
 * a scenario that names traces is then refused). The caller frees *ret with scenario_free(). 0,
 * -ENOMEM, -EINVAL with file, line and column, or what loading a trace gave.
 */
int scenario_parse(const char *name, const char *text, size_t len, const char *folder,
                   struct scenario **ret, struct err *err);

/** Read a file; same results, and -errno of reading it. */
int scenario_load(const char *path, struct scenario **ret, struct err *err);

void scenario_free(struct scenario *s);

#endif
