// SPDX-License-Identifier: GPL-3.0-or-later
#include "answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/json.h"
#include "base/mem.h"

#define GZIP_BLOCK (64u * 1024)
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

// A body that is compressed piece by piece as the client takes it.
struct packer {
    z_stream z;
    char *payload; // owned; the body lies inside
};

static void packer_free(void *arg)
{
    struct packer *p = arg;
    deflateEnd(&p->z);
    free(p->payload);
    free(p);
}

static ssize_t packer_read(void *arg, uint64_t pos, char *out, size_t max)
{
    struct packer *p = arg;
    p->z.next_out = (Bytef *)out;
    p->z.avail_out = (uInt)MIN_OF(max, (size_t)GZIP_BLOCK);
    size_t room = p->z.avail_out;
    int r = deflate(&p->z, Z_FINISH);
    size_t n = room - p->z.avail_out;
    if (n > 0)
        return (ssize_t)n;
    return r == Z_STREAM_END ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

// Takes over the payload in any case.
static struct MHD_Response *packed(char *payload, char *body, size_t len)
{
    struct packer *p = mem_zalloc(sizeof(*p));
    p->payload = payload;
    p->z.next_in = (Bytef *)body;
    p->z.avail_in = (uInt)len;
    if (deflateInit2(&p->z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(payload);
        free(p);
        return NULL;
    }
    struct MHD_Response *r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, GZIP_BLOCK,
                                                               packer_read, p, packer_free);
    if (!r) {
        packer_free(p);
        return NULL;
    }
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    MHD_add_response_header(r, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    return r;
}

struct MHD_Response *answer_from_core(char *payload, size_t len, bool gzip)
{
    const char *end = len > 0 ? memchr(payload, '\0', len) : NULL;
    if (!end || end - payload > CONTENT_TYPE_MAX) {
        free(payload);
        return NULL;
    }
    size_t type_len = (size_t)(end - payload) + 1, body_len = len - type_len;
    char *body = payload + type_len;
    CLEANUP(freep) char *type = mem_strdup(payload);
    if (gzip && body_len >= GZIP_LEAST)
        return with_headers(packed(payload, body, body_len), type);
    struct MHD_Response *r =
        MHD_create_response_from_buffer_with_free_callback_cls(body_len, body, free, payload);
    if (!r)
        free(payload);
    return with_headers(r, type);
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
