// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/row.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

int store_run(struct store_query *q)
{
    int r = store_next(q);
    return MIN_OF(r, 0);
}

int store_one(struct store_query *q)
{
    int r = store_next(q);
    if (r < 0)
        return r;
    return r == 1 ? 0 : -ENOENT;
}

void store_bind_json(struct store_query *q, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    store_bind_text(q, text);
    free(text);
}

json_t *store_json(struct store_query *q, int column)
{
    const char *text = store_text(q, column);
    return text ? json_loads(text, 0, NULL) : NULL;
}
