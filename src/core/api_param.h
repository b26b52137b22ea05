// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_API_PARAM_H
#define CORE_API_PARAM_H

// Parameters of Prometheus' API, in a request's form or query. What fails is -EINVAL with
// Prometheus' text in `err`: `invalid parameter "step": cannot parse "x" to a valid duration`.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/ipc.h"

// Prometheus' bounds of time, which clients also send by name; what we take for them.
#define API_TIME_MIN (INT64_MIN / 4)
#define API_TIME_MAX (INT64_MAX / 4)

// Unix seconds with a fraction, or RFC 3339; in milliseconds. 0 or -EINVAL.
int api_time_parse(const char *text, int64_t *ret_ms);

// Seconds with a fraction, or a duration of Prometheus. 0 or -EINVAL.
int api_duration_parse(const char *text, int64_t *ret_ms);

// "2015-07-01T20:10:51.781Z".
void api_time_put(struct buf *out, int64_t ms);

// A name as a path writes it: "U__a_2e_b" is "a.b". Fresh memory; NULL where escapes are wrong.
char *api_name_unescape(const char *name);

// Typed parameters; an absent one leaves what `ret` holds.
int api_param_time(const struct ipc_request *r, const char *name, int64_t *ret_ms, struct err *err);
int api_param_duration(const struct ipc_request *r, const char *name, int64_t *ret_ms,
                       struct err *err);
int api_param_limit(const struct ipc_request *r, const char *name, size_t *ret, struct err *err);

// The next value of a parameter that may be repeated: start with *at = 0; NULL at the end.
char *api_param_each(const struct ipc_request *r, const char *name, size_t *at);

// Start, end and step of a range query, checked. All must be there.
struct api_range {
    int64_t start_ms, end_ms, step_ms;
};
int api_param_range(const struct ipc_request *r, struct api_range *ret, struct err *err);

#endif
