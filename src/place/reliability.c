// SPDX-License-Identifier: GPL-3.0-or-later
#include "place/reliability.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/draw.h"
#include "base/mem.h"

struct reliability reliability_estimate(unsigned failures, double up_s, double down_s)
{
    if (failures == 0)
        return (struct reliability){INFINITY, 0};
    return (struct reliability){up_s / failures, down_s / failures};
}

double reliability_availability(const struct reliability *r)
{
    return isinf(r->mtbf_seconds) ? 1 : r->mtbf_seconds / (r->mtbf_seconds + r->mttr_seconds);
}

double reliability_survival(const struct reliability *r, double seconds)
{
    return exp(-seconds / r->mtbf_seconds);
}

// Chances of 0, 1, … replicas being up, one place after the other. `chance` has room for all.
static void add_place(double *chance, int *n, int replicas, double up)
{
    for (int i = *n + replicas; i >= 0; i--) {
        double without = i <= *n ? chance[i] * (1 - up) : 0;
        double with = i >= replicas && i - replicas <= *n ? chance[i - replicas] * up : 0;
        chance[i] = without + with;
    }
    *n += replicas;
}

static double at_least(const double *chance, int n, int k)
{
    double sum = 0;
    for (int i = MAX_OF(k, 0); i <= n; i++)
        sum += chance[i];
    return MIN_OF(sum, 1.0);
}

double reliability_k_of_n(int k, int n, double availability)
{
    CLEANUP(freep) double *chance = calloc((size_t)n + 1, sizeof(*chance));
    int counted = 0;
    if (!chance)
        return NAN;
    chance[0] = 1;
    for (int i = 0; i < n; i++)
        add_place(chance, &counted, 1, availability);
    return at_least(chance, n, k);
}

double reliability_group(const struct reliability_place *places, size_t n, int k)
{
    int all = 0, counted = 0;
    for (size_t i = 0; i < n; i++)
        all += places[i].replicas;
    CLEANUP(freep) double *chance = calloc((size_t)all + 1, sizeof(*chance));
    if (!chance)
        return NAN;
    chance[0] = 1;
    for (size_t i = 0; i < n; i++)
        add_place(chance, &counted, places[i].replicas, reliability_availability(&places[i].fails));
    return at_least(chance, counted, k);
}

struct flip {
    double at_s;
    bool up;
};

static double next_flip(struct prng *p, const struct reliability *r, bool up)
{
    return draw_exponential(p, up ? r->mtbf_seconds : r->mttr_seconds);
}

double reliability_simulate(struct prng *p, const struct reliability_place *places, size_t n, int k,
                            double years)
{
    CLEANUP(freep) struct flip *flips = calloc(n + 1, sizeof(*flips));
    double now_s = 0, up_s = 0, end_s = years * SECONDS_PER_YEAR;
    int up = 0;
    if (!flips)
        return NAN;
    for (size_t i = 0; i < n; i++) {
        flips[i] = (struct flip){next_flip(p, &places[i].fails, true), true};
        up += places[i].replicas;
    }
    while (now_s < end_s && n > 0) {
        size_t first = 0;
        for (size_t i = 1; i < n; i++)
            if (flips[i].at_s < flips[first].at_s)
                first = i;
        double at_s = fmin(flips[first].at_s, end_s);
        up_s += up >= k ? at_s - now_s : 0;
        now_s = at_s;
        flips[first].up = !flips[first].up;
        up += flips[first].up ? places[first].replicas : -places[first].replicas;
        flips[first].at_s += next_flip(p, &places[first].fails, flips[first].up);
    }
    return up_s / end_s;
}

static struct reliability of_host(const struct place_host *h,
                                  const struct reliability_defaults *defaults)
{
    struct reliability r = defaults->host;
    if (!isnan(h->mtbf_seconds))
        r.mtbf_seconds = h->mtbf_seconds;
    if (!isnan(h->mttr_seconds))
        r.mttr_seconds = h->mttr_seconds;
    return r;
}

void reliability_of_placement(const struct place_room *room,
                              const struct reliability_defaults *defaults,
                              struct reliability_placement *ret)
{
    struct reliability_placement sum = {.spread_score = 1};
    int32_t most = 0;
    double all = 0, score = 0;
    size_t groups = 0;
    for (size_t i = 0; i < room->s->n_hosts; i++) {
        int32_t n = room->hosts[i].n_vms;
        struct reliability r = of_host(&room->s->hosts[i], defaults);
        if (n == 0)
            continue;
        double per_year = SECONDS_PER_YEAR / (r.mtbf_seconds + r.mttr_seconds);
        sum.failures_per_year += per_year;
        sum.vm_failures_per_year += per_year * n;
        sum.vm_downtime_s_per_year += per_year * n * fmin(r.mttr_seconds, defaults->restart_s);
        most = MAX_OF(most, n);
        all += n;
    }
    sum.worst_host_share_ratio = all > 0 ? most / all : 0;
    for (size_t g = 0; g < room->s->n_groups; g++) {
        struct reliability_group_report report;
        if (room->s->groups[g].kind != PLACE_APART ||
            reliability_of_group(room, (int32_t)g, 1, defaults, &report) < 0)
            continue;
        score += report.spread_score;
        groups++;
    }
    if (groups > 0)
        sum.spread_score = score / (double)groups;
    *ret = sum;
}

// The group's replicas by host; NULL where none is placed. The caller frees it.
static struct reliability_place *places_of(const struct place_room *room, int32_t group,
                                           const struct reliability_defaults *defaults,
                                           size_t *ret_n)
{
    struct reliability_place *places = NULL;
    int32_t *host = NULL;
    size_t n = 0, cap = 0, cap_host = 0;
    for (size_t i = 0; i < room->s->n_vms; i++) {
        int32_t at = room->host_of[i];
        if (room->s->vms[i].anti_affinity != group || at < 0)
            continue;
        size_t k = 0;
        while (k < n && host[k] != at)
            k++;
        if (k == n) {
            mem_grow(&places, &cap, n, sizeof(*places));
            mem_grow(&host, &cap_host, n, sizeof(*host));
            host[n] = at;
            places[n++] = (struct reliability_place){of_host(&room->s->hosts[at], defaults), 0};
        }
        places[k].replicas++;
    }
    free(host);
    *ret_n = n;
    return places;
}

static double spread(int replicas, int largest, size_t n_hosts)
{
    int even = (int)((replicas + (int)n_hosts - 1) / (int)n_hosts);
    return replicas > even ? (double)(replicas - largest) / (replicas - even) : 1;
}

int reliability_of_group(const struct place_room *room, int32_t group, int needed,
                         const struct reliability_defaults *defaults,
                         struct reliability_group_report *ret)
{
    size_t n;
    CLEANUP(freep) struct reliability_place *places = places_of(room, group, defaults, &n);
    struct reliability_group_report r = {.needed = needed};
    int largest = 0;
    double availability = 0;
    if (!places)
        return -ENOENT;
    for (size_t i = 0; i < n; i++) {
        r.replicas += places[i].replicas;
        largest = MAX_OF(largest, places[i].replicas);
        availability += reliability_availability(&places[i].fails) / (double)n;
    }
    r.availability_ratio = reliability_group(places, n, needed);
    r.best_ratio = reliability_k_of_n(needed, r.replicas, availability);
    r.downtime_s_per_year = (1 - r.availability_ratio) * SECONDS_PER_YEAR;
    r.spread_score = spread(r.replicas, largest, room->s->n_hosts);
    *ret = r;
    return 0;
}
