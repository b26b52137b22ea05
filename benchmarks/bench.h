// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BENCH_H
#define BENCH_H

// What benchmarks of the store and of rules share.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tsdb/tsdb.h"

// The same numbers at each run (xorshift).
static inline uint64_t bench_random(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static inline double bench_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void bench_fail(const char *what, const char *message)
{
    fprintf(stderr, "%s: %s\n", what, message);
    exit(1);
}

// A store that keeps everything, with room for `memory_bytes` of what is not in blocks yet, and
// that much log for those who follow it.
static inline struct tsdb *bench_open(const char *dir, uint64_t memory_bytes, uint64_t log_bytes)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct err err = {0};
    tsdb_options_init(&o);
    o.raw.age_ms = o.minute.age_ms = o.hour.age_ms = 0;
    o.memory_max_bytes = memory_bytes;
    o.log_max_bytes = log_bytes;
    if (tsdb_open(dir, &o, &db, &err) < 0)
        bench_fail(dir, err.message);
    return db;
}

#endif
