// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TOOL_RULES_H
#define TOOL_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/**
 * Check rule files: what would be refused (all of it), then what is likely wrong, then what the
 * rules cost. True where all files would be taken; `out` gets lines or one JSON object. `strict`:
 * also false where anything is likely wrong.
 */
bool tool_rules_check(const char *const *path, size_t n, bool json, bool strict, struct buf *out);

/**
 * Run promtool's unit tests. True where every check passed; `run` (NULL: all) chooses groups by
 * name.
 */
bool tool_rules_test(const char *const *path, size_t n, const char *run, bool json,
                     struct buf *out);

/** What a backtest is asked for. */
struct tool_backtest {
    const char *directory; /**< of a store or a snapshot of one */
    int64_t since_ms;      /**< how far back from the newest sample, or from `until_ms` */
    int64_t until_ms;      /**< 0: the newest sample */
    int64_t interval_ms;   /**< of groups that name none */
    bool json, utf8;
    size_t columns; /**< of the terminal */
};

/** How rules would have done over a store's history. 0 or -errno. */
int tool_rules_backtest(const char *const *path, size_t n, const struct tool_backtest *params,
                        struct buf *out, struct err *err);

#endif
