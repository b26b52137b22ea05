// SPDX-License-Identifier: GPL-3.0-or-later
#include "net/problem.h"

#include "base/json.h"
#include "base/mem.h"

static const char *title_of(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < ARRAY_LEN(titles); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

void problem_put(struct buf *out, int status, const char *detail)
{
    struct json j;
    json_init(&j, out);
    json_object_begin(&j);
    json_kv_string(&j, "type", "about:blank");
    json_kv_string(&j, "title", title_of(status));
    json_kv_i64(&j, "status", status);
    if (detail)
        json_kv_string(&j, "detail", detail);
    json_object_end(&j);
}
