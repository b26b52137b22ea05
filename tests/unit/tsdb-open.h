// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_OPEN_H
#define TSDB_OPEN_H

/* A store in a test's directory, and series of it. */

#include "tsdb/tsdb.h"

#define T0 INT64_C(1700000000000)

static const struct tsdb_kind_of ns = {TSDB_SCALED, 9, true, 1.0};
static const struct tsdb_kind_of gauge = {TSDB_DOUBLE, 0, false, 0};

static uint32_t series(struct tsdb *db, const char *metric, const char *domain,
                       const struct tsdb_kind_of *of)
{
    struct label label[] = {{"__name__", metric}, {"domain", domain}};
    uint32_t ref = UINT32_MAX;
    struct err err = {0};
    if (tsdb_series(db, label, 2, of, &ref, &err) < 0)
        fail_msg("%s", err.message);
    return ref;
}

static struct tsdb *open_store(const char *dir)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct err err = {0};
    tsdb_options_init(&o);
    o.flush_ms = 20;
    if (tsdb_open(dir, &o, &db, &err) < 0)
        fail_msg("%s", err.message);
    return db;
}

#endif
