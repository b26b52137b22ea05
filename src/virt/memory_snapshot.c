// SPDX-License-Identifier: GPL-3.0-or-later
// Snapshots of VMs in memory: a tree, of which one is current; their images and jobs.
#include <errno.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "memory_manage.h"

static struct virt_snapshot *snapshot_of(struct memory_vm *vm, const char *name)
{
    for (size_t i = 0; i < vm->n_snapshots; i++)
        if (strcmp(vm->snapshots[i].name, name) == 0)
            return &vm->snapshots[i];
    return NULL;
}

static void make_current(struct memory_vm *vm, const struct virt_snapshot *which)
{
    for (size_t i = 0; i < vm->n_snapshots; i++)
        vm->snapshots[i].current = &vm->snapshots[i] == which;
}

static struct virt_volume whole_volume(const struct virt_volume *v)
{
    struct virt_volume copy = memory_volume_dup(v);
    mem_strset(&copy.path, v->volume);
    return copy;
}

static void copy_snapshot(const struct virt_snapshot *from, struct virt_snapshot *to)
{
    *to = *from;
    to->name = mem_strdup(from->name);
    to->parent = mem_strdup(from->parent);
    to->memory_image = memory_volume_dup(&from->memory_image);
    for (size_t i = 0; i < from->n_disks; i++) {
        to->disks[i].target = mem_strdup(from->disks[i].target);
        to->disks[i].format = mem_strdup(from->disks[i].format);
        to->disks[i].image = memory_volume_dup(&from->disks[i].image);
        to->disks[i].overlay = memory_volume_dup(&from->disks[i].overlay);
    }
}

int memory_snapshots(struct virt *v, const struct uuid *uuid, struct virt_snapshot **ret,
                     size_t *ret_n, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = memory_find_as(m, v, uuid, &vm, err);
    if (r < 0)
        return r;
    *ret = mem_zalloc((vm->n_snapshots + 1) * sizeof(**ret));
    *ret_n = vm->n_snapshots;
    for (size_t i = 0; i < vm->n_snapshots; i++)
        copy_snapshot(&vm->snapshots[i], &(*ret)[i]);
    return 0;
}

static void add_file(struct memory *m, const char *name, const char *format, const char *backing,
                     uint64_t bytes)
{
    mem_grow(&m->volumes, &m->cap_volumes, m->n_volumes, sizeof(*m->volumes));
    m->volumes[m->n_volumes++] = (struct memory_volume){
        mem_strdup(POOL), mem_strdup(name), mem_strdup(format), mem_strdup(backing), bytes};
}

// Puts overlays over the disks, and remembers what is below.
static void overlay_disks(struct memory *m, struct memory_vm *vm,
                          const struct virt_snapshot_spec *spec, struct virt_snapshot *s)
{
    struct virt_spec *own = memory_spec_of(vm);
    for (size_t i = 0; i < spec->n_disks; i++) {
        size_t at = memory_disk_at(own, spec->disks[i].target);
        const char *overlay = spec->disks[i].source.volume;
        if (!overlay || at == own->n_disks)
            continue;
        struct virt_disk *d = &own->disks[at];
        add_file(m, overlay, "qcow2", d->source.volume, 0);
        struct virt_snapshot_disk *kept = &s->disks[s->n_disks++];
        kept->target = mem_strdup(d->target);
        kept->format = mem_strdup(d->format);
        kept->image = whole_volume(&d->source);
        kept->overlay = whole_volume(&spec->disks[i].source);
        mem_strset(&d->source.volume, overlay);
        mem_strset(&d->format, "qcow2");
    }
    if (spec->kind == VIRT_SNAPSHOT_FULL) {
        add_file(m, spec->memory_image.volume, "raw", NULL, 0);
        s->memory_image = whole_volume(&spec->memory_image);
    }
}

