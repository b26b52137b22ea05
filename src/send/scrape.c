// SPDX-License-Identifier: GPL-3.0-or-later
// Jobs and their targets. Each target has its own line and its own place in the interval, so that
// none waits for another; a scrape ends at its timeout, which is at most the interval.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/log.h"
#include "base/mem.h"
#include "digest.h"
#include "model/relabel.h"
#include "net/rules.h"
#include "send.h"

// A scrape that begins no later than this carries the time at which it was due, so that
// timestamps keep their distance (a store compresses them better).
#define LATE_MS 50
#define ADDRESS_LABEL "__address__"

struct job {
    const struct conf_scrape *conf;
    struct relabel *targets, *samples;
};

struct target {
    struct scrapes *all;
    struct job *job;
    struct labels *labels;
    char *name; // its URL, for people
    struct fetch_line *line;
    struct digest *digest;
    int64_t interval_ms, offset_ms;
    int64_t due_ms, page_ms;
    bool busy, down;
    char timeout_header[64];
};

struct scrapes {
    struct outlet *outlet;
    struct job *jobs;
    size_t n_jobs;
    struct target **targets;
    size_t n_targets, cap;
};

// A page, or none

static void report(struct target *t, const struct fetch_answer *a, bool up,
                   const struct digest_result *result)
{
    const struct {
        const char *name;
        double v;
    } reports[] = {
        {"up", up},
        {"scrape_duration_seconds", (double)a->took_ns / 1e9},
        {"scrape_samples_scraped", (double)result->scraped},
        {"scrape_samples_post_metric_relabeling", (double)result->kept},
        {"scrape_series_added", (double)result->added},
    };
    for (size_t i = 0; i < ARRAY_LEN(reports); i++)
        (void)digest_report(t->digest, reports[i].name, t->page_ms, reports[i].v,
                            t->all->outlet->out);
}

static void tell_person(struct target *t, bool up, const char *why)
{
    if (!up && !t->down)
        log_warning("scrape of %s (job %s): %s", t->name, t->job->conf->job_name, why);
    else if (up && t->down)
        log_info("scrape of %s (job %s): works again", t->name, t->job->conf->job_name);
    t->down = !up;
}

static void scraped(void *arg, const struct fetch_answer *a)
{
    struct target *t = arg;
    struct samples_writer *out = t->all->outlet->out;
    struct digest_result result = {0};
    struct err err = {0};
    bool up = false;
    t->busy = false;
    if (a->status != 200 || a->why) {
        (void)err_set(&err, EIO, "%s", a->why ? a->why : "");
        if (!a->why)
            (void)err_set(&err, EIO, "the target answered with HTTP status %d", a->status);
        digest_end(t->digest, t->page_ms, out);
    } else {
        up = digest_page(t->digest, a->body, a->len, expo_format_of(a->content_type), t->page_ms,
                         out, &result, &err) == 0;
    }
    report(t, a, up, &result);
    outlet_flush(t->all->outlet);
    tell_person(t, up, err.message);
}

static void start(struct target *t, int64_t now_ms)
{
    static const char accept[] = "Accept: ";
    const char *headers[] = {NULL, t->timeout_header, NULL};
    CLEANUP(freep) char *accept_header = mem_printf("%s%s", accept, expo_accept);
    headers[0] = accept_header;
    const struct conf_scrape *conf = t->job->conf;
    struct fetch_request r = {.headers = headers,
                              .timeout_ns = conf->timeout_ns,
                              .limit_bytes = (size_t)conf->body_size_limit_bytes};
    t->page_ms = now_ms - t->due_ms <= LATE_MS ? t->due_ms : now_ms;
    t->busy = fetch_start(t->line, &r) == 0;
}

// The next time on the target's own grid after `now`.
static int64_t next_due(const struct target *t, int64_t now_ms)
{
    int64_t past = (now_ms - t->offset_ms) % t->interval_ms;
    return now_ms - (past < 0 ? past + t->interval_ms : past) + t->interval_ms;
}

int64_t scrapes_turn(struct scrapes *s, int64_t real_ms)
{
    int64_t wait = INT64_MAX;
    for (size_t i = 0; i < s->n_targets; i++) {
        struct target *t = s->targets[i];
        // A clock that was set back would otherwise hold us up.
        if (t->due_ms - real_ms > t->interval_ms)
            t->due_ms = next_due(t, real_ms);
        if (t->due_ms <= real_ms) {
            if (!t->busy)
                start(t, real_ms);
            t->due_ms = next_due(t, real_ms);
        }
        wait = MIN_OF(wait, t->due_ms - real_ms);
    }
    return wait;
}

