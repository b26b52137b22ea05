// SPDX-License-Identifier: GPL-3.0-or-later
// Silences, acknowledgements, receivers, over HTTP.
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/mem.h"
#include "base/number.h"
#include "core.h"
#include "sight.h"

#define ANSWER_MAX ((size_t)64 << 20)

static void json_decref_at(json_t **j)
{
    json_decref(*j);
}

static int64_t real_ms(void)
{
    return clock_real_ns(&clock_system) / NS_PER_MS;
}

static bool is_there(const struct view *v)
{
    if (v->core->notices)
        return true;
    answer_problem(v->core, v->id, 503, "notifications are off: their configuration is refused");
    return false;
}

static void put_status(const struct notify *n, const struct notify_sight *sight, int64_t now_ms,
                       struct json *j)
{
    notify_put_status(n, now_ms, j);
}

static void show(const struct view *v,
                 void (*put)(const struct notify *n, const struct notify_sight *sight,
                             int64_t now_ms, struct json *j))
{
    struct sight *seen = NULL;
    CLEANUP(buf_done) struct buf out;
    struct json j;
    if (!is_there(v))
        return;
    buf_init(&out, ANSWER_MAX);
    json_init(&j, &out);
    seen = sight_new(v);
    const struct notify_sight sight = {sight_of_alert, sight_of_silence, seen};
    put(notices_notify(v->core->notices), &sight, real_ms(), &j);
    sight_free(seen);
    api_answer(v, &out);
}

void view_notices_alerts(const struct view *v)
{
    show(v, notify_put_alerts);
}

void view_silences(const struct view *v)
{
    show(v, notify_put_silences);
}

void view_notify_status(const struct view *v)
{
    show(v, put_status);
}

static void answer_pair(const struct view *v, const char *key, const char *text, int64_t number)
{
    CLEANUP(buf_done) struct buf out;
    struct json j;
    buf_init(&out, 65536);
    json_init(&j, &out);
    json_object_begin(&j);
    if (text)
        json_kv_string(&j, key, text);
    else
        json_kv_i64(&j, key, number);
    json_object_end(&j);
    api_answer(v, &out);
}

// The body's texts; members that are not known are refused, so that a slip is not lost.
static json_t *read_body(const struct view *v, const char *const *names)
{
    json_error_t error;
    json_t *body = json_loads(v->request->form, JSON_REJECT_DUPLICATES, &error);
    const char *key;
    json_t *value;
    if (!json_is_object(body)) {
        answer_problem(v->core, v->id, 400, "the body must be a JSON object");
        json_decref(body);
        return NULL;
    }
    json_object_foreach(body, key, value)
    {
        const char *const *name = names;
        while (*name && strcmp(*name, key) != 0)
            name++;
        if (!*name && strcmp(key, "dry_run") == 0 && json_is_boolean(value))
            continue;
        if (!*name || !json_is_string(value)) {
            answer_problem(v->core, v->id, 400, "%s: %s", key,
                           *name ? "it must be a text" : "there is no such member");
            json_decref(body);
            return NULL;
        }
    }
    return body;
}

static const char *text_of(const json_t *body, const char *name)
{
    const char *text = json_string_value(json_object_get(body, name));
    return text ? text : "";
}

static bool is_dry(const struct view *v, const json_t *body)
{
    CLEANUP(freep) char *value = ipc_query_param(v->request->query, "dry_run");
    return json_is_true(json_object_get(body, "dry_run")) || (value && strcmp(value, "0") != 0);
}

