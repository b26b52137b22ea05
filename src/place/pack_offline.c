// SPDX-License-Identifier: GPL-3.0-or-later
// Static packing: bins are filled one after the other by the VM that suits best what is left (bin
// centric, Panigrahy et al. 2011), then emptied by moving and exchanging VMs.
#include "place/pack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"

static const char *const generator_names[PLACE_GENERATORS] = {
    [PLACE_GENERATE_UNIFORM] = "uniform",
    [PLACE_GENERATE_CORRELATED] = "correlated",
    [PLACE_GENERATE_ANTI] = "anti-correlated",
    [PLACE_GENERATE_FLAVOURS] = "flavours",
};

const char *place_generator_name(enum place_generator g)
{
    return generator_names[g];
}

static const struct place_vector generated_host = {
    .of = {[PLACE_CPU] = 64 * PLACE_CPU_UNIT, [PLACE_MEMORY] = INT64_C(256) << 30}};

static void draw_uniform(struct prng *p, double *cpu, double *memory)
{
    *cpu = 0.01 + 0.24 * prng_double(p);
    *memory = 0.01 + 0.24 * prng_double(p);
}

static void draw_correlated(struct prng *p, double *cpu, double *memory)
{
    *cpu = 0.01 + 0.24 * prng_double(p);
    *memory = *cpu * (0.8 + 0.4 * prng_double(p));
}

static void draw_anti(struct prng *p, double *cpu, double *memory)
{
    double much = 0.10 + 0.15 * prng_double(p), little = 0.01 + 0.04 * prng_double(p);
    bool is_cpu = prng_below(p, 2) == 0;
    *cpu = is_cpu ? much : little;
    *memory = is_cpu ? little : much;
}

static void draw_flavour(struct prng *p, double *cpu, double *memory)
{
    static const double gib_per_cpu[] = {1.75, 4, 8};
    double cpus = (double)(1 << prng_below(p, 5));
    *cpu = cpus / 64;
    *memory = cpus * gib_per_cpu[prng_below(p, 3)] / 256;
}

static void (*const draws[PLACE_GENERATORS])(struct prng *p, double *cpu, double *memory) = {
    [PLACE_GENERATE_UNIFORM] = draw_uniform,
    [PLACE_GENERATE_CORRELATED] = draw_correlated,
    [PLACE_GENERATE_ANTI] = draw_anti,
    [PLACE_GENERATE_FLAVOURS] = draw_flavour,
};

struct place_snapshot *place_generate(enum place_generator g, size_t n, uint64_t seed)
{
    struct place_snapshot *s = place_snapshot_new();
    struct prng p;
    prng_init(&p, seed, (uint64_t)g);
    for (size_t i = 0; i < n; i++) {
        double cpu, memory;
        int32_t host = place_snapshot_add_host(s, "host"), vm = place_snapshot_add_vm(s, "vm");
        if (host < 0 || vm < 0)
            break;
        draws[g](&p, &cpu, &memory);
        s->hosts[host].capacity = generated_host;
        s->vms[vm].request.of[PLACE_CPU] = (int64_t)(cpu * (double)generated_host.of[PLACE_CPU]);
        s->vms[vm].request.of[PLACE_MEMORY] =
            (int64_t)(memory * (double)generated_host.of[PLACE_MEMORY]);
    }
    return s;
}

size_t place_pack_bound(const struct place_snapshot *s)
{
    double bound = 0;
    for (int r = 0; r < PLACE_RESOURCES && s->n_hosts > 0; r++) {
        double asked = 0, has = (double)place_host_limit(&s->hosts[0], r);
        for (size_t i = 0; i < s->n_vms; i++)
            asked += (double)s->vms[i].request.of[r];
        if (has > 0)
            bound = fmax(bound, ceil(asked / has - 1e-9));
    }
    return (size_t)bound;
}

// VMs as parts of a host, for ranking; what fits is decided on whole numbers.
struct packing {
    const struct place_snapshot *s;
    struct place_vector limit;
    double weight[PLACE_RESOURCES]; // scarcer resources count more
    int32_t *host_of;
    struct place_vector *left; // by host
    size_t n_used;
};

