// SPDX-License-Identifier: GPL-3.0-or-later
#include "plan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "base/mem.h"
#include "place/reliability.h"
#include "place/relocate.h"

#define CANDIDATES 8
#define EXPLAINED 100 // of more VMs, candidates are told where they are asked for
#define DOWNTIME_NOTICED_S 1.0

static void put_left(struct json *j, const struct place_room *room, const struct place_candidate *c)
{
    json_key(j, "left_ratio");
    json_object_begin(j);
    for (int r = 0; r < PLACE_RESOURCES; r++)
        if (room->hosts[c->host].limit.of[r] > 0)
            json_kv_f64(j, place_resource_name(r), c->left[r]);
    json_object_end(j);
}

static void left_text(const struct place_room *room, const struct place_candidate *c,
                      struct buf *out)
{
    const char *comma = "";
    for (int r = 0; r < PLACE_RESOURCES; r++) {
        if (room->hosts[c->host].limit.of[r] == 0)
            continue;
        buf_printf(out, "%s%s ", comma, place_resource_name(r));
        human_percent(c->left[r], out);
        comma = ", ";
    }
}

static void candidate_text(const struct writing *w, const struct place_room *room,
                           const struct place_candidate *c, bool first, struct buf *out)
{
    if (!c->fits) {
        place_refusal_text(w->s, &c->refusal, out);
        return;
    }
    buf_puts(out, first ? "best by " : "behind by ");
    buf_puts(out, place_score_name(w->request->score));
    buf_puts(out, room->hosts[c->host].n_vms == 0 ? ", runs nothing yet; " : "; ");
    left_text(room, c, out);
    buf_puts(out, " would be left");
}

static void put_candidate(const struct writing *w, const struct place_room *room,
                          const struct place_candidate *c, bool first)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, PLAN_TEXT_MAX);
    candidate_text(w, room, c, first, &text);
    json_object_begin(w->j);
    json_kv_string(w->j, "host", w->s->hosts[c->host].name);
    json_kv_bool(w->j, "fits", c->fits);
    if (c->fits)
        json_kv_f64(w->j, "score", c->score);
    else
        json_kv_string(w->j, "filter", place_filter_name(c->refusal.filter));
    put_left(w->j, room, c);
    json_kv_string(w->j, "reason", text.data);
    json_object_end(w->j);
}

// The best ones, and of those refused one for each filter, so that every reason is seen.
static void put_candidates(const struct writing *w, const struct place_room *room,
                           const struct place_candidate *c)
{
    size_t most = w->request->candidates ? w->request->candidates : CANDIDATES, shown = 0, fit = 0;
    bool seen[PLACE_FILTERS] = {false};
    json_key(w->j, "candidates");
    json_array_begin(w->j);
    for (size_t i = 0; i < w->s->n_hosts; i++) {
        fit += c[i].fits;
        if (c[i].fits ? i >= most : seen[c[i].refusal.filter] && shown >= most)
            continue;
        if (!c[i].fits)
            seen[c[i].refusal.filter] = true;
        put_candidate(w, room, &c[i], i == 0);
        shown++;
    }
    json_array_end(w->j);
    json_kv_u64(w->j, "hosts_that_fit", fit);
    json_kv_u64(w->j, "hosts", w->s->n_hosts);
}

// Only the chosen host as a candidate: for plans of so many VMs that nobody reads all hosts of
// each.
static void choose_only(const struct place_room *room, struct place_chooser *chooser, int32_t vm,
                        struct place_candidate *ret)
{
    int32_t host = place_choose(chooser, vm);
    *ret = (struct place_candidate){.host = host, .fits = host >= 0};
    for (int r = 0; r < PLACE_RESOURCES && host >= 0; r++)
        ret->left[r] = place_room_left(room, vm, host, r);
}

