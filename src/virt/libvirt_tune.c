// SPDX-License-Identifier: GPL-3.0-or-later
// Sizes, devices and limits of VMs through libvirt, while they run or for the next start.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libvirt_change.h"

#define DEVICE_XML_MAX 65536
#define DETACH_WAIT_MS 20000
#define DETACH_STEP_MS 200
#define CPUS_MAX 4096

/* Sizes. */

static void read_live(virDomainPtr d, struct virt_size *ret)
{
    virDomainInfo info = {0};
    if (virDomainGetInfo(d, &info) == 0) {
        ret->vcpus = info.nrVirtCpu;
        ret->memory_bytes = ret->balloon_bytes = (uint64_t)info.memory * 1024;
        ret->max_memory_bytes = (uint64_t)info.maxMem * 1024;
    }
    int max = virDomainGetVcpusFlags(d, VIR_DOMAIN_VCPU_MAXIMUM | VIR_DOMAIN_AFFECT_CURRENT);
    ret->max_vcpus = max > 0 ? (unsigned)max : 0;
    virDomainMemoryStatStruct stats[VIR_DOMAIN_MEMORY_STAT_NR];
    int n = virDomainMemoryStats(d, stats, VIR_DOMAIN_MEMORY_STAT_NR, 0);
    for (int i = 0; i < n; i++)
        if (stats[i].tag == VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON)
            ret->balloon_bytes = (uint64_t)stats[i].val * 1024;
        else if (stats[i].tag == VIR_DOMAIN_MEMORY_STAT_AVAILABLE)
            ret->guest_memory_bytes = (uint64_t)stats[i].val * 1024;
}

static uint64_t dimm_bytes(const struct virt_spec *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->n_dimms; i++)
        sum += s->dimms[i];
    return sum;
}

// What is in the running VM may differ from its definition.
static void read_live_document(virDomainPtr d, struct virt_size *ret)
{
    char *live CLEANUP(freep) = virDomainGetXMLDesc(d, 0);
    struct virt_spec spec CLEANUP(virt_spec_done) = {0};
    if (!live || virt_spec_read(live, strlen(live), &spec, NULL) < 0)
        return;
    ret->plugged_vcpus = virt_plugged_vcpus(live, strlen(live));
    ret->plug_bytes = spec.plug_bytes;
    ret->plugged_bytes = dimm_bytes(&spec);
}

// The agent is asked only where its channel is open; its answer is the guest's own count.
static int guest_vcpus(virDomainPtr d)
{
    virDomainAgentSetResponseTimeout(d, 3, 0);
    return virDomainGetVcpusFlags(d, VIR_DOMAIN_VCPU_GUEST);
}

int virt_libvirt_size(struct virt *v, const struct uuid *uuid, struct virt_size *ret,
                      struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct virt_size size = {.guest_vcpus = -1};
    char *xml CLEANUP(freep) = virDomainGetXMLDesc(c.domain, VIR_DOMAIN_XML_INACTIVE);
    struct virt_spec spec CLEANUP(virt_spec_done) = {0};
    int r = xml ? virt_spec_read(xml, strlen(xml), &spec, err)
                : virt_libvirt_error(err, "reading a VM's definition");
    if (r < 0)
        return r;
    size.config_vcpus = spec.vcpus;
    size.config_memory_bytes = spec.memory_bytes;
    size.vcpus = spec.vcpus;
    size.max_vcpus = spec.max_vcpus;
    size.memory_bytes = spec.memory_bytes;
    size.max_memory_bytes = spec.max_memory_bytes;
    size.plug_bytes = spec.plug_bytes;
    size.plugged_bytes = dimm_bytes(&spec);
    int active = virt_change_active(&c, err);
    if (active < 0)
        return active;
    if (active == 1) {
        read_live(c.domain, &size);
        size.guest_vcpus = guest_vcpus(c.domain);
        read_live_document(c.domain, &size);
    }
    *ret = size;
    return 0;
}