static bool fits(const struct place_vector *left, const struct place_vector *request)
{
    for (int r = 0; r < PLACE_RESOURCES; r++)
        if (request->of[r] > left->of[r])
            return false;
    return true;
}

static void subtract(struct place_vector *left, const struct place_vector *request, int sign)
{
    for (int r = 0; r < PLACE_RESOURCES; r++)
        left->of[r] -= sign * request->of[r];
}

static double part(const struct packing *p, const struct place_vector *v, int r)
{
    return p->limit.of[r] > 0 ? (double)v->of[r] / (double)p->limit.of[r] : 0;
}

// What a VM is worth to a bin that has `left`: greater is better.
static double worth_dot(const struct packing *p, const struct place_vector *request,
                        const struct place_vector *left)
{
    double sum = 0;
    for (int r = 0; r < PLACE_RESOURCES; r++)
        sum += p->weight[r] * part(p, request, r) * part(p, left, r);
    return sum;
}

static double worth_norm(const struct packing *p, const struct place_vector *request,
                         const struct place_vector *left)
{
    double sum = 0;
    for (int r = 0; r < PLACE_RESOURCES; r++) {
        double rest = part(p, left, r) - part(p, request, r);
        sum += p->weight[r] * rest * rest;
    }
    return -sum;
}

// Keeps what is left in the shape of what is still asked, large ones first.
static double worth_shape(const struct packing *p, const struct place_vector *request,
                          const struct place_vector *left)
{
    double least = INFINITY, most = 0, size = 0;
    for (int r = 0; r < PLACE_RESOURCES; r++) {
        if (p->limit.of[r] == 0 || p->weight[r] == 0)
            continue;
        double rest = (part(p, left, r) - part(p, request, r)) / p->weight[r];
        least = fmin(least, rest);
        most = fmax(most, rest);
        size += part(p, request, r);
    }
    return size - 2 * (most - least);
}

static double (*const worths[])(const struct packing *p, const struct place_vector *request,
                                const struct place_vector *left) = {worth_dot, worth_norm,
                                                                    worth_shape};

static int32_t best_for(const struct packing *p, size_t how, const struct place_vector *left,
                        const int32_t *open, size_t n)
{
    int32_t best = -1;
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const struct place_vector *request = &p->s->vms[open[i]].request;
        if (!fits(left, request))
            continue;
        double worth = worths[how](p, request, left);
        if (best < 0 || worth > most) {
            best = (int32_t)i;
            most = worth;
        }
    }
    return best;
}

static bool fill(struct packing *p, size_t how)
{
    size_t n = p->s->n_vms;
    CLEANUP(freep) int32_t *open = calloc(n + 1, sizeof(*open));
    if (!open)
        return false;
    for (size_t i = 0; i < n; i++)
        open[i] = (int32_t)i;
    for (p->n_used = 0; n > 0; p->n_used++) {
        struct place_vector *left = &p->left[p->n_used];
        *left = p->limit;
        bool any = false;
        for (int32_t i; (i = best_for(p, how, left, open, n)) >= 0; any = true) {
            p->host_of[open[i]] = (int32_t)p->n_used;
            subtract(left, &p->s->vms[open[i]].request, 1);
            open[i] = open[--n];
        }
        if (!any)
            return false;
    }
    return true;
}

// The bin where the VM fits with least left over; `not` is left out.
static int32_t bin_for(const struct packing *p, const struct place_vector *request, int32_t not )
{
    int32_t best = -1;
    double least = 0;
    for (size_t h = 0; h < p->n_used; h++) {
        if ((int32_t)h == not || !fits(&p->left[h], request))
            continue;
        double rest = 0;
        for (int r = 0; r < PLACE_RESOURCES; r++)
            rest += part(p, &p->left[h], r);
        if (best < 0 || rest < least) {
            best = (int32_t)h;
            least = rest;
        }
    }
    return best;
}

static void move(struct packing *p, int32_t vm, int32_t to)
{
    subtract(&p->left[p->host_of[vm]], &p->s->vms[vm].request, -1);
    subtract(&p->left[to], &p->s->vms[vm].request, 1);
    p->host_of[vm] = to;
}

