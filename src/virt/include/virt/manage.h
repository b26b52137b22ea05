// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_MANAGE_H
#define VIRT_MANAGE_H

/*
 * What changes VMs, as a table of calls beside virt_ops. Typed values only: XML and paths stay
 * behind this line, and storage is named by pool and volume. The same rules as in virt/virt.h:
 * every call blocks and may never return; the connection must be read-write. Where a call fails it
 * left things as they were unless it says otherwise.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"
#include "virt/virt.h"

#define VIRT_SPEC_DISKS_MAX 24
#define VIRT_SPEC_NICS_MAX 8
#define VIRT_LABELS_MAX 32
#define VIRT_PINS_MAX 4096
#define VIRT_DIMMS_MAX 16

/** A volume of a storage pool; all NULL = none. */
struct virt_volume {
    char *pool;   /**< owned; NULL: the image is in no pool that libvirt knows */
    char *volume; /**< owned */
    char *path;   /**< owned; the back end's business: as libvirt names the image */
    bool block;   /**< of `path`: a block device */
};

void virt_volume_done(struct virt_volume *v);

struct virt_disk {
    struct virt_volume source;
    char *target; /**< "vda"; chosen where NULL */
    char *format; /**< "qcow2", "raw" */
    bool cdrom;
    bool read_only;
};

struct virt_nic {
    char *network; /**< a libvirt network, or: */
    char *bridge;  /**< a bridge of the host */
    char *mac;     /**< chosen by libvirt where NULL */
    char *target;  /**< read only: the interface on the host while the VM runs */
};

struct virt_label {
    char *name, *value;
};

enum virt_numa_mode {
    VIRT_NUMA_STRICT,
    VIRT_NUMA_PREFERRED,
    VIRT_NUMA_INTERLEAVE,
    VIRT_NUMA_RESTRICTIVE,
    VIRT_NUMA_MODE_MAX,
};

/** "strict", … as libvirt says them. */
extern const char *const virt_numa_modes[VIRT_NUMA_MODE_MAX];

/** Where memory comes from. */
struct virt_numa {
    char *nodes; /**< owned: "0-1,3"; NULL = anywhere */
    enum virt_numa_mode mode;
};

/** A NUMA node of the host. */
struct virt_cell {
    unsigned id;
    char *cpus; /**< owned: "0-3,8-11" */
};

void virt_cells_free(struct virt_cell *cells, size_t n);

/** A vCPU that is pinned. */
struct virt_pin {
    unsigned vcpu;
    char *cpus; /**< owned */
};

/** A VM as a person describes it; of an existing VM, what of its definition this vocabulary has. */
struct virt_spec {
    struct uuid uuid; /**< to be defined with; what virt_spec_read() found */
    char *name;
    uint64_t memory_bytes;          /**< what it starts with */
    uint64_t max_memory_bytes;      /**< ceiling of the balloon, without DIMMs; 0 = memory_bytes */
    uint64_t plug_bytes;            /**< that may be plugged besides, as DIMMs; 0 = none */
    uint64_t dimms[VIRT_DIMMS_MAX]; /**< read only: bytes of each that is plugged */
    size_t n_dimms;
    unsigned vcpus;     /**< what it starts with */
    unsigned max_vcpus; /**< 0 = vcpus */
    bool uefi;
    bool autostart;
    struct virt_volume kernel, initrd; /**< direct boot; none = from the first disk */
    char *cmdline;
    struct virt_disk disks[VIRT_SPEC_DISKS_MAX];
    size_t n_disks;
    struct virt_nic nics[VIRT_SPEC_NICS_MAX];
    size_t n_nics;
    struct virt_numa numa;
    struct virt_pin *pins; /**< owned */
    size_t n_pins;
    char *owner;
    struct virt_label labels[VIRT_LABELS_MAX];
    size_t n_labels;
};

void virt_spec_done(struct virt_spec *s);

/** How a VM's power changes. */
enum virt_power {
    VIRT_POWER_START,
    VIRT_POWER_SHUTDOWN, /**< asks the guest (ACPI, agent) and returns */
    VIRT_POWER_REBOOT,   /**< asks the guest */
    VIRT_POWER_RESET,
    VIRT_POWER_DESTROY,
    VIRT_POWER_PAUSE,
    VIRT_POWER_RESUME,
    VIRT_POWER_SAVE, /**< managed save: memory to disk, then off; waits until it is written */
    VIRT_POWER_START_PAUSED, /**< a process whose vCPUs do not run, for work on its images */
    VIRT_POWER_MAX,
};

