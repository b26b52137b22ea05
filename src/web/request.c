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
#include "verb/verb.h"

#define URI_MAX (8u * 1024)
#define CORE_PATIENCE_NS (5 * NS_PER_S)
#define ACT_PATIENCE_NS (60 * NS_PER_S)

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

static const char *const open_to_remote[] = {"/metrics", "/-/healthy", "/-/ready"};

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

static struct refusal check_method(struct inquiry *q)
{
    q->question->takes_json = verb_takes_json(q->method, q->question->path);
    q->question->takes_form =
        q->question->takes_json || verb_takes_form(q->method, q->question->path);
    q->question->method = q->question->takes_form ? "POST" : "GET";
    if (!q->question->takes_form && strcmp(q->method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(q->method, MHD_HTTP_METHOD_HEAD) != 0)
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
    static const char json[] = "application/json";
    if (!request_has_body(q->r))
        return fine;
    if (!q->question->takes_form)
        return (struct refusal){MHD_HTTP_CONTENT_TOO_LARGE, "a request here has no body"};
    const char *length = header(q->r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *type = header(q->r, MHD_HTTP_HEADER_CONTENT_TYPE);
    uint64_t bytes = 0;
    if (length && (number_parse_u64(length, &bytes) < 0 || bytes > VERB_FORM_MAX))
        return (struct refusal){MHD_HTTP_CONTENT_TOO_LARGE, "a form may have 2 MiB"};
    if (q->question->takes_json && (!type || strncasecmp(type, json, sizeof(json) - 1) != 0))
        return (struct refusal){MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                "a body must be JSON: application/json"};
    if (!q->question->takes_json && (!type || strncasecmp(type, form, sizeof(form) - 1) != 0))
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

static struct refusal check_right(struct inquiry *q)
{
    if (q->peer->kind != PEER_REMOTE)
        return fine;
    for (size_t i = 0; i < ARRAY_LEN(open_to_remote); i++)
        if (strcmp(q->question->path, open_to_remote[i]) == 0)
            return fine;
    return (struct refusal){MHD_HTTP_FORBIDDEN,
                            "from another machine only /metrics, /-/healthy and /-/ready are open"};
}

static struct refusal (*const checks[])(struct inquiry *) = {
    check_length, check_address, check_method, check_host, check_body, check_right,
};

static int64_t patience(const char *path, bool *ret_is_query)
{
    CLEANUP(freep) char *object = NULL;
    const char *allow;
    enum verb_id verb = verb_match("GET", path, &object, &allow);
    *ret_is_query = verb != VERB_INVALID && verbs[verb].is_query;
    // libvirt is asked before a task is taken on, or to read what core does not have.
    if (verb_takes_json("POST", path) || (verb != VERB_INVALID && verbs[verb].place == VERB_AT_ACT))
        return ACT_PATIENCE_NS;
    for (size_t i = 0; i < ARRAY_LEN(slow_verbs); i++)
        if (slow_verbs[i].verb == verb)
            return slow_verbs[i].patience_ns;
    return CORE_PATIENCE_NS;
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
    ret->patience_ns = patience(ret->path, &ret->is_query);
    return fine;
}
