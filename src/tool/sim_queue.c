// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd sim queue`: requests for VMs, of a trace or generated, through queue disciplines, with
// what queueing theory expects beside them.
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "columns.h"
#include "place/queue_trace.h"
#include "place/queueing.h"
#include "tool/sim.h"

#define FILE_MAX ((size_t)512 << 20)
#define REQUESTS_MAX QUEUE_TRACE_MAX
#define TITLE_COLUMNS 26
#define THEORY "theory"

// Of a simulated discipline or, as far as it says something, of theory.
struct line {
    double utilisation, wait_s, wait_p95_s, wait_max_s, response_s, slowdown, fairness, waiting,
        makespan_s;
    uint64_t served, impossible, suspensions;
};

#define LINE(key, title, width, member, put)                                                       \
    {                                                                                              \
        key, title, COLUMN_##width, offsetof(struct line, member), put                             \
    }

// What theory knows too stands first.
#define THEORETICAL 4
static const struct column columns[] = {
    LINE("utilisation_ratio", "utilisation", DOUBLE, utilisation, column_ratio),
    LINE("wait_seconds_mean", "waiting, mean", DOUBLE, wait_s, column_seconds),
    LINE("response_seconds_mean", "response, mean", DOUBLE, response_s, column_seconds),
    LINE("waiting_mean", "requests that wait, mean", DOUBLE, waiting, column_fixed),
    LINE("wait_seconds_p95", "waiting, 95th percentile", DOUBLE, wait_p95_s, column_seconds),
    LINE("wait_seconds_max", "waiting, longest", DOUBLE, wait_max_s, column_seconds),
    LINE("slowdown_mean", "slowdown, mean", DOUBLE, slowdown, column_fixed),
    LINE("fairness", "fairness (Jain)", DOUBLE, fairness, column_ratio),
    LINE("makespan_seconds", "first arrival to last end", DOUBLE, makespan_s, column_age),
    LINE("served", "requests served", U64, served, column_count),
    LINE("impossible", "larger than a host", U64, impossible, column_count),
    LINE("suspensions", "suspensions", U64, suspensions, column_count),
};

struct queue_work {
    const struct tool_queue_options *given;
    struct queue_options options;
    bool picked[QUEUE_DISCIPLINES];
    enum queue_service service;
    double rate_per_h, mean_s;
    uint64_t requests_n, priorities, seed;
    struct queue_request *requests; // owned
    size_t n;
    char model[32]; // in Kendall's notation; "": theory says nothing
    struct queue_forecast forecast;
    const char *note; // on the forecast, or NULL
};

static int number_in(const char *option, const char *text, double least, double most, double *ret,
                     struct err *err)
{
    if (!text)
        return 0;
    if (number_parse_f64(text, ret) < 0 || !(*ret >= least && *ret <= most))
        return err_set(err, EINVAL, "--%s must be a number from %g to %g, not \"%.40s\"", option,
                       least, most, text);
    return 0;
}

static int whole_in(const char *option, const char *text, uint64_t least, uint64_t most,
                    uint64_t *ret, struct err *err)
{
    if (!text)
        return 0;
    if (number_parse_u64(text, ret) < 0 || *ret < least || *ret > most)
        return err_set(err, EINVAL, "--%s must be a whole number from %ju to %ju, not \"%.40s\"",
                       option, (uintmax_t)least, (uintmax_t)most, text);
    return 0;
}

static int duration_of(const char *option, const char *text, double *ret_s, struct err *err)
{
    int64_t ns;
    if (!text)
        return 0;
    if (number_parse_duration(text, &ns) < 0 || ns <= 0)
        return err_set(err, EINVAL, "--%s must be a duration such as 10m, not \"%.40s\"", option,
                       text);
    *ret_s = (double)ns / 1e9;
    return 0;
}

