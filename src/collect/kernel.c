// SPDX-License-Identifier: GPL-3.0-or-later
// What the sampler saw, into the herd: processes to VMs, taps to the VMs' NICs; once a second, when
// the host's batch closes the sample, rates, history, flags.
#include <stdio.h>
#include <string.h>

#include "private.h"

// Two processes may carry one UUID for a while (a migration on one machine): the first one stays
// until it is silent for this long.
#define SILENT_NS (5 * NS_PER_S / 2)
// A process is often in state D for a moment; a fault is one that stays.
#define BLOCKED_TICKS 3

static bool is_other_process(const struct vm_rec *rec, const struct batch *b)
{
    return rec->pid && (rec->pid != b->pid || rec->process_start != b->process_start);
}

static void process_gone(struct collector *c, struct vm *vm)
{
    struct vm_rec *rec = rec_of(vm);
    rec->pid = 0;
    rec->blocked_ticks = 0;
    vm->process_state = 0;
    vm_clear_lane(vm, LANE_KERNEL);
    vm_clear_lane(vm, LANE_TURN);
    vm_clear_lane(vm, LANE_SLOW);
    object_clear(&vm->obj, KIND_VCPU);
    object_set_attr(&vm->obj, ATTR_VM_PID, NULL);
    object_set_attr(&vm->obj, ATTR_VM_PROCESS_STATE, NULL);
    if (!vm->in_libvirt)
        inventory_drop_unknown(c, vm);
    else if (vm->active && c->sampler) // it may have been started again
        sampler_scan_soon(c->sampler);
}

static void note_process(struct collector *c, struct vm *vm, const struct batch *b)
{
    struct vm_rec *rec = rec_of(vm);
    if (rec->pid != b->pid || rec->process_start != b->process_start) {
        rec->pid = b->pid;
        rec->process_start = b->process_start;
        vm_clear_lane(vm, LANE_TURN);
        vm->obj.before_ns = 0;
        CLEANUP(freep) char *pid = mem_printf("%d", (int)b->pid);
        object_set_attr(&vm->obj, ATTR_VM_PID, pid);
        if (c->p.process)
            c->p.process(vm, (int)b->pid, c->p.arg);
    }
    rec->kernel_ns = b->mono_ns;
}

// The command line's name serves only until libvirt tells the real one; the attribute itself must
// go through herd_vm_rename(), which keeps the order.
static void take_name(struct collector *c, struct vm *vm, const struct batch *b)
{
    for (uint32_t i = 0; i < b->n_rows; i++)
        if (b->rows[i].attr == ATTR_VM_NAME && b->rows[i].text && !vm->in_libvirt)
            herd_vm_rename(c->herd, vm, b->text + b->rows[i].text);
}

static void apply_without_name(const struct batch *b, struct object *o)
{
    struct batch rest = *b;
    CLEANUP(freep) struct batch_row *rows = NULL;
    for (uint32_t i = 0; i < b->n_rows; i++) {
        if (b->rows[i].attr != ATTR_VM_NAME)
            continue;
        rows = mem_zalloc(b->n_rows * sizeof(*rows));
        rest.rows = rows;
        rest.n_rows = 0;
        for (uint32_t k = 0; k < b->n_rows; k++)
            if (b->rows[k].attr != ATTR_VM_NAME)
                rows[rest.n_rows++] = b->rows[k];
        break;
    }
    batch_apply(&rest, o);
}

// libvirt tells of no vCPU that is plugged; its threads are seen to come and go.
static void follow_vcpus(struct collector *c, struct vm *vm, int64_t mono_ns)
{
    struct vm_rec *rec = rec_of(vm);
    int vcpus = 0;
    OBJECT_FOREACH_CHILD (vcpu, &vm->obj, KIND_VCPU)
        vcpus++;
    if (rec->vcpus && vcpus != rec->vcpus)
        lane_hasten(c->config_lane, vm->uuid.b, UUID_BYTES, mono_ns);
    rec->vcpus = vcpus;
}

