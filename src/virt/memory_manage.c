// SPDX-License-Identifier: GPL-3.0-or-later
// The in-memory hypervisor being managed: definitions, volumes of one pool "default", snapshots.
// Nothing here takes time; a guest follows at once, unless it is told to be deaf.
#include <errno.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "memory_manage.h"

/* Texts of specs. */

struct virt_volume memory_volume_dup(const struct virt_volume *v)
{
    return (struct virt_volume){mem_strdup(v->pool), mem_strdup(v->volume), mem_strdup(v->path),
                                v->block};
}

void memory_spec_copy(const struct virt_spec *from, struct virt_spec *to)
{
    *to = *from;
    to->name = mem_strdup(from->name);
    to->cmdline = mem_strdup(from->cmdline);
    to->owner = mem_strdup(from->owner);
    to->kernel = memory_volume_dup(&from->kernel);
    to->initrd = memory_volume_dup(&from->initrd);
    for (size_t i = 0; i < from->n_disks; i++) {
        to->disks[i].source = memory_volume_dup(&from->disks[i].source);
        to->disks[i].target = mem_strdup(from->disks[i].target);
        to->disks[i].format = mem_strdup(from->disks[i].format);
    }
    for (size_t i = 0; i < from->n_nics; i++) {
        to->nics[i].network = mem_strdup(from->nics[i].network);
        to->nics[i].bridge = mem_strdup(from->nics[i].bridge);
        to->nics[i].mac = mem_strdup(from->nics[i].mac);
        to->nics[i].target = mem_strdup(from->nics[i].target);
    }
    for (size_t i = 0; i < from->n_labels; i++)
        to->labels[i] = (struct virt_label){mem_strdup(from->labels[i].name),
                                            mem_strdup(from->labels[i].value)};
    to->numa.nodes = mem_strdup(from->numa.nodes);
    to->pins = mem_zalloc((from->n_pins + 1) * sizeof(*to->pins));
    for (size_t i = 0; i < from->n_pins; i++)
        to->pins[i] = (struct virt_pin){from->pins[i].vcpu, mem_strdup(from->pins[i].cpus)};
}

// Its definition; one is made up for a VM that was not defined here.
struct virt_spec *memory_spec_of(struct memory_vm *vm)
{
    if (vm->spec)
        return vm->spec;
    vm->spec = mem_zalloc(sizeof(*vm->spec));
    vm->spec->memory_bytes = vm->spec->max_memory_bytes = (uint64_t)memory_size_bytes(vm);
    vm->spec->vcpus = vm->spec->max_vcpus = vm->vcpus;
    if (vm->id >= 0) {
        vm->live_vcpus = vm->spec->vcpus;
        vm->live_memory_bytes = vm->spec->memory_bytes;
    }
    return vm->spec;
}

void memory_manage_drop(struct memory_vm *vm)
{
    if (vm->spec)
        virt_spec_done(vm->spec);
    free(vm->spec);
    virt_snapshots_free(vm->snapshots, vm->n_snapshots);
}

void memory_volumes_drop(struct memory *m)
{
    for (size_t i = 0; i < m->n_volumes; i++) {
        free(m->volumes[i].pool);
        free(m->volumes[i].name);
        free(m->volumes[i].format);
        free(m->volumes[i].backing);
    }
    free(m->volumes);
    m->volumes = NULL;
    m->n_volumes = m->cap_volumes = 0;
}

int memory_enter_as(struct memory *m, struct virt *v, struct err *err)
{
    if (v->dead)
        return err_set(err, ENOTCONN, "the connection is gone");
    return v->read_write ? 0 : err_set(err, EACCES, "the connection is read-only");
}

int memory_find_as(struct memory *m, struct virt *v, const struct uuid *uuid,
                   struct memory_vm **ret, struct err *err)
{
    int r = memory_enter_as(m, v, err);
    if (r < 0)
        return r;
    *ret = memory_find(m, uuid);
    return *ret ? 0 : err_set(err, ENOENT, "no such VM");
}

// The first words of a call that changes a VM.
/* Definitions. */

int memory_spec(struct virt *v, const struct uuid *uuid, struct virt_spec *ret, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = memory_find_as(m, v, uuid, &vm, err);
    if (r < 0)
        return r;
    memory_spec_copy(memory_spec_of(vm), ret);
    mem_strset(&ret->name, vm->name);
    for (size_t i = 0; i < ret->n_disks; i++) // a volume's name is its path here
        mem_strset(&ret->disks[i].source.path, ret->disks[i].source.volume);
    ret->uuid = vm->uuid;
    ret->autostart = vm->autostart;
    return 0;
}

