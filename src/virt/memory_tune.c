// SPDX-License-Identifier: GPL-3.0-or-later
// Sizes, limits and devices of VMs in memory.
#include <errno.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "memory_manage.h"

static uint64_t dimm_bytes(const struct virt_spec *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->n_dimms; i++)
        sum += s->dimms[i];
    return sum;
}

int memory_size(struct virt *v, const struct uuid *uuid, struct virt_size *ret, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = memory_find_as(m, v, uuid, &vm, err);
    if (r < 0)
        return r;
    const struct virt_spec *s = memory_spec_of(vm);
    bool live = vm->id >= 0 && vm->live_vcpus > 0;
    uint64_t memory = live ? vm->live_memory_bytes : s->memory_bytes;
    *ret = (struct virt_size){
        .vcpus = live ? vm->live_vcpus : s->vcpus,
        .max_vcpus = MAX_OF(s->max_vcpus, s->vcpus),
        .guest_vcpus = -1,
        .memory_bytes = memory,
        .max_memory_bytes = MAX_OF(s->max_memory_bytes, s->memory_bytes),
        .balloon_bytes = live ? vm->balloon_bytes : 0,
        .config_vcpus = s->vcpus,
        .config_memory_bytes = s->memory_bytes,
        .plug_bytes = s->plug_bytes,
        .plugged_bytes = dimm_bytes(s),
        .guest_memory_bytes = live ? vm->balloon_bytes + (vm->deaf ? 0 : dimm_bytes(s)) : 0,
    };
    return 0;
}

int memory_set_vcpus(struct virt *v, const struct uuid *uuid, unsigned n, unsigned scope, bool max,
                     struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    if (max) {
        s->max_vcpus = n;
        return 0;
    }
    if (n > MAX_OF(s->max_vcpus, s->vcpus))
        return err_set(err, EINVAL, "the VM can have %u vCPUs at most",
                       MAX_OF(s->max_vcpus, s->vcpus));
    // What the guest does not let go stays.
    if ((scope & VIRT_LIVE) && !(vm->deaf && n < vm->live_vcpus))
        vm->live_vcpus = n;
    if (scope & VIRT_CONFIG)
        s->vcpus = n;
    return 0;
}

int memory_set_memory(struct virt *v, const struct uuid *uuid, uint64_t bytes, unsigned scope,
                      bool max, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    if (max) {
        s->max_memory_bytes = bytes;
        return 0;
    }
    if (bytes > MAX_OF(s->max_memory_bytes, s->memory_bytes))
        return err_set(err, EINVAL, "more than the VM's maximum memory");
    if (scope & VIRT_LIVE)
        vm->live_memory_bytes = bytes;
    if ((scope & VIRT_LIVE) && !vm->deaf)
        vm->balloon_bytes = bytes;
    if (scope & VIRT_CONFIG)
        s->memory_bytes = bytes;
    return 0;
}

// The running VM and its definition have the same ones here.
int memory_plug_memory(struct virt *v, const struct uuid *uuid, uint64_t bytes, unsigned scope,
                       struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    if (s->n_dimms == VIRT_DIMMS_MAX || bytes > s->plug_bytes - dimm_bytes(s))
        return err_set(err, EINVAL, "no room for another DIMM");
    s->dimms[s->n_dimms++] = bytes;
    return 0;
}

int memory_unplug_memory(struct virt *v, const struct uuid *uuid, uint64_t bytes, unsigned scope,
                         struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    for (size_t i = 0; i < s->n_dimms; i++) {
        if (s->dimms[i] != bytes)
            continue;
        if (vm->deaf)
            return err_set(err, ETIMEDOUT, "the guest has not let the memory go");
        s->dimms[i] = s->dimms[--s->n_dimms];
        return 0;
    }
    return err_set(err, ENOENT, "the VM has no DIMM of %ju bytes", (uintmax_t)bytes);
}

int memory_cpu_limits(struct virt *v, const struct uuid *uuid, const struct virt_cpu_limits *limits,
                      unsigned scope, struct err *err)
{
    CHANGE(vm);
    return 0;
}

int memory_pin(struct virt *v, const struct uuid *uuid, unsigned vcpu, const char *cpus,
               unsigned scope, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    if (vcpu >= s->vcpus)
        return err_set(err, EINVAL, "the VM has no vCPU %u", vcpu);
    for (size_t i = 0; i < s->n_pins; i++)
        if (s->pins[i].vcpu == vcpu) {
            mem_strset(&s->pins[i].cpus, cpus);
            return 0;
        }
    size_t cap = s->n_pins;
    mem_grow(&s->pins, &cap, s->n_pins, sizeof(*s->pins));
    s->pins[s->n_pins++] = (struct virt_pin){vcpu, mem_strdup(cpus)};
    return 0;
}

