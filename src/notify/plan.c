// SPDX-License-Identifier: GPL-3.0-or-later
// A configuration made ready: matchers compiled, names resolved, what a route leaves out taken from
// the one above.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define WAIT_MS 100
#define INTERVAL_MS (10 * MS_PER_S)
#define REPEAT_MS (4 * 3600 * MS_PER_S)
#define ROUTES_DEEP_MAX 12
#define MINUTES_PER_DAY (24 * 60)

static const struct conf_list default_group_by = {(char *[]){(char *)"alertname"}, 1};

static int fail_line(struct err *err, int line, const char *what, const char *name)
{
    if (line > 0)
        return err_set_at(err, EINVAL, line, 1, "line %d: %s \"%s\"", line, what, name);
    return err_set(err, EINVAL, "notify: %s \"%s\"", what, name);
}

size_t plan_receiver(const struct plan *p, const char *name)
{
    size_t i = 0;
    while (i < p->n_receivers && strcmp(p->receiver[i].name, name) != 0)
        i++;
    return i;
}

static int add_matchers(struct matchers *m, const struct conf_list *list, int line, struct err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        int r = matchers_add(m, list->items[i], err);
        if (r < 0)
            return line > 0 ? err_wrap(err, "line %d", line) : r;
    }
    return 0;
}

// Quiet hours

static int minutes(const char *hour)
{
    return ((hour[0] - '0') * 10 + hour[1] - '0') * 60 + (hour[3] - '0') * 10 + hour[4] - '0';
}