int virt_libvirt_set_vcpus(struct virt *v, const struct uuid *uuid, unsigned n, unsigned scope,
                           bool max, struct err *err)
{
    CHANGE(c, v, uuid, err);
    unsigned flags = virt_change_flags(&c, scope) | (max ? VIR_DOMAIN_VCPU_MAXIMUM : 0);
    return virDomainSetVcpusFlags(c.domain, n, flags) < 0
               ? virt_libvirt_error(err, "changing the number of vCPUs")
               : 0;
}

int virt_libvirt_set_memory(struct virt *v, const struct uuid *uuid, uint64_t bytes, unsigned scope,
                            bool max, struct err *err)
{
    CHANGE(c, v, uuid, err);
    unsigned flags = virt_change_flags(&c, scope) | (max ? VIR_DOMAIN_MEM_MAXIMUM : 0);
    return virDomainSetMemoryFlags(c.domain, (unsigned long)(bytes / 1024), flags) < 0
               ? virt_libvirt_error(err, "changing the memory")
               : 0;
}

int virt_libvirt_cpu_limits(struct virt *v, const struct uuid *uuid,
                            const struct virt_cpu_limits *limits, unsigned scope, struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct typed_params p CLEANUP(typed_params_done) = {0};
    int max = 0, r = 0;
    if (limits->shares >= 0)
        r |= virTypedParamsAddULLong(&p.items, &p.n, &max, VIR_DOMAIN_SCHEDULER_CPU_SHARES,
                                     (unsigned long long)limits->shares);
    if (limits->quota_us >= 0) {
        r |= virTypedParamsAddULLong(&p.items, &p.n, &max, VIR_DOMAIN_SCHEDULER_VCPU_PERIOD,
                                     (unsigned long long)limits->period_us);
        r |= virTypedParamsAddLLong(&p.items, &p.n, &max, VIR_DOMAIN_SCHEDULER_VCPU_QUOTA,
                                    limits->quota_us ? limits->quota_us : -1);
    }
    if (r < 0 || virDomainSetSchedulerParametersFlags(c.domain, p.items, p.n,
                                                      virt_change_flags(&c, scope)) < 0)
        return virt_libvirt_error(err, "setting CPU limits");
    return 0;
}

// "0-3,6,^2" as a bitmap; libvirt has no public parser.
static int read_cpus(const char *text, unsigned char *map, size_t bytes, size_t *ret_bytes,
                     struct err *err)
{
    const char *p = text;
    size_t highest = 0;
    while (*p) {
        bool out = *p == '^';
        char *end;
        unsigned long first = strtoul(p + out, &end, 10), last = first;
        if (end == p + out || p[out] < '0' || p[out] > '9')
            break;
        if (*end == '-' && end[1] >= '0' && end[1] <= '9')
            last = strtoul(end + 1, &end, 10);
        if (last < first || last >= bytes * 8)
            break;
        for (unsigned long i = first; i <= last; i++) {
            unsigned char bit = (unsigned char)(1u << (i % 8));
            map[i / 8] = (unsigned char)(out ? map[i / 8] & ~bit : map[i / 8] | bit);
        }
        highest = MAX_OF(highest, last);
        if (*end == '\0') {
            *ret_bytes = highest / 8 + 1;
            return 0;
        }
        if (*end != ',')
            break;
        p = end + 1;
    }
    return err_set(err, EINVAL, "\"%s\" is no list of CPUs such as 0-3,6", text);
}

int virt_libvirt_pin(struct virt *v, const struct uuid *uuid, unsigned vcpu, const char *cpus,
                     unsigned scope, struct err *err)
{
    unsigned char map[CPUS_MAX / 8] = {0};
    size_t bytes = 0;
    int r = read_cpus(cpus, map, sizeof(map), &bytes, err);
    if (r < 0)
        return r;
    CHANGE(c, v, uuid, err);
    return virDomainPinVcpuFlags(c.domain, vcpu, map, (int)bytes, virt_change_flags(&c, scope)) < 0
               ? virt_libvirt_error(err, "pinning a vCPU")
               : 0;
}

