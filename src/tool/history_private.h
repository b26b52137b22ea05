// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TOOL_HISTORY_PRIVATE_H
#define TOOL_HISTORY_PRIVATE_H

// Where a history's samples come from.

#include "tool/history.h"

struct history_entry {
    int64_t t_ms;
    struct history_sample sample;
};

// What a walk has read of the stretch of time that comes next.
struct history_stretch {
    struct history_entry *entry;
    size_t n, cap;
};

void history_push(struct history_stretch *s, int64_t t_ms, size_t series, double v);

struct history_ops {
    // Push what the series has within [start_ms, end_ms]. 0 or -errno.
    int (*read)(struct history *h, size_t series, int64_t start_ms, int64_t end_ms,
                struct history_stretch *out, struct err *err);
    void (*free)(struct history *h);
};

// First member of each kind.
struct history {
    const struct history_ops *ops;
    size_t n;
    const struct labels *const *labels;
    int64_t start_ms, end_ms;
};

int history_open_file(const char *path, struct history **ret, struct err *err);
int history_open_store(const char *path, struct history **ret, struct err *err);

#endif
