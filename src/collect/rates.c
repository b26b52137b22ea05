// SPDX-License-Identifier: GPL-3.0-or-later
// Rates out of two samples of a counter. A counter that stepped back, or that was absent in one of
// the two, gives no rate. Ratios of one CPU are cut at 1: the two reads of a counter lie up to a
// few microseconds off their stamps, and no CPU runs more than all the time.
#include "private.h"

static bool take_deltas(struct object *o, const enum fact *facts, int n, int64_t at_ns,
                        double *ret_delta, double *ret_seconds)
{
    bool is_valid = o->before_ns > 0 && at_ns > o->before_ns;
    *ret_seconds = (double)(at_ns - o->before_ns) / (double)NS_PER_S;
    for (int i = 0; i < n; i++) {
        double value = object_fact(o, facts[i]);
        ret_delta[i] = is_valid && value >= o->before[i] ? value - o->before[i] : NAN;
        o->before[i] = value;
    }
    o->before_ns = at_ns;
    return is_valid;
}

static double cut(double ratio, double most)
{
    return ratio > most ? most : ratio;
}

static void rates_vcpu(struct object *vcpu, int64_t mono_ns)
{
    static const enum fact facts[] = {FACT_VCPU_RUN, FACT_VCPU_WAIT};
    double delta[ARRAY_LEN(facts)], seconds;
    take_deltas(vcpu, facts, ARRAY_LEN(facts), vcpu->updated_ns[LANE_KERNEL], delta, &seconds);
    double ns = seconds * (double)NS_PER_S;
    object_set_fact(vcpu, FACT_VCPU_RATIO, cut(delta[0] / ns, 1), mono_ns);
    object_set_fact(vcpu, FACT_VCPU_WAIT_RATIO, cut(delta[1] / ns, 1), mono_ns);
}

static void rates_nic(struct object *nic, int64_t mono_ns)
{
    static const enum fact facts[] = {FACT_NIC_RX_BYTES, FACT_NIC_TX_BYTES};
    double delta[ARRAY_LEN(facts)], seconds;
    take_deltas(nic, facts, ARRAY_LEN(facts), nic->updated_ns[LANE_KERNEL], delta, &seconds);
    object_set_fact(nic, FACT_NIC_RX_RATE, delta[0] / seconds, mono_ns);
    object_set_fact(nic, FACT_NIC_TX_RATE, delta[1] / seconds, mono_ns);
}

void rates_kernel(struct vm *vm, int64_t mono_ns)
{
    static const enum fact facts[] = {FACT_VM_CPU, FACT_VM_VCPU_RUN, FACT_VM_VCPU_WAIT};
    struct object *o = &vm->obj;
    double delta[ARRAY_LEN(facts)], seconds;
    take_deltas(o, facts, ARRAY_LEN(facts), o->updated_ns[LANE_KERNEL], delta, &seconds);
    double ns = seconds * (double)NS_PER_S;
    int vcpus = 0;
    OBJECT_FOREACH_CHILD (vcpu, o, KIND_VCPU) {
        rates_vcpu(vcpu, mono_ns);
        vcpus++;
    }
    object_set_fact(o, FACT_VM_CPU_RATIO, delta[0] / ns, mono_ns);
    object_set_fact(o, FACT_VM_CPU_UTILISATION, vcpus ? cut(delta[1] / ns / vcpus, 1) : NAN,
                    mono_ns);
    object_set_fact(o, FACT_VM_WAIT_RATIO, vcpus ? cut(delta[2] / ns / vcpus, 1) : NAN, mono_ns);
}

// Nothing asked for is no latency; not 0.
static double mean_time(double time, double requests)
{
    return requests > 0 ? time / requests : NAN;
}

struct disk_sums {
    double read, write, requests, time;
    bool any;
};

