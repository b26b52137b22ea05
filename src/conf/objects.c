// SPDX-License-Identifier: GPL-3.0-or-later
// The lists of the configuration and the mappings in them, one row a key, as keys.c has the rest.
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "keys.h"

#define MS NS_PER_MS
#define S NS_PER_S
#define M (60 * NS_PER_S)
#define H (3600 * NS_PER_S)

static const char *const schemes[] = {"http", "https", NULL};
static const char *const messages[] = {"prometheus.WriteRequest", "io.prometheus.write.v2.Request",
                                       NULL};
// In the order of model/relabel.h; a test compares them.
static const char *const relabel_actions[] = {
    "replace",  "keep",      "drop",      "keepequal", "dropequal", "hashmod",
    "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase", NULL,
};

const char *conf_check_label(const char *name)
{
    bool ok = isalpha((unsigned char)*name) || *name == '_';
    for (const char *c = name; *c; c++)
        ok = ok && (isalnum((unsigned char)*c) || *c == '_');
    return ok && strlen(name) <= 256 ? NULL : "names of letters, digits and _";
}

const char *conf_check_file(const char *path)
{
    return !*path || *path == '/' ? NULL : "a path that begins with /, or \"\"";
}

const char *conf_check_url(const char *text)
{
    size_t n = strncmp(text, "http://", 7) == 0 ? 7 : strncmp(text, "https://", 8) == 0 ? 8 : 0;
    bool ok = n > 0 && text[n] && text[n] != '/' && !strpbrk(text, " \t\"<>\\^`{|}");
    return ok ? NULL : "a URL such as http://127.0.0.1:9090/api/v1/write";
}

static const char *check_job(const char *text)
{
    return *text ? NULL : "a name that is not empty";
}

static const char *check_path(const char *text)
{
    return *text == '/' && !strpbrk(text, " \t#") ? NULL : "a path that begins with /";
}

static const char *check_target(const char *text)
{
    return *text && !strpbrk(text, " \t/?#@\"<>\\^`{|}") && *text != '\x01' ? NULL
                                                                            : "\"host:port\"";
}

// A header's name. What libcurl or remote write set themselves is not up to the file.
const char *conf_check_header(const char *text)
{
    static const char *const ours[] = {"host",
                                       "content-length",
                                       "content-encoding",
                                       "content-type",
                                       "transfer-encoding",
                                       "connection",
                                       "authorization",
                                       "x-prometheus-remote-write-version",
                                       "user-agent"};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (strcasecmp(ours[i], text) == 0)
            return "names of headers that vherd does not set itself";
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
            return "names of headers: letters, digits, '-', '_' and '.'";
    return *text ? NULL : "names of headers: letters, digits, '-', '_' and '.'";
}

static const char *check_method(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-')
            return "a word such as Bearer";
    return *text ? NULL : "a word such as Bearer";
}

// Relabelling

#define RELABEL(member) offsetof(struct conf_relabel, member)

static const struct conf_key relabel_keys[] = {
    {"relabel_configs", "action", CONF_CHOICE, RELABEL(action), "replace",
     .choices = relabel_actions, .help = "What the rule does."},
    {"relabel_configs", "source_labels", CONF_LIST, RELABEL(source_labels), "",
     .help = "Labels whose values, joined, are looked at."},
    {"relabel_configs", "separator", CONF_TEXT, RELABEL(separator), ";",
     .help = "What stands between the joined values."},
    {"relabel_configs", "regex", CONF_TEXT, RELABEL(regex), "(.*)",
     .help = "Regular expression (RE2) that the whole text must match."},
    {"relabel_configs", "modulus", CONF_INTEGER, RELABEL(modulus), "0", 0, INT64_MAX,
     .help = "Of hashmod: the hash of the text is taken modulo this."},
    {"relabel_configs", "target_label", CONF_TEXT, RELABEL(target_label), "",
     .help = "Label that is set, or compared."},
    {"relabel_configs", "replacement", CONF_TEXT, RELABEL(replacement), "$1",
     .help = "The label's new value; $1 is the first group of the match. Empty removes the label."},
};

