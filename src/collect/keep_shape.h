// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef COLLECT_KEEP_SHAPE_H
#define COLLECT_KEEP_SHAPE_H

/*
 * What is kept of an object, by its kind: the series of it, in groups that one lane delivers, and
 * the attributes that its labels come from.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/catalogue.h"

#define GROUPS_MAX (LANE_MAX + 1)
#define LANE_INFO LANE_MAX // info metrics: not of any lane
#define LABEL_ATTRS_MAX 64

// A metric of some kind of object.
struct row {
    uint16_t metric;
    int16_t fact; // offset in the object's facts, -1 = info metric
    bool is_scaled;
    uint64_t labels; // bits of the label attributes that it carries
};

// Rows of one lane; they have one stamp.
struct group {
    int lane;
    size_t first, n;
};

struct shape {
    struct row *rows;
    size_t n_rows;
    struct group groups[GROUPS_MAX];
    size_t n_groups;
    enum attr label_attrs[LABEL_ATTRS_MAX]; // of the kind itself and of the one above it
    size_t n_label_attrs;
};

/** The lane that delivers a metric, or LANE_INFO. */
int shape_lane(const struct metric_desc *m);

/** The metrics of these sets (enum metric_set); `misnamed`: those too that promtool rejects. */
void shape_init(struct shape *s, enum kind kind, unsigned sets, bool misnamed);
void shape_done(struct shape *s);

#endif