/** What goes with a definition that is removed. */
enum virt_undefine {
    VIRT_UNDEFINE_SAVED = 1,       /**< the saved memory */
    VIRT_UNDEFINE_SNAPSHOTS = 2,   /**< libvirt's knowledge of snapshots, not their data */
    VIRT_UNDEFINE_NVRAM = 4,       /**< UEFI variables; kept where absent */
    VIRT_UNDEFINE_CHECKPOINTS = 8, /**< libvirt's knowledge of checkpoints */
};

/** Where a change applies; at least one. */
enum virt_scope {
    VIRT_LIVE = 1,   /**< the running VM */
    VIRT_CONFIG = 2, /**< its definition, for the next start */
};

struct virt_volume_info {
    uint64_t capacity_bytes, allocation_bytes;
    char *format;  /**< owned; NULL where libvirt does not know */
    char *backing; /**< owned; the image below it, NULL = none */
};

void virt_volume_info_done(struct virt_volume_info *i);

/** A volume to be made. */
struct virt_volume_spec {
    const char *pool, *volume;
    const char *format;      /**< "qcow2" or "raw" */
    uint64_t capacity_bytes; /**< of a copy or overlay: at least that of its origin, 0 = the same */
    const char *backing_pool, *backing_volume; /**< an overlay over that volume, or NULL */
    const char *backing_format;
};

/** Throttles of a disk; 0 = no limit. Negative = as it is. */
struct virt_disk_limits {
    int64_t read_bytes, write_bytes, read_iops, write_iops; /**< a second */
};

/** Throttles of a NIC, 0 = no limit, negative = as it is; in kibibytes a second. */
struct virt_nic_limits {
    int64_t in_kib, out_kib;
};

/** CPU scheduling; negative = as it is. */
struct virt_cpu_limits {
    int64_t shares;
    int64_t period_us, quota_us; /**< per vCPU; quota 0 = no limit */
};

/** vCPUs and memory as asked for and as they are. */
struct virt_size {
    unsigned vcpus, max_vcpus;               /**< of the running VM, else of its definition */
    int guest_vcpus;                         /**< online in the guest by its agent; -1 unknown */
    uint64_t memory_bytes, max_memory_bytes; /**< asked of the balloon; its ceiling */
    uint64_t balloon_bytes;                  /**< what the guest has let happen; 0 unknown */
    unsigned plugged_vcpus;                  /**< of the running VM: plugged since its start */
    unsigned config_vcpus;                   /**< at the next start */
    uint64_t config_memory_bytes;
    uint64_t plug_bytes;         /**< that may be plugged as DIMMs, those that are included */
    uint64_t plugged_bytes;      /**< DIMMs of the running VM, else of its definition */
    uint64_t guest_memory_bytes; /**< that the guest says it has; 0 unknown */
};

/** DIMMs come in whole ones of these: the guest's blocks. */
#define VIRT_DIMM_BYTES (UINT64_C(128) << 20)

enum virt_snapshot_kind {
    VIRT_SNAPSHOT_INTERNAL, /**< inside the qcow2 images; with memory where the VM runs */
    VIRT_SNAPSHOT_EXTERNAL, /**< overlays; disks only */
    VIRT_SNAPSHOT_FULL,     /**< overlays, and the memory of a running VM in a file */
};

/** One disk of an external snapshot. */
struct virt_snapshot_disk {
    char *target;             /**< owned */
    char *format;             /**< owned; of `image` */
    struct virt_volume image; /**< as it was when the snapshot was taken: nobody may write to it */
    struct virt_volume overlay; /**< what was put over it then; may be gone by now */
};

struct virt_snapshot {
    char *name, *parent; /**< owned; parent NULL = a root */
    bool current;
    bool external;
    bool memory;        /**< it holds memory */
    bool running;       /**< the VM ran, or was paused, when it was taken */
    bool plugged_vcpus; /**< its VM had vCPUs that were plugged while it ran */
    bool merging;       /**< merging its images has begun: nobody may go back to it any more */
    int64_t created_s;
    size_t children;
    struct virt_snapshot_disk disks[VIRT_SPEC_DISKS_MAX]; /**< of an external one */
    size_t n_disks;
    struct virt_volume memory_image; /**< of an external one with memory */
};

/** What a snapshot is to be. All texts borrowed. */
struct virt_snapshot_spec {
    const char *name;
    enum virt_snapshot_kind kind;
    bool quiesce;                  /**< have the guest agent freeze file systems meanwhile */
    const struct virt_disk *disks; /**< of an external one: by target, where each overlay goes */
    size_t n_disks;
    struct virt_volume memory_image; /**< where memory goes */
};

