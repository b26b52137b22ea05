// SPDX-License-Identifier: GPL-3.0-or-later
// Which parts of a VM's statistics a call asks for: the disks each time (unless they rest, which
// is judged just before the call), everything once in libvirt.slow_interval and after an event, the
// guest's memory also each time unless it cannot have changed much, the job each time while there
// is one. Decisions are made from what the herd holds; the record is written when an answer counts.
#include <math.h>

#include "private.h"

// A guest idles that since its memory was last read ran so little on one CPU, and whose process
// and disks moved so little.
#define IDLE_CPU_RATIO 0.02
#define IDLE_BYTES (4.0 * 1024 * 1024)
// Disks are read so often whatever seems to be; some requests leave no trace.
#define REST_MAX_NS (60 * NS_PER_S)
#define VIRT_RUNNING 1 // virDomainState

static double disk_bytes(const struct vm *vm)
{
    double bytes = 0;
    OBJECT_FOREACH_CHILD (disk, &vm->obj, KIND_DISK)
        bytes += object_fact(disk, FACT_DISK_READ_BYTES) + object_fact(disk, FACT_DISK_WRITE_BYTES);
    return bytes;
}

// What is not known (NaN) speaks against it.
static bool has_idled(const struct vm *vm, const struct pace *p, int64_t now_ns)
{
    double ran_ns = object_fact(&vm->obj, FACT_VM_VCPU_RUN) - p->ran_ns;
    return ran_ns <= IDLE_CPU_RATIO * (double)(now_ns - p->memory_ns) &&
           fabs(object_fact(&vm->obj, FACT_VM_RSS) - p->rss_bytes) <= IDLE_BYTES &&
           fabs(disk_bytes(vm) - p->disk_bytes) <= IDLE_BYTES;
}

bool pace_may_rest(const struct vm *vm, const struct pace *p, const struct conf *conf,
                   int64_t now_ns)
{
    // A process whose emulator has not run since may hang: it is to answer.
    bool is_well = object_fact(&vm->obj, FACT_VM_STATE) == VIRT_RUNNING &&
                   !(object_fact(&vm->obj, FACT_VM_JOB_TYPE) > 0) &&
                   object_fact(&vm->obj, FACT_VM_EMULATOR_RUN) > p->emulator_ns;
    if (!is_well || now_ns - p->disks_ns >= REST_MAX_NS - conf->libvirt.interval_ns / 2)
        return false;
    OBJECT_FOREACH_CHILD (disk, &vm->obj, KIND_DISK)
        if (disk->updated_ns[LANE_LIBVIRT] == 0 || !still_sees(disk))
            return false;
    return true;
}

static bool is_slow_due(const struct pace *p, const struct conf *conf, bool joins, int64_t now_ns)
{
    int64_t every_ns = joins ? conf->libvirt.slow_interval_ns / 2 : conf->libvirt.slow_interval_ns;
    // Calls lie an interval apart: half of one before is the nearest.
    int64_t pause_ns = every_ns - conf->libvirt.interval_ns / 2;
    return p->slow_ns == 0 || now_ns - p->slow_ns >= pause_ns;
}

unsigned pace_parts(const struct vm *vm, const struct pace *p, const struct conf *conf, bool joins,
                    int64_t now_ns)
{
    if (is_slow_due(p, conf, joins && p->is_spread, now_ns))
        return VIRT_PARTS_ALL;
    unsigned parts = VIRT_PART_DISKS;
    if (!p->is_still && !has_idled(vm, p, now_ns))
        parts |= VIRT_PART_MEMORY;
    if (object_fact(&vm->obj, FACT_VM_JOB_TYPE) > 0)
        parts |= VIRT_PART_JOB;
    return parts;
}

void pace_note(const struct vm *vm, struct pace *p, unsigned parts, const struct host_io *io,
               const struct conf *conf, int64_t now_ns)
{
    p->emulator_ns = object_fact(&vm->obj, FACT_VM_EMULATOR_RUN);
    if (parts & VIRT_PART_DISKS) {
        p->disks_ns = now_ns;
        still_step(&p->still, io, now_ns);
    }
    if (parts == VIRT_PARTS_ALL) {
        // VMs that were found together part after the first time.
        int64_t share_ns = conf->libvirt.slow_interval_ns / 256;
        p->slow_ns = p->was_slow ? now_ns : now_ns - share_ns * vm->uuid.b[UUID_BYTES - 1];
        p->is_spread = p->was_slow;
        p->was_slow = true;
    }
    if (!(parts & VIRT_PART_MEMORY))
        return;
    double update = object_fact(&vm->obj, FACT_VM_BALLOON_UPDATE);
    p->is_still = isnan(update) || update == p->update;
    p->update = update;
    p->memory_ns = now_ns;
    p->ran_ns = object_fact(&vm->obj, FACT_VM_VCPU_RUN);
    p->rss_bytes = object_fact(&vm->obj, FACT_VM_RSS);
    p->disk_bytes = disk_bytes(vm);
}
