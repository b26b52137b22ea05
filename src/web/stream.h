// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_STREAM_H
#define WEB_STREAM_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * The body of a response that arrives in pieces while the client takes it. It belongs to its MHD
 * response and goes with that; the owner keeps a pointer until `gone`.
 */
struct stream;

struct stream_events {
    /** The client's side has taken a piece of so many bytes: another may come. */
    void (*taken)(void *owner, size_t bytes);
    /** The stream is being freed. */
    void (*gone)(void *owner);
};

/**
 * A body for this connection, compressed where `gzip` is set. `events` may be NULL. *ret_response
 * is what MHD is given; NULL is returned, and nothing made, where memory is short.
 */
struct stream *stream_new(struct MHD_Connection *mhd, bool gzip, const struct stream_events *events,
                          void *owner, struct MHD_Response **ret_response);

/**
 * More of the body: `len` bytes at `data` inside `payload`, which the stream frees. True where the
 * connection was waiting for it and MHD must run.
 */
bool stream_put(struct stream *s, char *payload, const char *data, size_t len);

/** Nothing more comes; not `whole`: the connection is closed so that the client sees it cut. True
 * as stream_put(). */
bool stream_end(struct stream *s, bool whole);

/** The owner goes: no event is told any more. */
void stream_detach(struct stream *s);

#endif
