// SPDX-License-Identifier: GPL-3.0-or-later
#include "manage/retention.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/row.h"

void retained_free(struct retained *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(items[i].name);
    free(items);
}

int retention_note(struct store *st, int64_t schedule, const char *uuid, const char *name,
                   int64_t made_s)
{
    struct store_query *q CLEANUP(store_query_donep) = store_query(
        st, "INSERT OR IGNORE INTO schedule_snapshot(schedule, uuid, name, made) VALUES(?,?,?,?)");
    store_bind_i64(q, schedule);
    store_bind_text(q, uuid);
    store_bind_text(q, name);
    store_bind_i64(q, made_s);
    return store_run(q);
}

int retention_forget(struct store *st, int64_t schedule, const char *uuid, const char *name)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(st, "DELETE FROM schedule_snapshot WHERE schedule=? AND uuid=? AND name=?");
    store_bind_i64(q, schedule);
    store_bind_text(q, uuid);
    store_bind_text(q, name);
    return store_run(q);
}

int retention_list(struct store *st, int64_t schedule, const char *uuid, struct retained **ret,
                   size_t *ret_n)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(st, "SELECT name, made FROM schedule_snapshot WHERE schedule=? AND uuid=? "
                        "ORDER BY made, name");
    struct retained *items = NULL;
    size_t n = 0, cap = 0;
    int r;
    store_bind_i64(q, schedule);
    store_bind_text(q, uuid);
    while ((r = store_next(q)) == 1) {
        mem_grow(&items, &cap, n, sizeof(*items));
        items[n++] = (struct retained){mem_strdup(store_text(q, 0)), store_i64(q, 1)};
    }
    if (r < 0) {
        retained_free(items, n);
        return r;
    }
    *ret = items;
    *ret_n = n;
    return 0;
}

size_t retention_excess(const struct retained *items, size_t n, int64_t keep, int64_t keep_for_s,
                        int64_t now_s)
{
    size_t stay = keep > 0 ? MIN_OF((size_t)keep - 1, n) : n;
    size_t excess = n - stay;
    while (excess < n && keep_for_s > 0 && now_s - items[excess].made_s > keep_for_s)
        excess++;
    return excess;
}
