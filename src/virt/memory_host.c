// SPDX-License-Identifier: GPL-3.0-or-later
// The in-memory hypervisor as the kernel would show it: a process for each running VM and a host
// with four CPUs. Used by the sampler's thread; the herd's lock is held while a batch is filled
// and let go before it is emitted.
#include <errno.h>
#include <libvirt/libvirt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "memory_priv.h"
#include "virt/host.h"

#define HOST_CPUS 4
#define PID_BASE 100000
#define TICKS_PER_S 100

struct process {
    int64_t start_ticks;
    struct uuid uuid;
    int32_t pid;
    bool named; // its first sample has told the name
    bool seen;  // by the scan under way
};

struct host {
    const struct clock *clock;
    int64_t opened_ns;
    struct process *processes;
    size_t n, cap;
    size_t slow_at;
};

static int host_open(const struct host_params *params, struct host **ret, struct err *err)
{
    struct host *h = mem_zalloc(sizeof(*h));
    h->clock = params->clock;
    h->opened_ns = clock_mono_ns(params->clock);
    *ret = h;
    return 0;
}

static void host_close(struct host *h)
{
    if (!h)
        return;
    free(h->processes);
    free(h);
}

static int32_t pid_of(const struct memory_vm *vm)
{
    return PID_BASE + vm->id;
}

static struct process *find_process(struct host *h, const struct memory_vm *vm)
{
    for (size_t i = 0; i < h->n; i++) {
        if (h->processes[i].pid == pid_of(vm) && uuid_equal(&h->processes[i].uuid, &vm->uuid))
            return &h->processes[i];
    }
    return NULL;
}

static int64_t start_ticks(const struct memory_vm *vm)
{
    return vm->started_ns / (NS_PER_S / TICKS_PER_S);
}

static void note_running(struct host *h)
{
    struct memory *m CLEANUP(memory_leavep) = memory_enter();
    for (size_t i = 0; i < m->n; i++) {
        if (m->vms[i]->id < 0)
            continue;
        struct process *p = find_process(h, m->vms[i]);
        if (!p) {
            mem_grow(&h->processes, &h->cap, h->n, sizeof(*h->processes));
            p = &h->processes[h->n++];
            *p = (struct process){.uuid = m->vms[i]->uuid,
                                  .pid = pid_of(m->vms[i]),
                                  .start_ticks = start_ticks(m->vms[i])};
        }
        p->seen = true;
    }
}

static struct batch *begin(const struct host_sink *sink, enum lane lane, int64_t mono_ns)
{
    struct batch *b = sink->batch(sink->arg);
    b->lane = lane;
    b->mono_ns = mono_ns;
    return b;
}

static void host_scan(struct host *h, const struct host_sink *sink)
{
    int64_t now = clock_mono_ns(h->clock);
    size_t kept = 0;
    note_running(h);
    for (size_t i = 0; i < h->n; i++) {
        struct process p = h->processes[i];
        if (p.seen) {
            p.seen = false;
            h->processes[kept++] = p;
            continue;
        }
        struct batch *b = begin(sink, LANE_KERNEL, now);
        b->uuid = p.uuid;
        b->process_start = p.start_ticks;
        sink->emit(b, sink->arg);
    }
    h->n = kept;
}

static void put_vcpus(const struct memory_vm *vm, double ran, struct batch *b)
{
    for (unsigned i = 0; i < vm->vcpus; i++) {
        char id[8];
        snprintf(id, sizeof(id), "%u", i);
        uint32_t key = batch_key(b, id);
        batch_fact(b, key, FACT_VCPU_RUN, floor(ran * memory_load(vm)));
        batch_fact(b, key, FACT_VCPU_WAIT, floor(ran * memory_load(vm) / 50));
        batch_fact(b, key, FACT_VCPU_SLICES, floor(ran / 1e7));
        batch_fact(b, key, FACT_VCPU_CPU, (vm->number + i) % HOST_CPUS);
        batch_fact(b, key, FACT_VCPU_STATE, 1);
        batch_fact(b, key, FACT_VCPU_SWITCHES_VOLUNTARY, floor(ran / 1e8));
        batch_fact(b, key, FACT_VCPU_SWITCHES_FORCED, floor(ran / 1e9));
    }
}

