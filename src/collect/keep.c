// SPDX-License-Identifier: GPL-3.0-or-later
// From the herd to the store. Each object that is followed has a track, which hangs on the object
// and knows the store's ref of each of its series; so a sample costs neither hashing nor
// allocation. A track outlives neither its object nor the keep. Series of objects that went are
// ended with the next sample, unless that sample continues them under another object.
#include "collect/keep.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tsdb/timeline.h"

#define NO_REF UINT32_MAX
#define GROUPS_MAX (LANE_MAX + 1)
#define LANE_INFO LANE_MAX // info metrics: not of any lane
#define LABEL_ATTRS_MAX 64
// A clock that is set back by more than this (to 1970) is not believed: the store would refuse what
// comes then. A day apart from its limit, as other writers may be ahead of this one.
#define BACK_MAX_MS (KEEP_LATE_MS - INT64_C(24) * 3600 * 1000)

// A metric of some kind of object.
struct row {
    uint16_t metric;
    int16_t fact; // offset in the object's facts, -1 = info metric
    bool is_scaled;
};

// Rows of one lane; they have one stamp.
struct group {
    int lane;
    size_t first, n;
};

struct shape {
    struct row *rows;
    size_t n_rows;
    struct group groups[GROUPS_MAX];
    size_t n_groups;
    enum attr label_attrs[LABEL_ATTRS_MAX]; // of the kind itself and of the one above it
    size_t n_label_attrs;
};

struct track {
    struct object_user user; // first
    struct keep *keep;
    struct object *object;
    struct track *next, **link;
    uint32_t version, version_above;
    uint64_t hash; // of the label attributes
    int64_t stamps[GROUPS_MAX];
    struct keep_lane lanes[GROUPS_MAX];
    uint8_t *is_present; // by row: its last sample was a value
    uint32_t ref[];      // by row
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
    int64_t now_ms;               // of the last keep_now()
    int64_t mono_ns, schedule_ms; // of the last sample
    uint64_t ticks;
    uint32_t *refs;
    union tsdb_value *values;
    size_t n, cap;
    struct ended *ended;
    size_t n_ended, cap_ended;
    struct keep_stats stats;
};

static int lane_of(const struct metric_desc *m)
{
    return m->fact == FACT_INVALID ? LANE_INFO : (int)model_facts[m->fact].lane;
}

static void shape_add_group(struct shape *s, const struct keep *k, enum kind kind, int lane)
{
    struct group g = {lane, s->n_rows, 0};
    for (size_t i = 0; i < model_metrics_count; i++) {
        const struct metric_desc *m = &model_metrics[i];
        if (m->kind != kind || lane_of(m) != lane || !(m->sets & k->p.sets) ||
            (m->misnamed && !k->p.misnamed))
            continue;
        int fact = lane == LANE_INFO ? -1 : (int)m->fact - (int)model_kinds[kind].first_fact;
        s->rows[s->n_rows++] = (struct row){(uint16_t)i, (int16_t)fact,
                                            fact >= 0 && model_facts[m->fact].store == STORE_NS};
        g.n++;
    }
    if (g.n)
        s->groups[s->n_groups++] = g;
}

static void shape_add_label_attr(struct shape *s, enum attr attr)
{
    for (size_t i = 0; i < s->n_label_attrs; i++)
        if (s->label_attrs[i] == attr)
            return;
    if (s->n_label_attrs < LABEL_ATTRS_MAX)
        s->label_attrs[s->n_label_attrs++] = attr;
}

static void shape_init(struct shape *s, const struct keep *k, enum kind kind)
{
    s->rows = mem_zalloc(model_metrics_count * sizeof(*s->rows));
    for (int lane = 0; lane <= LANE_INFO; lane++)
        shape_add_group(s, k, kind, lane);
    for (size_t i = 0; i < s->n_rows; i++) {
        const struct metric_desc *m = &model_metrics[s->rows[i].metric];
        for (int l = 0; l < METRIC_LABELS_MAX && m->labels[l].name; l++)
            if (!m->labels[l].constant)
                shape_add_label_attr(s, m->labels[l].attr);
    }
}

static void shapes_init(struct keep *k)
{
    for (enum kind kind = 0; kind < KIND_MAX; kind++)
        shape_init(&k->shapes[kind], k, kind);
}

static void shapes_done(struct keep *k)
{
    for (enum kind kind = 0; kind < KIND_MAX; kind++) {
        free(k->shapes[kind].rows);
        k->shapes[kind] = (struct shape){0};
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
    free(t->is_present);
    free(t);
}

static void on_object_done(struct object_user *user)
{
    track_free((struct track *)user);
}

static uint64_t hash_labels(const struct shape *s, const struct object *o)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); // FNV-1a
    for (size_t i = 0; i < s->n_label_attrs; i++) {
        const char *text = object_attr_above(o, s->label_attrs[i]);
        for (const unsigned char *c = (const unsigned char *)(text ? text : "\1");; c++) {
            h = (h ^ *c) * UINT64_C(0x100000001b3);
            if (!*c)
                break;
        }
    }
    return h;
}