// Targets out of the configuration

struct naming {
    struct label label[LABELS_MAX];
    char *own[LABELS_MAX];
    size_t n, n_own;
};

static bool name(struct naming *n, const char *label, const char *value)
{
    if (n->n == LABELS_MAX)
        return false;
    for (size_t i = 0; i < n->n; i++)
        if (strcmp(n->label[i].name, label) == 0)
            return true; // what stands in the file goes first
    n->label[n->n++] = (struct label){label, value};
    return true;
}

static char *own(struct naming *n, char *text)
{
    if (n->n_own == LABELS_MAX) {
        free(text);
        return NULL;
    }
    return n->own[n->n_own++] = text;
}

static char *duration_text(int64_t ns)
{
    struct buf b;
    buf_init(&b, 64);
    if (ns % NS_PER_S == 0)
        buf_printf(&b, "%llds", (long long)(ns / NS_PER_S));
    else
        buf_printf(&b, "%lldms", (long long)(ns / NS_PER_MS));
    return buf_take(&b, NULL);
}

// All labels that relabelling of targets may look at.
static bool name_target(struct naming *n, const struct conf_scrape *conf,
                        const struct conf_static *group, const char *address)
{
    static const char *const schemes[] = {"http", "https"};
    bool ok = true;
    for (size_t i = 0; ok && i < group->labels.n; i++)
        ok = name(n, group->labels.items[i].name, group->labels.items[i].value);
    for (size_t i = 0; ok && i < conf->params.n; i++) {
        const char *key = own(n, mem_printf("__param_%s", conf->params.items[i].name));
        ok = key && name(n, key, conf->params.items[i].value);
    }
    const char *interval = own(n, duration_text(conf->interval_ns));
    const char *timeout = own(n, duration_text(conf->timeout_ns));
    return ok && interval && timeout && name(n, ADDRESS_LABEL, address) &&
           name(n, "__scheme__", schemes[conf->scheme]) &&
           name(n, "__metrics_path__", conf->metrics_path) && name(n, "job", conf->job_name) &&
           name(n, "__scrape_interval__", interval) && name(n, "__scrape_timeout__", timeout);
}

static void put_param(struct buf *url, size_t *n, const char *key, const char *value)
{
    buf_putc(url, (*n)++ ? '&' : '?');
    esc_url(url, key);
    buf_putc(url, '=');
    esc_url(url, value);
}

// The first value of a parameter is a label, which may have been changed; the others are not.
static void put_params(struct buf *url, const struct conf_scrape *conf, const struct labels *l)
{
    static const char prefix[] = "__param_";
    size_t n = strchr(url->data, '?') != NULL;
    for (uint32_t i = 0; i < l->n; i++)
        if (strncmp(l->label[i].name, prefix, sizeof(prefix) - 1) == 0)
            put_param(url, &n, l->label[i].name + sizeof(prefix) - 1, l->label[i].value);
    for (size_t i = 1; i < conf->params.n; i++)
        if (strcmp(conf->params.items[i - 1].name, conf->params.items[i].name) == 0)
            put_param(url, &n, conf->params.items[i].name, conf->params.items[i].value);
}

static const char *text_of(const struct labels *l, const char *label)
{
    const char *value = labels_get(l, label);
    return value ? value : "";
}

static char *make_url(const struct conf_scrape *conf, const struct labels *l)
{
    struct buf url;
    buf_init(&url, 64 * 1024);
    const char *path = text_of(l, "__metrics_path__");
    buf_printf(&url, "%s://%s%s%s", text_of(l, "__scheme__"), text_of(l, ADDRESS_LABEL),
               *path == '/' ? "" : "/", path);
    put_params(&url, conf, l);
    return buf_take(&url, NULL);
}

// What stays on the series: everything without __ in front, and an instance.
static struct labels *series_labels(const struct labels *l)
{
    struct label label[LABELS_MAX + 1];
    size_t n = 0;
    for (uint32_t i = 0; i < l->n; i++)
        if (strncmp(l->label[i].name, "__", 2) != 0)
            label[n++] = l->label[i];
    if (!labels_get(l, "instance"))
        label[n++] = (struct label){"instance", text_of(l, ADDRESS_LABEL)};
    return labels_new(label, n);
}

