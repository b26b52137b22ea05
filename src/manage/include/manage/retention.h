// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_RETENTION_H
#define MANAGE_RETENTION_H

/*
 * Snapshots that schedules have asked for, so that each schedule can delete its own old ones and
 * nobody else's. Every change is on disk when its call returns. One thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/** Most that one schedule keeps of a VM. */
#define RETENTION_KEEP_MAX 1000

struct retained {
    char *name;
    int64_t made_s; /**< when it was due */
};

void retained_free(struct retained *items, size_t n);

/** A schedule asks for a snapshot of a VM; again is well. */
int retention_note(struct store *st, int64_t schedule, const char *uuid, const char *name,
                   int64_t made_s);
/** It is not there any more. */
int retention_forget(struct store *st, int64_t schedule, const char *uuid, const char *name);
/** A schedule's snapshots of a VM, oldest first. The caller frees with retained_free(). */
int retention_list(struct store *st, int64_t schedule, const char *uuid, struct retained **ret,
                   size_t *ret_n);

/**
 * How many of `n` snapshots, oldest first, go when one more is taken at `now_s`: all but the newest
 * `keep` - 1 (0: no such limit), and those that are older than `keep_for_s` (0: no such limit).
 * Pure.
 */
size_t retention_excess(const struct retained *items, size_t n, int64_t keep, int64_t keep_for_s,
                        int64_t now_s);

#endif
