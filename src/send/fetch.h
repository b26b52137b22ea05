// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SEND_FETCH_H
#define SEND_FETCH_H

/*
 * HTTP to many servers at once, on one thread: libcurl's multi interface. A line is to one server
 * and carries one request at a time.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"

struct fetch_pool;
struct fetch_line;

struct fetch_request {
    const char *const *headers; /**< "Name: value", NULL-ended; or NULL */
    const void *body;           /**< POST; NULL: GET. Borrowed until the answer */
    size_t body_len;
    int64_t timeout_ns;
    size_t limit_bytes; /**< of the answer's body, once unpacked */
};

struct fetch_answer {
    int status;       /**< HTTP status, 0: no answer */
    const char *why;  /**< where there is no answer, or it was cut: a sentence; else NULL */
    const char *body; /**< NUL-ended, up to the limit */
    size_t len;
    const char *content_type; /**< NULL: none */
    int64_t retry_after_ns;   /**< -1: none */
    bool confirmed;           /**< some X-Prometheus-Remote-Write-*-Written header */
    int64_t took_ns;
};

typedef void fetch_done(void *arg, const struct fetch_answer *a);

/** `memory_bytes`: of all answers together; one that would pass it is cut. */
struct fetch_pool *fetch_pool_new(size_t memory_bytes);
void fetch_pool_free(struct fetch_pool *p); /**< after its lines */

/**
 * A line to a URL. Secrets are read from their files here: to be called before the process gives up
 * its rights. The caller owns *ret; `http` is borrowed. 0, or -errno naming the file.
 */
int fetch_line_new(struct fetch_pool *p, const char *url, const struct conf_http *http,
                   fetch_done *done, void *arg, struct fetch_line **ret, struct err *err);
void fetch_line_free(struct fetch_line *l);

/** Begin; `done` is called later, once. Not while a request is under way. 0 or -ENOMEM. */
int fetch_start(struct fetch_line *l, const struct fetch_request *r);

/** A secret: the first line of a file, or "env:NAME". The caller frees. 0, or -errno naming it. */
int fetch_secret(const char *place, char **ret, struct err *err);

struct fetch_mail {
    const char *from;
    const struct conf_list *to;
    const char *data; /**< header and body, lines ending in CRLF. Borrowed until the answer */
    size_t len;
    int64_t timeout_ns;
};

/** A line to a mail server; as fetch_line_new(). `mail` is borrowed. */
int fetch_mail_line_new(struct fetch_pool *p, const struct conf_receiver *mail, fetch_done *done,
                        void *arg, struct fetch_line **ret, struct err *err);

/** Begin; `status` of the answer is the server's last reply (250 = taken), 0 = none. */
int fetch_start_mail(struct fetch_line *l, const struct fetch_mail *m);

/** Wait for answers and for `extra` descriptors (as poll()), at most `timeout_ms`; call what is
 * done. */
void fetch_turn(struct fetch_pool *p, struct pollfd *extra, unsigned n, int timeout_ms);

#endif
