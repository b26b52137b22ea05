// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_HOST_H
#define WEB_HOST_H

#include <stdbool.h>
#include <sys/socket.h>

/**
 * May a request that came to `local` name this Host? Guards against DNS rebinding, by which a
 * stranger's page in a local browser would reach us under the stranger's name: allowed are
 * loopback names and addresses, the address that was connected to, and `own_name`, this machine's
 * name, whole or without its domain. A port is ignored.
 */
bool host_is_ours(const char *host, const struct sockaddr *local, const char *own_name);

/** True for 127.0.0.0/8, ::1, and the former inside IPv6. */
bool host_is_loopback(const struct sockaddr *addr);

#endif
