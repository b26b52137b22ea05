// SPDX-License-Identifier: GPL-3.0-or-later
// The step of one rule. Two passes: first it is decided about every alert that the expression did
// not give, which changes nothing, so that a rule over its limit leaves all as it was; then all is
// applied. What went stays in the state until the next step, since the update points to it.
#include "rule/step.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void alert_forget(struct rule_alert *a)
{
    alert_done(&a->alert);
    labels_free(a->series);
    a->series = NULL;
}

void rule_state_done(struct rule_state *s)
{
    for (size_t i = 0; i < s->n; i++)
        alert_forget(&s->alert[i]);
    free(s->alert);
    *s = (struct rule_state){0};
}

void rule_update_done(struct rule_update *u)
{
    free(u->transition);
    free(u->send);
    *u = (struct rule_update){0};
}

static bool is_active(const struct rule_alert *a)
{
    return a->alert.state == ALERT_PENDING || a->alert.state == ALERT_FIRING;
}

size_t rule_state_active(const struct rule_state *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += is_active(&s->alert[i]);
    return n;
}

struct rule_alert *rule_state_find(const struct rule_state *s, const struct labels *labels)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->alert[mid].alert.fingerprint < labels->hash)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < s->n && s->alert[lo].alert.fingerprint == labels->hash; lo++)
        if (labels_equal(s->alert[lo].alert.labels, labels))
            return &s->alert[lo];
    return NULL;
}

static int by_fingerprint(const void *a, const void *b)
{
    uint64_t x = ((const struct rule_alert *)a)->alert.fingerprint;
    uint64_t y = ((const struct rule_alert *)b)->alert.fingerprint;
    return (x > y) - (x < y);
}

// Forget what is over for good.
static void sweep(struct rule_state *s, const struct rule_step_params *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct rule_alert *a = &s->alert[i];
        bool flaps =
            a->fires_ms[0] && p->now_ms - a->fires_ms[0] <= p->rule->damping.flap_window_ms;
        bool is_told = a->alert.state == ALERT_RESOLVED &&
                       p->now_ms - a->alert.resolved_at_ms <= RULE_RESOLVED_KEPT_MS;
        if (is_active(a) || flaps || is_told)
            s->alert[kept++] = *a;
        else
            alert_forget(a);
    }
    s->n = kept;
}

// What is to become of an active alert that `expr` did not give.
struct decision {
    bool holds;
    int64_t gone_since_ms, gap_since_ms, keep_since_ms;
};

static bool bridges(const struct rule_step_params *p, const struct rule_alert *a,
                    struct rule_absence absence, struct decision *d)
{
    if (p->gap_max_ms < 0 || !absence.is_gap)
        return false;
    d->gap_since_ms = a->gap_since_ms ? a->gap_since_ms : p->now_ms;
    bool is_known = absence.is_settled || a->last_seen_ms >= p->started_ms;
    int64_t most = is_known ? 0 : p->gap_max_ms;
    return p->now_ms - d->gap_since_ms < MAX_OF(p->rule->for_ms, most);
}

static bool is_damped(const struct rule_step_params *p, const struct rule_alert *a,
                      struct rule_absence absence, const struct decision *d)
{
    const struct rule_damping *damping = &p->rule->damping;
    bool flaps = a->fires_ms[1] && a->fires_ms[0] - a->fires_ms[1] < damping->flap_window_ms;
    return (damping->clear && !absence.is_cleared && !absence.is_gap) ||
           p->now_ms - a->alert.fired_at_ms < damping->min_hold_ms ||
           (flaps && p->now_ms - d->gone_since_ms < damping->flap_window_ms);
}

static struct decision decide(const struct rule_step_params *p, const struct rule_alert *a,
                              struct rule_absence absence)
{
    struct decision d = {.gone_since_ms = a->gone_since_ms ? a->gone_since_ms : p->now_ms};
    d.holds = bridges(p, a, absence, &d);
    if (a->alert.state == ALERT_PENDING || d.holds)
        return d;
    d.holds = is_damped(p, a, absence, &d);
    if (!d.holds && p->rule->keep_firing_for_ms > 0) {
        d.keep_since_ms = a->keep_since_ms ? a->keep_since_ms : p->now_ms;
        d.holds = p->now_ms - d.keep_since_ms < p->rule->keep_firing_for_ms;
    }
    return d;
}

