// SPDX-License-Identifier: GPL-3.0-or-later
// The in-memory hypervisor as libvirt would show it. Calls that reach the hypervisor process
// wait while their VM is sick, however long that is.
#include <errno.h>
#include <libvirt/libvirt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/esc.h"
#include "base/mem.h"
#include "base/number.h"
#include "memory_priv.h"

#define ENTER() struct memory *m CLEANUP(memory_leavep) __attribute__((unused)) = memory_enter()

/* Connections. */

static void unref(struct virt *v)
{
    if (--v->refs == 0)
        free(v);
}

struct herd_size {
    uint64_t vms, churn, churners;
};

// "memory:///?vms=5&vcpus=2"
static int parse_uri(struct memory *m, const char *uri, struct herd_size *ret, struct err *err)
{
    struct herd_size size = {.churners = 1};
    uint64_t vcpus = m->vcpus, disks = m->disks, nics = m->nics;
    const struct {
        const char *name;
        uint64_t *value;
        uint64_t max;
    } params[] = {
        {"vms=", &size.vms, MEMORY_VMS_MAX},
        {"vcpus=", &vcpus, 64},
        {"disks=", &disks, 26},
        {"nics=", &nics, 8},
        {"churn=", &size.churn, 1000000},
        {"churners=", &size.churners, 64},
    };
    const char *p = strncmp(uri, "memory:", 7) == 0 ? strchr(uri, '?') : NULL;
    while (p && *p) {
        p++;
        size_t i = 0;
        while (i < ARRAY_LEN(params) && strncmp(p, params[i].name, strlen(params[i].name)) != 0)
            i++;
        if (i == ARRAY_LEN(params))
            return err_set(err, EINVAL, "%s: unknown parameter", uri);
        p += strlen(params[i].name);
        if (!number_scan_u64(&p, params[i].value) || *params[i].value > params[i].max ||
            (*p && *p != '&'))
            return err_set(err, EINVAL, "%s: %s takes a number up to %ju", uri, params[i].name,
                           (uintmax_t)params[i].max);
    }
    m->vcpus = (uint8_t)vcpus;
    m->disks = (uint8_t)disks;
    m->nics = (uint8_t)nics;
    *ret = size;
    return 0;
}

static void populate(struct memory *m, const struct herd_size *size)
{
    for (uint64_t i = 1; i <= size->vms && !m->populated; i++) {
        char name[32];
        struct memory_vm *vm;
        snprintf(name, sizeof(name), "vm%ju", (uintmax_t)i);
        if (memory_create(m, name, &vm) == 0)
            memory_boot(m, vm);
    }
    if (size->churn && !m->populated)
        memory_churn(size->churn, size->churners);
    m->populated = true;
}

static int memory_open(const struct virt_params *params, struct virt **ret, struct err *err)
{
    ENTER();
    struct herd_size size = {0};
    if (m->open_errno)
        return err_set(err, m->open_errno, "the in-memory hypervisor is told to be away");
    if (!m->clock)
        m->clock = params->clock;
    int r = parse_uri(m, params->uri, &size, err);
    if (r < 0)
        return r;
    populate(m, &size);
    struct virt *v = mem_zalloc(sizeof(*v));
    v->refs = 1;
    v->listener = params->listener;
    v->events = params->events;
    v->read_write = params->read_write;
    v->next = m->connections;
    m->connections = v;
    *ret = v;
    return 0;
}

static void memory_close(struct virt *v)
{
    if (!v)
        return;
    ENTER();
    struct virt **at = &m->connections;
    while (*at && *at != v)
        at = &(*at)->next;
    if (*at)
        *at = v->next;
    unref(v);
}

static bool memory_alive(struct virt *v)
{
    ENTER();
    return !v->dead;
}

static int check_alive(const struct virt *v, struct err *err)
{
    return v->dead ? err_set(err, ENOTCONN, "the connection is gone") : 0;
}

/* Inventory. */

static void describe(const struct memory_vm *vm, struct virt_domain *ret)
{
    *ret = (struct virt_domain){
        .uuid = vm->uuid,
        .name = mem_strdup(vm->name),
        .id = vm->id,
        .state = vm->state,
        .reason = vm->reason,
        .persistent = vm->persistent,
        .is_listed = true,
        .has_snapshots = vm->n_snapshots > 0,
    };
}

static int memory_list(struct virt *v, struct virt_domain **ret, size_t *ret_n, struct err *err)
{
    ENTER();
    int r = check_alive(v, err);
    if (r < 0)
        return r;
    *ret = mem_zalloc((m->n + 1) * sizeof(**ret));
    *ret_n = m->n;
    for (size_t i = 0; i < m->n; i++)
        describe(m->vms[i], &(*ret)[i]);
    return 0;
}

