// SPDX-License-Identifier: GPL-3.0-or-later
// Two passes: the first finds from when to when and how densely CPU time was stored, which decides
// on the grid; the second lays each VM on it.
#include "sim/history.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "place/history.h"

#define DAY_MS 86400000.0
#define STEPS_WANTED 288
#define LEAST_STEP_MS 1000
#define GAP_STEPS 2 // a VM's CPU is taken to go on over so many steps that miss

#define TIME_MAX_S 253402300799.0 // the end of year 9999

static int no_history(struct err *err)
{
    return err_set(err, ENODATA, "no history yet: nothing is stored that VMs have used");
}

struct extent {
    int64_t first_ms, last_ms;
    double longest_ms; // mean distance of samples, of the series that has the longest
};

static void take_run(const struct query_run *run, int64_t *first_ms, int64_t *last_ms, double *n)
{
    if (run->n == 0)
        return;
    bool is_raw = run->resolution_ms == 0;
    int64_t first = is_raw ? run->t_ms[0] : run->bucket[0].first_ms;
    *first_ms = MIN_OF(*first_ms, first);
    *last_ms = is_raw ? run->t_ms[run->n - 1] : run->bucket[run->n - 1].last_ms;
    for (size_t i = 0; i < run->n; i++)
        *n += is_raw ? 1 : (double)run->bucket[i].count;
}

static int measure_series(struct query_set *set, size_t i, const struct query_hints *hints,
                          struct extent *e, struct err *err)
{
    const struct query_run *runs;
    size_t n_runs;
    int64_t first_ms = INT64_MAX, last_ms = INT64_MIN;
    double n = 0;
    int r = set->ops->read(set, i, hints->start_ms, hints->end_ms, &runs, &n_runs, err);
    for (size_t k = 0; r == 0 && k < n_runs; k++)
        take_run(&runs[k], &first_ms, &last_ms, &n);
    if (r < 0 || n == 0)
        return r;
    e->first_ms = MIN_OF(e->first_ms, first_ms);
    e->last_ms = MAX_OF(e->last_ms, last_ms);
    if (n > 1)
        e->longest_ms = fmax(e->longest_ms, (double)(last_ms - first_ms) / (n - 1));
    return 0;
}

static int patience_left(const struct sim_patience *p, struct err *err)
{
    return p && p->check ? p->check(p->arg, err) : 0;
}

static int measure(struct query_source *source, const char *name, const struct query_hints *hints,
                   struct extent *e, struct err *err)
{
    struct query_matcher matchers[] = {
        {QUERY_EQUAL, LABEL_METRIC_NAME, "libvirt_domain_info_cpu_time_seconds_total", NULL},
        {QUERY_EQUAL, "domain", name, NULL}};
    struct query_set *set = NULL;
    int r = source->ops->select(source, matchers, ARRAY_LEN(matchers), hints, 100, &set, err);
    for (size_t i = 0; r == 0 && i < set->n; i++)
        r = measure_series(set, i, hints, e, err);
    if (set)
        set->ops->free_set(set);
    return r;
}

static int measure_all(struct query_source *source, const char *const *name, size_t n, double now_s,
                       double days, const struct sim_patience *patience, struct extent *e,
                       struct err *err)
{
    struct query_hints hints = {.end_ms = (int64_t)(now_s * 1000),
                                .max_resolution_ms = SIM_HISTORY_STEP_MS};
    int r = 0;
    hints.start_ms = MAX_OF(hints.end_ms - (int64_t)(days * DAY_MS), INT64_C(0));
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = patience_left(patience, err);
        if (r == 0)
            r = measure(source, name[i], &hints, e, err);
    }
    return r;
}

static int find_end(struct query_source *source, const char *const *name, size_t n,
                    const struct sim_patience *patience, double *ret_s, struct err *err)
{
    struct extent e = {INT64_MAX, INT64_MIN, 0};
    int r = measure_all(source, name, n, TIME_MAX_S, TIME_MAX_S / 86400, patience, &e, err);
    if (r == 0 && e.first_ms > e.last_ms)
        r = no_history(err);
    if (r == 0)
        *ret_s = (double)e.last_ms / 1000;
    return r;
}