static void transition(struct rule_update *u, const struct rule_step_params *p,
                       enum alert_state from, const struct rule_alert *a)
{
    mem_grow(&u->transition, &u->cap_transitions, u->n_transitions, sizeof(*u->transition));
    u->transition[u->n_transitions++] =
        (struct alert_transition){.at_ms = p->now_ms, .from = from, .alert = a->alert};
}

static void fire(const struct rule_step_params *p, struct rule_alert *a)
{
    a->alert.state = ALERT_FIRING;
    a->alert.fired_at_ms = p->now_ms;
    for (size_t i = RULE_FIRES_KEPT - 1; i > 0; i--)
        a->fires_ms[i] = a->fires_ms[i - 1];
    a->fires_ms[0] = p->now_ms;
}

// Pending for long enough?
static void promote(const struct rule_step_params *p, struct rule_alert *a, enum alert_state from,
                    struct rule_update *u)
{
    if (a->alert.state == ALERT_PENDING && p->now_ms - a->alert.active_at_ms >= p->rule->for_ms)
        fire(p, a);
    if (a->alert.state != from)
        transition(u, p, from, a);
}

static void take_over(struct rule_alert *a, struct rule_seen_alert *seen, int64_t now_ms)
{
    labels_free(a->alert.annotations);
    a->alert.annotations = TAKE_PTR(seen->annotations);
    a->alert.value = seen->value;
    a->last_seen_ms = now_ms;
    a->gone_since_ms = a->gap_since_ms = a->keep_since_ms = 0;
}

static void begin(const struct rule_step_params *p, struct rule_alert *a,
                  struct rule_seen_alert *seen, const struct rule_seen *all)
{
    labels_free(a->series);
    a->series = TAKE_PTR(seen->series);
    take_over(a, seen, p->now_ms);
    a->alert.state = ALERT_PENDING;
    a->alert.active_at_ms = p->now_ms;
    a->alert.fired_at_ms = a->alert.resolved_at_ms = a->alert.ends_at_ms = 0;
    a->last_sent_ms = 0;
    a->inputs = all->inputs && a->series ? all->inputs(all->arg, a->series) : 0;
}

static struct rule_alert *append(const struct rule_step_params *p, struct rule_state *s,
                                 struct rule_seen_alert *seen)
{
    mem_grow(&s->alert, &s->cap, s->n, sizeof(*s->alert));
    struct rule_alert *a = &s->alert[s->n++];
    *a = (struct rule_alert){.alert = {.fingerprint = seen->labels->hash,
                                       .labels = seen->labels,
                                       .expr = mem_strdup(p->rule->expr_text),
                                       .group = mem_strdup(p->group->name),
                                       .file = mem_strdup(p->group->file)}};
    seen->labels = NULL;
    return a;
}

static void seen_free(struct rule_seen *seen)
{
    for (size_t i = 0; i < seen->n; i++) {
        labels_free(seen->alert[i].labels);
        labels_free(seen->alert[i].annotations);
        labels_free(seen->alert[i].series);
    }
    free(seen->alert);
    seen->alert = NULL;
    seen->n = 0;
}

static void apply_absent(const struct rule_step_params *p, struct rule_alert *a,
                         const struct decision *d, struct rule_update *u)
{
    enum alert_state from = a->alert.state;
    a->gone_since_ms = d->gone_since_ms;
    a->gap_since_ms = d->gap_since_ms;
    a->keep_since_ms = d->keep_since_ms;
    if (d->holds)
        return;
    a->alert.state = from == ALERT_FIRING ? ALERT_RESOLVED : ALERT_INACTIVE;
    a->alert.resolved_at_ms = p->now_ms;
    transition(u, p, from, a);
}

