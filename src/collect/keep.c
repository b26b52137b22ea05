// SPDX-License-Identifier: GPL-3.0-or-later
// From the herd to the store: whose turn it is, at what time it stands, what comes and goes. Series
// of objects that went are ended with the next sample, unless that sample continues them under
// another object. A VM that comes while we look has series from its second sample on, unless it
// goes on for one that went, and before that those of its state when something happens to it: who
// starts and removes VMs by the dozen, as tests do, else leaves a hundred series for each that a
// sample happened to see.
#include "collect/keep.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "keep_track.h"

// A clock that is set back by more than this (to 1970) is not believed: the store would refuse what
// comes then. A day apart from its limit, as other writers may be ahead of this one.
#define BACK_MAX_MS (KEEP_LATE_MS - INT64_C(24) * 3600 * 1000)

static void shapes_init(struct keep *k)
{
    for (enum kind kind = 0; kind < KIND_MAX; kind++)
        shape_init(&k->shapes[kind], kind, k->p.sets, k->p.misnamed);
}

static void shapes_done(struct keep *k)
{
    for (enum kind kind = 0; kind < KIND_MAX; kind++) {
        shape_done(&k->shapes[kind]);
    }
}

// Facts age after two and a half intervals of their lane, or are repeated.
static uint32_t pause_of(const struct keep *k, int lane)
{
    int64_t age_ns = lane == LANE_INFO ? 0 : k->p.herd->max_age_ns[lane];
    int64_t pause_ns = KEEP_REPEAT_NS * 3 / 2;
    if (lane == LANE_KERNEL || lane == LANE_HOST)
        pause_ns = k->p.interval_ns;
    else if (age_ns > 0)
        pause_ns = MIN_OF(pause_ns, MAX_OF(age_ns * 2 / 5, k->p.interval_ns));
    return (uint32_t)(pause_ns / NS_PER_MS);
}

// False where they are as before.
static bool tell_pauses(struct keep *k)
{
    bool is_other = false;
    for (int lane = 0; lane <= LANE_INFO; lane++) {
        uint32_t pause_ms = pause_of(k, lane);
        is_other |= pause_ms != k->pause_ms[lane];
        k->pause_ms[lane] = pause_ms;
    }
    return is_other;
}

static void keep_tree(struct keep *k, struct object *top, const struct turn *turn)
{
    keep_object(k, top, turn);
    for (enum kind kind = 0; kind < KIND_MAX; kind++)
        if (model_kinds[kind].parent == top->kind)
            OBJECT_FOREACH_CHILD (child, top, kind)
                keep_object(k, child, turn);
}

// Samples lie on a schedule: the wall clock says where it begins, and says so again when the two
// have come apart.
static int64_t schedule(struct keep *k, int64_t mono_ns, int64_t real_ns)
{
    int64_t interval_ms = k->p.interval_ns / NS_PER_MS;
    int64_t real_ms = real_ns / NS_PER_MS;
    int64_t steps = (mono_ns - k->mono_ns + k->p.interval_ns / 2) / k->p.interval_ns;
    int64_t expected = k->schedule_ms + steps * interval_ms;
    bool is_on_time = k->mono_ns && steps > 0 && llabs(real_ms - expected) <= interval_ms * 3 / 4;
    k->schedule_ms = is_on_time ? expected : real_ms;
    k->mono_ns = mono_ns;
    return timeline_step(&k->timeline, mono_ns / NS_PER_MS, k->schedule_ms, 3 * interval_ms,
                         &k->stats.ahead_ms);
}

static int append(struct keep *k, int64_t t_ms)
{
    struct tsdb_appended done = {0};
    for (size_t i = 0; i < k->n_born; i++)
        if (tsdb_append_one(k->p.db, k->born[i], t_ms - 1, 0) == 0)
            k->stats.samples++;
    k->n_born = 0;
    int r = tsdb_append(k->p.db, t_ms, k->refs, k->values, k->n, &done);
    k->stats.samples += done.stored;
    k->stats.refused += done.refused + done.late;
    k->n = 0;
    return r;
}

// A marker at the time of a value is a duplicate, which the store drops: a series that goes on
// under another object is not ended.
static int append_ends(struct keep *k, int64_t t_ms)
{
    for (size_t i = 0; i < k->n_ended; i++)
        if (k->ended[i].is_present)
            keep_push(k, k->ended[i].ref, keep_marker(k->ended[i].is_scaled));
    int r = append(k, t_ms);
    for (size_t i = 0; i < k->n_ended; i++)
        tsdb_release(k->p.db, k->ended[i].ref);
    k->stats.series -= k->n_ended;
    k->n_ended = 0;
    return r;
}

static bool is_due(const struct keep *k, uint64_t phase, int64_t every_ns)
{
    return phase % (uint64_t)MAX_OF(every_ns / k->p.interval_ns, INT64_C(1)) == 0;
}

static struct turn turn_of(const struct keep *k, uint64_t phase, int64_t mono_ns)
{
    return (struct turn){mono_ns, is_due(k, phase, KEEP_REPEAT_NS), is_due(k, phase, KEEP_SELF_NS)};
}

static bool is_first_sight(struct keep *k, struct vm *vm)
{
    struct track *t = (struct track *)vm->obj.user;
    bool is_first = !t && !k->takes_fresh && k->n_ended == 0;
    if (t)
        t->is_fresh = false;
    else if (is_first)
        track_new(k, &vm->obj)->is_fresh = true;
    return is_first;
}

