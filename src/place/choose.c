// SPDX-License-Identifier: GPL-3.0-or-later
// Hosts stand in buckets by the part of their CPU limit that is free; those without VMs in a bucket
// of their own, the last. Best fit walks upwards and stops where no better score can come, worst
// fit downwards; the other scores look at every host that has room.
#include "place/choose.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "score.h"

#define BUCKETS 256
#define EMPTY BUCKETS

struct bucket {
    int32_t *hosts;
    size_t n, cap;
};

struct place_chooser {
    struct place_room *room;
    struct scorer scorer;
    struct place_allow allow;
    struct bucket buckets[BUCKETS + 1];
    int32_t *bucket_of; // by host
    uint32_t *slot_of;
    uint32_t *seen; // by class of hosts: number of the choice that met one last
    uint32_t choice;
    struct place_vector largest; // limit of the largest host, by resource
    int n_resources;             // that any host has
    int32_t excluded;            // takes nobody, -1 none
    bool one_size;               // all hosts have these limits
};

static int bucket_for(const struct place_chooser *c, int32_t host)
{
    const struct place_host_room *hr = &c->room->hosts[host];
    if (hr->n_vms == 0)
        return EMPTY;
    double left = 1;
    for (int r = 0; r < PLACE_RESOURCES; r++)
        if (hr->limit.of[r] > 0)
            left = MIN_OF(left, (double)hr->free.of[r] * hr->per_unit[r]);
    return left <= 0 ? 0 : left >= 1 ? BUCKETS - 1 : (int)(left * BUCKETS);
}

static void enter(struct place_chooser *c, int32_t host)
{
    int at = bucket_for(c, host);
    struct bucket *b = &c->buckets[at];
    mem_grow(&b->hosts, &b->cap, b->n, sizeof(*b->hosts));
    c->bucket_of[host] = at;
    c->slot_of[host] = (uint32_t)b->n;
    b->hosts[b->n++] = host;
}

static void leave(struct place_chooser *c, int32_t host)
{
    struct bucket *b = &c->buckets[c->bucket_of[host]];
    int32_t last = b->hosts[--b->n];
    b->hosts[c->slot_of[host]] = last;
    c->slot_of[last] = c->slot_of[host];
}

static void moved(struct place_chooser *c, int32_t host)
{
    if (bucket_for(c, host) == c->bucket_of[host])
        return;
    leave(c, host);
    enter(c, host);
}

static void measure(struct place_chooser *c)
{
    const struct place_room *room = c->room;
    c->one_size = true;
    for (size_t i = 0; i < room->s->n_hosts; i++) {
        for (int r = 0; r < PLACE_RESOURCES; r++) {
            c->one_size &= room->hosts[i].limit.of[r] == room->hosts[0].limit.of[r];
            c->largest.of[r] = MAX_OF(c->largest.of[r], room->hosts[i].limit.of[r]);
        }
    }
    for (int r = 0; r < PLACE_RESOURCES; r++)
        c->n_resources += c->largest.of[r] > 0;
}

struct place_chooser *place_chooser_new(struct place_room *room, enum place_score score,
                                        const struct place_allow *allow,
                                        const struct place_lifetimes *lifetimes,
                                        const uint32_t *class_of)
{
    struct place_chooser *c = mem_zalloc(sizeof(*c));
    size_t n = room->s->n_hosts;
    c->room = room;
    c->excluded = -1;
    c->allow = allow ? *allow : (struct place_allow){0};
    c->bucket_of = calloc(n + 1, sizeof(*c->bucket_of));
    c->slot_of = calloc(n + 1, sizeof(*c->slot_of));
    c->seen = calloc(room->n_classes + 1, sizeof(*c->seen));
    if (!c->bucket_of || !c->slot_of || !c->seen ||
        scorer_init(&c->scorer, room, score, lifetimes, class_of) < 0) {
        place_chooser_free(c);
        return NULL;
    }
    measure(c);
    for (size_t i = n; i-- > 0;)
        enter(c, (int32_t)i);
    return c;
}

void place_chooser_free(struct place_chooser *c)
{
    if (!c)
        return;
    for (int b = 0; b <= BUCKETS; b++)
        free(c->buckets[b].hosts);
    scorer_done(&c->scorer);
    free(c->bucket_of);
    free(c->slot_of);
    free(c->seen);
    free(c);
}

void place_chooser_exclude(struct place_chooser *c, int32_t host)
{
    c->excluded = host;
}

void place_chooser_renew(struct place_chooser *c, double now_s)
{
    scorer_renew(&c->scorer, now_s);
}

struct best {
    int32_t host;
    double score;
};

static void consider(struct place_chooser *c, int32_t vm, int32_t host, struct best *best)
{
    if (host == c->excluded || !place_filter_host(c->room, vm, host, &c->allow, NULL))
        return;
    double score = scorer_host(&c->scorer, vm, host);
    if (best->host < 0 || score < best->score || (score == best->score && host < best->host))
        *best = (struct best){host, score};
}

