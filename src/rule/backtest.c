// SPDX-License-Identifier: GPL-3.0-or-later
// Rules over recorded history. Each expression is evaluated over a stretch of time at once; the
// step is the daemon's own, called only at instants at which something can change: where a series
// begins or ends, where `for` is over, and at each instant while an alert is held though its
// expression gives nothing.
#include "rule/backtest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "inputs.h"
#include "make.h"
#include "overlay.h"

#define CHUNK_MS (INT64_C(24) * 3600 * 1000)
#define SELECTORS_MAX 128
#define FIRINGS_MAX 1000000

// A rule with what it carries from one stretch to the next.
struct track {
    const struct rule_group *group;
    const struct rule *rule;
    int64_t step_ms, offset_ms;
    struct rule_state state;
    struct rule_backtest_rule *out; // NULL: a recording rule
    struct labels **live;           // written at the last instant; sorted by hash
    size_t n_live;
    struct promql_expr *vector; // of `vector < number`, shared with others; NULL: the whole
    char *vector_key;           // its text and its times
    struct promql_threshold threshold;
    bool is_read;           // somebody reads what it writes
    bool labels_may_change; // they depend on the value
};

struct backtest {
    const struct rule_backtest_params *params;
    struct rule_env env;
    struct overlay *overlay;
    struct query_source *source;
    struct track *track;
    size_t n;
    struct rule_backtest *result;
    struct map *vectors; // results of this stretch that rules share, by key
};

// A series of a result, and the run of instants that it is in.
struct cursor {
    size_t at; // of the point at which the run began
    bool is_in;
};

struct edge {
    int64_t t_ms;
    size_t series, at;
    bool begins;
};

// One alerting rule over one stretch.
struct stretch {
    struct backtest *b;
    struct track *track;
    const struct promql_result *result, *clear;
    struct edge *edge;
    size_t n_edges, cap_edges;
    struct cursor *cursor;
    size_t n_in;
    int64_t first_ms, last_ms;
};

static int64_t align_up(int64_t t, int64_t step)
{
    int64_t rest = ((t % step) + step) % step;
    return rest ? t + step - rest : t;
}

static int eval(struct backtest *b, const struct track *t, const struct promql_expr *expr,
                int64_t first_ms, int64_t last_ms, struct promql_result **ret, struct err *err)
{
    struct promql_range range = {first_ms - t->offset_ms, last_ms - t->offset_ms, t->step_ms};
    return promql_eval_range(expr, b->source, &range, &b->params->options, ret, err);
}

// Edges

static int by_time(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    if (x->t_ms != y->t_ms)
        return x->t_ms > y->t_ms ? 1 : -1;
    return (int)x->begins - (int)y->begins; // ends first
}

static void add_edge(struct stretch *s, int64_t t_ms, size_t series, size_t at, bool begins)
{
    mem_grow(&s->edge, &s->cap_edges, s->n_edges, sizeof(*s->edge));
    s->edge[s->n_edges++] = (struct edge){t_ms + s->track->offset_ms, series, at, begins};
}

static bool is_given(const struct track *t, double v)
{
    return !t->vector || promql_compares(t->threshold.compare, v, t->threshold.number);
}

static void find_edges(struct stretch *s)
{
    const struct track *t = s->track;
    int64_t step = t->step_ms;
    for (size_t i = 0; i < s->result->n; i++) {
        const struct promql_series *p = &s->result->series[i];
        bool was_in = false;
        for (size_t k = 0; k < p->n; k++) {
            bool is_in = is_given(t, p->v[k]);
            if (was_in && p->t_ms[k] - p->t_ms[k - 1] != step) {
                add_edge(s, p->t_ms[k - 1] + step, i, k - 1, false);
                was_in = false;
            }
            if (is_in && !was_in)
                add_edge(s, p->t_ms[k], i, k, true);
            else if (!is_in && was_in)
                add_edge(s, p->t_ms[k], i, k - 1, false);
            was_in = is_in;
        }
        if (was_in)
            add_edge(s, p->t_ms[p->n - 1] + step, i, p->n - 1, false);
    }
    if (s->n_edges > 1)
        qsort(s->edge, s->n_edges, sizeof(*s->edge), by_time);
}

