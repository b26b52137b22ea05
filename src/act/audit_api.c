// SPDX-License-Identifier: GPL-3.0-or-later
// The audit log: search and check. Reading it in full is done in pages, by `after`.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/mem.h"
#include "base/number.h"

#define LIMIT_MAX 10000
#define LIMIT_USUAL 100

// The values of a query, held while the filter points to them.
enum { PRINCIPAL, VERB, OBJECT, RESULT, TEXT, SINCE, UNTIL, AFTER, LIMIT, VALUES };

static const char *const names[VALUES] = {"principal", "verb",  "object", "result", "text",
                                          "since",     "until", "after",  "limit"};

// Unix time in seconds, or a duration back from now.
static int read_time(const char *text, int64_t *ret, struct err *err)
{
    uint64_t s = 0;
    int64_t ns = 0;
    if (!text)
        return 0;
    if (number_parse_u64(text, &s) == 0 && s < INT64_MAX / NS_PER_S)
        *ret = (int64_t)s * NS_PER_S;
    else if (number_parse_duration(text, &ns) == 0)
        *ret = clock_real_ns(&clock_system) - ns;
    else
        return err_set(err, EINVAL, "\"%s\" is neither a Unix time nor a duration such as 2h",
                       text);
    return 0;
}

static int read_filter(char *const value[VALUES], struct audit_filter *f, struct err *err)
{
    uint64_t after = 0, limit = LIMIT_USUAL;
    *f = (struct audit_filter){.principal = value[PRINCIPAL],
                               .verb = value[VERB],
                               .object = value[OBJECT],
                               .result = value[RESULT],
                               .text = value[TEXT],
                               .newest_first = !value[AFTER]};
    if (value[RESULT] && audit_result_parse(value[RESULT]) == AUDIT_RESULT_INVALID)
        return err_set(err, EINVAL, "result must be done, refused, failed, cancelled or unknown");
    if (value[AFTER] && (number_parse_u64(value[AFTER], &after) < 0 || after > INT64_MAX))
        return err_set(err, EINVAL, "after must be a record's number");
    if (value[LIMIT] &&
        (number_parse_u64(value[LIMIT], &limit) < 0 || limit < 1 || limit > LIMIT_MAX))
        return err_set(err, EINVAL, "limit must be a whole number from 1 to %d", LIMIT_MAX);
    f->after_seq = (int64_t)after;
    f->limit = limit;
    int r = read_time(value[SINCE], &f->since_ns, err);
    return r < 0 ? r : read_time(value[UNTIL], &f->until_ns, err);
}

struct listing {
    struct buf *out;
    bool more;
};

static bool write_record(const struct audit_record *r, void *arg)
{
    struct listing *l = arg;
    if (l->more)
        buf_putc(l->out, ',');
    l->more = true;
    audit_record_json(r, l->out);
    return l->out->error == 0;
}

static void list(const struct api_call *c, const struct audit_filter *f)
{
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 16u * 1024 * 1024);
    struct listing l = {&body, false};
    buf_puts(&body, "{\"records\":[");
    int r = audit_search(c->state->audit, f, write_record, &l);
    buf_puts(&body, "]}");
    if (r < 0)
        api_fail(c, -r, "the audit log cannot be read; check it with `vherd audit-log --verify`");
    else
        core_answer(c->act, c->id, 200, &body);
}

void api_audit_list(const struct api_call *c)
{
    struct audit_filter f;
    struct err err = {0};
    char *value[VALUES];
    for (size_t i = 0; i < VALUES; i++)
        value[i] = ipc_query_param(c->request->query, names[i]);
    if (read_filter(value, &f, &err) < 0)
        api_fail(c, EINVAL, err.message);
    else
        list(c, &f);
    for (size_t i = 0; i < VALUES; i++)
        free(value[i]);
}

static void answer_report(const struct api_call *c, const struct audit_report *report)
{
    CLEANUP(buf_done) struct buf body, head;
    struct json j;
    buf_init(&head, 256);
    api_begin_answer(&body, &j);
    json_kv_bool(&j, "whole", report->bad_seq == 0);
    json_kv_i64(&j, "records", report->records);
    json_kv_i64(&j, "open", report->open);
    if (report->head_seq > 0) {
        audit_anchor_format(report->head_seq, report->head, &head);
        json_kv_string(&j, "head", head.data);
    }
    if (report->bad_seq > 0) {
        json_kv_i64(&j, "bad", report->bad_seq);
        json_kv_string(&j, "message", report->message);
    }
    api_answer(c, &body, &j);
}

void api_audit_verify(const struct api_call *c)
{
    CLEANUP(freep) char *head = ipc_query_param(c->request->query, "head");
    struct audit_anchor anchor;
    struct audit_report report;
    if (head && audit_anchor_parse(head, &anchor) < 0) {
        api_fail(c, EINVAL, "head must be SEQ:HASH, as an earlier check gave it");
        return;
    }
    int r = audit_verify(c->state->audit, head ? &anchor : NULL, &report);
    if (r < 0 && r != -EUCLEAN)
        api_fail(c, -r, "the audit log cannot be read");
    else
        answer_report(c, &report);
}
