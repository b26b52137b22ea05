// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/alert.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

static const char *const state_names[ALERT_STATE_MAX] = {"inactive", "pending", "firing",
                                                         "resolved"};

const char *alert_state_name(enum alert_state state)
{
    return state_names[state];
}

int alert_state_of(const char *name)
{
    for (int i = 0; i < ALERT_STATE_MAX; i++)
        if (strcmp(state_names[i], name) == 0)
            return i;
    return -EINVAL;
}

const char *alert_name(const struct alert *a)
{
    const char *name = a->labels ? labels_get(a->labels, "alertname") : NULL;
    return name ? name : "";
}

static struct labels *copy_labels(const struct labels *l)
{
    return l ? labels_new(l->label, l->n) : labels_new(NULL, 0);
}

int alert_copy(struct alert *ret, const struct alert *a)
{
    struct alert copy = *a;
    copy.labels = copy_labels(a->labels);
    copy.annotations = copy_labels(a->annotations);
    copy.expr = mem_strdup(a->expr);
    copy.group = mem_strdup(a->group);
    copy.file = mem_strdup(a->file);
    if (!copy.labels || !copy.annotations) {
        alert_done(&copy);
        return -ENOMEM;
    }
    *ret = copy;
    return 0;
}

void alert_done(struct alert *a)
{
    labels_free(TAKE_PTR(a->labels));
    labels_free(TAKE_PTR(a->annotations));
    free(TAKE_PTR(a->expr));
    free(TAKE_PTR(a->group));
    free(TAKE_PTR(a->file));
}

void alert_put_labels(const struct labels *l, struct json *j)
{
    json_object_begin(j);
    for (uint32_t i = 0; l && i < l->n; i++)
        json_kv_string(j, l->label[i].name, l->label[i].value);
    json_object_end(j);
}

void alert_put_time(struct buf *out, int64_t ms)
{
    int64_t rest = ms % 1000;
    time_t seconds = (time_t)(ms / 1000);
    if (rest < 0) {
        rest += 1000;
        seconds--;
    }
    struct tm tm;
    if (!gmtime_r(&seconds, &tm)) {
        buf_puts(out, "-");
        return;
    }
    buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (rest)
        buf_printf(out, ".%03d", (int)rest);
    buf_putc(out, 'Z');
}

static void put_time(struct json *j, const char *key, int64_t ms)
{
    if (ms == 0)
        return;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 64);
    alert_put_time(&text, ms);
    json_kv_string(j, key, text.data);
}

void alert_put(const struct alert *a, struct json *j)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 64);
    json_object_begin(j);
    json_key(j, "labels");
    alert_put_labels(a->labels, j);
    json_key(j, "annotations");
    alert_put_labels(a->annotations, j);
    json_kv_string(j, "state", alert_state_name(a->state));
    buf_f64(&text, a->value);
    json_kv_string(j, "value", text.data);
    put_time(j, "activeAt", a->active_at_ms);
    put_time(j, "startsAt", a->fired_at_ms);
    put_time(j, "endsAt", a->state == ALERT_RESOLVED ? a->resolved_at_ms : a->ends_at_ms);
    put_time(j, "resolvedAt", a->resolved_at_ms);
    buf_reset(&text);
    buf_printf(&text, "%016" PRIx64, a->fingerprint);
    json_kv_string(j, "fingerprint", text.data);
    json_kv_string(j, "expr", a->expr);
    json_kv_string(j, "group", a->group);
    json_kv_string(j, "file", a->file);
    json_object_end(j);
}