static int read_policies(struct queue_work *w, struct err *err)
{
    const struct tool_queue_options *o = w->given;
    for (size_t i = 0; i < o->policies_n; i++) {
        for (const char *at = o->policies[i]; at;) {
            const char *comma = strchr(at, ',');
            CLEANUP(freep)
            char *name = comma ? mem_strndup(at, (size_t)(comma - at)) : mem_strdup(at);
            enum queue_discipline d = queue_discipline_parse(name);
            if (d == QUEUE_INVALID)
                return err_set(err, EINVAL,
                               "--policy: no queue discipline \"%.40s\": fcfs, sjf, priority, "
                               "ageing, round-robin or backfill",
                               name);
            w->picked[d] = true;
            at = comma ? comma + 1 : NULL;
        }
    }
    for (int d = 0; o->policies_n == 0 && d < QUEUE_DISCIPLINES; d++)
        w->picked[d] = true;
    return 0;
}

static int read_service(struct queue_work *w, struct err *err)
{
    const char *name = w->given->service ? w->given->service : "exponential";
    for (int s = 0; s < QUEUE_SERVICES; s++)
        if (strcmp(queue_service_name(s), name) == 0) {
            w->service = s;
            return 0;
        }
    return err_set(err, EINVAL,
                   "--service: exponential, deterministic, hyperexponential or erlang, not "
                   "\"%.40s\"",
                   name);
}

static int read_hosts(struct queue_work *w, struct err *err)
{
    const struct tool_queue_options *o = w->given;
    uint64_t hosts = 1, memory = UINT64_C(256) << 30;
    double vcpus = 64;
    int r = whole_in("hosts", o->hosts, 1, QUEUE_HOSTS_MAX, &hosts, err);
    if (r == 0)
        r = number_in("vcpus", o->vcpus, 0.001, 1e6, &vcpus, err);
    if (r == 0 && o->memory &&
        (number_parse_size(o->memory, &memory) < 0 || memory > (uint64_t)PLACE_AMOUNT_MAX))
        r = err_set(err, EINVAL, "--memory must be a size such as 256G, not \"%.40s\"", o->memory);
    w->options.hosts = hosts;
    w->options.capacity.of[PLACE_CPU] = llround(vcpus * PLACE_CPU_UNIT);
    w->options.capacity.of[PLACE_MEMORY] = (int64_t)memory;
    return r;
}

static int read_options(struct queue_work *w, struct err *err)
{
    const struct tool_queue_options *o = w->given;
    if (o->trace && (o->rate || o->mean || o->service || o->requests || o->priorities))
        return err_set(err, EINVAL,
                       "--trace brings its own requests: --rate, --mean, --service, --requests "
                       "and --priorities are for generated ones");
    int r = read_policies(w, err);
    if (r == 0)
        r = read_hosts(w, err);
    if (r == 0)
        r = read_service(w, err);
    if (r == 0)
        r = number_in("rate", o->rate, 1e-6, 1e9, &w->rate_per_h, err);
    if (r == 0)
        r = whole_in("requests", o->requests, 1, REQUESTS_MAX, &w->requests_n, err);
    if (r == 0)
        r = whole_in("priorities", o->priorities, 1, 1000, &w->priorities, err);
    if (r == 0)
        r = whole_in("seed", o->seed, 0, UINT64_MAX, &w->seed, err);
    if (r == 0)
        r = duration_of("mean", o->mean, &w->mean_s, err);
    if (r == 0)
        r = duration_of("ageing", o->ageing, &w->options.ageing_s, err);
    return r == 0 ? duration_of("slice", o->slice, &w->options.slice_s, err) : r;
}

static int load(struct queue_work *w, struct err *err)
{
    const char *path = w->given->trace;
    CLEANUP(freep) char *text = NULL;
    size_t len = 0;
    int r = fs_read_file(AT_FDCWD, path, FILE_MAX, &text, &len);
    if (r < 0)
        return err_set(err, -r, "cannot read %s: %s", path, strerror(-r));
    return queue_trace_parse(path, text, len, &w->requests, &w->n, err);
}

