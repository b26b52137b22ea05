// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_ORIGIN_H
#define WEB_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

/** Whether pages of this origin ("https://grafana.example") may read answers, by the
 * configuration's list, in which "*" stands for all. */
bool origin_is_allowed(const char *origin, char *const *allowed, size_t n);

/** Whether an origin is the server itself, as the request's Host header names it. */
bool origin_is_own(const char *origin, const char *host);

#endif
