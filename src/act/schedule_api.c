// SPDX-License-Identifier: GPL-3.0-or-later
// Schedules: one's own, or an admin's business.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/mem.h"
#include "base/number.h"
#include "manage/retention.h"
#include "manage/schedule.h"
#include "manage/select.h"

#define SCHEDULES_EACH 200 // of one principal
#define PARALLEL_DEFAULT 4
#define KEEP_FOR_MAX_S (INT64_C(36500) * 86400)

static const char *const missed_words[] = {"skip", "once", NULL};

// Besides `fields` and `select`, which are checked on their own.
static const struct field fields[] = {
    {"name", FIELD_NAME, true, .help = "its name"},
    {"cron", FIELD_TEXT, true, .max = 256, .help = "when"},
    {"deed", FIELD_TEXT, true, .max = 64, .help = "what"},
    {"parallel", FIELD_INTEGER, .min = 1, .max = 1000, .help = "so many at once"},
    {"max_failures", FIELD_INTEGER, .min = 0, .max = 1000000, .help = "then the rest is cancelled"},
    {"keep", FIELD_INTEGER, .min = 0, .max = RETENTION_KEEP_MAX,
     .help = "of its snapshots of a VM"},
    {"keep_for", FIELD_DURATION, .min = 60, .max = KEEP_FOR_MAX_S, .help = "how long they stay"},
    {"missed", FIELD_CHOICE, .choices = missed_words, .help = "a time that was missed"},
    {"dry_run", FIELD_BOOL, .help = "do nothing"},
    {NULL},
};

static int64_t now_s(void)
{
    return act_real_ns() / NS_PER_S;
}

static bool owns(const struct api_call *c, const struct schedule *s)
{
    return api_is_admin(c) || strcmp(s->principal, c->grant->principal) == 0;
}

static void answer(const struct api_call *c, const struct schedule *s)
{
    CLEANUP(buf_done) struct buf body;
    struct json j;
    buf_init(&body, STORE_VALUE_MAX);
    json_init(&j, &body);
    schedule_json(s, &j);
    core_answer(c->act, c->id, 200, &body);
}

// The one that the path names and the asker may know of; else it is answered: false.
static bool find(const struct api_call *c, struct schedule *ret)
{
    uint64_t id = 0;
    int r = number_parse_u64(c->object, &id) == 0 && id <= INT64_MAX
                ? schedule_get(c->state->store, (int64_t)id, ret)
                : -ENOENT;
    if (r == 0 && owns(c, ret))
        return true;
    if (r == 0)
        schedule_done(ret);
    api_fail(c, r < 0 ? -r : ENOENT, r == 0 || r == -ENOENT ? "no such schedule" : strerror(-r));
    return false;
}

/* List. */

static void put(const struct schedule *s, void *arg)
{
    schedule_json(s, arg);
}

void api_schedule_list(const struct api_call *c)
{
    CLEANUP(buf_done) struct buf body;
    struct json j;
    api_begin_answer(&body, &j);
    json_key(&j, "schedules");
    json_array_begin(&j);
    int r = schedule_each(c->state->store, api_is_admin(c) ? NULL : c->grant->principal, put, &j);
    json_array_end(&j);
    if (r < 0)
        api_fail(c, -r, "the schedules cannot be read");
    else
        api_answer(c, &body, &j);
}

/* Add. */

static json_t *take_member(json_t *body, const char *name)
{
    json_t *value = json_incref(json_object_get(body, name));
    json_object_del(body, name);
    return value ? value : json_object();
}

static int check_deed(const struct api_call *c, struct schedule *s, struct err *err)
{
    const char *name = api_member(c, "deed");
    s->deed = deed_by_name(name);
    if (!s->deed || s->deed->object != DEED_ON_VM)
        return err_set(err, EINVAL, "deed: \"%s\" is none that is done to VMs", name);
    if (c->grant->role < s->deed->role)
        return err_set(err, EPERM, "%s needs the role %s", name, auth_role_name(s->deed->role));
    for (const struct field *f = deed_common_fields; f->name; f++)
        if (json_object_get(s->fields, f->name))
            return err_set(err, EINVAL, "fields: there is no field %s", f->name);
    return deed_check(s->deed, s->fields, err) < 0 ? err_wrap(err, "fields") : 0;
}

static int check_time(const struct api_call *c, struct schedule *s, struct err *err)
{
    struct cron cron;
    int r = cron_parse(api_member(c, "cron"), &cron, err);
    if (r < 0)
        return err_wrap(err, "cron");
    s->created_s = now_s();
    s->due_s = cron_next(&cron, s->created_s, localtime_r);
    return s->due_s < 0 ? err_set(err, EINVAL, "cron: that is never due within five years") : 0;
}

static int64_t number(const struct api_call *c, const char *name, int64_t otherwise)
{
    const json_t *v = json_object_get(c->body, name);
    return v ? json_integer_value(v) : otherwise;
}

// What is taken again and again must end somewhere: who wants all of them has to say so.
static int check_keep(const struct api_call *c, struct schedule *s, struct err *err)
{
    bool takes = s->deed->id == DEED_SNAPSHOT_CREATE;
    bool said = json_object_get(c->body, "keep") || json_object_get(c->body, "keep_for");
    if (takes && !said)
        return err_set(err, EINVAL,
                       "say how many snapshots of each VM stay (keep; 0: all of them) or for how "
                       "long (keep_for): its older ones are deleted");
    if (!takes && said)
        return err_set(err, EINVAL, "keep and keep_for are for snapshot.create");
    s->keep = number(c, "keep", 0);
    s->keep_for_s = number(c, "keep_for", 0);
    return 0;
}

