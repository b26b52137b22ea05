// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_LIBVIRT_CHANGE_H
#define VIRT_LIBVIRT_CHANGE_H

/*
 * What the files that change VMs through libvirt share. Layer: private to src/virt.
 */

#include "libvirt_priv.h"
#include "virt/manage.h"

/** One call on one domain. */
struct change {
    struct use use;
    virDomainPtr domain;
};

/** Zeroed on failure but for what virt_change_end() gives back. */
int virt_change_begin(struct change *c, struct virt *v, const struct uuid *uuid, struct err *err);
void virt_change_end(struct change *c);

/** The first words of a call on a domain: `c` for the rest of the function, or out. */
#define CHANGE(c, v, uuid, err)                                                                    \
    struct change c CLEANUP(virt_change_end);                                                      \
    int c##_error = virt_change_begin(&c, v, uuid, err);                                           \
    if (c##_error < 0)                                                                             \
    return c##_error

/** Does the VM run: 1 or 0, or -errno: a libvirt that went away is no news of the VM. */
int virt_change_active(const struct change *c, struct err *err);

/** libvirt's flags for a scope; the live part falls away where the VM does not run. */
unsigned virt_change_flags(const struct change *c, unsigned scope);

/** Fill a volume's path from its pool and name; nothing where it has no name. */
int virt_volume_find(struct use *use, struct virt_volume *v, struct err *err);

/** Fill a volume's pool and name from its path, looking again into the pool whose folder the path
 * is in; nothing where no pool has it. */
void virt_volume_name(struct use *use, struct virt_volume *v);

int virt_libvirt_size(struct virt *v, const struct uuid *uuid, struct virt_size *ret,
                      struct err *err);
int virt_libvirt_set_vcpus(struct virt *v, const struct uuid *uuid, unsigned n, unsigned scope,
                           bool max, struct err *err);
int virt_libvirt_set_memory(struct virt *v, const struct uuid *uuid, uint64_t bytes, unsigned scope,
                            bool max, struct err *err);
int virt_libvirt_plug_memory(struct virt *v, const struct uuid *uuid, uint64_t bytes,
                             unsigned scope, struct err *err);
int virt_libvirt_unplug_memory(struct virt *v, const struct uuid *uuid, uint64_t bytes,
                               unsigned scope, struct err *err);
int virt_libvirt_cpu_limits(struct virt *v, const struct uuid *uuid,
                            const struct virt_cpu_limits *limits, unsigned scope, struct err *err);
int virt_libvirt_pin(struct virt *v, const struct uuid *uuid, unsigned vcpu, const char *cpus,
                     unsigned scope, struct err *err);
int virt_libvirt_console(struct virt *v, const struct uuid *uuid, bool force, int *ret_fd,
                         struct err *err);
int virt_libvirt_cells(struct virt *v, struct virt_cell **ret, size_t *ret_n, struct err *err);
int virt_libvirt_set_numa(struct virt *v, const struct uuid *uuid, const struct virt_numa *numa,
                          unsigned scope, struct err *err);
int virt_libvirt_attach_disk(struct virt *v, const struct uuid *uuid, const struct virt_disk *disk,
                             unsigned scope, struct err *err);
int virt_libvirt_detach_disk(struct virt *v, const struct uuid *uuid, const char *target,
                             unsigned scope, struct err *err);
int virt_libvirt_attach_nic(struct virt *v, const struct uuid *uuid, const struct virt_nic *nic,
                            unsigned scope, struct err *err);
int virt_libvirt_detach_nic(struct virt *v, const struct uuid *uuid, const char *mac,
                            unsigned scope, struct err *err);
int virt_libvirt_disk_limits(struct virt *v, const struct uuid *uuid, const char *target,
                             const struct virt_disk_limits *limits, unsigned scope,
                             struct err *err);
int virt_libvirt_nic_limits(struct virt *v, const struct uuid *uuid, const char *mac,
                            const struct virt_nic_limits *limits, unsigned scope, struct err *err);
int virt_libvirt_grow_disk(struct virt *v, const struct uuid *uuid, const char *target,
                           uint64_t bytes, struct err *err);

int virt_libvirt_volume(struct virt *v, const char *pool, const char *volume,
                        struct virt_volume_info *ret, struct err *err);
int virt_libvirt_create_volume(struct virt *v, const struct virt_volume_spec *spec,
                               struct err *err);
int virt_libvirt_copy_volume(struct virt *v, const struct virt_volume_spec *spec,
                             const char *from_pool, const char *from_volume, struct err *err);
int virt_libvirt_fill_volume(struct virt *v, const char *pool, const char *volume, const void *data,
                             size_t len, struct err *err);
int virt_libvirt_grow_volume(struct virt *v, const char *pool, const char *volume, uint64_t bytes,
                             struct err *err);
int virt_libvirt_delete_volume(struct virt *v, const char *pool, const char *volume,
                               struct err *err);

int virt_libvirt_snapshots(struct virt *v, const struct uuid *uuid, struct virt_snapshot **ret,
                           size_t *ret_n, struct err *err);
int virt_libvirt_create_snapshot(struct virt *v, const struct uuid *uuid,
                                 const struct virt_snapshot_spec *spec, struct err *err);
int virt_libvirt_revert(struct virt *v, const struct uuid *uuid, const char *name, struct err *err);
int virt_libvirt_delete_snapshot(struct virt *v, const struct uuid *uuid, const char *name,
                                 bool knowledge, struct err *err);
int virt_libvirt_redirect_snapshot(struct virt *v, const struct uuid *uuid, const char *name,
                                   const struct virt_redirect *to, struct err *err);
int virt_libvirt_definition(struct virt *v, const struct uuid *uuid, char **ret, struct err *err);
int virt_libvirt_redefine(struct virt *v, const char *text, struct err *err);
int virt_libvirt_redefine_as(struct virt *v, const struct uuid *uuid, const char *snapshot,
                             const struct virt_disk *disks, size_t n, struct err *err);
int virt_libvirt_restore_memory(struct virt *v, const struct uuid *uuid, const char *snapshot,
                                const struct virt_disk *disks, size_t n, struct err *err);
int virt_libvirt_drop_save(struct virt *v, const struct uuid *uuid, struct err *err);
int virt_libvirt_chain(struct virt *v, const struct uuid *uuid, const char *target,
                       struct virt_chain *ret, struct err *err);
int virt_libvirt_merge(struct virt *v, const struct uuid *uuid, const char *target,
                       const char *base, const char *top, bool pull, struct err *err);
int virt_libvirt_merge_end(struct virt *v, const struct uuid *uuid, const char *target, bool pivot,
                           struct err *err);
int virt_libvirt_agent(struct virt *v, const struct uuid *uuid, struct err *err);
int virt_libvirt_thaw(struct virt *v, const struct uuid *uuid, struct err *err);
int virt_libvirt_volume_head(struct virt *v, const char *pool, const char *volume, void *ret,
                             size_t size, size_t *ret_len, struct err *err);
int virt_libvirt_refresh(struct virt *v, const char *pool, struct err *err);
int virt_libvirt_name_volume(struct virt *v, struct virt_volume *volume, struct err *err);
int virt_libvirt_place_volume(struct virt *v, struct virt_volume *volume, struct err *err);
int virt_libvirt_checkpoints(struct virt *v, const struct uuid *uuid, struct err *err);

#endif