static const struct conf_object relabel_object = {
    .name = "relabel_configs",
    .size = sizeof(struct conf_relabel),
    .keys = relabel_keys,
    .n_keys = ARRAY_LEN(relabel_keys),
    .line_offset = RELABEL(line),
    .help = "A rule of relabelling, as in Prometheus. Rules run in their order; `keep` and `drop` "
            "decide about the whole target or series.",
};

// HTTP

#define BASIC(member) (CONF_HTTP(basic_auth.member) - CONF_HTTP(basic_auth))
#define AUTH(member) (CONF_HTTP(authorization.member) - CONF_HTTP(authorization))
#define TLS(member) (CONF_HTTP(tls.member) - CONF_HTTP(tls))

static const struct conf_key basic_keys[] = {
    {"basic_auth", "username", CONF_TEXT, BASIC(username), "", .help = "Name of the user."},
    {"basic_auth", "password_file", CONF_TEXT, BASIC(password_file), "", .check = conf_check_file,
     .help = "File that holds the password."},
};

const struct conf_object conf_basic_object = {
    .name = "basic_auth",
    .size = sizeof(((struct conf_http *)NULL)->basic_auth),
    .keys = basic_keys,
    .n_keys = ARRAY_LEN(basic_keys),
    .help = "Basic authentication. Files with secrets are read when vherd starts or is reloaded, "
            "before it gives up its rights; they are not shown by `vherd config show`.",
};

static const struct conf_key authorization_keys[] = {
    {"authorization", "type", CONF_TEXT, AUTH(type), "Bearer", .check = check_method,
     .help = "First word of the header."},
    {"authorization", "credentials_file", CONF_TEXT, AUTH(credentials_file), "",
     .check = conf_check_file, .help = "File that holds the token."},
};

const struct conf_object conf_authorization_object = {
    .name = "authorization",
    .size = sizeof(((struct conf_http *)NULL)->authorization),
    .keys = authorization_keys,
    .n_keys = ARRAY_LEN(authorization_keys),
    .help = "The Authorization header.",
};

static const struct conf_key tls_keys[] = {
    {"tls_config", "ca_file", CONF_TEXT, TLS(ca_file), "", .check = conf_check_file,
     .help = "Authorities that are believed instead of the system's."},
    {"tls_config", "cert_file", CONF_TEXT, TLS(cert_file), "", .check = conf_check_file,
     .help = "Our own certificate. It and its key must be readable by the user that vherd-send "
             "becomes (web.user)."},
    {"tls_config", "key_file", CONF_TEXT, TLS(key_file), "", .check = conf_check_file,
     .help = "Its key."},
    {"tls_config", "server_name", CONF_TEXT, TLS(server_name), "",
     .help = "Name that the server's certificate must have, where the address has another."},
    {"tls_config", "insecure_skip_verify", CONF_BOOL, TLS(insecure_skip_verify), "false",
     .help = "true takes any certificate."},
};

const struct conf_object conf_tls_object = {
    .name = "tls_config",
    .size = sizeof(((struct conf_http *)NULL)->tls),
    .keys = tls_keys,
    .n_keys = ARRAY_LEN(tls_keys),
    .help = "TLS of https addresses.",
};

const char *conf_check_http(const struct conf_http *http)
{
    if (*http->basic_auth.username && *http->authorization.credentials_file)
        return "either basic_auth or authorization, not both";
    if (!*http->tls.cert_file != !*http->tls.key_file)
        return "tls_config: cert_file and key_file go together";
    return NULL;
}

// scrape

#define STATIC(member) offsetof(struct conf_static, member)

static const struct conf_key static_keys[] = {
    {"static_configs", "targets", CONF_LIST, STATIC(targets), "", .check = check_target,
     .required = true, .help = "Addresses with a port."},
    {"static_configs", "labels", CONF_PAIRS, STATIC(labels), .check = conf_check_label,
     .help = "Labels of all series from these targets."},
};

static const struct conf_object static_object = {
    .name = "static_configs",
    .size = sizeof(struct conf_static),
    .keys = static_keys,
    .n_keys = ARRAY_LEN(static_keys),
    .help = "Targets that share labels.",
};

#define SCRAPE(member) offsetof(struct conf_scrape, member)

