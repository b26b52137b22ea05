// SPDX-License-Identifier: GPL-3.0-or-later
// The event log inside core. An event is first told to the poke (rules), then stored, then told
// to followers, so that whoever follows can go on from the number of the last event that it saw.
#include "events.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "core.h"
#include "sight.h"
#include "store/event_log.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX 100000
#define ANSWER_MAX ((size_t)64 << 20)
#define RETAIN_EVERY_MS (10 * 60 * 1000)
#define BEAT_MS 10000
// What a follower that does not read may make us keep before it is cut off.
#define PENDING_MAX ((size_t)1 << 20)
#define CATCH_UP 5000
#define FOLLOWERS_MAX 64

struct follower {
    struct follower *next;
    uint32_t id; // of web's request
    struct event_filter filter;
    char *vm; // of the filter
    struct sight *sight;
    int64_t last_seq;
    bool is_catching_up; // a search is under way, which gives what was stored before
    unsigned ahead;      // pieces that web may still get
    struct buf pending;
};

struct events {
    struct core *core;
    struct follower *followers;
    size_t n_followers;
    events_poke *poke;
    void *poke_arg;
    uv_timer_t retain_timer, beat_timer;
    uint64_t counts[EVENT_KIND_MAX];
    bool told_failure;
    int busy; // followers are being told: none may go, though web may while it is written to
    bool web_is_gone;
    int open_timers;
};

// Followers

static void follower_free(struct events *e, struct follower *f)
{
    for (struct follower **at = &e->followers; *at; at = &(*at)->next) {
        if (*at == f) {
            *at = f->next;
            e->n_followers--;
            break;
        }
    }
    buf_done(&f->pending);
    free(f->vm);
    sight_free(f->sight);
    free(f);
}

static void enter(struct events *e)
{
    e->busy++;
}

static void leave(struct events *e)
{
    if (--e->busy > 0 || !e->web_is_gone)
        return;
    e->web_is_gone = false;
    events_forget_all(e);
}

static void flush(struct events *e, struct follower *f)
{
    if (f->ahead == 0 || f->pending.len == 0)
        return;
    size_t n = MIN_OF(f->pending.len, IPC_PIECE_BYTES);
    f->ahead--;
    peer_send(&e->core->web, IPC_PIECE, f->id, 0, f->pending.data, n, NULL, 0);
    buf_consume(&f->pending, n);
}

static void cut(struct events *e, struct follower *f)
{
    peer_send(&e->core->web, IPC_END, f->id, 1, NULL, 0, NULL, 0);
    follower_free(e, f);
}

// Server-sent events: each carries its number, which a client gives back after an interruption.
static void put_sse(struct buf *out, const struct event *event)
{
    struct json j;
    buf_printf(out, "id: %lld\nevent: %s\ndata: ", (long long)event->seq,
               event_kind_name(event->kind));
    json_init(&j, out);
    event_put(event, &j);
    buf_puts(out, "\n\n");
}

static void tell(struct follower *f, const struct event *event)
{
    if (event->seq <= f->last_seq)
        return;
    f->last_seq = event->seq;
    if (event_matches(&f->filter, event))
        put_sse(&f->pending, event);
}

static void tell_all(struct events *e, const struct event *event)
{
    enter(e);
    for (struct follower *f = e->followers, *next; f; f = next) {
        next = f->next;
        sight_renew(f->sight, e->core, event);
        if (f->is_catching_up)
            continue;
        tell(f, event);
        if (f->pending.error)
            cut(e, f);
        else
            flush(e, f);
    }
    leave(e);
}

static struct follower *find(const struct events *e, uint32_t id)
{
    for (struct follower *f = e->followers; f; f = f->next)
        if (f->id == id)
            return f;
    return NULL;
}

bool events_more(struct events *e, uint32_t id)
{
    struct follower *f = find(e, id);
    if (!f)
        return false;
    f->ahead = MIN_OF(f->ahead + 1, (unsigned)IPC_PIECES_AHEAD);
    enter(e);
    flush(e, f);
    leave(e);
    return true;
}

bool events_forget(struct events *e, uint32_t id)
{
    struct follower *f = find(e, id);
    if (f)
        follower_free(e, f);
    return f != NULL;
}

void events_forget_all(struct events *e)
{
    if (e->busy > 0) {
        e->web_is_gone = true;
        return;
    }
    while (e->followers)
        follower_free(e, e->followers);
}