static double value_at(const struct stretch *s, size_t series, int64_t t_ms)
{
    const struct promql_series *p = &s->result->series[series];
    size_t from = s->cursor[series].at;
    int64_t since = t_ms - s->track->offset_ms - p->t_ms[from];
    return p->v[from + (size_t)(since / s->track->step_ms)];
}

// Firings

static void begin_firing(struct rule_backtest_rule *out, const struct alert *a)
{
    if (out->n == FIRINGS_MAX)
        return;
    mem_grow(&out->firing, &out->cap, out->n, sizeof(*out->firing));
    out->firing[out->n++] =
        (struct rule_firing){.start_ms = a->fired_at_ms,
                             .is_open = true,
                             .labels = labels_new(a->labels->label, a->labels->n),
                             .value = a->value};
}

static void end_firing(struct rule_backtest_rule *out, const struct alert *a, int64_t t_ms)
{
    for (size_t i = out->n; i-- > 0;) {
        struct rule_firing *f = &out->firing[i];
        if (!f->is_open || !labels_equal(f->labels, a->labels))
            continue;
        f->is_open = false;
        f->end_ms = t_ms;
        return;
    }
}

static void take_update(struct rule_backtest_rule *out, const struct rule_update *u)
{
    for (size_t i = 0; i < u->n_transitions; i++) {
        const struct alert_transition *t = &u->transition[i];
        if (t->alert.state == ALERT_FIRING)
            begin_firing(out, &t->alert);
        else if (t->alert.state == ALERT_RESOLVED)
            end_firing(out, &t->alert, t->at_ms);
        else if (t->alert.state == ALERT_INACTIVE)
            out->pendings++;
    }
}

// Steps

static struct rule_absence absence(void *arg, const struct rule_alert *a)
{
    const struct stretch *s = arg;
    struct rule_absence found = {.is_cleared = true};
    if (!s->track->rule->damping.clear)
        return found;
    found.is_cleared = false;
    int64_t at = s->track->state.last_eval_ms; // set for this instant before
    for (size_t i = 0; s->clear && i < s->clear->n && !found.is_cleared; i++) {
        const struct promql_series *p = &s->clear->series[i];
        size_t lo = 0, hi = p->n;
        while (lo < hi) {
            size_t mid = lo + (hi - lo) / 2;
            if (p->t_ms[mid] + s->track->offset_ms < at)
                lo = mid + 1;
            else
                hi = mid;
        }
        found.is_cleared = lo < p->n && p->t_ms[lo] + s->track->offset_ms == at &&
                           inputs_agree(p->labels, a->series);
    }
    return found;
}

static int step_at(struct stretch *s, int64_t t_ms, struct err *err)
{
    struct track *t = s->track;
    struct rule_step_params p = {.rule = t->rule,
                                 .group = t->group,
                                 .now_ms = t_ms,
                                 .interval_ms = t->step_ms,
                                 .resend_delay_ms = INT64_MAX / 8,
                                 .gap_max_ms = -1,
                                 .limit = t->group->limit};
    struct make_params make = {.group = t->group,
                               .rule = t->rule,
                               .env = &s->b->env,
                               .now_ms = t_ms,
                               .without_annotations = true};
    struct rule_seen seen = {.absence = absence, .arg = s};
    struct rule_update update = {0};
    seen.alert = calloc(s->n_in + 1, sizeof(*seen.alert));
    if (!seen.alert)
        return -ENOMEM;
    for (size_t i = 0; i < s->result->n && seen.n < s->n_in; i++)
        if (s->cursor[i].is_in)
            (void)make_alert(&make, s->result->series[i].labels, value_at(s, i, t_ms),
                             &seen.alert[seen.n++], err);
    t->state.last_eval_ms = t_ms;
    int r = rule_step(&t->state, &p, &seen, &update, err);
    if (r == 0)
        take_update(t->out, &update);
    rule_update_done(&update);
    s->b->result->steps++;
    return r == -E2BIG ? 0 : r; // over its limit: as if it had not been evaluated
}

