// SPDX-License-Identifier: GPL-3.0-or-later
// What the read verbs answer. Numbers stand in the herd; nothing is computed here.
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "core.h"
#include "model/render.h"
#include "verb/deed.h"
#include "version.h"

#define ANSWER_MAX (IPC_PAYLOAD_MAX - 4096)

static double to_seconds(int64_t ns)
{
    return (double)(ns / NS_PER_MS) / 1000.0;
}

static void put_libvirt(const struct core *c, struct json *j)
{
    struct collector_libvirt l = collector_libvirt(c->collector);
    json_key(j, "libvirt");
    json_object_begin(j);
    json_kv_string(j, "uri", l.uri);
    json_kv_string(j, "status", l.status);
    json_kv_bool(j, "up", l.up);
    json_kv_string(j, "message", l.message);
    json_kv_f64(j, "since", to_seconds(l.since_real_ns));
    json_object_end(j);
}

static void put_time(struct json *j)
{
    json_kv_f64(j, "time", to_seconds(clock_real_ns(&clock_system)));
}

static void finish(const struct view *v, struct buf *body)
{
    if (body->error)
        answer_problem(v->core, v->id, 503, "the answer does not fit into memory");
    else
        answer(v->core, v->id, 200, "application/json", body->data, body->len);
}

void view_vms(const struct view *v)
{
    struct core *c = v->core;
    int64_t now = clock_mono_ns(&clock_system);
    CLEANUP(freep) char *state = ipc_query_param(v->request->query, "state");
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, ANSWER_MAX);
    struct json j;
    json_init(&j, &body);
    json_object_begin(&j);
    json_key(&j, "vms");
    json_array_begin(&j);
    for (size_t i = 0; i < c->herd->n_vms; i++) {
        const struct object *vm = &c->herd->vms[i]->obj;
        const char *is = object_attr(vm, ATTR_VM_STATE);
        if (view_covers(v, c->herd->vms[i]) && (!state || (is && strcmp(state, is) == 0)))
            render_object(c->herd, vm, RENDER_BRIEF, now, &j);
    }
    json_array_end(&j);
    put_libvirt(c, &j);
    put_time(&j);
    json_object_end(&j);
    finish(v, &body);
}

void view_vm(const struct view *v)
{
    struct core *c = v->core;
    const struct vm *vm = herd_vm_find(c->herd, v->object);
    if (!vm) {
        answer_problem(c, v->id, 404, "no VM is called \"%s\"", v->object);
        return;
    }
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, ANSWER_MAX);
    struct json j;
    json_init(&j, &body);
    json_object_begin(&j);
    render_members(c->herd, &vm->obj, RENDER_FULL, clock_mono_ns(&clock_system), &j);
    json_key(&j, "history");
    render_history(c->herd, vm, &j);
    put_libvirt(c, &j);
    put_time(&j);
    json_object_end(&j);
    finish(v, &body);
}

void view_host(const struct view *v)
{
    struct core *c = v->core;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, ANSWER_MAX);
    struct json j;
    json_init(&j, &body);
    json_object_begin(&j);
    render_members(c->herd, c->herd->host, RENDER_FULL, clock_mono_ns(&clock_system), &j);
    put_libvirt(c, &j);
    put_time(&j);
    json_object_end(&j);
    finish(v, &body);
}

static void put_children(const struct core *c, enum kind kind, struct json *j)
{
    json_key(j, model_kinds[kind].json);
    json_array_begin(j);
    OBJECT_FOREACH_CHILD (child, c->herd->host, kind)
        render_object(c->herd, child, RENDER_FULL, clock_mono_ns(&clock_system), j);
    json_array_end(j);
}

static void put_flagged(const struct core *c, struct json *j)
{
    json_key(j, "flagged");
    json_array_begin(j);
    for (size_t i = 0; i < c->herd->n_vms; i++) {
        const struct vm *vm = c->herd->vms[i];
        const char *flag = object_attr(&vm->obj, ATTR_VM_FLAG);
        if (!flag)
            continue;
        json_object_begin(j);
        json_kv_string(j, "uuid", object_attr(&vm->obj, ATTR_VM_UUID));
        json_kv_string(j, "name", object_attr(&vm->obj, ATTR_VM_NAME));
        json_kv_string(j, "flag", flag);
        json_kv_f64(j, "since", to_seconds(collector_flag_since(c->collector, vm)));
        json_object_end(j);
    }
    json_array_end(j);
}

