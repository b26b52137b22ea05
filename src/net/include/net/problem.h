// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NET_PROBLEM_H
#define NET_PROBLEM_H

/* Problem details (RFC 9457), as which our processes say why a request failed. */

#include "base/buf.h"

#define PROBLEM_TYPE "application/problem+json"

/**
 * Append {type, title, status, detail} as JSON. `status` is an HTTP status of 400 or more, of which
 * the title is the name; `detail` is a sentence, or NULL.
 */
void problem_put(struct buf *out, int status, const char *detail);

#endif