// Send another VM on to a third bin so that `vm` gets its place.
static bool push_out(struct packing *p, int32_t vm, int32_t from)
{
    const struct place_vector *request = &p->s->vms[vm].request;
    for (size_t i = 0; i < p->s->n_vms; i++) {
        int32_t at = p->host_of[i];
        if (at == from || at < 0)
            continue;
        struct place_vector left = p->left[at];
        subtract(&left, &p->s->vms[i].request, -1);
        if (!fits(&left, request))
            continue;
        subtract(&p->left[at], request, 1);
        int32_t to = bin_for(p, &p->s->vms[i].request, from);
        subtract(&p->left[at], request, -1);
        if (to < 0 || to == at)
            continue;
        move(p, (int32_t)i, to);
        move(p, vm, at);
        return true;
    }
    return false;
}

// Empty the last bin; true where it worked. What was moved on the way stays moved: it is feasible.
static bool empty_last(struct packing *p)
{
    int32_t last = (int32_t)p->n_used - 1;
    for (size_t i = 0; i < p->s->n_vms; i++) {
        if (p->host_of[i] != last)
            continue;
        int32_t to = bin_for(p, &p->s->vms[i].request, last);
        if (to >= 0)
            move(p, (int32_t)i, to);
        else if (!push_out(p, (int32_t)i, last))
            return false;
    }
    p->n_used--;
    return true;
}

// The emptiest bin goes last.
static void emptiest_last(struct packing *p)
{
    size_t emptiest = 0;
    double most = -1;
    for (size_t h = 0; h < p->n_used; h++) {
        double rest = 0;
        for (int r = 0; r < PLACE_RESOURCES; r++)
            rest += p->weight[r] * part(p, &p->left[h], r);
        if (rest > most) {
            most = rest;
            emptiest = h;
        }
    }
    int32_t last = (int32_t)p->n_used - 1;
    struct place_vector left = p->left[emptiest];
    p->left[emptiest] = p->left[last];
    p->left[last] = left;
    for (size_t i = 0; i < p->s->n_vms; i++)
        p->host_of[i] = p->host_of[i] == last                ? (int32_t)emptiest
                        : p->host_of[i] == (int32_t)emptiest ? last
                                                             : p->host_of[i];
}

// How much more the scarcer resource counts; each of them is tried with each worth.
static const double sharpness[] = {1, 2, 4};

static void weigh(struct packing *p, double exponent)
{
    double sum = 0;
    memset(p->weight, 0, sizeof(p->weight));
    for (int r = 0; r < PLACE_RESOURCES; r++) {
        p->limit.of[r] = place_host_limit(&p->s->hosts[0], r);
        for (size_t i = 0; i < p->s->n_vms; i++)
            p->weight[r] += part(p, &p->s->vms[i].request, r);
        p->weight[r] = pow(p->weight[r] / (double)p->s->n_vms, exponent);
        sum += p->weight[r];
    }
    for (int r = 0; r < PLACE_RESOURCES && sum > 0; r++)
        p->weight[r] /= sum;
}

size_t place_pack_offline(const struct place_snapshot *s, int rounds, int32_t *ret_hosts)
{
    struct packing p = {.s = s};
    size_t best = 0, bound = place_pack_bound(s);
    if (s->n_hosts == 0)
        return 0;
    p.left = calloc(s->n_vms + 1, sizeof(*p.left));
    p.host_of = calloc(s->n_vms + 1, sizeof(*p.host_of));
    for (size_t i = 0; p.left && p.host_of && i < ARRAY_LEN(worths) * ARRAY_LEN(sharpness); i++) {
        weigh(&p, sharpness[i / ARRAY_LEN(worths)]);
        if (!fill(&p, i % ARRAY_LEN(worths)))
            break;
        for (int round = 0; round < rounds && p.n_used > bound; round++) {
            emptiest_last(&p);
            if (!empty_last(&p))
                break;
        }
        if (best == 0 || p.n_used < best) {
            best = p.n_used;
            memcpy(ret_hosts, p.host_of, s->n_vms * sizeof(*ret_hosts));
        }
        if (best <= bound)
            break;
    }
    free(p.left);
    free(p.host_of);
    return best;
}