static int make_quiet(struct plan *p, struct err *err)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    const struct conf_quiet *list = p->conf->notify.quiet_hours.items;
    p->quiet = mem_zalloc((p->conf->notify.quiet_hours.n + 1) * sizeof(*p->quiet));
    for (size_t i = 0; i < p->conf->notify.quiet_hours.n; i++) {
        struct quiet *q = &p->quiet[p->n_quiet++];
        *q = (struct quiet){.name = list[i].name,
                            .days = list[i].days.n ? 0 : 0x7f,
                            .from_min = minutes(list[i].from),
                            .to_min = minutes(list[i].to)};
        for (size_t d = 0; d < list[i].days.n; d++)
            for (unsigned w = 0; w < ARRAY_LEN(names); w++)
                if (strcmp(names[w], list[i].days.items[d]) == 0)
                    q->days |= 1u << w;
        int r = zone_new(list[i].time_zone, &q->zone, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

// When these hours, begun on local day `day`, end; 0: not at `local_min`.
static int64_t ends_from(const struct quiet *q, int64_t day, int64_t local_min)
{
    int weekday = (int)(((day + 3) % 7 + 7) % 7); // 1970-01-01 was a Thursday
    int to = q->to_min > q->from_min ? q->to_min : q->to_min + MINUTES_PER_DAY;
    int64_t from = day * MINUTES_PER_DAY + q->from_min, end = day * MINUTES_PER_DAY + to;
    bool is_in = (q->days >> weekday & 1) && local_min >= from && local_min < end;
    return is_in ? end : 0;
}

static int64_t quiet_until(const struct quiet *q, int64_t now_ms)
{
    int64_t now_s = floor_div(now_ms, MS_PER_S);
    int64_t offset_s = zone_offset(q->zone, now_s);
    int64_t local_min = floor_div(now_s + offset_s, 60);
    int64_t day = floor_div(local_min, MINUTES_PER_DAY), end = 0;
    for (int64_t d = day - 1; d <= day && !end; d++)
        end = ends_from(q, d, local_min);
    // Where the offset changes in between, it is asked again at the time that this gives.
    return end ? MAX_OF((end * 60 - offset_s) * MS_PER_S, now_ms + 1) : 0;
}

int64_t route_quiet_until(const struct route *r, int64_t now_ms)
{
    int64_t until = 0;
    for (size_t i = 0; i < r->n_quiet; i++)
        until = MAX_OF(until, quiet_until(r->quiet[i], now_ms));
    return until;
}

// Routes

static int resolve_quiet(const struct plan *p, struct route *r, struct err *err)
{
    const struct conf_list *names = &r->conf->quiet;
    for (size_t i = 0; i < names->n; i++) {
        size_t k = 0;
        while (k < p->n_quiet && strcmp(p->quiet[k].name, names->items[i]) != 0)
            k++;
        if (k == p->n_quiet || r->n_quiet == ARRAY_LEN(r->quiet))
            return fail_line(err, r->conf->line, "there are no quiet hours of the name",
                             names->items[i]);
        r->quiet[r->n_quiet++] = &p->quiet[k];
    }
    return 0;
}

static int64_t inherit(int64_t own_ns, int64_t above_ms)
{
    return own_ns > 0 ? own_ns / NS_PER_MS : above_ms;
}

static void settle_times(const struct plan *p, struct route *r, const struct route *above)
{
    r->wait_ms = inherit(r->conf->group_wait_ns, above ? above->wait_ms : WAIT_MS);
    r->interval_ms = inherit(r->conf->group_interval_ns, above ? above->interval_ms : INTERVAL_MS);
    r->repeat_ms = inherit(r->conf->repeat_interval_ns, above ? above->repeat_ms : REPEAT_MS);
    r->group_by = r->conf->group_by;
    if (r->group_by.n == 0)
        r->group_by = above ? above->group_by : default_group_by;
    for (size_t i = 0; i < r->group_by.n; i++)
        r->by_all |= strcmp(r->group_by.items[i], "...") == 0;
}

static int make_route(struct plan *p, struct route *r, const struct conf_route *conf,
                      const struct route *above, size_t number, int depth, struct err *err)
{
    r->conf = conf;
    r->id = above ? mem_printf("%s.%zu", above->id, number) : mem_strdup("0");
    r->receiver = *conf->receiver ? plan_receiver(p, conf->receiver)
                                  : (above ? above->receiver : RECEIVERS_MAX);
    if (*conf->receiver && r->receiver == p->n_receivers)
        return fail_line(err, conf->line, "there is no receiver of the name", conf->receiver);
    if (depth == ROUTES_DEEP_MAX)
        return fail_line(err, conf->line, "routes are nested too deeply at", conf->receiver);
    settle_times(p, r, above);
    int e = add_matchers(&r->matchers, &conf->matchers, conf->line, err);
    if (e == 0)
        e = resolve_quiet(p, r, err);
    const struct conf_route *list = conf->routes.items;
    r->child = mem_zalloc((conf->routes.n + 1) * sizeof(*r->child));
    for (size_t i = 0; e == 0 && i < conf->routes.n; i++) {
        r->n_children = i + 1;
        e = make_route(p, &r->child[i], &list[i], r, i, depth + 1, err);
    }
    return e;
}

static void route_done(struct route *r)
{
    for (size_t i = 0; i < r->n_children; i++)
        route_done(&r->child[i]);
    free(r->child);
    free(r->id);
    matchers_done(&r->matchers);
}

#define NAMES(...)                                                                                 \
    {                                                                                              \
        (char **)(const char *const[]){__VA_ARGS__},                                               \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)                            \
    }

// What belongs to the rules that come with vherd (rules/). Their labels: `scope` says what an alert
// is about.
static const struct conf_inhibit defaults[] = {
    // One incident, and not one more for each VM, of which nobody knows anything.
    {.source = NAMES("alertname=LibvirtUnreachable"),
     .target = NAMES("scope=~\"vm|storage|network\""),
     .equal = NAMES("job", "instance")},
    {.source = NAMES("alertname=HostUnreachable"),
     .target = NAMES("scope!=\"\"", "alertname!=HostUnreachable"),
     .equal = NAMES("instance")},
    // A VM that is down or stands still has no agent either.
    {.source = NAMES("scope=vm", "severity=critical"),
     .target = NAMES("scope=vm", "severity=~\"warning|info\""),
     .equal = NAMES("job", "instance", "domain")},
    // The same want of memory.
    {.source = NAMES("alertname=~\"HostMemoryLow|HostSwapStorm\""),
     .target = NAMES("alertname=~\"HostMemoryPressure|HostMemoryOvercommit\""),
     .equal = NAMES("job", "instance")},
};

static int add_inhibit(struct plan *p, const struct conf_inhibit *conf, struct err *err)
{
    struct inhibition *h = &p->inhibit[p->n_inhibit++];
    h->equal = conf->equal;
    int r = add_matchers(&h->source, &conf->source, conf->line, err);
    return r < 0 ? r : add_matchers(&h->target, &conf->target, conf->line, err);
}

static int make_inhibit(struct plan *p, struct err *err)
{
    const struct conf_inhibit *list = p->conf->notify.inhibit.items;
    size_t n = p->conf->notify.default_inhibit ? ARRAY_LEN(defaults) : 0;
    int r = 0;
    p->inhibit = mem_zalloc((n + p->conf->notify.inhibit.n + 1) * sizeof(*p->inhibit));
    for (size_t i = 0; r == 0 && i < n; i++)
        r = add_inhibit(p, &defaults[i], err);
    for (size_t i = 0; r == 0 && i < p->conf->notify.inhibit.n; i++)
        r = add_inhibit(p, &list[i], err);
    return r;
}

static int check_names(const struct plan *p, struct err *err)
{
    if (p->n_receivers > RECEIVERS_MAX)
        return err_set(err, EINVAL, "notify.receivers: more than %d", RECEIVERS_MAX);
    for (size_t i = 0; i < p->n_receivers; i++)
        if (plan_receiver(p, p->receiver[i].name) != i)
            return fail_line(err, p->receiver[i].line, "two receivers have the name",
                             p->receiver[i].name);
    return 0;
}

static int make(struct plan *p, struct err *err)
{
    p->receiver = p->conf->notify.receivers.items;
    p->n_receivers = p->conf->notify.receivers.n;
    int r = check_names(p, err);
    p->resend_ms = p->conf->rules.resend_delay_ns / NS_PER_MS;
    if (r == 0)
        r = make_quiet(p, err);
    if (r == 0)
        r = make_inhibit(p, err);
    return r < 0 ? r : make_route(p, &p->top, &p->conf->notify.route, NULL, 0, 0, err);
}

int plan_new(const struct conf *conf, struct plan **ret, struct err *err)
{
    struct plan *p = mem_zalloc(sizeof(*p));
    CLEANUP(buf_done) struct buf text;
    // A copy, since the caller's goes with the next reload.
    buf_init(&text, (size_t)8 << 20);
    conf_encode(conf, &text);
    int r = conf_parse("configuration", text.data, text.len, &p->conf, err);
    if (r == 0)
        r = make(p, err);
    if (r < 0)
        plan_free(p);
    else
        *ret = p;
    return r;
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    route_done(&p->top);
    for (size_t i = 0; i < p->n_quiet; i++)
        zone_free(p->quiet[i].zone);
    for (size_t i = 0; i < p->n_inhibit; i++) {
        matchers_done(&p->inhibit[i].source);
        matchers_done(&p->inhibit[i].target);
    }
    free(p->quiet);
    free(p->inhibit);
    if (!p->is_borrowed)
        conf_free(p->conf);
    free(p);
}

int notify_check(const struct conf *conf, struct err *err)
{
    // As it is in the file, so that its lines are right.
    struct plan *p = mem_zalloc(sizeof(*p));
    p->conf = (struct conf *)conf;
    p->is_borrowed = true;
    int r = make(p, err);
    plan_free(p);
    return r;
}