int memory_create_snapshot(struct virt *v, const struct uuid *uuid,
                           const struct virt_snapshot_spec *spec, struct err *err)
{
    CHANGE(vm);
    if (snapshot_of(vm, spec->name))
        return err_set(err, EEXIST, "the VM has a snapshot \"%s\"", spec->name);
    bool external = spec->kind != VIRT_SNAPSHOT_INTERNAL;
    struct virt_snapshot s = {.name = mem_strdup(spec->name),
                              .external = external,
                              .running = vm->id >= 0,
                              .memory = vm->id >= 0 && spec->kind != VIRT_SNAPSHOT_EXTERNAL,
                              .created_s = clock_real_ns(m->clock) / NS_PER_S};
    if (external)
        overlay_disks(m, vm, spec, &s);
    for (size_t i = 0; i < vm->n_snapshots; i++) {
        if (!vm->snapshots[i].current)
            continue;
        s.parent = mem_strdup(vm->snapshots[i].name);
        vm->snapshots[i].children++;
    }
    mem_grow(&vm->snapshots, &vm->cap_snapshots, vm->n_snapshots, sizeof(s));
    vm->snapshots[vm->n_snapshots++] = s;
    make_current(vm, &vm->snapshots[vm->n_snapshots - 1]);
    return 0;
}

int memory_revert(struct virt *v, const struct uuid *uuid, const char *name, struct err *err)
{
    CHANGE(vm);
    struct virt_snapshot *s = snapshot_of(vm, name);
    if (!s)
        return err_set(err, ENOENT, "the VM has no snapshot \"%s\"", name);
    make_current(vm, s);
    return 0;
}

int memory_delete_snapshot(struct virt *v, const struct uuid *uuid, const char *name,
                           bool knowledge, struct err *err)
{
    CHANGE(vm);
    struct virt_snapshot *s = snapshot_of(vm, name);
    if (!s)
        return err_set(err, ENOENT, "the VM has no snapshot \"%s\"", name);
    if (s->external && !knowledge)
        return err_set(err, EINVAL, "the snapshot is external");
    for (size_t i = 0; i < vm->n_snapshots; i++) {
        struct virt_snapshot *other = &vm->snapshots[i];
        if (other->parent && strcmp(other->parent, name) == 0)
            mem_strset(&other->parent, s->parent);
    }
    struct virt_snapshot *above = s->parent ? snapshot_of(vm, s->parent) : NULL;
    if (above) {
        above->children += s->children - 1;
        above->current = above->current || s->current;
    }
    virt_snapshot_done(s);
    vm->n_snapshots--;
    memmove(s, s + 1, (size_t)(vm->snapshots + vm->n_snapshots - s) * sizeof(*s));
    return 0;
}

int memory_redirect_snapshot(struct virt *v, const struct uuid *uuid, const char *name,
                             const struct virt_redirect *to, struct err *err)
{
    CHANGE(vm);
    struct virt_snapshot *s = snapshot_of(vm, name);
    if (!s)
        return err_set(err, ENOENT, "the VM has no snapshot \"%s\"", name);
    for (size_t k = 0; k < s->n_disks; k++) {
        struct virt_snapshot_disk *d = &s->disks[k];
        for (size_t i = 0; i < to->n_images; i++) {
            if (strcmp(to->images[i].target, d->target) != 0)
                continue;
            virt_volume_done(&d->image);
            d->image = whole_volume(&to->images[i].source);
        }
        for (size_t i = 0; i < to->n_overlays; i++) {
            if (strcmp(to->overlays[i].target, d->target) != 0)
                continue;
            virt_volume_done(&d->overlay);
            d->overlay = whole_volume(&to->overlays[i].source);
        }
    }
    if (to->current)
        make_current(vm, s);
    s->merging = s->merging || to->merging;
    return 0;
}

int memory_definition(struct virt *v, const struct uuid *uuid, char **ret, struct err *err)
{
    struct virt_spec spec CLEANUP(virt_spec_done) = {0};
    int r = memory_spec(v, uuid, &spec, err);
    if (r < 0)
        return r;
    struct buf xml CLEANUP(buf_done);
    buf_init(&xml, 1 << 20);
    virt_spec_write(&spec, "kvm", &xml);
    *ret = buf_take(&xml, NULL);
    return 0;
}

int memory_redefine(struct virt *v, const char *text, struct err *err)
{
    struct virt_spec spec CLEANUP(virt_spec_done) = {0};
    int r = virt_spec_read(text, strlen(text), &spec, err);
    if (r < 0)
        return r;
    CHANGE_AS(vm, &spec.uuid);
    for (size_t i = 0; i < spec.n_disks; i++) {
        mem_strset(&spec.disks[i].source.pool, POOL);
        mem_strset(&spec.disks[i].source.volume, spec.disks[i].source.path);
    }
    virt_spec_done(memory_spec_of(vm));
    memory_spec_copy(&spec, vm->spec);
    return 0;
}

