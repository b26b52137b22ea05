// SPDX-License-Identifier: GPL-3.0-or-later
// The daemon's answers for its clients. Nothing here keeps state.
#include "tui/api.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"

static int code_of_status(int status)
{
    static const struct {
        int status;
        int code;
    } codes[] = {{404, ENOENT}, {403, EACCES}, {401, EACCES},
                 {400, EINVAL}, {422, EDOM},   {503, EAGAIN}};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i].status == status)
            return codes[i].code;
    return EIO;
}

static int problem(int status, const struct buf *body, struct err *err)
{
    CLEANUP(json_decrefp) json_t *json = NULL;
    if (body->len > 0)
        api_parse(body->data, body->len, &json, NULL);
    const char *detail = api_text(json, "detail");
    if (!detail)
        detail = api_text(json, "error"); // of Prometheus' API
    if (!detail)
        detail = api_text(json, "title");
    if (detail)
        return err_set(err, code_of_status(status), "%s", detail);
    return err_set(err, code_of_status(status), "the daemon answered with HTTP status %d", status);
}

int api_get_text(struct http_client *c, const char *path, int timeout_ms, struct buf *body,
                 struct err *err)
{
    int status = 0;
    int r = http_get(c, path, timeout_ms, &status, body, err);
    if (r < 0)
        return r;
    return status == 200 ? 0 : problem(status, body, err);
}

int api_post_text(struct http_client *c, const char *path, const char *form, int timeout_ms,
                  struct buf *body, struct err *err)
{
    int status = 0;
    int r = http_post_form(c, path, form, timeout_ms, &status, body, err);
    if (r < 0)
        return r;
    return status == 200 ? 0 : problem(status, body, err);
}

int api_send(struct http_client *c, const char *method, const char *path, const char *json,
             int timeout_ms, json_t **ret, struct err *err)
{
    int status = 0;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, API_ANSWER_MAX);
    int r = http_send(c, method, path, json, timeout_ms, &status, &body, err);
    if (r < 0)
        return r;
    if (status < 200 || status > 299)
        return problem(status, &body, err);
    return api_parse(body.data ? body.data : "", body.len, ret, err);
}

int api_post_body(struct http_client *c, const char *path, const char *content_type,
                  const char *data, size_t len, int timeout_ms, struct buf *body, struct err *err)
{
    int status = 0;
    int r = http_post(c, path, content_type, data, len, timeout_ms, &status, body, err);
    if (r < 0)
        return r;
    return status == 200 ? 0 : problem(status, body, err);
}

int api_get_stream(struct http_client *c, const char *path, int idle_ms, http_take_fn *take,
                   void *arg, struct err *err)
{
    int status = 0;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, API_ANSWER_MAX);
    int r = http_get_stream(c, path, idle_ms, take, arg, &status, &body, err);
    if (r < 0)
        return r;
    return status == 200 ? 0 : problem(status, &body, err);
}

int api_parse(const char *text, size_t len, json_t **ret, struct err *err)
{
    json_error_t why;
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    if (!json || !json_is_object(json)) {
        json_decref(json);
        return err_set(err, EPROTO, "the daemon's answer is no JSON object");
    }
    *ret = json;
    return 0;
}

int api_get(struct http_client *c, const char *path, int timeout_ms, json_t **ret, struct err *err)
{
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, API_ANSWER_MAX);
    int r = api_get_text(c, path, timeout_ms, &body, err);
    if (r < 0)
        return r;
    return api_parse(body.data ? body.data : "", body.len, ret, err);
}

char *api_vm_path(const char *name, const char *below)
{
    struct buf path;
    buf_init(&path, strlen(name) * 3 + 128);
    buf_puts(&path, "/vherd/v1/vms/");
    esc_url(&path, name);
    buf_puts(&path, below);
    return buf_take(&path, NULL);
}

double api_number(const json_t *object, const char *field)
{
    const json_t *v = json_object_get(object, field);
    if (json_is_boolean(v))
        return json_is_true(v);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

const char *api_text(const json_t *object, const char *field)
{
    const char *text = json_string_value(json_object_get(object, field));
    return text && *text ? text : NULL;
}

const json_t *api_list(const json_t *object, const char *field)
{
    const json_t *v = json_object_get(object, field);
    return json_is_array(v) ? v : NULL;
}
