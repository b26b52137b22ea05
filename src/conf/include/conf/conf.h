// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CONF_CONF_H
#define CONF_CONF_H

/*
 * One YAML file; every key has a default, an unknown key is an error with line and column. The
 * table of keys is also the source of docs/configuration.md and vherd.yaml(5).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "conf/targets.h"
#include "conf/tell.h"

/** Roles that a key may give, in the order of enum verb_role. */
enum conf_role {
    CONF_ROLE_NONE,
    CONF_ROLE_VIEWER,
    CONF_ROLE_OPERATOR,
    CONF_ROLE_ADMIN,
};

/** From where something may be read without a token. */
enum conf_open {
    CONF_OPEN_NONE,
    CONF_OPEN_LOOPBACK,
    CONF_OPEN_ALL,
};

/** May plans be carried out by themselves? */
enum conf_auto {
    CONF_AUTO_OFF,
    CONF_AUTO_DRY_RUN, /**< written to the log only */
    CONF_AUTO_ON,
};

/** The configuration in force; every text is owned and never NULL. */
struct conf {
    char *path; /**< the file it came from, "" = defaults */

    struct {
        char *uri;                 /**< libvirt.uri; "" = qemu:///system as root, else session */
        int64_t interval_ns;       /**< libvirt.interval: each VM's statistics; 10s, 1s..1h */
        int64_t deadline_ns;       /**< libvirt.deadline: after which a call is written off; 3s */
        int64_t max_in_flight;     /**< libvirt.max_in_flight: 3, 1..8 */
        int64_t max_written_off;   /**< libvirt.max_written_off: 8, 1..16 */
        int64_t quarantine_min_ns; /**< libvirt.quarantine_min: 5s */
        int64_t quarantine_max_ns; /**< libvirt.quarantine_max: 5m */
        int64_t reconnect_max_ns;  /**< libvirt.reconnect_max: longest pause between attempts; 4s */
        int64_t slow_interval_ns;  /**< libvirt.slow_interval: jobs, memory of idle guests; 1m */
        int64_t pool_interval_ns;  /**< libvirt.pool_interval: pools and networks; 30s */
    } libvirt;

    struct {
        char *root;                 /**< kernel.root: "/" or a recorded tree */
        int64_t interval_ns;        /**< kernel.interval: 1s, 100ms..60s */
        int64_t detail_interval_ns; /**< kernel.detail_interval: switches, cgroups …; 5s */
        int64_t scan_interval_ns;   /**< kernel.scan_interval: look for new processes; 10s */
        int64_t slow_interval_ns;   /**< kernel.slow_interval: PSS, swap, KVM statistics; 60s */
    } kernel;

    struct {
        bool enabled;             /**< agent.enabled: true */
        int64_t interval_ns;      /**< agent.interval: ping and clock; 2m */
        int64_t info_interval_ns; /**< agent.info_interval: file systems, users, OS; 5m */
        int64_t deadline_ns;      /**< agent.deadline: 5s */
    } agent;

    struct {
        struct conf_list sets; /**< metrics.sets: [vherd, tinkoff, inovex] */
        bool misnamed;         /**< metrics.misnamed: false */
    } metrics;

    struct {
        bool enabled;             /**< store.enabled: true */
        char *path;               /**< store.path: "" = /var/lib/vherd/data or the user's */
        char *job;                /**< store.job: label of all series of this host; vherd */
        char *instance;           /**< store.instance: the same; "" = the host's name */
        int64_t flush_ns;         /**< store.flush: pause between writes to the log; 1s */
        int64_t fsync_ns;         /**< store.fsync: pause between fsyncs of the log; 5s */
        int64_t keep_ns;          /**< store.keep: age up to which samples stay; 30d */
        int64_t keep_minute_ns;   /**< store.keep_minute: roll-ups of a minute; 180d */
        int64_t keep_hour_ns;     /**< store.keep_hour: roll-ups of an hour; 1095d */
        int64_t keep_size;        /**< store.keep_size: bytes of samples; 0 = no limit */
        int64_t keep_minute_size; /**< store.keep_minute_size: 0 */
        int64_t keep_hour_size;   /**< store.keep_hour_size: 0 */
        int64_t log_size;         /**< store.log_size: log kept for remote write; 1G */
    } store;

    struct {
        struct conf_list listen;      /**< web.listen: [127.0.0.1:9177]; [::1]:9177; [] = no TCP */
        struct conf_list hosts;       /**< web.hosts: further names that callers may use; [] */
        char *socket;                 /**< web.socket: "" = /run/vherd/vherd.sock or the user's */
        char *socket_group;           /**< web.socket_group: "" = root only */
        enum conf_role socket_role;   /**< web.socket_role: of its members; viewer */
        enum conf_role loopback_role; /**< web.loopback_role: none or viewer; viewer */
        enum conf_open metrics;       /**< web.metrics: without a token; loopback */
        struct conf_list tls_listen;  /**< web.tls_listen: addresses for HTTPS; [] */
        char *tls_certificate;        /**< web.tls_certificate: PEM; "" = one of our own */
        char *tls_key;                /**< web.tls_key: PEM; "" = one of our own */
        char *user;                   /**< web.user: "" = vherd where it exists, else nobody */
        int64_t max_connections;      /**< web.max_connections: 256, 8..10000 */
        int64_t rate_limit; /**< web.rate_limit: requests a second of one address; 100, 0 = none */
        struct conf_list origins; /**< web.origins: whose pages may read answers; [] */
        bool sandbox;             /**< web.sandbox: true; false only for debuggers */
    } web;

