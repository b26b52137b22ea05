// SPDX-License-Identifier: GPL-3.0-or-later
// From the herd to the store. Each object that is followed has a track, which hangs on the object
// and knows the store's ref of each of its series; so a sample costs neither hashing nor
// allocation. A track outlives neither its object nor the keep. Series of objects that went are
// ended with the next sample, unless that sample continues them under another object. A VM that
// comes while we look has series from its second sample on, unless it goes on for one that went,
// and before that those of its state when something happens to it: who starts and removes VMs by
// the dozen, as tests do, else leaves a hundred series for each that a sample happened to see.
#include "collect/keep.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "keep_shape.h"
#include "tsdb/timeline.h"

#define NO_REF UINT32_MAX
// A clock that is set back by more than this (to 1970) is not believed: the store would refuse what
// comes then. A day apart from its limit, as other writers may be ahead of this one.
#define BACK_MAX_MS (KEEP_LATE_MS - INT64_C(24) * 3600 * 1000)

// How far a group is kept.
struct pace {
    int64_t stamp;
    int64_t kept_ns; // when it was appended last
    struct keep_lane lane;
};

struct track {
    struct object_user user; // first
    struct keep *keep;
    struct object *object;
    struct track *next, **link;
    uint32_t version, version_above;
    bool is_fresh;      // of a VM that one sample has seen
    uint64_t *hash;     // by label attribute
    uint32_t *ref;      // by row
    bool *is_present;   // by row: its last sample was a value
    struct pace pace[]; // by group; behind it stand hashes, refs and presence
};

struct ended {
    uint32_t ref;
    bool is_scaled;
    bool is_present;
};

struct keep {
    struct keep_params p;
    char *job, *instance;
    struct shape shapes[KIND_MAX];
    struct track *tracks;
    struct timeline timeline;
    uint32_t pause_ms[LANE_INFO + 1]; // by lane, between two samples at most
    int64_t now_ms;                   // of the last keep_now()
    int64_t mono_ns, schedule_ms;     // of the last sample
    uint64_t ticks;
    bool takes_fresh; // the next sample is the first: VMs were there before it
    uint32_t *refs;
    union tsdb_value *values;
    size_t n, cap;
    struct ended *ended;
    size_t n_ended, cap_ended;
    uint32_t *born; // counters whose 0 is to be appended
    size_t n_born, cap_born;
    struct keep_stats stats;
};

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

static void end_series(struct keep *k, uint32_t ref, bool is_scaled, bool is_present)
{
    mem_grow(&k->ended, &k->cap_ended, k->n_ended, sizeof(*k->ended));
    k->ended[k->n_ended++] = (struct ended){ref, is_scaled, is_present};
}

static void track_end_row(struct track *t, size_t i)
{
    if (t->ref[i] == NO_REF)
        return;
    end_series(t->keep, t->ref[i], t->keep->shapes[t->object->kind].rows[i].is_scaled,
               t->is_present[i]);
    t->ref[i] = NO_REF;
    t->is_present[i] = false;
}

static void track_free(struct track *t)
{
    for (size_t i = 0; i < t->keep->shapes[t->object->kind].n_rows; i++)
        track_end_row(t, i);
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    free(t);
}

static void on_object_done(struct object_user *user)
{
    track_free((struct track *)user);
}

static uint64_t hash_text(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); // FNV-1a
    for (const unsigned char *c = (const unsigned char *)(text ? text : "\1"); *c; c++)
        h = (h ^ *c) * UINT64_C(0x100000001b3);
    return h;
}

// Note the labels as they are now; bits of those that are not as they were.
static uint64_t note_labels(struct track *t)
{
    const struct shape *s = &t->keep->shapes[t->object->kind];
    uint64_t changed = 0;
    for (size_t i = 0; i < s->n_label_attrs; i++) {
        uint64_t hash = hash_text(object_attr_above(t->object, s->label_attrs[i]));
        changed |= (uint64_t)(hash != t->hash[i]) << i;
        t->hash[i] = hash;
    }
    t->version = t->object->version;
    t->version_above = t->object->parent ? t->object->parent->version : 0;
    return changed;
}

