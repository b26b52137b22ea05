// SPDX-License-Identifier: GPL-3.0-or-later
// From a page to samples. Invariant: `by_text` holds what the last good page had (its entries are
// `live`), keyed by the labels as they stood there; during a page also its new ones.
#include "digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "model/query.h"

#define KEY_MAX 65000

struct entry {
    struct entry *next;
    char *key;
    size_t key_len;
    struct labels *labels; // NULL: relabelling drops it
    uint64_t seen;         // number of the page that had it last
    bool live;
    bool timed; // has timestamps of its own: its end is not ours to tell
};

struct digest {
    struct digest_rules rules;
    struct map *by_text;
    struct entry *entries;
    size_t n_live;
    uint64_t page;
    struct buf key;
};

struct digest *digest_new(const struct digest_rules *rules)
{
    struct digest *d = mem_zalloc(sizeof(*d));
    d->rules = *rules;
    d->by_text = map_new();
    buf_init(&d->key, 2 * LABELS_BYTES_MAX);
    return d;
}

static void entry_free(struct entry *e)
{
    labels_free(e->labels);
    free(e->key);
    free(e);
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    while (d->entries) {
        struct entry *e = d->entries;
        d->entries = e->next;
        entry_free(e);
    }
    map_free(d->by_text);
    buf_done(&d->key);
    free(d);
}

size_t digest_series(const struct digest *d)
{
    return d->n_live;
}

// Labels of a new series

struct merged {
    struct label label[2 * LABELS_MAX];
    char *own[LABELS_MAX];
    size_t n, n_own;
};

static const struct label *find(const struct label *label, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(label[i].name, name) == 0)
            return &label[i];
    return NULL;
}

static void put(struct merged *m, const char *name, const char *value)
{
    if (m->n < ARRAY_LEN(m->label))
        m->label[m->n++] = (struct label){name, value};
}

// A scraped label that the target has too: "exported_" in front, as often as it takes.
static void put_exported(const struct digest *d, const struct expo_sample *s, struct merged *m,
                         const struct label *label)
{
    char *name = mem_strdup(label->name);
    do {
        char *longer = mem_printf("exported_%s", name);
        free(name);
        name = longer;
    } while (strlen(name) < 1024 &&
             (find(s->label, s->n, name) || labels_get(d->rules.target, name)));
    m->own[m->n_own++] = name;
    put(m, name, label->value);
}

static void merge(const struct digest *d, const struct expo_sample *s, struct merged *m)
{
    const struct labels *target = d->rules.target;
    for (size_t i = 0; i < s->n; i++) {
        const struct label *l = &s->label[i];
        bool clash = *l->value && labels_get(target, l->name);
        if (clash && !d->rules.honor_labels)
            put_exported(d, s, m, l);
        else
            put(m, l->name, l->value);
    }
    for (uint32_t i = 0; i < target->n; i++)
        // An empty label on the page takes the target's away where labels are honoured.
        if (!d->rules.honor_labels || !find(s->label, s->n, target->label[i].name))
            put(m, target->label[i].name, target->label[i].value);
}

