// SPDX-License-Identifier: GPL-3.0-or-later
// Series are laid on a grid of steps; a step without a sample stays NaN and is left out.
#include "place/history.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define STEP_MS ((int64_t)HISTORY_STEP_S * 1000)
#define STEPS ((size_t)HISTORY_DAYS * 86400 / HISTORY_STEP_S)

static int64_t grid_end(const struct place_grid *g)
{
    return g->start_ms + (int64_t)g->n * g->step_ms;
}

// The step in which a time lies; steps are open on the left. -1 outside.
static long step_of(const struct place_grid *g, int64_t t_ms)
{
    int64_t i = (t_ms - g->start_ms - 1) / g->step_ms;
    return t_ms > g->start_ms && i < (int64_t)g->n ? (long)i : -1;
}

static void keep_greatest(struct place_grid *g, int64_t t_ms, double v)
{
    long i = step_of(g, t_ms);
    if (i >= 0 && isfinite(v) && !(g->value[i] >= v))
        g->value[i] = v;
}

static void add_rise(struct place_grid *g, int64_t from_ms, int64_t to_ms, double rise)
{
    long i = step_of(g, to_ms);
    // Over a gap longer than a step nobody knows when the time was spent.
    if (i < 0 || to_ms <= from_ms || to_ms - from_ms > g->step_ms || !(rise >= 0))
        return;
    g->value[i] = (isnan(g->value[i]) ? 0 : g->value[i]) + rise;
    g->covered_s[i] += (double)(to_ms - from_ms) / 1000;
}

struct before {
    int64_t t_ms;
    double v;
    bool known;
};

static void take_sample(struct place_grid *g, bool counter, int64_t t_ms, double v,
                        struct before *b)
{
    if (isnan(v)) { // a marker of staleness among them
        b->known = false;
        return;
    }
    if (!counter)
        keep_greatest(g, t_ms, v);
    else if (b->known)
        add_rise(g, b->t_ms, t_ms, v >= b->v ? v - b->v : v);
    *b = (struct before){t_ms, v, true};
}

static void take_bucket(struct place_grid *g, bool counter, const struct query_bucket *k,
                        struct before *b)
{
    if (!counter)
        keep_greatest(g, k->last_ms, k->max);
    else
        add_rise(g, b->known ? b->t_ms : k->first_ms, k->last_ms, k->increase);
    *b = (struct before){k->last_ms, k->last, !k->stale};
}

static int read_series(struct query_set *set, size_t i, bool counter, struct place_grid *g,
                       struct err *err)
{
    const struct query_run *runs;
    size_t n;
    struct before before = {0};
    int r = set->ops->read(set, i, g->start_ms, grid_end(g), &runs, &n, err);
    for (size_t k = 0; r == 0 && k < n; k++) {
        const struct query_run *run = &runs[k];
        for (size_t s = 0; s < run->n; s++) {
            if (run->resolution_ms == 0)
                take_sample(g, counter, run->t_ms[s], run->v[s], &before);
            else
                take_bucket(g, counter, &run->bucket[s], &before);
        }
    }
    return r;
}

// One metric of a domain on a fresh grid; several series (a VM that came back) lie on it together.
static int read_metric(struct query_source *source, const char *metric, const char *domain,
                       bool counter, struct place_grid *g, struct err *err)
{
    struct query_matcher matchers[] = {{QUERY_EQUAL, LABEL_METRIC_NAME, metric, NULL},
                                       {QUERY_EQUAL, "domain", domain, NULL}};
    struct query_hints hints = {.start_ms = g->start_ms,
                                .end_ms = grid_end(g),
                                .max_resolution_ms = g->step_ms,
                                .align_ms = g->start_ms};
    struct query_set *set = NULL;
    for (size_t i = 0; i < g->n; i++) {
        g->value[i] = NAN;
        g->covered_s[i] = 0;
    }
    int r = source->ops->select(source, matchers, ARRAY_LEN(matchers), &hints, 100, &set, err);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < set->n; i++)
        r = read_series(set, i, counter, g, err);
    set->ops->free_set(set);
    for (size_t i = 0; counter && i < g->n; i++)
        g->value[i] = g->covered_s[i] > 0 ? g->value[i] / g->covered_s[i] : NAN;
    return r;
}

