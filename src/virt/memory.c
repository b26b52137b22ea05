// SPDX-License-Identifier: GPL-3.0-or-later
// The in-memory hypervisor itself: VMs, their faults, who hears of them. One lock guards all;
// only calls of a sick VM sleep, on a condition that lets the lock go. Loads are functions of a
// VM's number and the time it ran, so that a fake clock makes a herd that is the same each time.
#include <errno.h>
#include <libvirt/libvirt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "memory_priv.h"
#include "virt/host.h"

static struct memory memory = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER,
    .vcpus = 2,
    .disks = 1,
    .nics = 1,
};

struct memory *memory_enter(void)
{
    pthread_mutex_lock(&memory.lock);
    return &memory;
}

void memory_leave(struct memory *m)
{
    pthread_mutex_unlock(&m->lock);
}

#define ENTER() struct memory *m CLEANUP(memory_leavep) = memory_enter()

int64_t memory_now(const struct memory *m)
{
    return clock_mono_ns(m->clock ? m->clock : &clock_system);
}

/* What a guest seems to do. */

static bool runs(const struct memory_vm *vm)
{
    return vm->state == VIR_DOMAIN_RUNNING && vm->fault != MEMORY_FAULT_STOPPED &&
           vm->fault != MEMORY_FAULT_BLOCKED;
}

int64_t memory_ran_ns(const struct memory *m, const struct memory_vm *vm)
{
    return vm->ran_ns + (runs(vm) ? memory_now(m) - vm->since_ns : 0);
}

// To be called before anything that starts or stops the guest's run time.
static void account(const struct memory *m, struct memory_vm *vm)
{
    vm->ran_ns = memory_ran_ns(m, vm);
    vm->since_ns = memory_now(m);
}

double memory_load(const struct memory_vm *vm)
{
    return 0.05 + vm->number * 37 % 91 / 100.0;
}

double memory_nic_bytes(const struct memory *m, const struct memory_vm *vm)
{
    return floor((double)memory_ran_ns(m, vm) / 1e9 * (1000 + vm->number % 100 * 150));
}

double memory_disk_bytes(const struct memory *m, const struct memory_vm *vm)
{
    if (vm->rests)
        return vm->rest_bytes;
    return floor((double)memory_ran_ns(m, vm) / 1e9 * (4 + vm->number % 50)) * 4096;
}

double memory_size_bytes(const struct memory_vm *vm)
{
    return (512 + vm->number % 4 * 512) * MEMORY_MIB;
}

double memory_used_bytes(const struct memory *m, const struct memory_vm *vm)
{
    double ratio = 0.3 + 0.2 * sin((double)memory_ran_ns(m, vm) / 1e9 / 60 + vm->number);
    return floor(memory_size_bytes(vm) * ratio / 4096) * 4096;
}

/* VMs. */

struct memory_vm *memory_find(const struct memory *m, const struct uuid *uuid)
{
    return m->by_uuid ? map_get(m->by_uuid, uuid->b, UUID_BYTES) : NULL;
}

struct memory_vm *memory_find_name(const struct memory *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->vms[i]->name, name) == 0)
            return m->vms[i];
    }
    return NULL;
}

static struct uuid uuid_of_number(uint32_t number)
{
    struct uuid u = {{[0] = 0x6d, [1] = 0x65, [2] = 0x6d, [6] = 0x40, [8] = 0x80}};
    for (int i = 0; i < 4; i++)
        u.b[15 - i] = (unsigned char)(number >> (8 * i));
    return u;
}

static int add_device(struct memory_devices *devices, const char *target)
{
    if (strlen(target) >= sizeof(devices->items->target))
        return -ENAMETOOLONG;
    int r = mem_grow_capped(&devices->items, &devices->cap, devices->n, sizeof(*devices->items),
                            MEMORY_DEVICES_MAX);
    if (r < 0)
        return r;
    snprintf(devices->items[devices->n++].target, sizeof(devices->items->target), "%s", target);
    return 0;
}

