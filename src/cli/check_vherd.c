// SPDX-License-Identifier: GPL-3.0-or-later
// check_vherd: a plugin for Nagios and what understands its plugins. One line on standard output,
// performance data behind '|', exit status 0 (OK), 1 (WARNING), 2 (CRITICAL), 3 (UNKNOWN).
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/esc.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "conf/conf.h"
#include "range.h"
#include "tui/api.h"
#include "version.h"

#define TIMEOUT_S 10
#define LINE_MAX_BYTES (64u * 1024)
#define PORT "9177"

enum status { OK, WARNING, CRITICAL, UNKNOWN };

struct check {
    const char *mode, *vm;
    struct range warning, critical;
    struct http_client *client;
    int timeout_ms;
    struct buf words, perf;
    enum status status;
};

static const char *const status_names[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

static const char usage[] =
    "check_vherd [-H HOST[:PORT]|URL | -s SOCKET] -m MODE [-n VM] [-w RANGE] [-c RANGE]\n"
    "            [-t SECONDS] [-k TOKEN-FILE]\n\n"
    "modes: state, cpu (%), memory (%), disk (bytes/s), net (bytes/s), alerts (how many fire)\n"
    "--version\n"
    "-n: of this VM; without it: of the host (cpu, memory) or of all VMs together\n"
    "ranges: 80 (outside 0..80), 10: (below), ~:10 (above), 10:20 (outside), @10:20 (inside)\n"
    "in words: --hostname, --socket, --mode, --name, --warning, --critical, --timeout, "
    "--token-file,\n"
    "          --help, --version\n";

static _Noreturn void leave(struct check *c, enum status status)
{
    static const char prefix[] = "VHERD ";
    struct buf line;
    buf_init(&line, 4 * LINE_MAX_BYTES);
    buf_printf(&line, "%s%s - ", prefix, status_names[status]);
    // One line, whatever a guest is called; '|' begins performance data.
    for (size_t i = 0; i < c->words.len; i++)
        buf_putc(&line, (unsigned char)c->words.data[i] < ' ' || c->words.data[i] == '|'
                            ? ' '
                            : c->words.data[i]);
    if (c->perf.len)
        buf_printf(&line, " |%s", c->perf.data);
    buf_putc(&line, '\n');
    (void)fs_write_all(STDOUT_FILENO, line.data, line.len);
    exit((int)status);
}

static _Noreturn void unknown(struct check *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static _Noreturn void unknown(struct check *c, const char *format, ...)
{
    CLEANUP(freep) char *text = NULL;
    va_list ap;
    va_start(ap, format);
    if (vasprintf(&text, format, ap) < 0)
        text = NULL;
    va_end(ap);
    buf_reset(&c->words);
    buf_puts(&c->words, text ? text : "out of memory");
    leave(c, UNKNOWN);
}

static void rate(struct check *c, double value)
{
    if (range_alerts(&c->critical, value))
        c->status = MAX_OF(c->status, CRITICAL);
    else if (range_alerts(&c->warning, value))
        c->status = MAX_OF(c->status, WARNING);
}

static void put_perf(struct check *c, const char *label, double value, const char *unit,
                     const char *bounds, bool is_rated)
{
    buf_printf(&c->perf, "%s'", c->perf.len ? " " : "");
    for (const char *p = label; *p; p++)
        buf_putc(&c->perf, strchr("'=|\n", *p) ? '_' : *p);
    buf_puts(&c->perf, "'=");
    buf_f64(&c->perf, round(value * 100) / 100);
    buf_printf(&c->perf, "%s;", unit);
    // Thresholds stand beside the value that they are held against.
    if (is_rated)
        range_format(&c->warning, &c->perf);
    buf_putc(&c->perf, ';');
    if (is_rated)
        range_format(&c->critical, &c->perf);
    buf_printf(&c->perf, ";%s", bounds);
}

static json_t *ask(struct check *c, const char *path)
{
    struct err err = {0};
    json_t *answer = NULL;
    if (api_get(c->client, path, c->timeout_ms, &answer, &err) < 0)
        unknown(c, "%s", err.message);
    return answer;
}

static json_t *ask_vm(struct check *c)
{
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, LINE_MAX_BYTES);
    buf_puts(&path, "/vherd/v1/vms/");
    esc_url(&path, c->vm);
    return ask(c, path.data);
}

// Values

// Sum of fields over an object or all VMs; NaN where none is known.
static double sum(const json_t *object, const char *const *fields)
{
    double total = NAN;
    for (; *fields; fields++) {
        double v = api_number(object, *fields);
        if (!isnan(v))
            total = isnan(total) ? v : total + v;
    }
    return total;
}

static double sum_all(struct check *c, const char *const *fields)
{
    json_t *answer = ask(c, "/vherd/v1/vms"), *vm;
    double total = NAN;
    size_t i;
    json_array_foreach(api_list(answer, "vms"), i, vm)
    {
        double v = sum(vm, fields);
        if (!isnan(v))
            total = isnan(total) ? v : total + v;
    }
    if (json_array_size(api_list(answer, "vms")) == 0)
        total = 0;
    json_decref(answer);
    return total;
}

static void tell_percent(struct check *c, const char *what, double ratio)
{
    const char *whose = c->vm ? c->vm : "host";
    if (isnan(ratio))
        unknown(c, "%s of %s is not known now", what, whose);
    buf_printf(&c->words, "%s of %s is %.1f%%", what, whose, ratio * 100);
    put_perf(c, what, ratio * 100, "%", "0;100", true);
    rate(c, ratio * 100);
}

static void check_cpu(struct check *c)
{
    json_t *o = c->vm ? ask_vm(c) : ask(c, "/vherd/v1/host");
    tell_percent(c, "cpu", api_number(o, "cpu_utilisation_ratio"));
    json_decref(o);
}

static void check_memory(struct check *c)
{
    json_t *o = c->vm ? ask_vm(c) : ask(c, "/vherd/v1/host");
    double ratio =
        c->vm ? api_number(o, "memory_used_ratio")
              : 1 - api_number(o, "memory_available_bytes") / api_number(o, "memory_total_bytes");
    tell_percent(c, "memory", ratio);
    json_decref(o);
}

static void tell_bytes(struct check *c, const char *what, const char *const fields[3],
                       const char *const labels[2])
{
    json_t *vm = c->vm ? ask_vm(c) : NULL;
    double total = 0;
    for (int i = 0; i < 2; i++) {
        const char *const one[] = {fields[i], NULL};
        double v = vm ? sum(vm, one) : sum_all(c, one);
        if (isnan(v))
            unknown(c, "%s of %s is not known now", what, c->vm ? c->vm : "all VMs");
        put_perf(c, labels[i], v, "B", "0;", false);
        total += v;
    }
    put_perf(c, "total", total, "B", "0;", true);
    buf_printf(&c->words, "%s of %s is %.0f bytes/s", what, c->vm ? c->vm : "all VMs", total);
    rate(c, total);
    json_decref(vm);
}

static void check_disk(struct check *c)
{
    static const char *const fields[] = {"read_bytes_per_second", "write_bytes_per_second", NULL};
    static const char *const labels[] = {"read", "write"};
    tell_bytes(c, "disk I/O", fields, labels);
}

static void check_net(struct check *c)
{
    static const char *const fields[] = {"receive_bytes_per_second", "transmit_bytes_per_second",
                                         NULL};
    static const char *const labels[] = {"receive", "transmit"};
    tell_bytes(c, "network I/O", fields, labels);
}

// States

static enum status rate_state(const struct check *c, const char *state, const char *reason)
{
    // A reason of NULL stands for any.
    static const struct {
        const char *state, *reason;
        enum status all, one; // among all VMs; of a VM that is to run
    } rows[] = {
        {"running", NULL, OK, OK},
        {"idle", NULL, OK, OK},
        {"paused", "I/O error", CRITICAL, CRITICAL},
        {"paused", "watchdog", CRITICAL, CRITICAL},
        {"paused", "crashed", CRITICAL, CRITICAL},
        {"paused", NULL, OK, WARNING},
        {"in shutdown", NULL, OK, WARNING},
        {"pmsuspended", NULL, OK, WARNING},
        {"shut off", "crashed", CRITICAL, CRITICAL},
        {"shut off", "failed", CRITICAL, CRITICAL},
        {"shut off", NULL, OK, CRITICAL},
        {"crashed", NULL, CRITICAL, CRITICAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].state, state) == 0 &&
            (!rows[i].reason || strcmp(rows[i].reason, reason) == 0))
            return c->vm ? rows[i].one : rows[i].all;
    return UNKNOWN;
}