static void vm_batch(struct collector *c, const struct batch *b)
{
    struct vm *vm = herd_vm(c->herd, &b->uuid);
    if (!vm) {
        if (b->pid == 0)
            return;
        vm = herd_vm_add(c->herd, &b->uuid);
        vm->active = true;
    }
    struct vm_rec *rec = rec_of(vm);
    if (b->pid == 0) {
        if (rec->pid && rec->process_start == b->process_start)
            process_gone(c, vm);
        return;
    }
    if (is_other_process(rec, b) && b->mono_ns - rec->kernel_ns < SILENT_NS)
        return;
    bool is_kernel = b->lane == LANE_KERNEL;
    if (is_kernel)
        note_process(c, vm, b);
    take_name(c, vm, b);
    apply_without_name(b, &vm->obj);
    if (is_kernel) {
        object_sweep(&vm->obj, KIND_VCPU, LANE_KERNEL, b->mono_ns);
        follow_vcpus(c, vm, b->mono_ns);
    }
    object_sweep(&vm->obj, KIND_MISS, b->lane, b->mono_ns);
    const char *letter = object_attr(&vm->obj, ATTR_VM_PROCESS_STATE);
    vm->process_state = letter ? letter[0] : 0;
    if (is_kernel)
        rates_kernel(vm, b->mono_ns);
}

static const struct {
    enum fact host;
    enum fact nic;
    enum fact nic_swapped;
} nic_facts[] = {
    {FACT_HNIC_RX_BYTES, FACT_NIC_RX_BYTES, FACT_NIC_TX_BYTES},
    {FACT_HNIC_RX_PACKETS, FACT_NIC_RX_PACKETS, FACT_NIC_TX_PACKETS},
    {FACT_HNIC_RX_ERRORS, FACT_NIC_RX_ERRORS, FACT_NIC_TX_ERRORS},
    {FACT_HNIC_RX_DROPS, FACT_NIC_RX_DROPS, FACT_NIC_TX_DROPS},
    {FACT_HNIC_TX_BYTES, FACT_NIC_TX_BYTES, FACT_NIC_RX_BYTES},
    {FACT_HNIC_TX_PACKETS, FACT_NIC_TX_PACKETS, FACT_NIC_RX_PACKETS},
    {FACT_HNIC_TX_ERRORS, FACT_NIC_TX_ERRORS, FACT_NIC_RX_ERRORS},
    {FACT_HNIC_TX_DROPS, FACT_NIC_TX_DROPS, FACT_NIC_RX_DROPS},
};

static void nic_row(struct object *nic, const struct batch_row *row, int64_t mono_ns)
{
    const char *type = object_attr(nic, ATTR_NIC_TYPE);
    bool is_swapped = type && virt_nic_swapped(type);
    for (size_t i = 0; i < ARRAY_LEN(nic_facts); i++)
        if ((enum fact)row->fact == nic_facts[i].host)
            object_set_fact(nic, is_swapped ? nic_facts[i].nic_swapped : nic_facts[i].nic,
                            row->value, mono_ns);
}

// The host's batch less the interfaces of VMs, whose rows go to the VMs.
static void apply_host(struct collector *c, const struct batch *b)
{
    struct batch rest = *b;
    CLEANUP(freep) struct batch_row *rows = mem_zalloc(b->n_rows * sizeof(*rows));
    rest.rows = rows;
    rest.n_rows = 0;
    uint32_t key = 0;
    struct object *nic = NULL;
    for (uint32_t i = 0; i < b->n_rows; i++) {
        const struct batch_row *row = &b->rows[i];
        bool is_nic = (row->fact >= 0 && model_facts[row->fact].kind == KIND_HNIC) ||
                      (row->attr >= 0 && model_attrs[row->attr].kind == KIND_HNIC);
        if (is_nic && row->key != key) {
            key = row->key;
            nic = map_get(c->nics, b->text + key, strlen(b->text + key));
        }
        if (!is_nic || !nic)
            rows[rest.n_rows++] = *row;
        else if (row->fact >= 0)
            nic_row(nic, row, b->mono_ns);
    }
    batch_apply(&rest, c->herd->host);
    static const enum kind kinds[] = {KIND_CPU, KIND_HDISK, KIND_HNIC};
    static const enum kind turn_kinds[] = {KIND_NUMA, KIND_HUGEPAGE};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        object_sweep(c->herd->host, kinds[i], LANE_HOST, b->mono_ns);
    for (size_t i = 0; i < ARRAY_LEN(turn_kinds); i++)
        object_sweep(c->herd->host, turn_kinds[i], LANE_TURN,
                     b->mono_ns - c->herd->max_age_ns[LANE_TURN]);
    object_sweep(c->herd->host, KIND_HMISS, b->lane, b->mono_ns);
}

