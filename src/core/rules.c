// SPDX-License-Identifier: GPL-3.0-or-later
// The rules' thread: waits for the next group that is due, an event, or new files.
#include "rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cond.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "collect/keep.h"
#include "rules_private.h"

// After a start the data of some lanes are not there yet; so long a gap resolves nothing.
#define SETTLE_MS (5 * 60 * 1000)
// The clock may be set meanwhile.
#define WAIT_MAX_MS INT64_C(10000)
// A group whose time passed longer ago than this is late.
#define LATE_MS 1000

static const char *const event_metrics[] = {
    "vherd_vm_state",
    "vherd_vm_state_reason",
    "vherd_event_total",
    "libvirt_domain_info_state",
    "libvirt_domain_state_code",
    "libvirt_domain_info_vstate",
    "vherd_libvirt_up",
    "libvirt_up",
};

static int64_t real_ms(const struct rules *r)
{
    return clock_real_ns(&clock_system) / NS_PER_MS + r->ahead_ms;
}

// Settings

static void settings_free(struct rules_settings *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_patterns; i++)
        free(s->pattern[i]);
    free(s->pattern);
    for (size_t i = 0; i < s->n_disable; i++)
        free(s->disable[i]);
    free(s->disable);
    free(s->external_url);
    labels_free(s->external_labels);
    free(s);
}

static struct labels *labels_of(const struct conf_pairs *pairs)
{
    struct label *label = calloc(pairs->n + 1, sizeof(*label));
    for (size_t i = 0; i < pairs->n; i++)
        label[i] = (struct label){pairs->items[i].name, pairs->items[i].value};
    struct labels *l = labels_new(label, pairs->n);
    free(label);
    return l;
}

static struct rules_settings *settings_of(const struct conf *conf)
{
    struct rules_settings *s = mem_zalloc(sizeof(*s));
    s->pattern = mem_zalloc((conf->rules.files.n + 1) * sizeof(char *));
    s->disable = mem_zalloc((conf->rules.disable.n + 1) * sizeof(char *));
    if (conf->rules.pack)
        s->pattern[s->n_patterns++] = rules_pack_pattern();
    for (size_t i = 0; i < conf->rules.disable.n; i++)
        s->disable[s->n_disable++] = mem_strdup(conf->rules.disable.items[i]);
    for (size_t i = 0; i < conf->rules.files.n; i++)
        s->pattern[s->n_patterns++] = mem_strdup(conf->rules.files.items[i]);
    s->interval_ms = conf->rules.interval_ns / NS_PER_MS;
    s->query_offset_ms = conf->rules.query_offset_ns / NS_PER_MS;
    s->resend_delay_ms = conf->rules.resend_delay_ns / NS_PER_MS;
    s->timeout_ns = conf->query.timeout_ns;
    s->lookback_ms = conf->query.lookback_ns / NS_PER_MS;
    s->max_samples = (size_t)conf->query.max_samples;
    s->max_series = (size_t)conf->query.max_series;
    s->max_memory_bytes = (size_t)conf->query.max_memory_mib << 20;
    s->keep_ms = conf->events.keep_ns / NS_PER_MS;
    s->hold_gaps = conf->rules.hold_gaps;
    s->external_url = mem_strdup(conf->rules.external_url);
    s->external_labels = labels_of(&conf->global.external_labels);
    return s;
}

// Files

static void set_error(struct rules *r, char *error)
{
    pthread_mutex_lock(&r->lock);
    free(r->error);
    r->error = error;
    pthread_mutex_unlock(&r->lock);
}

static int load_files(const struct rules_settings *s, struct rule_files *files, char **ret_error)
{
    struct rule_errors errors = {0};
    int e = 0;
    for (size_t i = 0; i < s->n_patterns; i++) {
        int one = rule_files_glob(files, NULL, s->pattern[i], &errors);
        e = e < 0 ? e : one;
    }
    for (size_t i = 0; i < errors.n; i++)
        log_error("rules: %s", errors.err[i].message);
    if (e < 0)
        *ret_error = mem_strdup(errors.n > 0 ? errors.err[0].message : strerror(-e));
    rule_errors_done(&errors);
    for (size_t i = 0; i < s->n_disable; i++)
        if (rule_files_leave_out(files, s->disable[i]) == 0)
            log_warning("rules.disable: no rule is called \"%s\"", s->disable[i]);
    return e;
}

static int write_samples(void *arg, const struct rule_sample *sample, size_t n, struct err *err)
{
    struct rules *r = arg;
    int e = rules_ask(r, &(struct ask){.kind = ASK_WRITE, .sample = sample, .n_samples = n});
    return e < 0 ? err_set(err, -e, "writing: %s", strerror(-e)) : 0;
}

// What is known for sure soon after a start: the VMs of which an event has told.

