// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_CONSOLIDATE_H
#define PLACE_CONSOLIDATE_H

/*
 * Dynamic consolidation: which VMs to move now, so that few hosts run and none is overloaded. A
 * planner is a pure step: the same state and the same snapshots give the same plans. Policies are
 * rows of tables: how overload is told (detectors), which VM leaves (selectors), and the published
 * framework around them (Beloglazov and Buyya, CCPE 2012, as CloudSim 3.0.3 carries it out), or
 * our own (place/steady.h).
 */

#include "base/err.h"
#include "place/live.h"

enum place_detector {
    PLACE_DETECT_THR,    /**< wanted/capacity above a fixed share (0.8) */
    PLACE_DETECT_MAD,    /**< above 1 - s·(median absolute deviation) (2.5) */
    PLACE_DETECT_IQR,    /**< above 1 - s·(interquartile range) (1.5) */
    PLACE_DETECT_LR,     /**< s times the regression's forecast reaches 1 (1.2) */
    PLACE_DETECT_LRR,    /**< in CloudSim the same as LR, whose weights are dead code */
    PLACE_DETECT_LOESS,  /**< LR with the tricube weights that the paper describes (1.2) */
    PLACE_DETECT_ROBUST, /**< LOESS with one bisquare round, as the paper's LRR (1.2) */
    PLACE_DETECT_MAX,
};

enum place_selector {
    PLACE_SELECT_MMT, /**< least memory: shortest migration */
    PLACE_SELECT_RS,  /**< at random */
    PLACE_SELECT_MC,  /**< highest multiple correlation with the host's other VMs */
    PLACE_SELECT_MU,  /**< least utilisation */
    PLACE_SELECT_MAX,
};

enum place_kind {
    PLACE_KIND_NONE,      /**< never moves a VM */
    PLACE_KIND_PUBLISHED, /**< detector, selector, power-aware best fit decreasing */
    PLACE_KIND_STEADY,    /**< ours */
};

struct place_policy {
    enum place_kind kind;
    enum place_detector detector;
    enum place_selector selector;
    double safety;   /**< the detector's parameter */
    bool wake_aware; /**< a host that is off costs its idle power too, when it is woken */
};

/**
 * Read a policy's name: "none", "vherd", or "[wake-]DETECTOR-SELECTOR[-PARAMETER]" such as
 * "lr-mmt", "thr-rs-0.7", "wake-lr-mmt-1.2". 0, or -EINVAL with a message that lists the words.
 */
int place_policy_parse(const char *name, struct place_policy *ret, struct err *err);

/** Words of the tables, for messages and documentation. */
const char *place_detector_name(enum place_detector detector);
const char *place_selector_name(enum place_selector selector);

struct place_planner;

/**
 * A planner with a state of its own; `seed` feeds random selection. The caller frees it with
 * place_planner_free().
 */
struct place_planner *place_planner_new(const struct place_policy *policy, uint64_t seed);
void place_planner_free(struct place_planner *planner);

/**
 * What to move now. `live` is only read. VM numbers identify VMs over time: a number must not be
 * used again for another VM within an hour. *plan is emptied and filled; 0 or -ENOMEM.
 */
int place_planner_step(struct place_planner *planner, const struct place_live *live,
                       struct place_plan *plan);

#endif
