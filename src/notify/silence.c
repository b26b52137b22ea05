// SPDX-License-Identifier: GPL-3.0-or-later
// What keeps an alert from being told: silences, and other alerts.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

// Shown for so long after their end.
#define KEPT_MS (5 * 24 * 3600 * MS_PER_S)
#define SILENCES_MAX 10000
#define TEXT_MAX 4096

static void silence_free(struct silence *s)
{
    if (!s)
        return;
    matchers_done(&s->matchers);
    free(s->id);
    free(s->text);
    free(s->author);
    free(s->comment);
    free(s);
}

void silences_clear(struct notify *n)
{
    for (size_t i = 0; i < n->n_silences; i++)
        silence_free(n->silence[i]);
    free(n->silence);
    n->silence = NULL;
    n->n_silences = n->cap_silences = 0;
}

const struct silence *silence_of(const struct notify *n, const struct labels *l, int64_t now_ms)
{
    for (size_t i = 0; i < n->n_silences; i++) {
        const struct silence *s = n->silence[i];
        if (s->starts_ms <= now_ms && now_ms < s->ends_ms && matchers_match(&s->matchers, l))
            return s;
    }
    return NULL;
}

void silences_schedule(struct notify *n, int64_t now_ms)
{
    n->next_silence_ms = INT64_MAX;
    for (size_t i = 0; i < n->n_silences; i++) {
        const int64_t times[] = {n->silence[i]->starts_ms, n->silence[i]->ends_ms,
                                 n->silence[i]->ends_ms + KEPT_MS};
        for (size_t k = 0; k < ARRAY_LEN(times); k++)
            if (times[k] > now_ms)
                n->next_silence_ms = MIN_OF(n->next_silence_ms, times[k]);
    }
}

void silences_sweep(struct notify *n, int64_t now_ms)
{
    size_t kept = 0;
    if (now_ms < n->next_silence_ms)
        return;
    for (size_t i = 0; i < n->n_silences; i++) {
        if (n->silence[i]->ends_ms + KEPT_MS > now_ms) {
            n->silence[kept++] = n->silence[i];
            continue;
        }
        keep_remove(n, "silence", mem_strdup(n->silence[i]->id));
        silence_free(n->silence[i]);
    }
    n->n_silences = kept;
    silences_schedule(n, now_ms);
    groups_touch_suppressed(n, now_ms);
}

static struct silence *add(struct notify *n, const char *id, const struct notify_silence *from,
                           struct err *err)
{
    struct silence *s = mem_zalloc(sizeof(*s));
    if (matchers_add(&s->matchers, from->matchers, err) < 0) {
        silence_free(s);
        return NULL;
    }
    s->id = mem_strdup(id);
    s->text = mem_strdup(from->matchers);
    s->author = mem_strdup(from->author);
    s->comment = mem_strdup(from->comment);
    s->starts_ms = from->starts_ms;
    s->ends_ms = from->ends_ms;
    mem_grow(&n->silence, &n->cap_silences, n->n_silences, sizeof(*n->silence));
    n->silence[n->n_silences++] = s;
    return s;
}

int silence_load(struct notify *n, const char *id, const json_t *j)
{
    const char *matchers = NULL, *author = "", *comment = "";
    json_int_t starts = 0, ends = 0;
    struct err err = {0};
    if (json_unpack((json_t *)j, "{s:s, s?s, s?s, s:I, s:I}", "matchers", &matchers, "author",
                    &author, "comment", &comment, "starts", &starts, "ends", &ends) < 0)
        return -EPROTO;
    const struct notify_silence s = {id, matchers, author, comment, starts, ends};
    return add(n, id, &s, &err) ? 0 : -EPROTO;
}

static int check(const struct notify *n, const struct notify_silence *from, int64_t now_ms,
                 struct err *err)
{
    struct matchers m = {0};
    if (n->n_silences == SILENCES_MAX)
        return err_set(err, EINVAL, "there are %d silences already", SILENCES_MAX);
    if (strlen(from->author) > TEXT_MAX || strlen(from->comment) > TEXT_MAX)
        return err_set(err, EINVAL, "author or comment is too long");
    if (from->ends_ms <= MAX_OF(from->starts_ms, now_ms))
        return err_set(err, EINVAL, "a silence must end later than it begins, and than now");
    int r = matchers_add(&m, from->matchers, err);
    if (r == 0 && matchers_match_nothing_set(&m))
        r = err_set(err, EINVAL,
                    "this would silence every alert that lacks these labels; say "
                    "at least one value that is not empty");
    matchers_done(&m);
    return r;
}

static int count_firing(const struct notify *n, const struct matchers *m)
{
    size_t cursor = 0;
    const struct entry *e;
    int found = 0;
    while ((e = map_next(n->entries, &cursor)))
        found += !e->is_resolved && matchers_match(m, e->alert.labels);
    return found;
}