static int64_t settles_ms(const struct rules *r)
{
    return r->started_ms + SETTLE_MS;
}

static void note_settled(struct rules *r, const struct vm *vm)
{
    const char *name = object_attr(&vm->obj, ATTR_VM_NAME);
    if (name && real_ms(r) < settles_ms(r))
        map_put(r->settled, name, strlen(name), r);
}

// On the rules' thread.
static bool is_settled(void *arg, const struct labels *series)
{
    struct rules *r = arg;
    const char *name = labels_get(series, "domain");
    if (!name)
        return false;
    pthread_mutex_lock(&r->lock);
    bool is_known = map_get(r->settled, name, strlen(name)) != NULL;
    pthread_mutex_unlock(&r->lock);
    return is_known;
}

static void set_env(struct rules *r)
{
    const struct rules_settings *s = r->now;
    r->env = (struct rule_env){
        .source = r->core->source,
        .options = {.lookback_ms = s->lookback_ms,
                    .max_samples = s->max_samples,
                    .max_series = s->max_series,
                    .max_memory_bytes = s->max_memory_bytes,
                    .cancelled = &r->cancelled},
        .timeout_ns = s->timeout_ns,
        .clock = &clock_system,
        .external_labels = s->external_labels,
        .external_url = s->external_url,
        .interval_ms = s->interval_ms,
        .query_offset_ms = s->query_offset_ms,
        .resend_delay_ms = s->resend_delay_ms,
        .hold_gaps = s->hold_gaps,
        .write = write_samples,
        .is_settled = is_settled,
        .arg = r,
    };
}

static bool *hurried_rules(const struct rule_group *g)
{
    bool any = false, *chosen = mem_zalloc(g->n_rules + 1);
    for (size_t i = 0; i < g->n_rules; i++) {
        for (size_t k = 0; k < ARRAY_LEN(event_metrics); k++)
            chosen[i] |= rule_reads(&g->rule[i], event_metrics[k]);
        any |= chosen[i];
    }
    if (!any)
        free(TAKE_PTR(chosen));
    return chosen;
}

static void forget_plan(struct rules *r)
{
    for (size_t i = 0; r->hurried && i < r->n_groups; i++)
        free(r->hurried[i]);
    free(TAKE_PTR(r->hurried));
    free(TAKE_PTR(r->due_ms));
}

static void plan(struct rules *r)
{
    r->hurried = mem_zalloc((r->n_groups + 1) * sizeof(bool *));
    r->due_ms = mem_zalloc((r->n_groups + 1) * sizeof(int64_t));
    for (size_t i = 0; i < r->n_groups; i++) {
        r->hurried[i] = hurried_rules(r->group[i].group);
        r->due_ms[i] = rule_group_due(&r->group[i], real_ms(r));
    }
}

// What was stored before this start: time in which nobody looked does not count towards `for`.
static void load_state(struct rules *r, struct rule_group_run *group, size_t n)
{
    if (rules_ask(r, &(struct ask){.kind = ASK_LOAD, .group = group, .n_groups = n}) < 0)
        return;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < group[i].n_runs; k++)
            rule_state_resume(&group[i].run[k].state, real_ms(r), group[i].interval_ms);
}

static void take_settings(struct rules *r, struct rules_settings *s)
{
    struct rule_files files = {0};
    struct rule_group_run *group = NULL;
    size_t n = 0;
    char *error = NULL;
    if (load_files(s, &files, &error) < 0) {
        set_error(r, error);
        rule_files_done(&files);
        settings_free(s);
        return;
    }
    set_error(r, NULL);
    struct rule_env env = {.interval_ms = s->interval_ms};
    if (rule_groups_new(&files, &env, &group, &n) < 0)
        abort(); // as every small allocation without memory
    // Once for all: what a rule that comes back later had is not brought back.
    if (!r->is_loaded)
        load_state(r, group, n);
    r->is_loaded = true;
    pthread_mutex_lock(&r->groups_lock);
    forget_plan(r);
    rule_groups_adopt(group, n, r->group, r->n_groups);
    rule_groups_free(r->group, r->n_groups);
    rule_files_done(&r->files);
    settings_free(r->now);
    r->now = s;
    r->files = files;
    r->group = group;
    r->n_groups = n;
    set_env(r);
    plan(r);
    pthread_mutex_unlock(&r->groups_lock);
    rules_tally_groups(r);
    if (rule_files_count(&files) > 0)
        log_info("rules: %zu rules in %zu groups", rule_files_count(&files), n);
}

// Evaluating

// State and transitions; what cannot be stored now stays in memory and is tried again with the
// next.
static void store_update(struct rules *r, struct rule_group_run *g, struct rule_update *update)
{
    bool is_due = rule_keep_is_due(g, update);
    if (!is_due && update->n_send == 0)
        return;
    int e = rules_ask(
        r, &(struct ask){.kind = ASK_SAVE, .group = g, .update = update, .is_stored = is_due});
    if (e == 0 && is_due)
        rule_keep_saved(g);
}