static int find(struct memory *m, const struct virt *v, const struct uuid *uuid,
                struct memory_vm **ret, struct err *err)
{
    int r = check_alive(v, err);
    if (r < 0)
        return r;
    *ret = memory_find(m, uuid);
    return *ret ? 0 : err_set(err, ENOENT, "no such domain");
}

static int memory_lookup(struct virt *v, const struct uuid *uuid, struct virt_domain *ret,
                         struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = find(m, v, uuid, &vm, err);
    if (r == 0)
        describe(vm, ret);
    return r;
}

static void xml_devices(const struct memory_vm *vm, struct buf *b)
{
    for (size_t i = 0; i < vm->disks.n; i++)
        buf_printf(b,
                   "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                   "<source file='/memory/%u-%s.qcow2'/><target dev='%s' bus='virtio'/></disk>",
                   vm->number, vm->disks.items[i].target, vm->disks.items[i].target);
    for (size_t i = 0; vm->spec && i < vm->spec->n_disks; i++) {
        const struct virt_disk *d = &vm->spec->disks[i];
        buf_puts(b, "<disk type='file' device='disk'><source file='/memory/");
        esc_html(b, d->source.volume ? d->source.volume : "");
        buf_printf(b, "'/><target dev='%s' bus='virtio'/></disk>", d->target);
    }
    for (size_t i = 0; i < vm->nics.n; i++)
        buf_printf(b,
                   "<interface type='bridge'><mac address='52:54:00:%02x:%02x:%02zx'/>"
                   "<source bridge='br0'/><target dev='%s'/><model type='virtio'/></interface>",
                   vm->number >> 8 & 255, vm->number & 255, i, vm->nics.items[i].target);
}