int keep_sample(struct keep *k, int64_t mono_ns, int64_t real_ns)
{
    struct herd *h = k->p.herd;
    int64_t t_ms = schedule(k, mono_ns, real_ns);
    uint64_t phase = k->ticks++;
    if (k->takes_fresh)
        tell_pauses(k);
    struct turn turn = turn_of(k, phase, mono_ns);
    keep_tree(k, h->host, &turn);
    for (size_t i = 0; i < h->n_vms; i++) {
        turn = turn_of(k, phase + i, mono_ns);
        if (!herd_vm_is_double(h, i) && !is_first_sight(k, h->vms[i]))
            keep_tree(k, &h->vms[i]->obj, &turn);
    }
    k->takes_fresh = false;
    int r = append(k, t_ms);
    int ends = k->n_ended ? append_ends(k, t_ms) : 0;
    return r < 0 ? r : ends;
}

// A time between two samples; 0 where there is none.
static int64_t time_between(struct keep *k, const struct object *top, int64_t mono_ns)
{
    int64_t interval_ms = k->p.interval_ns / NS_PER_MS;
    int64_t since_ms = (mono_ns - k->mono_ns) / NS_PER_MS;
    int64_t last_ms = MAX_OF(k->timeline.last_ms, k->now_ms);
    // Before the first sample there is no place between two; a VM that none has seen may be gone
    // again before the next, and then leaves no series.
    if (!k->mono_ns || !top->user)
        return 0;
    int64_t most = k->timeline.last_ms + MAX_OF(interval_ms - 1, INT64_C(1));
    int64_t t_ms = k->timeline.last_ms + MAX_OF(since_ms, INT64_C(1));
    t_ms = MIN_OF(MAX_OF(t_ms, last_ms + 1), most);
    k->now_ms = t_ms;
    return t_ms;
}

static void append_between(struct keep *k, int64_t t_ms)
{
    (void)append(k, t_ms); // the store counts
    if (k->n_ended)
        (void)append_ends(k, t_ms);
}

int64_t keep_now(struct keep *k, struct vm *vm, int64_t mono_ns)
{
    int64_t t_ms = time_between(k, &vm->obj, mono_ns);
    if (t_ms == 0)
        return 0;
    bool is_new = ((const struct track *)vm->obj.user)->is_fresh;
    if (is_new)
        keep_object(k, &vm->obj, &(struct turn){.mono_ns = mono_ns, .only_state = true});
    else
        keep_tree(k, &vm->obj, &(struct turn){.mono_ns = mono_ns});
    append_between(k, t_ms);
    return t_ms;
}

int64_t keep_host_now(struct keep *k, int64_t mono_ns)
{
    struct object *host = k->p.herd->host;
    int64_t t_ms = time_between(k, host, mono_ns);
    if (t_ms == 0)
        return 0;
    keep_object(k, host, &(struct turn){.mono_ns = mono_ns, .self = true});
    append_between(k, t_ms);
    return t_ms;
}

const char *keep_job(const struct keep *k)
{
    return k->job;
}

const char *keep_instance(const struct keep *k)
{
    return k->instance;
}

struct keep *keep_new(const struct keep_params *params)
{
    struct keep *k = mem_zalloc(sizeof(*k));
    k->p = *params;
    k->job = mem_strdup(params->job);
    k->instance = mem_strdup(params->instance);
    shapes_init(k);
    struct tsdb_status status;
    tsdb_status(params->db, &status);
    timeline_init(&k->timeline, status.newest_ms, BACK_MAX_MS);
    k->takes_fresh = true;
    return k;
}

static void drop_tracks(struct keep *k)
{
    while (k->tracks) {
        k->tracks->object->user = NULL;
        track_free(k->tracks);
    }
}

void keep_configure(struct keep *k, unsigned sets, bool misnamed, int64_t interval_ns)
{
    k->p.interval_ns = interval_ns;
    bool is_other_pace = tell_pauses(k);
    if (k->p.sets == sets && k->p.misnamed == misnamed && !is_other_pace)
        return;
    drop_tracks(k);
    k->takes_fresh = true;
    shapes_done(k);
    k->p.sets = sets;
    k->p.misnamed = misnamed;
    shapes_init(k);
}

struct keep_stats keep_stats(const struct keep *k)
{
    return k->stats;
}

bool keep_lane(const struct keep *k, const struct object *o, enum lane lane, struct keep_lane *ret)
{
    const struct shape *s = &k->shapes[o->kind];
    const struct track *t = (const struct track *)o->user;
    for (size_t i = 0; t && i < s->n_groups; i++) {
        if (s->groups[i].lane == (int)lane && t->pace[i].lane.delivered) {
            *ret = t->pace[i].lane;
            return true;
        }
    }
    return false;
}

void keep_free(struct keep *k)
{
    if (!k)
        return;
    drop_tracks(k);
    for (size_t i = 0; i < k->n_ended; i++)
        tsdb_release(k->p.db, k->ended[i].ref);
    shapes_done(k);
    free(k->ended);
    free(k->born);
    free(k->refs);
    free(k->values);
    free(k->job);
    free(k->instance);
    free(k);
}