static void evaluate(struct rules *r, size_t i, int64_t now_ms, const bool *chosen)
{
    struct rule_group_run *g = &r->group[i];
    struct rule_update update = {0};
    struct err err = {0};
    uint64_t before = 0, after = 0;
    pthread_mutex_lock(&r->groups_lock);
    r->env.gap_max_ms = now_ms < settles_ms(r) ? SETTLE_MS : 0;
    r->env.started_ms = r->started_ms;
    for (size_t k = 0; k < g->n_runs; k++)
        before += g->run[k].failures;
    int e = rule_group_eval(g, &r->env, now_ms, chosen, &update, &err);
    for (size_t k = 0; k < g->n_runs; k++)
        after += g->run[k].failures;
    r->evaluations++;
    r->failures += after - before;
    if (e == 0)
        store_update(r, g, &update);
    pthread_mutex_unlock(&r->groups_lock);
    rule_update_done(&update);
    if (e == 0 && !chosen)
        rules_tally_group(r, i);
}

// The group whose turn is first; SIZE_MAX: there is none.
static size_t first_due(const struct rules *r)
{
    size_t first = SIZE_MAX;
    for (size_t i = 0; i < r->n_groups; i++)
        if (first == SIZE_MAX || r->due_ms[i] < r->due_ms[first])
            first = i;
    return first;
}

// At the latest instant of its schedule; those before it that passed unseen are missed.
static void evaluate_due(struct rules *r, size_t i, int64_t now_ms)
{
    struct rule_group_run *g = &r->group[i];
    int64_t late = now_ms - r->due_ms[i];
    int64_t behind = late / g->interval_ms;
    int64_t at = r->due_ms[i] + behind * g->interval_ms;
    g->missed += (uint64_t)behind;
    r->missed += (unsigned long long)behind;
    r->late_ms = late >= LATE_MS ? late : 0;
    evaluate(r, i, MAX_OF(at, g->last_eval_ms + 1), NULL);
    r->due_ms[i] = at + g->interval_ms;
}

static void evaluate_hurried(struct rules *r, int64_t at_ms)
{
    for (size_t i = 0; i < r->n_groups; i++)
        if (r->hurried[i])
            evaluate(r, i, at_ms, r->hurried[i]);
}

// A clock that was set: schedules begin anew.
static void mind_clock(struct rules *r, int64_t now_ms)
{
    for (size_t i = 0; i < r->n_groups; i++)
        if (r->due_ms[i] - now_ms > 2 * r->group[i].interval_ms)
            r->due_ms[i] = rule_group_due(&r->group[i], now_ms);
}

static void wait_until(struct rules *r, int64_t due_ms, int64_t now_ms)
{
    int64_t ms = MIN_OF(MAX_OF(due_ms - now_ms, INT64_C(0)), WAIT_MAX_MS);
    cond_wait_until(&r->more, &r->lock, clock_mono_ns(&clock_system) + ms * NS_PER_MS);
}

static void *work(void *arg)
{
    struct rules *r = arg;
    pthread_setname_np(pthread_self(), "rules");
    pthread_mutex_lock(&r->lock);
    while (!r->ending) {
        struct rules_settings *settings = TAKE_PTR(r->settings);
        int64_t poke_ms = r->poke_ms, now = real_ms(r);
        size_t first = first_due(r);
        r->poke_ms = 0;
        if (!settings && !poke_ms && (first == SIZE_MAX || r->due_ms[first] > now)) {
            wait_until(r, first == SIZE_MAX ? INT64_MAX : r->due_ms[first], now);
            continue;
        }
        pthread_mutex_unlock(&r->lock);
        if (settings)
            take_settings(r, settings);
        else if (poke_ms)
            evaluate_hurried(r, MAX_OF(poke_ms, now));
        else
            evaluate_due(r, first, now);
        mind_clock(r, real_ms(r));
        pthread_mutex_lock(&r->lock);
    }
    r->ended = true;
    pthread_mutex_unlock(&r->lock);
    uv_async_send(&r->async);
    return NULL;
}

// The loop's side

// What was kept at that time is to be looked at now. 0: nothing was.
static void poke(struct core *c, int64_t t_ms, const struct vm *vm)
{
    struct rules *r = c->alert_rules;
    r->ahead_ms = keep_stats(c->keep).ahead_ms;
    pthread_mutex_lock(&r->lock);
    r->poke_ms = MAX_OF(r->poke_ms, MAX_OF(t_ms, INT64_C(1)));
    // Of a VM without series there is nothing to be held; it may be one of thousands.
    if (vm && (t_ms || keep_stats(c->keep).samples == 0))
        note_settled(r, vm);
    pthread_cond_signal(&r->more);
    pthread_mutex_unlock(&r->lock);
}