static int memory_xml(struct virt *v, const struct uuid *uuid, char **ret_xml, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = find(m, v, uuid, &vm, err);
    if (r < 0)
        return r;
    struct buf b CLEANUP(buf_done);
    buf_init(&b, 1024 * 1024);
    buf_puts(&b, "<domain type='kvm'");
    if (vm->id >= 0)
        buf_printf(&b, " id='%d'", vm->id);
    buf_puts(&b, "><name>");
    esc_html(&b, vm->name);
    buf_printf(&b,
               "</name><memory unit='KiB'>%.0f</memory><vcpu>%u</vcpu><os><type arch='x86_64' "
               "machine='pc-q35-7.2'>hvm</type></os><devices>",
               memory_size_bytes(vm) / 1024, vm->vcpus);
    xml_devices(vm, &b);
    buf_printf(&b,
               "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'%s/>"
               "</channel><memballoon model='virtio'><stats period='2'/></memballoon></devices>"
               "</domain>",
               vm->id < 0      ? ""
               : vm->agentless ? " state='disconnected'"
                               : " state='connected'");
    *ret_xml = buf_take(&b, NULL);
    return *ret_xml ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* Calls that reach the hypervisor process. */

static bool sick(const struct memory_vm *vm)
{
    return vm->fault == MEMORY_FAULT_STOPPED || vm->fault == MEMORY_FAULT_BLOCKED ||
           vm->fault == MEMORY_FAULT_HUNG;
}

// Find a running VM and wait until it is well. It may be gone then, and so may the connection.
static int reach(struct memory *m, struct virt *v, const struct uuid *uuid, struct memory_vm **ret,
                 struct err *err)
{
    int r = find(m, v, uuid, ret, err);
    v->refs++;
    while (r == 0 && (*ret)->id >= 0 && sick(*ret)) {
        m->stuck++;
        pthread_cond_wait(&m->wake, &m->lock);
        m->stuck--;
        r = find(m, v, uuid, ret, err);
    }
    unref(v);
    if (r < 0)
        return r;
    if ((*ret)->id < 0)
        return err_set(err, ENOENT, "the domain does not run");
    if ((*ret)->fault == MEMORY_FAULT_ERROR)
        return err_set(err, EIO, "the domain is told to fail");
    return 0;
}

static void put_balloon(const struct memory *m, const struct memory_vm *vm, struct batch *out)
{
    double size = memory_size_bytes(vm), used = memory_used_bytes(m, vm);
    const struct {
        enum fact fact;
        double value;
    } facts[] = {
        {FACT_VM_MEM_CURRENT, size},
        {FACT_VM_BALLOON_CURRENT, size},
        {FACT_VM_BALLOON_MAXIMUM, size},
        {FACT_VM_GUEST_AVAILABLE, size},
        {FACT_VM_GUEST_USABLE, size - used},
        {FACT_VM_GUEST_UNUSED, (size - used) / 2},
        {FACT_VM_GUEST_DISK_CACHES, (size - used) / 4},
        {FACT_VM_GUEST_SWAP_IN, 0},
        {FACT_VM_GUEST_SWAP_OUT, 0},
        {FACT_VM_GUEST_MAJOR_FAULTS, floor((double)memory_ran_ns(m, vm) / 1e10)},
        {FACT_VM_GUEST_MINOR_FAULTS, floor((double)memory_ran_ns(m, vm) / 1e8)},
        {FACT_VM_BALLOON_RSS, used},
        {FACT_VM_BALLOON_UPDATE,
         floor((double)clock_real_ns(m->clock ? m->clock : &clock_system) / 1e9)},
        {FACT_VM_USED_PERCENT, used / size * 100},
    };
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        batch_fact(out, 0, facts[i].fact, facts[i].value);
}

static void put_disk(const struct memory *m, const struct memory_vm *vm, const char *target,
                     struct batch *out)
{
    double bytes = memory_disk_bytes(m, vm), requests = bytes / 4096;
    const struct {
        enum fact fact;
        double value;
    } facts[] = {
        {FACT_DISK_READ_BYTES, bytes},
        {FACT_DISK_READS, requests},
        {FACT_DISK_READ_TIME, requests * 200e3},
        {FACT_DISK_WRITE_BYTES, bytes * 2},
        {FACT_DISK_WRITES, requests * 2},
        {FACT_DISK_WRITE_TIME, requests * 2 * 500e3},
        {FACT_DISK_FLUSHES, floor(requests / 10)},
        {FACT_DISK_FLUSH_TIME, floor(requests / 10) * 2e6},
        {FACT_DISK_CAPACITY, 10240 * MEMORY_MIB},
        {FACT_DISK_ALLOCATION, 1024 * MEMORY_MIB},
        {FACT_DISK_PHYSICAL, 1024 * MEMORY_MIB},
    };
    uint32_t key = batch_key(out, target);
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        batch_fact(out, key, facts[i].fact, facts[i].value);
}

static int memory_stats(struct virt *v, const struct uuid *uuid, unsigned parts, struct batch *out,
                        struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = reach(m, v, uuid, &vm, err);
    if (r < 0)
        return r;
    batch_fact(out, 0, FACT_VM_STATE, vm->state);
    batch_fact(out, 0, FACT_VM_REASON, vm->reason);
    batch_attr(out, 0, ATTR_VM_STATE, virt_state_name(vm->state));
    batch_attr(out, 0, ATTR_VM_REASON, virt_reason_name(vm->state, vm->reason));
    if (parts & VIRT_PART_MEMORY)
        put_balloon(m, vm, out);
    if (parts & VIRT_PART_JOB)
        batch_fact(out, 0, FACT_VM_JOB_TYPE, 0);
    vm->disk_readings += (parts & VIRT_PART_DISKS) != 0;
    bool tells_disks = parts & VIRT_PART_DISKS && !vm->untold;
    for (size_t i = 0; tells_disks && i < vm->disks.n; i++)
        put_disk(m, vm, vm->disks.items[i].target, out);
    return 0;
}

static int reach_for_act(struct memory *m, struct virt *v, const struct uuid *uuid,
                         struct memory_vm **ret, struct err *err)
{
    if (!v->read_write)
        return err_set(err, EACCES, "the connection is read-only");
    return reach(m, v, uuid, ret, err);
}

static int memory_agent_ping(struct virt *v, const struct uuid *uuid, int timeout_s,
                             struct batch *out, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = reach_for_act(m, v, uuid, &vm, err);
    if (r < 0)
        return r;
    batch_fact(out, 0, FACT_VM_AGENT_UP, 1);
    batch_fact(out, 0, FACT_VM_TIME_OFFSET, vm->number * 1e6);
    return 0;
}

static int memory_agent_info(struct virt *v, const struct uuid *uuid, int timeout_s,
                             struct batch *out, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    int r = reach_for_act(m, v, uuid, &vm, err);
    if (r < 0)
        return r;
    batch_attr(out, 0, ATTR_VM_GUEST_OS, "Debian GNU/Linux 12 (bookworm)");
    batch_attr(out, 0, ATTR_VM_GUEST_OS_ID, "debian");
    batch_attr(out, 0, ATTR_VM_GUEST_KERNEL, "6.1.0-amd64");
    batch_attr(out, 0, ATTR_VM_GUEST_HOSTNAME, vm->name);
    batch_attr(out, 0, ATTR_VM_GUEST_TIMEZONE, "UTC");
    batch_attr(out, 0, ATTR_VM_GUEST_USERS, "root");
    batch_fact(out, 0, FACT_VM_USERS, 1);
    uint32_t key = batch_key(out, "/");
    batch_attr(out, key, ATTR_FS_NAME, "vda1");
    batch_attr(out, key, ATTR_FS_TYPE, "ext4");
    batch_fact(out, key, FACT_FS_TOTAL, 10000 * MEMORY_MIB);
    batch_fact(out, key, FACT_FS_USED, 2000 * MEMORY_MIB + memory_disk_bytes(m, vm));
    return 0;
}

// The time that a measurement takes belongs to a clock that may be a fake: it is over at once.
static int memory_dirty_rate(struct virt *v, const struct uuid *uuid, int seconds,
                             struct batch *out, struct err *err)
{
    ENTER();
    struct memory_vm *vm;
    if (seconds < 1 || seconds > 60)
        return err_set(err, EINVAL, "seconds must be from 1 to 60");
    int r = reach_for_act(m, v, uuid, &vm, err);
    if (r == 0)
        batch_fact(out, 0, FACT_VM_DIRTY_RATE, floor(memory_load(vm) * 100) * MEMORY_MIB);
    return r;
}

/* The host's side of libvirt. */

// Waits for the pool "spare" where it hangs; what check_alive() says then.
static int await_spare(struct memory *m, struct virt *v, struct err *err)
{
    int r = check_alive(v, err);
    v->refs++;
    while (r == 0 && m->spare_hangs) {
        m->stuck++;
        pthread_cond_wait(&m->wake, &m->lock);
        m->stuck--;
        r = check_alive(v, err);
    }
    unref(v);
    return r;
}

static int memory_pools(struct virt *v, char ***ret_names, size_t *ret_n, struct err *err)
{
    ENTER();
    int r = await_spare(m, v, err);
    if (r < 0)
        return r;
    *ret_n = m->has_spare ? 2 : 1;
    *ret_names = mem_zalloc(*ret_n * sizeof(char *));
    (*ret_names)[0] = mem_strdup("default");
    if (m->has_spare)
        (*ret_names)[1] = mem_strdup("spare");
    return 0;
}

static int memory_pool(struct virt *v, const char *name, struct batch *out, struct err *err)
{
    ENTER();
    bool is_spare = m->has_spare && strcmp(name, "spare") == 0;
    int r = is_spare ? await_spare(m, v, err) : check_alive(v, err);
    if (r < 0)
        return r;
    if (!is_spare && strcmp(name, "default") != 0)
        return err_set(err, ENOENT, "no such pool");
    double capacity = 1024 * 1024 * MEMORY_MIB, used = (double)m->n * 1024 * MEMORY_MIB;
    uint32_t key = batch_key(out, name);
    batch_fact(out, key, FACT_POOL_STATE, VIR_STORAGE_POOL_RUNNING);
    batch_fact(out, key, FACT_POOL_CAPACITY, capacity);
    batch_fact(out, key, FACT_POOL_ALLOCATION, used);
    batch_fact(out, key, FACT_POOL_AVAILABLE, fmax(capacity - used, 0));
    return 0;
}

static int memory_networks(struct virt *v, struct batch *out, struct err *err)
{
    ENTER();
    int r = check_alive(v, err);
    if (r < 0)
        return r;
    uint32_t key = batch_key(out, "default");
    batch_fact(out, key, FACT_NETWORK_ACTIVE, 1);
    batch_fact(out, key, FACT_NETWORK_AUTOSTART, 1);
    batch_attr(out, key, ATTR_NETWORK_BRIDGE, "br0");
    return 0;
}

static int memory_versions(struct virt *v, struct batch *out, struct err *err)
{
    ENTER();
    int r = check_alive(v, err);
    if (r < 0)
        return r;
    batch_attr(out, 0, ATTR_HOST_HYPERVISOR_VERSION, "1.0.0");
    batch_attr(out, 0, ATTR_HOST_LIBVIRTD_VERSION, "1.0.0");
    batch_attr(out, 0, ATTR_HOST_LIBRARY_VERSION, "1.0.0");
    return 0;
}

const struct virt_ops virt_memory = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .alive = memory_alive,
    .list = memory_list,
    .lookup = memory_lookup,
    .xml = memory_xml,
    .stored = memory_stored,
    .stats = memory_stats,
    .pools = memory_pools,
    .pool = memory_pool,
    .networks = memory_networks,
    .versions = memory_versions,
    .agent_ping = memory_agent_ping,
    .agent_info = memory_agent_info,
    .dirty_rate = memory_dirty_rate,
};
