// SPDX-License-Identifier: GPL-3.0-or-later
#include "write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "answer.h"
#include "base/fs.h"
#include "base/mem.h"

#define TOKEN_MIN 16
#define TOKEN_MAX 4096

struct write_door {
    bool open;
    char *token;
    size_t token_len;
};

static int read_token(struct write_door *d, const char *path, struct err *err)
{
    size_t len = 0;
    int r = fs_read_file(AT_FDCWD, path, TOKEN_MAX, &d->token, &len);
    if (r < 0)
        return err_set(err, -r, "receive.token_file: %s: %s", path, strerror(-r));
    d->token_len = strcspn(d->token, " \t\r\n");
    if (d->token_len < TOKEN_MIN)
        return err_set(err, EINVAL, "receive.token_file: %s: a token has at least %d characters",
                       path, TOKEN_MIN);
    return 0;
}

int write_door_new(const struct conf *conf, struct write_door **ret, struct err *err)
{
    struct write_door *d = mem_zalloc(sizeof(*d));
    d->open = conf->receive.enabled;
    int r = d->open ? read_token(d, conf->receive.token_file, err) : 0;
    if (r < 0)
        write_door_free(d);
    else
        *ret = d;
    return r;
}

void write_door_free(struct write_door *d)
{
    if (!d)
        return;
    if (d->token)
        explicit_bzero(d->token, d->token_len);
    free(d->token);
    free(d);
}

static const char *header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);
}

// Takes the same time wherever the texts differ.
static bool token_is_right(const struct write_door *d, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (!authorization || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
        return false;
    const char *given = authorization + sizeof(scheme) - 1;
    given += strspn(given, " ");
    size_t len = strlen(given);
    unsigned char differs = len != d->token_len;
    for (size_t i = 0; i < d->token_len; i++)
        differs |= (unsigned char)(d->token[i] ^ (len > 0 ? given[i % len] : 1));
    return differs == 0;
}

struct refusal write_check(const struct write_door *d, const struct request *r)
{
    enum rw_version version;
    const char *encoding = header(r, MHD_HTTP_HEADER_CONTENT_ENCODING);
    if (!d->open)
        return (struct refusal){MHD_HTTP_NOT_FOUND,
                                "samples are not taken here; see receive.enabled"};
    if (!token_is_right(d, header(r, MHD_HTTP_HEADER_AUTHORIZATION)))
        return (struct refusal){MHD_HTTP_UNAUTHORIZED,
                                "this takes \"Authorization: Bearer TOKEN\" with the right token"};
    if (encoding && strcasecmp(encoding, "snappy") != 0)
        return (struct refusal){MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "the encoding must be snappy"};
    if (rw_version_of(header(r, MHD_HTTP_HEADER_CONTENT_TYPE), &version) < 0)
        return (struct refusal){MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                "the content must be application/x-protobuf, one of the messages "
                                "prometheus.WriteRequest and io.prometheus.write.v2.Request"};
    return (struct refusal){0};
}

struct refusal write_decode(const struct request *r, struct samples_writer *out,
                            struct rw_content *content, struct err *why)
{
    enum rw_version version = RW_1_0;
    (void)rw_version_of(header(r, MHD_HTTP_HEADER_CONTENT_TYPE), &version);
    int e = rw_decode(r->body.len ? r->body.data : "", r->body.len, version, out, content, why);
    if (e == -E2BIG)
        return (struct refusal){MHD_HTTP_CONTENT_TOO_LARGE, "the request is too large"};
    if (e == -ENOMEM)
        return (struct refusal){MHD_HTTP_SERVICE_UNAVAILABLE, "memory is short"};
    if (e < 0)
        return (struct refusal){MHD_HTTP_BAD_REQUEST, why->message};
    return (struct refusal){0};
}

static void add_count(struct MHD_Response *r, const char *name, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
    MHD_add_response_header(r, name, text);
}

// What is wrong with a part of the request, "" where all was taken.
static void explain(const struct rw_content *content, const char *refused,
                    const struct samples_written *written, struct buf *out)
{
    if (content->dropped_series > 0)
        buf_printf(out, "%llu series refused: %s\n", (unsigned long long)content->dropped_series,
                   refused);
    if (written->rejected > 0)
        buf_printf(out, "%llu samples refused: %s\n", (unsigned long long)written->rejected,
                   written->reason);
    if (content->histograms > 0)
        buf_printf(out, "%llu native histograms refused: they are not supported\n",
                   (unsigned long long)content->histograms);
}

struct MHD_Response *write_answer(const struct rw_content *content, const char *refused,
                                  const struct samples_written *written, unsigned *ret_status)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 8192);
    explain(content, refused, written, &text);
    *ret_status = text.len > 0 ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_NO_CONTENT;
    struct MHD_Response *r =
        text.len > 0 ? answer_problem(*ret_status, text.data)
                     : MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    if (!r)
        return NULL;
    add_count(r, "X-Prometheus-Remote-Write-Samples-Written", written->samples);
    add_count(r, "X-Prometheus-Remote-Write-Histograms-Written", 0);
    add_count(r, "X-Prometheus-Remote-Write-Exemplars-Written", 0);
    return r;
}