static void put_process(const struct memory *m, const struct memory_vm *vm, char letter,
                        struct batch *b)
{
    double ran = (double)memory_ran_ns(m, vm);
    double vcpu = floor(ran * memory_load(vm)) * vm->vcpus, emulator = floor(ran / 100);
    double real = (double)clock_real_ns(m->clock ? m->clock : &clock_system);
    const struct {
        enum fact fact;
        double value;
    } facts[] = {
        {FACT_VM_CPU, vcpu + emulator},
        {FACT_VM_VCPU_RUN, vcpu},
        {FACT_VM_VCPU_WAIT, floor(ran * memory_load(vm) / 50) * vm->vcpus},
        {FACT_VM_EMULATOR_RUN, emulator},
        {FACT_VM_EMULATOR_WAIT, floor(emulator / 50)},
        {FACT_VM_THREADS, vm->vcpus + 2},
        {FACT_VM_START_TIME, floor((real - (double)(memory_now(m) - vm->started_ns)) / 1e9)},
        {FACT_VM_RSS, memory_used_bytes(m, vm)},
        {FACT_VM_MAJOR_FAULTS, floor(ran / 1e11)},
    };
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        batch_fact(b, 0, facts[i].fact, facts[i].value);
    batch_attr(b, 0, ATTR_VM_PROCESS_STATE, (char[]){letter, '\0'});
    put_vcpus(vm, ran, b);
}

static char letter_of(const struct memory_vm *vm)
{
    return vm->fault == MEMORY_FAULT_STOPPED ? 'T' : vm->fault == MEMORY_FAULT_BLOCKED ? 'D' : 'S';
}

// False where the process is gone; the batch then says so.
static bool fill_process(struct process *p, struct batch *b)
{
    struct memory *m CLEANUP(memory_leavep) = memory_enter();
    const struct memory_vm *vm = memory_find(m, &p->uuid);
    b->uuid = p->uuid;
    if (!vm || vm->id < 0 || pid_of(vm) != p->pid)
        return false;
    b->pid = p->pid;
    b->process_start = start_ticks(vm);
    if (!p->named)
        batch_attr(b, 0, ATTR_VM_NAME, vm->name);
    p->named = true;
    put_process(m, vm, letter_of(vm), b);
    return true;
}

static void put_cpus(double up, struct batch *b)
{
    static const struct {
        enum fact fact;
        double part;
    } parts[] = {
        {FACT_CPU_USER, 0.10},    {FACT_CPU_NICE, 0},   {FACT_CPU_SYSTEM, 0.05},
        {FACT_CPU_IDLE, 0.45},    {FACT_CPU_IOWAIT, 0}, {FACT_CPU_IRQ, 0},
        {FACT_CPU_SOFTIRQ, 0},    {FACT_CPU_STEAL, 0},  {FACT_CPU_GUEST, 0.40},
        {FACT_CPU_GUEST_NICE, 0},
    };
    for (int i = 0; i < HOST_CPUS; i++) {
        char id[8];
        snprintf(id, sizeof(id), "%d", i);
        uint32_t key = batch_key(b, id);
        for (size_t p = 0; p < ARRAY_LEN(parts); p++)
            batch_fact(b, key, parts[p].fact, floor(up * parts[p].part));
    }
}

