// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ACT_CONSOLES_H
#define ACT_CONSOLES_H

// Who is attached to guests' serial lines. A client takes what the guest says with a request that
// waits for it, and gives what it types with another: plain requests, so that each is authorised by
// itself, over whatever carries the API. All of it belongs to the loop's thread, but for the
// opening.

#include <stdbool.h>
#include <stdint.h>

#include "auth/grant.h"
#include "virt/manage.h"

struct act;
struct console;

/** Attached at the same time. */
#define CONSOLES_MAX 32

struct consoles {
    struct console *all;
    struct console *back; // under the inbox's lock, from workers
    bool recovered;       // records of the time before are closed
    size_t n;
};

// Attach: the asker may, as the spec says, which is taken over. Answers `id` when it is open.
// `force` puts another off who is attached to that VM.
void consoles_open(struct act *a, uint32_t id, const struct grant *grant, const char *address,
                   struct virt_spec *spec, const struct uuid *uuid, bool force);

void consoles_step(struct act *a, int64_t now);
int64_t consoles_wake_ns(const struct act *a);
void consoles_forget(struct act *a, uint32_t id); // nobody waits for it any more; 0 = for all
void consoles_end_all(struct act *a, const char *why);

#endif
