// SPDX-License-Identifier: GPL-3.0-or-later
// The costly sources. smaps_rollup walks all page tables under the process's memory lock: 2 ms for
// a small guest, a second for a large one, and for ever where somebody in there holds the lock. It
// is measured as often as its cost allows, and its age is told with it.
#include "host_slow.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/fs.h"
#include "base/mem.h"
#include "host_file.h"

// A large guest's memory map takes a second of CPU time, more on a busy machine.
#define SLOW_LIMIT_NS (20 * NS_PER_S)
// One part in this many of a CPU may go into it, 1 µs a second.
#define PSS_COST 1000000
#define PSS_AGE_MAX_NS (3600 * NS_PER_S)

static int64_t thread_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void read_pss(struct slow *s)
{
    static const struct keyed key = {"Pss", 1024};
    char text[8192];
    int64_t age = clock_mono_ns(s->clock) - s->pss_ns;
    int64_t wanted = MIN_OF(s->pss_cost_ns * PSS_COST, PSS_AGE_MAX_NS);
    if (!isnan(s->pss_bytes) && age < wanted)
        return;
    int64_t begun = thread_cpu_ns();
    s->pss_ns = clock_mono_ns(s->clock);
    s->pss_bytes = NAN;
    ssize_t n = fs_read_small(s->dir, "smaps_rollup", text, sizeof(text));
    s->pss_error = n < 0 ? (int)n : 0;
    if (n >= 0)
        parse_keyed(text, (size_t)n, &key, 1, &s->pss_bytes);
    s->pss_cost_ns = thread_cpu_ns() - begun;
}

static void read_swap(struct slow *s)
{
    static const struct keyed key = {"VmSwap", 1024};
    char text[8192];
    ssize_t n = fs_read_small(s->dir, "status", text, sizeof(text));
    s->swap_error = n < 0 ? (int)n : 0;
    parse_keyed(text, n < 0 ? 0 : (size_t)n, &key, 1, &s->swap_bytes);
}

static void slow_run(struct probe *p)
{
    struct slow *s = (struct slow *)p;
    read_pss(s);
    read_swap(s);
    kvm_read(s);
}

static void slow_free_probe(struct probe *p)
{
    slow_free((struct slow *)p);
}

struct slow *slow_new(int root, int dir, int32_t pid, bool real, const struct clock *clock)
{
    struct slow *s = mem_zalloc(sizeof(*s));
    s->probe = (struct probe){.limit_ns = SLOW_LIMIT_NS, .run = slow_run, .free = slow_free_probe};
    s->root = fcntl(root, F_DUPFD_CLOEXEC, 0);
    s->dir = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    s->pid = pid;
    s->real = real;
    s->clock = clock;
    s->pss_bytes = s->swap_bytes = NAN;
    if (s->root >= 0 && s->dir >= 0)
        return s;
    slow_free(s);
    return NULL;
}

void slow_free(struct slow *s)
{
    if (!s)
        return;
    kvm_close(s);
    closep(&s->root);
    closep(&s->dir);
    free(s->vcpus);
    free(s->stats);
    free(s);
}

void slow_emit(const struct slow *s, int64_t mono_ns, struct batch *b)
{
    static const enum fact facts[KVM_STATS] = {
        [KVM_EXITS] = FACT_VCPU_KVM_EXITS,
        [KVM_HALT_EXITS] = FACT_VCPU_KVM_HALT_EXITS,
        [KVM_IO_EXITS] = FACT_VCPU_KVM_IO_EXITS,
        [KVM_MMIO_EXITS] = FACT_VCPU_KVM_MMIO_EXITS,
        [KVM_IRQ_INJECTIONS] = FACT_VCPU_KVM_IRQ_INJECTIONS,
        [KVM_HALT_WAIT] = FACT_VCPU_KVM_HALT_WAIT,
        [KVM_POLL_SUCCESS] = FACT_VCPU_KVM_POLL_SUCCESS,
        [KVM_POLL_FAIL] = FACT_VCPU_KVM_POLL_FAIL,
    };
    batch_fact(b, 0, FACT_VM_PSS, s->pss_bytes);
    batch_fact(b, 0, FACT_VM_PSS_AGE,
               isnan(s->pss_bytes) ? NAN : (double)MAX_OF(mono_ns - s->pss_ns, 0));
    batch_fact(b, 0, FACT_VM_SWAP, s->swap_bytes);
    for (size_t i = 0; i < s->n_vcpus; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d", s->vcpus[i]);
        uint32_t key = batch_key(b, name);
        for (int k = 0; k < KVM_STATS; k++)
            batch_fact(b, key, facts[k], i < s->n_stats ? s->stats[i][k] : NAN);
    }
    if (s->pss_error < 0)
        batch_unavailable(b, "pss", source_reason(s->pss_error));
    if (s->swap_error < 0)
        batch_unavailable(b, "swap", source_reason(s->swap_error));
    if (s->kvm_reason[0])
        batch_unavailable(b, "kvm_stats", s->kvm_reason);
}