static int read_schedule(const struct api_call *c, struct schedule *s, struct err *err)
{
    const char *missed;
    s->fields = take_member(c->body, "fields");
    s->select = take_member(c->body, "select");
    int r = fields_check(fields, c->body, "", err);
    if (r == 0)
        r = check_deed(c, s, err);
    if (r == 0)
        r = select_check(s->select, err);
    if (r == 0)
        r = check_keep(c, s, err);
    if (r == 0)
        r = check_time(c, s, err);
    if (r < 0)
        return r;
    missed = api_member(c, "missed");
    json_t *expanded = NULL;
    const time_t due = (time_t)s->due_s;
    struct tm when;
    r = localtime_r(&due, &when) ? schedule_fields(s, &when, &expanded, err) : -EINVAL;
    json_decref(expanded);
    if (r < 0)
        return r;
    s->name = mem_strdup(api_member(c, "name"));
    s->cron = mem_strdup(api_member(c, "cron"));
    s->principal = mem_strdup(c->grant->principal);
    s->once = missed && strcmp(missed, "once") == 0;
    s->parallel = number(c, "parallel", PARALLEL_DEFAULT);
    s->max_failures = number(c, "max_failures", 0);
    return 0;
}

static int add(const struct api_call *c, struct schedule *s, const char *detail, struct err *err)
{
    int64_t n = 0;
    int r = schedule_count(c->state->store, s->principal, &n);
    if (r == 0 && n >= SCHEDULES_EACH)
        return err_set(err, E2BIG, "one can have %d schedules", SCHEDULES_EACH);
    if (r == 0)
        r = store_begin(c->state->store);
    if (r < 0)
        return err_set(err, -r, "%s", strerror(-r));
    r = schedule_add(c->state->store, s);
    if (r == -EEXIST)
        err_set(err, EEXIST, "there is a schedule \"%s\" already", s->name);
    else if (r < 0)
        err_set(err, -r, "%s", store_message(c->state->store));
    return api_commit(c, r, s->name, detail, err);
}

void api_schedule_add(const struct api_call *c)
{
    struct schedule s = {0};
    struct err err = {0};
    char *detail = json_dumps(c->body, JSON_COMPACT);
    int r = read_schedule(c, &s, &err);
    if (r == 0)
        r = add(c, &s, detail, &err);
    if (r == -EPERM)
        api_refuse(c, api_member(c, "name"), err.message);
    else if (r < 0)
        api_fail(c, -r, err.message);
    else if (api_is_dry(c))
        api_answer_plan(c, s.name, detail);
    else
        answer(c, &s);
    if (r == 0)
        schedules_changed(c->act);
    schedule_done(&s);
    free(detail);
}

/* One of them. */

static void end_change(const struct api_call *c, int r, const struct schedule *s,
                       const char *detail)
{
    struct err err = {0};
    if (r < 0)
        err_set(&err, -r, "%s", strerror(-r));
    r = api_commit(c, r, s->name, detail, &err);
    schedules_changed(c->act);
    if (r < 0)
        api_fail(c, -r, err.message);
    else if (api_is_dry(c))
        api_answer_plan(c, s->name, NULL);
    else
        answer(c, s);
}

void api_schedule_remove(const struct api_call *c)
{
    struct schedule s;
    if (!find(c, &s))
        return;
    int r = store_begin(c->state->store);
    if (r == 0)
        r = schedule_remove(c->state->store, s.id);
    end_change(c, r, &s, s.principal);
    schedule_done(&s);
}

// A time that passed while it was paused was not missed.
static void set_paused(const struct api_call *c, bool paused)
{
    struct schedule s;
    struct cron cron;
    struct err err = {0};
    if (!find(c, &s))
        return;
    s.paused = paused;
    if (!paused && cron_parse(s.cron, &cron, &err) == 0)
        s.due_s = cron_next(&cron, now_s(), localtime_r);
    int r = store_begin(c->state->store);
    if (r == 0)
        r = schedule_pause(c->state->store, s.id, paused, s.due_s);
    end_change(c, r, &s, s.principal);
    schedule_done(&s);
}

void api_schedule_pause(const struct api_call *c)
{
    set_paused(c, true);
}

void api_schedule_resume(const struct api_call *c)
{
    set_paused(c, false);
}

void api_schedule_run(const struct api_call *c)
{
    struct schedule s;
    struct err err = {0};
    CLEANUP(freep) char *batch = NULL;
    if (!find(c, &s))
        return;
    if (api_is_dry(c)) {
        api_answer_plan(c, s.name, NULL);
        schedule_done(&s);
        return;
    }
    int r = schedules_run_now(c->act, &s, &batch, &err);
    schedule_done(&s);
    if (r < 0) {
        core_problem(c->act, c->id, core_status_of(err.code), err.message);
        return;
    }
    CLEANUP(buf_done) struct buf body;
    struct json j;
    api_begin_answer(&body, &j);
    json_kv_string(&j, "batch", batch);
    api_answer(c, &body, &j);
}
