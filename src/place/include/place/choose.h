// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_CHOOSE_H
#define PLACE_CHOOSE_H

/*
 * Initial placement: filters, then a score, least is best; hosts that already run VMs before empty
 * ones. An index by free CPU keeps one choice among 10,000 hosts far below a millisecond.
 */

#include "place/filter.h"
#include "place/lifetime.h"
#include "place/room.h"

/** How hosts that pass the filters are ranked. */
enum place_score {
    PLACE_SCORE_FIRST_FIT,     /**< the first in the snapshot's order */
    PLACE_SCORE_BEST_FIT,      /**< least left over, summed over resources as parts of the limit */
    PLACE_SCORE_WORST_FIT,     /**< most left over: spreads load */
    PLACE_SCORE_DOT_PRODUCT,   /**< what is free is shaped like the request (Panigrahy et al.,
                                    "Heuristics for vector bin packing", 2011) */
    PLACE_SCORE_FRAGMENTATION, /**< least growth of the free CPU that the usual flavours cannot use
                                    (as FGD does for GPUs: Weng et al., USENIX ATC 2023) */
    PLACE_SCORE_DEPARTURE,     /**< ours: VMs that leave together stand together, see below */
    PLACE_SCORES,
    PLACE_SCORE_INVALID = -1,
};

/*
 * The departure score. With S(t) the chance that the VM still runs at t and F(t) the chance that
 * the host will be empty by t if it is not placed there:
 *
 *     10 ∫ F S dμ + w ∫ (1-F)(1-S) dμ + best fit,     dμ = dt / (t + 300 s)
 *
 * The first integral is the expected (logarithmic) time by which the VM keeps the host from
 * becoming empty, the second that by which the host outlives the VM, whose place a longer-lived VM
 * might take better. S is a step where `ends_s` is known, else what place_lifetimes has learned;
 * VMs of one tenant that started at once on one host count as one, since they end together.
 */

const char *place_score_name(enum place_score score);

/** The score of a name, PLACE_SCORE_INVALID where it is none. */
enum place_score place_score_parse(const char *name);

struct place_chooser;

/**
 * Ready to place VMs into `room` (borrowed). `lifetimes` (borrowed, NULL = none) is for the
 * departure score; `class_of` (borrowed, by VM, NULL = all in class 0) are its classes. NULL
 * without memory.
 */
struct place_chooser *place_chooser_new(struct place_room *room, enum place_score score,
                                        const struct place_allow *allow,
                                        const struct place_lifetimes *lifetimes,
                                        const uint32_t *class_of);
void place_chooser_free(struct place_chooser *c);

/** Take the time into account and look again at who will leave when; as often as that matters. */
void place_chooser_renew(struct place_chooser *c, double now_s);

/** Leave a host out of choices from now on (one that is being emptied); -1 none. */
void place_chooser_exclude(struct place_chooser *c, int32_t host);

/** The best host for a VM that is nowhere, -1 where none takes it. Changes nothing. */
int32_t place_choose(struct place_chooser *c, int32_t vm);

/** Put and take, in the room and in the index: while a chooser lives, the room changes only so. */
void place_chooser_put(struct place_chooser *c, int32_t vm, int32_t host);
void place_chooser_take(struct place_chooser *c, int32_t vm);

/** One host as a candidate for a VM. */
struct place_candidate {
    int32_t host;
    bool fits;
    double score;                 /**< where it fits; least is best */
    double left[PLACE_RESOURCES]; /**< part of the limit that would be left */
    struct place_refusal refusal; /**< where it does not */
};

/**
 * All hosts as candidates, best first, refused ones last; `ret` has room for n_hosts. The first is
 * what place_choose() gives.
 */
void place_candidates(struct place_chooser *c, int32_t vm, struct place_candidate *ret);

/**
 * Place many VMs (indexes), the largest first (by the greatest part of any resource of the largest
 * host; equals in order of index): first fit decreasing where the score is first fit. Writes a host
 * or -1 for each into `ret_hosts`; returns how many were placed.
 */
size_t place_many(struct place_chooser *c, const int32_t *vms, size_t n, int32_t *ret_hosts);

#endif