// The next instant at which something can change without an edge.
static int64_t next_due(const struct stretch *s, int64_t now_ms)
{
    const struct track *t = s->track;
    int64_t next = INT64_MAX;
    size_t active = rule_state_active(&t->state);
    if (active > s->n_in || (t->labels_may_change && s->n_in > 0))
        return now_ms + t->step_ms;
    for (size_t i = 0; i < t->state.n; i++) {
        const struct alert *a = &t->state.alert[i].alert;
        if (a->state == ALERT_PENDING)
            next =
                MIN_OF(next, align_up(a->active_at_ms + t->rule->for_ms - s->first_ms, t->step_ms) +
                                 s->first_ms);
    }
    return MAX_OF(next, now_ms + t->step_ms);
}

// ALERTS between two steps, where somebody reads them.
static void write_alerts(struct stretch *s, int64_t from_ms, int64_t until_ms)
{
    struct track *t = s->track;
    size_t n = 0;
    struct labels **now = calloc(rule_state_active(&t->state) + 1, sizeof(*now));
    for (size_t i = 0; now && i < t->state.n; i++) {
        const struct alert *a = &t->state.alert[i].alert;
        if (a->state != ALERT_PENDING && a->state != ALERT_FIRING)
            continue;
        now[n] = make_state(a, "ALERTS", alert_state_name(a->state));
        n += now[n] != NULL;
    }
    if (n > 1)
        qsort(now, n, sizeof(*now), labels_by_hash);
    for (size_t i = 0; i < t->n_live; i++) {
        bool goes_on = now && bsearch(&t->live[i], now, n, sizeof(*now), labels_by_hash);
        if (!goes_on)
            (void)overlay_append(s->b->overlay, t->live[i], from_ms, sample_stale());
        labels_free(t->live[i]);
    }
    for (size_t i = 0; i < n; i++)
        for (int64_t at = from_ms; at < until_ms; at += t->step_ms)
            (void)overlay_append(s->b->overlay, now[i], at, 1);
    free(t->live);
    t->live = now;
    t->n_live = n;
}

static int run_alerts(struct stretch *s, struct err *err)
{
    struct track *t = s->track;
    size_t at = 0;
    int r = 0;
    s->cursor = calloc(s->result->n + 1, sizeof(*s->cursor));
    if (!s->cursor)
        return -ENOMEM;
    find_edges(s);
    // What was active before this stretch is looked at in its first instant, whatever there is.
    int64_t now = rule_state_active(&t->state) > 0 || t->n_live > 0 ? s->first_ms
                  : s->n_edges > 0                                  ? s->edge[0].t_ms
                                                                    : INT64_MAX;
    while (now <= s->last_ms && r == 0) {
        for (; at < s->n_edges && s->edge[at].t_ms <= now; at++) {
            struct cursor *c = &s->cursor[s->edge[at].series];
            s->n_in += s->edge[at].begins;
            s->n_in -= !s->edge[at].begins;
            *c = (struct cursor){s->edge[at].at, s->edge[at].begins};
        }
        r = step_at(s, now, err);
        int64_t next = next_due(s, now);
        if (at < s->n_edges)
            next = MIN_OF(next, s->edge[at].t_ms);
        if (t->is_read)
            write_alerts(s, now, MIN_OF(next, s->last_ms + t->step_ms));
        now = next;
    }
    free(s->cursor);
    free(s->edge);
    return r;
}

