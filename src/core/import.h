// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_IMPORT_H
#define CORE_IMPORT_H

// History that web has read from an import, a frame of samples at a time. A worker looks up which
// of its samples the store has already, in whatever file, which may wait for a disk; then the loop
// appends the others, some at a time, so that no lane's sample waits long. One frame after the
// other, so that they see each other's samples.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "net/samples.h"
#include "tsdb/tsdb.h"

struct imports;

struct imports_params {
    uv_loop_t *loop;
    struct tsdb *db; // where they are looked up
    // Before a frame is looked up, on the worker: waits until the store has room for more; may be
    // NULL.
    void (*wait)(void *arg);
    // As flow_sink's, for samples of any age; on the loop.
    int (*append)(void *arg, const struct label *label, size_t n, int64_t t_ms, double v);
    // Whether one of that time may be appended, for a dry run; on the loop.
    int (*may_append)(void *arg, int64_t t_ms);
    // What became of a frame; on the loop.
    void (*answer)(void *arg, uint32_t id, const struct samples_written *written);
    void *arg;
};

struct imports *imports_new(const struct imports_params *p);

// Gives up what is not appended yet, without an answer; waits for the worker, for which the loop
// runs on. NULL is fine.
void imports_free(struct imports *im);

// Whether another frame may wait.
bool imports_have_room(const struct imports *im);

// Take over a frame (malloc()ed) that `id` is to be answered for. `is_dry`: what would become of
// it, where the store stays as it is; what stands twice in it counts twice.
void imports_add(struct imports *im, uint32_t id, char *frame, size_t len, bool is_dry);

// Who asked is gone: what came is appended, nothing answered.
void imports_forget_all(struct imports *im);

#endif
