// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_SCOPED_H
#define CORE_SCOPED_H

// Stored series as somebody may see them whose scope is not all: those of some VMs of this host.
// Each selection and each listing gets conditions more, so that no expression reaches past them and
// what is left out costs and counts nothing.

#include "model/query.h"

struct scoped_params {
    struct query_source *inner; // borrowed; outlives what is made of it
    const char *const *vm;      // names in the label `domain`
    size_t n;                   // 0: nothing is shown
    const char *job;            // labels of this host's own series, "" for none, NULL for any; what
    const char *instance;       // others sent may speak of other VMs of the same name
};

// 0, or -E2BIG or -ENOMEM where so many names cannot be looked for. Copies all it needs.
int scoped_source_new(const struct scoped_params *p, struct query_source **ret, struct err *err);

// Sets that came from it may live on. A source of another kind, and NULL, are left alone.
void scoped_source_free(struct query_source *source);

#endif