static int generate(struct queue_work *w, struct err *err)
{
    struct prng p;
    w->requests = calloc(w->requests_n, sizeof(*w->requests));
    if (!w->requests)
        return err_set(err, ENOMEM, "no memory for %ju requests", (uintmax_t)w->requests_n);
    w->n = w->requests_n;
    prng_init(&p, w->seed, 0);
    queue_generate(&p, w->rate_per_h / 3600, w->mean_s, w->service, w->requests, w->n);
    prng_init(&p, w->seed, 1);
    for (size_t i = 0; i < w->n; i++)
        w->requests[i].priority = (int32_t)prng_below(&p, w->priorities);
    return 0;
}

// How many requests of mean size run at once.
static uint64_t servers(const struct queue_options *o, const struct place_vector *need)
{
    int64_t least = INT64_MAX;
    for (int k = 0; k < PLACE_RESOURCES; k++)
        if (need->of[k] > 0)
            least = MIN_OF(least, o->capacity.of[k] / need->of[k]);
    return least == INT64_MAX ? 0 : (uint64_t)least * o->hosts;
}

static bool differ(const struct queue_request *q, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (memcmp(&q[i].need, &q[0].need, sizeof(q->need)) != 0)
            return true;
    return false;
}

static void expect(struct queue_work *w)
{
    struct queue_trace_means m = queue_trace_means(w->requests, w->n);
    uint64_t c = servers(&w->options, &m.need);
    bool exponential = !w->given->trace && w->service == QUEUE_EXPONENTIAL;
    if (c == 0 || c > INT32_MAX || m.arrivals_per_s == 0) {
        w->note = "theory says nothing of these requests";
        return;
    }
    int n = snprintf(w->model, sizeof(w->model), "M/%s/%ju", exponential ? "M" : "G", (uintmax_t)c);
    if (n < 0 || (size_t)n >= sizeof(w->model))
        w->model[0] = '\0';
    w->forecast = exponential ? queue_mmc(m.arrivals_per_s, m.service_s, (int)c)
                  : c == 1
                      ? queue_mg1(m.arrivals_per_s, m.service_s, m.service_deviation_s)
                      : queue_mgc(m.arrivals_per_s, m.service_s, m.service_deviation_s, (int)c);
    if (w->forecast.utilisation_ratio >= 1)
        w->note = "more is asked for than there is: by theory the queue grows without end";
    else if (differ(w->requests, w->n))
        w->note = "theory takes all requests to be of mean size, and arrivals to be independent";
}

static struct line line_of_theory(const struct queue_forecast *f)
{
    return (struct line){.utilisation = f->utilisation_ratio,
                         .wait_s = f->wait_mean_s,
                         .response_s = f->response_mean_s,
                         .waiting = f->waiting_mean};
}

static struct line line_of(const struct queue_report *r)
{
    return (struct line){
        .utilisation = r->utilisation_ratio,
        .wait_s = r->wait_mean_s,
        .wait_p95_s = r->wait_p95_s,
        .wait_max_s = r->wait_max_s,
        .response_s = r->response_mean_s,
        .slowdown = r->slowdown_mean,
        .fairness = r->fairness,
        .waiting = r->makespan_s > 0 ? r->wait_mean_s * (double)r->served / r->makespan_s : 0,
        .makespan_s = r->makespan_s,
        .served = r->served,
        .impossible = r->impossible,
        .suspensions = r->suspensions,
    };
}

static int play(struct queue_work *w, struct line lines[QUEUE_DISCIPLINES], struct err *err)
{
    for (int d = 0; d < QUEUE_DISCIPLINES; d++) {
        struct queue_report report;
        if (!w->picked[d])
            continue;
        w->options.discipline = d;
        int r = queue_run(&w->options, w->requests, w->n, err);
        if (r == 0 && queue_report(&w->options, w->requests, w->n, &report) < 0)
            r = err_set(err, ENOMEM, "no memory for the report");
        if (r < 0)
            return r;
        lines[d] = line_of(&report);
    }
    return 0;
}