// A VM that is nowhere; `c` has room for all hosts. Puts it where it goes.
static bool place_vm(const struct writing *w, struct place_room *room,
                     struct place_chooser *chooser, int32_t vm, bool explain,
                     struct place_candidate *c)
{
    struct json *j = w->j;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, PLAN_TEXT_MAX);
    if (explain)
        place_candidates(chooser, vm, c);
    else
        choose_only(room, chooser, vm, c);
    bool fits = w->s->n_hosts > 0 && c[0].fits, never = false;
    if (fits)
        candidate_text(w, room, &c[0], true, &text);
    else
        never = place_why_impossible(room, vm, &(struct place_allow){0}, &text);
    json_object_begin(j);
    json_kv_string(j, "vm", w->s->vms[vm].name);
    json_kv_string(j, "host", fits ? w->s->hosts[c[0].host].name : NULL);
    json_kv_string(j, "outcome", fits ? "placed" : never ? "impossible" : "waits");
    json_kv_string(j, "reason", text.data);
    if (fits)
        plan_put_start(w, vm);
    if (explain)
        put_candidates(w, room, c);
    json_object_end(j);
    if (fits)
        place_chooser_put(chooser, vm, c[0].host);
    return fits;
}

struct sized {
    int32_t vm;
    int32_t priority;
    double size;
};

// More important ones first, then larger ones.
static int first_served(const void *a, const void *b)
{
    const struct sized *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->vm < y->vm ? -1 : x->vm > y->vm;
}

static size_t waiting(const struct place_snapshot *s, struct sized *list)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_vms; i++)
        if (s->vms[i].host < 0)
            list[n++] = (struct sized){(int32_t)i, s->vms[i].priority,
                                       (double)s->vms[i].request.of[PLACE_CPU] / PLACE_CPU_UNIT +
                                           (double)s->vms[i].request.of[PLACE_MEMORY] / 0x1p32};
    qsort(list, n, sizeof(*list), first_served);
    return n;
}

static void put_reliability(const struct writing *w, const struct place_room *room)
{
    // One failure in three years and four hours of repair; VMs restart elsewhere within 5 minutes.
    static const struct reliability_defaults usual = {{3 * SECONDS_PER_YEAR, 4 * 3600}, 300};
    struct reliability_placement p;
    reliability_of_placement(room, &usual, &p);
    json_key(w->j, "reliability");
    json_object_begin(w->j);
    json_kv_f64(w->j, "spread_score", p.spread_score);
    json_kv_f64(w->j, "vm_failures_per_year", p.vm_failures_per_year);
    json_kv_f64(w->j, "vm_downtime_seconds_per_year", p.vm_downtime_s_per_year);
    json_kv_f64(w->j, "vms_on_fullest_host_ratio", p.worst_host_share_ratio);
    json_object_end(w->j);
}

static int write_place(const struct writing *w)
{
    struct place_room room;
    CLEANUP(freep) struct sized *list = calloc(w->s->n_vms + 1, sizeof(*list));
    CLEANUP(freep) struct place_candidate *c = calloc(w->s->n_hosts + 1, sizeof(*c));
    if (!list || !c || place_room_init(&room, w->s) < 0)
        return err_set(w->err, ENOMEM, "no memory for the plan");
    size_t n = 0, placed = 0;
    int32_t one = -1;
    if (w->request->object) {
        one = place_snapshot_find_vm(w->s, w->request->object);
        n = one >= 0;
        list[0].vm = one;
    } else {
        n = waiting(w->s, list);
    }
    struct place_chooser *chooser = place_chooser_new(&room, w->request->score, NULL, NULL, NULL);
    if (one >= 0 && room.host_of[one] >= 0 && chooser)
        place_chooser_take(chooser, one);
    json_kv_string(w->j, "score", place_score_name(w->request->score));
    json_key(w->j, "vms");
    json_array_begin(w->j);
    for (size_t i = 0; i < n && chooser; i++)
        placed += place_vm(w, &room, chooser, list[i].vm,
                           n <= EXPLAINED || w->request->candidates > 0, c);
    json_array_end(w->j);
    json_kv_u64(w->j, "placed", placed);
    json_kv_u64(w->j, "not_placed", n - placed);
    put_reliability(w, &room);
    int r = chooser ? 0 : err_set(w->err, ENOMEM, "no memory for the plan");
    if (w->request->object && one < 0)
        r = err_set(w->err, ENOENT, "no VM is called \"%.256s\"", w->request->object);
    place_chooser_free(chooser);
    place_room_done(&room);
    return r;
}

