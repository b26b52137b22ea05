// SPDX-License-Identifier: GPL-3.0-or-later
// What a request must satisfy before core hears of it. Checks stand in a table, in the order in
// which a person wants to know of them.
#include "request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/esc.h"
#include "base/mem.h"
#include "base/number.h"
#include "credential.h"
#include "verb/deed.h"
#include "verb/verb.h"

#define URI_MAX (8u * 1024)
#define CORE_PATIENCE_NS (5 * NS_PER_S)
// act writes to disk, and checks passwords one after the other.
#define OTHER_PATIENCE_NS (30 * NS_PER_S)

struct inquiry {
    const struct request *r;
    const struct peer *peer;
    const char *method;
    const struct host_names *names;
    struct question *question;
};

static const struct refusal fine = {0};

// These take the time that they were asked for, and core's own.
static const struct {
    enum verb_id verb;
    int64_t patience_ns;
} slow_verbs[] = {
    {VERB_VM_DIRTY_RATE, 75 * NS_PER_S},
};

static const char *header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);
}

static struct refusal check_length(struct inquiry *q)
{
    if (strlen(q->r->uri) > URI_MAX)
        return (struct refusal){MHD_HTTP_URI_TOO_LONG, "the address is longer than 8 KiB"};
    return fine;
}

static bool is_deed(const char *path)
{
    CLEANUP(freep) char *vm = NULL;
    return deed_match(path, &vm) != NULL;
}

static struct refusal check_method(struct inquiry *q)
{
    struct question *question = q->question;
    CLEANUP(freep) char *object = NULL;
    bool is_read =
        strcmp(q->method, MHD_HTTP_METHOD_GET) == 0 || strcmp(q->method, MHD_HTTP_METHOD_HEAD) == 0;
    question->verb = verb_match(q->method, question->path, &object, &question->allow);
    question->takes_form = verb_takes_form(q->method, question->path);
    question->is_deed = strcmp(q->method, MHD_HTTP_METHOD_POST) == 0 && is_deed(question->path);
    question->takes_json =
        question->is_deed || (question->verb != VERB_INVALID && verbs[question->verb].takes_json);
    question->method = question->takes_form ? "POST" : "GET";
    if (question->verb != VERB_INVALID && !question->takes_form)
        question->method = verbs[question->verb].method;
    if (question->is_deed) {
        question->method = "POST";
        return fine;
    }
    if (question->verb == VERB_INVALID && question->allow)
        return (struct refusal){MHD_HTTP_METHOD_NOT_ALLOWED, "this path has other methods"};
    if (question->verb == VERB_INVALID && !is_read)
        return (struct refusal){MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are served"};
    return fine;
}

static struct refusal check_host(struct inquiry *q)
{
    const char *host = header(q->r, MHD_HTTP_HEADER_HOST);
    if (q->peer->kind == PEER_UNIX || !host)
        return fine;
    if (host_is_ours(host, (const struct sockaddr *)&q->peer->addr,
                     (const struct sockaddr *)&q->peer->local, q->names))
        return fine;
    return (struct refusal){MHD_HTTP_MISDIRECTED_REQUEST,
                            "the request names a host that is not this one; use localhost, this "
                            "machine's name, the address that vherd listens on, or add the name "
                            "to web.hosts"};
}

bool request_has_body(const struct request *r)
{
    const char *length = header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return (length && strcmp(length, "0") != 0) || header(r, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static struct refusal check_body(struct inquiry *q)
{
    static const char form[] = MHD_HTTP_POST_ENCODING_FORM_URLENCODED;
    if (!request_has_body(q->r))
        return fine;
    if (!q->question->takes_form && !q->question->takes_json)
        return (struct refusal){MHD_HTTP_CONTENT_TOO_LARGE, "a request here has no body"};
    const char *length = header(q->r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *type = header(q->r, MHD_HTTP_HEADER_CONTENT_TYPE);
    uint64_t bytes = 0;
    if (length && (number_parse_u64(length, &bytes) < 0 || bytes > VERB_FORM_MAX))
        return (struct refusal){MHD_HTTP_CONTENT_TOO_LARGE, "a form may have 2 MiB"};
    if (q->question->takes_json && !credential_is_json(type))
        return (struct refusal){MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "a body must be application/json"};
    if (q->question->takes_json)
        return fine;
    if (!type || strncasecmp(type, form, sizeof(form) - 1) != 0)
        return (struct refusal){MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                "a body must be a form: application/x-www-form-urlencoded"};
    return fine;
}

static struct refusal check_address(struct inquiry *q)
{
    static const struct refusal bad = {MHD_HTTP_BAD_REQUEST,
                                       "the address is not a path, or an escape in it is broken"};
    q->question->storage = mem_strdup(q->r->uri);
    char *path = q->question->storage;
    char *mark = strchr(path, '?');
    if (mark)
        *mark = '\0';
    q->question->query = mark ? mark + 1 : "";
    long len = path[0] == '/' ? esc_url_decode(path, strlen(path)) : -1;
    if (len < 1)
        return bad;
    path[len] = '\0';
    q->question->path = path;
    return fine;
}

static struct refusal (*const checks[])(struct inquiry *) = {
    check_length, check_address, check_method, check_host, check_body,
};

static int64_t patience(enum verb_id verb, bool *ret_is_query)
{
    *ret_is_query = verb != VERB_INVALID && verbs[verb].is_query;
    for (size_t i = 0; i < ARRAY_LEN(slow_verbs); i++)
        if (slow_verbs[i].verb == verb)
            return slow_verbs[i].patience_ns;
    return verb != VERB_INVALID && verbs[verb].place != VERB_AT_CORE ? OTHER_PATIENCE_NS
                                                                     : CORE_PATIENCE_NS;
}

struct refusal request_check(const struct request *r, const struct peer *peer, const char *method,
                             const struct host_names *names, struct question *ret)
{
    struct inquiry q = {r, peer, method, names, ret};
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        struct refusal refusal = checks[i](&q);
        if (refusal.status != 0)
            return refusal;
    }
    ret->patience_ns = patience(ret->verb, &ret->is_query);
    return fine;
}
