// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_PARSE_H
#define VIRT_HOST_PARSE_H

/*
 * Readers of the kernel's texts: no I/O, no allocation. Every text comes with its length and has
 * a NUL behind its last byte. All return 0, or -EINVAL where the text is not what it should be;
 * results are untouched on failure unless said otherwise.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

/** /proc/PID/stat or /proc/PID/task/TID/stat. */
struct proc_stat {
    char comm[65]; /**< cut where it is longer */
    char state;
    int32_t ppid;
    bool kernel_thread;
    uint64_t major_faults;
    uint64_t cpu_ticks; /**< user and system */
    uint64_t threads;
    int64_t start_ticks; /**< field 22: since boot */
    uint64_t rss_pages;
    int32_t cpu; /**< on which it last ran; -1 = not told */
};

int parse_stat(const char *text, size_t len, struct proc_stat *ret);

/** /proc/…/schedstat. */
struct sched_times {
    uint64_t run_ns;
    uint64_t wait_ns;
    uint64_t slices;
};

int parse_schedstat(const char *text, size_t len, struct sched_times *ret);

/** What a thread is for, by its name. */
enum thread_role {
    THREAD_EMULATOR, /**< all others */
    THREAD_VCPU,
    THREAD_IOTHREAD,
    THREAD_VHOST,
    THREAD_MAX,
};

/**
 * "CPU 3/KVM", "IO iothread1", "vhost-1234"; *ret_number is the vCPU's number or the process in a
 * vhost thread's name, else -1.
 */
enum thread_role parse_thread_name(const char *comm, int32_t *ret_number);

/** The same from the last part of a thread's cgroup: "vcpu3", "iothread1", "emulator". */
enum thread_role parse_thread_cgroup(const char *path, int32_t *ret_number);

/** A number to look for in lines of "key value" or "key: value kB". */
struct keyed {
    const char *key;
    double scale; /**< of the value; 0 counts as 1 */
};

/**
 * Look for the keys in lines that begin with one, ended by a blank or a colon. values[i] becomes
 * NaN where key i is missing. A key that stands twice counts once.
 */
void parse_keyed(const char *text, size_t len, const struct keyed *keys, size_t n, double *values);

/** Pressure: *ret_some and *ret_full in nanoseconds, NaN where the line is missing. */
void parse_pressure(const char *text, size_t len, double *ret_some, double *ret_full);

#define GUEST_NAME_MAX 1024

/** What a hypervisor's command line tells of its guest. */
struct guest_args {
    bool has_uuid;
    struct uuid uuid;
    char name[GUEST_NAME_MAX]; /**< "" = none; cut where it is longer */
};

/**
 * /proc/PID/cmdline: arguments that end in NUL. `-uuid UUID` and `-name guest=NAME,…` or `-name
 * NAME,…`, where a comma inside NAME is doubled.
 */
void parse_cmdline(const char *data, size_t len, struct guest_args *ret);

#define CGROUP_PATH_MAX 4096

enum cgroup_slot {
    CGROUP_V2,
    CGROUP_CPU,    /**< v1 */
    CGROUP_MEMORY, /**< v1 */
    CGROUP_SLOTS,
};

/** One line of /proc/PID/cgroup, as pieces of the text. */
struct cgroup_line {
    const char *path; /**< begins with '/'; NULL = no such line */
    size_t path_len;
    const char *controllers; /**< "cpu,cpuacct"; the usual name of the mount point */
    size_t controllers_len;
};

/** /proc/PID/cgroup; never fails: slots that are missing have path NULL. */
void parse_cgroup(const char *text, size_t len, struct cgroup_line ret[CGROUP_SLOTS]);

/**
 * How much of a process's cgroup path is its VM's own group: cuts "/emulator", "/vcpuN" or
 * "/iothreadN" off, or recognises libvirt's names. 0 where the group is not the VM's alone;
 * *ret_split tells whether libvirt made sub-groups for vCPUs and emulator.
 */
size_t cgroup_vm_path(const char *path, size_t len, bool *ret_split);

/** sys/block/NAME/stat, or what stands behind the name in a line of /proc/diskstats. */
struct disk_stat {
    uint64_t reads, read_sectors, read_ms;
    uint64_t writes, write_sectors, write_ms;
    uint64_t in_flight, io_ms, weighted_ms;
};

int parse_disk_stat(const char *text, size_t len, struct disk_stat *ret);

/** Columns of a "cpu" line of /proc/stat, in the kernel's order. */
enum cpu_column {
    CPU_USER,
    CPU_NICE,
    CPU_SYSTEM,
    CPU_IDLE,
    CPU_IOWAIT,
    CPU_IRQ,
    CPU_SOFTIRQ,
    CPU_STEAL,
    CPU_GUEST,
    CPU_GUEST_NICE,
    CPU_COLUMNS,
};

/** "cpuN …": number and columns in clock ticks. Columns an old kernel lacks count as 0. */
int parse_cpu_line(const char *line, size_t len, uint32_t *ret_id, uint64_t ret[CPU_COLUMNS]);

/** Kinds of kernel messages that are counted. */
enum kmsg_kind {
    KMSG_MCE,
    KMSG_SOFT_LOCKUP,
    KMSG_HARD_LOCKUP,
    KMSG_HUNG_TASK,
    KMSG_OOM_KILL,
    KMSG_IO_ERROR,
    KMSG_KVM,
    KMSG_MAX,
    KMSG_OTHER = -1,
};

/** One record of /dev/kmsg. Messages that user space wrote there are KMSG_OTHER. */
enum kmsg_kind parse_kmsg(const char *record, size_t len);

/** Which KVM statistics of a vCPU are wanted, and where they stand. */
enum kvm_stat {
    KVM_EXITS,
    KVM_HALT_EXITS,
    KVM_IO_EXITS,
    KVM_MMIO_EXITS,
    KVM_IRQ_INJECTIONS,
    KVM_HALT_WAIT,
    KVM_POLL_SUCCESS,
    KVM_POLL_FAIL,
    KVM_STATS,
};

/** The kernel's name of a statistic ("halt_wait_ns"), which is also its name in debugfs. */
const char *kvm_stat_name(enum kvm_stat stat);

#define KVM_LAYOUT_MAX 65536

struct kvm_layout {
    uint64_t offset[KVM_STATS]; /**< in the file; 0 = the kernel does not tell it */
    uint64_t begin, end;        /**< the part of the file that holds all of them */
};

/**
 * The first bytes of a file from KVM_GET_STATS_FD (struct kvm_stats_header, names, descriptors).
 * -EAGAIN: the descriptors reach beyond `len`; *ret_need then says how many bytes to bring.
 * -EINVAL: not such a file.
 */
int parse_kvm_layout(const void *data, size_t len, struct kvm_layout *ret, size_t *ret_need);

#endif