static int make_labels(const struct digest *d, const struct expo_sample *s, struct labels **ret)
{
    struct merged *m = mem_zalloc(sizeof(*m));
    // With an empty duplicate left out, names are distinct.
    merge(d, s, m);
    struct label kept[2 * LABELS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        if (*m->label[i].value)
            kept[n++] = m->label[i];
    int r = relabel_apply(d->rules.relabel, kept, n, ret);
    for (size_t i = 0; i < m->n_own; i++)
        free(m->own[i]);
    free(m);
    if (r == 1 && !labels_get(*ret, LABEL_METRIC_NAME)) {
        labels_free(TAKE_PTR(*ret));
        return -EINVAL;
    }
    return r;
}

static void make_key(struct digest *d, const struct expo_sample *s)
{
    buf_reset(&d->key);
    for (size_t i = 0; i < s->n; i++) {
        buf_put(&d->key, s->label[i].name, strlen(s->label[i].name) + 1);
        buf_put(&d->key, s->label[i].value, strlen(s->label[i].value) + 1);
    }
}

// A page

struct run {
    struct digest *d;
    struct samples_writer *out;
    struct digest_result result;
    int64_t t_ms;
    struct err *err;
};

static int new_entry(struct run *run, const struct expo_sample *s, struct entry **ret)
{
    struct digest *d = run->d;
    struct labels *labels = NULL;
    int r = make_labels(d, s, &labels);
    if (r < 0)
        return err_set_at(run->err, -r, s->line, 1,
                          "line %d: the labels of this series do not make a series", s->line);
    struct entry *e = mem_zalloc(sizeof(*e));
    e->key = mem_zalloc(d->key.len + 1);
    memcpy(e->key, d->key.data, d->key.len);
    e->key_len = d->key.len;
    e->labels = labels;
    e->next = d->entries;
    d->entries = e;
    map_put(d->by_text, e->key, e->key_len, e);
    *ret = e;
    return 0;
}

static int check_limits(struct run *run, const struct expo_sample *s)
{
    const struct digest_rules *rules = &run->d->rules;
    if (run->d->key.error || run->d->key.len > KEY_MAX)
        return err_set_at(run->err, E2BIG, s->line, 1, "line %d: the labels are too long", s->line);
    if (rules->refuse_timestamps && s->has_time)
        return err_set_at(run->err, EINVAL, s->line, 1,
                          "line %d: a timestamp, which is not allowed in such a file", s->line);
    if (rules->sample_limit > 0 && run->result.kept > (size_t)rules->sample_limit)
        return err_set(run->err, E2BIG, "more than sample_limit (%lld) samples",
                       (long long)rules->sample_limit);
    return 0;
}

static int take_sample(void *arg, const struct expo_sample *s)
{
    struct run *run = arg;
    struct digest *d = run->d;
    bool timed = s->has_time && d->rules.honor_timestamps;
    run->result.scraped++;
    make_key(d, s);
    int r = check_limits(run, s);
    if (r < 0)
        return r;
    struct entry *e = map_get(d->by_text, d->key.data, d->key.len);
    if (!e) {
        r = new_entry(run, s, &e);
        if (r < 0)
            return r;
    }
    // The same series again at the same time adds nothing.
    bool again = e->seen == d->page && !timed;
    e->seen = d->page;
    e->timed = timed;
    if (!e->labels || again)
        return 0;
    run->result.kept++;
    r = samples_put(run->out, e->labels->label, e->labels->n, timed ? s->t_ms : run->t_ms, s->v);
    return r < 0 ? err_set(run->err, -r, "the page is too large") : 0;
}

static int take_family(void *arg, const struct expo_family *f)
{
    struct run *run = arg;
    (void)samples_put_family(run->out, f);
    return 0;
}

static void put_stale(const struct entry *e, int64_t t_ms, struct samples_writer *out)
{
    if (e->live && e->labels && !e->timed)
        (void)samples_put(out, e->labels->label, e->labels->n, t_ms, sample_stale());
}

// Keep what the present page has (`page`), end the rest.
static void settle(struct digest *d, uint64_t page, int64_t t_ms, struct samples_writer *out,
                   size_t *ret_added)
{
    d->n_live = 0;
    for (struct entry **at = &d->entries; *at;) {
        struct entry *e = *at;
        if (e->seen == page) {
            *ret_added += !e->live && e->labels;
            e->live = true;
            d->n_live += e->labels != NULL;
            at = &e->next;
            continue;
        }
        put_stale(e, t_ms, out);
        map_remove(d->by_text, e->key, e->key_len);
        *at = e->next;
        entry_free(e);
    }
}

int digest_page(struct digest *d, const char *text, size_t len, enum expo_format format,
                int64_t t_ms, struct samples_writer *out, struct digest_result *ret,
                struct err *err)
{
    static const struct expo_events events = {take_sample, take_family};
    struct run run = {.d = d, .out = out, .t_ms = t_ms, .err = err};
    d->page++;
    int r = expo_parse(text, len, format, &events, &run, err);
    if (r == 0 && d->rules.sample_limit > 0 && run.result.kept > (size_t)d->rules.sample_limit)
        r = err_set(err, E2BIG, "more than sample_limit (%lld) samples",
                    (long long)d->rules.sample_limit);
    if (r < 0) {
        samples_writer_reset(out);
        digest_end(d, t_ms, out);
        *ret = (struct digest_result){.scraped = run.result.scraped};
        return r;
    }
    settle(d, d->page, t_ms, out, &run.result.added);
    *ret = run.result;
    return 0;
}

void digest_end(struct digest *d, int64_t t_ms, struct samples_writer *out)
{
    size_t added = 0;
    // No page has this number.
    settle(d, UINT64_MAX, t_ms, out, &added);
}

int digest_report(const struct digest *d, const char *name, int64_t t_ms, double v,
                  struct samples_writer *out)
{
    struct label label[LABELS_MAX + 1];
    const struct labels *target = d->rules.target;
    label[0] = (struct label){LABEL_METRIC_NAME, name};
    for (uint32_t i = 0; i < target->n; i++)
        label[i + 1] = target->label[i];
    return samples_put(out, label, target->n + 1, t_ms, v);
}
