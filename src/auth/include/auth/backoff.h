// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef AUTH_BACKOFF_H
#define AUTH_BACKOFF_H

/*
 * How long whoever failed has to wait before the next try: nothing for the first five failures,
 * then 1 s, doubled with each further one up to a limit; forgotten after 15 minutes without a
 * failure or upon a success. Time is an argument.
 */

#include <stdint.h>

struct backoff;

/** `max_ns`: the longest wait. Remembers at most 4096 keys; the oldest gives way. */
struct backoff *backoff_new(int64_t max_ns);
void backoff_free(struct backoff *b);

/** How long `key` still has to wait; 0: it may try. */
int64_t backoff_wait_ns(const struct backoff *b, const char *key, int64_t now_ns);

void backoff_failed(struct backoff *b, const char *key, int64_t now_ns);
void backoff_succeeded(struct backoff *b, const char *key);

/**
 * The key of an address: IPv4 whole, IPv6 its /64, which is what one customer usually has; other
 * texts as they are.
 */
void backoff_address_key(const char *address, char ret[64]);

#endif
