// SPDX-License-Identifier: GPL-3.0-or-later
// Decisions under a fake clock: each test reads as a trace of what was sent. A world may be killed
// and started again from what was stored at any point.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>

#include "base/mem.h"
#include "notify/message.h"
#include "notify/notify.h"

#define S INT64_C(1000)
#define T0 (INT64_C(1764100000) * S) // 2025-11-25 19:46:40 UTC, a Tuesday

struct pair {
    char *kind, *key, *value;
};

struct world {
    struct conf *conf;
    struct notify *n;
    struct pair disk[512];
    size_t n_disk;
    int64_t now;
    char trace[8192];
    char taken[512][48]; // ids that a receiver took
    size_t n_taken, n_twice;
    bool dead; // receivers do not answer
};

static struct conf *conf_of(const char *yaml)
{
    struct conf *conf = NULL;
    struct err err = {0};
    if (conf_parse("test", yaml, strlen(yaml), &conf, &err) < 0)
        fail_msg("%s", err.message);
    return conf;
}

static void start(struct world *w)
{
    struct err err = {0};
    if (notify_new(w->conf, "host1", "i", &w->n, &err) < 0)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < w->n_disk; i++)
        assert_int_equal(notify_load(w->n, w->disk[i].kind, w->disk[i].key, w->disk[i].value), 0);
    notify_loaded(w->n, w->now);
}

static struct world *world_new(const char *yaml)
{
    struct world *w = mem_zalloc(sizeof(*w));
    w->conf = conf_of(yaml);
    w->now = T0;
    start(w);
    return w;
}

static void world_free(struct world *w)
{
    notify_free(w->n);
    conf_free(w->conf);
    for (size_t i = 0; i < w->n_disk; i++) {
        free(w->disk[i].kind);
        free(w->disk[i].key);
        free(w->disk[i].value);
    }
    free(w);
}

static int by_key(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int c = strcmp(x->kind, y->kind);
    return c ? c : strcmp(x->key, y->key);
}

static void put(struct world *w, const struct notify_change *c)
{
    size_t i = 0;
    while (i < w->n_disk &&
           (strcmp(w->disk[i].kind, c->kind) != 0 || strcmp(w->disk[i].key, c->key) != 0))
        i++;
    if (i < w->n_disk) {
        free(w->disk[i].kind);
        free(w->disk[i].key);
        free(w->disk[i].value);
        w->disk[i] = w->disk[--w->n_disk];
    }
    assert_true(w->n_disk < ARRAY_LEN(w->disk));
    if (c->value)
        w->disk[w->n_disk++] =
            (struct pair){mem_strdup(c->kind), mem_strdup(c->key), mem_strdup(c->value)};
    qsort(w->disk, w->n_disk, sizeof(*w->disk), by_key);
}

static void save(struct world *w)
{
    struct notify_changes changes;
    notify_changes_take(w->n, &changes);
    for (size_t i = 0; i < changes.n; i++)
        put(w, &changes.item[i]);
    notify_changes_done(&changes);
}

