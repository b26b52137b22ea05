// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_PLAN_H
#define PLACE_PLAN_H

/*
 * Plans as people and programs read them: JSON with a reason for each line. Snapshot in, text out;
 * the daemon and `vherd plan --herd FILE` both answer through here.
 */

#include "base/json.h"
#include "place/choose.h"
#include "place/relocate.h"
#include "place/rightsize.h"

enum plan_kind {
    PLAN_PLACE,
    PLAN_BALANCE,
    PLAN_CONSOLIDATE,
    PLAN_EVACUATE,
    PLAN_RIGHTSIZE,
    PLAN_KINDS,
    PLAN_INVALID = -1,
};

const char *plan_kind_name(enum plan_kind kind);
enum plan_kind plan_kind_parse(const char *name);

struct plan_size {
    double vcpus;
    int64_t memory_bytes;
};

/*
 * How a plan is carried out stands in it, as requests to the daemon: an array `deeds` of each row
 * of place and rightsize, {"what": "memory", "deed": "vm.set-memory", "body": {…}, "effect":
 * "now"}. `what` is start, memory, vcpus, shares or quota, so that some can be left out; `effect`
 * is "now" or "next start". Moves have none: nothing here migrates.
 */

/** What a plan would change. */
struct plan_effect {
    const struct relocate_move *moves; /**< in order */
    size_t n_moves;
    const struct plan_size *sizes; /**< of each VM of the snapshot; NULL: as they are */
};

/** Somebody who tries a plan out and adds members to its object: 0 or -errno with a message. */
struct plan_trial {
    int (*write)(void *arg, const struct place_snapshot *s, const struct plan_effect *effect,
                 struct json *j, struct err *err);
    void *arg;
};

struct plan_request {
    enum plan_kind kind;
    const char *object; /**< evacuate: the host; place: one VM, also one that runs (where would it
                             go?); rightsize: one VM; NULL = all */
    enum place_score score; /**< of place */
    size_t candidates;      /**< of place: hosts shown for each VM; 0 = 8, none for over 100 VMs */
    size_t moves_max;       /**< 0 = no limit */
    bool is_new;            /**< of place: the VM asked for does not exist */
    const struct plan_trial *trial; /**< of all but place; NULL: nobody tries it out */
};

/**
 * Where a VM's history for right-sizing comes from: fill *ret (what it points to holds until the
 * next call). 0; -ENODATA: there is none for this VM; anything else ends the plan with `err`.
 */
struct plan_history {
    int (*of_vm)(void *arg, int32_t vm, struct rightsize_vm *ret, struct err *err);
    void *arg;
};

/**
 * Write the plan as one JSON object. `history` NULL: there is no store, and right-sizing says so.
 * 0, -ENOENT (no such VM or host), -ENODATA (right-sizing without any history), -ENOMEM, or what
 * of_vm() or the trial said.
 */
int plan_write(const struct place_snapshot *s, const struct plan_request *request,
               const struct plan_history *history, struct json *j, struct err *err);

#endif