static struct track *track_new(struct keep *k, struct object *o)
{
    const struct shape *s = &k->shapes[o->kind];
    struct track *t = mem_zalloc(sizeof(*t) + s->n_rows * sizeof(t->ref[0]));
    t->user.done = on_object_done;
    t->keep = k;
    t->object = o;
    t->is_present = mem_zalloc(s->n_rows + 1);
    for (size_t i = 0; i < s->n_rows; i++)
        t->ref[i] = NO_REF;
    t->hash = hash_labels(s, o);
    t->version = o->version;
    t->version_above = o->parent ? o->parent->version : 0;
    t->next = k->tracks;
    t->link = &k->tracks;
    if (t->next)
        t->next->link = &t->next;
    k->tracks = t;
    o->user = &t->user;
    return t;
}

// A vCPU runs, or waits, all the time at most.
static double max_rate_of(const struct metric_desc *m)
{
    return m->fact == FACT_VCPU_RUN || m->fact == FACT_VCPU_WAIT ? 1 : 0;
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
    if (t->ref[i] == NO_REF && (t->ref[i] = ref_of(k, t->object, row)) == NO_REF)
        return;
    push(k, t->ref[i],
         row->is_scaled ? (union tsdb_value){.i64 = (int64_t)v} : (union tsdb_value){.f64 = v});
    t->is_present[i] = true;
}

static bool is_fresh(const struct herd *h, const struct object *o, int lane, int64_t mono_ns)
{
    if (lane == LANE_INFO)
        return true;
    if (lane == LANE_STATE && !h->libvirt_up)
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

// Other labels make other series; what has not changed gets its old ref again.
static void relabel(struct track *t)
{
    const struct object *o = t->object;
    const struct shape *s = &t->keep->shapes[t->object->kind];
    t->version = o->version;
    t->version_above = o->parent ? o->parent->version : 0;
    uint64_t hash = hash_labels(s, o);
    if (hash == t->hash)
        return;
    t->hash = hash;
    for (size_t i = 0; i < s->n_rows; i++)
        track_end_row(t, i);
    memset(t->stamps, 0, sizeof(t->stamps));
}

static void note_reading(struct keep_lane *lane, int64_t stamp)
{
    if (!lane->first_ns)
        lane->first_ns = stamp;
    lane->delivered++;
    lane->last_ns = stamp;
}

static void keep_object(struct keep *k, struct object *o, int64_t mono_ns, bool is_due)
{
    const struct shape *s = &k->shapes[o->kind];
    if (s->n_rows == 0)
        return;
    struct track *t = o->user ? (struct track *)o->user : track_new(k, o);
    if (t->version != o->version || (o->parent && t->version_above != o->parent->version))
        relabel(t);
    for (size_t i = 0; i < s->n_groups; i++) {
        const struct group *g = &s->groups[i];
        int64_t stamp = g->lane == LANE_INFO ? 1 : o->updated_ns[g->lane];
        if (!is_fresh(k->p.herd, o, g->lane, mono_ns))
            stamp = 0;
        if (stamp == t->stamps[i] && (!is_due || stamp == 0))
            continue;
        if (stamp && stamp != t->stamps[i])
            note_reading(&t->lanes[i], stamp);
        t->stamps[i] = stamp;
        keep_group(t, g, mono_ns);
    }
}

static void keep_tree(struct keep *k, struct object *top, int64_t mono_ns, bool is_due)
{
    keep_object(k, top, mono_ns, is_due);
    for (enum kind kind = 0; kind < KIND_MAX; kind++)
        if (model_kinds[kind].parent == top->kind)
            OBJECT_FOREACH_CHILD (child, top, kind)
                keep_object(k, child, mono_ns, is_due);
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

int keep_sample(struct keep *k, int64_t mono_ns, int64_t real_ns)
{
    struct herd *h = k->p.herd;
    uint64_t repeat = MAX_OF((uint64_t)(KEEP_REPEAT_NS / k->p.interval_ns), UINT64_C(1));
    int64_t t_ms = schedule(k, mono_ns, real_ns);
    uint64_t turn = k->ticks++;
    keep_tree(k, h->host, mono_ns, turn % repeat == 0);
    for (size_t i = 0; i < h->n_vms; i++)
        if (!herd_vm_is_double(h, i))
            keep_tree(k, &h->vms[i]->obj, mono_ns, (turn + i) % repeat == 0);
    int r = append(k, t_ms);
    int ends = k->n_ended ? append_ends(k, t_ms) : 0;
    return r < 0 ? r : ends;
}

int64_t keep_now(struct keep *k, struct vm *vm, int64_t mono_ns)
{
    int64_t interval_ms = k->p.interval_ns / NS_PER_MS;
    int64_t since_ms = (mono_ns - k->mono_ns) / NS_PER_MS;
    int64_t last_ms = MAX_OF(k->timeline.last_ms, k->now_ms);
    // Before the first sample there is no place between two.
    if (!k->mono_ns)
        return 0;
    int64_t most = k->timeline.last_ms + MAX_OF(interval_ms - 1, INT64_C(1));
    int64_t t_ms = k->timeline.last_ms + MAX_OF(since_ms, INT64_C(1));
    t_ms = MIN_OF(MAX_OF(t_ms, last_ms + 1), most);
    k->now_ms = t_ms;
    keep_tree(k, &vm->obj, mono_ns, false);
    (void)append(k, t_ms); // the store counts
    if (k->n_ended)
        (void)append_ends(k, t_ms);
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
    if (k->p.sets == sets && k->p.misnamed == misnamed)
        return;
    drop_tracks(k);
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
        if (s->groups[i].lane == (int)lane && t->lanes[i].delivered) {
            *ret = t->lanes[i];
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
    free(k->refs);
    free(k->values);
    free(k->job);
    free(k->instance);
    free(k);
}
