// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_CONN_H
#define WEB_CONN_H

#include <stdint.h>

#include "loop.h"
#include "request.h"

struct server;

/** What a connection's deadline is for. */
enum conn_phase {
    CONN_HEADER,   /**< a request's header must be complete */
    CONN_BODY,     /**< its form must have arrived */
    CONN_CORE,     /**< core must answer */
    CONN_RESPONSE, /**< the client must have taken the response */
};

/** One accepted socket, in the server's list while it is open. */
struct conn {
    struct conn *next, *prev;
    struct server *server;
    int fd; /**< MHD's */
    struct peer peer;
    enum conn_phase phase;
    int64_t deadline_ns;
    struct request *request; /**< in flight, or NULL */
    struct watch hangup;     /**< while a query is answered: does the client still wait? */
};

#endif
