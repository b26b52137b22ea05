// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CONF_TARGETS_H
#define CONF_TARGETS_H

/*
 * Lists of the configuration: what is scraped, and where samples are sent. Keys are named as in
 * Prometheus' own configuration, so that what people have can be pasted. Every text is owned and
 * never NULL.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A list of texts. */
struct conf_list {
    char **items;
    size_t n;
};

/** A mapping of texts, in the order of the file. */
struct conf_pair {
    char *name, *value;
};
struct conf_pairs {
    struct conf_pair *items;
    size_t n;
};

/** A list of mappings: `n` structures, of which the comment beside the array tells the type. */
struct conf_array {
    void *items;
    size_t n;
};

/** A rule of relabelling; `action` counts as enum relabel_action of model/relabel.h does. */
struct conf_relabel {
    struct conf_list source_labels;
    char *separator;
    char *regex;
    int64_t modulus;
    char *target_label;
    char *replacement;
    int action;
    int line;
};

/** TLS of a server. */
struct conf_tls {
    char *ca_file, *cert_file, *key_file;
    char *server_name;
    bool insecure_skip_verify;
};

/** How a server is spoken to. Secrets come from files only. */
struct conf_http {
    struct {
        char *username;
        char *password_file;
    } basic_auth;
    struct {
        char *type; /**< "Bearer" */
        char *credentials_file;
    } authorization;
    struct conf_tls tls;
    struct conf_pairs headers;
    bool follow_redirects;
};

struct conf_static {
    struct conf_list targets; /**< "host:port" */
    struct conf_pairs labels;
};

struct conf_scrape {
    char *job_name;
    int64_t interval_ns;
    int64_t timeout_ns; /**< at most interval_ns */
    char *metrics_path;
    int scheme; /**< enum conf_scheme */
    struct conf_pairs params;
    bool honor_labels;
    bool honor_timestamps;
    int64_t sample_limit; /**< after relabelling; 0 = none */
    int64_t body_size_limit_bytes;
    struct conf_http http;
    struct conf_array static_configs;         /**< struct conf_static */
    struct conf_array relabel_configs;        /**< struct conf_relabel: of targets */
    struct conf_array metric_relabel_configs; /**< struct conf_relabel: of samples */
    int line;
};

enum conf_scheme {
    CONF_SCHEME_HTTP,
    CONF_SCHEME_HTTPS,
};

enum conf_rw_message {
    CONF_RW_1_0,
    CONF_RW_2_0,
};

struct conf_remote_write {
    char *url;
    char *name; /**< "" in the file: made from the URL */
    int64_t timeout_ns;
    int message; /**< enum conf_rw_message */
    struct conf_http http;
    struct conf_array write_relabel_configs; /**< struct conf_relabel */
    struct {
        int64_t max_samples_per_send;
        int64_t batch_send_deadline_ns;
        int64_t min_backoff_ns, max_backoff_ns;
        bool retry_on_http_429;
        int64_t sample_age_limit_ns; /**< 0 = none */
    } queue;
    struct {
        bool send;
        int64_t send_interval_ns;
    } metadata;
    int line;
};

#endif