static void add_state(struct check *c, const json_t *vm)
{
    const char *state = api_text(vm, "state"), *reason = api_text(vm, "state_reason");
    const char *name = api_text(vm, "name");
    enum status s = rate_state(c, state ? state : "unknown", reason ? reason : "");
    c->status = MAX_OF(c->status, s);
    if (c->vm || s != OK)
        buf_printf(&c->words, "%s%s is %s (%s)", c->words.len ? ", " : "", name ? name : "?",
                   state ? state : "in an unknown state", reason ? reason : "");
}

static void check_state(struct check *c)
{
    json_t *answer = c->vm ? ask_vm(c) : ask(c, "/vherd/v1/vms"), *vm;
    size_t i, running = 0, n = 0;
    if (c->vm) {
        add_state(c, answer);
        json_decref(answer);
        return;
    }
    const json_t *libvirt = json_object_get(answer, "libvirt");
    json_array_foreach(api_list(answer, "vms"), i, vm)
    {
        const char *state = api_text(vm, "state");
        add_state(c, vm);
        running += state && strcmp(state, "running") == 0;
        n++;
    }
    if (!json_is_true(json_object_get(libvirt, "up")))
        unknown(c, "libvirt does not answer; VMs may well run on");
    if (c->words.len == 0)
        buf_printf(&c->words, "%zu of %zu VMs run", running, n);
    put_perf(c, "running", (double)running, "", "0;", true);
    put_perf(c, "vms", (double)n, "", "0;", false);
    rate(c, (double)running);
    json_decref(answer);
}