// Empty hosts of a class are alike unless a group tells them apart; the lowest number is taken.
static void consider_empty(struct place_chooser *c, int32_t vm, struct best *best)
{
    const struct bucket *b = &c->buckets[EMPTY];
    const struct place_vm *v = &c->room->s->vms[vm];
    bool alike =
        v->affinity < 0 && v->anti_affinity < 0 && c->scorer.score != PLACE_SCORE_FIRST_FIT;
    c->choice++;
    for (size_t i = b->n; i-- > 0;) {
        uint32_t *seen = &c->seen[c->room->hosts[b->hosts[i]].class_id];
        if (b->hosts[i] == c->excluded || (alike && *seen == c->choice))
            continue;
        consider(c, vm, b->hosts[i], best);
        *seen = c->choice;
    }
}

// The least, and the sum, over resources of what a VM asks as a part of the largest host.
static void asked_parts(const struct place_chooser *c, int32_t vm, double *ret_least,
                        double *ret_sum)
{
    const struct place_vector *request = &c->room->s->vms[vm].request;
    *ret_least = 1;
    *ret_sum = 0;
    for (int r = 0; r < PLACE_RESOURCES; r++) {
        if (c->largest.of[r] == 0)
            continue;
        double asked = (double)request->of[r] / (double)c->largest.of[r];
        *ret_least = MIN_OF(*ret_least, asked);
        *ret_sum += asked;
    }
}

int32_t place_choose(struct place_chooser *c, int32_t vm)
{
    struct best best = {-1, 0};
    double least, sum;
    asked_parts(c, vm, &least, &sum);
    scorer_vm(&c->scorer, vm);
    // Hosts of equal size lose the same parts to a request, which bounds what best fit can reach.
    bool may_stop = c->scorer.score == PLACE_SCORE_BEST_FIT && c->one_size;
    for (int b = MIN_OF((int)(least * BUCKETS), BUCKETS - 1); b < BUCKETS; b++) {
        if (best.host >= 0 && may_stop && c->n_resources * (double)b / BUCKETS - sum > best.score)
            break;
        for (size_t i = 0; i < c->buckets[b].n; i++)
            consider(c, vm, c->buckets[b].hosts[i], &best);
    }
    bool spreads =
        c->scorer.score == PLACE_SCORE_WORST_FIT || c->scorer.score == PLACE_SCORE_DOT_PRODUCT;
    if (best.host < 0 || spreads || c->scorer.score == PLACE_SCORE_FIRST_FIT)
        consider_empty(c, vm, &best);
    return best.host;
}

void place_chooser_put(struct place_chooser *c, int32_t vm, int32_t host)
{
    scorer_put(&c->scorer, vm, host);
    place_room_put(c->room, vm, host);
    moved(c, host);
}

void place_chooser_take(struct place_chooser *c, int32_t vm)
{
    int32_t host = c->room->host_of[vm];
    place_room_take(c->room, vm);
    moved(c, host);
}

// Running hosts before empty ones, unless the score is to spread or to go by number.
static int by_merit(const void *a, const void *b)
{
    const struct place_candidate *x = a, *y = b;
    if (x->fits != y->fits)
        return x->fits ? -1 : 1;
    if (x->fits && x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return x->host < y->host ? -1 : x->host > y->host;
}

void place_candidates(struct place_chooser *c, int32_t vm, struct place_candidate *ret)
{
    size_t n = c->room->s->n_hosts;
    scorer_vm(&c->scorer, vm);
    for (size_t i = 0; i < n; i++) {
        struct place_candidate *k = &ret[i];
        *k = (struct place_candidate){.host = (int32_t)i};
        k->fits = place_filter_host(c->room, vm, k->host, &c->allow, &k->refusal);
        if (k->fits)
            k->score = scorer_host(&c->scorer, vm, k->host);
        for (int r = 0; r < PLACE_RESOURCES; r++)
            k->left[r] = place_room_left(c->room, vm, k->host, r);
    }
    qsort(ret, n, sizeof(*ret), by_merit);
    int32_t chosen = place_choose(c, vm);
    for (size_t i = 0; i < n && chosen >= 0; i++) {
        if (ret[i].host != chosen)
            continue;
        struct place_candidate first = ret[i];
        for (; i > 0; i--)
            ret[i] = ret[i - 1];
        ret[0] = first;
        break;
    }
}

struct sized {
    int32_t vm;
    size_t place;
    double size;
};

static int larger_first(const void *a, const void *b)
{
    const struct sized *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->vm < y->vm ? -1 : x->vm > y->vm;
}

static double size_of(const struct place_vector *request, const struct place_vector *largest)
{
    double size = 0;
    for (int r = 0; r < PLACE_RESOURCES; r++)
        if (largest->of[r] > 0)
            size = fmax(size, (double)request->of[r] / (double)largest->of[r]);
    return size;
}

size_t place_many(struct place_chooser *c, const int32_t *vms, size_t n, int32_t *ret_hosts)
{
    CLEANUP(freep) struct sized *sized = calloc(n + 1, sizeof(*sized));
    for (size_t i = 0; i < n; i++) {
        ret_hosts[i] = -1;
        if (sized)
            sized[i] =
                (struct sized){vms[i], i, size_of(&c->room->s->vms[vms[i]].request, &c->largest)};
    }
    if (sized && n > 0)
        qsort(sized, n, sizeof(*sized), larger_first);
    size_t placed = 0;
    for (size_t i = 0; sized && i < n; i++) {
        int32_t host = place_choose(c, sized[i].vm);
        if (host < 0)
            continue;
        place_chooser_put(c, sized[i].vm, host);
        ret_hosts[sized[i].place] = host;
        placed++;
    }
    return placed;
}
