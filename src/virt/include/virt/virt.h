// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_VIRT_H
#define VIRT_VIRT_H

/*
 * A hypervisor's management interface as a table of calls. Every call blocks and may never return
 * when the hypervisor is sick: call from worker threads only, never from a loop. All calls of one
 * connection may run at the same time on several threads. Identities are UUIDs, never pointers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/uuid.h"
#include "model/batch.h"

/** A domain in the inventory. */
struct virt_domain {
    struct uuid uuid;
    char *name; /**< owned */
    int id;     /**< -1 while it does not run */
    int state;  /**< virDomainState */
    int reason; /**< the state's reason code */
    bool persistent;
    bool autostart;
    bool is_listed;     /**< it comes from list(), which also says: */
    bool has_snapshots; /**< libvirt knows of at least one */
};

enum virt_event_type {
    VIRT_EVENT_DEFINED,   /**< defined or changed; also after a rename */
    VIRT_EVENT_UNDEFINED, /**< no longer persistent */
    VIRT_EVENT_STATE,     /**< started, suspended, resumed, stopped, shutdown, crashed, … */
    VIRT_EVENT_CONFIG,    /**< devices, tunables, metadata: the XML must be read again */
    VIRT_EVENT_BALLOON,   /**< the balloon's size changed; `value` = bytes */
    VIRT_EVENT_AGENT,     /**< the agent's channel opened (`value` = 1) or closed (0) */
    VIRT_EVENT_REBOOT,
    VIRT_EVENT_WATCHDOG,
    VIRT_EVENT_IO_ERROR, /**< `detail` names the reason, `device` the disk */
    VIRT_EVENT_JOB,      /**< a job ended */
    VIRT_EVENT_MAX,
};

struct virt_event {
    enum virt_event_type type;
    struct uuid uuid;
    const char *name;  /**< the domain's name at that time; valid during the callback */
    const char *event; /**< snake_case, for vherd_event_total: "started", "crashed", "io_error" */
    const char
        *detail; /**< libvirt's word for the detail: "booted", "panicked", "enospc"; or NULL */
    const char *device; /**< or NULL */
    double value;       /**< NaN where it has none */
};

/** Who hears of events; called on a thread of the back end, must not block or call virt_ops. */
struct virt_listener {
    void (*event)(const struct virt_event *event, void *arg);
    /** The connection is gone for good (reason in words); close it and open another. */
    void (*lost)(const char *reason, void *arg);
    void *arg;
};

struct virt_params {
    const char *uri; /**< "qemu:///system", "memory:///?vms=5" */
    bool read_write; /**< only act asks for it */
    bool events;     /**< register for events (with a listener) */
    int keepalive_s; /**< seconds between keepalive probes; lost after one unanswered; 0 = none */
    struct virt_listener listener;
    const struct clock *clock;
};

struct virt; /**< an open connection */

/** Parts of a domain's statistics; each costs round trips to the hypervisor process of its own. */
enum virt_part {
    VIRT_PART_DISKS = 1,  /**< disks; perf events */
    VIRT_PART_MEMORY = 2, /**< balloon, guest memory */
    VIRT_PART_JOB = 4,    /**< the job, a call of its own */
    VIRT_PARTS_ALL = 7,
};

/** One of several domains asked in one call. */
struct virt_asked {
    struct uuid uuid;
    unsigned parts;    /**< bits of enum virt_part */
    struct batch *out; /**< borrowed */
    int result;        /**< as of stats() */
    struct err err;
};

struct virt_ops {
    const char *name;

    /**
     * Connect. -ENOENT: not installed (no driver or socket), -ECONNREFUSED: not running, -EACCES:
     * permission denied, other -errno: libvirt's message is in `err`. The caller owns *ret.
     */
    int (*open)(const struct virt_params *params, struct virt **ret, struct err *err);

    /** Disconnect and free; waits for no pending call. Accepts NULL. */
    void (*close)(struct virt *v);

    /** False once the connection is known to be dead; never blocks. */
    bool (*alive)(struct virt *v);

    /** All domains, active or not. The caller frees with virt_domains_free(). */
    int (*list)(struct virt *v, struct virt_domain **ret, size_t *ret_n, struct err *err);

    /** One domain; -ENOENT where there is none (any more). Free with virt_domain_done(). */
    int (*lookup)(struct virt *v, const struct uuid *uuid, struct virt_domain *ret,
                  struct err *err);