/* Devices. */

static int attach(struct change *c, const struct buf *xml, unsigned scope, const char *what,
                  struct err *err)
{
    if (virDomainAttachDeviceFlags(c->domain, xml->data, virt_change_flags(c, scope)) < 0)
        return virt_libvirt_error(err, what);
    return 0;
}

int virt_libvirt_attach_disk(struct virt *v, const struct uuid *uuid, const struct virt_disk *disk,
                             unsigned scope, struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct buf xml CLEANUP(buf_done);
    buf_init(&xml, DEVICE_XML_MAX);
    int r = virt_volume_find(&c.use, (struct virt_volume *)&disk->source, err);
    if (r < 0)
        return r;
    virt_disk_write(disk, &xml);
    return attach(&c, &xml, scope, "attaching the disk", err);
}

int virt_libvirt_attach_nic(struct virt *v, const struct uuid *uuid, const struct virt_nic *nic,
                            unsigned scope, struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct buf xml CLEANUP(buf_done);
    buf_init(&xml, DEVICE_XML_MAX);
    virt_nic_write(nic, &xml);
    return attach(&c, &xml, scope, "attaching the NIC", err);
}

// Does the running VM (live) or its definition have the device? -errno.
static int has_device(struct change *c, bool live, bool disk, const char *name, struct err *err)
{
    char *xml CLEANUP(freep) = virDomainGetXMLDesc(c->domain, live ? 0 : VIR_DOMAIN_XML_INACTIVE);
    struct virt_spec spec CLEANUP(virt_spec_done) = {0};
    int r = xml ? virt_spec_read(xml, strlen(xml), &spec, err)
                : virt_libvirt_error(err, "reading the VM");
    if (r < 0)
        return r;
    for (size_t i = 0; disk && i < spec.n_disks; i++)
        if (spec.disks[i].target && strcmp(spec.disks[i].target, name) == 0)
            return 1;
    for (size_t i = 0; !disk && i < spec.n_nics; i++)
        if (spec.nics[i].mac && strcasecmp(spec.nics[i].mac, name) == 0)
            return 1;
    return 0;
}

// The guest lets a device go in its own time, or never.
static int wait_detached(struct change *c, bool disk, const char *name, struct err *err)
{
    const struct timespec step = {.tv_nsec = DETACH_STEP_MS * 1000000L};
    for (int ms = 0; ms < DETACH_WAIT_MS; ms += DETACH_STEP_MS) {
        int there = has_device(c, true, disk, name, err);
        if (there <= 0)
            return there;
        nanosleep(&step, NULL);
    }
    return err_set(err, ETIMEDOUT, "the guest has not let %s go within %d s; it is still there",
                   name, DETACH_WAIT_MS / 1000);
}

static int detach(struct change *c, bool disk, const char *name, const char *xml, unsigned scope,
                  struct err *err)
{
    unsigned flags = virt_change_flags(c, scope);
    int in_live = flags & VIR_DOMAIN_AFFECT_LIVE ? has_device(c, true, disk, name, err) : 0;
    int in_config = flags & VIR_DOMAIN_AFFECT_CONFIG ? has_device(c, false, disk, name, err) : 0;
    if (in_live < 0 || in_config < 0)
        return MIN_OF(in_live, in_config);
    if (!in_live && !in_config)
        return err_set(err, ENOENT, "the VM has no %s %s", disk ? "disk" : "NIC", name);
    // The running VM first: where the guest keeps the device, the definition keeps it too.
    if (in_live && virDomainDetachDeviceFlags(c->domain, xml, VIR_DOMAIN_AFFECT_LIVE) < 0)
        return virt_libvirt_error(err, "detaching the device");
    int r = in_live ? wait_detached(c, disk, name, err) : 0;
    if (r == 0 && in_config &&
        virDomainDetachDeviceFlags(c->domain, xml, VIR_DOMAIN_AFFECT_CONFIG) < 0)
        r = virt_libvirt_error(err, "detaching the device from the definition");
    return r;
}