static void move_reason(const struct writing *w, const struct relocate_move *m, struct buf *out)
{
    static const char *const why[RELOCATE_REASONS] = {
        [RELOCATE_EVACUATE] = "its host is to be empty",
        [RELOCATE_BALANCE] = "its host carries more than others",
        [RELOCATE_FREE] = "its host can then be powered down"};
    buf_printf(out, "%s; CPU load ", why[m->reason]);
    human_percent(m->from_load_ratio, out);
    buf_printf(out, " on %s, ", w->s->hosts[m->from].name);
    human_percent(m->to_load_ratio, out);
    buf_printf(out, " on %s", w->s->hosts[m->to].name);
}

static void put_risk(struct json *j, const struct place_migration *m)
{
    bool noticed = m->downtime_s > DOWNTIME_NOTICED_S;
    json_kv_string(j, "risk", !m->converges ? "high" : noticed ? "medium" : "low");
    json_kv_string(j, "risk_reason",
                   !m->converges ? "the guest writes memory faster than it can be sent"
                   : noticed     ? "the guest stands still for more than a second"
                                 : "pre-copy ends within 300 ms of downtime");
}

static void put_move(const struct writing *w, const struct relocate_move *m)
{
    struct json *j = w->j;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, PLAN_TEXT_MAX);
    move_reason(w, m, &text);
    json_object_begin(j);
    json_kv_string(j, "vm", w->s->vms[m->vm].name);
    json_kv_string(j, "from", w->s->hosts[m->from].name);
    json_kv_string(j, "to", w->s->hosts[m->to].name);
    json_kv_string(j, "kind", relocate_reason_name(m->reason));
    json_kv_string(j, "reason", text.data);
    if (m->reason != RELOCATE_EVACUATE)
        json_kv_f64(j, "gain_joules", m->gain_joules);
    json_kv_f64(j, "cost_joules", m->cost_joules);
    json_kv_f64(j, "duration_seconds", m->migration.duration_s);
    json_kv_f64(j, "downtime_seconds", m->migration.downtime_s);
    put_risk(j, &m->migration);
    json_object_end(j);
}

// Who had to leave and cannot: as if it were new and its host closed.
static int put_stuck(const struct writing *w, const struct relocate_plan *plan)
{
    struct place_room room;
    if (place_room_init(&room, w->s) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < plan->n; i++) {
        place_room_take(&room, plan->moves[i].vm);
        place_room_put(&room, plan->moves[i].vm, plan->moves[i].to);
    }
    json_key(w->j, "stuck");
    json_array_begin(w->j);
    for (size_t i = 0; i < plan->n_stuck; i++) {
        int32_t vm = plan->stuck[i], host = room.host_of[vm];
        CLEANUP(buf_done) struct buf text;
        buf_init(&text, PLAN_TEXT_MAX);
        if (w->s->vms[vm].pinned)
            buf_puts(&text, "it must not be moved");
        else if (w->s->n_hosts == 1)
            buf_puts(&text, "there is no other host");
        for (size_t h = 0; text.len == 0 && h < w->s->n_hosts; h++) {
            struct place_refusal why;
            if ((int32_t)h == host ||
                place_filter_host(&room, vm, (int32_t)h, &(struct place_allow){0}, &why))
                continue;
            buf_printf(&text, "%s: ", w->s->hosts[h].name);
            place_refusal_text(w->s, &why, &text);
        }
        json_object_begin(w->j);
        json_kv_string(w->j, "vm", w->s->vms[vm].name);
        json_kv_string(w->j, "reason",
                       text.len ? text.data : "its group finds no host that takes all");
        json_object_end(w->j);
    }
    json_array_end(w->j);
    place_room_done(&room);
    return 0;
}