static void on_event(void *arg, const struct event *event)
{
    struct core *c = arg;
    struct uuid uuid;
    if (event->kind == EVENT_LIBVIRT && c->alert_rules && c->keep) {
        poke(c, keep_host_now(c->keep, clock_mono_ns(&clock_system)), NULL);
        return;
    }
    if (!event->uuid || !uuid_parse(event->uuid, strlen(event->uuid), &uuid))
        return;
    if (event->kind != EVENT_LIFECYCLE && event->kind != EVENT_FAULT && event->kind != EVENT_GUEST)
        return;
    struct vm *vm = herd_vm(c->herd, &uuid);
    if (vm)
        rules_poke(c, vm);
}

void rules_poke(struct core *c, struct vm *vm)
{
    struct rules *r = c->alert_rules;
    if (!r || !c->keep)
        return;
    poke(c, keep_now(c->keep, vm, clock_mono_ns(&clock_system)), vm);
}

void rules_reload(struct core *c)
{
    struct rules *r = c->alert_rules;
    if (!r)
        return;
    struct rules_settings *s = settings_of(c->conf);
    pthread_mutex_lock(&r->lock);
    struct rules_settings *old = r->settings;
    r->settings = s;
    pthread_cond_signal(&r->more);
    pthread_mutex_unlock(&r->lock);
    settings_free(old);
}

void rules_on_transitions(struct core *c, rules_told *told, rules_stored *stored, void *arg)
{
    if (!c->alert_rules)
        return;
    c->alert_rules->told = told;
    c->alert_rules->stored = stored;
    c->alert_rules->arg = arg;
}

static void init_locks(struct rules *r)
{
    cond_init(&r->more);
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->groups_lock, NULL);
}

void rules_begin(struct core *c)
{
    if (!c->source)
        return;
    struct rules *r = mem_zalloc(sizeof(*r));
    r->core = c;
    r->settled = map_new();
    init_locks(r);
    uv_async_init(&c->loop, &r->async, rules_on_async);
    r->async.data = r;
    r->started_ms = real_ms(r);
    c->alert_rules = r;
    rules_reload(c);
    int e = pthread_create(&r->thread, NULL, work, r);
    if (e != 0) {
        log_error("rules: no thread: %s", strerror(e));
        r->ended = true;
    }
    events_on_event(c->events, on_event, c);
}

static void on_closed(uv_handle_t *handle)
{
    ((struct rules *)handle->data)->closed = true;
}

static bool has_ended(struct rules *r)
{
    pthread_mutex_lock(&r->lock);
    bool ended = r->ended;
    pthread_mutex_unlock(&r->lock);
    return ended;
}

void rules_end(struct core *c)
{
    struct rules *r = c->alert_rules;
    if (!r)
        return;
    if (c->events)
        events_on_event(c->events, NULL, NULL);
    r->cancelled = true;
    bool was_started = !has_ended(r);
    pthread_mutex_lock(&r->lock);
    r->ending = true;
    pthread_cond_signal(&r->more);
    pthread_mutex_unlock(&r->lock);
    // It may be waiting for the state database, whose answers come over the loop.
    while (!has_ended(r))
        uv_run(&c->loop, UV_RUN_ONCE);
    if (was_started)
        pthread_join(r->thread, NULL);
    uv_close((uv_handle_t *)&r->async, on_closed);
    while (!r->closed)
        uv_run(&c->loop, UV_RUN_NOWAIT);
    c->alert_rules = NULL;
    forget_plan(r);
    rule_groups_free(r->group, r->n_groups);
    rule_files_done(&r->files);
    settings_free(r->settings);
    settings_free(r->now);
    free(r->error);
    rules_tally_free(r);
    map_free(r->settled);
    pthread_cond_destroy(&r->more);
    pthread_mutex_destroy(&r->lock);
    pthread_mutex_destroy(&r->groups_lock);
    free(r);
}

void rules_view(const struct core *c, struct json *j)
{
    struct rules *r = c->alert_rules;
    json_key(j, "rules");
    json_object_begin(j);
    json_kv_bool(j, "enabled", r != NULL);
    if (r) {
        pthread_mutex_lock(&r->lock);
        if (r->error)
            json_kv_string(j, "error", r->error);
        pthread_mutex_unlock(&r->lock);
        json_kv_u64(j, "evaluations", r->evaluations);
        json_kv_u64(j, "failures", r->failures);
        json_kv_u64(j, "missed", r->missed);
        json_kv_f64(j, "late_seconds", (double)r->late_ms / 1000);
    }
    json_object_end(j);
}
