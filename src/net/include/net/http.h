// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/buf.h"
#include "base/err.h"

/** Where the daemon listens. */
struct http_target {
    const char *socket; /**< path of its Unix socket, or NULL: */
    const char *url;    /**< "http://127.0.0.1:9177", "https://host:9178" */
    const char *token;  /**< shown as a bearer token; NULL: none */
    const char
        *ca; /**< PEM file of those who may have signed its certificate; NULL: the system's */
    const char *pin; /**< "sha256//BASE64" of its public key, in place of a signature; or NULL */
};

struct http_client; /**< keeps its connection open between requests; used by one thread */

struct http_client *http_client_new(const struct http_target *target);
void http_client_free(struct http_client *c);

/**
 * GET `path` (with query) and wait, at most `timeout_ms`. The body (at most 256 MiB) goes to
 * `body`. Returns 0 with the HTTP status in *ret_status, or -errno with a sentence in `err` that
 * says what a person can do (daemon not running, no permission for the socket, …).
 */
int http_get(struct http_client *c, const char *path, int timeout_ms, int *ret_status,
             struct buf *body, struct err *err);

/** The same as a POST with a form ("a=1&b=2", encoded). */
int http_post_form(struct http_client *c, const char *path, const char *form, int timeout_ms,
                   int *ret_status, struct buf *body, struct err *err);

/**
 * The same with any method and a JSON body (NULL: none); what the answer holds goes to `body`
 * whatever its status.
 */
int http_send(struct http_client *c, const char *method, const char *path, const char *json,
              int timeout_ms, int *ret_status, struct buf *body, struct err *err);
/** POST of any body. */
int http_post(struct http_client *c, const char *path, const char *content_type, const char *data,
              size_t len, int timeout_ms, int *ret_status, struct buf *body, struct err *err);

/** Takes a piece of a body; negative ends the request and is its result. */
typedef int http_take_fn(void *arg, const char *data, size_t len);

/**
 * GET a body of any length, given out as it comes; `idle_ms`: longest silence, rounded up to
 * seconds. The body of another status than 200 goes to `problem`. -EIO where the body broke off.
 */
int http_get_stream(struct http_client *c, const char *path, int idle_ms, http_take_fn *take,
                    void *arg, int *ret_status, struct buf *problem, struct err *err);

#endif