struct memory_volume *memory_volume_of(const struct memory *m, const char *pool, const char *name)
{
    for (size_t i = 0; i < m->n_volumes; i++)
        if (strcmp(m->volumes[i].pool, pool) == 0 && strcmp(m->volumes[i].name, name) == 0)
            return &m->volumes[i];
    return NULL;
}

int memory_check_volumes(const struct memory *m, const struct virt_disk *disks, size_t n,
                         struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct virt_volume *s = &disks[i].source;
        if (s->pool && !memory_volume_of(m, s->pool, s->volume))
            return err_set(err, ENOENT, "the pool \"%s\" has no volume \"%s\"", s->pool, s->volume);
    }
    return 0;
}

static int define(struct memory *m, const struct virt_spec *spec, struct err *err)
{
    struct memory_vm *vm;
    int r = memory_create(m, spec->name, &vm);
    if (r == -EEXIST)
        return err_set(err, EEXIST, "a VM called \"%s\" exists", spec->name);
    if (r < 0)
        return err_set(err, -r, "defining the VM: %s", strerror(-r));
    vm->spec = mem_zalloc(sizeof(*vm->spec));
    memory_spec_copy(spec, vm->spec);
    vm->autostart = spec->autostart;
    vm->disks.n = vm->nics.n = 0;
    map_remove(m->by_uuid, vm->uuid.b, UUID_BYTES);
    vm->uuid = spec->uuid;
    map_put(m->by_uuid, vm->uuid.b, UUID_BYTES, vm);
    return 0;
}

static int memory_define_spec(struct virt *v, const struct virt_spec *spec, struct err *err)
{
    ENTER();
    int r = memory_enter_as(m, v, err);
    if (r == 0)
        r = memory_check_volumes(m, spec->disks, spec->n_disks, err);
    if (r < 0)
        return r;
    m->changes++;
    return define(m, spec, err);
}

static int memory_define_copy(struct virt *v, const struct uuid *uuid, const char *name,
                              const struct uuid *fresh, const struct virt_disk *disks, size_t n,
                              struct err *err)
{
    CHANGE(vm);
    struct virt_spec copy CLEANUP(virt_spec_done) = {0};
    int r = memory_check_volumes(m, disks, n, err);
    if (r < 0)
        return r;
    memory_spec_copy(memory_spec_of(vm), &copy);
    mem_strset(&copy.name, name);
    copy.uuid = *fresh;
    copy.autostart = false;
    for (size_t i = 0; i < copy.n_disks; i++)
        for (size_t k = 0; k < n; k++)
            if (strcmp(copy.disks[i].target, disks[k].target) == 0)
                mem_strset(&copy.disks[i].source.volume, disks[k].source.volume);
    return define(m, &copy, err);
}

static void remove_vm(struct memory *m, struct memory_vm *vm)
{
    const struct uuid uuid = vm->uuid;
    memory_leave(m); // memory_undefine() tells of it, and takes the lock itself
    memory_undefine(&uuid);
    memory_enter();
}

static int memory_undefine_spec(struct virt *v, const struct uuid *uuid, unsigned with,
                                struct err *err)
{
    CHANGE(vm);
    if (vm->id >= 0)
        return err_set(err, EBUSY, "the VM is running");
    if (vm->n_snapshots > 0 && !(with & VIRT_UNDEFINE_SNAPSHOTS))
        return err_set(err, ESRCH, "the VM has snapshots");
    if (vm->saved && !(with & VIRT_UNDEFINE_SAVED))
        return err_set(err, ESRCH, "the VM has saved memory");
    if (vm->checkpoints > 0 && !(with & VIRT_UNDEFINE_CHECKPOINTS))
        return err_set(err, ESRCH, "the VM has checkpoints");
    remove_vm(m, vm);
    return 0;
}

/* Power. */

int memory_wants(const struct memory_vm *vm, bool running, struct err *err)
{
    if ((vm->id >= 0) == running)
        return 0;
    return err_set(err, ESRCH, running ? "the VM is not running" : "the VM is running already");
}