// What a recording rule gives goes where the rules that read it look.
static int run_record(struct backtest *b, struct track *t, const struct promql_result *result,
                      int64_t first_ms)
{
    size_t n = 0;
    struct labels **now = calloc(result->n + 1, sizeof(*now));
    if (!now)
        return -ENOMEM;
    for (size_t i = 0; i < result->n; i++) {
        const struct promql_series *p = &result->series[i];
        struct labels *l = make_record(t->group, t->rule, p->labels);
        if (!l)
            continue;
        if (p->n > 0 && p->t_ms[0] + t->offset_ms > first_ms && t->n_live > 0 &&
            bsearch(&l, t->live, t->n_live, sizeof(*t->live), labels_by_hash))
            (void)overlay_append(b->overlay, l, first_ms - t->offset_ms, sample_stale());
        for (size_t k = 0; k < p->n; k++) {
            (void)overlay_append(b->overlay, l, p->t_ms[k], p->v[k]);
            bool ends = k + 1 < p->n && p->t_ms[k + 1] - p->t_ms[k] != t->step_ms;
            if (ends)
                (void)overlay_append(b->overlay, l, p->t_ms[k] + t->step_ms, sample_stale());
        }
        now[n++] = l;
    }
    if (n > 1)
        qsort(now, n, sizeof(*now), labels_by_hash);
    for (size_t i = 0; i < t->n_live; i++) {
        if (n == 0 || !bsearch(&t->live[i], now, n, sizeof(*now), labels_by_hash))
            (void)overlay_append(b->overlay, t->live[i], first_ms - t->offset_ms, sample_stale());
        labels_free(t->live[i]);
    }
    free(t->live);
    t->live = now;
    t->n_live = n;
    return 0;
}

static void note_error(struct track *t, const struct err *err)
{
    if (t->out && !t->out->error)
        t->out->error = mem_strdup(err->message);
}

static void forget_vectors(struct backtest *b)
{
    size_t cursor = 0;
    struct promql_result *result;
    while ((result = map_next(b->vectors, &cursor)))
        promql_result_free(result);
    map_free(b->vectors);
    b->vectors = map_new();
}

// *ret_owned is the caller's to free; NULL where others share the result.
static int eval_track(struct backtest *b, const struct track *t, int64_t first_ms, int64_t last_ms,
                      struct promql_result **ret, struct promql_result **ret_owned, struct err *err)
{
    if (!t->vector) {
        int r = eval(b, t, t->rule->expr, first_ms, last_ms, ret_owned, err);
        *ret = *ret_owned;
        return r;
    }
    size_t len = strlen(t->vector_key);
    *ret = map_get(b->vectors, t->vector_key, len);
    if (*ret)
        return 0;
    int r = eval(b, t, t->vector, first_ms, last_ms, ret, err);
    if (r == 0)
        map_put(b->vectors, t->vector_key, len, *ret);
    return r;
}

static int run_track(struct backtest *b, struct track *t, int64_t from_ms, int64_t until_ms)
{
    struct promql_result *result = NULL, *owned = NULL, *clear = NULL;
    struct err err = {0};
    int64_t first = align_up(from_ms, t->step_ms),
            last = align_up(until_ms, t->step_ms) - t->step_ms;
    if (first > last || (!t->out && !t->is_read))
        return 0;
    int64_t began_ns = clock_mono_ns(&clock_system);
    int r = eval_track(b, t, first, last, &result, &owned, &err);
    if (r == 0 && t->rule->damping.clear)
        r = eval(b, t, t->rule->damping.clear, first, last, &clear, &err);
    if (r < 0) {
        note_error(t, &err);
        r = r == -ENOMEM || r == -EIO ? r : 0;
    } else if (t->out) {
        struct stretch s = {.b = b,
                            .track = t,
                            .result = result,
                            .clear = clear,
                            .first_ms = first,
                            .last_ms = last};
        r = run_alerts(&s, &err);
    } else {
        r = run_record(b, t, result, first);
    }
    promql_result_free(owned);
    promql_result_free(clear);
    if (t->out)
        t->out->eval_seconds += (double)(clock_mono_ns(&clock_system) - began_ns) / 1e9;
    return r;
}

// Setting up