struct missing {
    const char *what, *reason; // borrowed from the herd
    size_t vms;
};

struct missing_list {
    struct missing *items;
    size_t n, cap;
};

static void add_missing(struct missing_list *list, const char *what, const char *reason, size_t vms)
{
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->items[i].what, what) == 0 && strcmp(list->items[i].reason, reason) == 0) {
            list->items[i].vms += vms;
            return;
        }
    }
    mem_grow(&list->items, &list->cap, list->n, sizeof(*list->items));
    list->items[list->n++] = (struct missing){what, reason, vms};
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

static void put_missing(const struct core *c, struct json *j)
{
    struct missing_list list = {0};
    OBJECT_FOREACH_CHILD (miss, c->herd->host, KIND_HMISS)
        add_missing(&list, object_attr(miss, ATTR_HMISS_WHAT),
                    or_empty(object_attr(miss, ATTR_HMISS_REASON)), 0);
    for (size_t i = 0; i < c->herd->n_vms; i++)
        OBJECT_FOREACH_CHILD (miss, &c->herd->vms[i]->obj, KIND_MISS)
            add_missing(&list, object_attr(miss, ATTR_MISS_WHAT),
                        or_empty(object_attr(miss, ATTR_MISS_REASON)), 1);
    json_key(j, "unavailable");
    json_array_begin(j);
    for (size_t i = 0; i < list.n; i++) {
        json_object_begin(j);
        json_kv_string(j, "what", list.items[i].what);
        json_kv_string(j, "reason", list.items[i].reason);
        json_kv_u64(j, "vms", list.items[i].vms);
        json_object_end(j);
    }
    json_array_end(j);
    free(list.items);
}

// Counts of the herd are whole numbers; absent ones, before the first sample, are left out.
static void put_count(struct json *j, const char *key, double value)
{
    if (!isnan(value))
        json_kv_f64(j, key, value);
}

void view_status(const struct view *v)
{
    struct core *c = v->core;
    const struct object *host = c->herd->host;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, ANSWER_MAX);
    struct json j;
    json_init(&j, &body);
    json_object_begin(&j);
    json_kv_string(&j, "version", object_attr(host, ATTR_HOST_VERSION));
    json_kv_f64(&j, "uptime_seconds",
                to_seconds(clock_real_ns(&clock_system) - c->started_real_ns));
    put_libvirt(c, &j);
    json_key(&j, "vms");
    json_object_begin(&j);
    json_kv_u64(&j, "known", c->herd->n_vms);
    put_count(&j, "running", object_fact(host, FACT_HOST_DOMAINS_RUNNING));
    json_object_end(&j);
    json_key(&j, "samples");
    json_object_begin(&j);
    put_count(&j, "taken", object_fact(host, FACT_HOST_TICKS));
    put_count(&j, "missed", object_fact(host, FACT_HOST_TICKS_MISSED));
    json_object_end(&j);
    store_view(c, &j);
    CLEANUP(freep) char *events_error = statedb_error(c->statedb);
    if (events_error)
        json_kv_string(&j, "events_error", events_error);
    rules_view(c, &j);
    CLEANUP(freep) char *with_data = ipc_query_param(v->request->query, "data");
    if (with_data)
        store_view_data(c, &j);
    put_children(c, KIND_LANE, &j);
    put_flagged(c, &j);
    put_children(c, KIND_PROCESS, &j);
    put_missing(c, &j);
    put_time(&j);
    json_object_end(&j);
    finish(v, &body);
}

unsigned sets_of_conf(const struct conf *conf)
{
    unsigned sets = 0;
    for (size_t i = 0; i < conf->metrics.sets.n; i++)
        sets |= metric_set_from_name(conf->metrics.sets.items[i]);
    return sets;
}

// "set=vherd&set=inovex"; 0 where the query names none. An unknown name sets *ret_bad.
static unsigned sets_of_query(const char *query, bool *ret_bad)
{
    unsigned sets = 0;
    *ret_bad = false;
    while (query && *query) {
        const char *end = strchrnul(query, '&');
        CLEANUP(freep) char *one = mem_strndup(query, (size_t)(end - query));
        CLEANUP(freep) char *name = ipc_query_param(one, "set");
        if (name) {
            unsigned bit = metric_set_from_name(name);
            *ret_bad |= bit == 0;
            sets |= bit;
        }
        query = *end ? end + 1 : end;
    }
    return sets;
}