// A comment now and then shows both ends that the other is there.
static void on_beat(uv_timer_t *timer)
{
    struct events *e = timer->data;
    enter(e);
    for (struct follower *f = e->followers; f; f = f->next) {
        if (f->pending.len == 0)
            buf_puts(&f->pending, ":\n\n");
        flush(e, f);
    }
    leave(e);
}

// Storing

struct note_job {
    struct statedb_job job;
    struct events *events;
    struct event event; // its texts are owned
};

static char **text_of(struct event *e, size_t i)
{
    const char **const texts[] = {&e->name,   &e->reason, &e->vm,    &e->uuid,
                                  &e->device, &e->text,   &e->detail};
    return i < ARRAY_LEN(texts) ? (char **)texts[i] : NULL;
}

static int note_run(struct statedb_job *job, struct store *s)
{
    struct note_job *n = (struct note_job *)job;
    return event_log_add(s, &n->event, &n->event.seq);
}

static void note_done(struct statedb_job *job, int result)
{
    struct note_job *n = (struct note_job *)job;
    struct events *e = n->events;
    if (result == 0)
        tell_all(e, &n->event);
    else if (!e->told_failure && result != -ENODEV)
        log_error("events are not kept: %s", strerror(-result));
    e->told_failure = result < 0;
    char **text;
    for (size_t i = 0; (text = text_of(&n->event, i)); i++)
        free(*text);
    free(n);
}

void events_note(struct events *e, const struct event *event)
{
    struct note_job *n = mem_zalloc(sizeof(*n));
    n->job = (struct statedb_job){.run = note_run, .done = note_done, .waits = true};
    n->events = e;
    n->event = *event;
    if (!n->event.real_ns)
        n->event.real_ns = clock_real_ns(&clock_system);
    char **text;
    for (size_t i = 0; (text = text_of(&n->event, i)); i++)
        *text = mem_strdup(*text);
    e->counts[event->kind]++;
    if (e->poke)
        e->poke(e->poke_arg, &n->event);
    statedb_submit(e->core->statedb, &n->job);
}

void events_say(struct events *e, enum event_kind kind, const char *name, const char *format, ...)
{
    CLEANUP(freep) char *text = NULL;
    va_list ap;
    va_start(ap, format);
    if (vasprintf(&text, format, ap) < 0)
        text = NULL;
    va_end(ap);
    events_note(e, &(struct event){.kind = kind, .name = name, .text = text});
}

void events_on_event(struct events *e, events_poke *poke, void *arg)
{
    e->poke = poke;
    e->poke_arg = arg;
}

uint64_t events_count(const struct events *e, enum event_kind kind)
{
    return e->counts[kind];
}

// Retention

struct retain_job {
    struct statedb_job job;
    int64_t before_ns, max_bytes;
};

static int retain_run(struct statedb_job *job, struct store *s)
{
    struct retain_job *r = (struct retain_job *)job;
    return event_log_retain(s, r->before_ns, r->max_bytes);
}

static void retain_done(struct statedb_job *job, int result)
{
    free(job);
}

void events_retain(struct events *e)
{
    const struct conf *conf = e->core->conf;
    struct retain_job *r = mem_zalloc(sizeof(*r));
    r->job = (struct statedb_job){.run = retain_run, .done = retain_done};
    r->before_ns =
        conf->events.keep_ns ? clock_real_ns(&clock_system) - conf->events.keep_ns : INT64_MIN;
    r->max_bytes = conf->events.keep_size;
    statedb_submit(e->core->statedb, &r->job);
}

static void on_retain(uv_timer_t *timer)
{
    events_retain(timer->data);
}

// Answers

struct search_job {
    struct statedb_job job;
    struct events *events;
    uint32_t id;
    struct event_filter filter;
    char *vm;
    struct sight *sight; // its own, or NULL
    bool follows;
    int64_t last_seq;
    size_t n;
    struct json json;
    struct buf out;
};

static bool take_found(const struct event *event, void *arg)
{
    struct search_job *s = arg;
    s->last_seq = event->seq;
    s->n++;
    if (s->follows)
        put_sse(&s->out, event);
    else
        event_put(event, &s->json);
    return s->out.error == 0;
}

