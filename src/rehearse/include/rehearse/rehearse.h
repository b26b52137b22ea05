// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef REHEARSE_REHEARSE_H
#define REHEARSE_REHEARSE_H

/*
 * Alerting rules on a data centre that does not exist: the collector watches the simulated herd on
 * a clock that is told, its samples go into a store of their own, and the rules run over that. One
 * at a time in a process.
 */

#include <stdint.h>

#include "base/err.h"
#include "rule/backtest.h"
#include "rule/file.h"

struct rehearse_params {
    const char *scenario; /**< path of the file (docs/simulation.md) */
    const struct rule_files *rules;
    int64_t step_ns; /**< distance of samples; 0: 15 s */
};

/** Where simulated time begins, since 1970. */
#define REHEARSE_EPOCH_S INT64_C(1000000000)

/** The steps of a scenario's duration that are taken at most. */
#define REHEARSE_STEPS_MAX 10000000

/**
 * Play the scenario from its beginning to its end and give what the rules would have told. The same
 * files give the same result. The store lives in a directory of its own below $TMPDIR, which is
 * removed. 0, -EINVAL (with file, line and column), -ENOMEM, -EIO, -errno.
 */
int rehearse(const struct rehearse_params *params, struct rule_backtest **ret, struct err *err);

#endif
