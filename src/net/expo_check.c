// SPDX-License-Identifier: GPL-3.0-or-later
// OpenMetrics 1.0's demands on a family: its samples' names, labels, values, grouping and order.
// Everything is checked as samples pass; of a family only its groups' labels are remembered.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "expo_private.h"

// Suffixes of a type's samples, "" for the bare name; the rules that follow from a suffix.
static const char *const suffixes[EXPO_TYPE_MAX][6] = {
    [EXPO_UNKNOWN] = {"", NULL},
    [EXPO_COUNTER] = {"_total", "_created", NULL},
    [EXPO_GAUGE] = {"", NULL},
    [EXPO_HISTOGRAM] = {"_bucket", "_count", "_sum", "_created", NULL},
    [EXPO_GAUGEHISTOGRAM] = {"_bucket", "_gcount", "_gsum", NULL},
    [EXPO_SUMMARY] = {"", "_count", "_sum", "_created", NULL},
    [EXPO_INFO] = {"_info", NULL},
    [EXPO_STATESET] = {"", NULL},
};

static const struct {
    const char *suffix;
    bool not_nan, not_negative, whole;
} values[] = {
    {"_total", true, true, false}, {"_sum", true, true, false},   {"_count", true, true, true},
    {"_bucket", true, true, true}, {"_gcount", true, true, true}, {"_gsum", true, false, false},
};

#define GROUPS_MAX (1u << 20)

static void map_clear(struct map **m)
{
    map_free(*m);
    *m = NULL;
}

void expo_family_begin(struct expo_family_state *f, const char *name)
{
    map_clear(&f->groups);
    struct buf keep[] = {f->name, f->help, f->unit, f->group, f->key};
    *f = (struct expo_family_state){
        .name = keep[0], .help = keep[1], .unit = keep[2], .group = keep[3], .key = keep[4]};
    buf_reset(&f->name);
    buf_reset(&f->help);
    buf_reset(&f->unit);
    buf_puts(&f->name, name);
}

void expo_family_done(struct expo_family_state *f)
{
    map_clear(&f->groups);
    buf_done(&f->name);
    buf_done(&f->help);
    buf_done(&f->unit);
    buf_done(&f->group);
    buf_done(&f->key);
}

bool expo_family_has(const struct expo_family_state *f, const char *sample)
{
    if (f->name.len == 0 || strncmp(sample, f->name.data, f->name.len) != 0)
        return false;
    for (const char *const *s = suffixes[f->type]; *s; s++)
        if (strcmp(sample + f->name.len, *s) == 0)
            return true;
    return false;
}

static const char *label_of(const struct expo_sample *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->label[i].name, name) == 0)
            return s->label[i].value;
    return NULL;
}

// A number in a label: NaN where it is none.
static double number_of(const char *text)
{
    char *end = NULL;
    double v = text && *text ? strtod(text, &end) : NAN;
    return end && !*end ? v : NAN;
}

static bool is_histogram(enum expo_type type)
{
    return type == EXPO_HISTOGRAM || type == EXPO_GAUGEHISTOGRAM;
}

// The label that tells the samples of one group apart, or NULL.
static const char *own_label(const struct expo_family_state *f, const char *suffix)
{
    if (f->type == EXPO_SUMMARY && !*suffix)
        return "quantile";
    if (f->type == EXPO_STATESET)
        return f->name.data;
    if (is_histogram(f->type) && strcmp(suffix, "_bucket") == 0)
        return "le";
    return NULL;
}

static const char *check_labels(const struct expo_family_state *f, const struct expo_sample *s,
                                const char *suffix)
{
    const char *own = own_label(f, suffix);
    if (!own)
        return NULL;
    const char *text = label_of(s, own);
    double v = number_of(text);
    if (f->type == EXPO_STATESET)
        return text ? NULL : "a stateset needs a label with its own name";
    if (f->type == EXPO_SUMMARY)
        return v >= 0 && v <= 1 ? NULL : "a summary needs a quantile from 0 to 1";
    return !isnan(v) ? NULL : "a bucket needs a number in its label le";
}

static const char *check_value(const struct expo_family_state *f, double v, const char *suffix)
{
    if (f->type == EXPO_STATESET && v != 0 && v != 1)
        return "a stateset's value is 0 or 1";
    if (f->type == EXPO_INFO && v != 1)
        return "an info's value is 1";
    if (f->type == EXPO_SUMMARY && !*suffix && v < 0)
        return "a quantile's value is not negative";
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        if (strcmp(values[i].suffix, suffix) != 0)
            continue;
        if (values[i].not_nan && isnan(v))
            return "this value must not be NaN";
        if (values[i].not_negative && v < 0)
            return "this value must not be negative";
        if (values[i].whole && floor(v) != v)
            return "this value must be a whole number";
    }
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    const struct label *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

// The labels without the one that tells a group's samples apart, sorted, as one text.
static bool make_key(struct expo_family_state *f, const struct expo_sample *s, const char *suffix)
{
    const char *own = own_label(f, suffix);
    const struct label *sorted[LABELS_MAX];
    size_t n = 0;
    buf_reset(&f->key);
    if (f->type == EXPO_INFO)
        return true;
    for (size_t i = 1; i < s->n && n < LABELS_MAX; i++)
        if (!own || strcmp(s->label[i].name, own) != 0)
            sorted[n++] = &s->label[i];
    qsort(sorted, n, sizeof(sorted[0]), by_name);
    for (size_t i = 0; i < n; i++) {
        buf_put(&f->key, sorted[i]->name, strlen(sorted[i]->name) + 1);
        buf_put(&f->key, sorted[i]->value, strlen(sorted[i]->value) + 1);
    }
    return f->key.error == 0 && f->key.len < 60000;
}