    struct {
        int64_t parallel; /**< act.parallel: tasks at the same time; 4, 1..32 */
        char *templates;  /**< act.templates: "" = /etc/vherd/templates as root, else the user's */
        char *state;      /**< act.state: "" = /var/lib/vherd/act as root, else the user's */
    } act;

    struct {
        int64_t timeout_ns;     /**< query.timeout: of one query, its wait in the queue too; 30s */
        int64_t concurrency;    /**< query.concurrency: queries evaluated at once; 2, 1..64 */
        int64_t queue;          /**< query.queue: queries that wait or are being sent; 256 */
        int64_t max_samples;    /**< query.max_samples: held at once by one query; 50000000 */
        int64_t max_series;     /**< query.max_series: of one selector; 100000 */
        int64_t max_memory_mib; /**< query.max_memory_mib: of one query; 256 */
        int64_t lookback_ns;    /**< query.lookback: how old a sample may be; 5m */
    } query;

    struct {
        int64_t cpu_overcommit; /**< plan.cpu_overcommit: vCPUs per CPU; 4, 1..64 */
        int64_t memory_reserve; /**< plan.memory_reserve: per cent for the host; 5, 0..90 */
        enum conf_auto mode;    /**< plan.auto: off; dry-run or on */
        int64_t every_ns;       /**< plan.auto_every: 1h */
        int64_t per_hour;       /**< plan.auto_per_hour: deeds in any hour; 4 */
        char *scope;            /**< plan.auto_scope: VMs that may be changed; all */
    } plan;

    struct {
        enum log_level level; /**< log.level: info */
    } log;

    struct {
        struct conf_pairs external_labels; /**< global.external_labels: {} */
    } global;

    struct {
        struct conf_list directories; /**< textfile.directories: [] */
        int64_t interval_ns;          /**< textfile.interval: 15s */
    } textfile;

    struct {
        bool enabled;           /**< receive.enabled: false */
        char *token_file;       /**< receive.token_file: "" */
        int64_t max_body_bytes; /**< receive.max_body: 4M, before unpacking */
    } receive;

    struct {
        bool pack;                /**< rules.pack: vherd's own rules are used too; true */
        struct conf_list disable; /**< rules.disable: names of rules that are left out; [] */
        struct conf_list files;   /**< rules.files: patterns of paths; [] */
        int64_t interval_ns;      /**< rules.evaluation_interval: of groups that name none; 15s */
        int64_t query_offset_ns;  /**< rules.query_offset: how far back groups look; 0s */
        int64_t resend_delay_ns;  /**< rules.resend_delay: a firing alert is told again; 1m */
        bool hold_gaps;           /**< rules.hold_gaps: missing data resolve nothing; true */
        char *external_url;       /**< rules.external_url: for templates and links; "" */
    } rules;

    struct {
        int64_t keep_ns;   /**< events.keep: age up to which events stay; 90d, 0 = for ever */
        int64_t keep_size; /**< events.keep_size: bytes of events; 64M, 0 = no limit */
    } events;

    struct {
        struct conf_array receivers;   /**< struct conf_receiver */
        struct conf_route route;       /**< the top; receiver "" = nobody is told */
        struct conf_array inhibit;     /**< struct conf_inhibit */
        bool default_inhibit;          /**< notify.default_inhibit: true */
        struct conf_array quiet_hours; /**< struct conf_quiet */
        int64_t keep_trying_ns;        /**< notify.keep_trying: 24h */
        int64_t max_backoff_ns;        /**< notify.max_backoff: 5m */
        char *external_url;            /**< notify.external_url: "" */
    } notify;

    struct conf_array scrape;       /**< of struct conf_scrape */
    struct conf_array remote_write; /**< of struct conf_remote_write */
};

/** Defaults. The caller owns the result. */
struct conf *conf_new(void);
void conf_free(struct conf *c);

/**
 * Read a file over the defaults. Returns 0 with *ret set, or -errno with one error: file, line,
 * column, what is wrong and what is allowed (unknown keys name the nearest known one).
 */
int conf_load(const char *path, struct conf **ret, struct err *err);

/** The same from memory; `name` stands for the file in messages. */
int conf_parse(const char *name, const char *text, size_t len, struct conf **ret, struct err *err);

/** The file that applies: $VHERD_CONFIG, else /etc/vherd/vherd.yaml as root, else the user's
 * $XDG_CONFIG_HOME/vherd/vherd.yaml; *ret_exists tells whether it is there. Caller frees. */
char *conf_default_path(bool *ret_exists);

/** The Unix socket in force: web.socket, or the default for this user. Caller frees. */
char *conf_socket_path(const struct conf *c);

/** The store's directory in force. Caller frees. */
char *conf_store_path(const struct conf *c);

/** The directory of act's database in force: act.state, or the default. Caller frees. */
char *conf_act_state(const struct conf *c);

/** The folder of templates in force: act.templates, or the default. Caller frees. */
char *conf_templates_path(const struct conf *c);

/** The libvirt URI in force. Caller frees. */
char *conf_libvirt_uri(const struct conf *c);

/** As YAML that reads back the same, all keys. */
void conf_encode(const struct conf *c, struct buf *out);

/** The same as one JSON object of sections; durations are texts. */
void conf_encode_json(const struct conf *c, struct buf *out);

/** docs/configuration.md: every key, its type, range, default and meaning. */
void conf_reference(struct buf *out);

/** The keys as sections of a manual page (roff, man macros). */
void conf_manual(struct buf *out);

#endif
