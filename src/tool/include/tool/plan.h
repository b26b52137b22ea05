// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TOOL_PLAN_H
#define TOOL_PLAN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/** What `vherd plan` was asked, as text; NULL where an option was not given. */
struct tool_plan {
    const char *kind; /**< "place" */
    const char *name;
    const char *score;
    const char *candidates;
    const char *moves;
    const char *vcpus, *memory; /**< of a new VM to place */
    bool simulate;              /**< replay the history in `history` with and without the plan */
    const char *history;        /**< directory of a store that nobody uses, or of a snapshot */
    const char *days;           /**< of history; 7 */
};

/**
 * Plan for the herd in a file (place/herd_file.h) and write the plan as JSON. 0 or -errno with a
 * sentence: what is wrong with the file or the question.
 */
int tool_plan_file(const char *path, const struct tool_plan *asked, struct buf *out,
                   struct err *err);

#endif