// How far back of its time a rule looks, and whether what is written under a name is read at all.
static int64_t reach_of(const struct rule *rule)
{
    struct promql_selector s[SELECTORS_MAX];
    struct promql_range now = {0, 0, 0};
    int64_t reach = 0;
    size_t n = promql_selectors(rule->expr, &now, 0, s, SELECTORS_MAX);
    for (size_t i = 0; i < MIN_OF(n, (size_t)SELECTORS_MAX); i++)
        reach = MAX_OF(reach, -s[i].start_ms);
    return reach;
}

static bool is_read(const struct backtest *b, const char *name)
{
    for (size_t i = 0; i < b->n; i++)
        if (rule_reads(b->track[i].rule, name))
            return true;
    return false;
}

static bool depends_on_value(const struct rule_text *t, size_t n)
{
    static const char *const words[] = {"alue", "query", "now"};
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < ARRAY_LEN(words); k++)
            if (strstr(t[i].source, "{{") && strstr(t[i].source, words[k]))
                return true;
    return false;
}

static bool writes_for(const struct rule_group *from, const struct rule_group *to)
{
    for (size_t i = 0; i < from->n_rules; i++)
        for (size_t k = 0; k < to->n_rules; k++)
            if (!from->rule[i].is_alert && rule_reads(&to->rule[k], from->rule[i].name))
                return true;
    return false;
}

// Groups whose records others read come before those; of groups in a circle the file's order stays.
static void order(const struct rule_group **group, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t pick = i;
        for (size_t k = i; k < n; k++) {
            bool waits = false;
            for (size_t m = i; m < n && !waits; m++)
                waits = m != k && writes_for(group[m], group[k]);
            if (!waits) {
                pick = k;
                break;
            }
        }
        const struct rule_group *g = group[pick];
        memmove(&group[i + 1], &group[i], (pick - i) * sizeof(struct rule_group *));
        group[i] = g;
    }
}

static void add_track(struct backtest *b, const struct rule_group *g, const struct rule *rule)
{
    struct track *t = &b->track[b->n++];
    *t = (struct track){.group = g,
                        .rule = rule,
                        .step_ms = g->interval_ms ? g->interval_ms : b->params->interval_ms,
                        .offset_ms = MAX_OF(g->query_offset_ms, INT64_C(0))};
    t->labels_may_change =
        depends_on_value(rule->label, rule->n_labels) || depends_on_value(g->label, g->n_labels);
    if (!rule->is_alert)
        return;
    t->out = &b->result->rule[b->result->n++];
    *t->out = (struct rule_backtest_rule){.group = g, .rule = rule, .step_ms = t->step_ms};
}

static void add_groups(struct backtest *b, const struct rule_files *files)
{
    size_t n = 0, all = 0;
    for (size_t i = 0; i < files->n; i++)
        all += files->file[i]->n_groups;
    CLEANUP(freep) const struct rule_group **group = mem_zalloc((all + 1) * sizeof(*group));
    for (size_t i = 0; i < files->n; i++)
        for (size_t k = 0; k < files->file[i]->n_groups; k++)
            group[n++] = &files->file[i]->group[k];
    order(group, n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < group[i]->n_rules; k++)
            add_track(b, group[i], &group[i]->rule[k]);
}

// Which rules' series are kept for others; how long a stretch must be for the farthest look back.
static int64_t link_tracks(struct backtest *b)
{
    int64_t chunk = b->params->chunk_ms ? b->params->chunk_ms : CHUNK_MS;
    bool reads_alerts = is_read(b, "ALERTS");
    for (size_t i = 0; i < b->n; i++) {
        struct track *t = &b->track[i];
        t->is_read = t->out ? reads_alerts : is_read(b, t->rule->name);
        if (t->is_read)
            overlay_own(b->overlay, t->out ? "ALERTS" : t->rule->name);
    }
    for (size_t i = 0; i < b->n; i++)
        chunk = MAX_OF(chunk, reach_of(b->track[i].rule));
    return chunk;
}

