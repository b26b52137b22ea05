// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_WRITE_H
#define WEB_WRITE_H

/*
 * Samples that others send (remote write 1.0 and 2.0): who may, and what becomes of a body. Decoded
 * here, where a mistake costs least.
 */

#include <microhttpd.h>
#include <stddef.h>

#include "base/err.h"
#include "conf/conf.h"
#include "net/remote_write.h"
#include "request.h"

struct write_door;

/** Reads the token's file: to be called before the process gives up its rights. */
int write_door_new(const struct conf *conf, struct write_door **ret, struct err *err);
void write_door_free(struct write_door *d);

/** May this request's body be read? Status 0: yes. */
struct refusal write_check(const struct write_door *d, const struct request *r);

/**
 * Decode the body into a frame for core, which belongs to the writer. Status 0, or why not.
 * `content` says what the body holds.
 */
struct refusal write_decode(const struct request *r, struct samples_writer *out,
                            struct rw_content *content, struct err *why);

/** The answer once core has said what became of it; its status goes to *ret_status. */
struct MHD_Response *write_answer(const struct rw_content *content, const char *refused,
                                  const struct samples_written *written, unsigned *ret_status);

#endif