static const char *check_histogram(const struct expo_histogram *h)
{
    if (!h->any)
        return NULL;
    if (!h->has_bucket || !isinf(h->bucket) || h->bucket < 0)
        return "a histogram without its +Inf bucket";
    if (h->has_count && h->count != h->value)
        return "a histogram's count differs from its +Inf bucket";
    if ((h->has_sum || h->has_gsum) && !h->has_count)
        return "a histogram with a sum but no count";
    if (h->has_count && !h->has_sum && !h->has_gsum)
        return "a histogram with a count but no sum";
    if (h->negative_bucket && h->has_sum)
        return "a histogram with negative buckets has no sum";
    if (h->negative_gsum && !h->negative_bucket)
        return "a negative sum without negative buckets";
    return NULL;
}

static const char *add_bucket(struct expo_histogram *h, double le, double v)
{
    if (h->has_bucket && le <= h->bucket)
        return "buckets out of order";
    if (h->has_bucket && v < h->value)
        return "a bucket's value is below the one before";
    h->negative_bucket |= le < 0;
    h->has_bucket = true;
    h->bucket = le;
    h->value = v;
    return NULL;
}

static const char *add_to_histogram(struct expo_family_state *f, const struct expo_sample *s,
                                    const char *suffix)
{
    struct expo_histogram *h = &f->histogram;
    h->any = true;
    if (strcmp(suffix, "_bucket") == 0)
        return add_bucket(h, number_of(label_of(s, "le")), s->v);
    if (strcmp(suffix, "_count") == 0 || strcmp(suffix, "_gcount") == 0) {
        h->has_count = true;
        h->count = s->v;
    }
    h->has_sum |= strcmp(suffix, "_sum") == 0;
    if (strcmp(suffix, "_gsum") == 0) {
        h->has_gsum = true;
        h->negative_gsum = s->v < 0;
    }
    return NULL;
}

static bool same_group(const struct expo_family_state *f)
{
    return f->has_group && f->group.len == f->key.len &&
           (f->key.len == 0 || memcmp(f->group.data, f->key.data, f->key.len) == 0);
}

static const char *enter_group(struct expo_family_state *f)
{
    if (!f->groups)
        f->groups = map_new();
    const char *key = f->key.len ? f->key.data : "";
    if (map_get(f->groups, key, f->key.len))
        return "samples of one group of labels must lie together";
    if (map_count(f->groups) == GROUPS_MAX)
        return "too many groups of labels in one family";
    map_put(f->groups, key, f->key.len, f);
    buf_reset(&f->group);
    buf_put(&f->group, key, f->key.len);
    f->has_group = true;
    return f->group.error ? "out of memory" : NULL;
}

static const char *check_group(struct expo_family_state *f, const struct expo_sample *s,
                               double seconds)
{
    bool same = same_group(f);
    if (same && s->has_time != f->group_has_time)
        return "a group has timestamps on all its samples or on none";
    if (same && s->has_time && f->group_time > seconds && f->type != EXPO_INFO)
        return "timestamps must not go back";
    const char *wrong = NULL;
    if (!same || (s->has_time && f->group_time != seconds)) {
        wrong = check_histogram(&f->histogram);
        f->histogram = (struct expo_histogram){0};
    }
    if (!wrong && !same)
        wrong = enter_group(f);
    f->group_has_time = s->has_time;
    f->group_time = seconds;
    return wrong;
}

static bool may_have_exemplar(const struct expo_family_state *f, const char *suffix)
{
    return (is_histogram(f->type) && strcmp(suffix, "_bucket") == 0) ||
           (f->type == EXPO_COUNTER && strcmp(suffix, "_total") == 0);
}

const char *expo_check_sample(struct expo_family_state *f, const struct expo_sample *s,
                              double seconds, bool exemplar)
{
    const char *suffix = s->label[0].value + f->name.len;
    const char *wrong = check_labels(f, s, suffix);
    if (!wrong)
        wrong = check_value(f, s->v, suffix);
    if (!wrong && exemplar && !may_have_exemplar(f, suffix))
        wrong = "only buckets and counters' totals may have exemplars";
    if (!wrong && !make_key(f, s, suffix))
        wrong = "labels are too long";
    if (!wrong)
        wrong = check_group(f, s, seconds);
    if (!wrong && is_histogram(f->type))
        wrong = add_to_histogram(f, s, suffix);
    return wrong;
}

static bool ends_in_unit(const struct expo_family_state *f)
{
    return f->name.len > f->unit.len + 1 && f->name.data[f->name.len - f->unit.len - 1] == '_' &&
           strcmp(f->name.data + f->name.len - f->unit.len, f->unit.data) == 0;
}

static bool take_name(struct expo_checks *c, const char *suffix)
{
    CLEANUP(freep) char *name = mem_printf("%s%s", c->family.name.data, suffix);
    return !map_put(c->names, name, MIN_OF(strlen(name), (size_t)65535), c);
}

const char *expo_check_family(struct expo_checks *c)
{
    struct expo_family_state *f = &c->family;
    if (f->name.len == 0)
        return NULL;
    bool bare = false;
    for (const char *const *s = suffixes[f->type]; *s; s++) {
        bare |= !**s;
        if (!take_name(c, *s))
            return "the family's name clashes with another one's";
    }
    if (!bare && !take_name(c, ""))
        return "the family's name clashes with another one's";
    if (f->unit.len > 0 && !ends_in_unit(f))
        return "a family's name must end in its unit";
    if (f->unit.len > 0 && (f->type == EXPO_INFO || f->type == EXPO_STATESET))
        return "this type has no unit";
    return check_histogram(&f->histogram);
}
