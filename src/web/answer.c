// SPDX-License-Identifier: GPL-3.0-or-later
#include "answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/mem.h"
#include "link.h"

#define GZIP_LEAST 1024
#define CONTENT_TYPE_MAX 200

static const char *const headers[][2] = {
    {"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                                "form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

static struct MHD_Response *with_headers(struct MHD_Response *r, const char *content_type)
{
    if (!r)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        MHD_add_response_header(r, headers[i][0], headers[i][1]);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    return r;
}

// The body behind the content type; NULL where there is none.
static char *body_of(char *payload, size_t len)
{
    const char *end = len > 0 ? memchr(payload, '\0', len) : NULL;
    return end && end - payload <= CONTENT_TYPE_MAX ? payload + (end - payload) + 1 : NULL;
}

struct MHD_Response *answer_from_core(char *payload, size_t len, bool gzip)
{
    char *body = body_of(payload, len);
    if (!body) {
        free(payload);
        return NULL;
    }
    size_t body_len = len - (size_t)(body - payload);
    CLEANUP(freep) char *type = mem_strdup(payload);
    struct MHD_Response *r = NULL;
    if (gzip && body_len >= GZIP_LEAST) {
        struct stream *s = stream_new(NULL, true, NULL, NULL, &r);
        if (!s) {
            free(payload);
            return NULL;
        }
        stream_put(s, payload, body, body_len);
        stream_end(s, true);
        return with_headers(r, type);
    }
    r = MHD_create_response_from_buffer_with_free_callback_cls(body_len, body, free, payload);
    if (!r)
        free(payload);
    return with_headers(r, type);
}

struct MHD_Response *answer_shared(struct shared *s)
{
    char *body = body_of(s->payload, s->len);
    if (!body)
        return NULL;
    struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback_cls(
        s->len - (size_t)(body - s->payload), body, shared_unref, shared_ref(s));
    if (!r)
        shared_unref(s);
    return with_headers(r, s->payload);
}

struct stream *answer_begin(char *payload, size_t len, struct MHD_Connection *mhd, bool gzip,
                            const struct stream_events *events, void *owner,
                            struct MHD_Response **ret)
{
    char *body = body_of(payload, len);
    // A compressor would keep events back.
    bool is_live = body && strcmp(payload, "text/event-stream") == 0;
    struct stream *s = body ? stream_new(mhd, gzip && !is_live, events, owner, ret) : NULL;
    if (!s) {
        free(payload);
        return NULL;
    }
    with_headers(*ret, payload);
    stream_put(s, payload, body, len - (size_t)(body - payload));
    return s;
}

struct MHD_Response *answer_problem(unsigned status, const char *detail)
{
    struct buf b;
    struct json j;
    buf_init(&b, 8192);
    json_init(&j, &b);
    json_object_begin(&j);
    json_kv_string(&j, "type", "about:blank");
    json_kv_string(&j, "title", MHD_get_reason_phrase_for(status));
    json_kv_u64(&j, "status", status);
    json_kv_string(&j, "detail", detail);
    json_object_end(&j);
    buf_putc(&b, '\n');
    size_t len = 0;
    char *text = buf_take(&b, &len);
    if (!text)
        return NULL;
    struct MHD_Response *r = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    if (!r)
        free(text);
    return with_headers(r, "application/problem+json");
}

bool answer_accepts_gzip(const char *accept_encoding)
{
    for (const char *at = accept_encoding; at && *at;) {
        at += strspn(at, " \t,");
        size_t len = strcspn(at, ",");
        size_t name = strcspn(at, " \t;,");
        if (name == 4 && strncasecmp(at, "gzip", 4) == 0) {
            // "q=0", "q=0.000" refuse it.
            const char *q = memmem(at, len, "q=", 2);
            if (!q)
                return true;
            size_t digits = strspn(q + 2, "0.");
            const char after = q[2 + digits];
            return after >= '1' && after <= '9';
        }
        at += len;
    }
    return false;
}