static void rates_disk(struct object *disk, int64_t mono_ns, struct disk_sums *sums)
{
    static const enum fact facts[] = {
        FACT_DISK_READ_BYTES, FACT_DISK_WRITE_BYTES, FACT_DISK_READS,   FACT_DISK_WRITES,
        FACT_DISK_READ_TIME,  FACT_DISK_WRITE_TIME,  FACT_DISK_FLUSHES, FACT_DISK_FLUSH_TIME};
    _Static_assert(ARRAY_LEN(facts) <= OBJECT_BEFORE, "no room for the counters before");
    double d[ARRAY_LEN(facts)], seconds;
    bool is_valid =
        take_deltas(disk, facts, ARRAY_LEN(facts), disk->updated_ns[LANE_LIBVIRT], d, &seconds);
    object_set_fact(disk, FACT_DISK_READ_RATE, d[0] / seconds, mono_ns);
    object_set_fact(disk, FACT_DISK_WRITE_RATE, d[1] / seconds, mono_ns);
    object_set_fact(disk, FACT_DISK_READ_IOPS, d[2] / seconds, mono_ns);
    object_set_fact(disk, FACT_DISK_WRITE_IOPS, d[3] / seconds, mono_ns);
    object_set_fact(disk, FACT_DISK_READ_LATENCY, mean_time(d[4], d[2]), mono_ns);
    object_set_fact(disk, FACT_DISK_WRITE_LATENCY, mean_time(d[5], d[3]), mono_ns);
    object_set_fact(disk, FACT_DISK_FLUSH_LATENCY, mean_time(d[7], d[6]), mono_ns);
    if (!is_valid || isnan(d[0]) || isnan(d[1]))
        return;
    sums->any = true;
    sums->read += d[0] / seconds;
    sums->write += d[1] / seconds;
    double flushes = isnan(d[6]) ? 0 : d[6];
    sums->requests += (d[2] + d[3] + flushes) / seconds;
    sums->time += (d[4] + d[5] + (isnan(d[7]) ? 0 : d[7])) / seconds;
}

void rates_disks(struct vm *vm, int64_t mono_ns)
{
    struct disk_sums sums = {0};
    struct object *o = &vm->obj;
    OBJECT_FOREACH_CHILD (disk, o, KIND_DISK)
        if (disk->updated_ns[LANE_LIBVIRT] == o->updated_ns[LANE_LIBVIRT])
            rates_disk(disk, mono_ns, &sums);
    object_set_fact(o, FACT_VM_READ_RATE, sums.any ? sums.read : NAN, mono_ns);
    object_set_fact(o, FACT_VM_WRITE_RATE, sums.any ? sums.write : NAN, mono_ns);
    object_set_fact(o, FACT_VM_IOPS, sums.any ? sums.requests : NAN, mono_ns);
    object_set_fact(o, FACT_VM_LATENCY, sums.any ? mean_time(sums.time, sums.requests) : NAN,
                    mono_ns);
}

// The stamp of a VM's rates is renewed each second by the kernel lane; those that come out of
// libvirt's data must go when these have become old.
static void forget_old_disk_rates(const struct herd *h, struct object *o, int64_t mono_ns)
{
    static const enum fact facts[] = {FACT_VM_READ_RATE, FACT_VM_WRITE_RATE, FACT_VM_IOPS,
                                      FACT_VM_LATENCY};
    if (mono_ns - o->updated_ns[LANE_LIBVIRT] <= h->max_age_ns[LANE_LIBVIRT])
        return;
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        object_set_fact(o, facts[i], NAN, mono_ns);
}

void rates_vm_totals(struct herd *h, struct vm *vm, int64_t mono_ns)
{
    struct object *o = &vm->obj;
    forget_old_disk_rates(h, o, mono_ns);
    double rx = NAN, tx = NAN;
    OBJECT_FOREACH_CHILD (nic, o, KIND_NIC) {
        if (nic->updated_ns[LANE_KERNEL] == 0)
            continue;
        rates_nic(nic, mono_ns);
        double nic_rx = object_fact(nic, FACT_NIC_RX_RATE);
        double nic_tx = object_fact(nic, FACT_NIC_TX_RATE);
        if (!isnan(nic_rx))
            rx = (isnan(rx) ? 0 : rx) + nic_rx;
        if (!isnan(nic_tx))
            tx = (isnan(tx) ? 0 : tx) + nic_tx;
    }
    object_set_fact(o, FACT_VM_RX_RATE, rx, mono_ns);
    object_set_fact(o, FACT_VM_TX_RATE, tx, mono_ns);
    double available = herd_fact(h, o, FACT_VM_GUEST_AVAILABLE, mono_ns);
    double usable = herd_fact(h, o, FACT_VM_GUEST_USABLE, mono_ns);
    object_set_fact(o, FACT_VM_MEM_USED_RATIO,
                    available > 0 && usable <= available ? (available - usable) / available : NAN,
                    mono_ns);
}