int notify_silence_try(const struct notify *n, const struct notify_silence *from, int64_t now_ms,
                       struct err *err)
{
    struct matchers m = {0};
    int r = check(n, from, now_ms, err);
    if (r == 0)
        r = matchers_add(&m, from->matchers, err);
    if (r == 0)
        r = count_firing(n, &m);
    matchers_done(&m);
    return r;
}

int notify_silence_add(struct notify *n, const struct notify_silence *from, int64_t now_ms,
                       char **ret_id, struct err *err)
{
    int r = check(n, from, now_ms, err);
    if (r < 0)
        return r;
    CLEANUP(freep) char *id = mem_printf("%s-s%" PRIu64, n->instance, n->last_number + 1);
    struct silence *s = add(n, id, from, err);
    if (!s)
        return -EINVAL;
    n->last_number++;
    keep_number(n);
    keep_silence(n, s);
    silences_schedule(n, now_ms);
    groups_touch_suppressed(n, now_ms);
    *ret_id = TAKE_PTR(id);
    return 0;
}

static struct silence *find(const struct notify *n, const char *id, int64_t now_ms)
{
    for (size_t i = 0; i < n->n_silences; i++)
        if (strcmp(n->silence[i]->id, id) == 0 && n->silence[i]->ends_ms > now_ms)
            return n->silence[i];
    return NULL;
}

int notify_silence_find(const struct notify *n, const char *id, int64_t now_ms)
{
    return find(n, id, now_ms) ? 0 : -ENOENT;
}

int notify_silence_expire(struct notify *n, const char *id, int64_t now_ms)
{
    struct silence *s = find(n, id, now_ms);
    if (!s)
        return -ENOENT;
    s->ends_ms = now_ms;
    s->starts_ms = MIN_OF(s->starts_ms, now_ms);
    keep_silence(n, s);
    silences_schedule(n, now_ms);
    groups_touch_suppressed(n, now_ms);
    return 0;
}

// Inhibition

static bool equal(const struct conf_list *names, const struct labels *a, const struct labels *b)
{
    for (size_t i = 0; i < names->n; i++) {
        const char *x = labels_get(a, names->items[i]), *y = labels_get(b, names->items[i]);
        if (strcmp(x ? x : "", y ? y : "") != 0)
            return false;
    }
    return true;
}

// As in Alertmanager: what is source and target of the same rule is not inhibited by its like.
static const struct entry *source_of(const struct notify *n, const struct inhibition *rule,
                                     const struct entry *e)
{
    const struct labels *target = e->alert.labels;
    bool is_both = matchers_match(&rule->source, target);
    size_t cursor = 0;
    const struct entry *other;
    while ((other = map_next(n->entries, &cursor))) {
        const struct labels *l = other->alert.labels;
        if (other != e && !other->is_resolved && matchers_match(&rule->source, l) &&
            equal(&rule->equal, l, target) && !(is_both && matchers_match(&rule->target, l)))
            return other;
    }
    return NULL;
}

const struct entry *inhibitor_of(const struct notify *n, const struct entry *e)
{
    for (size_t i = 0; i < n->plan->n_inhibit; i++) {
        const struct inhibition *rule = &n->plan->inhibit[i];
        if (!matchers_match(&rule->target, e->alert.labels))
            continue;
        const struct entry *source = source_of(n, rule, e);
        if (source)
            return source;
    }
    return NULL;
}

// Alerts that fire, by a fingerprint or matchers: call `each`, count them, or -EINVAL.
static int each_named(const struct notify *n, const char *alerts,
                      void (*each)(void *arg, struct entry *e), void *arg, struct err *err)
{
    struct matchers m = {0};
    char *end = NULL;
    uint64_t fingerprint = strtoull(alerts, &end, 16);
    bool is_one = strlen(alerts) == 16 && !*end;
    int found = 0;
    if (!is_one && matchers_add(&m, alerts, err) < 0)
        return -EINVAL;
    size_t cursor = 0;
    struct entry *e;
    while ((e = map_next(n->entries, &cursor))) {
        if (e->is_resolved ||
            (is_one ? e->alert.fingerprint != fingerprint : !matchers_match(&m, e->alert.labels)))
            continue;
        if (each)
            each(arg, e);
        found++;
    }
    matchers_done(&m);
    return found;
}

int notify_ack_try(const struct notify *n, const char *alerts, struct err *err)
{
    return each_named(n, alerts, NULL, NULL, err);
}

struct ack {
    struct notify *n;
    const char *author, *comment;
    int64_t now_ms;
};

static void acknowledge(void *arg, struct entry *e)
{
    const struct ack *ack = arg;
    mem_strset(&e->ack_author, ack->author);
    mem_strset(&e->ack_comment, ack->comment);
    e->ack_ms = ack->now_ms;
    keep_entry(ack->n, e);
}

int notify_ack(struct notify *n, const char *alerts, const char *author, const char *comment,
               int64_t now_ms, struct err *err)
{
    struct ack ack = {n, author, comment, now_ms};
    return each_named(n, alerts, acknowledge, &ack, err);
}

bool notify_has_receiver(const struct notify *n, const char *name)
{
    return plan_receiver(n->plan, name) < n->plan->n_receivers;
}