int virt_libvirt_detach_disk(struct virt *v, const struct uuid *uuid, const char *target,
                             unsigned scope, struct err *err)
{
    CHANGE(c, v, uuid, err);
    const struct virt_disk disk = {.target = (char *)target};
    struct buf xml CLEANUP(buf_done);
    buf_init(&xml, DEVICE_XML_MAX);
    virt_disk_write(&disk, &xml);
    return detach(&c, true, target, xml.data, scope, err);
}

int virt_libvirt_detach_nic(struct virt *v, const struct uuid *uuid, const char *mac,
                            unsigned scope, struct err *err)
{
    CHANGE(c, v, uuid, err);
    char *xml CLEANUP(freep) = virDomainGetXMLDesc(c.domain, 0);
    struct virt_spec spec CLEANUP(virt_spec_done) = {0};
    int r = xml ? virt_spec_read(xml, strlen(xml), &spec, err)
                : virt_libvirt_error(err, "reading the VM");
    if (r < 0)
        return r;
    for (size_t i = 0; i < spec.n_nics; i++) {
        if (!spec.nics[i].mac || strcasecmp(spec.nics[i].mac, mac) != 0)
            continue;
        struct buf device CLEANUP(buf_done);
        buf_init(&device, DEVICE_XML_MAX);
        virt_nic_write(&spec.nics[i], &device);
        return detach(&c, false, mac, device.data, scope, err);
    }
    return err_set(err, ENOENT, "the VM has no NIC %s", mac);
}

/* DIMMs. */

int virt_libvirt_plug_memory(struct virt *v, const struct uuid *uuid, uint64_t bytes,
                             unsigned scope, struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct buf xml CLEANUP(buf_done);
    buf_init(&xml, DEVICE_XML_MAX);
    virt_dimm_write(bytes, &xml);
    return attach(&c, &xml, scope, "plugging memory", err);
}

// How many DIMMs of this size the running VM (live) or its definition has. -errno.
static int count_dimms(struct change *c, bool live, uint64_t bytes, struct err *err)
{
    char *xml CLEANUP(freep) = virDomainGetXMLDesc(c->domain, live ? 0 : VIR_DOMAIN_XML_INACTIVE);
    struct virt_spec spec CLEANUP(virt_spec_done) = {0};
    int n = 0, r = xml ? virt_spec_read(xml, strlen(xml), &spec, err)
                       : virt_libvirt_error(err, "reading the VM");
    for (size_t i = 0; r == 0 && i < spec.n_dimms; i++)
        n += spec.dimms[i] == bytes;
    return r < 0 ? r : n;
}

static int wait_unplugged(struct change *c, uint64_t bytes, int before, struct err *err)
{
    const struct timespec step = {.tv_nsec = DETACH_STEP_MS * 1000000L};
    for (int ms = 0; ms < DETACH_WAIT_MS; ms += DETACH_STEP_MS) {
        int n = count_dimms(c, true, bytes, err);
        if (n < before)
            return MIN_OF(n, 0);
        nanosleep(&step, NULL);
    }
    return err_set(err, ETIMEDOUT, "the guest has not let the memory go within %d s",
                   DETACH_WAIT_MS / 1000);
}