static const struct conf_key scrape_keys[] = {
    {"scrape", "job_name", CONF_TEXT, SCRAPE(job_name), "", .check = check_job, .required = true,
     .help = "Label `job` of all series; each job has a name of its own."},
    {"scrape", "static_configs", CONF_OBJECTS, SCRAPE(static_configs), .object = &static_object,
     .help = "What is scraped."},
    {"scrape", "scrape_interval", CONF_DURATION, SCRAPE(interval_ns), "15s", 100 * MS, 24 * H,
     .help = "How often each target is scraped; targets take turns within it."},
    {"scrape", "scrape_timeout", CONF_DURATION, SCRAPE(timeout_ns), "10s", 100 * MS, 24 * H,
     .help = "How long a scrape may take, at most scrape_interval (which the default follows)."},
    {"scrape", "metrics_path", CONF_TEXT, SCRAPE(metrics_path), "/metrics", .check = check_path,
     .help = "Path of the page."},
    {"scrape", "scheme", CONF_CHOICE, SCRAPE(scheme), "http", .choices = schemes,
     .help = "How targets are spoken to."},
    {"scrape", "params", CONF_PAIRS, SCRAPE(params), .multi = true,
     .help = "Parameters of the address."},
    {"scrape", "honor_labels", CONF_BOOL, SCRAPE(honor_labels), "false",
     .help = "Whether a scraped label wins over the target's of the same name; otherwise it is "
             "kept as `exported_…`."},
    {"scrape", "honor_timestamps", CONF_BOOL, SCRAPE(honor_timestamps), "true",
     .help = "Whether timestamps that a target gives are kept."},
    {"scrape", "sample_limit", CONF_INTEGER, SCRAPE(sample_limit), "0", 0, 10000000,
     .help = "Scrapes with more samples fail as a whole; 0 = no limit."},
    {"scrape", "body_size_limit", CONF_SIZE, SCRAPE(body_size_limit_bytes), "16M", 1024, 256 << 20,
     .help = "Scrapes with a larger page (once unpacked) fail."},
    {"scrape", "relabel_configs", CONF_OBJECTS, SCRAPE(relabel_configs), .object = &relabel_object,
     .help = "Relabelling of targets, before they are scraped."},
    {"scrape", "metric_relabel_configs", CONF_OBJECTS, SCRAPE(metric_relabel_configs),
     .object = &relabel_object, .help = "Relabelling of scraped series."},
    CONF_HTTP_KEYS("scrape", SCRAPE(http)),
};

static const char *check_scrape(void *object)
{
    struct conf_scrape *s = object;
    if (s->timeout_ns > s->interval_ns) {
        if (s->timeout_ns != 10 * S)
            return "scrape_timeout must be at most scrape_interval";
        s->timeout_ns = s->interval_ns;
    }
    return conf_check_http(&s->http);
}

static const struct conf_object scrape_object = {
    .name = "scrape",
    .size = sizeof(struct conf_scrape),
    .keys = scrape_keys,
    .n_keys = ARRAY_LEN(scrape_keys),
    .line_offset = SCRAPE(line),
    .check = check_scrape,
    .help = "A list of jobs: other exporters whose metrics are fetched. The keys are those of "
            "Prometheus' scrape_configs.",
};

// remote_write

#define RW(member) offsetof(struct conf_remote_write, member)
#define QUEUE(member) (RW(queue.member) - RW(queue))
#define META(member) (RW(metadata.member) - RW(metadata))

static const struct conf_key queue_keys[] = {
    {"queue_config", "max_samples_per_send", CONF_INTEGER, QUEUE(max_samples_per_send), "2000", 1,
     100000, .help = "Most samples of one request."},
    {"queue_config", "batch_send_deadline", CONF_DURATION, QUEUE(batch_send_deadline_ns), "5s",
     10 * MS, 1 * H, .help = "How long samples wait for a request to fill."},
    {"queue_config", "min_backoff", CONF_DURATION, QUEUE(min_backoff_ns), "30ms", 1 * MS, 1 * H,
     .help = "First pause after a failure; it doubles with each further one."},
    {"queue_config", "max_backoff", CONF_DURATION, QUEUE(max_backoff_ns), "5s", 1 * MS, 1 * H,
     .help = "Longest pause."},
    {"queue_config", "retry_on_http_429", CONF_BOOL, QUEUE(retry_on_http_429), "false",
     .help = "Whether \"429 Too Many Requests\" is tried again instead of dropped."},
    {"queue_config", "sample_age_limit", CONF_DURATION, QUEUE(sample_age_limit_ns), "0s", 0,
     8760 * H, .help = "Samples older than this are dropped; 0s = none are."},
};

