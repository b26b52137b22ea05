// SPDX-License-Identifier: GPL-3.0-or-later
// Churn on the in-memory hypervisor: a thread that so many times defines, starts, stops and
// undefines a VM, and at the end defines one that is called "churned". For tests of leaks.
#include <errno.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <time.h>

#include "memory_priv.h"

// Slow enough that the lanes see most VMs while they live.
#define PAUSE_NS (4 * NS_PER_MS)

static void pause_a_little(void)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

static void *churn(void *arg)
{
    uintptr_t rounds = (uintptr_t)arg;
    struct uuid uuid;
    for (uintptr_t i = 0; i < rounds; i++) {
        char name[32];
        snprintf(name, sizeof(name), "churn%ju", (uintmax_t)i);
        if (memory_define(name, &uuid) < 0)
            break;
        memory_start(&uuid);
        pause_a_little();
        memory_stop(&uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
        memory_undefine(&uuid);
        pause_a_little();
    }
    memory_define("churned", &uuid);
    return NULL;
}

int memory_churn(uint64_t rounds)
{
    pthread_t thread;
    int r = pthread_create(&thread, NULL, churn, (void *)(uintptr_t)rounds);
    if (r == 0)
        pthread_detach(thread);
    return -r;
}
