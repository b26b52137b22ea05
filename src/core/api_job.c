// SPDX-License-Identifier: GPL-3.0-or-later
// What the parts of Prometheus' API share: failing, starting a job, cutting a long answer, match[].
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/json.h"
#include "base/mem.h"
#include "scoped.h"

#define MATCHES_MAX 1000

void api_answer(const struct view *v, const struct buf *body)
{
    if (body->error)
        answer_problem(v->core, v->id, 503, "the answer does not fit into memory");
    else
        answer(v->core, v->id, 200, API_TYPE, body->data, body->len);
}

static void answer_error(const struct view *v, const char *type, const char *message)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 64 * 1024);
    api_error_put(&out, type, message);
    answer(v->core, v->id, api_error_status(type), API_TYPE, out.data, out.len);
}

void api_fail(const struct view *v, int r, struct err *err)
{
    api_name_limit(r, err);
    answer_error(v, api_error_type(r), err->message);
}

void api_bad(const struct view *v, const struct err *err)
{
    answer_error(v, "bad_data", err->message);
}

int api_timeout(const struct view *v, int64_t *ret_ns, struct err *err)
{
    int64_t most = v->core->conf->query.timeout_ns, ms = INT64_MAX / NS_PER_MS;
    int r = api_param_duration(v->request, "timeout", &ms, err);
    if (r < 0)
        return r;
    *ret_ns = MIN_OF(MIN_OF(ms, INT64_MAX / NS_PER_MS) * NS_PER_MS, most);
    return 0;
}

int api_source(const struct view *v, struct query_source **ret, struct err *err)
{
    const struct core *c = v->core;
    *ret = c->source;
    if (!c->source || auth_covers_all(v->grant))
        return 0;
    const struct herd *h = c->herd;
    CLEANUP(freep) const char **vm = mem_zalloc((h->n_vms + 1) * sizeof(*vm));
    struct scoped_params p = {.inner = c->source, .vm = vm};
    for (size_t i = 0; i < h->n_vms; i++)
        if (!herd_vm_is_double(h, i) && view_covers(v, h->vms[i]))
            vm[p.n++] = object_attr(&h->vms[i]->obj, ATTR_VM_NAME);
    if (c->keep) {
        p.job = keep_job(c->keep);
        p.instance = keep_instance(c->keep);
    }
    return scoped_source_new(&p, ret, err);
}

void api_source_done(struct query_source *source)
{
    scoped_source_free(source);
}

void api_start(const struct view *v, const struct job_ops *ops, void *arg, int64_t timeout_ns)
{
    if (v->core->source) {
        api_start_text(v, ops, arg, timeout_ns);
        return;
    }
    ops->free(arg);
    answer_error(v, "unavailable", "this daemon keeps no samples: there is no store");
}

void api_start_text(const struct view *v, const struct job_ops *ops, void *arg, int64_t timeout_ns)
{
    struct core *c = v->core;
    int64_t deadline = clock_mono_ns(&clock_system) + timeout_ns;
    int r = jobs_add(c->jobs, v->id, ops, arg, deadline);
    if (r == -ENOMEM)
        answer_error(v, "unavailable",
                     "slow clients hold too many answers (limit: query.max_memory_mib)");
    if (r == -EBUSY) {
        CLEANUP(freep)
        char *message = mem_printf("%zu queries are under way already (limit: query.queue)",
                                   jobs_count(c->jobs));
        answer_error(v, "unavailable", message);
    }
}

size_t api_whole_held(const void *arg)
{
    return ((const struct api_job *)arg)->whole.cap;
}

int api_whole_begin(struct api_job *j, struct buf *out, bool *ret_more)
{
    if (j->whole.error) {
        struct err err = {0};
        err_set(&err, E2BIG, "the answer is longer than %zu bytes", j->whole.limit);
        return api_job_fail(-E2BIG, &err, out);
    }
    *ret_more = api_whole_next(j, out);
    return 200;
}

bool api_whole_next(struct api_job *j, struct buf *out)
{
    size_t n = MIN_OF(j->whole.len - j->at, IPC_PIECE_BYTES);
    buf_put(out, j->whole.data + j->at, n);
    j->at += n;
    return j->at < j->whole.len;
}

int api_job_fail(int r, struct err *err, struct buf *out)
{
    const char *type = api_error_type(r);
    api_name_limit(r, err);
    buf_reset(out);
    api_error_put(out, type, err->message);
    return api_error_status(type);
}

int api_job_problem(int status, const char *detail, struct buf *out)
{
    struct json j;
    buf_reset(out);
    json_init(&j, out);
    json_object_begin(&j);
    json_kv_i64(&j, "status", status);
    json_kv_string(&j, "detail", detail);
    json_object_end(&j);
    return status;
}

// A selector and nothing else: no range, no offset, no operator around it.
static bool is_bare_selector(const struct promql_expr *expr)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 4 * PROMQL_TEXT_MAX);
    promql_expr_json(expr, &text);
    json_t *tree = json_loadb(text.data ? text.data : "", text.len, 0, NULL);
    const char *type = json_string_value(json_object_get(tree, "type"));
    bool ok = type && strcmp(type, "vectorSelector") == 0 &&
              json_integer_value(json_object_get(tree, "offset")) == 0 &&
              !json_is_integer(json_object_get(tree, "timestamp")) &&
              !json_is_string(json_object_get(tree, "startOrEnd"));
    json_decref(tree);
    return ok;
}

// Keeps what it parsed in `m` in any case.
static int add_match(struct api_matches *m, const char *text, struct err *err)
{
    static const struct promql_range now = {0, 0, 0};
    if (m->n == MATCHES_MAX)
        return err_set(err, EINVAL, "invalid parameter \"match[]\": more than %d", MATCHES_MAX);
    mem_grow(&m->match, &m->cap, m->n, sizeof(*m->match));
    struct api_match *match = &m->match[m->n];
    *match = (struct api_match){0};
    int r = promql_parse(text, strlen(text), &match->expr, err);
    if (r < 0)
        return err_wrap(err, "invalid parameter \"match[]\"");
    m->n++;
    if (!is_bare_selector(match->expr) ||
        promql_selectors(match->expr, &now, 0, &match->selector, 1) != 1)
        return err_set(err, EINVAL, "invalid parameter \"match[]\": \"%s\" is not a selector",
                       text);
    return 0;
}

int api_matches_parse(const struct ipc_request *r, struct api_matches *ret, struct err *err)
{
    struct api_matches m = {0};
    size_t at = 0;
    char *text;
    while ((text = api_param_each(r, "match[]", &at))) {
        int e = add_match(&m, text, err);
        free(text);
        if (e < 0) {
            api_matches_done(&m);
            return e;
        }
    }
    *ret = m;
    return 0;
}

void api_matches_done(struct api_matches *m)
{
    for (size_t i = 0; i < m->n; i++)
        promql_expr_free(m->match[i].expr);
    free(m->match);
    *m = (struct api_matches){0};
}
