// SPDX-License-Identifier: GPL-3.0-or-later
#include "manage/auto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "verb/deed.h"

#define HOUR_NS (3600 * NS_PER_S)

static const char *const steps[] = {
    "CREATE TABLE auto(id INTEGER PRIMARY KEY CHECK(id=1), stopped INTEGER NOT NULL, since INTEGER "
    "NOT NULL, by TEXT NOT NULL, reason TEXT) STRICT;",
};

const struct store_schema auto_schema = {"auto", steps, ARRAY_LEN(steps)};

void auto_switch_done(struct auto_switch *s)
{
    free(s->by);
    free(s->reason);
    *s = (struct auto_switch){0};
}

bool auto_is(const char *principal)
{
    return strncmp(principal, DEED_BY_ITSELF, strlen(DEED_BY_ITSELF)) == 0;
}

int auto_read(struct store *s, struct auto_switch *ret)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(s, "SELECT stopped, since, by, reason FROM auto WHERE id=1");
    int r = store_next(q);
    if (r < 0)
        return r;
    *ret = (struct auto_switch){0};
    if (r == 1)
        *ret = (struct auto_switch){store_i64(q, 0) != 0, store_i64(q, 1),
                                    mem_strdup(store_text(q, 2)), mem_strdup(store_text(q, 3))};
    return 0;
}

int auto_write(struct store *s, bool stopped, const char *by, const char *reason, int64_t now_ns)
{
    struct store_query *q CLEANUP(store_query_donep) = store_query(
        s, "INSERT OR REPLACE INTO auto(id, stopped, since, by, reason) VALUES(1,?,?,?,?)");
    store_bind_i64(q, stopped);
    store_bind_i64(q, now_ns);
    store_bind_text(q, by);
    store_bind_text(q, reason);
    int r = store_next(q);
    return MIN_OF(r, 0);
}

int auto_recent(struct store *s, int64_t now_ns, int64_t *ret)
{
    struct store_query *q CLEANUP(store_query_donep) = store_query(
        s, "SELECT count(*) FROM task WHERE principal GLOB '" DEED_BY_ITSELF "*' AND created>?");
    store_bind_i64(q, now_ns - HOUR_NS);
    int r = store_next(q);
    if (r == 1)
        *ret = store_i64(q, 0);
    return r == 1 ? 0 : r == 0 ? -EIO : r;
}

int auto_allows(struct store *s, int64_t per_hour, int64_t now_ns, struct err *err)
{
    CLEANUP(auto_switch_done) struct auto_switch now = {0};
    int64_t recent = 0;
    int r = auto_read(s, &now);
    if (r == 0)
        r = auto_recent(s, now_ns, &recent);
    if (r < 0)
        return err_set(err, -r, "whether this may be done by itself cannot be read: %s",
                       strerror(-r));
    if (now.stopped)
        return err_set(err, ECONNREFUSED,
                       "nothing is done by itself: stopped by %s%s%s; `vherd auto start` ends that",
                       now.by, now.reason ? ": " : "", now.reason ? now.reason : "");
    if (recent >= per_hour)
        return err_set(err, EDQUOT,
                       "%jd deeds were done by themselves within the hour (limit: "
                       "plan.auto_per_hour)",
                       (intmax_t)recent);
    return 0;
}
