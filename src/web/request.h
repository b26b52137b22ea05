// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_REQUEST_H
#define WEB_REQUEST_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "host.h"
#include "verb/verb.h"

struct conn;
struct body_rule;

enum request_state {
    REQUEST_NEW,      /**< its first line was read */
    REQUEST_SEEN,     /**< its header is complete, nothing was decided */
    REQUEST_WAITING,  /**< suspended until core answers */
    REQUEST_DECIDED,  /**< `response` stands ready */
    REQUEST_ANSWERED, /**< queued with MHD */
};

/** One HTTP request; lives until MHD has sent its response or lost its connection. */
struct request {
    struct conn *conn;
    struct MHD_Connection *mhd;
    char *uri; /**< as it came, owned */
    enum request_state state;
    bool gzip;
    bool has_body;                /**< one is being read, or was */
    const struct body_rule *rule; /**< what becomes of it */
    struct buf body;              /**< as far as it has come */
    void *work;                   /**< what the verb keeps while core is asked, or NULL */
    uint32_t id;                  /**< of the question to core, while waiting */
    unsigned status;
    size_t body_len; /**< of the response, at least roughly */
    struct MHD_Response *response;
};

enum peer_kind {
    PEER_UNIX,
    PEER_LOOPBACK,
    PEER_REMOTE,
};

/** Who asks, as far as the connection tells. */
struct peer {
    enum peer_kind kind;
    char principal[32]; /**< "unix:UID", "loopback", "remote" */
    struct sockaddr_storage addr;
    struct sockaddr_storage local;
};

/** What stands in the way of a request, or status 0. */
struct refusal {
    unsigned status;
    const char *detail;
};

/** What core is asked; `path` and `query` point into `storage`, which the caller frees. */
struct question {
    char *storage;
    const char *path;
    const char *query;
    int64_t patience_ns; /**< how long to wait for core */
};

/** True where a body follows the header. */
bool request_has_body(const struct request *r);

/** The body's length as the header tells it, 0 where it does not. */
size_t request_body_length(const struct request *r);

/**
 * Check a request that is complete up to its header: method, Host, what its peer may read, the
 * address. Status 0: *ret says what to ask core.
 */
struct refusal request_check(const struct request *r, const struct peer *peer, const char *method,
                             const struct host_names *names, struct question *ret);

#endif
