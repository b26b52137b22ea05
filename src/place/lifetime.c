// SPDX-License-Identifier: GPL-3.0-or-later
// Invariant: classes[0] is that of all VMs; a parent stands before its children, so that one pass
// in order renews them all.
#include "place/lifetime.h"

#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

#define BINS 40
#define PRIOR_ENDS 3.0 // as if so many ends had been seen at the parent's rate
#define PRIOR_AGE_S 300.0
#define CLASSES_MAX 100000

struct class
{
    int32_t parent;
    double ends[BINS], exposure_s[BINS]; // of VMs that have ended
    double running_s[BINS];              // of those that run
    double hazard[BINS];                 // per second
};

struct place_lifetimes {
    double border_s[BINS + 1];
    struct class *classes;
    size_t n, cap;
    struct map *by_key;
};

// 150 s × 1.21^g.
const double place_outlook_s[PLACE_OUTLOOK] = {
    150,     181.5,   219.615, 265.734, 321.538, 389.061, 470.764, 569.625,     689.246, 833.988,
    1009.12, 1221.04, 1477.46, 1787.73, 2163.15, 2617.41, 3167.07, 3832.15,     4636.9,  5610.65,
    6788.89, 8214.55, 9939.61, 12026.9, 14552.6, 17608.6, 21306.4, 25780.8,     31194.8, 37745.7,
    45672.2, 55263.4, 66868.7, 80911.2, 97902.5, 118462,  143339,  173440,      209863,  253934,
    307260,  371785,  449859,  544330,  658639,  796953,  964314,  1.16682e+06,
};

static void renew(struct place_lifetimes *l, struct class *c)
{
    for (int b = 0; b < BINS; b++) {
        double before =
            c->parent >= 0 ? l->classes[c->parent].hazard[b]
                           : 1 / (MIN_OF(l->border_s[b + 1], 2 * l->border_s[b] + PRIOR_AGE_S) / 2 +
                                  l->border_s[b] / 2 + PRIOR_AGE_S);
        c->hazard[b] =
            (c->ends[b] + PRIOR_ENDS) / (c->exposure_s[b] + c->running_s[b] + PRIOR_ENDS / before);
    }
}

static uint32_t class_add(struct place_lifetimes *l, int32_t parent)
{
    mem_grow(&l->classes, &l->cap, l->n, sizeof(*l->classes));
    l->classes[l->n] = (struct class){.parent = parent};
    renew(l, &l->classes[l->n]);
    return (uint32_t)l->n++;
}

struct place_lifetimes *place_lifetimes_new(void)
{
    struct place_lifetimes *l = mem_zalloc(sizeof(*l));
    // Twelve bins of 5 minutes, then growing by a quarter.
    for (int b = 0; b <= BINS; b++)
        l->border_s[b] = b <= 12 ? b * 300.0 : l->border_s[b - 1] * 1.26;
    l->border_s[BINS] = INFINITY;
    l->by_key = map_new();
    class_add(l, -1);
    return l;
}

void place_lifetimes_free(struct place_lifetimes *l)
{
    if (!l)
        return;
    map_free(l->by_key);
    free(l->classes);
    free(l);
}

static uint32_t child(struct place_lifetimes *l, uint32_t parent, uint64_t name)
{
    struct {
        uint64_t parent, name;
    } key = {parent, name};
    uintptr_t known = (uintptr_t)map_get(l->by_key, &key, sizeof(key));
    if (known)
        return (uint32_t)(known - 1);
    if (l->n == CLASSES_MAX)
        return parent;
    uint32_t made = class_add(l, (int32_t)parent);
    map_put(l->by_key, &key, sizeof(key), (void *)((uintptr_t)made + 1));
    return made;
}

uint32_t place_lifetimes_class(struct place_lifetimes *l, uint64_t flavour, uint64_t origin)
{
    return child(l, child(l, 0, flavour), origin);
}

static void expose(const struct place_lifetimes *l, double seconds[BINS], double age_s)
{
    for (int b = 0; b < BINS && l->border_s[b] < age_s; b++)
        seconds[b] += MIN_OF(age_s, l->border_s[b + 1]) - l->border_s[b];
}

static int bin_of(const struct place_lifetimes *l, double age_s)
{
    int b = 0;
    while (b < BINS - 1 && l->border_s[b + 1] < age_s)
        b++;
    return b;
}

void place_lifetimes_ended(struct place_lifetimes *l, uint32_t class_id, double age_s)
{
    for (int32_t i = (int32_t)class_id; i >= 0; i = l->classes[i].parent) {
        expose(l, l->classes[i].exposure_s, age_s);
        l->classes[i].ends[bin_of(l, age_s)]++;
    }
}

void place_lifetimes_renew_begin(struct place_lifetimes *l)
{
    for (size_t i = 0; i < l->n; i++)
        for (int b = 0; b < BINS; b++)
            l->classes[i].running_s[b] = 0;
}

void place_lifetimes_running(struct place_lifetimes *l, uint32_t class_id, double age_s)
{
    expose(l, l->classes[class_id].running_s, age_s);
}

void place_lifetimes_renew_end(struct place_lifetimes *l)
{
    for (size_t i = l->n; i-- > 1;)
        for (int b = 0; b < BINS; b++)
            l->classes[l->classes[i].parent].running_s[b] += l->classes[i].running_s[b];
    for (size_t i = 0; i < l->n; i++)
        renew(l, &l->classes[i]);
}

void place_lifetimes_survival(const struct place_lifetimes *l, uint32_t class_id, double age_s,
                              float ret[PLACE_OUTLOOK])
{
    const struct class *c = &l->classes[class_id];
    int b = bin_of(l, age_s);
    double at = age_s, cumulative = 0;
    for (int g = 0; g < PLACE_OUTLOOK; g++) {
        double to = age_s + place_outlook_s[g];
        for (; l->border_s[b + 1] < to; b++) {
            cumulative += c->hazard[b] * (l->border_s[b + 1] - at);
            at = l->border_s[b + 1];
        }
        cumulative += c->hazard[b] * (to - at);
        at = to;
        ret[g] = expf((float)-cumulative);
    }
}

void place_outlook_known(double left_s, float ret[PLACE_OUTLOOK])
{
    for (int g = 0; g < PLACE_OUTLOOK; g++)
        ret[g] = place_outlook_s[g] < left_s ? 1 : 0;
}

double place_outlook_median_s(const float survival[PLACE_OUTLOOK])
{
    double t = 0, s = 1;
    for (int g = 0; g < PLACE_OUTLOOK; g++) {
        if (survival[g] <= 0.5f)
            return t + (place_outlook_s[g] - t) * (s - 0.5) / (s - (double)survival[g]);
        t = place_outlook_s[g];
        s = (double)survival[g];
    }
    return INFINITY;
}