    /** The live XML (inactive XML for a domain that does not run); the caller owns *ret_xml. */
    int (*xml)(struct virt *v, const struct uuid *uuid, char **ret_xml, struct err *err);

    /**
     * What is kept of one domain, without its hypervisor process being asked: facts of LANE_STORED,
     * see virt/stored.h. `known` is the number of its snapshots at the last call: while that is
     * right, only this number is read again; -1: everything. Of one that is not `persistent` no
     * stored definition is asked for. Rows that are not given again are as
     * they were. NULL: the back end keeps nothing of the kind.
     */
    int (*stored)(struct virt *v, const struct uuid *uuid, int known, bool persistent,
                  struct batch *out, struct err *err);

    /**
     * Statistics of one running domain that reach the hypervisor process: the wanted parts, and
     * the state where that costs nothing more. Facts of LANE_LIBVIRT, LANE_MEMORY, LANE_STATE,
     * LANE_JOB, LANE_CONFIG (MEM_CURRENT) into `out`; disks are keyed by target.
     * -ETIMEDOUT or -EBUSY: somebody else's call on this domain is stuck.
     */
    int (*stats)(struct virt *v, const struct uuid *uuid, unsigned parts, struct batch *out,
                 struct err *err);

    /**
     * The same for several domains with fewer round trips to the daemon; one that hangs holds up
     * the others. NULL: ask one after the other.
     */
    void (*stats_many)(struct virt *v, struct virt_asked *asked, size_t n);

    /** Names of storage pools; the caller frees with virt_names_free(). Does not refresh them. */
    int (*pools)(struct virt *v, char ***ret_names, size_t *ret_n, struct err *err);

    /** One pool's facts (POOL, keyed by name) without refreshing it. */
    int (*pool)(struct virt *v, const char *name, struct batch *out, struct err *err);

    /** All networks' facts (NETWORK, keyed by name). */
    int (*networks)(struct virt *v, struct batch *out, struct err *err);

    /** Versions as attributes of the host. */
    int (*versions)(struct virt *v, struct batch *out, struct err *err);

    /** Agent: time offset and an answer at all (AGENT_UP, TIME_OFFSET). Needs read_write. */
    int (*agent_ping)(struct virt *v, const struct uuid *uuid, int timeout_s, struct batch *out,
                      struct err *err);

    /** Agent: file systems, OS, host name, users, time zone. Needs read_write. */
    int (*agent_info)(struct virt *v, const struct uuid *uuid, int timeout_s, struct batch *out,
                      struct err *err);

    /** Measure the dirty page rate over `seconds` (1 to 60), and wait for it. Needs read_write. */
    int (*dirty_rate)(struct virt *v, const struct uuid *uuid, int seconds, struct batch *out,
                      struct err *err);
};

/** libvirt through its C library. */
extern const struct virt_ops virt_libvirt;

/** VMs that exist in memory only, for tests and benchmarks; see virt/memory.h. */
extern const struct virt_ops virt_memory;

/** The back end for a URI: "memory:" or libvirt. */
const struct virt_ops *virt_ops_for_uri(const char *uri);

void virt_domain_done(struct virt_domain *d);
void virt_domains_free(struct virt_domain *domains, size_t n);
void virt_names_free(char **names, size_t n);

/** libvirt's words ("running", "shut off", "crashed"; "booted", "panicked"); "unknown" outside. */
const char *virt_state_name(int state);
const char *virt_reason_name(int state, int reason);

/** 1 = VIR_DOMAIN_RUNNING and so on: states in which the hypervisor process exists. */
bool virt_state_is_active(int state);

/**
 * Read a domain's XML (no network, no entities, depth-limited, at most 4 MiB) into attributes and
 * facts of LANE_CONFIG of the VM, its disks (keyed by target) and NICs (keyed by target device or,
 * where it has none yet, by MAC address), agent state. Returns 0 or -EINVAL with the XML's line.
 * NICs whose counters stand the host's way round (taps) get `virt_nic_swapped()` true.
 */
int virt_xml_read(const char *xml, size_t len, struct batch *out, struct err *err);

/** True where the host's receive counters of a NIC of this XML type are the guest's transmit. */
bool virt_nic_swapped(const char *xml_type);

#endif
