// SPDX-License-Identifier: GPL-3.0-or-later
// What the in-memory hypervisor keeps of a VM, as libvirt_stored.c reads it.
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "memory_priv.h"
#include "virt/stored.h"

static void put_snapshots(const struct memory_vm *vm, struct batch *out)
{
    double oldest = NAN, newest = NAN;
    for (size_t i = 0; i < vm->n_snapshots; i++) {
        oldest = fmin(oldest, (double)vm->snapshots[i].created_s);
        newest = fmax(newest, (double)vm->snapshots[i].created_s);
    }
    batch_fact(out, 0, FACT_VM_SNAPSHOT_OLDEST, oldest);
    batch_fact(out, 0, FACT_VM_SNAPSHOT_NEWEST, newest);
}

static const struct memory_volume *below(const struct memory *m, const char *name)
{
    const struct memory_volume *found = NULL;
    for (size_t i = 0; name && !found && i < m->n_volumes; i++)
        if (strcmp(m->volumes[i].name, name) == 0)
            found = &m->volumes[i];
    return found;
}

static int depth(const struct memory *m, const char *volume)
{
    int n = 0;
    for (const struct memory_volume *v = below(m, volume);
         v && v->backing && n < VIRT_CHAIN_DEPTH_MAX; v = below(m, v->backing))
        n++;
    return n;
}

static void put_chains(const struct memory *m, const struct memory_vm *vm, struct batch *out)
{
    for (size_t i = 0; i < vm->disks.n; i++)
        batch_fact(out, batch_key(out, vm->disks.items[i].target), FACT_DISK_CHAIN_DEPTH, 0);
    for (size_t i = 0; vm->spec && i < vm->spec->n_disks; i++) {
        const struct virt_disk *d = &vm->spec->disks[i];
        batch_fact(out, batch_key(out, d->target), FACT_DISK_CHAIN_DEPTH,
                   depth(m, d->source.volume));
    }
}

static void put_difference(const struct memory_vm *vm, bool persistent, struct batch *out)
{
    bool can_differ = vm->id >= 0 && persistent;
    bool differs = can_differ && vm->spec && vm->live_vcpus && vm->live_vcpus != vm->spec->vcpus;
    batch_fact(out, 0, FACT_VM_CONFIG_DIFFERS, can_differ ? differs : NAN);
    batch_attr(out, 0, ATTR_VM_DIFFERENCES, differs ? "vCPUs" : NULL);
}

int memory_stored(struct virt *v, const struct uuid *uuid, int known, bool persistent,
                  struct batch *out, struct err *err)
{
    struct memory *m CLEANUP(memory_leavep) = memory_enter();
    if (v->dead)
        return err_set(err, ENOTCONN, "the connection is gone");
    const struct memory_vm *vm = memory_find(m, uuid);
    if (!vm)
        return err_set(err, ENOENT, "no such VM");
    batch_fact(out, 0, FACT_VM_SNAPSHOTS, (double)vm->n_snapshots);
    if (known >= 0 && (size_t)known == vm->n_snapshots)
        return 0;
    put_snapshots(vm, out);
    put_chains(m, vm, out);
    put_difference(vm, persistent, out);
    return 0;
}
