// SPDX-License-Identifier: GPL-3.0-or-later
#include "sim/history_store.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "sim/history.h"
#include "sim/scenario.h"
#include "tsdb/tsdb.h"

#define YEAR_9999_MS INT64_C(253402300799000)

DEFINE_FREEP(struct tsdb, tsdb_close, tsdb_closep)

int sim_store_open(const char *directory, struct tsdb **ret, struct err *err)
{
    CLEANUP(freep) char *blocks = mem_printf("%s/blocks", directory);
    struct tsdb_options options;
    struct stat st;
    // tsdb_open() would make a new one.
    if (stat(blocks, &st) < 0)
        return err_set(err, errno, "%s is no store: %s: %s", directory, blocks, strerror(errno));
    tsdb_options_init(&options);
    options.raw = options.minute = options.hour = (struct tsdb_retention){0, 0};
    return tsdb_open(directory, &options, ret, err);
}

static void put_trace(struct trace *t, const char *name, double *v, size_t n, double size)
{
    for (size_t i = 0; i < n; i++)
        v[i] /= size;
    *t = (struct trace){mem_strdup(name), v, n};
}

// The history's arrays become the traces.
static void take(struct sim_history *h, const struct query_texts *names, struct scenario_vms *v)
{
    v->set.trace = mem_zalloc(h->n * sizeof(*v->set.trace));
    v->memory.trace = mem_zalloc(h->n * sizeof(*v->memory.trace));
    v->set.n = v->memory.n = h->n;
    for (size_t i = 0; i < h->n; i++) {
        put_trace(&v->set.trace[i], names->text[i], TAKE_PTR(h->vm[i].cpu), h->steps,
                  (double)v->vcpus);
        put_trace(&v->memory.trace[i], names->text[i], TAKE_PTR(h->vm[i].memory_bytes), h->steps,
                  (double)v->memory_bytes);
    }
    v->sample_s = (double)h->step_ms / 1000;
    v->workload = WORKLOAD_TRACE;
}

int history_load(const char *directory, struct scenario_vms *v, struct err *err)
{
    const struct query_matcher matcher = {QUERY_EQUAL, LABEL_METRIC_NAME,
                                          "libvirt_domain_info_cpu_time_seconds_total", NULL};
    CLEANUP(tsdb_closep) struct tsdb *db = NULL;
    CLEANUP(query_texts_done) struct query_texts names = {0};
    CLEANUP(sim_history_done) struct sim_history h = {0};
    int r = sim_store_open(directory, &db, err);
    if (r < 0)
        return r;
    struct query_source *source = tsdb_source(db);
    r = source->ops->label_values(source, "domain", &matcher, 1, 0, YEAR_9999_MS, &names, err);
    if (r == 0)
        r = sim_history_read(source, (const char *const *)names.text, MIN_OF(names.n, v->count),
                             NAN, (double)v->days, NULL, &h, err);
    if (r < 0)
        return err_wrap(err, "%s", directory);
    take(&h, &names, v);
    return 0;
}
