// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MODEL_BATCH_H
#define MODEL_BATCH_H

/*
 * What one lane saw at one time of the host or of one VM, on its way from the thread that read it
 * to the loop that owns the herd. Plain data without pointers into anything else.
 */

#include <stdint.h>

#include "base/uuid.h"
#include "model/herd.h"

struct batch_row {
    int16_t fact;  /**< enum fact, or -1: an attribute */
    int16_t attr;  /**< enum attr, or -1: a fact */
    uint32_t key;  /**< offset of the child's key in `text`; 0 = the object itself */
    double value;  /**< of a fact; NaN = known to be absent */
    uint32_t text; /**< of an attribute: offset in `text`; 0 = unknown */
};

struct batch {
    struct batch *next; /**< for queues */
    enum lane lane;
    bool host; /**< about the host; else about the VM `uuid` */
    struct uuid uuid;
    int64_t mono_ns;       /**< when it was read */
    int64_t process_start; /**< kernel lane: start time of the process in clock ticks since boot */
    int32_t pid;           /**< kernel lane: process; 0 = none */
    struct batch_row *rows;
    uint32_t n_rows, cap_rows;
    char *text; /**< NUL-ended pieces; offset 0 is the empty string */
    uint32_t text_len, text_cap;
};

/** An empty batch; the caller owns it and may batch_reset() and use it again. */
struct batch *batch_new(void);
void batch_free(struct batch *b);

/** Empty it, keep the memory. */
void batch_reset(struct batch *b);

/** Remember a child's key (copied) for following rows; returns its offset. "" gives 0. */
uint32_t batch_key(struct batch *b, const char *key);

/** A fact of the object itself (key 0) or of its child of the fact's kind under `key`. */
void batch_fact(struct batch *b, uint32_t key, enum fact fact, double value);

/** An attribute (copied; NULL = unknown). */
void batch_attr(struct batch *b, uint32_t key, enum attr attr, const char *text);

/**
 * Note that `what` could not be read and why, in the words that vherd_unavailable shows
 * ("kvm_stats", "no readable source"). Becomes a MISS (or HMISS) object.
 */
void batch_unavailable(struct batch *b, const char *what, const char *reason);

/**
 * Apply to the object (the host or a VM): makes children that are missing, sets facts and
 * attributes, stamps lanes with b->mono_ns.
 */
void batch_apply(const struct batch *b, struct object *o);

/** Remove the object's children of that kind which the batch does not mention. */
void batch_sweep(const struct batch *b, struct object *o, enum kind kind);

#endif
