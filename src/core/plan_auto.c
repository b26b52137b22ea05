// SPDX-License-Identifier: GPL-3.0-or-later
// Plans that are carried out without being asked for (plan.auto): now and then a right-sizing plan
// is made, on a worker, and what it advises for the memory of running VMs is asked of act, one deed
// after the other, with a grant for plan.auto_scope. Whether it may be done at all - the stop
// switch, the limit per hour - is act's to say (manage/auto.h). A guest loses at most a quarter of
// its memory at a time; what would change little is left alone.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/log.h"
#include "base/mem.h"
#include "plan.h"
#include "verb/deed.h"

#define PRINCIPAL DEED_BY_ITSELF "plan"
#define TEXT_MAX ((size_t)64 * 1024 * 1024)
#define LEAST_CHANGE 0.1 // of the memory now
#define SHRINK_MOST 0.25 // of it, at a time
#define MIB (INT64_C(1) << 20)

// A deed that the plan comes to.
struct wish {
    char *vm;
    int64_t memory_bytes, now_bytes;
};

struct plan_auto {
    struct core *core;
    uv_timer_t timer;
    uv_work_t work;
    bool working; // `work` is a worker's
    atomic_bool cancelled;
    struct job_limits limits;
    struct place_snapshot *s;
    struct plan_reader reader;
    struct buf text;
    struct err err;
    int result;
    struct wish *wishes; // in order of urgency
    size_t n, cap, next;
};

static void forget(struct plan_auto *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->wishes[i].vm);
    p->n = p->next = 0;
}

// Who has too little first, then who gives back most.
static int by_urgency(const void *a, const void *b)
{
    const struct wish *x = a, *y = b;
    int64_t dx = x->memory_bytes - x->now_bytes, dy = y->memory_bytes - y->now_bytes;
    if ((dx > 0) != (dy > 0))
        return dx > 0 ? -1 : 1;
    if (llabs(dx) != llabs(dy))
        return llabs(dx) > llabs(dy) ? -1 : 1;
    return strcmp(x->vm, y->vm);
}

static void take_row(struct plan_auto *p, const json_t *row)
{
    const char *vm = json_string_value(json_object_get(row, "vm"));
    int64_t now = json_integer_value(json_object_get(row, "memory_bytes"));
    size_t i;
    const json_t *deed;
    json_array_foreach(json_object_get(row, "deeds"), i, deed)
    {
        const char *name = json_string_value(json_object_get(deed, "deed"));
        const char *effect = json_string_value(json_object_get(deed, "effect"));
        int64_t wanted =
            json_integer_value(json_object_get(json_object_get(deed, "body"), "memory"));
        if (!vm || !name || !effect || strcmp(name, deeds[DEED_SET_MEMORY].name) != 0 ||
            strcmp(effect, "now") != 0)
            continue;
        wanted = MAX_OF(wanted, (int64_t)((double)now * (1 - SHRINK_MOST)) / MIB * MIB);
        if ((double)llabs(wanted - now) < LEAST_CHANGE * (double)now)
            continue;
        mem_grow(&p->wishes, &p->cap, p->n, sizeof(*p->wishes));
        p->wishes[p->n++] = (struct wish){mem_strdup(vm), wanted, now};
    }
}

static void take_plan(struct plan_auto *p)
{
    json_t *plan = json_loadb(p->text.data, p->text.len, 0, NULL);
    size_t i;
    const json_t *row;
    forget(p);
    json_array_foreach(json_object_get(plan, "vms"), i, row) take_row(p, row);
    json_decref(plan);
    if (p->n > 0)
        qsort(p->wishes, p->n, sizeof(*p->wishes), by_urgency);
}

static void ask_next(struct plan_auto *p);

// The body of an answer: the task's number, or the sentence of a problem.
static void answered(struct core *c, int status, const char *payload, size_t len, void *arg)
{
    struct plan_auto *p = arg;
    size_t mime = strnlen(payload, len) + 1;
    json_t *answer = len > mime ? json_loadb(payload + mime, len - mime, 0, NULL) : NULL;
    const char *detail = json_string_value(json_object_get(answer, "detail"));
    const struct wish *w = &p->wishes[p->next++];
    long long to = w->memory_bytes / MIB, from = w->now_bytes / MIB;
    if (status == 202)
        log_info("plan.auto: task %lld: memory of %s from %lld to %lld MiB",
                 (long long)json_integer_value(json_object_get(answer, "id")), w->vm, from, to);
    else if (status == 200)
        log_info("plan.auto: would set the memory of %s from %lld to %lld MiB", w->vm, from, to);
    else
        log_warning("plan.auto: memory of %s from %lld to %lld MiB: refused: %s", w->vm, from, to,
                    detail ? detail : "act went away");
    // Outside the scope or gone is one VM's affair; anything else holds for all.
    bool goes_on = status == 200 || status == 202 || status == 403 || status == 404;
    json_decref(answer);
    if (goes_on)
        ask_next(p);
    else
        forget(p);
}

