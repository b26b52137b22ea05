// SPDX-License-Identifier: GPL-3.0-or-later
#include "rehearse/rehearse.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "collect/collector.h"
#include "collect/keep.h"
#include "model/catalogue.h"
#include "sim/scenario.h"
#include "sim/stage.h"

#define STEP_NS (15 * NS_PER_S)
#define GROUP_INTERVAL_MS 60000
#define FSYNC_MS 3600000 // nobody will read it after a crash
#define FILES_OPEN_MAX 16

struct rehearsal {
    struct clock_fake clock;
    struct conf *conf;
    struct herd *herd;
    struct collector *collector;
    struct host *host;
    struct tsdb *db;
    struct keep *keep;
    char *directory;
};

DEFINE_FREEP(struct scenario, scenario_free, scenario_freep)

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return remove(path);
}

static void rehearsal_done(struct rehearsal *r)
{
    stage_close();
    collector_free(r->collector);
    if (r->host)
        host_simulated.close(r->host);
    keep_free(r->keep);
    herd_free(r->herd);
    tsdb_close(r->db);
    conf_free(r->conf);
    if (r->directory)
        (void)nftw(r->directory, remove_one, FILES_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
    free(r->directory);
}

static void on_wake(void *arg) {} // all is settled after each sample

static void set_pace(struct conf *conf, int64_t step_ns)
{
    conf->kernel.interval_ns = step_ns;
    conf->libvirt.interval_ns = step_ns;
    conf->libvirt.pool_interval_ns = MAX_OF(conf->libvirt.pool_interval_ns, step_ns);
}

static int open_store(struct rehearsal *r, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    char *path = mem_printf("%s/vherd-rehearse-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(path)) {
        int e = errno;
        err_set(err, e, "cannot make a directory for the samples (%s): %s", path, strerror(e));
        free(path);
        return -e;
    }
    r->directory = path;
    struct tsdb_options options;
    tsdb_options_init(&options);
    options.clock = &r->clock.clock;
    options.late_ms = KEEP_LATE_MS;
    options.fsync_ms = FSYNC_MS;
    options.raw = options.minute = options.hour = (struct tsdb_retention){0};
    int e = tsdb_open(path, &options, &r->db, err);
    if (e < 0)
        return e;
    struct keep_params params = {.db = r->db,
                                 .herd = r->herd,
                                 .sets = SET_ALL,
                                 .job = "vherd",
                                 .instance = "simulation",
                                 .interval_ns = r->conf->kernel.interval_ns};
    r->keep = keep_new(&params);
    return 0;
}

static int open_collector(struct rehearsal *r, const char *uri, struct err *err)
{
    struct collector_params params = {.conf = r->conf,
                                      .uri = uri,
                                      .virt = &virt_simulated,
                                      .host = &host_simulated,
                                      .clock = &r->clock.clock,
                                      .herd = r->herd,
                                      .wake = on_wake,
                                      .no_sampler = true,
                                      .no_threads = true};
    struct host_params host = {"/", &r->clock.clock, true};
    int e = collector_new(&params, &r->collector, err);
    return e < 0 ? e : host_simulated.open(&host, &r->host, err);
}

static int take_sample(struct rehearsal *r)
{
    struct host_sink sink = collector_sink(r->collector);
    host_simulated.scan(r->host, &sink);
    host_simulated.sample(r->host, r->clock.mono, &sink);
    collector_settle(r->collector);
    return keep_sample(r->keep, r->clock.mono, r->clock.real);
}

static int play(struct rehearsal *r, uint64_t steps, int64_t step_ns, struct err *err)
{
    int e = 0;
    collector_settle(r->collector);
    for (uint64_t i = 0; e == 0 && i < steps; i++) {
        clock_fake_advance(&r->clock, step_ns);
        e = take_sample(r);
    }
    return e < 0 ? err_set(err, -e, "the samples cannot be kept: %s", strerror(-e)) : 0;
}

static int set_up(struct rehearsal *r, const char *path, int64_t step_ns, struct err *err)
{
    CLEANUP(freep) char *uri = mem_printf("%s%s", STAGE_SCHEME, path);
    r->conf = conf_new();
    r->herd = herd_new();
    set_pace(r->conf, step_ns);
    // The first second of the monotonic clock may count as "never".
    clock_fake_init(&r->clock, 1000 * NS_PER_S, REHEARSE_EPOCH_S * NS_PER_S);
    int e = stage_open(uri, &r->clock.clock, err);
    if (e == 0)
        e = open_collector(r, uri, err);
    return e < 0 ? e : open_store(r, err);
}

int rehearse(const struct rehearse_params *params, struct rule_backtest **ret, struct err *err)
{
    struct rehearsal r = {0};
    CLEANUP(scenario_freep) struct scenario *scenario = NULL;
    int64_t step_ns = params->step_ns ? params->step_ns : STEP_NS;
    int e = scenario_load(params->scenario, &scenario, err);
    if (e < 0)
        return e;
    double steps = scenario->duration_s * (double)NS_PER_S / (double)step_ns;
    if (steps > REHEARSE_STEPS_MAX)
        return err_set(err, EINVAL,
                       "%s lasts too long for samples each %g s: at most %d of them; make the "
                       "step longer",
                       params->scenario, (double)step_ns / (double)NS_PER_S, REHEARSE_STEPS_MAX);
    e = set_up(&r, params->scenario, step_ns, err);
    if (e == 0)
        e = play(&r, (uint64_t)steps, step_ns, err);
    struct rule_backtest_params over = {.start_ms = REHEARSE_EPOCH_S * 1000,
                                        .end_ms = r.clock.real / NS_PER_MS,
                                        .interval_ms = GROUP_INTERVAL_MS};
    if (e == 0)
        e = rule_backtest(params->rules, tsdb_source(r.db), &over, ret, err);
    rehearsal_done(&r);
    return e;
}
