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

static bool only_asks(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

static bool is_deed(const char *method, const char *path)
{
    CLEANUP(freep) char *vm = NULL;
    return strcmp(method, MHD_HTTP_METHOD_POST) == 0 && deed_match(path, &vm) != NULL;
}

static struct refusal check_method(struct inquiry *q)
{
    struct question *question = q->question;
    CLEANUP(freep) char *object = NULL;
    question->verb = verb_match(q->method, question->path, &object, &question->allow);
    const struct verb *verb = question->verb == VERB_INVALID ? NULL : &verbs[question->verb];
    bool asks = only_asks(q->method);
    question->is_deed = is_deed(q->method, question->path);
    question->takes_form = verb && verb->form && !asks;
    question->takes_json = question->is_deed || (verb && verb->takes_json);
    question->method = question->is_deed || question->takes_form ? "POST"
                       : verb                                    ? verb->method
                                                                 : "GET";
    if (question->takes_form || question->takes_json)
        question->body_max = VERB_FORM_MAX;
    else
        question->body_max = verb && !asks ? verb->body_max : 0;
    if (question->is_deed)
        return fine;
    if (!verb && question->allow)
        return (struct refusal){MHD_HTTP_METHOD_NOT_ALLOWED, "this path has other methods"};
    if (!verb && !asks)
        return (struct refusal){MHD_HTTP_METHOD_NOT_ALLOWED, "nothing here takes this method"};
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

size_t request_body_length(const struct request *r)
{
    const char *length = header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    uint64_t n = 0;
    return length && number_parse_u64(length, &n) == 0 ? (size_t)n : 0;
}

static struct refusal check_body(struct inquiry *q)
{
    static const char form[] = MHD_HTTP_POST_ENCODING_FORM_URLENCODED;
    if (!request_has_body(q->r))
        return fine;
    if (q->question->body_max == 0)
        return (struct refusal){MHD_HTTP_CONTENT_TOO_LARGE, "a request here has no body"};
    if (request_body_length(q->r) > q->question->body_max)
        return (struct refusal){MHD_HTTP_CONTENT_TOO_LARGE, "the request's body is too large"};
    const char *type = header(q->r, MHD_HTTP_HEADER_CONTENT_TYPE);
    if (q->question->takes_json && !credential_is_json(type))
        return (struct refusal){MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "a body must be application/json"};
    if (q->question->takes_form && (!type || strncasecmp(type, form, sizeof(form) - 1) != 0))
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

static int64_t patience(const struct question *question)
{
    enum verb_id verb = question->verb;
    for (size_t i = 0; i < ARRAY_LEN(slow_verbs); i++)
        if (slow_verbs[i].verb == verb)
            return slow_verbs[i].patience_ns;
    bool is_act = question->is_deed || (verb != VERB_INVALID && verbs[verb].place != VERB_AT_CORE);
    return is_act ? OTHER_PATIENCE_NS : CORE_PATIENCE_NS;
}

struct refusal request_check(const struct request *r, const struct peer *peer, const char *method,
                             const struct host_names *names, struct question *ret)
{
    struct inquiry q = {r, peer, method, names, ret};
    ret->verb = VERB_INVALID;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        struct refusal refusal = checks[i](&q);
        if (refusal.status != 0)
            return refusal;
    }
    ret->is_query = ret->verb != VERB_INVALID && verbs[ret->verb].is_query;
    ret->patience_ns = patience(ret);
    return fine;
}