// What would be done, as act answers it.
static void answer_would(const struct view *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void answer_would(const struct view *v, const char *format, ...)
{
    CLEANUP(buf_done) struct buf out;
    CLEANUP(freep) char *what = NULL;
    struct json j;
    va_list ap;
    va_start(ap, format);
    if (vasprintf(&what, format, ap) < 0)
        what = NULL;
    va_end(ap);
    buf_init(&out, 2 * 65536);
    json_init(&j, &out);
    json_object_begin(&j);
    json_kv_bool(&j, "dry_run", true);
    json_key(&j, "would");
    json_array_begin(&j);
    json_text(&j, what ? what : "");
    json_array_end(&j);
    json_object_end(&j);
    api_answer(v, &out);
}

static int read_time(const json_t *body, const char *name, int64_t *ret_ms, struct err *err)
{
    const char *text = text_of(body, name);
    if (!*text)
        return 0;
    int r = api_time_parse(text, ret_ms);
    return r < 0 ? err_set(err, EINVAL, "%s: \"%s\" is no time", name, text) : 0;
}

static int read_silence(const struct view *v, const json_t *body, struct notify_silence *s,
                        struct err *err)
{
    int64_t now = real_ms(), ns = 0;
    const char *length = text_of(body, "for");
    *s = (struct notify_silence){.matchers = text_of(body, "matchers"),
                                 .author = v->grant->principal,
                                 .comment = text_of(body, "comment"),
                                 .starts_ms = now};
    int r = read_time(body, "starts", &s->starts_ms, err);
    if (r == 0)
        r = read_time(body, "ends", &s->ends_ms, err);
    if (r < 0)
        return r;
    if (!*s->matchers)
        return err_set(err, EINVAL, "matchers must be given");
    if (*length && number_parse_duration(length, &ns) < 0)
        return err_set(err, EINVAL, "for: \"%s\" is no duration", length);
    if (*length)
        s->ends_ms = s->starts_ms + ns / NS_PER_MS;
    return s->ends_ms ? 0 : err_set(err, EINVAL, "`ends` or `for` must be given");
}

void view_silence_add(const struct view *v)
{
    static const char *const names[] = {"matchers", "comment", "starts", "ends", "for", NULL};
    struct err err = {0};
    struct notify_silence s;
    CLEANUP(freep) char *id = NULL;
    if (!is_there(v))
        return;
    CLEANUP(json_decref_at) json_t *body = read_body(v, names);
    if (!body)
        return;
    int r = read_silence(v, body, &s, &err), n = 0;
    bool dry = is_dry(v, body);
    if (r == 0 && dry)
        r = n = notify_silence_try(notices_notify(v->core->notices), &s, real_ms(), &err);
    else if (r == 0)
        r = notify_silence_add(notices_notify(v->core->notices), &s, real_ms(), &id, &err);
    if (r < 0) {
        answer_problem(v->core, v->id, 400, "%s", err.message);
        return;
    }
    if (dry) {
        answer_would(v, "silence %s: %d alert(s) that fire now", s.matchers, n);
        return;
    }
    events_say(v->core->events, EVENT_NOTIFY, "silence_added", "%s silenced %s: %s (%s)", s.author,
               s.matchers, s.comment, id);
    notices_step(v->core->notices);
    answer_pair(v, "id", id, 0);
}

void view_silence_expire(const struct view *v)
{
    if (!is_there(v))
        return;
    struct notify *n = notices_notify(v->core->notices);
    bool dry = is_dry(v, NULL);
    int r = dry ? notify_silence_find(n, v->object, real_ms())
                : notify_silence_expire(n, v->object, real_ms());
    if (r < 0 || dry) {
        if (r < 0)
            answer_problem(v->core, v->id, 404, "no silence \"%s\" is active or pending",
                           v->object);
        else
            answer_would(v, "end silence %s", v->object);
        return;
    }
    events_say(v->core->events, EVENT_NOTIFY, "silence_expired", "%s ended silence %s",
               v->grant->principal, v->object);
    notices_step(v->core->notices);
    answer_pair(v, "id", v->object, 0);
}

void view_ack(const struct view *v)
{
    static const char *const names[] = {"alerts", "comment", NULL};
    struct err err = {0};
    if (!is_there(v))
        return;
    CLEANUP(json_decref_at) json_t *body = read_body(v, names);
    if (!body)
        return;
    const char *alerts = text_of(body, "alerts");
    bool dry = is_dry(v, body);
    int n = !*alerts ? err_set(&err, EINVAL, "alerts must be given")
            : dry    ? notify_ack_try(notices_notify(v->core->notices), alerts, &err)
                     : notify_ack(notices_notify(v->core->notices), alerts, v->grant->principal,
                                  text_of(body, "comment"), real_ms(), &err);
    if (n < 0) {
        answer_problem(v->core, v->id, 400, "%s", err.message);
        return;
    }
    if (n == 0) {
        answer_problem(v->core, v->id, 404, "no alert that fires is like that");
        return;
    }
    if (dry) {
        answer_would(v, "take care of %d alert(s) that fire: %s", n, alerts);
        return;
    }
    events_say(v->core->events, EVENT_NOTIFY, "acknowledged", "%s takes care of %s: %s",
               v->grant->principal, alerts, text_of(body, "comment"));
    notices_step(v->core->notices);
    answer_pair(v, "acknowledged", NULL, n);
}

void view_notify_test(const struct view *v)
{
    CLEANUP(freep) char *id = NULL;
    if (!is_there(v))
        return;
    if (is_dry(v, NULL) && notify_has_receiver(notices_notify(v->core->notices), v->object)) {
        answer_would(v, "send a test message to %s", v->object);
        return;
    }
    if (notify_test(notices_notify(v->core->notices), v->object, real_ms(), &id) < 0) {
        answer_problem(v->core, v->id, 404, "there is no receiver of the name \"%s\"", v->object);
        return;
    }
    notices_step(v->core->notices);
    answer_pair(v, "id", id, 0);
}
