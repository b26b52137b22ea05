// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_REQUEST_H
#define WEB_REQUEST_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "host.h"
#include "net/gate.h"
#include "stream.h"
#include "verb/verb.h"

struct conn;

enum request_state {
    REQUEST_NEW,      /**< its first line was read */
    REQUEST_SEEN,     /**< its header is complete, nothing was decided */
    REQUEST_BODY,     /**< checked; its body is being read */
    REQUEST_WAITING,  /**< suspended until core answers */
    REQUEST_DECIDED,  /**< `response` stands ready */
    REQUEST_ANSWERED, /**< queued with MHD */
};

enum peer_kind {
    PEER_UNIX,
    PEER_LOOPBACK,
    PEER_REMOTE,
};

/** Who asks, as far as the connection tells. */
struct peer {
    enum peer_kind kind;
    bool is_tls;
    char address[64]; /**< for the audit log */
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
    const char *method;
    const char *allow; /**< methods that the path has, where the request's is none of them */
    enum verb_id verb; /**< VERB_INVALID: core says that there is none */
    const char *path;
    const char *query;
    int64_t patience_ns; /**< how long to wait for core */
    bool is_query;       /**< wait for as long as queries may take, besides */
    bool takes_form;
    bool takes_json;
    size_t body_max; /**< 0: a body is refused */
    bool is_deed;    /**< a POST of verb/deed.h, which is none of `verb` */
};

/** One HTTP request; lives until MHD has sent its response or lost its connection. */
struct request {
    struct conn *conn;
    struct MHD_Connection *mhd;
    char *uri; /**< as it came, owned */
    enum request_state state;
    bool gzip;
    bool is_cross_origin; /**< a page that may read the answer asks */
    struct question question;
    struct buf body;  /**< of the request, as far as it has come */
    void *work;       /**< what a verb with a body keeps while core is asked, or NULL */
    uint32_t id;      /**< of the question to core, while it is open */
    uint32_t gate_id; /**< of the question to act about its credential, while that is open */
    struct gate_question shown; /**< its credential; `storage` NULL: none */
    char *user;                 /**< of a login */
    char *grant;                /**< what act gave for it */
    unsigned status;
    size_t body_len; /**< of the response, as far as it is in memory */
    struct MHD_Response *response;
    struct stream *stream; /**< of an answer in pieces, while MHD has it */
};

/** True where a body follows the header (which a request may have while it is checked). */
bool request_has_body(const struct request *r);

/** The body's length as the header tells it, 0 where it does not. */
size_t request_body_length(const struct request *r);

/**
 * Check a request that is complete up to its header: address, method, Host, body. Status 0: *ret
 * says what to ask core, who decides whether the asker may.
 */
struct refusal request_check(const struct request *r, const struct peer *peer, const char *method,
                             const struct host_names *names, struct question *ret);

#endif