// Order of the modes in `before`: busy, idle (with iowait), steal, iowait.
static void cpu_times(const struct object *cpu, double times[4])
{
    static const enum fact busy[] = {FACT_CPU_USER,      FACT_CPU_NICE,    FACT_CPU_SYSTEM,
                                     FACT_CPU_IRQ,       FACT_CPU_SOFTIRQ, FACT_CPU_GUEST,
                                     FACT_CPU_GUEST_NICE};
    times[0] = 0;
    for (size_t i = 0; i < ARRAY_LEN(busy); i++) {
        double value = object_fact(cpu, busy[i]);
        times[0] += isnan(value) ? 0 : value;
    }
    double iowait = object_fact(cpu, FACT_CPU_IOWAIT);
    times[1] = object_fact(cpu, FACT_CPU_IDLE) + (isnan(iowait) ? 0 : iowait);
    times[2] = object_fact(cpu, FACT_CPU_STEAL);
    times[3] = iowait;
}

static void rates_pressure(struct object *host, int64_t mono_ns)
{
    static const struct {
        enum fact sum, ratio;
    } pressure[] = {{FACT_HOST_PSI_CPU_SOME, FACT_HOST_PSI_CPU_RATIO},
                    {FACT_HOST_PSI_MEM_SOME, FACT_HOST_PSI_MEM_RATIO},
                    {FACT_HOST_PSI_IO_SOME, FACT_HOST_PSI_IO_RATIO}};
    enum { READ = ARRAY_LEN(pressure) }; // its place in `before`
    _Static_assert(READ < OBJECT_BEFORE, "no room for the sums before");
    double span_ns = (double)mono_ns - host->before[READ];
    for (size_t i = 0; i < ARRAY_LEN(pressure); i++) {
        double sum = object_fact(host, pressure[i].sum), waited = sum - host->before[i];
        bool is_known = host->before[READ] > 0 && span_ns > 0 && waited >= 0;
        object_set_fact(host, pressure[i].ratio, is_known ? cut(waited / span_ns, 1) : NAN,
                        mono_ns);
        host->before[i] = sum;
    }
    host->before[READ] = (double)mono_ns;
}

void rates_host(struct object *host, int64_t mono_ns)
{
    rates_pressure(host, mono_ns);
    double sum[4] = {0};
    OBJECT_FOREACH_CHILD (cpu, host, KIND_CPU) {
        double times[4], delta[4];
        cpu_times(cpu, times);
        for (int i = 0; i < 4; i++) {
            delta[i] = cpu->before_ns && times[i] >= cpu->before[i] ? times[i] - cpu->before[i] : 0;
            cpu->before[i] = times[i];
        }
        cpu->before_ns = mono_ns;
        double all = delta[0] + delta[1] + delta[2];
        object_set_fact(cpu, FACT_CPU_RATIO, all > 0 ? (delta[0] + delta[2]) / all : NAN, mono_ns);
        for (int i = 0; i < 4; i++)
            sum[i] += delta[i];
    }
    double all = sum[0] + sum[1] + sum[2];
    object_set_fact(host, FACT_HOST_CPU_RATIO, all > 0 ? (sum[0] + sum[2]) / all : NAN, mono_ns);
    object_set_fact(host, FACT_HOST_STEAL_RATIO, all > 0 ? sum[2] / all : NAN, mono_ns);
    object_set_fact(host, FACT_HOST_IOWAIT_RATIO, all > 0 ? sum[3] / all : NAN, mono_ns);
}