static void target_free(struct target *t)
{
    if (!t)
        return;
    fetch_line_free(t->line);
    digest_free(t->digest);
    labels_free(t->labels);
    free(t->name);
    free(t);
}

static void spread(struct target *t)
{
    t->interval_ms = MAX_OF(t->job->conf->interval_ns / NS_PER_MS, INT64_C(1));
    uint64_t place = t->labels->hash;
    for (const char *c = t->name; *c; c++)
        place = (place ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    t->offset_ms = (int64_t)((place >> 20) % (uint64_t)t->interval_ms);
    // The first scrape comes soon, wherever its place in a long interval is.
    t->due_ms = next_due(t, clock_real_ns(&clock_system) / NS_PER_MS);
    snprintf(t->timeout_header, sizeof(t->timeout_header),
             "X-Prometheus-Scrape-Timeout-Seconds: %g", (double)t->job->conf->timeout_ns / 1e9);
}

static int open_target(struct scrapes *s, struct job *job, struct fetch_pool *pool,
                       const struct labels *named, struct err *err)
{
    struct target *t = mem_zalloc(sizeof(*t));
    t->all = s;
    t->job = job;
    t->name = make_url(job->conf, named);
    t->labels = series_labels(named);
    mem_grow(&s->targets, &s->cap, s->n_targets, sizeof(struct target *));
    s->targets[s->n_targets++] = t;
    if (!t->name || !t->labels)
        return err_set(err, EINVAL, "its labels are too many or too long");
    struct digest_rules rules = {
        .target = t->labels,
        .relabel = job->samples,
        .honor_labels = job->conf->honor_labels,
        .honor_timestamps = job->conf->honor_timestamps,
        .sample_limit = job->conf->sample_limit,
    };
    t->digest = digest_new(&rules);
    spread(t);
    return fetch_line_new(pool, t->name, &job->conf->http, scraped, t, &t->line, err);
}

static int add_target(struct scrapes *s, struct job *job, struct fetch_pool *pool,
                      const struct conf_static *group, const char *address, struct err *err)
{
    struct naming *n = mem_zalloc(sizeof(*n));
    struct labels *named = NULL;
    int r = -EINVAL;
    if (name_target(n, job->conf, group, address))
        r = relabel_apply(job->targets, n->label, n->n, &named);
    if (r < 0)
        (void)err_set(err, EINVAL, "its labels are too many or too long");
    else if (r == 1)
        r = open_target(s, job, pool, named, err);
    labels_free(named);
    for (size_t i = 0; i < n->n_own; i++)
        free(n->own[i]);
    free(n);
    return r < 0 ? err_wrap(err, "scrape job \"%s\", target %s", job->conf->job_name, address) : 0;
}

static int add_job(struct scrapes *s, struct job *job, struct fetch_pool *pool, struct err *err)
{
    int r = rules_compile(&job->conf->relabel_configs, &job->targets, err);
    if (r == 0)
        r = rules_compile(&job->conf->metric_relabel_configs, &job->samples, err);
    const struct conf_static *group = job->conf->static_configs.items;
    for (size_t i = 0; r == 0 && i < job->conf->static_configs.n; i++)
        for (size_t k = 0; r == 0 && k < group[i].targets.n; k++)
            r = add_target(s, job, pool, &group[i], group[i].targets.items[k], err);
    return r;
}

int scrapes_new(const struct conf *conf, struct fetch_pool *pool, struct outlet *outlet,
                struct scrapes **ret, struct err *err)
{
    struct scrapes *s = mem_zalloc(sizeof(*s));
    const struct conf_scrape *list = conf->scrape.items;
    int r = 0;
    s->outlet = outlet;
    s->n_jobs = conf->scrape.n;
    s->jobs = mem_zalloc((s->n_jobs + 1) * sizeof(*s->jobs));
    for (size_t i = 0; r == 0 && i < s->n_jobs; i++) {
        s->jobs[i].conf = &list[i];
        r = add_job(s, &s->jobs[i], pool, err);
    }
    if (r < 0)
        scrapes_free(s);
    else
        *ret = s;
    return r;
}

void scrapes_free(struct scrapes *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_targets; i++)
        target_free(s->targets[i]);
    for (size_t i = 0; i < s->n_jobs; i++) {
        relabel_free(s->jobs[i].targets);
        relabel_free(s->jobs[i].samples);
    }
    free(s->targets);
    free(s->jobs);
    free(s);
}