static int search_run(struct statedb_job *job, struct store *store)
{
    struct search_job *s = (struct search_job *)job;
    s->n = 0;
    s->last_seq = s->filter.after_seq;
    buf_reset(&s->out);
    json_init(&s->json, &s->out);
    if (!s->follows) {
        json_object_begin(&s->json);
        json_key(&s->json, "events");
        json_array_begin(&s->json);
    }
    int r = event_log_search(store, &s->filter, take_found, s);
    if (!s->follows) {
        json_array_end(&s->json);
        json_object_end(&s->json);
    }
    return r;
}

static void search_free(struct search_job *s)
{
    buf_done(&s->out);
    free(s->vm);
    sight_free(s->sight);
    free(s);
}

static void search_done(struct statedb_job *job, int result)
{
    struct search_job *s = (struct search_job *)job;
    struct core *c = s->events->core;
    CLEANUP(freep) char *why = statedb_error(c->statedb);
    if (result == -ENODEV)
        answer_problem(c, s->id, 503, "events are not kept: %s", why ? why : "there is no store");
    else if (result < 0 || s->out.error)
        answer_problem(c, s->id, 503, "the event log cannot be read: %s",
                       strerror(result < 0 ? -result : -s->out.error));
    else
        answer(c, s->id, 200, API_TYPE, s->out.data, s->out.len);
    search_free(s);
}

static void catch_up(struct events *e, struct follower *f);

static void caught_up(struct statedb_job *job, int result)
{
    struct search_job *s = (struct search_job *)job;
    struct events *e = s->events;
    struct follower *f = find(e, s->id);
    enter(e);
    if (f && (result < 0 || s->out.error)) {
        cut(e, f);
    } else if (f) {
        buf_put(&f->pending, s->out.data, s->out.len);
        f->last_seq = MAX_OF(f->last_seq, s->last_seq);
        f->is_catching_up = false;
        if (s->n == CATCH_UP)
            catch_up(e, f);
        flush(e, f);
    }
    leave(e);
    search_free(s);
}

static struct search_job *search_new(struct events *e, uint32_t id, const struct event_filter *f)
{
    struct search_job *s = mem_zalloc(sizeof(*s));
    s->job = (struct statedb_job){.run = search_run, .done = search_done};
    s->events = e;
    s->id = id;
    s->filter = *f;
    s->filter.vm = s->vm = mem_strdup(f->vm);
    s->filter.arg = s->sight = sight_ref((struct sight *)f->arg);
    buf_init(&s->out, ANSWER_MAX);
    return s;
}

static void catch_up(struct events *e, struct follower *f)
{
    struct event_filter filter = f->filter;
    filter.after_seq = f->last_seq;
    filter.limit = CATCH_UP;
    struct search_job *s = search_new(e, f->id, &filter);
    s->follows = true;
    s->job.done = caught_up;
    f->is_catching_up = true;
    statedb_submit(e->core->statedb, &s->job);
}

// Without a place to go on from: what comes from now on.
static void follow(const struct view *v, struct events *e, const struct event_filter *filter,
                   bool has_place)
{
    static const char head[] = "text/event-stream\0: vherd\nretry: 1000\n\n";
    if (e->n_followers == FOLLOWERS_MAX) {
        answer_problem(v->core, v->id, 503, "too many follow the events already");
        return;
    }
    if (!statedb_is_open(e->core->statedb)) {
        CLEANUP(freep) char *why = statedb_error(e->core->statedb);
        answer_problem(v->core, v->id, 503, "events are not kept: %s",
                       why ? why : "there is no store");
        return;
    }
    struct follower *f = mem_zalloc(sizeof(*f));
    *f = (struct follower){.next = e->followers,
                           .id = v->id,
                           .filter = *filter,
                           .ahead = IPC_PIECES_AHEAD - 1,
                           .last_seq = filter->after_seq};
    f->filter.vm = f->vm = mem_strdup(filter->vm);
    f->filter.arg = f->sight = sight_ref((struct sight *)filter->arg);
    f->filter.after_seq = 0;
    buf_init(&f->pending, ANSWER_MAX + PENDING_MAX);
    e->followers = f;
    e->n_followers++;
    enter(e);
    peer_send(&e->core->web, IPC_BEGIN, f->id, 200, head, sizeof(head) - 1, NULL, 0);
    if (has_place)
        catch_up(e, f);
    leave(e);
}