static void put_text(const struct queue_work *w, const struct line *lines, struct buf *out)
{
    struct line theory = line_of_theory(&w->forecast);
    bool known = w->model[0] != '\0';
    width_put(out, "discipline", TITLE_COLUMNS, WIDTH_LEFT, "~");
    if (known)
        buf_printf(out, "  %11s", w->model);
    for (int d = 0; d < QUEUE_DISCIPLINES; d++)
        if (w->picked[d])
            buf_printf(out, "  %11s", queue_discipline_name(d));
    buf_putc(out, '\n');
    for (size_t k = 0; k < ARRAY_LEN(columns); k++) {
        width_put(out, columns[k].title, TITLE_COLUMNS, WIDTH_LEFT, "~");
        if (known && k < THEORETICAL) {
            buf_puts(out, "  ");
            column_cell(&columns[k], &theory, 11, WIDTH_RIGHT, out);
        } else if (known) {
            buf_printf(out, "  %11s", "");
        }
        for (int d = 0; d < QUEUE_DISCIPLINES; d++) {
            if (!w->picked[d])
                continue;
            buf_puts(out, "  ");
            column_cell(&columns[k], &lines[d], 11, WIDTH_RIGHT, out);
        }
        buf_putc(out, '\n');
    }
    if (w->note)
        buf_printf(out, "Note: %s.\n", w->note);
}

static void put_json(const struct queue_work *w, const struct line *lines, struct buf *out)
{
    struct line theory = line_of_theory(&w->forecast);
    struct json j;
    json_init(&j, out);
    json_object_begin(&j);
    json_kv_u64(&j, "requests", w->n);
    json_kv_u64(&j, "hosts", w->options.hosts);
    if (!w->given->trace)
        json_kv_u64(&j, "seed", w->seed);
    json_key(&j, THEORY);
    json_object_begin(&j);
    if (w->model[0]) {
        json_kv_string(&j, "model", w->model);
        columns_json(columns, THEORETICAL, &theory, &j);
        json_kv_f64(&j, "wait_probability", w->forecast.wait_probability);
        json_kv_f64(&j, "inside_mean", w->forecast.inside_mean);
    }
    if (w->note)
        json_kv_string(&j, "note", w->note);
    json_object_end(&j);
    json_key(&j, "disciplines");
    json_array_begin(&j);
    for (int d = 0; d < QUEUE_DISCIPLINES; d++) {
        if (!w->picked[d])
            continue;
        json_object_begin(&j);
        json_kv_string(&j, "discipline", queue_discipline_name(d));
        columns_json(columns, ARRAY_LEN(columns), &lines[d], &j);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_object_end(&j);
}

static void put_csv(const struct queue_work *w, const struct line *lines, struct buf *out)
{
    buf_puts(out, "discipline,");
    columns_csv(columns, ARRAY_LEN(columns), NULL, out);
    for (int d = 0; d < QUEUE_DISCIPLINES; d++) {
        if (!w->picked[d])
            continue;
        buf_printf(out, "%s,", queue_discipline_name(d));
        columns_csv(columns, ARRAY_LEN(columns), &lines[d], out);
    }
}

int tool_sim_queue(const struct tool_queue_options *options, struct buf *out, struct err *err)
{
    static void (*const put[])(const struct queue_work *w, const struct line *lines,
                               struct buf *out) = {
        [TOOL_FORMAT_TEXT] = put_text, [TOOL_FORMAT_JSON] = put_json, [TOOL_FORMAT_CSV] = put_csv};
    struct queue_work w = {.given = options,
                           .options = {.ageing_s = 600, .slice_s = 3600},
                           .rate_per_h = 12,
                           .mean_s = 4 * 3600,
                           .requests_n = 100000,
                           .priorities = 3,
                           .seed = 1};
    struct line lines[QUEUE_DISCIPLINES] = {0};
    int r = read_options(&w, err);
    if (r == 0)
        r = options->trace ? load(&w, err) : generate(&w, err);
    if (r == 0)
        r = play(&w, lines, err);
    if (r == 0) {
        expect(&w);
        put[options->format](&w, lines, out);
        r = out->error;
    }
    free(w.requests);
    return r;
}