int virt_libvirt_unplug_memory(struct virt *v, const struct uuid *uuid, uint64_t bytes,
                               unsigned scope, struct err *err)
{
    CHANGE(c, v, uuid, err);
    unsigned flags = virt_change_flags(&c, scope);
    int live = flags & VIR_DOMAIN_AFFECT_LIVE ? count_dimms(&c, true, bytes, err) : 0;
    int config = flags & VIR_DOMAIN_AFFECT_CONFIG ? count_dimms(&c, false, bytes, err) : 0;
    if (live < 0 || config < 0)
        return MIN_OF(live, config);
    if (!live && !config)
        return err_set(err, ENOENT, "the VM has no DIMM of %ju bytes", (uintmax_t)bytes);
    struct buf xml CLEANUP(buf_done);
    buf_init(&xml, DEVICE_XML_MAX);
    virt_dimm_write(bytes, &xml);
    if (live && virDomainDetachDeviceFlags(c.domain, xml.data, VIR_DOMAIN_AFFECT_LIVE) < 0)
        return virt_libvirt_error(err, "unplugging memory");
    int r = live ? wait_unplugged(&c, bytes, live, err) : 0;
    if (r == 0 && config &&
        virDomainDetachDeviceFlags(c.domain, xml.data, VIR_DOMAIN_AFFECT_CONFIG) < 0)
        r = virt_libvirt_error(err, "taking memory out of the definition");
    return r;
}

/* Limits. */

int virt_libvirt_disk_limits(struct virt *v, const struct uuid *uuid, const char *target,
                             const struct virt_disk_limits *limits, unsigned scope, struct err *err)
{
    const struct {
        const char *name;
        int64_t value;
    } fields[] = {
        {VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC, limits->read_bytes},
        {VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC, limits->write_bytes},
        {VIR_DOMAIN_BLOCK_IOTUNE_READ_IOPS_SEC, limits->read_iops},
        {VIR_DOMAIN_BLOCK_IOTUNE_WRITE_IOPS_SEC, limits->write_iops},
    };
    CHANGE(c, v, uuid, err);
    struct typed_params p CLEANUP(typed_params_done) = {0};
    int max = 0;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (fields[i].value >= 0 &&
            virTypedParamsAddULLong(&p.items, &p.n, &max, fields[i].name,
                                    (unsigned long long)fields[i].value) < 0)
            return virt_libvirt_error(err, "throttling the disk");
    return virDomainSetBlockIoTune(c.domain, target, p.items, p.n, virt_change_flags(&c, scope)) < 0
               ? virt_libvirt_error(err, "throttling the disk")
               : 0;
}

int virt_libvirt_nic_limits(struct virt *v, const struct uuid *uuid, const char *mac,
                            const struct virt_nic_limits *limits, unsigned scope, struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct typed_params p CLEANUP(typed_params_done) = {0};
    int max = 0, r = 0;
    if (limits->in_kib >= 0)
        r |= virTypedParamsAddUInt(&p.items, &p.n, &max, VIR_DOMAIN_BANDWIDTH_IN_AVERAGE,
                                   (unsigned)limits->in_kib);
    if (limits->out_kib >= 0)
        r |= virTypedParamsAddUInt(&p.items, &p.n, &max, VIR_DOMAIN_BANDWIDTH_OUT_AVERAGE,
                                   (unsigned)limits->out_kib);
    if (r < 0 || virDomainSetInterfaceParameters(c.domain, mac, p.items, p.n,
                                                 virt_change_flags(&c, scope)) < 0)
        return virt_libvirt_error(err, "throttling the NIC");
    return 0;
}

int virt_libvirt_grow_disk(struct virt *v, const struct uuid *uuid, const char *target,
                           uint64_t bytes, struct err *err)
{
    CHANGE(c, v, uuid, err);
    virDomainBlockInfo info;
    if (virDomainGetBlockInfo(c.domain, target, &info, 0) < 0)
        return virt_libvirt_error(err, "reading the disk");
    if (bytes < info.capacity)
        return err_set(err, EINVAL, "the disk has %llu bytes: shrinking would cut data off",
                       info.capacity);
    return virDomainBlockResize(c.domain, target, bytes, VIR_DOMAIN_BLOCK_RESIZE_BYTES) < 0
               ? virt_libvirt_error(err, "growing the disk")
               : 0;
}
