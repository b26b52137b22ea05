// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_ANSWER_H
#define WEB_ANSWER_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * A response out of core's payload (content type, NUL, body), which it takes over and does not
 * copy; compressed on the way out where `gzip` is set. NULL where the payload is malformed or
 * memory is short.
 */
struct MHD_Response *answer_from_core(char *payload, size_t len, bool gzip);

/** Problem details (RFC 9457) with this status and sentence. NULL where memory is short. */
struct MHD_Response *answer_problem(unsigned status, const char *detail);

/** True where an Accept-Encoding header (NULL allowed) takes gzip. */
bool answer_accepts_gzip(const char *accept_encoding);

#endif
