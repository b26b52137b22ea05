// SPDX-License-Identifier: GPL-3.0-or-later
// Churn on the in-memory hypervisor: threads that so many times together define, start, stop and
// undefine a VM, and at the end define one that is called "churned". For tests of leaks.
#include <errno.h>
#include <libvirt/libvirt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "memory_priv.h"

// Slow enough that the lanes see most VMs while they live.
#define PAUSE_NS (4 * NS_PER_MS)

static void pause_a_little(void)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

struct churn {
    atomic_uint_least64_t next;
    uint64_t rounds;
    atomic_uint_least64_t threads; // at work
};

static bool one_round(uint64_t number)
{
    struct uuid uuid;
    char name[32];
    snprintf(name, sizeof(name), "churn%ju", (uintmax_t)number);
    if (memory_define(name, &uuid) < 0)
        return false;
    memory_start(&uuid);
    pause_a_little();
    memory_stop(&uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
    memory_undefine(&uuid);
    pause_a_little();
    return true;
}

static void leave(struct churn *c)
{
    struct uuid uuid;
    if (atomic_fetch_sub(&c->threads, 1) != 1)
        return;
    memory_define("churned", &uuid);
    free(c);
}

static void *churn(void *arg)
{
    struct churn *c = arg;
    pthread_setname_np(pthread_self(), "churn");
    for (;;) {
        uint64_t number = atomic_fetch_add(&c->next, 1);
        if (number >= c->rounds || !one_round(number))
            break;
    }
    leave(c);
    return NULL;
}

int memory_churn(uint64_t rounds, uint64_t threads)
{
    struct churn *c = mem_zalloc(sizeof(*c));
    c->rounds = rounds;
    atomic_init(&c->threads, threads);
    for (uint64_t i = 0; i < threads; i++) {
        pthread_t thread;
        int r = pthread_create(&thread, NULL, churn, c);
        if (r != 0) {
            for (; i < threads; i++) // those that there are not
                leave(c);
            return -r;
        }
        pthread_detach(thread);
    }
    return 0;
}
