// SPDX-License-Identifier: GPL-3.0-or-later
// Bodies on their way in, and those that are samples on their way to core.
#include "private.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "import.h"
#include "verb/verb.h"

// Their memory, and how slowly one may come.
#define UPLOADS_MAX ((size_t)64 << 20)
#define UPLOAD_BYTES_PER_S (64u * 1024)
#define BODY_NS (30 * NS_PER_S)
// Longer than the supervisor's longest pause before it starts core again.
#define WRITE_PATIENCE_NS (10 * NS_PER_S)
// While the store merges what came before.
#define IMPORT_PATIENCE_NS (110 * NS_PER_S)

// Verbs whose body is samples.
static const struct intake {
    struct refusal (*check)(const struct write_door *d, const struct request *r);
    struct refusal (*decode)(const struct request *r, struct samples_writer *out,
                             struct rw_content *content, struct err *why);
    struct MHD_Response *(*answer)(const struct rw_content *content, const char *refused,
                                   const struct samples_written *written, unsigned *ret_status);
    int (*hand_over)(struct link *l, const char *frame, size_t len, void *asker, uint32_t *ret_id);
    int64_t patience_ns;
    // Of dry_run; NULL: there is no such thing.
    int (*hand_over_dry)(struct link *l, const char *frame, size_t len, void *asker,
                         uint32_t *ret_id);
} intakes[VERB_MAX] = {
    [VERB_WRITE] = {write_check, write_decode, write_answer, link_write, WRITE_PATIENCE_NS},
    [VERB_IMPORT] = {import_check, import_decode, import_answer, link_import, IMPORT_PATIENCE_NS,
                     link_import_try},
};

// What is kept of a body with samples until core has them.
struct writing {
    struct rw_content content;
    char refused[sizeof(((struct err *)NULL)->message)];
};

void body_begin(struct request *r)
{
    struct server *s = r->conn->server;
    enum verb_id verb = r->question.verb;
    size_t len = request_body_length(r), max = r->question.body_max;
    struct refusal refusal = {0};
    if (verb == VERB_WRITE)
        max = s->receive_max;
    if (verb >= 0 && verb < VERB_MAX && intakes[verb].check)
        refusal = intakes[verb].check(s->door, r);
    if (refusal.status == 0 && len > max)
        refusal = (struct refusal){MHD_HTTP_CONTENT_TOO_LARGE,
                                   "the request is larger than receive.max_body"};
    if (refusal.status == 0 && s->upload_bytes + len > UPLOADS_MAX)
        refusal = (struct refusal){MHD_HTTP_SERVICE_UNAVAILABLE, "too many requests at once"};
    if (refusal.status != 0) {
        request_refuse(r, refusal.status, refusal.detail);
        return;
    }
    buf_init(&r->body, max);
    conn_set_deadline(r->conn, CONN_BODY, BODY_NS + (int64_t)(max / UPLOAD_BYTES_PER_S) * NS_PER_S);
    r->state = REQUEST_BODY;
}

bool body_take(struct request *r, const char *data, size_t len)
{
    struct server *s = r->conn->server;
    if (r->state != REQUEST_BODY || s->upload_bytes + len > UPLOADS_MAX)
        return false;
    buf_put(&r->body, data, len);
    if (r->body.error)
        return false;
    s->upload_bytes += len;
    return true;
}

void body_drop(struct request *r)
{
    if (r->conn)
        r->conn->server->upload_bytes -= r->body.len;
    if (r->body.data) // a password, perhaps
        explicit_bzero(r->body.data, r->body.len);
    buf_done(&r->body);
}

static bool is_dry(const struct request *r)
{
    CLEANUP(freep) char *text = ipc_query_param(r->question.query, "dry_run");
    return text && strcmp(text, "false") != 0 && strcmp(text, "0") != 0;
}

void body_write(struct request *r)
{
    struct server *s = r->conn->server;
    struct writing *w = mem_zalloc(sizeof(*w));
    struct samples_writer *out = samples_writer_new(SAMPLES_FRAME_MAX);
    struct err why = {0};
    size_t len = 0;
    r->work = w;
    const struct intake *intake = &intakes[r->question.verb];
    struct refusal refusal = intake->decode(r, out, &w->content, &why);
    memcpy(w->refused, why.message, sizeof(w->refused));
    const char *frame = refusal.status == 0 ? samples_finish(out, &len) : NULL;
    bool dry = intake->hand_over_dry && is_dry(r);
    body_drop(r);
    if (refusal.status != 0) {
        request_refuse(r, refusal.status, refusal.detail);
    } else if (!frame || (dry ? intake->hand_over_dry : intake->hand_over)(&s->link, frame, len, r,
                                                                           &r->id) < 0) {
        core_lost(r);
    } else {
        request_wait(r, intake->patience_ns);
    }
    samples_writer_free(out);
}

bool body_is_samples(const struct request *r)
{
    enum verb_id verb = r->question.verb;
    return verb >= 0 && verb < VERB_MAX && intakes[verb].decode;
}

void body_written(struct request *r, const struct ipc_frame *frame, char *payload)
{
    struct samples_written written;
    struct writing *w = r->work;
    unsigned status = 0;
    if (w && samples_written_decode(payload ? payload : "", frame->len, &written) == 0) {
        struct MHD_Response *response =
            intakes[r->question.verb].answer(&w->content, w->refused, &written, &status);
        if (response)
            request_decide(r, status, response, 0);
    }
    free(payload);
    if (r->state == REQUEST_WAITING)
        request_refuse(r, MHD_HTTP_BAD_GATEWAY, "vherd's core gave an answer that is none");
}
