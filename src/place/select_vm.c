// SPDX-License-Identifier: GPL-3.0-or-later
// Which VM leaves an overloaded host (Beloglazov and Buyya, CCPE 2012, section 6). The first in the
// host's order wins ties.
#include "select_vm.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

static double memory(const struct place_live_vm *v)
{
    return v->ram_mib;
}

static double utilisation(const struct place_live_vm *v)
{
    return v->wanted / v->cpu;
}

static uint32_t least(const struct trial *t, uint32_t host,
                      double (*metric)(const struct place_live_vm *v))
{
    const struct trial_host *h = &t->host[host];
    uint32_t found = UINT32_MAX;
    double best = INFINITY;
    for (size_t i = 0; i < h->n; i++) {
        const struct place_live_vm *v = &t->live->vm[h->vm[i]];
        if (!v->fixed && metric(v) < best) {
            best = metric(v);
            found = h->vm[i];
        }
    }
    return found;
}

static uint32_t minimum_migration_time(const struct trial *t, uint32_t host, struct prng *prng)
{
    return least(t, host, memory);
}

static uint32_t minimum_utilisation(const struct trial *t, uint32_t host, struct prng *prng)
{
    return least(t, host, utilisation);
}

static uint32_t random_selection(const struct trial *t, uint32_t host, struct prng *prng)
{
    const struct trial_host *h = &t->host[host];
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++)
        n += !t->live->vm[h->vm[i]].fixed;
    if (n == 0)
        return UINT32_MAX;
    size_t chosen = prng_below(prng, n);
    for (size_t i = 0;; i++)
        if (!t->live->vm[h->vm[i]].fixed && chosen-- == 0)
            return h->vm[i];
}

struct correlation {
    size_t n; // VMs whose load varies
    uint32_t vm[PLACE_HISTORY];
    double x[PLACE_HISTORY][PLACE_HISTORY]; // covariance, then its Cholesky factor
};

static bool varies(const struct place_live_vm *v, size_t samples)
{
    for (size_t i = 1; i < samples; i++)
        if (v->history[i] != v->history[0])
            return true;
    return false;
}

// More VMs than samples have no unique regression.
static bool collect(const struct trial *t, uint32_t host, struct correlation *c, size_t *samples)
{
    const struct trial_host *h = &t->host[host];
    *samples = PLACE_HISTORY;
    for (size_t i = 0; i < h->n; i++)
        *samples = MIN_OF(*samples, t->live->vm[h->vm[i]].sampled);
    for (size_t i = 0; i < h->n; i++) {
        const struct place_live_vm *v = &t->live->vm[h->vm[i]];
        if (v->fixed || !varies(v, *samples))
            continue;
        if (c->n + 1 >= *samples)
            return false;
        c->vm[c->n++] = h->vm[i];
    }
    return c->n > 1;
}

static void covariances(const struct trial *t, struct correlation *c, size_t samples)
{
    double centred[PLACE_HISTORY][PLACE_HISTORY];
    for (size_t i = 0; i < c->n; i++) {
        const double *y = t->live->vm[c->vm[i]].history;
        double mean = 0;
        for (size_t k = 0; k < samples; k++)
            mean += y[k];
        mean /= (double)samples;
        for (size_t k = 0; k < samples; k++)
            centred[i][k] = y[k] - mean;
    }
    for (size_t i = 0; i < c->n; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t k = 0; k < samples; k++)
                sum += centred[i][k] * centred[j][k];
            c->x[i][j] = c->x[j][i] = sum;
        }
}

// In place, lower half; false where loads depend on each other linearly.
static bool cholesky(struct correlation *c)
{
    for (size_t i = 0; i < c->n; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = c->x[i][j];
            double whole = sum;
            for (size_t k = 0; k < j; k++)
                sum -= c->x[i][k] * c->x[j][k];
            if (i != j)
                c->x[i][j] = sum / c->x[j][j];
            else if (sum > 1e-9 * whole)
                c->x[i][i] = sqrt(sum);
            else
                return false;
        }
    return true;
}

// Diagonal element of the inverse of L·Lᵀ: the squared length of a column of L⁻¹.
static double inverse_diagonal(const struct correlation *c, size_t at)
{
    double y[PLACE_HISTORY] = {0}, sum = 0;
    for (size_t i = at; i < c->n; i++) {
        double v = i == at;
        for (size_t k = at; k < i; k++)
            v -= c->x[i][k] * y[k];
        y[i] = v / c->x[i][i];
        sum += y[i] * y[i];
    }
    return sum;
}

// R² of one VM's load on all others' is 1 - 1/(S_ii · (S⁻¹)_ii), S being the covariance matrix.
static uint32_t maximum_correlation(const struct trial *t, uint32_t host, struct prng *prng)
{
    struct correlation c = {0};
    double variance[PLACE_HISTORY];
    size_t samples;
    if (!collect(t, host, &c, &samples))
        return least(t, host, memory);
    covariances(t, &c, samples);
    for (size_t i = 0; i < c.n; i++)
        variance[i] = c.x[i][i];
    if (!cholesky(&c))
        return least(t, host, memory);
    size_t found = 0;
    double best = -1;
    for (size_t i = 0; i < c.n; i++) {
        double r2 = 1 - 1 / (variance[i] * inverse_diagonal(&c, i));
        if (r2 > best) {
            best = r2;
            found = i;
        }
    }
    return c.vm[found];
}

static const struct {
    const char *name;
    uint32_t (*select)(const struct trial *t, uint32_t host, struct prng *prng);
} selectors[] = {
    [PLACE_SELECT_MMT] = {"mmt", minimum_migration_time},
    [PLACE_SELECT_RS] = {"rs", random_selection},
    [PLACE_SELECT_MC] = {"mc", maximum_correlation},
    [PLACE_SELECT_MU] = {"mu", minimum_utilisation},
};
_Static_assert(ARRAY_LEN(selectors) == PLACE_SELECT_MAX, "a selector without a row");

const char *place_selector_name(enum place_selector selector)
{
    return selectors[selector].name;
}

uint32_t select_vm(const struct trial *t, enum place_selector selector, uint32_t host,
                   struct prng *prng)
{
    return selectors[selector].select(t, host, prng);
}