// A duration back from now, or a time.
static int read_time(const struct view *v, const char *name, int64_t *ret_ns, struct err *err)
{
    CLEANUP(freep) char *text = ipc_request_param(v->request, name);
    int64_t ms = 0, back_ns = 0;
    if (!text || !*text)
        return 0;
    if (number_parse_duration(text, &back_ns) == 0) {
        *ret_ns = clock_real_ns(&clock_system) - back_ns;
        return 0;
    }
    int r = api_param_time(v->request, name, &ms, err);
    if (r == 0)
        *ret_ns = ms * NS_PER_MS;
    return r;
}

static int read_number(const struct view *v, const char *name, int64_t most, int64_t *ret,
                       struct err *err)
{
    CLEANUP(freep) char *text = ipc_request_param(v->request, name);
    int64_t n = 0;
    if (!text || !*text)
        return 0;
    if (number_parse_i64(text, &n) < 0 || n < 0 || n > most)
        return err_set(err, EINVAL, "%s: a number from 0 to %lld", name, (long long)most);
    *ret = n;
    return 0;
}

static int read_filter(const struct view *v, struct event_filter *f, char **ret_vm, struct err *err)
{
    CLEANUP(freep) char *kind = ipc_request_param(v->request, "kind");
    int64_t limit = LIMIT_DEFAULT;
    *f = (struct event_filter){.kind = EVENT_KIND_INVALID};
    *ret_vm = ipc_request_param(v->request, "vm");
    f->vm = *ret_vm;
    f->after_seq = -1;
    if (kind && *kind && (f->kind = event_kind_parse(kind)) == EVENT_KIND_INVALID)
        return err_set(err, EINVAL,
                       "kind: \"%s\" is none of lifecycle, fault, config, guest, job, "
                       "libvirt, alert, notify, vherd",
                       kind);
    int r = read_time(v, "since", &f->since_ns, err);
    if (r == 0)
        r = read_time(v, "until", &f->until_ns, err);
    if (r == 0)
        r = read_number(v, "after", INT64_MAX, &f->after_seq, err);
    if (r == 0)
        r = read_number(v, "limit", LIMIT_MAX, &limit, err);
    f->limit = limit ? (size_t)limit : LIMIT_MAX;
    return r;
}

static bool is_to_follow(const struct view *v)
{
    CLEANUP(freep) char *follows = ipc_request_param(v->request, "follow");
    return (follows && strcmp(follows, "0") != 0) ||
           strstr(v->request->accept, "text/event-stream");
}

void view_events(const struct view *v)
{
    struct err err = {0};
    struct event_filter filter;
    CLEANUP(freep) char *vm = NULL;
    struct events *e = v->core->events;
    if (read_filter(v, &filter, &vm, &err) < 0) {
        answer_problem(v->core, v->id, 400, "%s", err.message);
        return;
    }
    struct sight *sight = sight_new(v);
    filter.may = sight ? sight_of_event : NULL;
    filter.arg = sight;
    bool has_place = filter.after_seq >= 0 || filter.since_ns;
    filter.newest_first = filter.after_seq < 0;
    filter.after_seq = MAX_OF(filter.after_seq, INT64_C(0));
    if (is_to_follow(v)) {
        filter.newest_first = false;
        follow(v, e, &filter, has_place);
    } else {
        struct search_job *s = search_new(e, v->id, &filter);
        statedb_submit(v->core->statedb, &s->job);
    }
    sight_free(sight);
}

struct events *events_new(struct core *c)
{
    struct events *e = mem_zalloc(sizeof(*e));
    e->core = c;
    uv_timer_init(&c->loop, &e->retain_timer);
    e->retain_timer.data = e;
    uv_timer_start(&e->retain_timer, on_retain, RETAIN_EVERY_MS, RETAIN_EVERY_MS);
    uv_timer_init(&c->loop, &e->beat_timer);
    e->beat_timer.data = e;
    uv_timer_start(&e->beat_timer, on_beat, BEAT_MS, BEAT_MS);
    return e;
}

static void on_closed(uv_handle_t *handle)
{
    ((struct events *)handle->data)->open_timers--;
}

void events_free(struct events *e)
{
    if (!e)
        return;
    events_forget_all(e);
    e->open_timers = 2;
    uv_close((uv_handle_t *)&e->retain_timer, on_closed);
    uv_close((uv_handle_t *)&e->beat_timer, on_closed);
    while (e->open_timers > 0)
        uv_run(&e->core->loop, UV_RUN_NOWAIT);
    free(e);
}