static void add_first_devices(struct memory *m, struct memory_vm *vm)
{
    char target[sizeof(struct memory_device)];
    for (int i = 0; i < m->disks; i++) {
        snprintf(target, sizeof(target), "vd%c", 'a' + i % 26);
        add_device(&vm->disks, target);
    }
    for (int i = 0; i < m->nics; i++) {
        snprintf(target, sizeof(target), "vnet%u", m->taps++);
        add_device(&vm->nics, target);
    }
}

static void vm_free(struct memory_vm *vm)
{
    free(vm->name);
    free(vm->disks.items);
    free(vm->nics.items);
    memory_manage_drop(vm);
    free(vm);
}

int memory_create(struct memory *m, const char *name, struct memory_vm **ret)
{
    if (!*name)
        return -EINVAL;
    if (m->n >= MEMORY_VMS_MAX)
        return -E2BIG;
    if (memory_find_name(m, name))
        return -EEXIST;
    mem_grow(&m->vms, &m->cap, m->n, sizeof(struct memory_vm *));
    struct memory_vm *vm = mem_zalloc(sizeof(*vm));
    vm->number = ++m->defined;
    vm->uuid = uuid_of_number(vm->number);
    vm->name = mem_strdup(name);
    vm->id = -1;
    vm->state = VIR_DOMAIN_SHUTOFF;
    vm->persistent = true;
    vm->vcpus = m->vcpus;
    add_first_devices(m, vm);
    m->vms[m->n++] = vm;
    if (!m->by_uuid)
        m->by_uuid = map_new();
    map_put(m->by_uuid, vm->uuid.b, UUID_BYTES, vm);
    *ret = vm;
    return 0;
}

static void remove_vm(struct memory *m, struct memory_vm *vm)
{
    size_t i = 0;
    while (m->vms[i] != vm)
        i++;
    m->n--;
    memmove(&m->vms[i], &m->vms[i + 1], (m->n - i) * sizeof(struct memory_vm *));
    map_remove(m->by_uuid, vm->uuid.b, UUID_BYTES);
    vm_free(vm);
    pthread_cond_broadcast(&m->wake);
}

void memory_boot(struct memory *m, struct memory_vm *vm)
{
    vm->id = (int)++m->started;
    vm->started_ns = vm->since_ns = memory_now(m);
    vm->ran_ns = 0;
    vm->state = VIR_DOMAIN_RUNNING;
    vm->reason = VIR_DOMAIN_RUNNING_BOOTED;
}

/* Events. */

static void tell(const struct memory *m, const struct memory_vm *vm, enum virt_event_type type,
                 const char *event, const char *detail, const char *device)
{
    const struct virt_event e = {type, vm->uuid, vm->name, event, detail, device, NAN};
    for (struct virt *v = m->connections; v; v = v->next) {
        if (v->events && v->listener.event)
            v->listener.event(&e, v->listener.arg);
    }
}

static const char *event_of_state(int state)
{
    static const char *const names[] = {
        [VIR_DOMAIN_PAUSED] = "suspended",        [VIR_DOMAIN_SHUTDOWN] = "shutdown",
        [VIR_DOMAIN_SHUTOFF] = "stopped",         [VIR_DOMAIN_CRASHED] = "crashed",
        [VIR_DOMAIN_PMSUSPENDED] = "pmsuspended",
    };
    return state >= 0 && (size_t)state < ARRAY_LEN(names) ? names[state] : NULL;
}

/* What tests and the simulated herd's owner do. */

void memory_reset(const struct clock *clock)
{
    ENTER();
    for (size_t i = 0; i < m->n; i++)
        vm_free(m->vms[i]);
    free(m->vms);
    map_free(m->by_uuid);
    m->by_uuid = NULL;
    for (struct virt *v = m->connections; v; v = v->next)
        v->dead = true;
    m->vms = NULL;
    m->n = m->cap = 0;
    m->connections = NULL;
    m->clock = clock;
    m->defined = m->started = m->taps = 0;
    m->vcpus = 2;
    m->disks = m->nics = 1;
    m->populated = false;
    memory_volumes_drop(m);
    m->pool_bytes = m->changes = 0;
    m->has_spare = m->spare_hangs = false;
    m->open_errno = 0;
    pthread_cond_broadcast(&m->wake);
}

