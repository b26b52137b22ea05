// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TOOLS_SAMPLES_H
#define TOOLS_SAMPLES_H

// Files of samples: lines `name{labels} value seconds`, those of a series together, times rising.

#include "promql/memory.h"

#define SAMPLES_COPIES_MAX 1000

// Append a file's samples, each series so many times. A file that is none ends the program.
void samples_load(struct promql_memory *m, const char *path, size_t copies);

// The labels of a series' copies, told apart by a label `copy` where there are several. Owned by
// the caller.
void samples_copies(const struct labels *labels, struct labels **copy, size_t n);

#endif
