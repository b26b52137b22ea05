// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_HOST_H
#define WEB_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/** By what names this machine goes. */
struct host_names {
    const char *own;      /**< gethostname(), "" where it has none */
    char *const *further; /**< the configuration's */
    size_t n_further;
};

/**
 * May a request that came from `peer` to `local` name this Host? Guards against DNS rebinding, by
 * which a stranger's page in a browser would reach us under the stranger's name: allowed are
 * loopback names and addresses, the address that was connected to, and this machine's names. From
 * another machine its own name may stand in any domain: it seldom knows which one is its own. A
 * port is ignored.
 */
bool host_is_ours(const char *host, const struct sockaddr *peer, const struct sockaddr *local,
                  const struct host_names *names);

/** True for 127.0.0.0/8, ::1, and the former inside IPv6. */
bool host_is_loopback(const struct sockaddr *addr);

/** An address without its port, as text; "" where it is none. */
void host_address(const struct sockaddr *addr, char *ret, size_t size);

#endif
