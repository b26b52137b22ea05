// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NET_EXPO_PRIVATE_H
#define NET_EXPO_PRIVATE_H

// What the two halves of the exposition parser share: expo.c reads lines, expo_check.c knows what
// OpenMetrics demands of the samples of one family.

#include "base/buf.h"
#include "base/map.h"
#include "model/labels.h"
#include "net/expo.h"

/** The histogram (or gauge histogram) that is being read: one group of labels at one time. */
struct expo_histogram {
    bool any, has_bucket, has_count, has_sum, has_gsum, negative_bucket, negative_gsum;
    double bucket, value, count;
};

struct expo_family_state {
    struct buf name, help, unit; /**< NUL-ended; `name` empty: no family yet */
    enum expo_type type;
    bool has_type, has_help, has_unit;
    bool samples; /**< one was seen */
    bool told;    /**< the callback had it as it stands */
    // OpenMetrics only:
    struct map *groups;    /**< label sets of groups seen in this family */
    struct buf group, key; /**< the present one's, and the one of the sample at hand */
    bool has_group, group_has_time;
    double group_time;
    struct expo_histogram histogram;
};

struct expo_checks {
    struct map *names; /**< that families have taken */
    struct expo_family_state family;
};

void expo_family_begin(struct expo_family_state *f, const char *name);
void expo_family_done(struct expo_family_state *f);

/** Does the sample's name belong to the family? */
bool expo_family_has(const struct expo_family_state *f, const char *sample);

/** A sample of the family against the rules: NULL, or what is wrong. */
const char *expo_check_sample(struct expo_family_state *f, const struct expo_sample *s,
                              double seconds, bool exemplar);

/** The family is complete: NULL, or what is wrong with it. */
const char *expo_check_family(struct expo_checks *c);

#endif
