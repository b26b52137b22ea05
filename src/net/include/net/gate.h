// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NET_GATE_H
#define NET_GATE_H

/*
 * What web asks act about credentials, as frames (net/ipc.h): IPC_REQUEST with a question,
 * IPC_RESPONSE with an answer; an empty IPC_REPORT from act says that rights were taken away, so
 * that grants kept by web are to be forgotten. Nothing else goes over that connection.
 */

#include <stddef.h>

#include "base/buf.h"

#define GATE_TEXT_MAX 2048
#define GATE_PAYLOAD_MAX (64u * 1024)

enum gate_kind {
    GATE_TOKEN,   /**< whose token is `secret`? */
    GATE_SESSION, /**< whose session? */
    GATE_LOGIN,   /**< open a session for `user` with password `secret` */
    GATE_LOGOUT,  /**< end the session */
    GATE_KIND_MAX,
};

/** Texts point into `storage`; none is NULL. */
struct gate_question {
    enum gate_kind kind;
    const char *secret;
    const char *user;
    const char *address; /**< where it came from, "" where that is no address */
    char *storage;
};

/**
 * With status 200: what was asked for, "" where that is not part of it. 401: no such credential,
 * for whatever reason; 429: too many failed (`retry_s`); 503: it cannot be looked up now.
 */
struct gate_answer {
    const char *grant;
    const char *session;
    const char *csrf;
    unsigned retry_s;
    char *storage;
};

/** Encode; a text that is too long sets out->error. */
void gate_question_encode(const struct gate_question *q, struct buf *out);
void gate_answer_encode(const struct gate_answer *a, struct buf *out);

/** Decode (copies); 0 or -EPROTO. The storage is wiped when it is freed. */
int gate_question_decode(const char *payload, size_t len, struct gate_question *ret);
int gate_answer_decode(const char *payload, size_t len, struct gate_answer *ret);
void gate_question_done(struct gate_question *q);
void gate_answer_done(struct gate_answer *a);

#endif
