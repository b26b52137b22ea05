// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SIM_STAGE_PRIVATE_H
#define SIM_STAGE_PRIVATE_H

#include <pthread.h>

#include "base/mem.h"
#include "sim/stage.h"
#include "world.h"

// libvirt's numbers (virDomainState), which are part of its ABI and of virt/virt.h's contract.
enum {
    SHOWN_NOT,
    SHOWN_RUNNING = 1,
    SHOWN_SHUT_OFF = 5,
    SHOWN_CRASHED = 6,
};

// What a VM shows, beyond what the world knows of it.
struct actor {
    int shown; // state that listeners know
    int64_t started_ns;
    double run_ns, wait_ns; // CPU had and waited for, since it was started
    uint32_t host;          // that the title names
};

struct stage {
    pthread_mutex_t lock;
    const struct clock *clock;
    struct scenario *scenario;
    struct world *world;
    struct actor *actor; // of each VM
    double speed;
    int64_t opened_ns, played_ns;
    struct virt *connections;
};

// Lock, and let happen what is due. NULL-safe: `world` is NULL while nothing is set up.
struct stage *stage_enter(void);
void stage_leave(struct stage *s);

static inline void stage_leavep(struct stage **s)
{
    stage_leave(*s);
}

// All of these between enter and leave.
bool stage_find(const struct stage *s, const struct uuid *uuid, uint32_t *ret);
struct uuid stage_uuid(uint32_t guest);
char *stage_name(const struct stage *s, uint32_t guest); // the caller's
static inline bool stage_is_active(const struct stage *s, uint32_t guest)
{
    return s->actor[guest].shown == SHOWN_RUNNING;
}

// virt_sim.c: tell all who listen.
void stage_tell(const struct stage *s, uint32_t guest, enum virt_event_type type, const char *event,
                const char *detail);
void stage_lose(struct stage *s);

#endif
