// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of Prometheus' API that tell of the program itself: answered by the loop at once. Where
// Prometheus speaks of its own inside (goroutines), the nearest that vherd has stands.
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/catalogue.h"
#include "version.h"

// What clients may count on; Grafana switches features by it.
#define API_VERSION "3.1.0"

struct status_answer {
    struct buf body;
    struct json j;
};

static void begin(struct status_answer *a)
{
    buf_init(&a->body, IPC_PAYLOAD_MAX - 4096);
    api_success_begin(&a->body);
    json_init(&a->j, &a->body);
}

static void finish(const struct view *v, struct status_answer *a)
{
    api_success_end(&a->body, NULL);
    api_answer(v, &a->body);
    buf_done(&a->body);
}

static void put_time(struct json *j, const char *key, int64_t real_ns)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 64);
    api_time_put(&text, real_ns / NS_PER_MS);
    json_kv_string(j, key, text.data);
}

void view_query_exemplars(const struct view *v)
{
    struct status_answer a;
    begin(&a);
    json_array_begin(&a.j);
    json_array_end(&a.j);
    finish(v, &a);
}

// Rows of one family stand together: the first one speaks for it.
static bool is_family(size_t i)
{
    return i == 0 || strcmp(model_metrics[i - 1].name, model_metrics[i].name) != 0;
}

void view_metadata(const struct view *v)
{
    struct err err = {0};
    size_t limit = SIZE_MAX, per_metric = 0, n = 0;
    CLEANUP(freep) char *only = ipc_request_param(v->request, "metric");
    if (api_param_limit(v->request, "limit", &limit, &err) < 0 ||
        api_param_limit(v->request, "limit_per_metric", &per_metric, &err) < 0) {
        api_bad(v, &err);
        return;
    }
    struct status_answer a;
    begin(&a);
    json_object_begin(&a.j);
    for (size_t i = 0; i < model_metrics_count && n < limit; i++) {
        const struct metric_desc *m = &model_metrics[i];
        if (!is_family(i) || (only && *only && strcmp(only, m->name) != 0))
            continue;
        n++;
        json_key(&a.j, m->name);
        json_array_begin(&a.j);
        json_object_begin(&a.j);
        json_kv_string(&a.j, "type", metric_type_name(m->type));
        json_kv_string(&a.j, "help", m->help ? m->help : model_facts[m->fact].help);
        json_kv_string(&a.j, "unit", "");
        json_object_end(&a.j);
        json_array_end(&a.j);
    }
    json_object_end(&a.j);
    finish(v, &a);
}

// As the series of this host have them.
static void put_target_labels(const struct core *c, struct json *j, const char *key)
{
    const struct conf *conf = c->conf;
    json_key(j, key);
    json_object_begin(j);
    json_kv_string(j, "instance",
                   *conf->store.instance ? conf->store.instance
                                         : object_attr(c->herd->host, ATTR_HOST_NAME));
    if (*conf->store.job)
        json_kv_string(j, "job", conf->store.job);
    json_object_end(j);
}

static void put_target(const struct core *c, struct json *j)
{
    CLEANUP(buf_done) struct buf interval;
    buf_init(&interval, 64);
    promql_duration_put(&interval, c->conf->kernel.interval_ns / NS_PER_MS);
    bool is_sampled = collector_sampled(c->collector);
    json_object_begin(j);
    put_target_labels(c, j, "discoveredLabels");
    put_target_labels(c, j, "labels");
    json_kv_string(j, "scrapePool", "vherd");
    json_kv_string(j, "scrapeUrl", "");
    json_kv_string(j, "globalUrl", "");
    json_kv_string(j, "lastError", "");
    put_time(j, "lastScrape", is_sampled ? clock_real_ns(&clock_system) : c->started_real_ns);
    json_kv_f64(j, "lastScrapeDuration", 0);
    json_kv_string(j, "health", is_sampled ? "up" : "unknown");
    json_kv_string(j, "scrapeInterval", interval.data);
    json_kv_string(j, "scrapeTimeout", interval.data);
    json_object_end(j);
}