static bool shows(const struct vm *vm, void *arg)
{
    return view_covers(arg, vm);
}

// A tenant's own VMs, without the host's metrics.
static void metrics_of_some(const struct view *v, unsigned sets)
{
    struct core *c = v->core;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, ANSWER_MAX);
    render_metrics_of(c->herd, sets, c->conf->metrics.misnamed, clock_mono_ns(&clock_system), shows,
                      (void *)v, &text);
    if (text.error)
        answer_problem(c, v->id, 503, "the exposition does not fit into memory");
    else
        answer(c, v->id, 200, verbs[VERB_METRICS].answers, text.data, text.len);
}

// Who scrapes alone gets it as any answer. For several in one second it goes to web once more, to
// be kept there, and then no more.
static void give(struct core *c, uint32_t id, struct exposition *e)
{
    const char *type = verbs[VERB_METRICS].answers;
    if (e->given == GIVEN_SHARED) {
        peer_send(&c->web, IPC_AGAIN, id, 200, NULL, 0, NULL, 0);
        return;
    }
    peer_send(&c->web, e->given == GIVEN_ONCE ? IPC_SHARED : IPC_RESPONSE, id, 200, type,
              strlen(type) + 1, e->text.data, e->text.len);
    e->given = e->given == GIVEN_ONCE ? GIVEN_SHARED : GIVEN_ONCE;
}

void view_metrics(const struct view *v)
{
    struct core *c = v->core;
    struct exposition *e = &c->exposition;
    bool is_bad;
    unsigned sets = sets_of_query(v->request->query, &is_bad);
    if (is_bad) {
        answer_problem(c, v->id, 400, "set must be vherd, tinkoff or inovex");
        return;
    }
    if (!sets)
        sets = sets_of_conf(c->conf);
    if (!v->is_open && !auth_covers_all(v->grant)) {
        metrics_of_some(v, sets);
        return;
    }
    uint64_t changes = collector_changes(c->collector);
    if (!e->valid || e->changes != changes || e->sets != sets) {
        int64_t now = clock_mono_ns(&clock_system);
        buf_reset(&e->text);
        size_t series = render_metrics(c->herd, sets, c->conf->metrics.misnamed, now, &e->text);
        object_set_fact(c->herd->host, FACT_HOST_SERIES, (double)series, now);
        e->changes = changes;
        e->sets = sets;
        e->valid = true;
        e->given = GIVEN_NOT;
    }
    if (e->text.error)
        answer_problem(c, v->id, 503, "the exposition does not fit into memory");
    else
        give(c, v->id, e);
}

static void put_scope(const struct scope *scope, const char *key, struct json *j)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, SCOPE_TEXT_MAX + 1);
    scope_format(scope, &text);
    json_kv_string(j, key, text.data);
}

void view_whoami(const struct view *v)
{
    CLEANUP(buf_done) struct buf body;
    struct json j;
    buf_init(&body, 64 * 1024);
    json_init(&j, &body);
    json_object_begin(&j);
    json_kv_string(&j, "principal", v->grant->principal);
    json_kv_string(&j, "role", auth_role_name(v->grant->role));
    put_scope(&v->grant->scope, "scope", &j);
    put_scope(&v->grant->limit, "token_scope", &j);
    json_object_end(&j);
    finish(v, &body);
}

void view_healthy(const struct view *v)
{
    static const char text[] = "vherd is healthy.\n";
    answer(v->core, v->id, 200, verbs[VERB_HEALTHY].answers, text, sizeof(text) - 1);
}

void view_ready(const struct view *v)
{
    static const char yes[] = "vherd is ready.\n";
    static const char no[] = "vherd is starting.\n";
    const struct collector *collector = v->core->collector;
    bool is_ready = collector_sampled(collector) && collector_libvirt(collector).tried;
    if (is_ready)
        answer(v->core, v->id, 200, verbs[VERB_READY].answers, yes, sizeof(yes) - 1);
    else
        answer(v->core, v->id, 503, verbs[VERB_READY].answers, no, sizeof(no) - 1);
}

void view_openapi(const struct view *v)
{
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, ANSWER_MAX);
    deed_openapi(VHERD_VERSION, &body);
    finish(v, &body);
}