static struct track *track_new(struct keep *k, struct object *o)
{
    const struct shape *s = &k->shapes[o->kind];
    // One piece of memory: a sample touches most of it.
    size_t paces = sizeof(struct track) + s->n_groups * sizeof(struct pace);
    size_t hashes = s->n_label_attrs * sizeof(uint64_t), refs = s->n_rows * sizeof(uint32_t);
    struct track *t = mem_zalloc(paces + hashes + refs + s->n_rows * sizeof(bool));
    t->user.done = on_object_done;
    t->keep = k;
    t->object = o;
    t->hash = (uint64_t *)(void *)((char *)t + paces);
    t->ref = (uint32_t *)(void *)((char *)t + paces + hashes);
    t->is_present = (bool *)((char *)t + paces + hashes + refs);
    for (size_t i = 0; i < s->n_rows; i++)
        t->ref[i] = NO_REF;
    note_labels(t);
    t->next = k->tracks;
    t->link = &k->tracks;
    if (t->next)
        t->next->link = &t->next;
    k->tracks = t;
    o->user = &t->user;
    return t;
}

// A vCPU runs all the time at most. A wait is counted when it ends, however long it was.
static double max_rate_of(const struct metric_desc *m)
{
    return m->fact == FACT_VCPU_RUN ? 1 : 0;
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

static uint32_t ref_of(struct keep *k, const struct object *o, const struct row *row)
{
    const struct metric_desc *m = &model_metrics[row->metric];
    struct label labels[METRIC_LABELS_MAX + 3] = {
        {LABEL_METRIC_NAME, m->name}, {"job", k->job}, {"instance", k->instance}};
    size_t n = 3;
    for (int i = 0; i < METRIC_LABELS_MAX && m->labels[i].name; i++) {
        const struct label_desc *l = &m->labels[i];
        const char *value = l->constant ? l->constant : object_attr_above(o, l->attr);
        if (value)
            labels[n++] = (struct label){l->name, value};
    }
    struct tsdb_kind_of of = {
        .kind = row->is_scaled ? TSDB_SCALED : TSDB_DOUBLE,
        .scale = row->is_scaled ? 9 : 0,
        .is_counter = m->type == METRIC_COUNTER,
        .max_rate = max_rate_of(m),
        .pause_ms = k->pause_ms[shape_lane(m)],
    };
    uint32_t ref = NO_REF;
    if (tsdb_series(k->p.db, labels, n, &of, &ref, NULL) < 0) {
        k->stats.refused++;
        return NO_REF;
    }
    k->stats.series++;
    return ref;
}

static void push(struct keep *k, uint32_t ref, union tsdb_value v)
{
    if (k->n == k->cap) {
        size_t cap = k->cap;
        mem_grow(&k->refs, &cap, k->n, sizeof(*k->refs));
        mem_grow(&k->values, &k->cap, k->n, sizeof(*k->values));
    }
    k->refs[k->n] = ref;
    k->values[k->n++] = v;
}

static union tsdb_value marker(bool is_scaled)
{
    return is_scaled ? (union tsdb_value){.i64 = TSDB_STALE_I64}
                     : (union tsdb_value){.f64 = sample_stale()};
}

// The clock of a counter's object says when its first event was.
static void note_birth(struct track *t, size_t i)
{
    struct keep *k = t->keep;
    const struct object *o = t->object;
    if (o->kind != KIND_EVENT || !o->before_ns ||
        o->updated_ns[LANE_SELF] - o->before_ns > KEEP_BIRTH_NS)
        return;
    mem_grow(&k->born, &k->cap_born, k->n_born, sizeof(*k->born));
    k->born[k->n_born++] = t->ref[i];
}

static void keep_row(struct track *t, size_t i, double v)
{
    struct keep *k = t->keep;
    const struct row *row = &k->shapes[t->object->kind].rows[i];
    if (isnan(v)) {
        if (t->is_present[i])
            push(k, t->ref[i], marker(row->is_scaled));
        t->is_present[i] = false;
        return;
    }
    if (t->ref[i] == NO_REF) {
        t->ref[i] = ref_of(k, t->object, row);
        if (t->ref[i] == NO_REF)
            return;
        note_birth(t, i);
    }
    push(k, t->ref[i],
         row->is_scaled ? (union tsdb_value){.i64 = (int64_t)v} : (union tsdb_value){.f64 = v});
    t->is_present[i] = true;
}

static bool is_fresh(const struct herd *h, const struct object *o, int lane, int64_t mono_ns)
{
    if (lane == LANE_INFO)
        return true;
    if (lane_needs_libvirt((enum lane)lane) && !h->libvirt_up)
        return false;
    return h->max_age_ns[lane] <= 0 || mono_ns - o->updated_ns[lane] <= h->max_age_ns[lane];
}

static void keep_group(struct track *t, const struct group *g, int64_t mono_ns)
{
    const struct object *o = t->object;
    const struct shape *s = &t->keep->shapes[t->object->kind];
    bool fresh = is_fresh(t->keep->p.herd, o, g->lane, mono_ns);
    for (size_t i = g->first; i < g->first + g->n; i++) {
        double v = NAN;
        if (g->lane == LANE_INFO)
            v = object_attr(o, model_metrics[s->rows[i].metric].needs) ? 1 : NAN;
        else if (fresh)
            v = o->facts[s->rows[i].fact];
        keep_row(t, i, v);
    }
}

// Other labels make other series. Their groups are due at once.
static void relabel(struct track *t)
{
    const struct shape *s = &t->keep->shapes[t->object->kind];
    uint64_t changed = note_labels(t);
    for (size_t g = 0; changed && g < s->n_groups; g++)
        for (size_t i = s->groups[g].first; i < s->groups[g].first + s->groups[g].n; i++)
            if (s->rows[i].labels & changed) {
                track_end_row(t, i);
                t->pace[g].stamp = 0;
            }
}

static void note_reading(struct keep_lane *lane, int64_t stamp)
{
    if (!lane->first_ns)
        lane->first_ns = stamp;
    lane->delivered++;
    lane->last_ns = stamp;
}

// Whose turn it is in this sample; objects have theirs one after the other.
struct turn {
    int64_t mono_ns;
    bool repeat, self;
    bool only_state;
};

static bool is_wanted(const struct pace *p, int lane, int64_t stamp, const struct turn *turn)
{
    if (stamp == p->stamp)
        return turn->repeat && stamp != 0 && turn->mono_ns - p->kept_ns >= KEEP_REPEAT_NS / 2;
    return lane != LANE_SELF || turn->self || p->stamp == 0;
}

static void keep_object(struct keep *k, struct object *o, const struct turn *turn)
{
    const struct shape *s = &k->shapes[o->kind];
    if (s->n_rows == 0)
        return;
    struct track *t = o->user ? (struct track *)o->user : track_new(k, o);
    struct turn own = *turn;
    if (t->version != o->version || (o->parent && t->version_above != o->parent->version)) {
        own.self = true;
        relabel(t);
    }
    for (size_t i = 0; i < s->n_groups; i++) {
        const struct group *g = &s->groups[i];
        struct pace *p = &t->pace[i];
        int64_t stamp = g->lane == LANE_INFO ? 1 : o->updated_ns[g->lane];
        if (turn->only_state && g->lane != LANE_STATE)
            continue;
        if (!is_fresh(k->p.herd, o, g->lane, turn->mono_ns))
            stamp = 0;
        if (!is_wanted(p, g->lane, stamp, &own))
            continue;
        if (stamp && stamp != p->stamp)
            note_reading(&p->lane, stamp);
        p->stamp = stamp;
        p->kept_ns = turn->mono_ns;
        keep_group(t, g, turn->mono_ns);
    }
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
            push(k, k->ended[i].ref, marker(k->ended[i].is_scaled));
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