/** What is to be known of a snapshot from now on; lists may be empty. All borrowed. */
struct virt_redirect {
    const struct virt_disk *images; /**< by target: where its images are */
    size_t n_images;
    const struct virt_disk *overlays; /**< by target: what stands over them */
    size_t n_overlays;
    bool current; /**< it becomes the current one; else it is what it was */
    bool merging; /**< see struct virt_snapshot; stays once set */
};

/** Images of a disk, the one that the guest writes to first. */
#define VIRT_CHAIN_MAX 200
struct virt_chain {
    char *paths[VIRT_CHAIN_MAX]; /**< owned */
    size_t n;
    bool job;             /**< a block job runs on the disk */
    bool ready;           /**< it has copied everything and waits for merge_end() */
    uint64_t done, total; /**< of the job */
};

void virt_chain_done(struct virt_chain *c);

void virt_snapshot_done(struct virt_snapshot *s);
void virt_snapshots_free(struct virt_snapshot *snapshots, size_t n);

struct virt_job {
    bool active;
    uint64_t done, total; /**< bytes; total 0 = unknown */
};

struct virt_manage {
    /** The definition with which the VM starts next; free with virt_spec_done(). */
    int (*spec)(struct virt *v, const struct uuid *uuid, struct virt_spec *ret, struct err *err);

    /** A new definition under spec->uuid; -EEXIST where the name is taken. */
    int (*define)(struct virt *v, const struct virt_spec *spec, struct err *err);

    /**
     * A new definition like that of a VM, with everything in it that identifies that VM (name,
     * UUID, addresses, UEFI variables) made anew, and the images of `disks` (by target) in place
     * of its own.
     */
    int (*define_copy)(struct virt *v, const struct uuid *uuid, const char *name,
                       const struct uuid *fresh, const struct virt_disk *disks, size_t n,
                       struct err *err);

    /** Remove the definition of a VM that does not run. `with`: enum virt_undefine. */
    int (*undefine)(struct virt *v, const struct uuid *uuid, unsigned with, struct err *err);

    /** -ESRCH: not in that state, as the message says. */
    int (*power)(struct virt *v, const struct uuid *uuid, enum virt_power power, struct err *err);

    /** Whether memory is saved, to be used by the next start; 0, 1 or -errno. */
    int (*has_save)(struct virt *v, const struct uuid *uuid, struct err *err);

    int (*set_autostart)(struct virt *v, const struct uuid *uuid, bool on, struct err *err);
    int (*rename)(struct virt *v, const struct uuid *uuid, const char *name, struct err *err);

    /** Owner and labels, in place of those there were. */
    int (*set_labels)(struct virt *v, const struct uuid *uuid, const struct virt_spec *from,
                      struct err *err);

    int (*size)(struct virt *v, const struct uuid *uuid, struct virt_size *ret, struct err *err);
    /** scope: enum virt_scope; max: the ceiling instead, VIRT_CONFIG only. */
    int (*set_vcpus)(struct virt *v, const struct uuid *uuid, unsigned n, unsigned scope, bool max,
                     struct err *err);
    int (*set_memory)(struct virt *v, const struct uuid *uuid, uint64_t bytes, unsigned scope,
                      bool max, struct err *err);
    /** Plug a DIMM; -EINVAL where the definition has no room for it. */
    int (*plug_memory)(struct virt *v, const struct uuid *uuid, uint64_t bytes, unsigned scope,
                       struct err *err);
    /** Unplug a DIMM of this size; -ENOENT where there is none, -ETIMEDOUT where the guest keeps
     * it. */
    int (*unplug_memory)(struct virt *v, const struct uuid *uuid, uint64_t bytes, unsigned scope,
                         struct err *err);
    int (*cpu_limits)(struct virt *v, const struct uuid *uuid, const struct virt_cpu_limits *limits,
                      unsigned scope, struct err *err);
    /** Pin one vCPU to host CPUs, "0-3,^2". */
    int (*pin)(struct virt *v, const struct uuid *uuid, unsigned vcpu, const char *cpus,
               unsigned scope, struct err *err);

    /** The host's NUMA nodes, by id; free with virt_cells_free(). */
    int (*cells)(struct virt *v, struct virt_cell **ret, size_t *ret_n, struct err *err);
    /** Where the VM's memory comes from. */
    int (*set_numa)(struct virt *v, const struct uuid *uuid, const struct virt_numa *numa,
                    unsigned scope, struct err *err);

