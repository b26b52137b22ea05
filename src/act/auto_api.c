// SPDX-License-Identifier: GPL-3.0-or-later
// The stop switch of what is done without being asked (manage/auto.h).
#include <errno.h>
#include <string.h>

#include "api.h"
#include "base/mem.h"
#include "manage/auto.h"

static void reply(const struct api_call *c)
{
    static const char *const modes[] = {"off", "dry-run", "on"}; // enum conf_auto
    const struct conf *conf = c->act->conf;
    CLEANUP(auto_switch_done) struct auto_switch now = {0};
    CLEANUP(buf_done) struct buf body;
    struct json j;
    int64_t recent = 0;
    int r = auto_read(c->state->store, &now);
    if (r == 0)
        r = auto_recent(c->state->store, act_real_ns(), &recent);
    if (r < 0) {
        api_fail(c, -r, "the stop switch cannot be read");
        return;
    }
    api_begin_answer(&body, &j);
    json_kv_string(&j, "mode", modes[conf->plan.mode]);
    json_kv_bool(&j, "stopped", now.stopped);
    if (now.by) {
        json_kv_string(&j, "by", now.by);
        json_kv_f64(&j, "since_seconds", (double)(now.since_ns / NS_PER_MS) / 1000);
    }
    if (now.reason)
        json_kv_string(&j, "reason", now.reason);
    json_kv_i64(&j, "done_within_hour", recent);
    json_kv_i64(&j, "per_hour", conf->plan.per_hour);
    json_kv_f64(&j, "every_seconds", (double)conf->plan.every_ns / (double)NS_PER_S);
    json_kv_string(&j, "scope", conf->plan.scope);
    api_answer(c, &body, &j);
}

void api_auto_show(const struct api_call *c)
{
    reply(c);
}

static bool turn(const struct api_call *c, bool stopped)
{
    struct store *s = c->state->store;
    const char *reason = api_member(c, "reason");
    struct err err = {0};
    if (reason && strlen(reason) > AUTO_REASON_MAX) {
        api_fail(c, EINVAL, "the reason is longer than 1000 bytes");
        return false;
    }
    int r = store_begin(s);
    if (r == 0)
        r = api_commit(c,
                       auto_write(s, stopped, c->grant->principal,
                                  reason && *reason ? reason : NULL, act_real_ns()),
                       stopped ? "stopped" : "started", reason, &err);
    if (r < 0)
        api_fail(c, -r, err.code ? err.message : "the stop switch cannot be written");
    return r == 0;
}

void api_auto_stop(const struct api_call *c)
{
    if (api_is_dry(c)) {
        api_answer_plan(c, "what is done by itself", api_member(c, "reason"));
        return;
    }
    if (!turn(c, true))
        return;
    tasks_cancel_auto(c->act);
    reply(c);
}

void api_auto_start(const struct api_call *c)
{
    if (api_is_dry(c))
        api_answer_plan(c, "what is done by itself", api_member(c, "reason"));
    else if (turn(c, false))
        reply(c);
}
