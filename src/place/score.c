// SPDX-License-Identifier: GPL-3.0-or-later
// Scores: less is better. One function for each row of the table.
#include "score.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

// Weights of the departure score: found on the Azure arrivals, see benchmarks/think/packing.py.
#define EXTENSION_WEIGHT 10.0f
#define OUTLIVING_WEIGHT_KNOWN 1.0f
#define OUTLIVING_WEIGHT_GUESSED 0.1f
#define GRACE_S 300.0

static double left_over(const struct place_room *room, int32_t vm, int32_t host)
{
    double sum = 0;
    for (int r = 0; r < PLACE_RESOURCES; r++) {
        double left = place_room_left(room, vm, host, r);
        sum += MAX_OF(left, 0);
    }
    return sum;
}

static double first_fit(const struct scorer *s, int32_t vm, int32_t host)
{
    return host;
}

static double best_fit(const struct scorer *s, int32_t vm, int32_t host)
{
    return left_over(s->room, vm, host);
}

static double worst_fit(const struct scorer *s, int32_t vm, int32_t host)
{
    return -left_over(s->room, vm, host);
}

static double dot_product(const struct scorer *s, int32_t vm, int32_t host)
{
    const struct place_host_room *hr = &s->room->hosts[host];
    const struct place_vector *request = &s->room->s->vms[vm].request;
    double sum = 0;
    for (int r = 0; r < PLACE_RESOURCES; r++)
        sum += (double)request->of[r] * (double)hr->free.of[r] * hr->per_unit[r] * hr->per_unit[r];
    return -sum;
}

// Free CPU that the usual flavours could not use, as a part of the host, weighted by their share.
static double fragments(const struct scorer *s, int32_t host, const struct place_vector *taken)
{
    const struct place_host_room *hr = &s->room->hosts[host];
    double free = (double)(hr->free.of[PLACE_CPU] - taken->of[PLACE_CPU]) * hr->per_unit[PLACE_CPU];
    double sum = 0;
    for (size_t f = 0; f < s->flavours.n; f++) {
        bool fits = true;
        for (int r = 0; r < PLACE_RESOURCES; r++)
            fits &= s->flavours.request[f].of[r] <= hr->free.of[r] - taken->of[r];
        sum += fits ? 0 : s->flavours.share[f] * free;
    }
    return sum;
}

static double fragmentation(const struct scorer *s, int32_t vm, int32_t host)
{
    static const struct place_vector nothing = {0};
    double growth = fragments(s, host, &s->room->s->vms[vm].request) - fragments(s, host, &nothing);
    return growth + 1e-3 * left_over(s->room, vm, host);
}

static double departure(const struct scorer *s, int32_t vm, int32_t host)
{
    const float *empty_by = s->empty_by[host];
    float sum = s->vm_constant;
    for (int g = 0; g < PLACE_OUTLOOK; g++)
        sum += empty_by[g] * s->vm_part[g];
    return (double)sum + left_over(s->room, vm, host);
}

static const struct {
    const char *name;
    double (*of)(const struct scorer *s, int32_t vm, int32_t host);
} scores[PLACE_SCORES] = {
    [PLACE_SCORE_FIRST_FIT] = {"first-fit", first_fit},
    [PLACE_SCORE_BEST_FIT] = {"best-fit", best_fit},
    [PLACE_SCORE_WORST_FIT] = {"worst-fit", worst_fit},
    [PLACE_SCORE_DOT_PRODUCT] = {"dot-product", dot_product},
    [PLACE_SCORE_FRAGMENTATION] = {"fragmentation", fragmentation},
    [PLACE_SCORE_DEPARTURE] = {"departure", departure},
};

const char *place_score_name(enum place_score score)
{
    return scores[score].name;
}

enum place_score place_score_parse(const char *name)
{
    for (int i = 0; i < PLACE_SCORES; i++)
        if (strcmp(scores[i].name, name) == 0)
            return i;
    return PLACE_SCORE_INVALID;
}

// The flavours that occur most often, by counting those met first: enough for a weight.
static void learn_flavours(struct flavours *f, const struct place_snapshot *s)
{
    size_t total = 0;
    for (size_t i = 0; i < s->n_vms; i++) {
        size_t k = 0;
        while (k < f->n && memcmp(&f->request[k], &s->vms[i].request, sizeof(f->request[k])) != 0)
            k++;
        if (k == FLAVOURS_MAX)
            continue;
        if (k == f->n)
            f->request[f->n++] = s->vms[i].request;
        f->share[k]++;
        total++;
    }
    for (size_t k = 0; k < f->n; k++)
        f->share[k] /= (double)total;
}

static void init_weights(struct scorer *s)
{
    double before = 0;
    for (int g = 0; g < PLACE_OUTLOOK; g++) {
        double after = g + 1 < PLACE_OUTLOOK ? (place_outlook_s[g] + place_outlook_s[g + 1]) / 2
                                             : place_outlook_s[g];
        s->weight[g] = (float)log((after + GRACE_S) / (before + GRACE_S));
        before = after;
    }
}