static int put_moves(const struct writing *w, const struct relocate_plan *plan)
{
    double duration_s = 0;
    json_key(w->j, "moves");
    json_array_begin(w->j);
    for (size_t i = 0; i < plan->n; i++) {
        put_move(w, &plan->moves[i]);
        duration_s += plan->moves[i].migration.duration_s;
    }
    json_array_end(w->j);
    json_kv_f64(w->j, "duration_seconds", duration_s);
    json_kv_u64(w->j, "hosts_freed", plan->hosts_freed);
    json_kv_f64(w->j, "load_spread_before_ratio", plan->spread_before);
    json_kv_f64(w->j, "load_spread_after_ratio", plan->spread_after);
    if (w->s->n_hosts < 2)
        json_kv_string(w->j, "note", "Only one host is known: there is nowhere to move to.");
    return put_stuck(w, plan);
}

int plan_try(const struct writing *w, const struct plan_effect *effect)
{
    const struct plan_trial *trial = w->request->trial;
    return trial ? trial->write(trial->arg, w->s, effect, w->j, w->err) : 0;
}

static int finish_moves(const struct writing *w, int r, const struct relocate_plan *plan)
{
    if (r == 0)
        r = put_moves(w, plan);
    if (r < 0)
        return err_set(w->err, -r, "no memory for the plan");
    return plan_try(w, &(struct plan_effect){.moves = plan->moves, .n_moves = plan->n});
}

static int write_moves(const struct writing *w)
{
    struct relocate_options options = {.moves_max = w->request->moves_max};
    CLEANUP(relocate_plan_done) struct relocate_plan plan = {0};
    int r = w->request->kind == PLAN_BALANCE ? relocate_balance(w->s, &options, &plan)
                                             : relocate_consolidate(w->s, &options, &plan);
    return finish_moves(w, r, &plan);
}

static int write_evacuate(const struct writing *w)
{
    struct relocate_options options = {0};
    CLEANUP(relocate_plan_done) struct relocate_plan plan = {0};
    const char *name = w->request->object ? w->request->object : "";
    int32_t host = place_snapshot_find_host(w->s, name);
    if (host < 0)
        return err_set(w->err, ENOENT, "no host is called \"%.256s\"", name);
    json_kv_string(w->j, "host", name);
    return finish_moves(w, relocate_evacuate(w->s, host, &options, &plan), &plan);
}

static const struct {
    const char *name;
    int (*write)(const struct writing *w);
} kinds[PLAN_KINDS] = {
    [PLAN_PLACE] = {"place", write_place},
    [PLAN_BALANCE] = {"balance", write_moves},
    [PLAN_CONSOLIDATE] = {"consolidate", write_moves},
    [PLAN_EVACUATE] = {"evacuate", write_evacuate},
    [PLAN_RIGHTSIZE] = {"rightsize", plan_write_rightsize},
};

const char *plan_kind_name(enum plan_kind kind)
{
    return kinds[kind].name;
}

enum plan_kind plan_kind_parse(const char *name)
{
    for (int k = 0; k < PLAN_KINDS; k++)
        if (strcmp(kinds[k].name, name) == 0)
            return k;
    return PLAN_INVALID;
}

int plan_write(const struct place_snapshot *s, const struct plan_request *request,
               const struct plan_history *history, struct json *j, struct err *err)
{
    struct writing w = {s, request, history, j, err};
    json_object_begin(j);
    json_kv_string(j, "plan", kinds[request->kind].name);
    int r = kinds[request->kind].write(&w);
    json_object_end(j);
    return r;
}
