// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd rules check|test|backtest`: on files, without the daemon.
#include "tool/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/similar.h"
#include "model/catalogue.h"
#include "rule/backtest.h"
#include "rule/check.h"
#include "rule/unit_test.h"
#include "sim/history_store.h"
#include "tsdb/tsdb.h"

#define INTERVAL_MS 60000

// What comes with every scrape, and what rules write.
static const char *const usual[] = {
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
};

// True also for metrics of other exporters, of which nothing is known: only our own prefixes are
// judged.
static bool is_known(void *arg, const char *metric)
{
    static const char *const ours[] = {"vherd_", "libvirt_"};
    bool is_ours = false;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        is_ours |= strncmp(metric, ours[i], strlen(ours[i])) == 0;
    for (size_t i = 0; i < model_metrics_count; i++)
        if (strcmp(model_metrics[i].name, metric) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        if (strcmp(usual[i], metric) == 0)
            return true;
    return !is_ours;
}

static const char *similar(void *arg, const char *metric)
{
    const char **names = mem_zalloc(model_metrics_count * sizeof(*names));
    for (size_t i = 0; i < model_metrics_count; i++)
        names[i] = model_metrics[i].name;
    const char *best = similar_best(metric, names, model_metrics_count);
    free(names);
    return best;
}

// Samples that one evaluation of all rules reads of each series.
static double cost_of(const struct rule_files *files, size_t *ret_groups)
{
    double samples = 0;
    for (size_t i = 0; i < files->n; i++)
        for (size_t k = 0; k < files->file[i]->n_groups; k++) {
            const struct rule_group *g = &files->file[i]->group[k];
            int64_t interval = g->interval_ms ? g->interval_ms : INTERVAL_MS;
            (*ret_groups)++;
            for (size_t m = 0; m < g->n_rules; m++)
                samples += rule_cost(&g->rule[m], 1000).samples_per_series * INTERVAL_MS /
                           (double)interval;
        }
    return samples;
}

static void put_lines(const struct rule_errors *errors, const struct rule_findings *findings,
                      struct buf *out)
{
    for (size_t i = 0; i < errors->n; i++) {
        esc_terminal(out, errors->err[i].message);
        buf_putc(out, '\n');
    }
    for (size_t i = 0; i < findings->n; i++) {
        esc_terminal(out, findings->item[i].message);
        buf_putc(out, '\n');
    }
}

static void put_json(const struct rule_errors *errors, const struct rule_findings *findings,
                     const struct rule_files *files, struct buf *out)
{
    struct json j;
    size_t groups = 0;
    double samples = cost_of(files, &groups);
    json_init(&j, out);
    json_object_begin(&j);
    json_kv_bool(&j, "ok", errors->n == 0);
    json_kv_u64(&j, "rules", rule_files_count(files));
    json_kv_u64(&j, "groups", groups);
    json_kv_f64(&j, "samples_per_series_minute", samples);
    json_key(&j, "errors");
    json_array_begin(&j);
    for (size_t i = 0; i < errors->n; i++) {
        json_object_begin(&j);
        json_kv_string(&j, "message", errors->err[i].message);
        json_kv_i64(&j, "line", errors->err[i].line);
        json_kv_i64(&j, "column", errors->err[i].column);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_key(&j, "warnings");
    json_array_begin(&j);
    for (size_t i = 0; i < findings->n; i++)
        json_text(&j, findings->item[i].message);
    json_array_end(&j);
    json_object_end(&j);
}

// 0 only where every file could be read.
static int load(const char *const *path, size_t n, struct rule_files *files,
                struct rule_errors *errors)
{
    int r = 0;
    for (size_t i = 0; i < n; i++) {
        int e = rule_files_glob(files, NULL, path[i], errors);
        r = r < 0 ? r : e;
    }
    return r;
}

bool tool_rules_check(const char *const *path, size_t n, bool json, bool strict, struct buf *out)
{
    struct rule_files files = {0};
    struct rule_errors errors = {0};
    struct rule_findings findings = {0};
    const struct rule_check_options options = {.is_known = is_known, .similar = similar};
    bool well = load(path, n, &files, &errors) == 0;
    (void)rule_check(&files, &options, &findings);
    if (json) {
        put_json(&errors, &findings, &files, out);
    } else {
        size_t groups = 0;
        put_lines(&errors, &findings, out);
        double samples = cost_of(&files, &groups);
        size_t rules = rule_files_count(&files);
        if (well)
            buf_printf(out,
                       "%zu %s in %zu %s %s well; each minute %.0f samples are read of each series "
                       "that matches, sampled each second.\n",
                       rules, rules == 1 ? "rule" : "rules", groups,
                       groups == 1 ? "group" : "groups", rules == 1 ? "is" : "are", samples);
    }
    if (strict && findings.n > 0)
        well = false;
    rule_findings_done(&findings);
    rule_errors_done(&errors);
    rule_files_done(&files);
    return well;
}

bool tool_rules_test(const char *const *path, size_t n, const char *run, bool json, struct buf *out)
{
    struct rule_test_options options = {.run = run};
    bool well = true;
    struct json j;
    json_init(&j, out);
    if (json)
        json_array_begin(&j);
    for (size_t i = 0; i < n; i++) {
        struct err err = {0};
        struct rule_test_result result;
        struct buf text;
        buf_init(&text, 16 << 20);
        int r = rule_test_file(path[i], &options, &text, &result, &err);
        bool passed = r == 0 && result.failures == 0;
        well &= passed;
        if (json) {
            json_object_begin(&j);
            json_kv_string(&j, "file", path[i]);
            json_kv_bool(&j, "ok", passed);
            json_kv_u64(&j, "tests", result.tests);
            json_kv_u64(&j, "failures", result.failures);
            json_kv_string(&j, "output", r < 0 ? err.message : text.data ? text.data : "");
            json_object_end(&j);
        } else {
            buf_puts(out, "Unit Testing:  ");
            esc_terminal(out, path[i]);
            buf_putc(out, '\n');
            if (r < 0) {
                buf_puts(out, "  FAILED:\n    ");
                esc_terminal(out, err.message);
                buf_putc(out, '\n');
            } else if (passed) {
                buf_put(out, text.data, text.len);
                buf_puts(out, "  SUCCESS\n");
            } else {
                buf_put(out, text.data, text.len);
            }
            buf_putc(out, '\n');
        }
        buf_done(&text);
    }
    if (json)
        json_array_end(&j);
    return well;
}

// Time of the newest sample; 0: there is none.
static int64_t newest_of(struct tsdb *db)
{
    struct tsdb_status status;
    tsdb_status(db, &status);
    return status.newest_ms;
}

DEFINE_FREEP(struct tsdb, tsdb_close, tsdb_closep)
DEFINE_FREEP(struct rule_backtest, rule_backtest_free, backtest_freep)

static int run_backtest(const struct rule_files *files, const struct tool_backtest *p,
                        struct buf *out, struct err *err)
{
    CLEANUP(tsdb_closep) struct tsdb *db = NULL;
    CLEANUP(backtest_freep) struct rule_backtest *result = NULL;
    int r = sim_store_open(p->directory, &db, err);
    if (r < 0)
        return r;
    struct rule_backtest_params params = {.end_ms = p->until_ms ? p->until_ms : newest_of(db),
                                          .interval_ms = p->interval_ms};
    params.start_ms = params.end_ms - p->since_ms;
    if (params.end_ms == 0)
        return err_set(err, ENODATA, "%s: there are no samples in it", p->directory);
    r = rule_backtest(files, tsdb_source(db), &params, &result, err);
    if (r < 0)
        return r;
    if (p->json) {
        struct json j;
        json_init(&j, out);
        rule_backtest_json(result, &j);
    } else {
        rule_backtest_print(result, p->columns, p->utf8, out);
    }
    return 0;
}

int tool_rules_backtest(const char *const *path, size_t n, const struct tool_backtest *params,
                        struct buf *out, struct err *err)
{
    struct rule_files files = {0};
    struct rule_errors errors = {0};
    int r = load(path, n, &files, &errors);
    if (r < 0 && errors.n > 0)
        *err = errors.err[0];
    else if (r < 0)
        err_set(err, -r, "the rule files cannot be read: %s", strerror(-r));
    else
        r = run_backtest(&files, params, out, err);
    rule_errors_done(&errors);
    rule_files_done(&files);
    return r;
}