static int64_t step_for(const struct extent *e, size_t vms)
{
    double span_ms = (double)(e->last_ms - e->first_ms);
    double step = fmax(fmax(span_ms / STEPS_WANTED, 2 * e->longest_ms), LEAST_STEP_MS);
    step = fmin(step, (double)SIM_HISTORY_STEP_MS);
    step = fmax(step, span_ms * (double)vms / (double)SIM_HISTORY_CELLS_MAX);
    return (int64_t)ceil(step / 1000) * 1000;
}

static void fill_cpu(struct sim_past *past, size_t steps, size_t *recorded)
{
    double last = 0;
    size_t missing = 0;
    for (size_t i = 0; i < steps; i++) {
        bool known = !isnan(past->cpu[i]);
        *recorded += known;
        missing = known ? 0 : missing + 1;
        last = known ? past->cpu[i] : missing > GAP_STEPS ? 0 : last;
        past->cpu[i] = last;
    }
}

// What is in use stays in use until something else is known.
static void fill_memory(struct sim_past *past, size_t steps)
{
    double last = 0;
    for (size_t i = 0; i < steps; i++) {
        last = isnan(past->memory_bytes[i]) ? last : past->memory_bytes[i];
        past->memory_bytes[i] = last;
    }
}

static int read_vm(struct query_source *source, const char *name, const struct sim_history *h,
                   struct sim_past *past, size_t *recorded, struct err *err)
{
    CLEANUP(place_grid_done) struct place_grid cpu = {0}, memory = {0};
    if (place_grid_init(&cpu, h->start_ms, h->step_ms, h->steps) < 0 ||
        place_grid_init(&memory, h->start_ms, h->step_ms, h->steps) < 0)
        return err_set(err, ENOMEM, "no memory for the history");
    int r = place_grid_cpu(source, name, &cpu, err);
    if (r == 0)
        r = place_grid_memory(source, name, &memory, err);
    if (r < 0)
        return r;
    past->cpu = TAKE_PTR(cpu.value);
    past->memory_bytes = TAKE_PTR(memory.value);
    fill_cpu(past, h->steps, recorded);
    fill_memory(past, h->steps);
    return 0;
}

static int lay_out(const struct extent *e, size_t n, struct sim_history *h, struct err *err)
{
    if (e->first_ms >= e->last_ms)
        return no_history(err);
    h->step_ms = step_for(e, n);
    h->start_ms = e->first_ms - 1; // the first sample itself lies in the first step
    h->steps = (size_t)((e->last_ms - h->start_ms) / h->step_ms);
    if (h->steps < 2)
        return err_set(err, ENODATA, "too little history yet: %lld s are stored",
                       (long long)(e->last_ms - e->first_ms) / 1000);
    h->vm = calloc(n, sizeof(*h->vm));
    h->n = n;
    return h->vm ? 0 : err_set(err, ENOMEM, "no memory for the history");
}

int sim_history_read(struct query_source *source, const char *const *name, size_t n, double now_s,
                     double days, const struct sim_patience *patience, struct sim_history *ret,
                     struct err *err)
{
    CLEANUP(sim_history_done) struct sim_history h = {0};
    struct extent e = {INT64_MAX, INT64_MIN, 0};
    size_t recorded = 0;
    int r = 0;
    if (isnan(now_s))
        r = find_end(source, name, n, patience, &now_s, err);
    if (r == 0)
        r = measure_all(source, name, n, now_s, days, patience, &e, err);
    if (r == 0)
        r = lay_out(&e, n, &h, err);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = patience_left(patience, err);
        if (r == 0)
            r = read_vm(source, name[i], &h, &h.vm[i], &recorded, err);
    }
    if (r < 0)
        return r;
    h.recorded_ratio = (double)recorded / ((double)h.steps * (double)n);
    *ret = h;
    h = (struct sim_history){0};
    return 0;
}

double sim_history_days(const struct sim_history *h)
{
    return (double)h->steps * (double)h->step_ms / DAY_MS;
}

void sim_history_done(struct sim_history *h)
{
    for (size_t i = 0; h->vm && i < h->n; i++) {
        free(h->vm[i].cpu);
        free(h->vm[i].memory_bytes);
    }
    free(h->vm);
    *h = (struct sim_history){0};
}