static int make_grant(const struct core *c, struct grant *ret, struct err *err)
{
    struct grant g = {.principal = PRINCIPAL,
                      .role = ROLE_OPERATOR,
                      .expires_ns = clock_mono_ns(&clock_system) + GRANT_LIFETIME_NS};
    int r = scope_parse(c->conf->plan.scope, &g.scope, err);
    if (r == 0)
        r = scope_parse("all", &g.limit, err);
    if (r == 0)
        *ret = g;
    else
        grant_done(&g);
    return r;
}

static void ask_next(struct plan_auto *p)
{
    struct core *c = p->core;
    struct err err = {0};
    CLEANUP(grant_done) struct grant grant = {0};
    if (p->next >= MIN_OF(p->n, (size_t)c->conf->plan.per_hour) ||
        c->conf->plan.mode == CONF_AUTO_OFF) {
        forget(p);
        return;
    }
    const struct wish *w = &p->wishes[p->next];
    CLEANUP(freep) char *path = mem_printf("/vherd/v1/vms/%s/set-memory", w->vm);
    CLEANUP(freep)
    char *body = mem_printf("{\"memory\":%lld,\"scope\":\"both\",\"dry_run\":%s}",
                            (long long)w->memory_bytes,
                            c->conf->plan.mode == CONF_AUTO_DRY_RUN ? "true" : "false");
    const struct ipc_request request = {
        .method = "POST", .path = path, .query = "", .form = body, .accept = "", .address = ""};
    int r = make_grant(c, &grant, &err);
    if (r == 0)
        r = forward_own(c, &request, &grant, answered, p);
    if (r == 0)
        return;
    log_warning("plan.auto: nothing is done: %s",
                err.code ? err.message : "the process that does it is restarting");
    forget(p);
}

static void on_worker(uv_work_t *work)
{
    pthread_setname_np(pthread_self(), "pool");
    struct plan_auto *p = work->data;
    const struct plan_request request = {.kind = PLAN_RIGHTSIZE};
    struct plan_history history = {plan_read_history, &p->reader};
    struct json j;
    json_init(&j, &p->text);
    p->result = plan_write(p->s, &request, &history, &j, &p->err);
    if (p->result == 0 && p->text.error)
        p->result = err_set(&p->err, E2BIG, "the plan is too long");
}

static void after_work(uv_work_t *work, int status)
{
    struct plan_auto *p = work->data;
    p->working = false;
    if (p->result == 0 && !p->cancelled) {
        take_plan(p);
        ask_next(p);
    } else if (p->result != -ENODATA && !p->cancelled) {
        log_warning("plan.auto: no plan: %s", p->err.message);
    }
    place_history_done(&p->reader.history);
    place_snapshot_free(TAKE_PTR(p->s));
    buf_done(&p->text);
}

static void on_timer(uv_timer_t *timer)
{
    struct plan_auto *p = timer->data;
    struct core *c = p->core;
    if (c->conf->plan.mode == CONF_AUTO_OFF || p->working || p->n > 0 || !c->source)
        return;
    p->s = plan_snapshot(c);
    if (!p->s)
        return;
    p->working = true;
    p->err = (struct err){0};
    buf_init(&p->text, TEXT_MAX);
    // Nobody waits for it, but a store that takes longer than a query may is not to be burdened.
    p->limits = (struct job_limits){clock_mono_ns(&clock_system) + c->conf->query.timeout_ns,
                                    &p->cancelled};
    p->reader = (struct plan_reader){.source = c->source, .s = p->s, .limits = &p->limits};
    uv_queue_work(&c->loop, &p->work, on_worker, after_work);
}

void plan_auto_reload(struct core *c)
{
    uint64_t every_ms = (uint64_t)(c->conf->plan.every_ns / NS_PER_MS);
    uv_timer_start(&c->plan_auto->timer, on_timer, every_ms, every_ms);
}

void plan_auto_begin(struct core *c)
{
    struct plan_auto *p = mem_zalloc(sizeof(*p));
    p->core = c;
    p->work.data = p;
    uv_timer_init(&c->loop, &p->timer);
    p->timer.data = p;
    c->plan_auto = p;
    plan_auto_reload(c);
}

void plan_auto_end(struct core *c)
{
    struct plan_auto *p = c->plan_auto;
    if (!p)
        return;
    atomic_store(&p->cancelled, true);
    uv_timer_stop(&p->timer);
    while (p->working)
        uv_run(&c->loop, UV_RUN_ONCE);
    forget(p);
    free(p->wishes);
    free(TAKE_PTR(c->plan_auto));
}