    int (*attach_disk)(struct virt *v, const struct uuid *uuid, const struct virt_disk *disk,
                       unsigned scope, struct err *err);
    /** Waits until a guest that runs has let it go; -ETIMEDOUT where it has not. */
    int (*detach_disk)(struct virt *v, const struct uuid *uuid, const char *target, unsigned scope,
                       struct err *err);
    int (*attach_nic)(struct virt *v, const struct uuid *uuid, const struct virt_nic *nic,
                      unsigned scope, struct err *err);
    int (*detach_nic)(struct virt *v, const struct uuid *uuid, const char *mac, unsigned scope,
                      struct err *err);
    int (*disk_limits)(struct virt *v, const struct uuid *uuid, const char *target,
                       const struct virt_disk_limits *limits, unsigned scope, struct err *err);
    int (*nic_limits)(struct virt *v, const struct uuid *uuid, const char *mac,
                      const struct virt_nic_limits *limits, unsigned scope, struct err *err);
    /** Grow a disk of a running VM; shrinking is refused with -EINVAL. */
    int (*grow_disk)(struct virt *v, const struct uuid *uuid, const char *target, uint64_t bytes,
                     struct err *err);

    /** -ENOENT: no such pool or volume. Free with virt_volume_info_done(). */
    int (*volume)(struct virt *v, const char *pool, const char *volume,
                  struct virt_volume_info *ret, struct err *err);
    /** An empty volume or an overlay; -EEXIST where the name is taken. */
    int (*create_volume)(struct virt *v, const struct virt_volume_spec *spec, struct err *err);
    /** A full copy, which takes long; a copy that failed is not there. */
    int (*copy_volume)(struct virt *v, const struct virt_volume_spec *spec, const char *from_pool,
                       const char *from_volume, struct err *err);
    /** Write a file's bytes into an existing raw volume. */
    int (*fill_volume)(struct virt *v, const char *pool, const char *volume, const void *data,
                       size_t len, struct err *err);
    int (*grow_volume)(struct virt *v, const char *pool, const char *volume, uint64_t bytes,
                       struct err *err);
    int (*delete_volume)(struct virt *v, const char *pool, const char *volume, struct err *err);

    /** Free with virt_snapshots_free(); in no order. */
    int (*snapshots)(struct virt *v, const struct uuid *uuid, struct virt_snapshot **ret,
                     size_t *ret_n, struct err *err);
    int (*create_snapshot)(struct virt *v, const struct uuid *uuid,
                           const struct virt_snapshot_spec *spec, struct err *err);
    /** Internal ones only; the caller has seen to it that it can succeed. */
    int (*revert)(struct virt *v, const struct uuid *uuid, const char *name, struct err *err);
    /** Remove an internal snapshot, or of an external one libvirt's knowledge only; its children
     * become those of its parent, which becomes current where it was. */
    int (*delete_snapshot)(struct virt *v, const struct uuid *uuid, const char *name,
                           bool knowledge, struct err *err);
    /** Change what is known of an external snapshot. */
    int (*redirect_snapshot)(struct virt *v, const struct uuid *uuid, const char *name,
                             const struct virt_redirect *to, struct err *err);
    /** The definition for the next start, with secrets, as a text for redefine(). Caller frees. */
    int (*definition)(struct virt *v, const struct uuid *uuid, char **ret, struct err *err);
    /** Put a text of definition() back. */
    int (*redefine)(struct virt *v, const char *text, struct err *err);
    /** Define the VM as it was when a snapshot was taken, with these images (by target) for its
     * disks; a VM that runs goes on as it is. */
    int (*redefine_as)(struct virt *v, const struct uuid *uuid, const char *snapshot,
                       const struct virt_disk *disks, size_t n, struct err *err);
    /** Start a VM that is off from an external snapshot's memory, with these images. */
    int (*restore_memory)(struct virt *v, const struct uuid *uuid, const char *snapshot,
                          const struct virt_disk *disks, size_t n, struct err *err);
    /** Forget saved memory; 0 where none is saved. */
    int (*drop_save)(struct virt *v, const struct uuid *uuid, struct err *err);