// What keeps libvirt's data of a VM away, as a flag and in words.
struct fault {
    const char *flag;
    const char *reason;
};

static const struct fault stopped = {"stopped", "its process is stopped"};
static const struct fault blocked = {"blocked", "its process is in uninterruptible sleep"};
static const struct fault dead = {"dead", "its process has ended and was not reaped"};
static const struct fault quarantined = {"quarantined", "it does not answer libvirt in time"};

static const struct fault *fault_of(const struct vm *vm, bool is_lost)
{
    switch (vm->process_state) {
    case 'T':
    case 't':
        return &stopped;
    case 'Z':
    case 'X':
        return &dead;
    case 'D':
        if (rec_of(vm)->blocked_ticks >= BLOCKED_TICKS)
            return &blocked;
        break;
    default:
        break;
    }
    return is_lost ? &quarantined : NULL;
}

static void set_miss(struct object *of, bool is_host, const char *what, const char *reason,
                     int64_t now)
{
    enum kind kind = is_host ? KIND_HMISS : KIND_MISS;
    enum attr why = is_host ? ATTR_HMISS_REASON : ATTR_MISS_REASON;
    struct object *miss = object_find(of, kind, what);
    if (!reason && miss)
        object_remove(miss);
    if (!reason || (miss && strcmp(object_attr(miss, why), reason) == 0))
        return;
    miss = object_child(of, kind, what);
    object_set_attr(miss, why, reason);
    object_set_fact(miss, is_host ? FACT_HMISS_ONE : FACT_MISS_ONE, 1, now);
}

void vm_miss(struct vm *vm, const char *what, const char *reason, int64_t now)
{
    set_miss(&vm->obj, false, what, reason, now);
}

void host_miss(struct object *host, const char *what, const char *reason, int64_t now)
{
    set_miss(host, true, what, reason, now);
}

// A NIC's host device may lie in another network namespace, or there is none (user, vhostuser).
static void note_nics(const struct herd *h, struct vm *vm, int64_t now)
{
    bool is_told = true;
    OBJECT_FOREACH_CHILD (nic, &vm->obj, KIND_NIC)
        is_told = is_told && now - nic->updated_ns[LANE_KERNEL] <= h->max_age_ns[LANE_KERNEL];
    is_told = is_told || !rec_of(vm)->pid;
    vm_miss(vm, "nics", is_told ? NULL : "the kernel shows no counters of a NIC's host device",
            now);
}

// Stays until the libvirt lane has had an answer, whose batch sweeps it away.
static void note_missing(struct vm *vm, const struct fault *fault, int64_t now)
{
    struct object *miss = object_child(&vm->obj, KIND_MISS, "libvirt_statistics");
    object_set_attr(miss, ATTR_MISS_REASON, fault->reason);
    object_set_fact(miss, FACT_MISS_ONE, 1, now);
    miss->updated_ns[LANE_LIBVIRT] = now;
}

// What is asked for seldom must not outlive what is asked for each time.
static void forget_old_memory(const struct herd *h, struct vm *vm, int64_t now)
{
    int64_t updated = vm->obj.updated_ns[LANE_LIBVIRT];
    if (updated == 0 || now - updated <= h->max_age_ns[LANE_LIBVIRT])
        return;
    vm->obj.updated_ns[LANE_MEMORY] = vm->obj.updated_ns[LANE_JOB] = 0;
    rec_of(vm)->pace.slow_ns = 0; // read them with the next call
}

