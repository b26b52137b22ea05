// SPDX-License-Identifier: GPL-3.0-or-later
// The in-memory hypervisor being managed: definitions, volumes of one pool "default", snapshots.
// Nothing here takes time; a guest follows at once, unless it is told to be deaf.
#include <errno.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "memory_priv.h"

#define ENTER() struct memory *m CLEANUP(memory_leavep) __attribute__((unused)) = memory_enter()
#define POOL "default"

/* Texts of specs. */

static struct virt_volume copy_volume(const struct virt_volume *v)
{
    return (struct virt_volume){mem_strdup(v->pool), mem_strdup(v->volume), mem_strdup(v->path),
                                v->block};
}

static void copy_spec(const struct virt_spec *from, struct virt_spec *to)
{
    *to = *from;
    to->name = mem_strdup(from->name);
    to->cmdline = mem_strdup(from->cmdline);
    to->owner = mem_strdup(from->owner);
    to->kernel = copy_volume(&from->kernel);
    to->initrd = copy_volume(&from->initrd);
    for (size_t i = 0; i < from->n_disks; i++) {
        to->disks[i].source = copy_volume(&from->disks[i].source);
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
static struct virt_spec *spec_of(struct memory_vm *vm)
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

static int enter(struct memory *m, struct virt *v, struct err *err)
{
    if (v->dead)
        return err_set(err, ENOTCONN, "the connection is gone");
    return v->read_write ? 0 : err_set(err, EACCES, "the connection is read-only");
}

static int find(struct memory *m, struct virt *v, const struct uuid *uuid, struct memory_vm **ret,
                struct err *err)
{
    int r = enter(m, v, err);
    if (r < 0)
        return r;
    *ret = memory_find(m, uuid);
    return *ret ? 0 : err_set(err, ENOENT, "no such VM");
}

// The first words of a call that changes a VM.
#define CHANGE(vm) CHANGE_AS(vm, uuid)
#define CHANGE_AS(vm, uuid)                                                                        \
    ENTER();                                                                                       \
    struct memory_vm *vm;                                                                          \
    int vm##_error = find(m, v, uuid, &vm, err);                                                   \
    if (vm##_error < 0)                                                                            \
        return vm##_error;                                                                         \
    m->changes++

/* Definitions. */

static int memory_spec(struct virt *v, const struct uuid *uuid, struct virt_spec *ret,
                       struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = find(m, v, uuid, &vm, err);
    if (r < 0)
        return r;
    copy_spec(spec_of(vm), ret);
    mem_strset(&ret->name, vm->name);
    for (size_t i = 0; i < ret->n_disks; i++) // a volume's name is its path here
        mem_strset(&ret->disks[i].source.path, ret->disks[i].source.volume);
    ret->uuid = vm->uuid;
    ret->autostart = vm->autostart;
    return 0;
}

static struct memory_volume *volume_of(const struct memory *m, const char *pool, const char *name)
{
    for (size_t i = 0; i < m->n_volumes; i++)
        if (strcmp(m->volumes[i].pool, pool) == 0 && strcmp(m->volumes[i].name, name) == 0)
            return &m->volumes[i];
    return NULL;
}

static int check_volumes(const struct memory *m, const struct virt_disk *disks, size_t n,
                         struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct virt_volume *s = &disks[i].source;
        if (s->pool && !volume_of(m, s->pool, s->volume))
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
    copy_spec(spec, vm->spec);
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
    int r = enter(m, v, err);
    if (r == 0)
        r = check_volumes(m, spec->disks, spec->n_disks, err);
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
    int r = check_volumes(m, disks, n, err);
    if (r < 0)
        return r;
    copy_spec(spec_of(vm), &copy);
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

static int wants(const struct memory_vm *vm, bool running, struct err *err)
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
        int r = wants(vm, power != VIRT_POWER_START && power != VIRT_POWER_START_PAUSED, err);
        if (r == 0 && power == VIRT_POWER_RESUME && vm->state != VIR_DOMAIN_PAUSED)
            r = err_set(err, ESRCH, "the VM is not paused");
        if (r < 0)
            return r;
        deaf = vm->deaf && power == VIRT_POWER_SHUTDOWN;
        if (power == VIRT_POWER_START) {
            vm->live_vcpus = spec_of(vm)->vcpus;
            vm->live_memory_bytes = vm->balloon_bytes = spec_of(vm)->memory_bytes;
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
    int r = find(m, v, uuid, &vm, err);
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
        int r = wants(vm, false, err);
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
    struct virt_spec *s = spec_of(vm);
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

/* Sizes and devices. */

static int memory_size(struct virt *v, const struct uuid *uuid, struct virt_size *ret,
                       struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = find(m, v, uuid, &vm, err);
    if (r < 0)
        return r;
    const struct virt_spec *s = spec_of(vm);
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
    };
    return 0;
}

static int memory_set_vcpus(struct virt *v, const struct uuid *uuid, unsigned n, unsigned scope,
                            bool max, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = spec_of(vm);
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

static int memory_set_memory(struct virt *v, const struct uuid *uuid, uint64_t bytes,
                             unsigned scope, bool max, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = spec_of(vm);
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

static int memory_cpu_limits(struct virt *v, const struct uuid *uuid,
                             const struct virt_cpu_limits *limits, unsigned scope, struct err *err)
{
    CHANGE(vm);
    return 0;
}

static int memory_pin(struct virt *v, const struct uuid *uuid, unsigned vcpu, const char *cpus,
                      unsigned scope, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = spec_of(vm);
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
static int memory_cells(struct virt *v, struct virt_cell **ret, size_t *ret_n, struct err *err)
{
    ENTER();
    int r = enter(m, v, err);
    if (r < 0)
        return r;
    *ret_n = 2;
    *ret = mem_zalloc(*ret_n * sizeof(**ret));
    (*ret)[0] = (struct virt_cell){0, mem_strdup("0-3")};
    (*ret)[1] = (struct virt_cell){1, mem_strdup("4-7")};
    return 0;
}

// As libvirt: only what is strict can move while it runs.
static int memory_set_numa(struct virt *v, const struct uuid *uuid, const struct virt_numa *numa,
                           unsigned scope, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = spec_of(vm);
    if ((scope & VIRT_LIVE) && vm->id >= 0 &&
        (numa->mode != VIRT_NUMA_STRICT || s->numa.mode != VIRT_NUMA_STRICT))
        return err_set(err, ESRCH, "the memory of a running VM moves in the mode strict only");
    mem_strset(&s->numa.nodes, numa->nodes);
    s->numa.mode = numa->mode;
    return 0;
}

static size_t disk_at(const struct virt_spec *s, const char *target)
{
    size_t i = 0;
    while (i < s->n_disks && strcmp(s->disks[i].target, target) != 0)
        i++;
    return i;
}

static int memory_attach_disk(struct virt *v, const struct uuid *uuid, const struct virt_disk *disk,
                              unsigned scope, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = spec_of(vm);
    int r = check_volumes(m, disk, 1, err);
    if (r < 0)
        return r;
    if (s->n_disks == VIRT_SPEC_DISKS_MAX || disk_at(s, disk->target) < s->n_disks)
        return err_set(err, EEXIST, "the VM has a disk %s", disk->target);
    s->disks[s->n_disks++] = (struct virt_disk){
        .source = copy_volume(&disk->source),
        .target = mem_strdup(disk->target),
        .format = mem_strdup(disk->format),
        .read_only = disk->read_only,
    };
    return 0;
}

static int memory_detach_disk(struct virt *v, const struct uuid *uuid, const char *target,
                              unsigned scope, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = spec_of(vm);
    size_t i = disk_at(s, target);
    if (i == s->n_disks)
        return err_set(err, ENOENT, "the VM has no disk %s", target);
    struct virt_spec gone = {.disks = {s->disks[i]}, .n_disks = 1};
    virt_spec_done(&gone);
    s->n_disks--;
    memmove(&s->disks[i], &s->disks[i + 1], (s->n_disks - i) * sizeof(s->disks[0]));
    return 0;
}

static int memory_attach_nic(struct virt *v, const struct uuid *uuid, const struct virt_nic *nic,
                             unsigned scope, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = spec_of(vm);
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

static int memory_detach_nic(struct virt *v, const struct uuid *uuid, const char *mac,
                             unsigned scope, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = spec_of(vm);
    size_t i = nic_at(s, mac);
    if (i == s->n_nics)
        return err_set(err, ENOENT, "the VM has no NIC %s", mac);
    struct virt_spec gone = {.nics = {s->nics[i]}, .n_nics = 1};
    virt_spec_done(&gone);
    s->n_nics--;
    memmove(&s->nics[i], &s->nics[i + 1], (s->n_nics - i) * sizeof(s->nics[0]));
    return 0;
}

static int memory_disk_limits(struct virt *v, const struct uuid *uuid, const char *target,
                              const struct virt_disk_limits *limits, unsigned scope,
                              struct err *err)
{
    CHANGE(vm);
    const struct virt_spec *s = spec_of(vm);
    return disk_at(s, target) < s->n_disks ? 0
                                           : err_set(err, ENOENT, "the VM has no disk %s", target);
}

static int memory_nic_limits(struct virt *v, const struct uuid *uuid, const char *mac,
                             const struct virt_nic_limits *limits, unsigned scope, struct err *err)
{
    CHANGE(vm);
    const struct virt_spec *s = spec_of(vm);
    return nic_at(s, mac) < s->n_nics ? 0 : err_set(err, ENOENT, "the VM has no NIC %s", mac);
}

/* Volumes. */

static int find_volume(struct memory *m, struct virt *v, const char *pool, const char *name,
                       struct memory_volume **ret, struct err *err)
{
    int r = enter(m, v, err);
    if (r < 0)
        return r;
    if (strcmp(pool, POOL) != 0)
        return err_set(err, ENOENT, "there is no storage pool \"%s\"", pool);
    *ret = volume_of(m, pool, name);
    return *ret ? 0 : err_set(err, ENOENT, "the pool \"%s\" has no volume \"%s\"", pool, name);
}

static int grow(struct memory_volume *vol, uint64_t bytes, struct err *err)
{
    if (bytes < vol->capacity_bytes)
        return err_set(err, EINVAL, "the disk has %ju bytes: shrinking would cut data off",
                       (uintmax_t)vol->capacity_bytes);
    vol->capacity_bytes = bytes;
    return 0;
}

static int memory_grow_disk(struct virt *v, const struct uuid *uuid, const char *target,
                            uint64_t bytes, struct err *err)
{
    CHANGE(vm);
    const struct virt_spec *s = spec_of(vm);
    size_t i = disk_at(s, target);
    struct memory_volume *vol =
        i < s->n_disks && s->disks[i].source.pool
            ? volume_of(m, s->disks[i].source.pool, s->disks[i].source.volume)
            : NULL;
    return vol ? grow(vol, bytes, err) : err_set(err, ENOENT, "the VM has no disk %s", target);
}

static int memory_volume(struct virt *v, const char *pool, const char *volume,
                         struct virt_volume_info *ret, struct err *err)
{
    ENTER();
    struct memory_volume *vol;
    int r = find_volume(m, v, pool, volume, &vol, err);
    if (r == 0)
        *ret = (struct virt_volume_info){.capacity_bytes = vol->capacity_bytes,
                                         .allocation_bytes = vol->capacity_bytes,
                                         .format = mem_strdup(vol->format),
                                         .backing = mem_strdup(vol->backing)};
    return r;
}

static uint64_t used_bytes(const struct memory *m)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < m->n_volumes; i++)
        sum += m->volumes[i].capacity_bytes;
    return sum;
}

static int add_volume(struct memory *m, struct virt *v, const struct virt_volume_spec *spec,
                      uint64_t bytes, struct err *err)
{
    struct memory_volume *old;
    int r = find_volume(m, v, spec->pool, spec->volume, &old, err);
    if (r == 0)
        return err_set(err, EEXIST, "the pool \"%s\" has a volume \"%s\" already", spec->pool,
                       spec->volume);
    if (r != -ENOENT || strcmp(spec->pool, POOL) != 0)
        return r;
    if (m->pool_bytes && used_bytes(m) + bytes > m->pool_bytes)
        return err_set(err, ENOSPC, "no space is left in the pool \"%s\"", spec->pool);
    mem_grow(&m->volumes, &m->cap_volumes, m->n_volumes, sizeof(*m->volumes));
    m->volumes[m->n_volumes++] =
        (struct memory_volume){mem_strdup(spec->pool), mem_strdup(spec->volume),
                               mem_strdup(spec->format), mem_strdup(spec->backing_volume), bytes};
    m->changes++;
    if (err)
        *err = (struct err){0};
    return 0;
}

static int memory_create_volume(struct virt *v, const struct virt_volume_spec *spec,
                                struct err *err)
{
    ENTER();
    return add_volume(m, v, spec, spec->capacity_bytes, err);
}

static int memory_copy_volume(struct virt *v, const struct virt_volume_spec *spec,
                              const char *from_pool, const char *from_volume, struct err *err)
{
    ENTER();
    struct memory_volume *from;
    int r = find_volume(m, v, from_pool, from_volume, &from, err);
    return r < 0 ? r
                 : add_volume(m, v, spec, MAX_OF(spec->capacity_bytes, from->capacity_bytes), err);
}

static int memory_fill_volume(struct virt *v, const char *pool, const char *volume,
                              const void *data, size_t len, struct err *err)
{
    ENTER();
    struct memory_volume *vol;
    return find_volume(m, v, pool, volume, &vol, err);
}

static int memory_grow_volume(struct virt *v, const char *pool, const char *volume, uint64_t bytes,
                              struct err *err)
{
    ENTER();
    struct memory_volume *vol;
    int r = find_volume(m, v, pool, volume, &vol, err);
    m->changes++;
    return r < 0 ? r : grow(vol, bytes, err);
}

static int memory_delete_volume(struct virt *v, const char *pool, const char *volume,
                                struct err *err)
{
    ENTER();
    struct memory_volume *vol;
    int r = find_volume(m, v, pool, volume, &vol, err);
    if (r < 0)
        return r;
    m->changes++;
    free(vol->pool);
    free(vol->name);
    free(vol->format);
    free(vol->backing);
    *vol = m->volumes[--m->n_volumes];
    return 0;
}

/* Snapshots: a tree, of which one is current. */

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
    struct virt_volume copy = copy_volume(v);
    mem_strset(&copy.path, v->volume);
    return copy;
}

static void copy_snapshot(const struct virt_snapshot *from, struct virt_snapshot *to)
{
    *to = *from;
    to->name = mem_strdup(from->name);
    to->parent = mem_strdup(from->parent);
    to->memory_image = copy_volume(&from->memory_image);
    for (size_t i = 0; i < from->n_disks; i++) {
        to->disks[i].target = mem_strdup(from->disks[i].target);
        to->disks[i].format = mem_strdup(from->disks[i].format);
        to->disks[i].image = copy_volume(&from->disks[i].image);
        to->disks[i].overlay = copy_volume(&from->disks[i].overlay);
    }
}

static int memory_snapshots(struct virt *v, const struct uuid *uuid, struct virt_snapshot **ret,
                            size_t *ret_n, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = find(m, v, uuid, &vm, err);
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
    struct virt_spec *own = spec_of(vm);
    for (size_t i = 0; i < spec->n_disks; i++) {
        size_t at = disk_at(own, spec->disks[i].target);
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

static int memory_create_snapshot(struct virt *v, const struct uuid *uuid,
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

static int memory_revert(struct virt *v, const struct uuid *uuid, const char *name, struct err *err)
{
    CHANGE(vm);
    struct virt_snapshot *s = snapshot_of(vm, name);
    if (!s)
        return err_set(err, ENOENT, "the VM has no snapshot \"%s\"", name);
    make_current(vm, s);
    return 0;
}

static int memory_delete_snapshot(struct virt *v, const struct uuid *uuid, const char *name,
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

static int memory_redirect_snapshot(struct virt *v, const struct uuid *uuid, const char *name,
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

static int memory_definition(struct virt *v, const struct uuid *uuid, char **ret, struct err *err)
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

static int memory_redefine(struct virt *v, const char *text, struct err *err)
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
    virt_spec_done(spec_of(vm));
    copy_spec(&spec, vm->spec);
    return 0;
}

static int memory_redefine_as(struct virt *v, const struct uuid *uuid, const char *snapshot,
                              const struct virt_disk *disks, size_t n, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = spec_of(vm);
    for (size_t i = 0; i < n; i++) {
        size_t at = disk_at(s, disks[i].target);
        if (at < s->n_disks) {
            mem_strset(&s->disks[at].source.volume, disks[i].source.volume);
            mem_strset(&s->disks[at].format, disks[i].format);
        }
    }
    return 0;
}

static int memory_restore_memory(struct virt *v, const struct uuid *uuid, const char *snapshot,
                                 const struct virt_disk *disks, size_t n, struct err *err)
{
    {
        CHANGE(vm);
        int r = wants(vm, false, err);
        if (r == 0 && vm->spoiled)
            r = err_set(err, EIO, "the memory cannot be read");
        if (r < 0)
            return r;
    }
    return memory_start(uuid);
}

static int memory_drop_save(struct virt *v, const struct uuid *uuid, struct err *err)
{
    CHANGE(vm);
    vm->saved = false;
    return 0;
}

static int memory_chain(struct virt *v, const struct uuid *uuid, const char *target,
                        struct virt_chain *ret, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = find(m, v, uuid, &vm, err);
    if (r == 0)
        r = wants(vm, true, err);
    if (r < 0)
        return r;
    const struct virt_spec *s = spec_of(vm);
    size_t at = disk_at(s, target);
    if (at == s->n_disks)
        return err_set(err, ENOENT, "the VM has no disk %s", target);
    *ret = (struct virt_chain){0};
    const char *name = s->disks[at].source.volume;
    while (name && ret->n < VIRT_CHAIN_MAX) {
        const struct memory_volume *vol = volume_of(m, POOL, name);
        ret->paths[ret->n++] = mem_strdup(name);
        name = vol ? vol->backing : NULL;
    }
    ret->job = ret->ready = vm->merging >> at & 1;
    return 0;
}

// A commit into the image below waits for memory_merge_end(); all else is done at once.
static int memory_merge(struct virt *v, const struct uuid *uuid, const char *target,
                        const char *base, const char *top, bool pull, struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = spec_of(vm);
    size_t at = disk_at(s, target);
    if (at == s->n_disks)
        return err_set(err, ENOENT, "the VM has no disk %s", target);
    if (pull) {
        struct memory_volume *first = volume_of(m, POOL, s->disks[at].source.volume);
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

static int memory_merge_end(struct virt *v, const struct uuid *uuid, const char *target, bool pivot,
                            struct err *err)
{
    CHANGE(vm);
    struct virt_spec *s = spec_of(vm);
    size_t at = disk_at(s, target);
    if (at == s->n_disks || !(vm->merging >> at & 1))
        return err_set(err, ESRCH, "nothing is being merged");
    const struct memory_volume *first = volume_of(m, POOL, s->disks[at].source.volume);
    if (pivot)
        mem_strset(&s->disks[at].source.volume, first->backing);
    vm->merging &= ~(UINT32_C(1) << at);
    return 0;
}

static int memory_agent(struct virt *v, const struct uuid *uuid, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = find(m, v, uuid, &vm, err);
    if (r == 0 && vm->deaf)
        r = err_set(err, ENOTCONN, "the guest agent does not answer");
    return r;
}

static int memory_thaw(struct virt *v, const struct uuid *uuid, struct err *err)
{
    return memory_agent(v, uuid, err);
}

static int memory_volume_head(struct virt *v, const char *pool, const char *volume, void *ret,
                              size_t size, size_t *ret_len, struct err *err)
{
    ENTER();
    struct memory_volume *vol;
    uint8_t *head = ret;
    int r = find_volume(m, v, pool, volume, &vol, err);
    if (r < 0)
        return r;
    memset(head, 0, size);
    *ret_len = size;
    if (strcmp(vol->format, "qcow2") != 0)
        return 0;
    memcpy(head, "QFI\xfb\0\0\0\3", 8);
    size_t len = vol->backing ? strlen(vol->backing) : 0;
    if (len > 0) {
        head[15] = 104;
        head[19] = (uint8_t)len;
        memcpy(head + 104, vol->backing, len);
    }
    return 0;
}

static int memory_refresh(struct virt *v, const char *pool, struct err *err)
{
    return 0;
}

static int memory_name_volume(struct virt *v, struct virt_volume *volume, struct err *err)
{
    ENTER();
    if (volume->path && !volume->pool && volume_of(m, POOL, volume->path)) {
        volume->pool = mem_strdup(POOL);
        volume->volume = mem_strdup(volume->path);
    }
    return 0;
}

static int memory_place_volume(struct virt *v, struct virt_volume *volume, struct err *err)
{
    volume->path = mem_strdup(volume->volume);
    return 0;
}

static int memory_count_checkpoints(struct virt *v, const struct uuid *uuid, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = find(m, v, uuid, &vm, err);
    return r < 0 ? r : vm->checkpoints;
}

static int memory_job(struct virt *v, const struct uuid *uuid, struct virt_job *ret,
                      struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = find(m, v, uuid, &vm, err);
    if (r == 0)
        *ret = (struct virt_job){0};
    return r;
}

static int memory_abort_job(struct virt *v, const struct uuid *uuid, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = find(m, v, uuid, &vm, err);
    return r < 0 ? r : err_set(err, ESRCH, "the VM has no job");
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