static bool reads_own(const struct backtest *b, const struct promql_expr *expr)
{
    struct promql_selector s[SELECTORS_MAX];
    struct promql_range now = {0, 0, 0};
    size_t n = promql_selectors(expr, &now, 0, s, SELECTORS_MAX);
    for (size_t i = 0; i < MIN_OF(n, (size_t)SELECTORS_MAX); i++)
        if (!s[i].metric || overlay_owns(b->overlay, s[i].metric))
            return true;
    return n > SELECTORS_MAX;
}

// Alerts that compare the same vector with numbers of their own share its evaluation; not where it
// reads what a rule between them writes.
static void share_vectors(struct backtest *b)
{
    struct map *seen = map_new();
    for (size_t i = 0; i < b->n; i++) {
        struct track *t = &b->track[i];
        struct buf text;
        struct err err;
        buf_init(&text, 4096);
        bool is_one =
            t->out && promql_threshold(t->rule->expr, &t->threshold, &text) && !text.error;
        struct promql_expr *vector = NULL;
        if (is_one && promql_parse(text.data, text.len, &vector, &err) == 0 &&
            !reads_own(b, vector)) {
            t->vector_key = mem_printf("%s\n%lld %lld", text.data, (long long)t->step_ms,
                                       (long long)t->offset_ms);
            struct track *first = map_put(seen, t->vector_key, strlen(t->vector_key), t);
            if (first)
                t->vector = TAKE_PTR(vector);
            if (first && !first->vector)
                (void)promql_parse(text.data, text.len, &first->vector, &err);
        }
        promql_expr_free(vector);
        buf_done(&text);
    }
    map_free(seen);
}

static void close_firings(struct rule_backtest *result)
{
    for (size_t i = 0; i < result->n; i++)
        for (size_t k = 0; k < result->rule[i].n; k++)
            if (result->rule[i].firing[k].is_open)
                result->rule[i].firing[k].end_ms = result->end_ms;
}

int rule_backtest(const struct rule_files *files, struct query_source *source,
                  const struct rule_backtest_params *params, struct rule_backtest **ret,
                  struct err *err)
{
    struct backtest b = {.params = params, .overlay = overlay_new(source)};
    size_t n = rule_files_count(files);
    int r = 0;
    b.source = overlay_source(b.overlay);
    b.env = (struct rule_env){.source = b.source, .clock = &clock_system, .external_url = ""};
    b.track = mem_zalloc((n + 1) * sizeof(*b.track));
    b.result = mem_zalloc(sizeof(*b.result));
    b.result->rule = mem_zalloc((n + 1) * sizeof(*b.result->rule));
    b.result->start_ms = params->start_ms;
    b.result->end_ms = params->end_ms;
    add_groups(&b, files);
    int64_t chunk = link_tracks(&b);
    share_vectors(&b);
    b.vectors = map_new();
    for (int64_t at = params->start_ms; at < params->end_ms && r == 0; at += chunk) {
        overlay_turn(b.overlay);
        for (size_t i = 0; i < b.n && r == 0; i++)
            r = run_track(&b, &b.track[i], at, MIN_OF(at + chunk, params->end_ms));
        forget_vectors(&b);
    }
    map_free(b.vectors);
    close_firings(b.result);
    for (size_t i = 0; i < b.n; i++) {
        rule_state_done(&b.track[i].state);
        for (size_t k = 0; k < b.track[i].n_live; k++)
            labels_free(b.track[i].live[k]);
        free(b.track[i].live);
        promql_expr_free(b.track[i].vector);
        free(b.track[i].vector_key);
    }
    free(b.track);
    overlay_free(b.overlay);
    if (r < 0) {
        rule_backtest_free(b.result);
        return err_set(err, -r, "the history cannot be read: %s", strerror(-r));
    }
    *ret = b.result;
    return 0;
}

void rule_backtest_free(struct rule_backtest *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n; i++) {
        for (size_t k = 0; k < b->rule[i].n; k++)
            labels_free(b->rule[i].firing[k].labels);
        free(b->rule[i].firing);
        free(b->rule[i].error);
    }
    free(b->rule);
    free(b);
}
