// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_SERVER_H
#define WEB_SERVER_H

#include "base/clock.h"
#include "base/err.h"
#include "conf/conf.h"
#include "loop.h"

/** The HTTP server on sockets that it was given; one thread, driven by its loop. */
struct server;

/** For HTTPS; PEM, NULL: none. */
struct server_tls {
    const char *certificate, *key;
};

/**
 * Everything that needs the file system or new descriptors is done here, so that the sandbox may
 * close behind it. The caller owns *ret; `loop`, `clock` and `conf` are borrowed; so
 * is `tls`, until this returns.
 */
int server_new(struct loop *loop, const struct clock *clock, const struct conf *conf,
               const struct server_tls *tls, struct server **ret, struct err *err);
void server_free(struct server *s);

/** Serve a listening socket (TCP or Unix), which the server takes over. 0 or -errno. */
int server_listen(struct server *s, int fd, bool is_tls);

/** A connection to core, taken over; the one before is dropped. */
void server_connect_core(struct server *s, int fd);

/** The same to act. */
void server_connect_act(struct server *s, int fd);

/** Take over what a reload may change; the configuration is borrowed until the next one. */
void server_configure(struct server *s, const struct conf *conf);

/** Wait for the next event and serve it. */
void server_turn(struct server *s);

/** True once core has been away for longer than it can take to start again: both live, but their
 * connection broke, which only a restart mends. */
bool server_is_orphan(const struct server *s);

/** Accept nothing more; false while requests are still being answered and time is left. */
bool server_finish(struct server *s);

#endif
