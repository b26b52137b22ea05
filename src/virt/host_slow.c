// SPDX-License-Identifier: GPL-3.0-or-later
// The costly sources. smaps_rollup walks all page tables under the process's memory lock: a second
// for a large guest, and for ever where somebody in there holds the lock.
#include "host_slow.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "host_file.h"

static void read_memory(struct slow *s)
{
    static const struct keyed pss = {"Pss", 1024}, swap = {"VmSwap", 1024};
    char text[8192];
    s->pss_bytes = s->swap_bytes = NAN;
    ssize_t n = fs_read_small(s->dir, "smaps_rollup", text, sizeof(text));
    s->pss_error = n < 0 ? (int)n : 0;
    if (n >= 0)
        parse_keyed(text, (size_t)n, &pss, 1, &s->pss_bytes);
    n = fs_read_small(s->dir, "status", text, sizeof(text));
    s->swap_error = n < 0 ? (int)n : 0;
    if (n >= 0)
        parse_keyed(text, (size_t)n, &swap, 1, &s->swap_bytes);
}

static void slow_run(struct probe *p)
{
    struct slow *s = (struct slow *)p;
    read_memory(s);
    kvm_read(s);
}

static void slow_free_probe(struct probe *p)
{
    slow_free((struct slow *)p);
}

struct slow *slow_new(int root, int dir, int32_t pid, bool real)
{
    struct slow *s = mem_zalloc(sizeof(*s));
    s->probe = (struct probe){.run = slow_run, .free = slow_free_probe};
    s->root = fcntl(root, F_DUPFD_CLOEXEC, 0);
    s->dir = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    s->pid = pid;
    s->real = real;
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

void slow_emit(const struct slow *s, struct batch *b)
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