int scorer_init(struct scorer *s, const struct place_room *room, enum place_score score,
                const struct place_lifetimes *lifetimes, const uint32_t *class_of)
{
    *s = (struct scorer){.room = room,
                         .score = score,
                         .lifetimes = lifetimes,
                         .class_of = class_of,
                         .now_s = room->s->now_s,
                         .last_vm = -1};
    if (score == PLACE_SCORE_FRAGMENTATION)
        learn_flavours(&s->flavours, room->s);
    if (score != PLACE_SCORE_DEPARTURE)
        return 0;
    init_weights(s);
    s->empty_by = calloc(room->s->n_hosts + 1, sizeof(*s->empty_by));
    if (!s->empty_by)
        return -ENOMEM;
    scorer_renew(s, room->s->now_s);
    return 0;
}

void scorer_done(struct scorer *s)
{
    free(s->empty_by);
}

static void survival(const struct scorer *s, int32_t vm, float ret[PLACE_OUTLOOK])
{
    const struct place_vm *v = &s->room->s->vms[vm];
    double age_s = isnan(v->started_s) ? 0 : fmax(0, s->now_s - v->started_s);
    if (!isnan(v->ends_s))
        place_outlook_known(v->ends_s - s->now_s, ret);
    else if (s->lifetimes)
        place_lifetimes_survival(s->lifetimes, s->class_of ? s->class_of[vm] : 0, age_s, ret);
    else // the longer it has lived, the longer it will: hazard 1 / (age + GRACE_S)
        for (int g = 0; g < PLACE_OUTLOOK; g++)
            ret[g] = (float)((age_s + GRACE_S) / (age_s + GRACE_S + place_outlook_s[g]));
}

static void count_in(struct scorer *s, int32_t host, const float survives[PLACE_OUTLOOK])
{
    for (int g = 0; g < PLACE_OUTLOOK; g++)
        s->empty_by[host][g] *= 1 - survives[g];
}

// Those of one tenant that began at once end together: only the first of them on a host counts.
struct sibling {
    int32_t host;
    const char *tenant;
    double started_s;
    int32_t vm;
};

static int by_host_and_batch(const void *a, const void *b)
{
    const struct sibling *x = a, *y = b;
    if (x->host != y->host)
        return x->host < y->host ? -1 : 1;
    int by_name = strcmp(x->tenant ? x->tenant : "", y->tenant ? y->tenant : "");
    if (by_name != 0)
        return by_name;
    if (x->started_s != y->started_s && !isnan(x->started_s) && !isnan(y->started_s))
        return x->started_s < y->started_s ? -1 : 1;
    return x->vm < y->vm ? -1 : x->vm > y->vm;
}

static bool is_sibling(const struct place_vm *a, const struct place_vm *b)
{
    return a->tenant && a->tenant == b->tenant && a->started_s == b->started_s &&
           memcmp(&a->request, &b->request, sizeof(a->request)) == 0;
}

void scorer_renew(struct scorer *s, double now_s)
{
    s->now_s = now_s;
    if (!s->empty_by)
        return;
    const struct place_snapshot *snapshot = s->room->s;
    for (size_t h = 0; h < snapshot->n_hosts; h++)
        for (int g = 0; g < PLACE_OUTLOOK; g++)
            s->empty_by[h][g] = 1;
    CLEANUP(freep) struct sibling *placed = calloc(snapshot->n_vms + 1, sizeof(*placed));
    size_t n = 0;
    for (size_t i = 0; placed && i < snapshot->n_vms; i++)
        if (s->room->host_of[i] >= 0)
            placed[n++] = (struct sibling){s->room->host_of[i], snapshot->vms[i].tenant,
                                           snapshot->vms[i].started_s, (int32_t)i};
    if (n > 0)
        qsort(placed, n, sizeof(*placed), by_host_and_batch);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && placed[i].host == placed[i - 1].host &&
            is_sibling(&snapshot->vms[placed[i].vm], &snapshot->vms[placed[i - 1].vm]))
            continue;
        float survives[PLACE_OUTLOOK];
        survival(s, placed[i].vm, survives);
        count_in(s, placed[i].host, survives);
    }
}

void scorer_vm(struct scorer *s, int32_t vm)
{
    if (!s->empty_by)
        return;
    survival(s, vm, s->survival);
    float outliving =
        isnan(s->room->s->vms[vm].ends_s) ? OUTLIVING_WEIGHT_GUESSED : OUTLIVING_WEIGHT_KNOWN;
    s->vm_constant = 0;
    for (int g = 0; g < PLACE_OUTLOOK; g++) {
        float gone = outliving * (1 - s->survival[g]);
        s->vm_part[g] = s->weight[g] * (EXTENSION_WEIGHT * s->survival[g] - gone);
        s->vm_constant += s->weight[g] * gone;
    }
}

double scorer_host(const struct scorer *s, int32_t vm, int32_t host)
{
    return scores[s->score].of(s, vm, host);
}

void scorer_put(struct scorer *s, int32_t vm, int32_t host)
{
    if (!s->empty_by)
        return;
    const struct place_vm *vms = s->room->s->vms;
    bool counted =
        s->last_vm >= 0 && s->last_host == host && is_sibling(&vms[vm], &vms[s->last_vm]);
    s->last_vm = vm;
    s->last_host = host;
    if (counted)
        return;
    survival(s, vm, s->survival);
    count_in(s, host, s->survival);
}