static int keep(const struct place_grid *g, int64_t **ret_t_s, double **ret_value, size_t *ret_n)
{
    size_t n = 0;
    *ret_t_s = calloc(g->n, sizeof(**ret_t_s));
    *ret_value = calloc(g->n, sizeof(**ret_value));
    if (!*ret_t_s || !*ret_value)
        return -ENOMEM;
    for (size_t i = 0; i < g->n; i++) {
        if (isnan(g->value[i]))
            continue;
        (*ret_t_s)[n] = (g->start_ms + (int64_t)(i + 1) * g->step_ms) / 1000;
        (*ret_value)[n++] = g->value[i];
    }
    *ret_n = n;
    return 0;
}

int place_grid_cpu(struct query_source *source, const char *domain, struct place_grid *g,
                   struct err *err)
{
    return read_metric(source, "libvirt_domain_info_cpu_time_seconds_total", domain, true, g, err);
}

int place_grid_memory(struct query_source *source, const char *domain, struct place_grid *g,
                      struct err *err)
{
    CLEANUP(freep) double *used = calloc(g->n, sizeof(*used));
    if (!used)
        return err_set(err, ENOMEM, "no memory for the history");
    int r =
        read_metric(source, "libvirt_domain_memory_stats_available_bytes", domain, false, g, err);
    for (size_t i = 0; r == 0 && i < g->n; i++)
        used[i] = g->value[i];
    if (r == 0)
        r = read_metric(source, "libvirt_domain_memory_stats_usable_bytes", domain, false, g, err);
    for (size_t i = 0; r == 0 && i < g->n; i++)
        used[i] -= g->value[i]; // NaN where either is missing
    if (r == 0)
        r = read_metric(source, "vherd_vm_resident_bytes", domain, false, g, err);
    for (size_t i = 0; r == 0 && i < g->n; i++)
        g->value[i] = isnan(used[i]) ? g->value[i] : fmax(0, used[i]);
    return r;
}

int place_grid_init(struct place_grid *g, int64_t start_ms, int64_t step_ms, size_t n)
{
    *g = (struct place_grid){start_ms, step_ms, n, calloc(n, sizeof(double)),
                             calloc(n, sizeof(double))};
    if (g->value && g->covered_s)
        return 0;
    place_grid_done(g);
    return -ENOMEM;
}

void place_grid_done(struct place_grid *g)
{
    free(g->value);
    free(g->covered_s);
    *g = (struct place_grid){0};
}

int place_history_read(struct query_source *source, const char *domain, double now_s,
                       struct place_history *ret, struct err *err)
{
    int64_t end_ms = (int64_t)(now_s / HISTORY_STEP_S) * STEP_MS;
    CLEANUP(place_grid_done) struct place_grid g = {0};
    *ret = (struct place_history){0};
    if (place_grid_init(&g, end_ms - (int64_t)STEPS * STEP_MS, STEP_MS, STEPS) < 0)
        return err_set(err, ENOMEM, "no memory for the history");
    int r = place_grid_cpu(source, domain, &g, err);
    if (r == 0)
        r = keep(&g, &ret->cpu_t_s, &ret->cpu, &ret->n_cpu);
    if (r == 0)
        r = place_grid_memory(source, domain, &g, err);
    if (r == 0)
        r = keep(&g, &ret->memory_t_s, &ret->memory_bytes, &ret->n_memory);
    if (r < 0)
        place_history_done(ret);
    return r;
}

void place_history_done(struct place_history *h)
{
    free(h->cpu_t_s);
    free(h->memory_t_s);
    free(h->cpu);
    free(h->memory_bytes);
    *h = (struct place_history){0};
}
