// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MODEL_RELABEL_H
#define MODEL_RELABEL_H

/*
 * Relabelling as Prometheus does it (its relabel_configs): an ordered list of rules that rewrites a
 * set of labels or drops it. Pure; used for scrape targets, scraped samples and remote write.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/labels.h"

enum relabel_action {
    RELABEL_REPLACE,
    RELABEL_KEEP,
    RELABEL_DROP,
    RELABEL_KEEPEQUAL,
    RELABEL_DROPEQUAL,
    RELABEL_HASHMOD,
    RELABEL_LABELMAP,
    RELABEL_LABELDROP,
    RELABEL_LABELKEEP,
    RELABEL_LOWERCASE,
    RELABEL_UPPERCASE,
    RELABEL_ACTION_MAX,
};

/** "replace", "keep", … as configurations write them; NULL-ended. */
extern const char *const relabel_action_names[RELABEL_ACTION_MAX + 1];

/** One rule as it is written; texts are borrowed. */
struct relabel_spec {
    enum relabel_action action;
    const char *const *source_labels;
    size_t n_source_labels;
    const char *separator; /**< between the source labels' values; Prometheus' default is ";" */
    const char *regex;     /**< anchored; Prometheus' default is "(.*)" */
    uint64_t modulus;      /**< of hashmod */
    const char *target_label;
    const char *replacement; /**< Prometheus' default is "$1" */
};

/** A compiled list of rules; immutable. */
struct relabel;

/**
 * Compile. 0; -EINVAL with the rule's number and what is wrong with it: a regular expression that
 * is none, a missing or malformed target_label, a modulus of 0, or what the action does not take.
 */
int relabel_new(const struct relabel_spec *spec, size_t n, struct relabel **ret, struct err *err);
void relabel_free(struct relabel *r);

/** Without rules nothing changes. NULL counts as such. */
size_t relabel_count(const struct relabel *r);

/**
 * Apply the rules to labels in any order (empty values are as good as absent). 1: *ret has the new
 * labels, which the caller frees; 0: dropped; -EINVAL: the result is no label set (over the limits
 * of model/labels.h); -ENOMEM.
 */
int relabel_apply(const struct relabel *r, const struct label *label, size_t n,
                  struct labels **ret);

#endif
