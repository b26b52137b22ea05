// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_HERD_FILE_H
#define PLACE_HERD_FILE_H

/*
 * A herd as JSON, for planning without a daemon. docs/herd-file.md has every member:
 *
 *     {"now": 1700000000,
 *      "hosts": [{"name": "a", "cpus": 64, "memory_bytes": "256G", "networks": ["lan"], …}],
 *      "groups": [{"name": "db", "kind": "apart", "most": 1}],
 *      "vms": [{"name": "v", "host": "a", "vcpus": 4, "memory_bytes": "8G", …}]}
 */

#include "place/snapshot.h"
#include "place/usage.h"

#define HERD_FILE_BYTES_MAX ((size_t)512 << 20)

/** A VM's history, as right-sizing wants it; n = 0 where the file has none. */
struct herd_history {
    int64_t *cpu_t_s, *memory_t_s; /**< owned */
    double *cpu, *memory_bytes;    /**< owned; CPUs and bytes */
    size_t n_cpu, n_memory;
};

struct herd_file {
    struct place_snapshot *snapshot;
    struct herd_history *history; /**< by VM */
};

/**
 * Read and check. 0, -EINVAL (line and column where it is not JSON, else the member's path; unknown
 * members are errors), -E2BIG, -ENOMEM. *ret is empty on failure.
 */
int herd_file_read(const char *text, size_t len, struct herd_file *ret, struct err *err);

/** Free all; usable with CLEANUP(). */
void herd_file_done(struct herd_file *f);

#endif