// Alerts

static bool is_of_vm(const struct check *c, const json_t *labels)
{
    const char *vm = api_text(labels, "domain");
    return !c->vm || (vm && strcmp(vm, c->vm) == 0);
}

static void check_alerts(struct check *c)
{
    json_t *answer = ask(c, "/vherd/v1/alerts"), *a;
    size_t i, n = 0;
    json_array_foreach(api_list(answer, "alerts"), i, a)
    {
        const json_t *labels = json_object_get(a, "labels");
        const char *state = api_text(a, "state"), *name = api_text(labels, "alertname");
        const char *severity = api_text(labels, "severity"), *vm = api_text(labels, "domain");
        if (!state || strcmp(state, "firing") != 0 || api_text(a, "silenced_by") ||
            api_text(a, "inhibited_by") || !is_of_vm(c, labels))
            continue;
        buf_printf(&c->words, "%s%s%s%s", n++ ? ", " : "", name ? name : "?", vm ? " " : "",
                   vm ? vm : "");
        // Without thresholds an alert's severity tells.
        bool is_mild =
            severity && (strcmp(severity, "warning") == 0 || strcmp(severity, "info") == 0);
        if (!c->warning.is_set && !c->critical.is_set)
            c->status = MAX_OF(c->status, is_mild ? WARNING : CRITICAL);
    }
    if (n == 0)
        buf_puts(&c->words, "no alert fires");
    put_perf(c, "alerts", (double)n, "", "0;", true);
    rate(c, (double)n);
    json_decref(answer);
}

