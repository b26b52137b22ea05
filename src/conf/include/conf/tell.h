// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CONF_TELL_H
#define CONF_TELL_H

/*
 * Notifications in the configuration: who is told, of what, when. Every text is owned and never
 * NULL. Secrets are named, not held: a file's path, or "env:NAME".
 */

#include "conf/targets.h"

enum conf_receiver_type {
    CONF_RECEIVER_NONE, /**< tells nobody: for alerts that are to be seen only */
    CONF_RECEIVER_WEBHOOK,
    CONF_RECEIVER_ALERTMANAGER,
    CONF_RECEIVER_EMAIL,
    CONF_RECEIVER_EXEC,
    CONF_RECEIVER_JOURNAL,
    CONF_RECEIVER_NAGIOS,
    CONF_RECEIVER_TYPE_MAX,
};

/** "none", "webhook", "alertmanager", "email", "exec", "journal", "nagios". */
const char *conf_receiver_type_name(enum conf_receiver_type type);

enum conf_mail_tls {
    CONF_MAIL_STARTTLS, /**< must be offered and taken */
    CONF_MAIL_TLS,      /**< from the first byte (port 465) */
    CONF_MAIL_PLAIN,
};

struct conf_receiver {
    char *name;
    enum conf_receiver_type type; /**< by which of the mappings below was filled in */
    bool send_resolved;
    int64_t timeout_ns; /**< of one attempt */
    int64_t max_alerts; /**< in one message; the rest is counted */
    struct {
        char *url;
        char *url_file;    /**< where the URL is a secret itself */
        char *secret_file; /**< key of the signature; "" = not signed */
        struct conf_http http;
    } webhook;
    struct {
        struct conf_list urls; /**< each is told */
        struct conf_http http;
    } alertmanager;
    struct {
        struct conf_list to;
        char *from;
        char *smarthost; /**< "host:port" */
        int tls;         /**< enum conf_mail_tls */
        char *username, *password_file;
        struct conf_tls tls_config;
    } email;
    struct {
        struct conf_list command; /**< program and arguments; no shell */
    } exec;
    struct {
        bool enabled;
    } journal;
    struct {
        char *command_file;         /**< of Nagios; "" = none */
        struct conf_list send_nsca; /**< program and arguments: send_nsca of NSCA or NSCA-ng */
        char *host;                 /**< in Nagios; "" = the host's name */
        char *service;              /**< in Nagios; "" = the alert's name */
    } nagios;
    int line;
};

struct conf_route {
    char *receiver;
    struct conf_list matchers;
    struct conf_list group_by;
    int64_t group_wait_ns, group_interval_ns, repeat_interval_ns; /**< 0: as the route above */
    bool go_on;               /**< `continue`: later routes beside this one match too */
    struct conf_list quiet;   /**< names of quiet hours in which this route waits */
    struct conf_array routes; /**< struct conf_route */
    int line;
};

struct conf_inhibit {
    struct conf_list source, target; /**< matchers */
    struct conf_list equal;          /**< labels that both must have alike */
    int line;
};

struct conf_quiet {
    char *name;
    char *time_zone;       /**< "UTC", "Europe/Berlin", "" = the machine's */
    struct conf_list days; /**< "mon" … "sun"; none = all */
    char *from, *to;       /**< "22:00"; `to` at or before `from` is on the next day */
    int line;
};

#endif