int memory_define(const char *name, struct uuid *ret_uuid)
{
    ENTER();
    struct memory_vm *vm;
    int r = memory_create(m, name, &vm);
    if (r < 0)
        return r;
    *ret_uuid = vm->uuid;
    tell(m, vm, VIRT_EVENT_DEFINED, "defined", "added", NULL);
    return 0;
}

int memory_start(const struct uuid *uuid)
{
    ENTER();
    struct memory_vm *vm = memory_find(m, uuid);
    if (!vm)
        return -ENOENT;
    if (vm->state == VIR_DOMAIN_RUNNING)
        return -EALREADY;
    if (vm->id < 0) {
        memory_boot(m, vm);
        tell(m, vm, VIRT_EVENT_STATE, "started", "booted", NULL);
        return 0;
    }
    account(m, vm);
    vm->state = VIR_DOMAIN_RUNNING;
    vm->reason = VIR_DOMAIN_RUNNING_UNPAUSED;
    tell(m, vm, VIRT_EVENT_STATE, "resumed", "unpaused", NULL);
    return 0;
}

int memory_stop(const struct uuid *uuid, int state, int reason)
{
    ENTER();
    struct memory_vm *vm = memory_find(m, uuid);
    const char *event = event_of_state(state);
    if (!vm)
        return -ENOENT;
    if (!event)
        return -EINVAL;
    if (vm->id < 0)
        return -ESRCH;
    account(m, vm);
    vm->state = state;
    vm->reason = reason;
    if (!virt_state_is_active(state)) {
        vm->id = -1;
        vm->fault = MEMORY_FAULT_NONE;
        pthread_cond_broadcast(&m->wake);
    }
    tell(m, vm, VIRT_EVENT_STATE, event, virt_reason_name(state, reason), NULL);
    if (vm->id < 0 && !vm->persistent)
        remove_vm(m, vm);
    return 0;
}

int memory_undefine(const struct uuid *uuid)
{
    ENTER();
    struct memory_vm *vm = memory_find(m, uuid);
    if (!vm || !vm->persistent)
        return -ENOENT;
    vm->persistent = false;
    tell(m, vm, VIRT_EVENT_UNDEFINED, "undefined", "removed", NULL);
    if (vm->id < 0)
        remove_vm(m, vm);
    return 0;
}

int memory_rename(const struct uuid *uuid, const char *name)
{
    ENTER();
    struct memory_vm *vm = memory_find(m, uuid);
    if (!vm)
        return -ENOENT;
    if (memory_find_name(m, name))
        return -EEXIST;
    mem_strset(&vm->name, name);
    tell(m, vm, VIRT_EVENT_DEFINED, "defined", "renamed", NULL);
    return 0;
}

static int unplug(struct memory_devices *devices, const char *target)
{
    for (size_t i = 0; i < devices->n; i++) {
        if (strcmp(devices->items[i].target, target) != 0)
            continue;
        devices->n--;
        memmove(&devices->items[i], &devices->items[i + 1],
                (devices->n - i) * sizeof(*devices->items));
        return 0;
    }
    return -ENOENT;
}

static int plug(const struct uuid *uuid, size_t list, const char *target, bool plugged)
{
    ENTER();
    struct memory_vm *vm = memory_find(m, uuid);
    if (!vm)
        return -ENOENT;
    struct memory_devices *devices = (struct memory_devices *)((char *)vm + list);
    int r = plugged ? add_device(devices, target) : unplug(devices, target);
    if (r == 0)
        tell(m, vm, VIRT_EVENT_CONFIG, plugged ? "device_added" : "device_removed", NULL, target);
    return r;
}

int memory_plug_disk(const struct uuid *uuid, const char *target, bool plugged)
{
    return plug(uuid, offsetof(struct memory_vm, disks), target, plugged);
}

int memory_plug_nic(const struct uuid *uuid, const char *target, bool plugged)
{
    return plug(uuid, offsetof(struct memory_vm, nics), target, plugged);
}

int memory_fault(const struct uuid *uuid, enum memory_fault fault)
{
    ENTER();
    struct memory_vm *vm = memory_find(m, uuid);
    if (!vm)
        return -ENOENT;
    account(m, vm);
    vm->fault = fault;
    pthread_cond_broadcast(&m->wake);
    return 0;
}