int memory_redefine_as(struct virt *v, const struct uuid *uuid, const char *snapshot,
                       const struct virt_disk *disks, size_t n, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    for (size_t i = 0; i < n; i++) {
        size_t at = memory_disk_at(s, disks[i].target);
        if (at < s->n_disks) {
            mem_strset(&s->disks[at].source.volume, disks[i].source.volume);
            mem_strset(&s->disks[at].format, disks[i].format);
        }
    }
    return 0;
}

int memory_restore_memory(struct virt *v, const struct uuid *uuid, const char *snapshot,
                          const struct virt_disk *disks, size_t n, struct err *err)
{
    {
        CHANGE(vm);
        int r = memory_wants(vm, false, err);
        if (r == 0 && vm->spoiled)
            r = err_set(err, EIO, "the memory cannot be read");
        if (r < 0)
            return r;
    }
    return memory_start(uuid);
}

int memory_drop_save(struct virt *v, const struct uuid *uuid, struct err *err)
{
    CHANGE(vm);
    vm->saved = false;
    return 0;
}

int memory_chain(struct virt *v, const struct uuid *uuid, const char *target,
                 struct virt_chain *ret, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = memory_find_as(m, v, uuid, &vm, err);
    if (r == 0)
        r = memory_wants(vm, true, err);
    if (r < 0)
        return r;
    const struct virt_spec *s = memory_spec_of(vm);
    size_t at = memory_disk_at(s, target);
    if (at == s->n_disks)
        return err_set(err, ENOENT, "the VM has no disk %s", target);
    *ret = (struct virt_chain){0};
    const char *name = s->disks[at].source.volume;
    while (name && ret->n < VIRT_CHAIN_MAX) {
        const struct memory_volume *vol = memory_volume_of(m, POOL, name);
        ret->paths[ret->n++] = mem_strdup(name);
        name = vol ? vol->backing : NULL;
    }
    ret->job = ret->ready = vm->merging >> at & 1;
    return 0;
}

// A commit into the image below waits for memory_merge_end(); all else is done at once.
int memory_merge(struct virt *v, const struct uuid *uuid, const char *target, const char *base,
                 const char *top, bool pull, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    size_t at = memory_disk_at(s, target);
    if (at == s->n_disks)
        return err_set(err, ENOENT, "the VM has no disk %s", target);
    if (pull) {
        struct memory_volume *first = memory_volume_of(m, POOL, s->disks[at].source.volume);
        mem_strset(&first->backing, base);
        return 0;
    }
    if (strcmp(top, s->disks[at].source.volume) == 0) {
        vm->merging |= UINT32_C(1) << at;
        return 0;
    }
    for (size_t i = 0; i < m->n_volumes; i++)
        if (m->volumes[i].backing && strcmp(m->volumes[i].backing, top) == 0)
            mem_strset(&m->volumes[i].backing, base);
    return 0;
}

int memory_merge_end(struct virt *v, const struct uuid *uuid, const char *target, bool pivot,
                     struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    size_t at = memory_disk_at(s, target);
    if (at == s->n_disks || !(vm->merging >> at & 1))
        return err_set(err, ESRCH, "nothing is being merged");
    const struct memory_volume *first = memory_volume_of(m, POOL, s->disks[at].source.volume);
    if (pivot)
        mem_strset(&s->disks[at].source.volume, first->backing);
    vm->merging &= ~(UINT32_C(1) << at);
    return 0;
}

int memory_agent(struct virt *v, const struct uuid *uuid, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = memory_find_as(m, v, uuid, &vm, err);
    if (r == 0 && vm->deaf)
        r = err_set(err, ENOTCONN, "the guest agent does not answer");
    return r;
}

int memory_thaw(struct virt *v, const struct uuid *uuid, struct err *err)
{
    return memory_agent(v, uuid, err);
}

int memory_count_checkpoints(struct virt *v, const struct uuid *uuid, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = memory_find_as(m, v, uuid, &vm, err);
    return r < 0 ? r : vm->checkpoints;
}

int memory_job(struct virt *v, const struct uuid *uuid, struct virt_job *ret, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = memory_find_as(m, v, uuid, &vm, err);
    if (r == 0)
        *ret = (struct virt_job){0};
    return r;
}

int memory_abort_job(struct virt *v, const struct uuid *uuid, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = memory_find_as(m, v, uuid, &vm, err);
    return r < 0 ? r : err_set(err, ESRCH, "the VM has no job");
}
