// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_IMPORT_H
#define WEB_IMPORT_H

/*
 * Samples as OpenMetrics text with timestamps. The same three steps as write.h, for those who come
 * over the Unix socket.
 */

#include "write.h"

/** May this request's body be read? Status 0: yes. */
struct refusal import_check(const struct write_door *d, const struct request *r);

/**
 * Parse the body into a frame for core. All or nothing: 400 with the line of the first mistake, or
 * of a sample without a time. A NaN becomes the marker of a series' end.
 */
struct refusal import_decode(const struct request *r, struct samples_writer *out,
                             struct rw_content *content, struct err *why);

/** How many samples were taken and refused, as JSON. */
struct MHD_Response *import_answer(const struct rw_content *content, const char *refused,
                                   const struct samples_written *written, unsigned *ret_status);

#endif
