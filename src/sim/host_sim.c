// SPDX-License-Identifier: GPL-3.0-or-later
// The simulated herd as a kernel would show it: a process for each running VM, and one host that
// is all simulated hosts together. Used by the sampler's thread.
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "stage.h"

#define PID_BASE 100000
#define TICKS_PER_S 100
#define VCPUS_SHOWN 64 // a VM's vCPUs one by one up to here

struct host {
    const struct clock *clock;
    int64_t *started; // of the process that was told last, in ticks; 0: none
    size_t n;
    size_t slow_at;
};

#define ENTER() struct stage *s CLEANUP(stage_leavep) = stage_enter()

static int sim_open(const struct host_params *params, struct host **ret, struct err *err)
{
    struct host *h = mem_zalloc(sizeof(*h));
    h->clock = params->clock;
    *ret = h;
    return 0;
}

static void sim_close(struct host *h)
{
    if (!h)
        return;
    free(h->started);
    free(h);
}

static struct batch *begin(const struct host_sink *sink, enum lane lane, int64_t mono_ns)
{
    struct batch *b = sink->batch(sink->arg);
    b->lane = lane;
    b->mono_ns = mono_ns;
    return b;
}

static int64_t ticks(const struct actor *a)
{
    return MAX_OF(a->started_ns / (NS_PER_S / TICKS_PER_S), INT64_C(1));
}

static void put_vcpus(const struct actor *a, const struct guest *g, struct batch *b)
{
    double n = (double)g->kind->vcpus;
    for (uint64_t i = 0; i < MIN_OF(g->kind->vcpus, (uint64_t)VCPUS_SHOWN); i++) {
        char id[24];
        snprintf(id, sizeof(id), "%llu", (unsigned long long)i);
        uint32_t key = batch_key(b, id);
        batch_fact(b, key, FACT_VCPU_RUN, floor(a->run_ns / n));
        batch_fact(b, key, FACT_VCPU_WAIT, floor(a->wait_ns / n));
        batch_fact(b, key, FACT_VCPU_STATE, 1);
    }
}

static void put_process(const struct stage *s, uint32_t guest, int64_t real_ns, int64_t mono_ns,
                        struct batch *b)
{
    const struct actor *a = &s->actor[guest];
    const struct guest *g = &s->world->guest[guest];
    double vcpus = floor(a->run_ns / (double)g->kind->vcpus) * (double)g->kind->vcpus;
    double waits = floor(a->wait_ns / (double)g->kind->vcpus) * (double)g->kind->vcpus;
    const struct {
        enum fact fact;
        double value;
    } facts[] = {
        {FACT_VM_CPU, vcpus},
        {FACT_VM_VCPU_RUN, vcpus},
        {FACT_VM_VCPU_WAIT, waits},
        {FACT_VM_THREADS, (double)g->kind->vcpus},
        {FACT_VM_START_TIME, floor((double)(real_ns - (mono_ns - a->started_ns)) / 1e9)},
        {FACT_VM_RSS, floor((double)g->kind->memory_bytes * g->kind->working_set)},
    };
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        batch_fact(b, 0, facts[i].fact, facts[i].value);
    batch_attr(b, 0, ATTR_VM_PROCESS_STATE, "S");
    put_vcpus(a, g, b);
}

static void gone(struct host *h, uint32_t guest, int64_t mono_ns, const struct host_sink *sink)
{
    struct batch *b = begin(sink, LANE_KERNEL, mono_ns);
    b->uuid = stage_uuid(guest);
    b->process_start = h->started[guest];
    h->started[guest] = 0;
    sink->emit(b, sink->arg);
}

// The lock is let go between VMs: emitting may have to wait for the collector.
static void sample_guest(struct host *h, uint32_t guest, int64_t mono_ns,
                         const struct host_sink *sink)
{
    struct batch *b = NULL;
    bool was = h->started[guest] != 0, is;
    int64_t started = 0;
    {
        ENTER();
        is = s->world && guest < s->world->guests && stage_is_active(s, guest);
        if (is) {
            started = ticks(&s->actor[guest]);
            b = begin(sink, LANE_KERNEL, mono_ns);
            b->uuid = stage_uuid(guest);
            b->pid = (int32_t)(PID_BASE + guest);
            b->process_start = started;
            if (started != h->started[guest]) {
                CLEANUP(freep) char *name = stage_name(s, guest);
                batch_attr(b, 0, ATTR_VM_NAME, name);
            }
            put_process(s, guest, clock_real_ns(h->clock), mono_ns, b);
        }
    }
    if (was && started != h->started[guest])
        gone(h, guest, mono_ns, sink);
    h->started[guest] = started;
    if (b)
        sink->emit(b, sink->arg);
}

static int note_size(struct host *h)
{
    ENTER();
    size_t n = s->world ? s->world->guests : 0;
    if (n <= h->n)
        return 0;
    int64_t *more = realloc(h->started, n * sizeof(*more));
    if (!more)
        return -ENOMEM;
    for (size_t i = h->n; i < n; i++)
        more[i] = 0;
    h->started = more;
    h->n = n;
    return 0;
}

static void sim_scan(struct host *h, const struct host_sink *sink)
{
    // The next sample tells of processes that came or went.
    (void)note_size(h);
}

static void put_host(struct batch *b)
{
    ENTER();
    double cores = 0, memory = 0, booked = 0, load = 0;
    for (size_t i = 0; s->world && i < s->world->nodes; i++) {
        const struct node *n = &s->world->node[i];
        if (n->state != NODE_UP)
            continue;
        cores += (double)n->kind->cores;
        memory += (double)n->kind->memory_bytes;
        booked += n->booked_bytes;
        load += n->wanted / n->kind->mips;
    }
    const struct {
        enum fact fact;
        double value;
    } facts[] = {
        {FACT_HOST_CPUS, cores},
        {FACT_HOST_LOAD1, load},
        {FACT_HOST_MEM_TOTAL, memory},
        {FACT_HOST_MEM_FREE, fmax(memory - booked, 0)},
        {FACT_HOST_MEM_AVAILABLE, fmax(memory - booked, 0)},
    };
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        batch_fact(b, 0, facts[i].fact, facts[i].value);
}

static void sim_sample(struct host *h, int64_t mono_ns, const struct host_sink *sink)
{
    if (note_size(h) < 0)
        return;
    for (uint32_t i = 0; i < h->n; i++)
        sample_guest(h, i, mono_ns, sink);
    struct batch *b = begin(sink, LANE_HOST, mono_ns);
    b->host = true;
    put_host(b);
    sink->emit(b, sink->arg);
}

static int sim_slow(struct host *h, int64_t mono_ns, const struct host_sink *sink)
{
    return 0;
}

static char sim_process_state(const struct uuid *uuid)
{
    ENTER();
    uint32_t guest;
    return stage_find(s, uuid, &guest) && stage_is_active(s, guest) ? 'S' : 0;
}

const struct host_ops host_simulated = {
    .name = "simulated",
    .open = sim_open,
    .close = sim_close,
    .scan = sim_scan,
    .sample = sim_sample,
    .slow = sim_slow,
    .process_state = sim_process_state,
};
