// SPDX-License-Identifier: GPL-3.0-or-later
#include "import.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "conn.h"
#include "net/expo.h"

struct reading {
    struct samples_writer *out;
    struct err *why;
};

struct refusal import_check(const struct write_door *d, const struct request *r)
{
    if (r->conn->peer.kind != PEER_UNIX)
        return (struct refusal){MHD_HTTP_FORBIDDEN, "this is answered on the Unix socket only"};
    // Samples go to core as those of a scrape do, without a grant: what the kernel says of the
    // caller decides, as it does where core judges a connection.
    struct ucred caller;
    socklen_t len = sizeof(caller);
    if (getsockopt(r->conn->fd, SOL_SOCKET, SO_PEERCRED, &caller, &len) == 0 &&
        (caller.uid == 0 || caller.uid == geteuid()))
        return (struct refusal){0};
    return (struct refusal){MHD_HTTP_FORBIDDEN, "this needs another role or scope"};
}

static int take_sample(void *arg, const struct expo_sample *s)
{
    struct reading *reading = arg;
    if (!s->has_time) {
        err_set(reading->why, EINVAL, "line %d: a sample without a timestamp", s->line);
        return -EINVAL;
    }
    int r = isnan(s->v) ? samples_put_end(reading->out, s->label, s->n, s->t_ms)
                        : samples_put(reading->out, s->label, s->n, s->t_ms, s->v);
    if (r == -EINVAL)
        err_set(reading->why, EINVAL, "line %d: its labels cannot be stored", s->line);
    return r;
}

struct refusal import_decode(const struct request *r, struct samples_writer *out,
                             struct rw_content *content, struct err *why)
{
    static const struct expo_events events = {.sample = take_sample};
    struct reading reading = {out, why};
    int e = expo_parse(r->body.len ? r->body.data : "", r->body.len, EXPO_OPENMETRICS_LOOSE,
                       &events, &reading, why);
    content->samples = samples_count(out);
    if (e == -ENOMEM)
        return (struct refusal){MHD_HTTP_SERVICE_UNAVAILABLE, "memory is short"};
    if (e == -E2BIG && !*why->message)
        return (struct refusal){MHD_HTTP_CONTENT_TOO_LARGE, "the request is too large"};
    return e < 0 ? (struct refusal){MHD_HTTP_BAD_REQUEST, why->message} : (struct refusal){0};
}

struct MHD_Response *import_answer(const struct rw_content *content, const char *refused,
                                   const struct samples_written *written, unsigned *ret_status)
{
    CLEANUP(buf_done) struct buf text;
    struct json j;
    buf_init(&text, 8192);
    json_init(&j, &text);
    json_object_begin(&j);
    json_kv_u64(&j, "samples", written->samples);
    json_kv_u64(&j, "refused", written->rejected);
    json_kv_u64(&j, "late", written->late);
    json_kv_u64(&j, "duplicate", written->duplicate);
    if (written->rejected > written->late + written->duplicate)
        json_kv_string(&j, "reason", written->reason);
    json_object_end(&j);
    *ret_status = MHD_HTTP_OK;
    struct MHD_Response *r =
        MHD_create_response_from_buffer(text.len, text.data, MHD_RESPMEM_MUST_COPY);
    if (r)
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    return r;
}