// Two nodes of four CPUs.
int memory_cells(struct virt *v, struct virt_cell **ret, size_t *ret_n, struct err *err)
{
    ENTER();
    int r = memory_enter_as(m, v, err);
    if (r < 0)
        return r;
    *ret_n = 2;
    *ret = mem_zalloc(*ret_n * sizeof(**ret));
    (*ret)[0] = (struct virt_cell){0, mem_strdup("0-3")};
    (*ret)[1] = (struct virt_cell){1, mem_strdup("4-7")};
    return 0;
}

// As libvirt: only what is strict can move while it runs.
int memory_set_numa(struct virt *v, const struct uuid *uuid, const struct virt_numa *numa,
                    unsigned scope, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    if ((scope & VIRT_LIVE) && vm->id >= 0 &&
        (numa->mode != VIRT_NUMA_STRICT || s->numa.mode != VIRT_NUMA_STRICT))
        return err_set(err, ESRCH, "the memory of a running VM moves in the mode strict only");
    mem_strset(&s->numa.nodes, numa->nodes);
    s->numa.mode = numa->mode;
    return 0;
}

size_t memory_disk_at(const struct virt_spec *s, const char *target)
{
    size_t i = 0;
    while (i < s->n_disks && strcmp(s->disks[i].target, target) != 0)
        i++;
    return i;
}

int memory_attach_disk(struct virt *v, const struct uuid *uuid, const struct virt_disk *disk,
                       unsigned scope, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    int r = memory_check_volumes(m, disk, 1, err);
    if (r < 0)
        return r;
    if (s->n_disks == VIRT_SPEC_DISKS_MAX || memory_disk_at(s, disk->target) < s->n_disks)
        return err_set(err, EEXIST, "the VM has a disk %s", disk->target);
    s->disks[s->n_disks++] = (struct virt_disk){
        .source = memory_volume_dup(&disk->source),
        .target = mem_strdup(disk->target),
        .format = mem_strdup(disk->format),
        .read_only = disk->read_only,
    };
    return 0;
}

int memory_detach_disk(struct virt *v, const struct uuid *uuid, const char *target, unsigned scope,
                       struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    size_t i = memory_disk_at(s, target);
    if (i == s->n_disks)
        return err_set(err, ENOENT, "the VM has no disk %s", target);
    struct virt_spec gone = {.disks = {s->disks[i]}, .n_disks = 1};
    virt_spec_done(&gone);
    s->n_disks--;
    memmove(&s->disks[i], &s->disks[i + 1], (s->n_disks - i) * sizeof(s->disks[0]));
    return 0;
}

int memory_attach_nic(struct virt *v, const struct uuid *uuid, const struct virt_nic *nic,
                      unsigned scope, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    if (s->n_nics == VIRT_SPEC_NICS_MAX)
        return err_set(err, E2BIG, "the VM has %d NICs", VIRT_SPEC_NICS_MAX);
    char *mac = nic->mac ? mem_strdup(nic->mac)
                         : mem_printf("52:54:00:%02x:%02x:%02zx", vm->number >> 8 & 255,
                                      vm->number & 255, s->n_nics);
    s->nics[s->n_nics++] = (struct virt_nic){
        .network = mem_strdup(nic->network), .bridge = mem_strdup(nic->bridge), .mac = mac};
    return 0;
}

static size_t nic_at(const struct virt_spec *s, const char *mac)
{
    size_t i = 0;
    while (i < s->n_nics && (!s->nics[i].mac || strcmp(s->nics[i].mac, mac) != 0))
        i++;
    return i;
}

int memory_detach_nic(struct virt *v, const struct uuid *uuid, const char *mac, unsigned scope,
                      struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    size_t i = nic_at(s, mac);
    if (i == s->n_nics)
        return err_set(err, ENOENT, "the VM has no NIC %s", mac);
    struct virt_spec gone = {.nics = {s->nics[i]}, .n_nics = 1};
    virt_spec_done(&gone);
    s->n_nics--;
    memmove(&s->nics[i], &s->nics[i + 1], (s->n_nics - i) * sizeof(s->nics[0]));
    return 0;
}

int memory_disk_limits(struct virt *v, const struct uuid *uuid, const char *target,
                       const struct virt_disk_limits *limits, unsigned scope, struct err *err)
{
    CHANGE(vm);
    const struct virt_spec *s = memory_spec_of(vm);
    return memory_disk_at(s, target) < s->n_disks
               ? 0
               : err_set(err, ENOENT, "the VM has no disk %s", target);
}

int memory_nic_limits(struct virt *v, const struct uuid *uuid, const char *mac,
                      const struct virt_nic_limits *limits, unsigned scope, struct err *err)
{
    CHANGE(vm);
    const struct virt_spec *s = memory_spec_of(vm);
    return nic_at(s, mac) < s->n_nics ? 0 : err_set(err, ENOENT, "the VM has no NIC %s", mac);
}