// known[i]: 1 + the place of seen alert i in the state, or 0.
static void apply_seen(const struct rule_step_params *p, struct rule_state *s, const size_t *known,
                       struct rule_seen *seen, struct rule_update *u)
{
    for (size_t i = 0; i < seen->n; i++) {
        struct rule_seen_alert *now = &seen->alert[i];
        struct rule_alert *a = known[i] ? &s->alert[known[i] - 1] : NULL;
        enum alert_state from = a && is_active(a) ? a->alert.state : ALERT_INACTIVE;
        if (!a)
            a = append(p, s, now);
        if (is_active(a))
            take_over(a, now, p->now_ms);
        else
            begin(p, a, now, seen);
        promote(p, a, from, u);
    }
}

static bool needs_sending(const struct rule_step_params *p, const struct rule_alert *a)
{
    if (a->alert.state != ALERT_FIRING && a->alert.state != ALERT_RESOLVED)
        return false;
    if (a->alert.state == ALERT_RESOLVED && a->alert.resolved_at_ms > a->last_sent_ms)
        return true;
    return a->last_sent_ms + p->resend_delay_ms <= p->now_ms;
}

static void send(const struct rule_step_params *p, struct rule_state *s, struct rule_update *u)
{
    int64_t most = MAX_OF(p->interval_ms, p->resend_delay_ms);
    for (size_t i = 0; i < s->n; i++) {
        struct rule_alert *a = &s->alert[i];
        if (a->alert.state == ALERT_FIRING)
            a->alert.ends_at_ms = p->now_ms + 4 * most;
        if (!needs_sending(p, a))
            continue;
        a->last_sent_ms = p->now_ms;
        mem_grow(&u->send, &u->cap_send, u->n_send, sizeof(const struct alert *));
        u->send[u->n_send++] = &a->alert;
    }
}

int rule_step(struct rule_state *state, const struct rule_step_params *p, struct rule_seen *seen,
              struct rule_update *ret, struct err *err)
{
    sweep(state, p);
    size_t n_before = state->n, active = seen->n;
    CLEANUP(freep) struct decision *decision = calloc(n_before + 1, sizeof(*decision));
    CLEANUP(freep) bool *is_seen = calloc(n_before + 1, sizeof(*is_seen));
    CLEANUP(freep) size_t *known = calloc(seen->n + 1, sizeof(*known));
    if (!decision || !is_seen || !known) {
        seen_free(seen);
        return err_set(err, ENOMEM, "not enough memory for %zu alerts", n_before + seen->n);
    }
    for (size_t i = 0; i < seen->n; i++) {
        struct rule_alert *a = rule_state_find(state, seen->alert[i].labels);
        known[i] = a ? (size_t)(a - state->alert) + 1 : 0;
        if (a)
            is_seen[a - state->alert] = true;
    }
    for (size_t i = 0; i < n_before; i++) {
        const struct rule_alert *a = &state->alert[i];
        struct rule_absence absence = {.is_cleared = true};
        if (is_seen[i] || !is_active(a))
            continue;
        if (seen->absence)
            absence = seen->absence(seen->arg, a);
        decision[i] = decide(p, a, absence);
        active += decision[i].holds;
    }
    if (p->limit > 0 && active > (size_t)p->limit) {
        seen_free(seen);
        return err_set(err, E2BIG, "exceeded limit of %lld with %zu alerts", (long long)p->limit,
                       active);
    }
    for (size_t i = 0; i < n_before; i++)
        if (!is_seen[i] && is_active(&state->alert[i]))
            apply_absent(p, &state->alert[i], &decision[i], ret);
    apply_seen(p, state, known, seen, ret);
    if (state->n > n_before)
        qsort(state->alert, state->n, sizeof(*state->alert), by_fingerprint);
    state->last_eval_ms = p->now_ms;
    send(p, state, ret);
    seen_free(seen);
    return 0;
}

void rule_state_resume(struct rule_state *state, int64_t now_ms, int64_t interval_ms)
{
    int64_t unseen = state->last_eval_ms ? now_ms - state->last_eval_ms - interval_ms : 0;
    for (size_t i = 0; i < state->n && unseen > interval_ms; i++)
        if (state->alert[i].alert.state == ALERT_PENDING)
            state->alert[i].alert.active_at_ms += unseen;
}