    /** The images of a disk; while the VM runs only. Free with virt_chain_done(). */
    int (*chain)(struct virt *v, const struct uuid *uuid, const char *target,
                 struct virt_chain *ret, struct err *err);
    /**
     * Begin to merge images of a running VM's disk. Commit: what is in `top` goes down into `base`,
     * which takes its place; where `top` is the image that the guest writes to, merge_end() comes
     * once it is ready. Pull (`pull`): what lies between the first image and `base` (NULL: all)
     * goes up into the first.
     */
    int (*merge)(struct virt *v, const struct uuid *uuid, const char *target, const char *base,
                 const char *top, bool pull, struct err *err);
    /** End a merge: go over to the base (`pivot`; it must be ready), or give it up. */
    int (*merge_end)(struct virt *v, const struct uuid *uuid, const char *target, bool pivot,
                     struct err *err);
    /** Does the guest's agent answer? 0 or -errno with why not. Waits a few seconds. */
    int (*agent)(struct virt *v, const struct uuid *uuid, struct err *err);
    /** Thaw what a freeze has left frozen; 0 also where nothing was. */
    int (*thaw)(struct virt *v, const struct uuid *uuid, struct err *err);
    /** The first bytes of a volume, as many as there are, up to `size`. */
    int (*volume_head)(struct virt *v, const char *pool, const char *volume, void *ret, size_t size,
                       size_t *ret_len, struct err *err);
    /** Look into a pool again: who merges images changes what stands on what. A pool in which
     * volumes are being made keeps what it knows. */
    int (*refresh)(struct virt *v, const char *pool, struct err *err);
    /** Fill pool and volume of one that has a path; both stay NULL where no pool has it. */
    int (*name_volume)(struct virt *v, struct virt_volume *volume, struct err *err);
    /** Fill the path of one that has pool and name, also of one that is not there yet. */
    int (*place_volume)(struct virt *v, struct virt_volume *volume, struct err *err);
    /** How many checkpoints (dirty bitmaps) libvirt has for the VM; -errno. */
    int (*checkpoints)(struct virt *v, const struct uuid *uuid, struct err *err);

    /**
     * Attach to the first serial line of a running VM. *ret_fd is a non-blocking stream socket that
     * carries its bytes both ways; it ends where the VM does, or where somebody else takes the line
     * over; closing it detaches. -EBUSY: somebody is attached, and `force` is not set.
     */
    int (*console)(struct virt *v, const struct uuid *uuid, bool force, int *ret_fd,
                   struct err *err);

    /** The job that runs on a VM, for progress. */
    int (*job)(struct virt *v, const struct uuid *uuid, struct virt_job *ret, struct err *err);
    int (*abort_job)(struct virt *v, const struct uuid *uuid, struct err *err);
};

extern const struct virt_manage virt_libvirt_manage;
extern const struct virt_manage virt_memory_manage;

/** The table that belongs to a back end. */
const struct virt_manage *virt_manage_of(const struct virt_ops *ops);

/** A domain's definition as a spec (no network, no entities, depth-limited, at most 4 MiB). */
int virt_spec_read(const char *xml, size_t len, struct virt_spec *ret, struct err *err);

/**
 * A definition in libvirt's words. `type` is "kvm" or "qemu"; paths stand in the spec's volumes.
 * The same spec gives the same text.
 */
void virt_spec_write(const struct virt_spec *spec, const char *type, struct buf *out);

/** The element of one device, as virt_spec_write() writes it. */
void virt_disk_write(const struct virt_disk *disk, struct buf *out);
void virt_nic_write(const struct virt_nic *nic, struct buf *out);
void virt_dimm_write(uint64_t bytes, struct buf *out);

/**
 * The text of a definition for a copy: see define_copy(). The caller owns *ret.
 */
int virt_spec_copy(const char *xml, size_t len, const char *name, const struct uuid *fresh,
                   const struct virt_disk *disks, size_t n, char **ret, struct err *err);

/**
 * The domain inside a snapshot's document (of the next start, or as it ran: `live`), with these
 * images, by target, for its disks. The caller owns *ret.
 */
int virt_snapshot_domain(const char *xml, size_t len, bool live, const struct virt_disk *disks,
                         size_t n, char **ret, struct err *err);

/** A snapshot's document with other contents; see redirect_snapshot(). The caller owns *ret. */
int virt_snapshot_redirect(const char *xml, size_t len, const struct virt_redirect *to, char **ret,
                           struct err *err);

/** What a snapshot's document says; names and parent are not read. -EINVAL: no such document. */
int virt_snapshot_read(const char *xml, size_t len, struct virt_snapshot *ret, struct err *err);

/** A snapshot to be taken, in libvirt's words. */
void virt_snapshot_write(const struct virt_snapshot_spec *spec, struct buf *out);

/** Owner and labels as the element that stands in a domain's metadata. */
void virt_labels_write(const struct virt_spec *spec, struct buf *out);
/** vCPUs in a document (of a domain, or of a snapshot, which holds one) that were plugged. */
unsigned virt_plugged_vcpus(const char *xml, size_t len);
#define VIRT_LABELS_URI "urn:vherd:vm:1"

#endif
