// SPDX-License-Identifier: GPL-3.0-or-later
// The input is a form, or a query behind its first line: whatever the parameters hold, they are
// read or refused, and each value is found once.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api_param.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_each(const struct ipc_request *r, size_t size)
{
    size_t at = 0, n = 0;
    char *value;
    while ((value = api_param_each(r, "match[]", &at))) {
        free(value);
        if (++n > size + 2)
            abort();
    }
}

static void check_values(const struct ipc_request *r)
{
    static const char *const times[] = {"time", "start", "end"};
    struct err err = {0};
    int64_t ms = 0;
    size_t limit = 0;
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        if (api_param_time(r, times[i], &ms, &err) == 0 && (ms < API_TIME_MIN || ms > API_TIME_MAX))
            abort();
    api_param_duration(r, "timeout", &ms, &err);
    api_param_duration(r, "lookback_delta", &ms, &err);
    api_param_limit(r, "limit", &limit, &err);
    struct api_range range;
    if (api_param_range(r, &range, &err) == 0 &&
        (range.step_ms <= 0 || range.end_ms < range.start_ms ||
         (range.end_ms - range.start_ms) / range.step_ms > 11000))
        abort();
}

static void check_texts(const char *text)
{
    int64_t ms;
    CLEANUP(freep) char *name = api_name_unescape(text);
    if (name && strlen(name) > strlen(text))
        abort();
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 256);
    // Within the years that RFC 3339 has, a time reads back as it was written.
    if (api_time_parse(text, &ms) == 0 && ms > -62135596800000 && ms < 253402300800000) {
        int64_t back = 0;
        api_time_put(&out, ms);
        if (out.error || api_time_parse(out.data, &back) < 0 || back != ms)
            abort();
    }
    api_duration_parse(text, &ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    char *line = strchr(text, '\n');
    if (line)
        *line = '\0';
    struct ipc_request r = {.form = text, .query = line ? line + 1 : ""};
    check_each(&r, size);
    check_values(&r);
    check_texts(text);
    return 0;
}
