// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_ANSWER_H
#define WEB_ANSWER_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "stream.h"

struct shared; // link.h

/**
 * A response out of core's payload (content type, NUL, body), which it takes over and does not
 * copy; compressed on the way out where `gzip` is set. NULL where the payload is malformed or
 * memory is short.
 */
struct MHD_Response *answer_from_core(char *payload, size_t len, bool gzip);

/** The same, not compressed, out of a payload that others send too. */
struct MHD_Response *answer_shared(struct shared *s);

/**
 * The same for an answer that comes in pieces, of which this is the first: its stream, of which
 * more is put and which ends later, with the response in *ret.
 */
struct stream *answer_begin(char *payload, size_t len, struct MHD_Connection *mhd, bool gzip,
                            const struct stream_events *events, void *owner,
                            struct MHD_Response **ret);

/** Problem details (RFC 9457) with this status and sentence. NULL where memory is short. */
struct MHD_Response *answer_problem(unsigned status, const char *detail);

/** True where an Accept-Encoding header (NULL allowed) takes gzip. */
bool answer_accepts_gzip(const char *accept_encoding);

#endif