static void flag_vm(struct collector *c, struct vm *vm, int64_t now)
{
    struct vm_rec *rec = rec_of(vm);
    rec->blocked_ticks = vm->process_state == 'D' ? rec->blocked_ticks + 1 : 0;
    bool is_lost = lane_quarantined(c->stats_lane, vm->uuid.b, UUID_BYTES);
    const struct fault *fault = fault_of(vm, is_lost);
    bool is_stalled = fault && fault != &quarantined;
    if (object_set_attr(&vm->obj, ATTR_VM_FLAG, fault ? fault->flag : NULL))
        rec->flag_since_real_ns = fault ? clock_real_ns(c->p.clock) : 0;
    if (fault)
        note_missing(vm, fault, now);
    object_set_fact(&vm->obj, FACT_VM_STALLED, rec->pid ? is_stalled : NAN, now);
    object_set_fact(&vm->obj, FACT_VM_TIMED_OUT,
                    vm->active && vm->in_libvirt ? is_lost || is_stalled : NAN, now);
    lane_block(c->stats_lane, vm->uuid.b, UUID_BYTES, is_stalled, now);
    lane_block(c->agent_lane, vm->uuid.b, UUID_BYTES, is_stalled, now);
    int64_t updated = vm->obj.updated_ns[LANE_LIBVIRT];
    object_set_fact(&vm->obj, FACT_VM_LIBVIRT_AGE,
                    vm->active && updated ? (double)(now - updated) : NAN, now);
}

static void history_vm(const struct herd *h, struct vm *vm, int64_t now)
{
    static const enum fact facts[HISTORY_MAX] = {
        [HISTORY_CPU] = FACT_VM_CPU_UTILISATION, [HISTORY_WAIT] = FACT_VM_WAIT_RATIO,
        [HISTORY_MEM] = FACT_VM_MEM_USED_RATIO,  [HISTORY_READ] = FACT_VM_READ_RATE,
        [HISTORY_WRITE] = FACT_VM_WRITE_RATE,    [HISTORY_RX] = FACT_VM_RX_RATE,
        [HISTORY_TX] = FACT_VM_TX_RATE,
    };
    for (enum history which = 0; which < HISTORY_MAX; which++)
        vm_history_put(h, vm, which, herd_fact(h, &vm->obj, facts[which], now));
}

// CPU figures of a process that this sample did not reach must not look fresh.
static void forget_old_rates(struct vm *vm, int64_t sample_ns)
{
    if (vm->obj.updated_ns[LANE_KERNEL] >= sample_ns)
        return;
    object_set_fact(&vm->obj, FACT_VM_CPU_RATIO, NAN, sample_ns);
    object_set_fact(&vm->obj, FACT_VM_CPU_UTILISATION, NAN, sample_ns);
    object_set_fact(&vm->obj, FACT_VM_WAIT_RATIO, NAN, sample_ns);
}

static void close_sample(struct collector *c, int64_t sample_ns)
{
    struct herd *h = c->herd;
    int64_t before = h->host->before_ns;
    h->host->before_ns = sample_ns;
    herd_history_step(h);
    for (size_t i = 0; i < h->n_vms; i++) {
        struct vm *vm = h->vms[i];
        if (before)
            forget_old_rates(vm, before + 1);
        forget_old_memory(h, vm, sample_ns);
        rates_vm_totals(h, vm, sample_ns);
        flag_vm(c, vm, sample_ns);
        note_nics(h, vm, sample_ns);
        history_vm(h, vm, sample_ns);
    }
    rates_host(h->host, sample_ns);
    c->ticks_seen++;
    if (c->p.sampled)
        c->p.sampled(sample_ns, c->p.arg);
}

void kernel_batch(struct collector *c, const struct batch *b)
{
    if (!b->host) {
        vm_batch(c, b);
    } else {
        apply_host(c, b);
        if (b->lane == LANE_HOST)
            close_sample(c, b->mono_ns);
    }
}