static int memory_power(struct virt *v, const struct uuid *uuid, enum virt_power power,
                        struct err *err)
{
    static const struct {
        int state, reason; // -1 = it goes on running
    } ends[VIRT_POWER_MAX] = {
        [VIRT_POWER_START] = {-1, 0},
        [VIRT_POWER_SHUTDOWN] = {VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN},
        [VIRT_POWER_REBOOT] = {0, 0},
        [VIRT_POWER_RESET] = {0, 0},
        [VIRT_POWER_DESTROY] = {VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED},
        [VIRT_POWER_PAUSE] = {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER},
        [VIRT_POWER_RESUME] = {-1, 0},
        [VIRT_POWER_SAVE] = {VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SAVED},
        [VIRT_POWER_START_PAUSED] = {-1, 0},
    };
    bool deaf = false;
    {
        CHANGE(vm);
        int r =
            memory_wants(vm, power != VIRT_POWER_START && power != VIRT_POWER_START_PAUSED, err);
        if (r == 0 && power == VIRT_POWER_RESUME && vm->state != VIR_DOMAIN_PAUSED)
            r = err_set(err, ESRCH, "the VM is not paused");
        if (r < 0)
            return r;
        deaf = vm->deaf && power == VIRT_POWER_SHUTDOWN;
        if (power == VIRT_POWER_START) {
            vm->live_vcpus = memory_spec_of(vm)->vcpus;
            vm->live_memory_bytes = vm->balloon_bytes = memory_spec_of(vm)->memory_bytes;
            vm->saved = false;
        } else if (power == VIRT_POWER_SAVE) {
            vm->saved = true;
        }
    }
    if (deaf || ends[power].state == 0)
        return 0;
    if (power == VIRT_POWER_START_PAUSED) {
        int r = memory_start(uuid);
        return r < 0 ? r : memory_stop(uuid, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP);
    }
    return ends[power].state < 0 ? memory_start(uuid)
                                 : memory_stop(uuid, ends[power].state, ends[power].reason);
}

static int memory_has_save(struct virt *v, const struct uuid *uuid, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = memory_find_as(m, v, uuid, &vm, err);
    return r < 0 ? r : vm->saved;
}

static int memory_set_autostart(struct virt *v, const struct uuid *uuid, bool on, struct err *err)
{
    CHANGE(vm);
    vm->autostart = on;
    return 0;
}

static int memory_rename_spec(struct virt *v, const struct uuid *uuid, const char *name,
                              struct err *err)
{
    {
        CHANGE(vm);
        int r = memory_wants(vm, false, err);
        if (r < 0)
            return r;
    }
    int r = memory_rename(uuid, name);
    return r < 0 ? err_set(err, -r, "a VM called \"%s\" exists", name) : 0;
}

static int memory_set_labels(struct virt *v, const struct uuid *uuid, const struct virt_spec *from,
                             struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = memory_spec_of(vm);
    mem_strset(&s->owner, from->owner);
    for (size_t i = 0; i < s->n_labels; i++) {
        free(s->labels[i].name);
        free(s->labels[i].value);
    }
    s->n_labels = from->n_labels;
    for (size_t i = 0; i < from->n_labels; i++)
        s->labels[i] = (struct virt_label){mem_strdup(from->labels[i].name),
                                           mem_strdup(from->labels[i].value)};
    return 0;
}

const struct virt_manage virt_memory_manage = {
    .spec = memory_spec,
    .define = memory_define_spec,
    .define_copy = memory_define_copy,
    .undefine = memory_undefine_spec,
    .power = memory_power,
    .has_save = memory_has_save,
    .set_autostart = memory_set_autostart,
    .rename = memory_rename_spec,
    .set_labels = memory_set_labels,
    .size = memory_size,
    .set_vcpus = memory_set_vcpus,
    .set_memory = memory_set_memory,
    .plug_memory = memory_plug_memory,
    .unplug_memory = memory_unplug_memory,
    .cpu_limits = memory_cpu_limits,
    .pin = memory_pin,
    .cells = memory_cells,
    .set_numa = memory_set_numa,
    .attach_disk = memory_attach_disk,
    .detach_disk = memory_detach_disk,
    .attach_nic = memory_attach_nic,
    .detach_nic = memory_detach_nic,
    .disk_limits = memory_disk_limits,
    .nic_limits = memory_nic_limits,
    .grow_disk = memory_grow_disk,
    .volume = memory_volume,
    .create_volume = memory_create_volume,
    .copy_volume = memory_copy_volume,
    .fill_volume = memory_fill_volume,
    .grow_volume = memory_grow_volume,
    .delete_volume = memory_delete_volume,
    .snapshots = memory_snapshots,
    .create_snapshot = memory_create_snapshot,
    .revert = memory_revert,
    .delete_snapshot = memory_delete_snapshot,
    .redirect_snapshot = memory_redirect_snapshot,
    .definition = memory_definition,
    .redefine = memory_redefine,
    .redefine_as = memory_redefine_as,
    .restore_memory = memory_restore_memory,
    .drop_save = memory_drop_save,
    .chain = memory_chain,
    .merge = memory_merge,
    .merge_end = memory_merge_end,
    .agent = memory_agent,
    .thaw = memory_thaw,
    .volume_head = memory_volume_head,
    .refresh = memory_refresh,
    .name_volume = memory_name_volume,
    .place_volume = memory_place_volume,
    .checkpoints = memory_count_checkpoints,
    .console = memory_console,
    .job = memory_job,
    .abort_job = memory_abort_job,
};