void memory_libvirt_down(int open_errno)
{
    ENTER();
    m->open_errno = open_errno;
    for (struct virt *v = m->connections; v; v = v->next) {
        if (!v->dead && v->listener.lost)
            v->listener.lost("libvirt closed the connection", v->listener.arg);
        v->dead = true;
    }
    pthread_cond_broadcast(&m->wake);
}

void memory_libvirt_up(void)
{
    ENTER();
    m->open_errno = 0;
}

int memory_deaf(const struct uuid *uuid, bool deaf)
{
    ENTER();
    struct memory_vm *vm = memory_find(m, uuid);
    if (!vm)
        return -ENOENT;
    vm->deaf = deaf;
    return 0;
}

int memory_channel(const struct uuid *uuid, bool open)
{
    ENTER();
    struct memory_vm *vm = memory_find(m, uuid);
    if (!vm)
        return -ENOENT;
    vm->agentless = !open;
    tell(m, vm, VIRT_EVENT_CONFIG, open ? "agent_connected" : "agent_disconnected", NULL, NULL);
    return 0;
}

int memory_disks_untold(const struct uuid *uuid, bool untold)
{
    ENTER();
    struct memory_vm *vm = memory_find(m, uuid);
    if (!vm)
        return -ENOENT;
    vm->untold = untold;
    return 0;
}

int memory_disks_rest(const struct uuid *uuid, bool rest)
{
    ENTER();
    struct memory_vm *vm = memory_find(m, uuid);
    if (!vm)
        return -ENOENT;
    vm->rest_bytes = memory_disk_bytes(m, vm);
    vm->rests = rest;
    return 0;
}

uint64_t memory_disk_readings(const struct uuid *uuid)
{
    ENTER();
    const struct memory_vm *vm = memory_find(m, uuid);
    return vm ? vm->disk_readings : 0;
}

int memory_spoil(const struct uuid *uuid, bool spoiled)
{
    ENTER();
    struct memory_vm *vm = memory_find(m, uuid);
    if (!vm)
        return -ENOENT;
    vm->spoiled = spoiled;
    return 0;
}

int memory_checkpoints(const struct uuid *uuid, int n)
{
    ENTER();
    struct memory_vm *vm = memory_find(m, uuid);
    if (!vm)
        return -ENOENT;
    vm->checkpoints = n;
    return 0;
}

void memory_pool_limit(uint64_t bytes)
{
    ENTER();
    m->pool_bytes = bytes;
}

void memory_spare_pool(bool hangs)
{
    ENTER();
    m->has_spare = true;
    m->spare_hangs = hangs;
    pthread_cond_broadcast(&m->wake);
}

uint64_t memory_changes(void)
{
    ENTER();
    return m->changes;
}

size_t memory_stuck_calls(void)
{
    ENTER();
    return m->stuck;
}

char host_memory_process_state(const struct uuid *uuid)
{
    static const char letters[] = {
        [MEMORY_FAULT_NONE] = 'S', [MEMORY_FAULT_STOPPED] = 'T', [MEMORY_FAULT_BLOCKED] = 'D',
        [MEMORY_FAULT_HUNG] = 'S', [MEMORY_FAULT_ERROR] = 'S',
    };
    ENTER();
    const struct memory_vm *vm = memory_find(m, uuid);
    return vm && vm->id >= 0 ? letters[vm->fault] : 0;
}

int host_memory_process_io(const struct uuid *uuid, struct host_io *ret)
{
    ENTER();
    const struct memory_vm *vm = memory_find(m, uuid);
    if (!vm || vm->id < 0)
        return -ESRCH;
    uint64_t bytes = (uint64_t)memory_disk_bytes(m, vm);
    uint64_t events = (uint64_t)(memory_ran_ns(m, vm) / NS_PER_MS / 100);
    *ret = (struct host_io){.read_chars = bytes + 8 * events,
                            .read_calls = bytes / 4096 + events,
                            .write_chars = 2 * bytes + 8 * events,
                            .write_calls = 2 * bytes / 4096 + events,
                            .read_bytes = bytes,
                            .write_bytes = 2 * bytes};
    return 0;
}