static void write_trace(struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void write_trace(struct world *w, const char *format, ...)
{
    size_t n = strlen(w->trace);
    va_list ap;
    va_start(ap, format);
    vsnprintf(w->trace + n, sizeof(w->trace) - n, format, ap);
    va_end(ap);
}

// "12.1 ops firing A(db) -B(web)": seconds since T0, receiver, alerts; '-' is a resolved one.
static void receive(struct world *w, const struct notify_send *m)
{
    json_t *j = json_loads(m->body, 0, NULL);
    size_t i;
    json_t *a;
    assert_non_null(j);
    assert_string_equal(json_string_value(json_object_get(j, "id")), m->id);
    for (size_t k = 0; k < w->n_taken; k++)
        w->n_twice += strcmp(w->taken[k], m->id) == 0;
    assert_true(w->n_taken < ARRAY_LEN(w->taken));
    snprintf(w->taken[w->n_taken++], sizeof(w->taken[0]), "%s", m->id);
    write_trace(w, "%.1f %s", (double)(w->now - T0) / 1000, m->receiver);
    json_array_foreach(json_object_get(j, "alerts"), i, a)
    {
        json_t *labels = json_object_get(a, "labels");
        const char *vm = json_string_value(json_object_get(labels, "domain"));
        bool firing = strcmp(json_string_value(json_object_get(a, "status")), "firing") == 0;
        write_trace(w, " %s%s(%s)", firing ? "" : "-",
                    json_string_value(json_object_get(labels, "alertname")), vm ? vm : "");
    }
    write_trace(w, "\n");
    json_decref(j);
}

static void deliver(struct world *w)
{
    struct notify_send m;
    while (notify_next(w->n, w->now, notify_number(w->n), &m)) {
        CLEANUP(freep) char *id = mem_strdup(m.id);
        if (!w->dead)
            receive(w, &m);
        (void)notify_result(w->n, id, w->dead ? NOTIFY_FAILED : NOTIFY_DELIVERED, "dead", -1,
                            w->now);
        save(w);
    }
}

static void step(struct world *w)
{
    notify_step(w->n, w->now);
    save(w);
    deliver(w);
}

// Jumps from one time that matters to the next.
static void run_until(struct world *w, int64_t end)
{
    for (int i = 0; i < 100000; i++) {
        int64_t wake = notify_wake(w->n, w->now);
        if (wake > end)
            break;
        w->now = MAX_OF(wake, w->now + 1);
        step(w);
    }
    w->now = end;
    step(w);
}

static void run(struct world *w, double seconds)
{
    run_until(w, w->now + (int64_t)(seconds * 1000));
}

static void restart(struct world *w)
{
    notify_free(w->n);
    start(w);
    step(w);
}

static void say_of(struct world *w, const char *name, const char *vm, const char *severity,
                   const char *scope, enum alert_state state)
{
    struct label label[] = {
        {"alertname", name}, {"domain", vm}, {"severity", severity}, {"scope", scope}};
    struct label note[] = {{"summary", "it is broken"}};
    struct labels *labels = labels_new(label, ARRAY_LEN(label) - !scope);
    struct labels *notes = labels_new(note, 1);
    static int64_t fired = 0;
    fired = state == ALERT_FIRING ? w->now : fired;
    struct alert a = {.fingerprint = labels->hash,
                      .labels = labels,
                      .annotations = notes,
                      .state = state,
                      .active_at_ms = fired,
                      .fired_at_ms = fired,
                      .resolved_at_ms = state == ALERT_RESOLVED ? w->now : 0,
                      .ends_at_ms = w->now + 86400 * 1000,
                      .expr = (char *)"x",
                      .group = (char *)"g",
                      .file = (char *)"f"};
    notify_alert(w->n, &a, w->now);
    labels_free(labels);
    labels_free(notes);
    step(w);
}

static void say(struct world *w, const char *name, const char *vm, const char *severity,
                enum alert_state state)
{
    say_of(w, name, vm, severity, NULL, state);
}

#define FIRE(w, name, vm) say(w, name, vm, "critical", ALERT_FIRING)
#define END(w, name, vm) say(w, name, vm, "critical", ALERT_RESOLVED)

static void expect(struct world *w, const char *trace)
{
    assert_string_equal(w->trace, trace);
    w->trace[0] = '\0';
}

static const char simple[] =
    "notify:\n  receivers: [{name: ops, webhook: {url: 'http://x/'}}]\n  route: {receiver: ops}\n";

static void test_life_of_a_group(void **state)
{
    struct world *w = world_new(simple);
    FIRE(w, "A", "db");
    expect(w, ""); // waits 100 ms for others
    FIRE(w, "A", "web");
    FIRE(w, "B", "db"); // another group
    run(w, 1);
    expect(w, "0.1 ops A(db) A(web)\n0.1 ops B(db)\n");
    FIRE(w, "A", "mail");
    run(w, 8);
    expect(w, ""); // 10 s between two messages of a group
    run(w, 5);
    expect(w, "10.1 ops A(db) A(web) A(mail)\n");
    END(w, "A", "web");
    run(w, 20);
    expect(w, "20.1 ops A(db) A(mail) -A(web)\n");
    END(w, "A", "db");
    END(w, "A", "mail");
    END(w, "B", "db");
    run(w, 20);
    expect(w, "34.1 ops -A(db) -A(mail)\n34.1 ops -B(db)\n");
    run(w, 86400);
    expect(w, "");
    // Nothing is left behind but the number of the last message.
    assert_int_equal(w->n_disk, 1);
    world_free(w);
}

static void test_repetition_and_acknowledgement(void **state)
{
    struct world *w = world_new(simple);
    struct err err = {0};
    FIRE(w, "A", "db");
    run(w, 4 * 3600 + 60);
    expect(w, "0.1 ops A(db)\n14400.1 ops A(db)\n");
    assert_int_equal(notify_ack(w->n, "domain=db", "alice", "mine", w->now, &err), 1);
    assert_int_equal(notify_ack(w->n, "domain=web", "alice", "mine", w->now, &err), 0);
    step(w);
    restart(w);
    run(w, 10 * 3600);
    expect(w, "");
    END(w, "A", "db");
    run(w, 60);
    expect(w, "50460.1 ops -A(db)\n");
    FIRE(w, "A", "db"); // anew: nobody has taken care of it
    run(w, 4 * 3600 + 60);
    expect(w, "50520.1 ops A(db)\n64920.1 ops A(db)\n");
    world_free(w);
}

static void test_only_tried(void **state)
{
    struct world *w = world_new(simple);
    struct err err = {0};
    struct notify_changes changes;
    struct notify_silence silence = {.matchers = "domain=~\"d.*\"",
                                     .author = "alice",
                                     .comment = "",
                                     .starts_ms = w->now,
                                     .ends_ms = w->now + 60 * S};
    FIRE(w, "A", "db");
    FIRE(w, "B", "db");
    FIRE(w, "A", "web");
    save(w);
    assert_int_equal(notify_silence_try(w->n, &silence, w->now, &err), 2);
    silence.matchers = "domain=\"\"";
    assert_int_equal(notify_silence_try(w->n, &silence, w->now, &err), -EINVAL);
    silence.matchers = "a~b";
    assert_int_equal(notify_silence_try(w->n, &silence, w->now, &err), -EINVAL);
    assert_int_equal(notify_silence_find(w->n, "i-s1", w->now), -ENOENT);
    assert_int_equal(notify_ack_try(w->n, "alertname=A", &err), 2);
    assert_int_equal(notify_ack_try(w->n, "a~b", &err), -EINVAL);
    assert_true(notify_has_receiver(w->n, "ops"));
    assert_false(notify_has_receiver(w->n, "op"));
    notify_changes_take(w->n, &changes);
    assert_int_equal(changes.n, 0);
    notify_changes_done(&changes);
    run(w, 20);
    expect(w, "0.1 ops A(db) A(web)\n0.1 ops B(db)\n");
    world_free(w);
}

static void test_routes(void **state)
{
    struct world *w =
        world_new("notify:\n"
                  "  receivers: [{name: ops, webhook: {url: 'http://x/'}}, {name: db, webhook: "
                  "{url: 'http://x/'}}, {name: all, webhook: {url: 'http://x/'}, send_resolved: "
                  "false}, {name: nobody}]\n"
                  "  route:\n    receiver: ops\n    group_by: [domain]\n    routes:\n"
                  "      - {receiver: all, matchers: ['severity=\"critical\"'], continue: true}\n"
                  "      - {receiver: db, matchers: ['domain=~\"db-.*\"', alertname!=C], routes: "
                  "[{receiver: nobody, matchers: [alertname=Quiet]}]}\n");
    FIRE(w, "A", "db-1");
    run(w, 1);
    expect(w, "0.1 all A(db-1)\n0.1 db A(db-1)\n");
    say(w, "A", "web", "warning", ALERT_FIRING);
    say(w, "C", "db-2", "warning", ALERT_FIRING);
    say(w, "Quiet", "db-3", "warning", ALERT_FIRING);
    run(w, 20);
    expect(w, "1.1 ops A(web)\n1.1 ops C(db-2)\n");
    END(w, "A", "db-1");
    run(w, 20);
    expect(w, "21.1 db -A(db-1)\n");
    world_free(w);
}

static void test_silence(void **state)
{
    struct world *w = world_new(simple);
    struct err err = {0};
    CLEANUP(freep) char *id = NULL, *other = NULL;
    struct notify_silence s = {NULL, "domain=db", "alice", "", T0, T0 + 600 * S};
    assert_int_equal(notify_silence_add(w->n, &s, w->now, &id, &err), 0);
    s.matchers = "domain=~\".*\"";
    assert_int_equal(notify_silence_add(w->n, &s, w->now, &other, &err), -EINVAL);
    s.matchers = "domain=db";
    s.ends_ms = T0;
    assert_int_equal(notify_silence_add(w->n, &s, w->now, &other, &err), -EINVAL);
    FIRE(w, "A", "db");
    FIRE(w, "A", "web");
    run(w, 300);
    expect(w, "0.1 ops A(web)\n");
    restart(w);
    run(w, 400); // it ends: what still fires is told now
    expect(w, "600.1 ops A(db) A(web)\n");
    // Who heard of the beginning hears of the end, silenced or not.
    s = (struct notify_silence){NULL, "alertname=A", "alice", "", w->now, w->now + 600 * S};
    assert_int_equal(notify_silence_add(w->n, &s, w->now, &other, &err), 0);
    END(w, "A", "db");
    run(w, 60);
    expect(w, "700.1 ops -A(db)\n");
    // What began and ended in silence is told to nobody.
    FIRE(w, "A", "mail");
    END(w, "A", "mail");
    run(w, 60);
    expect(w, "");
    assert_int_equal(notify_silence_expire(w->n, other, w->now), 0);
    assert_int_equal(notify_silence_expire(w->n, other, w->now), -ENOENT);
    world_free(w);
}

static void test_inhibition(void **state)
{
    struct world *w = world_new(
        "notify:\n  receivers: [{name: ops, webhook: {url: 'http://x/'}}]\n"
        "  route: {receiver: ops}\n"
        "  inhibit: [{source_matchers: [alertname=LibvirtGone], target_matchers: "
        "['alertname=~\"Vm.*\"']}, {source_matchers: [alertname=VmCrashed], target_matchers: "
        "[alertname=Slow], equal: [domain]}]\n");
    say(w, "LibvirtGone", "", "critical", ALERT_FIRING);
    FIRE(w, "VmSlow", "db");
    FIRE(w, "VmSlow", "web");
    run(w, 60);
    expect(w, "0.1 ops LibvirtGone()\n"); // one incident
    END(w, "VmSlow", "web");
    say(w, "LibvirtGone", "", "critical", ALERT_RESOLVED);
    run(w, 60);
    expect(w, "60.1 ops -LibvirtGone()\n60.1 ops VmSlow(db)\n");
    FIRE(w, "VmCrashed", "a");
    FIRE(w, "Slow", "a");
    FIRE(w, "Slow", "b");
    run(w, 1);
    expect(w, "120.1 ops VmCrashed(a)\n120.1 ops Slow(b)\n");
    world_free(w);
}

static void test_inhibitions_of_the_pack(void **state)
{
    struct world *w = world_new(simple);
    say_of(w, "LibvirtUnreachable", "", "critical", "libvirt", ALERT_FIRING);
    say_of(w, "VmMonitorHung", "db", "critical", "vm", ALERT_FIRING);
    say_of(w, "PoolNotAnswering", "", "critical", "storage", ALERT_FIRING);
    run(w, 60);
    expect(w, "0.1 ops LibvirtUnreachable()\n"); // one incident
    say_of(w, "PoolNotAnswering", "", "critical", "storage", ALERT_RESOLVED);
    say_of(w, "LibvirtUnreachable", "", "critical", "libvirt", ALERT_RESOLVED);
    say_of(w, "VmMonitorHung", "db", "critical", "vm", ALERT_RESOLVED);
    run(w, 60);
    expect(w, "60.1 ops -LibvirtUnreachable()\n");
    say_of(w, "VmProcessStopped", "a", "critical", "vm", ALERT_FIRING);
    say_of(w, "GuestAgentSilent", "a", "warning", "vm", ALERT_FIRING);
    say_of(w, "GuestAgentSilent", "b", "warning", "vm", ALERT_FIRING);
    run(w, 1);
    expect(w, "120.1 ops VmProcessStopped(a)\n120.1 ops GuestAgentSilent(b)\n");
    world_free(w);
    w = world_new("notify:\n  default_inhibit: false\n"
                  "  receivers: [{name: ops, webhook: {url: 'http://x/'}}]\n"
                  "  route: {receiver: ops}\n");
    say_of(w, "LibvirtUnreachable", "", "critical", "libvirt", ALERT_FIRING);
    say_of(w, "VmMonitorHung", "db", "critical", "vm", ALERT_FIRING);
    run(w, 60);
    expect(w, "0.1 ops LibvirtUnreachable()\n0.1 ops VmMonitorHung(db)\n");
    world_free(w);
}

static void test_quiet_hours(void **state)
{
    // T0 is 19:46:40 UTC, 20:46:40 in Berlin, on a Tuesday.
    struct world *w = world_new(
        "notify:\n  receivers: [{name: ops, webhook: {url: 'http://x/'}}]\n"
        "  quiet_hours: [{name: night, time_zone: Europe/Berlin, from: '21:00', to: '07:00', days: "
        "[tue]}]\n  route: {receiver: ops, quiet: [night]}\n");
    FIRE(w, "A", "db");
    run(w, 900); // 21:01:40 in Berlin
    FIRE(w, "A", "web");
    FIRE(w, "B", "web");
    END(w, "B", "web");
    run(w, 12 * 3600);
    expect(w, "0.1 ops A(db)\n36800.0 ops A(db) A(web)\n"); // at 07:00 in Berlin
    run_until(w, T0 + 86400 * S + 2 * 3600 * S);            // Wednesday night is not quiet
    FIRE(w, "C", "db");
    run(w, 1);
    assert_non_null(strstr(w->trace, "93600.1 ops C(db)\n"));
    world_free(w);
}

static void test_dead_receiver_delays_nobody(void **state)
{
    struct world *w = world_new("notify:\n  max_backoff: 1m\n  keep_trying: 1h\n"
                                "  receivers: [{name: ops, webhook: {url: 'http://x/'}}]\n"
                                "  route: {receiver: ops}\n");
    w->dead = true;
    FIRE(w, "A", "db");
    run(w, 600);
    END(w, "A", "db");
    run(w, 600);
    expect(w, "");
    restart(w);
    w->dead = false;
    run(w, 120);
    // In order, and each once.
    assert_non_null(strstr(w->trace, "ops A(db)\n"));
    assert_non_null(strstr(w->trace, "ops -A(db)\n"));
    assert_true(strstr(w->trace, "ops A(db)\n") < strstr(w->trace, "ops -A(db)\n"));
    assert_int_equal(w->n_taken, 2);
    w->trace[0] = '\0';
    w->dead = true;
    assert_null(notify_given_up(w->n));
    FIRE(w, "A", "db");
    run(w, 2 * 3600);
    const char *words = notify_given_up(w->n);
    assert_non_null(words);
    assert_string_equal(words, "ops could not be told in time: 1 message is given up");
    assert_null(notify_given_up(w->n)); // told once
    w->dead = false;
    run(w, 600);
    expect(w, ""); // given up
    struct notify_counts counts;
    assert_true(notify_counts(w->n, 0, &counts));
    assert_int_equal(counts.expired, 1);
    assert_int_equal(counts.queued, 0);
    assert_false(notify_counts(w->n, 1, &counts));
    world_free(w);
}

static void test_refusal(void **state)
{
    struct world *w = world_new(simple);
    struct notify_send m;
    FIRE(w, "A", "db");
    FIRE(w, "B", "db");
    w->now += 100;
    notify_step(w->n, w->now);
    assert_false(notify_next(w->n, w->now, 0, &m)); // not stored yet
    assert_true(notify_next(w->n, w->now, notify_number(w->n), &m));
    struct notify_send again;
    assert_false(notify_next(w->n, w->now, notify_number(w->n), &again)); // one at a time
    CLEANUP(freep) char *first = mem_strdup(m.id);
    assert_null(notify_result(w->n, "other", NOTIFY_DELIVERED, "", -1, w->now));
    assert_non_null(notify_result(w->n, first, NOTIFY_REFUSED, "HTTP status 400", -1, w->now));
    assert_true(notify_next(w->n, w->now, notify_number(w->n), &m));
    assert_string_not_equal(m.id, first);
    notify_lost_sender(w->n, w->now); // the same message again
    CLEANUP(freep) char *second = mem_strdup(m.id);
    assert_true(notify_next(w->n, w->now, notify_number(w->n), &m));
    assert_string_equal(m.id, second);
    // A receiver that asks for patience gets it.
    (void)notify_result(w->n, second, NOTIFY_FAILED, "HTTP status 429", 30 * S, w->now);
    assert_int_equal(notify_wake(w->n, w->now), w->now + 30 * S);
    world_free(w);
}

// Its rule says that it should be told again: it fires since T0 + fired_s, and is over since then
// where resolved_s is not 0.
static void hear(struct world *w, const char *name, const char *vm, double fired_s,
                 double resolved_s)
{
    struct label label[] = {{"alertname", name}, {"domain", vm}, {"severity", "critical"}};
    struct label note[] = {{"summary", "it is still broken"}};
    struct labels *labels = labels_new(label, ARRAY_LEN(label));
    struct labels *notes = labels_new(note, 1);
    struct alert a = {.fingerprint = labels->hash,
                      .labels = labels,
                      .annotations = notes,
                      .state = resolved_s > 0 ? ALERT_RESOLVED : ALERT_FIRING,
                      .active_at_ms = T0 + (int64_t)(fired_s * 1000),
                      .fired_at_ms = T0 + (int64_t)(fired_s * 1000),
                      .resolved_at_ms = resolved_s > 0 ? T0 + (int64_t)(resolved_s * 1000) : 0,
                      .ends_at_ms = w->now + 1200 * S,
                      .expr = (char *)"x",
                      .group = (char *)"g",
                      .file = (char *)"f"};
    notify_alert_heard(w->n, &a, w->now);
    labels_free(labels);
    labels_free(notes);
    step(w);
}

static const char passing[] =
    "notify:\n  receivers: [{name: am, alertmanager: {urls: ['http://x']}}, {name: ops, webhook: "
    "{url: 'http://x/'}}]\n"
    "  route: {receiver: ops, routes: [{receiver: am, continue: true}, {receiver: ops}]}\n";

static void test_alertmanager_hears_again(void **state)
{
    struct world *w = world_new(passing);
    FIRE(w, "A", "db");
    hear(w, "A", "db", 0, 0); // as rules say of what begins to fire
    run(w, 60);
    expect(w, "0.0 am A(db)\n0.1 ops A(db)\n");
    hear(w, "A", "db", 0, 0);
    run(w, 30);
    FIRE(w, "A", "web"); // of the same group: only what is new of it
    run(w, 30);
    hear(w, "A", "db", 0, 0);
    run(w, 30);
    expect(w, "60.0 am A(db)\n90.0 am A(web)\n90.1 ops A(db) A(web)\n120.0 am A(db)\n");
    run(w, 600); // nothing of its own accord: an evaluation says it
    expect(w, "");
    world_free(w);
}

static void test_alertmanager_hears_of_ends_again(void **state)
{
    struct world *w = world_new(passing);
    FIRE(w, "A", "db");
    run(w, 100);
    expect(w, "0.0 am A(db)\n0.1 ops A(db)\n");
    END(w, "A", "db");
    hear(w, "A", "db", 0, 100);
    run(w, 60);
    expect(w, "100.0 am -A(db)\n100.1 ops -A(db)\n");
    hear(w, "A", "db", 0, 100);
    restart(w);
    run(w, 60);
    hear(w, "A", "db", 0, 100);
    run(w, 30);
    expect(w, "160.0 am -A(db)\n220.0 am -A(db)\n");
    assert_int_equal(w->n_disk, 1); // and nothing is left of it
    FIRE(w, "A", "db");             // anew
    run(w, 5);
    END(w, "A", "db");
    run(w, 20);
    expect(w, "250.0 am A(db)\n250.1 ops A(db)\n255.0 am -A(db)\n260.1 ops -A(db)\n");
    // What is silenced is not passed on, and what a dead receiver has not taken is no heap.
    struct err err = {0};
    CLEANUP(freep) char *id = NULL;
    const struct notify_silence silence = {.matchers = "domain=db",
                                           .author = "alice",
                                           .comment = "",
                                           .starts_ms = w->now,
                                           .ends_ms = w->now + 90 * S};
    assert_int_equal(notify_silence_add(w->n, &silence, w->now, &id, &err), 0);
    run(w, 60);
    hear(w, "A", "db", 250, 255);
    expect(w, "");
    run(w, 60);
    w->dead = true;
    for (int i = 0; i < 3; i++) {
        hear(w, "A", "db", 250, 255);
        run(w, 60);
    }
    w->dead = false;
    run(w, 300);
    assert_non_null(strstr(w->trace, " am -A(db)\n"));
    assert_ptr_equal(strchr(w->trace, '\n'), w->trace + strlen(w->trace) - 1); // one line
    world_free(w);
}

static void test_alertmanager_believes_as_long_as_the_rule_says(void **state)
{
    struct world *w = world_new(passing);
    struct notify_send m;
    CLEANUP(buf_done) struct buf form;
    CLEANUP(buf_done) struct buf expected;
    FIRE(w, "A", "db");
    run(w, 1);
    w->dead = true;
    hear(w, "A", "db", 0, 0); // 20 minutes from now
    w->now += 60 * S;         // in the queue, that time does not run
    assert_true(notify_next(w->n, w->now, notify_number(w->n), &m));
    json_t *j = json_loads(m.body, 0, NULL);
    buf_init(&form, 65536);
    buf_init(&expected, 256);
    assert_int_equal(notify_form_alertmanager(j, w->now, &form), 0);
    buf_puts(&expected, "\"endsAt\":\"");
    alert_put_time(&expected, w->now + 1200 * S);
    assert_non_null(strstr(form.data, expected.data));
    assert_non_null(strstr(form.data, "it is still broken")); // the newest annotations
    json_decref(j);
    world_free(w);
}

static void test_reload_tells_nothing_twice(void **state)
{
    struct world *w = world_new(simple);
    struct err err = {0};
    FIRE(w, "A", "db");
    FIRE(w, "B", "db");
    run(w, 60);
    w->trace[0] = '\0';
    struct conf *other =
        conf_of("notify:\n  receivers: [{name: ops, webhook: {url: 'http://x/'}}, {name: new, "
                "webhook: {url: 'http://x/'}}]\n"
                "  route: {receiver: ops, group_by: [domain], routes: [{receiver: new, matchers: "
                "[alertname=B]}]}\n");
    assert_int_equal(notify_configure(w->n, other, w->now, &err), 0);
    conf_free(w->conf);
    w->conf = other;
    run(w, 60);
    expect(w, "60.1 new B(db)\n");
    restart(w);
    run(w, 60);
    expect(w, "");
    END(w, "A", "db");
    run(w, 60);
    expect(w, "180.1 ops -A(db)\n");
    world_free(w);
}

static void test_rule_that_vanished(void **state)
{
    struct world *w = world_new(simple);
    FIRE(w, "A", "db");
    run(w, 3600);
    w->trace[0] = '\0';
    // Its end would be told 24 h after it was heard of last, as ends_at_ms says.
    run(w, 24 * 3600);
    assert_non_null(strstr(w->trace, " ops -A(db)\n"));
    world_free(w);
}

// A script of alerts, during which vherd is killed before or after any storing or delivery.
static void play(struct world *w, int kill_at, int *ret_points)
{
    int point = 0;
    static const char *const vms[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 40; i++) {
        const char *vm = vms[i % 4];
        int phase = i / 4 % 2;
        // As core does it: what a transition changed is stored with its number, or comes again.
        for (;;) {
            if (phase == 0)
                FIRE(w, "A", vm);
            else
                END(w, "A", vm);
            bool killed = point++ == kill_at;
            if (!killed)
                break;
            restart(w);
        }
        run(w, i % 3 == 0 ? 12 : 0.05);
        if (point++ == kill_at)
            restart(w);
    }
    run(w, 60);
    *ret_points = point;
}

static void test_kill_at_any_point(void **state)
{
    int points = 1;
    for (int kill = -1; kill < points; kill++) {
        struct world *w = world_new(simple);
        play(w, kill, &points);
        assert_int_equal(w->n_twice, 0);
        // All is over, and the last that was said of each is its end.
        for (const char *vm = "abcd"; *vm; vm++) {
            char firing[16], end[16];
            snprintf(firing, sizeof(firing), " A(%c)", *vm);
            snprintf(end, sizeof(end), "-A(%c)", *vm);
            const char *last_firing = NULL, *last_end = NULL;
            for (const char *p = w->trace; (p = strstr(p, firing)); p++)
                last_firing = p;
            for (const char *p = w->trace; (p = strstr(p, end)); p++)
                last_end = p;
            assert_non_null(last_firing);
            assert_non_null(last_end);
            assert_true(last_end > last_firing);
        }
        assert_int_equal(w->n_disk, 1);
        world_free(w);
    }
    assert_true(points > 70);
}

// Killed between delivery and the storing of its outcome: the same id comes again.
static void test_lost_outcome_keeps_the_id(void **state)
{
    struct world *w = world_new(simple);
    struct notify_send m;
    FIRE(w, "A", "db");
    w->now += 100;
    notify_step(w->n, w->now);
    save(w);
    assert_true(notify_next(w->n, w->now, notify_number(w->n), &m));
    receive(w, &m);
    restart(w);
    assert_int_equal(w->n_twice, 1);
    assert_int_equal(w->n_taken, 2);
    expect(w, "0.1 ops A(db)\n0.1 ops A(db)\n");
    world_free(w);
}

static void test_configuration_that_is_wrong(void **state)
{
    static const struct {
        const char *yaml, *words;
    } rows[] = {
        {"notify:\n  route: {receiver: x}\n", "there is no receiver of the name \"x\""},
        {"notify:\n  receivers: [{name: a}, {name: a}]\n", "two receivers have the name \"a\""},
        {"notify:\n  route: {matchers: ['a~b']}\n", "one of =, !=, =~, !~ is missing"},
        {"notify:\n  route: {matchers: ['a=~\"(\"']}\n", "missing )"},
        {"notify:\n  route: {quiet: [n]}\n", "there are no quiet hours of the name \"n\""},
        {"notify:\n  quiet_hours: [{name: n, time_zone: No/Where, from: '01:00', to: '02:00'}]\n",
         "there is none of that name"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf *conf = conf_of(rows[i].yaml);
        struct err err = {0};
        assert_int_equal(notify_check(conf, &err), -EINVAL * (i < 5) - ENOENT * (i == 5));
        if (!strstr(err.message, rows[i].words))
            fail_msg("%s", err.message);
        conf_free(conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_group),
        cmocka_unit_test(test_repetition_and_acknowledgement),
        cmocka_unit_test(test_only_tried),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_inhibition),
        cmocka_unit_test(test_inhibitions_of_the_pack),
        cmocka_unit_test(test_quiet_hours),
        cmocka_unit_test(test_dead_receiver_delays_nobody),
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_alertmanager_hears_again),
        cmocka_unit_test(test_alertmanager_hears_of_ends_again),
        cmocka_unit_test(test_alertmanager_believes_as_long_as_the_rule_says),
        cmocka_unit_test(test_reload_tells_nothing_twice),
        cmocka_unit_test(test_rule_that_vanished),
        cmocka_unit_test(test_kill_at_any_point),
        cmocka_unit_test(test_lost_outcome_keeps_the_id),
        cmocka_unit_test(test_configuration_that_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
