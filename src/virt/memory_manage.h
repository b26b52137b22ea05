// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEMORY_MANAGE_H
#define MEMORY_MANAGE_H

// What the in-memory hypervisor's deeds share, and the functions behind the table at the end of
// memory_manage.c; what those do is said in virt/manage.h.

#include <errno.h>

#include "base/mem.h"
#include "memory_priv.h"
#include "virt/manage.h"

#define ENTER() struct memory *m CLEANUP(memory_leavep) __attribute__((unused)) = memory_enter()
#define POOL "default"

#define CHANGE(vm) CHANGE_AS(vm, uuid)
#define CHANGE_AS(vm, uuid)                                                                        \
    ENTER();                                                                                       \
    struct memory_vm *vm;                                                                          \
    int vm##_error = memory_find_as(m, v, uuid, &vm, err);                                         \
    if (vm##_error < 0)                                                                            \
        return vm##_error;                                                                         \
    m->changes++

// memory_manage.c: texts, definitions, power
struct virt_volume memory_volume_dup(const struct virt_volume *v);
void memory_spec_copy(const struct virt_spec *from, struct virt_spec *to);
struct virt_spec *memory_spec_of(struct memory_vm *vm);
int memory_enter_as(struct memory *m, struct virt *v, struct err *err);
int memory_find_as(struct memory *m, struct virt *v, const struct uuid *uuid,
                   struct memory_vm **ret, struct err *err);
int memory_spec(struct virt *v, const struct uuid *uuid, struct virt_spec *ret, struct err *err);
struct memory_volume *memory_volume_of(const struct memory *m, const char *pool, const char *name);
int memory_check_volumes(const struct memory *m, const struct virt_disk *disks, size_t n,
                         struct err *err);
int memory_wants(const struct memory_vm *vm, bool running, struct err *err);

// memory_tune.c: sizes and devices
int memory_size(struct virt *v, const struct uuid *uuid, struct virt_size *ret, struct err *err);
int memory_set_vcpus(struct virt *v, const struct uuid *uuid, unsigned n, unsigned scope, bool max,
                     struct err *err);
int memory_set_memory(struct virt *v, const struct uuid *uuid, uint64_t bytes, unsigned scope,
                      bool max, struct err *err);
int memory_plug_memory(struct virt *v, const struct uuid *uuid, uint64_t bytes, unsigned scope,
                       struct err *err);
int memory_unplug_memory(struct virt *v, const struct uuid *uuid, uint64_t bytes, unsigned scope,
                         struct err *err);
int memory_cpu_limits(struct virt *v, const struct uuid *uuid, const struct virt_cpu_limits *limits,
                      unsigned scope, struct err *err);
int memory_pin(struct virt *v, const struct uuid *uuid, unsigned vcpu, const char *cpus,
               unsigned scope, struct err *err);
int memory_cells(struct virt *v, struct virt_cell **ret, size_t *ret_n, struct err *err);
int memory_set_numa(struct virt *v, const struct uuid *uuid, const struct virt_numa *numa,
                    unsigned scope, struct err *err);
size_t memory_disk_at(const struct virt_spec *s, const char *target);
int memory_attach_disk(struct virt *v, const struct uuid *uuid, const struct virt_disk *disk,
                       unsigned scope, struct err *err);
int memory_detach_disk(struct virt *v, const struct uuid *uuid, const char *target, unsigned scope,
                       struct err *err);
int memory_attach_nic(struct virt *v, const struct uuid *uuid, const struct virt_nic *nic,
                      unsigned scope, struct err *err);
int memory_detach_nic(struct virt *v, const struct uuid *uuid, const char *mac, unsigned scope,
                      struct err *err);
int memory_disk_limits(struct virt *v, const struct uuid *uuid, const char *target,
                       const struct virt_disk_limits *limits, unsigned scope, struct err *err);
int memory_nic_limits(struct virt *v, const struct uuid *uuid, const char *mac,
                      const struct virt_nic_limits *limits, unsigned scope, struct err *err);

// memory_volume.c
int memory_grow_disk(struct virt *v, const struct uuid *uuid, const char *target, uint64_t bytes,
                     struct err *err);
int memory_volume(struct virt *v, const char *pool, const char *volume,
                  struct virt_volume_info *ret, struct err *err);
int memory_create_volume(struct virt *v, const struct virt_volume_spec *spec, struct err *err);
int memory_copy_volume(struct virt *v, const struct virt_volume_spec *spec, const char *from_pool,
                       const char *from_volume, struct err *err);
int memory_fill_volume(struct virt *v, const char *pool, const char *volume, const void *data,
                       size_t len, struct err *err);
int memory_grow_volume(struct virt *v, const char *pool, const char *volume, uint64_t bytes,
                       struct err *err);
int memory_delete_volume(struct virt *v, const char *pool, const char *volume, struct err *err);
int memory_volume_head(struct virt *v, const char *pool, const char *volume, void *ret, size_t size,
                       size_t *ret_len, struct err *err);
int memory_refresh(struct virt *v, const char *pool, struct err *err);
int memory_name_volume(struct virt *v, struct virt_volume *volume, struct err *err);
int memory_place_volume(struct virt *v, struct virt_volume *volume, struct err *err);

// memory_snapshot.c: snapshots, images, jobs
int memory_snapshots(struct virt *v, const struct uuid *uuid, struct virt_snapshot **ret,
                     size_t *ret_n, struct err *err);
int memory_create_snapshot(struct virt *v, const struct uuid *uuid,
                           const struct virt_snapshot_spec *spec, struct err *err);
int memory_revert(struct virt *v, const struct uuid *uuid, const char *name, struct err *err);
int memory_delete_snapshot(struct virt *v, const struct uuid *uuid, const char *name,
                           bool knowledge, struct err *err);
int memory_redirect_snapshot(struct virt *v, const struct uuid *uuid, const char *name,
                             const struct virt_redirect *to, struct err *err);
int memory_definition(struct virt *v, const struct uuid *uuid, char **ret, struct err *err);
int memory_redefine(struct virt *v, const char *text, struct err *err);
int memory_redefine_as(struct virt *v, const struct uuid *uuid, const char *snapshot,
                       const struct virt_disk *disks, size_t n, struct err *err);
int memory_restore_memory(struct virt *v, const struct uuid *uuid, const char *snapshot,
                          const struct virt_disk *disks, size_t n, struct err *err);
int memory_drop_save(struct virt *v, const struct uuid *uuid, struct err *err);
int memory_chain(struct virt *v, const struct uuid *uuid, const char *target,
                 struct virt_chain *ret, struct err *err);
int memory_merge(struct virt *v, const struct uuid *uuid, const char *target, const char *base,
                 const char *top, bool pull, struct err *err);
int memory_merge_end(struct virt *v, const struct uuid *uuid, const char *target, bool pivot,
                     struct err *err);
int memory_agent(struct virt *v, const struct uuid *uuid, struct err *err);
int memory_thaw(struct virt *v, const struct uuid *uuid, struct err *err);
int memory_count_checkpoints(struct virt *v, const struct uuid *uuid, struct err *err);
int memory_job(struct virt *v, const struct uuid *uuid, struct virt_job *ret, struct err *err);
int memory_abort_job(struct virt *v, const struct uuid *uuid, struct err *err);

#endif