void view_targets(const struct view *v)
{
    CLEANUP(freep) char *state = ipc_request_param(v->request, "state");
    CLEANUP(freep) char *pool = ipc_request_param(v->request, "scrapePool");
    bool is_wanted = (!state || !*state || strcmp(state, "dropped") != 0) &&
                     (!pool || !*pool || strcmp(pool, "vherd") == 0);
    struct status_answer a;
    begin(&a);
    json_object_begin(&a.j);
    json_key(&a.j, "activeTargets");
    json_array_begin(&a.j);
    if (is_wanted)
        put_target(v->core, &a.j);
    json_array_end(&a.j);
    json_key(&a.j, "droppedTargets");
    json_array_begin(&a.j);
    json_array_end(&a.j);
    json_key(&a.j, "droppedTargetCounts");
    json_object_begin(&a.j);
    json_object_end(&a.j);
    json_object_end(&a.j);
    finish(v, &a);
}

void view_status_buildinfo(const struct view *v)
{
    static const char *const members[][2] = {
        {"version", API_VERSION}, {"revision", "vherd-" VHERD_VERSION},
        {"branch", ""},           {"buildUser", ""},
        {"buildDate", ""},        {"goVersion", ""},
    };
    struct status_answer a;
    begin(&a);
    json_object_begin(&a.j);
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        json_kv_string(&a.j, members[i][0], members[i][1]);
    json_object_end(&a.j);
    finish(v, &a);
}

void view_status_runtimeinfo(const struct view *v)
{
    const struct core *c = v->core;
    char directory[PATH_MAX];
    struct status_answer a;
    struct json *j = &a.j;
    begin(&a);
    json_object_begin(j);
    put_time(j, "startTime", c->started_real_ns);
    json_kv_string(j, "CWD", getcwd(directory, sizeof(directory)) ? directory : "");
    json_kv_string(j, "hostname", object_attr(c->herd->host, ATTR_HOST_NAME));
    put_time(j, "serverTime", clock_real_ns(&clock_system));
    json_kv_bool(j, "reloadConfigSuccess", true);
    put_time(j, "lastConfigTime", c->configured_real_ns);
    json_kv_u64(j, "corruptionCount", 0);
    json_kv_u64(j, "goroutineCount", 0);
    json_kv_i64(j, "GOMAXPROCS", c->conf->query.concurrency);
    json_kv_u64(j, "GOMEMLIMIT", 0);
    json_kv_string(j, "GOGC", "");
    json_kv_string(j, "GODEBUG", "");
    json_kv_string(j, "storageRetention", "");
    json_object_end(j);
    finish(v, &a);
}

void view_status_config(const struct view *v)
{
    struct status_answer a;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    conf_encode(v->core->conf, &text);
    begin(&a);
    json_object_begin(&a.j);
    json_kv_string(&a.j, "yaml", text.data);
    json_object_end(&a.j);
    finish(v, &a);
}

static void put_duration(struct json *j, const char *key, int64_t ns)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 64);
    promql_duration_put(&text, ns / NS_PER_MS);
    json_kv_string(j, key, text.data);
}

static void put_number(struct json *j, const char *key, int64_t n)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 64);
    buf_i64(&text, n);
    json_kv_string(j, key, text.data);
}

void view_status_flags(const struct view *v)
{
    const struct conf *conf = v->core->conf;
    struct status_answer a;
    begin(&a);
    json_object_begin(&a.j);
    put_duration(&a.j, "query.timeout", conf->query.timeout_ns);
    put_duration(&a.j, "query.lookback-delta", conf->query.lookback_ns);
    put_number(&a.j, "query.max-concurrency", conf->query.concurrency);
    put_number(&a.j, "query.max-samples", conf->query.max_samples);
    json_object_end(&a.j);
    finish(v, &a);
}