static const struct conf_object queue_object = {
    .name = "queue_config",
    .size = sizeof(((struct conf_remote_write *)NULL)->queue),
    .keys = queue_keys,
    .n_keys = ARRAY_LEN(queue_keys),
    .help = "How samples are put into requests, and what happens on failure. What cannot be sent "
            "waits in the store's log, not in memory.",
};

static const struct conf_key metadata_keys[] = {
    {"metadata_config", "send", CONF_BOOL, META(send), "true",
     .help = "Whether types and help texts are sent."},
    {"metadata_config", "send_interval", CONF_DURATION, META(send_interval_ns), "1m", 100 * MS,
     24 * H, .help = "How often, with version 1.0; in 2.0 they are part of each series."},
};

static const struct conf_object metadata_object = {
    .name = "metadata_config",
    .size = sizeof(((struct conf_remote_write *)NULL)->metadata),
    .keys = metadata_keys,
    .n_keys = ARRAY_LEN(metadata_keys),
    .help = "Metadata of metrics.",
};

static const struct conf_key remote_write_keys[] = {
    {"remote_write", "url", CONF_TEXT, RW(url), "", .check = conf_check_url, .required = true,
     .help = "Where samples are sent."},
    {"remote_write", "name", CONF_TEXT, RW(name), "",
     .help =
         "Tells receivers apart: the place in the log is kept under this name. Empty: the URL."},
    {"remote_write", "remote_timeout", CONF_DURATION, RW(timeout_ns), "30s", 100 * MS, 1 * H,
     .help = "How long a request may take."},
    {"remote_write", "protobuf_message", CONF_CHOICE, RW(message), "prometheus.WriteRequest",
     .choices = messages,
     .help = "Version of the protocol: the first is 1.0, the second 2.0. A receiver that does not "
             "confirm 2.0 is spoken to in 1.0."},
    {"remote_write", "write_relabel_configs", CONF_OBJECTS, RW(write_relabel_configs),
     .object = &relabel_object, .help = "Relabelling of series before they are sent."},
    {"remote_write", "queue_config", CONF_OBJECT, RW(queue), .object = &queue_object,
     .help = "Requests and retries."},
    {"remote_write", "metadata_config", CONF_OBJECT, RW(metadata), .object = &metadata_object,
     .help = "Types and help texts."},
    CONF_HTTP_KEYS("remote_write", RW(http)),
};

static const char *check_remote_write(void *object)
{
    struct conf_remote_write *r = object;
    if (r->queue.min_backoff_ns > r->queue.max_backoff_ns)
        return "queue_config: min_backoff must be at most max_backoff";
    return conf_check_http(&r->http);
}

static const struct conf_object remote_write_object = {
    .name = "remote_write",
    .size = sizeof(struct conf_remote_write),
    .keys = remote_write_keys,
    .n_keys = ARRAY_LEN(remote_write_keys),
    .line_offset = RW(line),
    .check = check_remote_write,
    .help = "A list of servers to which all samples are sent: Prometheus, VictoriaMetrics, Mimir, "
            "Thanos. The keys are those of Prometheus' remote_write.",
};

const struct conf_key conf_lists[] = {
    {"", "scrape", CONF_OBJECTS, offsetof(struct conf, scrape), .object = &scrape_object,
     .help = "Jobs."},
    {"", "remote_write", CONF_OBJECTS, offsetof(struct conf, remote_write),
     .object = &remote_write_object, .help = "Receivers."},
};
const size_t conf_lists_count = ARRAY_LEN(conf_lists);

const struct conf_object *const conf_objects[] = {
    &scrape_object,
    &static_object,
    &remote_write_object,
    &queue_object,
    &metadata_object,
    &conf_basic_object,
    &conf_authorization_object,
    &conf_tls_object,
    &relabel_object,
    &conf_receiver_object,
    &conf_webhook_object,
    &conf_alertmanager_object,
    &conf_email_object,
    &conf_exec_object,
    &conf_journal_object,
    &conf_nagios_object,
    &conf_route_object,
    &conf_inhibit_object,
    &conf_quiet_object,
};
const size_t conf_objects_count = ARRAY_LEN(conf_objects);
