// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MODEL_RENDER_H
#define MODEL_RENDER_H

#include "base/buf.h"
#include "base/json.h"
#include "model/herd.h"

/**
 * The Prometheus text exposition (version 0.0.4) of all fresh facts of the selected sets.
 * `misnamed` also writes rows whose upstream names promtool rejects. Returns the number of series.
 */
size_t render_metrics(const struct herd *h, unsigned sets, bool misnamed, int64_t mono_ns,
                      struct buf *out);

/**
 * The same for those VMs for which `shows(vm, arg)` is true, without the host's own metrics.
 */
size_t render_metrics_of(const struct herd *h, unsigned sets, bool misnamed, int64_t mono_ns,
                         bool (*shows)(const struct vm *vm, void *arg), void *arg, struct buf *out);

/** How much of an object goes into JSON. */
enum render_depth {
    RENDER_BRIEF, /**< its own brief fields */
    RENDER_FULL,  /**< all its fields and those of everything below it */
};

/** The members alone, into an object that the caller has begun and will end. */
void render_members(const struct herd *h, const struct object *o, enum render_depth depth,
                    int64_t mono_ns, struct json *j);

/** An object as one JSON object; absent facts and unknown attributes are left out. */
void render_object(const struct herd *h, const struct object *o, enum render_depth depth,
                   int64_t mono_ns, struct json *j);

/** A VM's rings, oldest first: {"seconds": n, "cpu": […], …}, null where absent. */
void render_history(const struct herd *h, const struct vm *vm, struct json *j);

/** docs/metrics.md: every metric, its type, labels, sets and meaning; every JSON field. */
void render_reference(struct buf *out);

#endif
