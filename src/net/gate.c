// SPDX-License-Identifier: GPL-3.0-or-later
// Questions and answers about credentials: NUL-ended texts in a fixed order.
#include "net/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"

// Longer than a question's: a grant is among them.
#define ANSWER_TEXT_MAX (16u * 1024)

static const char *const kinds[GATE_KIND_MAX] = {[GATE_TOKEN] = "token",
                                                 [GATE_SESSION] = "session",
                                                 [GATE_LOGIN] = "login",
                                                 [GATE_LOGOUT] = "logout"};

static void put(struct buf *out, const char *text, size_t max)
{
    if (strlen(text) > max)
        out->error = -EMSGSIZE;
    buf_put(out, text, strlen(text) + 1);
}

// Splits a copy into exactly `n` texts of at most `max` bytes; the caller owns *ret_storage.
static int split(const char *payload, size_t len, size_t max, const char **text, size_t n,
                 char **ret_storage)
{
    CLEANUP(freep) char *copy = malloc(len ? len : 1);
    if (!copy)
        return -ENOMEM;
    if (len > 0)
        memcpy(copy, payload, len);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const char *end = memchr(copy + at, '\0', len - at);
        if (!end || (size_t)(end - (copy + at)) > max)
            return -EPROTO;
        text[i] = copy + at;
        at = (size_t)(end - copy) + 1;
    }
    if (at != len)
        return -EPROTO;
    *ret_storage = TAKE_PTR(copy);
    return 0;
}

void gate_question_encode(const struct gate_question *q, struct buf *out)
{
    put(out, kinds[q->kind], GATE_TEXT_MAX);
    put(out, q->secret, GATE_TEXT_MAX);
    put(out, q->user, GATE_TEXT_MAX);
    put(out, q->address, GATE_TEXT_MAX);
}

int gate_question_decode(const char *payload, size_t len, struct gate_question *ret)
{
    const char *text[4];
    char *storage = NULL;
    int r = split(payload, len, GATE_TEXT_MAX, text, ARRAY_LEN(text), &storage);
    if (r < 0)
        return r;
    for (int kind = 0; kind < GATE_KIND_MAX; kind++) {
        if (strcmp(kinds[kind], text[0]) == 0) {
            *ret = (struct gate_question){(enum gate_kind)kind, text[1], text[2], text[3], storage};
            return 0;
        }
    }
    free(storage);
    return -EPROTO;
}

static void wipe(char *storage, const char *secret)
{
    if (secret)
        explicit_bzero((char *)secret, strlen(secret));
    free(storage);
}

void gate_question_done(struct gate_question *q)
{
    wipe(q->storage, q->storage ? q->secret : NULL);
    *q = (struct gate_question){0};
}

void gate_answer_encode(const struct gate_answer *a, struct buf *out)
{
    put(out, a->grant, ANSWER_TEXT_MAX);
    put(out, a->session, ANSWER_TEXT_MAX);
    put(out, a->csrf, ANSWER_TEXT_MAX);
    buf_printf(out, "%u", a->retry_s);
    buf_putc(out, '\0');
}

int gate_answer_decode(const char *payload, size_t len, struct gate_answer *ret)
{
    const char *text[4];
    char *storage = NULL;
    uint64_t retry_s = 0;
    int r = split(payload, len, ANSWER_TEXT_MAX, text, ARRAY_LEN(text), &storage);
    if (r < 0)
        return r;
    if (number_parse_u64(text[3], &retry_s) < 0 || retry_s > 86400) {
        free(storage);
        return -EPROTO;
    }
    *ret = (struct gate_answer){text[0], text[1], text[2], (unsigned)retry_s, storage};
    return 0;
}

void gate_answer_done(struct gate_answer *a)
{
    wipe(a->storage, a->storage ? a->session : NULL);
    *a = (struct gate_answer){0};
}
