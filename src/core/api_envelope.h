// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_API_ENVELOPE_H
#define CORE_API_ENVELOPE_H

// The JSON around every answer of Prometheus' API.

#include "base/buf.h"
#include "base/err.h"

// `{"status":"success","data":`; the data, and what api_success_end() puts, follow.
void api_success_begin(struct buf *out);

// `}`, with one warning before it where `warning` is not NULL.
void api_success_end(struct buf *out, const char *warning);

// The whole of an answer that failed.
void api_error_put(struct buf *out, const char *type, const char *message);

// What evaluation or a source returned, as kind of error and as HTTP status.
const char *api_error_type(int r);
int api_error_status(const char *type);

// Put the configuration's key behind the message where a limit was the reason.
void api_name_limit(int r, struct err *err);

#endif
