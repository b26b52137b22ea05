// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_LIMIT_H
#define WEB_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/**
 * How many requests an address may make: so many a second on average, twice as many at once. IPv4
 * by address, IPv6 by its /64, which is what one customer usually has. Remembers 4096 addresses;
 * those heard of least lately give way, with what they had left.
 */
struct limit;

struct limit *limit_new(void);
void limit_free(struct limit *l);

/** Take one request of `addr` out of `per_s` (0: no limit); false where there is none left. */
bool limit_take(struct limit *l, const struct sockaddr *addr, int64_t per_s, int64_t now_ns);

#endif
