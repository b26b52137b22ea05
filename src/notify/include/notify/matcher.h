// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NOTIFY_MATCHER_H
#define NOTIFY_MATCHER_H

/*
 * Matchers of labels in Alertmanager's notation: name="value", name!="value", name=~"regex",
 * name!~"regex"; a value may stand without quotes. Regular expressions (RE2) must match the whole
 * value. A label that is not there has the value "".
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/labels.h"

#define MATCHERS_MAX 64
#define MATCHER_TEXT_MAX 8192

enum matcher_op {
    MATCHER_EQUAL,
    MATCHER_NOT_EQUAL,
    MATCHER_REGEX,
    MATCHER_NOT_REGEX,
    MATCHER_OP_MAX,
};

struct regex;

struct matcher {
    enum matcher_op op;
    char *name, *value;
    struct regex *regex; /**< of the last two */
};

/** Owned by whoever parsed it; matchers_done(). */
struct matchers {
    struct matcher *item;
    size_t n, cap;
};

/**
 * Add what `text` says: one matcher, or several with commas between, perhaps in braces. 0, or
 * -EINVAL with the column (from 1) of what is wrong; then nothing was added.
 */
int matchers_add(struct matchers *m, const char *text, struct err *err);
void matchers_done(struct matchers *m);

/** All hold; none at all holds for everything. */
bool matchers_match(const struct matchers *m, const struct labels *labels);

/** As one text that reads back the same: `a="b",c=~"d"`. */
void matchers_format(const struct matchers *m, struct buf *out);

/** True where every matcher would match a label that is not there: such a silence is a mistake. */
bool matchers_match_nothing_set(const struct matchers *m);

#endif