static const struct {
    const char *name;
    void (*run)(struct check *c);
} modes[] = {
    {"state", check_state}, {"cpu", check_cpu}, {"memory", check_memory},
    {"disk", check_disk},   {"net", check_net}, {"alerts", check_alerts},
};

// The command line

struct arguments {
    const char *host, *socket, *token_file;
};

static void set_range(struct check *c, const char *text, struct range *range)
{
    if (range_parse(text, range) < 0)
        unknown(c, "\"%s\" is no range; see check_vherd -h", text);
}

static void read_arguments(struct check *c, struct arguments *a, int argc, char **argv)
{
    static const struct option longs[] = {
        {"hostname", required_argument, NULL, 'H'},
        {"socket", required_argument, NULL, 's'},
        {"mode", required_argument, NULL, 'm'},
        {"name", required_argument, NULL, 'n'},
        {"warning", required_argument, NULL, 'w'},
        {"critical", required_argument, NULL, 'c'},
        {"timeout", required_argument, NULL, 't'},
        {"token-file", required_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "H:s:m:n:w:c:t:k:hV", longs, NULL)) != -1) {
        uint64_t seconds = 0;
        switch (option) {
        case 'H':
            a->host = optarg;
            break;
        case 's':
            a->socket = optarg;
            break;
        case 'k':
            a->token_file = optarg;
            break;
        case 'm':
            c->mode = optarg;
            break;
        case 'n':
            c->vm = optarg;
            break;
        case 'w':
            set_range(c, optarg, &c->warning);
            break;
        case 'c':
            set_range(c, optarg, &c->critical);
            break;
        case 't':
            if (number_parse_u64(optarg, &seconds) < 0 || seconds < 1 || seconds > 3600)
                unknown(c, "-t: seconds, from 1 to 3600");
            c->timeout_ms = (int)seconds * 1000;
            break;
        case 'h':
        case 'V':
            fputs(option == 'h' ? usage : "check_vherd " VHERD_VERSION "\n", stdout);
            exit(UNKNOWN);
        default:
            if (optopt)
                unknown(c, "-%c is no option, or lacks its value; see check_vherd -h", optopt);
            unknown(c, "%s is no option; see check_vherd -h", argv[optind - 1]);
        }
    }
    if (optind < argc)
        unknown(c, "\"%s\" is too much; see check_vherd -h", argv[optind]);
}

static char *url_of(const char *host)
{
    if (strstr(host, "://"))
        return mem_strdup(host);
    const char *bracket = strchr(host, ']');
    bool has_port = strchr(bracket ? bracket : host, ':') != NULL;
    return mem_printf("http://%s%s", host, has_port ? "" : ":" PORT);
}

static char *read_token(struct check *c, const char *path)
{
    char *token = NULL;
    size_t len = 0;
    int r = fs_read_file(AT_FDCWD, path, 4096, &token, &len);
    if (r < 0)
        unknown(c, "%s: %s", path, strerror(-r));
    token[strcspn(token, "\r\n")] = '\0';
    return token;
}

int main(int argc, char **argv)
{
    struct check c = {.mode = "state", .timeout_ms = TIMEOUT_S * 1000};
    struct arguments a = {0};
    buf_init(&c.words, LINE_MAX_BYTES);
    buf_init(&c.perf, LINE_MAX_BYTES);
    read_arguments(&c, &a, argc, argv);
    // The system's daemon, unless something else is asked for.
    struct http_target target = {.socket = a.socket ? a.socket : "/run/vherd/vherd.sock"};
    if (a.host)
        target = (struct http_target){.url = url_of(a.host)};
    if (a.token_file)
        target.token = read_token(&c, a.token_file);
    c.client = http_client_new(&target);
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (strcmp(modes[i].name, c.mode) == 0) {
            modes[i].run(&c);
            leave(&c, c.status);
        }
    }
    unknown(&c, "there is no mode \"%s\"; see check_vherd -h", c.mode);
}