static void put_host(double up, double real, struct batch *b)
{
    const struct {
        enum fact fact;
        double value;
    } facts[] = {
        {FACT_HOST_BOOT_TIME, floor((real - up) / 1e9)},
        {FACT_HOST_CPUS, HOST_CPUS},
        {FACT_HOST_LOAD1, 2},
        {FACT_HOST_LOAD5, 2},
        {FACT_HOST_LOAD15, 2},
        {FACT_HOST_MEM_TOTAL, 65536 * MEMORY_MIB},
        {FACT_HOST_MEM_FREE, 16384 * MEMORY_MIB},
        {FACT_HOST_MEM_AVAILABLE, 32768 * MEMORY_MIB},
        {FACT_HOST_SWAP_TOTAL, 0},
        {FACT_HOST_SWAP_FREE, 0},
        {FACT_HOST_CONTEXT_SWITCHES, floor(up / 1e5)},
    };
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        batch_fact(b, 0, facts[i].fact, facts[i].value);
    put_cpus(up, b);
}

// A tap sends what the guest receives.
static void put_taps(struct batch *b)
{
    struct memory *m CLEANUP(memory_leavep) = memory_enter();
    for (size_t i = 0; i < m->n; i++) {
        const struct memory_vm *vm = m->vms[i];
        double bytes = memory_nic_bytes(m, vm);
        for (size_t d = 0; vm->id >= 0 && d < vm->nics.n; d++) {
            uint32_t key = batch_key(b, vm->nics.items[d].target);
            batch_fact(b, key, FACT_HNIC_TX_BYTES, bytes);
            batch_fact(b, key, FACT_HNIC_TX_PACKETS, floor(bytes / 800));
            batch_fact(b, key, FACT_HNIC_TX_ERRORS, 0);
            batch_fact(b, key, FACT_HNIC_TX_DROPS, 0);
            batch_fact(b, key, FACT_HNIC_RX_BYTES, floor(bytes / 4));
            batch_fact(b, key, FACT_HNIC_RX_PACKETS, floor(bytes / 1600));
            batch_fact(b, key, FACT_HNIC_RX_ERRORS, 0);
            batch_fact(b, key, FACT_HNIC_RX_DROPS, 0);
            batch_fact(b, key, FACT_HNIC_UP, 1);
        }
    }
}

static void host_sample(struct host *h, int64_t mono_ns, const struct host_sink *sink)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->n; i++) {
        struct batch *b = begin(sink, LANE_KERNEL, mono_ns);
        if (fill_process(&h->processes[i], b))
            h->processes[kept++] = h->processes[i];
        sink->emit(b, sink->arg);
    }
    h->n = kept;
    struct batch *b = begin(sink, LANE_HOST, mono_ns);
    b->host = true;
    put_host((double)(mono_ns - h->opened_ns), (double)clock_real_ns(h->clock), b);
    put_taps(b);
    sink->emit(b, sink->arg);
}

static void fill_slow(const struct process *p, struct batch *b)
{
    struct memory *m CLEANUP(memory_leavep) = memory_enter();
    const struct memory_vm *vm = memory_find(m, &p->uuid);
    b->uuid = p->uuid;
    if (!vm || vm->id < 0)
        return;
    b->pid = p->pid;
    b->process_start = start_ticks(vm);
    batch_fact(b, 0, FACT_VM_PSS, memory_used_bytes(m, vm));
    batch_fact(b, 0, FACT_VM_SWAP, 0);
}

static int host_slow(struct host *h, int64_t mono_ns, const struct host_sink *sink)
{
    if (h->slow_at < h->n) {
        struct batch *b = begin(sink, LANE_SLOW, mono_ns);
        fill_slow(&h->processes[h->slow_at++], b);
        sink->emit(b, sink->arg);
    }
    if (h->slow_at < h->n)
        return (int)(h->n - h->slow_at);
    h->slow_at = 0;
    return 0;
}

const struct host_ops host_memory = {
    .name = "memory",
    .open = host_open,
    .close = host_close,
    .scan = host_scan,
    .sample = host_sample,
    .slow = host_slow,
    .process_state = host_memory_process_state,
    .process_io = host_memory_process_io,
};
