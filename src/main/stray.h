// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MAIN_STRAY_H
#define MAIN_STRAY_H

/*
 * A hypervisor process that libvirt does not know of any more. act, which has no capabilities and
 * sees no other process, asks the supervisor for it; a short-lived child of the supervisor looks,
 * as a command line may lie behind a lock that does not come free.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/uuid.h"

/** Children that look at the same time. */
#define STRAY_MAX 4

struct stray_children {
    struct {
        pid_t pid; /**< 0 = free */
        pid_t asker;
        char id[24]; /**< of the question */
    } items[STRAY_MAX];
};

/**
 * The process of this VM below `proc` (a descriptor of /proc): a program called qemu… or kvm with
 * the arguments "-uuid UUID", in the name spaces of PIDs and host names that this process is in.
 * Returns its PID, 0 where there is none, or -errno.
 */
pid_t stray_find(int proc, const struct uuid *uuid);

/**
 * End that process: SIGTERM, after `patience_ms` SIGKILL. By a descriptor of the process, looked at
 * again once that is open, so that no other process is meant. Returns its PID where it is gone, 0
 * where there was none, -ETIMEDOUT where it does not end, or -errno.
 */
pid_t stray_end(int proc, const struct uuid *uuid, int patience_ms);

/**
 * Answer a question ("ID UUID look" or "ID UUID end") of the process `asker` on `control`, by a
 * child. Where that cannot be, the answer says so at once.
 */
void stray_ask(struct stray_children *c, int control, pid_t asker, const char *question);

/**
 * Reap children that are done; one that was ended (its time is limited) has not answered: that is
 * done on `control`, where `asker` still is who asked.
 */
void stray_reap(struct stray_children *c, int control, pid_t asker);

#endif
