// SPDX-License-Identifier: GPL-3.0-or-later
#include "api_envelope.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "promql/promql.h"

void api_success_begin(struct buf *out)
{
    buf_puts(out, "{\"status\":\"success\",\"data\":");
}

void api_success_end(struct buf *out, const char *warning)
{
    if (warning) {
        struct json j;
        buf_puts(out, ",\"warnings\":");
        json_init(&j, out);
        json_array_begin(&j);
        json_text(&j, warning);
        json_array_end(&j);
    }
    buf_putc(out, '}');
}

void api_error_put(struct buf *out, const char *type, const char *message)
{
    struct json j;
    json_init(&j, out);
    json_object_begin(&j);
    json_kv_string(&j, "status", "error");
    json_kv_string(&j, "errorType", type);
    json_kv_string(&j, "error", message);
    json_object_end(&j);
}

const char *api_error_type(int r)
{
    // A store that cannot be read, or memory that is short, is no fault of the query.
    return r == -EIO ? "internal" : r == -E2BIG ? "execution" : promql_error_type(r);
}

int api_error_status(const char *type)
{
    static const struct {
        const char *type;
        int status;
    } rows[] = {{"bad_data", 400}, {"execution", 422},   {"timeout", 503},
                {"canceled", 503}, {"unavailable", 503}, {"not_found", 404}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].type, type) == 0)
            return rows[i].status;
    return 500;
}

void api_name_limit(int r, struct err *err)
{
    static const struct {
        int r;
        const char *keys;
    } rows[] = {{-EOVERFLOW, "query.max_samples"},
                {-E2BIG, "query.max_series, query.max_memory_mib"},
                {-ETIME, "query.timeout, or the request's own"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].r != r)
            continue;
        struct err whole = *err;
        err_set(err, whole.code, "%s (limit: %s)", whole.message, rows[i].keys);
    }
}
