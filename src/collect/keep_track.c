// SPDX-License-Identifier: GPL-3.0-or-later
// The series of one object: made, continued under other labels, ended.
#include "keep_track.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NO_REF UINT32_MAX

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

void track_free(struct track *t)
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

struct track *track_new(struct keep *k, struct object *o)
{
    const struct shape *s = &k->shapes[o->kind];
    // One piece of memory: a sample touches most of it.
    size_t paces = sizeof(struct track) + s->n_groups * sizeof(struct kept_group);
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

void keep_push(struct keep *k, uint32_t ref, union tsdb_value v)
{
    if (k->n == k->cap) {
        size_t cap = k->cap;
        mem_grow(&k->refs, &cap, k->n, sizeof(*k->refs));
        mem_grow(&k->values, &k->cap, k->n, sizeof(*k->values));
    }
    k->refs[k->n] = ref;
    k->values[k->n++] = v;
}

union tsdb_value keep_marker(bool is_scaled)
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
            keep_push(k, t->ref[i], keep_marker(row->is_scaled));
        t->is_present[i] = false;
        return;
    }
    if (t->ref[i] == NO_REF) {
        t->ref[i] = ref_of(k, t->object, row);
        if (t->ref[i] == NO_REF)
            return;
        note_birth(t, i);
    }
    keep_push(k, t->ref[i],
              row->is_scaled ? (union tsdb_value){.i64 = (int64_t)v}
                             : (union tsdb_value){.f64 = v});
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

static bool is_wanted(const struct kept_group *p, int lane, int64_t stamp, const struct turn *turn)
{
    if (stamp == p->stamp)
        return turn->repeat && stamp != 0 && turn->mono_ns - p->kept_ns >= KEEP_REPEAT_NS / 2;
    return lane != LANE_SELF || turn->self || p->stamp == 0;
}

void keep_object(struct keep *k, struct object *o, const struct turn *turn)
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
        struct kept_group *p = &t->pace[i];
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
