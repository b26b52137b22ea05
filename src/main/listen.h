// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MAIN_LISTEN_H
#define MAIN_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/** A TCP address that listens. */
struct listen_tcp {
    char *address; /**< as configured; owned */
    char *url;     /**< "http://127.0.0.1:9177"; owned */
    int fd;
    bool is_tls;
};

/** Open "HOST:PORT" or "[HOST]:PORT" with a numeric host. Free with listen_tcp_done(). */
int listen_tcp_open(const char *address, bool is_tls, struct listen_tcp *ret, struct err *err);
void listen_tcp_done(struct listen_tcp *l);

/** A Unix socket that listens, with what must go when it closes. */
struct listen_unix {
    char *path;     /**< owned */
    char *made_dir; /**< the directory, where it did not exist before; owned */
    char *lock_path;
    int lock_fd; /**< locked for as long as the socket is ours */
    int fd;
    dev_t dev;
    ino_t ino;
};

/**
 * Open the socket for root (or this user) alone, or for `group` too where it is not "". A socket
 * that nobody answers on is replaced. Free with listen_unix_done(), which removes its files.
 */
int listen_unix_open(const char *path, const char *group, struct listen_unix *ret, struct err *err);

/** Open it to another group, "" for none. */
int listen_unix_set_group(const struct listen_unix *l, const char *group, struct err *err);

void listen_unix_done(struct listen_unix *l);

#endif
