// SPDX-License-Identifier: GPL-3.0-or-later
// Notifications, one row a key.
#include "conf/tell.h"

#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "keys.h"

#define MS NS_PER_MS
#define S NS_PER_S
#define H (3600 * NS_PER_S)

static const char *const mail_tls[] = {"starttls", "tls", "none", NULL};
static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};

static const char *const type_names[CONF_RECEIVER_TYPE_MAX] = {
    "none", "webhook", "alertmanager", "email", "exec", "journal", "nagios",
};

const char *conf_receiver_type_name(enum conf_receiver_type type)
{
    return type_names[type];
}

const char *conf_check_secret(const char *place)
{
    bool is_variable = strncmp(place, "env:", 4) == 0 && place[4];
    for (const char *c = place + 4; is_variable && *c; c++)
        is_variable = isalnum((unsigned char)*c) || *c == '_';
    return is_variable || !*place || *place == '/'
               ? NULL
               : "a path that begins with /, env:NAME for a variable of the environment, or \"\"";
}

static const char *check_name(const char *text)
{
    bool ok = *text != '\0';
    for (const char *c = text; *c; c++)
        ok = ok && (isalnum((unsigned char)*c) || strchr("-_.", *c));
    return ok && strlen(text) <= 64 ? NULL : "a name of letters, digits, '-', '_' and '.'";
}

static const char *check_line(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return "one line of text";
    return NULL;
}

static const char *check_address(const char *text)
{
    const char *at = strchr(text, '@');
    bool ok = at && at > text && at[1] && !strpbrk(text, " \t\r\n<>,;\"");
    return ok ? NULL : "an address such as ops@example.org";
}

static const char *check_sender(const char *text)
{
    return *text ? check_address(text) : NULL;
}

static const char *check_smarthost(const char *text)
{
    const char *colon = strrchr(text, ':');
    bool ok = colon && colon > text && colon[1] && !strpbrk(text, " \t\r\n/?#@\"<>\\^`{|}");
    for (const char *c = ok ? colon + 1 : ""; *c; c++)
        ok = ok && isdigit((unsigned char)*c);
    return ok || !*text ? NULL : "\"host:port\"";
}

static const char *check_nagios(const char *text)
{
    return strpbrk(text, ";\r\n\t") ? "one line without ';'" : NULL;
}

static const char *check_hour(const char *text)
{
    bool ok = strlen(text) == 5 && text[2] == ':' && isdigit((unsigned char)text[0]) &&
              isdigit((unsigned char)text[1]) && isdigit((unsigned char)text[3]) &&
              isdigit((unsigned char)text[4]);
    int hour = ok ? (text[0] - '0') * 10 + text[1] - '0' : 99;
    int minute = ok ? (text[3] - '0') * 10 + text[4] - '0' : 99;
    return minute < 60 && (hour < 24 || (hour == 24 && minute == 0)) ? NULL
                                                                     : "a time such as \"22:00\"";
}

// Receivers

#define RECEIVER(member) offsetof(struct conf_receiver, member)
#define PART(part, member) (RECEIVER(part.member) - RECEIVER(part))

static const char *check_hook_url(const char *text)
{
    return *text ? conf_check_url(text) : NULL;
}

static const char *check_webhook(void *object)
{
    const typeof(((struct conf_receiver *)NULL)->webhook) *w = object;
    if (!*w->url == !*w->url_file)
        return "either url or url_file";
    return conf_check_http(&w->http);
}

static const struct conf_key webhook_keys[] = {
    {"webhook", "url", CONF_TEXT, PART(webhook, url), "", .check = check_hook_url,
     .help = "Where messages are posted, as JSON (docs/notifications.md)."},
    {"webhook", "url_file", CONF_TEXT, PART(webhook, url_file), "", .check = conf_check_secret,
     .help = "File, or env:NAME, that holds the address, where that is a secret itself."},
    {"webhook", "secret_file", CONF_TEXT, PART(webhook, secret_file), "",
     .check = conf_check_secret,
     .help = "File, or env:NAME, with the key of the signature (HMAC-SHA-256) that each message "
             "carries in its header X-Vherd-Signature. Empty: not signed."},
    CONF_HTTP_KEYS("webhook", PART(webhook, http)),
};

const struct conf_object conf_webhook_object = {
    .name = "webhook",
    .size = sizeof(((struct conf_receiver *)NULL)->webhook),
    .keys = webhook_keys,
    .n_keys = ARRAY_LEN(webhook_keys),
    .check = check_webhook,
    .help = "A server that takes messages as JSON over HTTP.",
};

static const char *check_alertmanager(void *object)
{
    const typeof(((struct conf_receiver *)NULL)->alertmanager) *a = object;
    return conf_check_http(&a->http);
}

static const struct conf_key alertmanager_keys[] = {
    {"alertmanager", "urls", CONF_LIST, PART(alertmanager, urls), "", .check = conf_check_url,
     .required = true, .help = "Addresses such as http://127.0.0.1:9093; each is told."},
    CONF_HTTP_KEYS("alertmanager", PART(alertmanager, http)),
};

const struct conf_object conf_alertmanager_object = {
    .name = "alertmanager",
    .size = sizeof(((struct conf_receiver *)NULL)->alertmanager),
    .keys = alertmanager_keys,
    .n_keys = ARRAY_LEN(alertmanager_keys),
    .check = check_alertmanager,
    .help = "Alertmanagers, told by their API v2 in Prometheus' rhythm: alerts that fire, or ended "
            "less than 15 minutes ago, are sent again after rules.resend_delay; grouping and "
            "repeating are left to Alertmanager.",
};

#define MAIL_TLS(member) (PART(email, tls_config) + offsetof(struct conf_tls, member))

static const char *check_email(void *object)
{
    const typeof(((struct conf_receiver *)NULL)->email) *e = object;
    if (!*e->username != !*e->password_file)
        return "email: username and password_file go together";
    if (*e->username && e->tls == CONF_MAIL_PLAIN)
        return "email: a password is not sent without TLS";
    return NULL;
}

static const struct conf_key email_keys[] = {
    {"email", "to", CONF_LIST, PART(email, to), "", .check = check_address, .required = true,
     .help = "Whom messages go to."},
    {"email", "from", CONF_TEXT, PART(email, from), "", .check = check_sender,
     .help = "Address of the sender. Empty: vherd@ and the host's name."},
    {"email", "smarthost", CONF_TEXT, PART(email, smarthost), "localhost:25",
     .check = check_smarthost, .help = "Mail server that takes the messages, with its port."},
    {"email", "tls", CONF_CHOICE, PART(email, tls), "starttls", .choices = mail_tls,
     .help = "starttls: turned on before anything is said, or nothing is sent; tls: from the first "
             "byte (port 465); none."},
    {"email", "username", CONF_TEXT, PART(email, username), "", .check = check_line,
     .help = "User of the mail server. Empty: none."},
    {"email", "password_file", CONF_TEXT, PART(email, password_file), "",
     .check = conf_check_secret, .help = "File, or env:NAME, with the password."},
    {"email", "tls_config", CONF_OBJECT, PART(email, tls_config), .object = &conf_tls_object,
     .help = "Certificates."},
};

const struct conf_object conf_email_object = {
    .name = "email",
    .size = sizeof(((struct conf_receiver *)NULL)->email),
    .keys = email_keys,
    .n_keys = ARRAY_LEN(email_keys),
    .check = check_email,
    .help = "E-mail by SMTP, as plain text.",
};

static const struct conf_key exec_keys[] = {
    {"exec", "command", CONF_LIST, PART(exec, command), "", .check = check_line, .required = true,
     .help = "Program (a path that begins with /) and its arguments. The message comes as JSON on "
             "standard input. No shell, an empty environment but for PATH, bounded time, memory "
             "and files; it runs as the user that vherd-send becomes (web.user)."},
};

const struct conf_object conf_exec_object = {
    .name = "exec",
    .size = sizeof(((struct conf_receiver *)NULL)->exec),
    .keys = exec_keys,
    .n_keys = ARRAY_LEN(exec_keys),
    .help = "A program of your own.",
};

static const struct conf_key journal_keys[] = {
    {"journal", "enabled", CONF_BOOL, PART(journal, enabled), "false",
     .help = "Whether the journal is written to."},
};

const struct conf_object conf_journal_object = {
    .name = "journal",
    .size = sizeof(((struct conf_receiver *)NULL)->journal),
    .keys = journal_keys,
    .n_keys = ARRAY_LEN(journal_keys),
    .help = "systemd's journal: one entry an alert, with its labels as fields (VHERD_…).",
};

static const char *check_nagios_object(void *object)
{
    const typeof(((struct conf_receiver *)NULL)->nagios) *n = object;
    return !*n->command_file == !n->send_nsca.n ? "nagios: either command_file or send_nsca" : NULL;
}

static const struct conf_key nagios_keys[] = {
    {"nagios", "command_file", CONF_TEXT, PART(nagios, command_file), "", .check = conf_check_file,
     .help = "Nagios' external command file, on this machine."},
    {"nagios", "send_nsca", CONF_LIST, PART(nagios, send_nsca), "", .check = check_line,
     .help = "Program and arguments that take results on standard input, tabs between fields: "
             "send_nsca of NSCA or of NSCA-ng, such as [/usr/sbin/send_nsca, -H, monitor]."},
    {"nagios", "host", CONF_TEXT, PART(nagios, host), "", .check = check_nagios,
     .help = "Host in Nagios. Empty: this host's name."},
    {"nagios", "service", CONF_TEXT, PART(nagios, service), "", .check = check_nagios,
     .help = "Service in Nagios that shows the worst alert. Empty: one for each alert's name."},
};

const struct conf_object conf_nagios_object = {
    .name = "nagios",
    .size = sizeof(((struct conf_receiver *)NULL)->nagios),
    .keys = nagios_keys,
    .n_keys = ARRAY_LEN(nagios_keys),
    .check = check_nagios_object,
    .help = "Passive results for Nagios.",
};

static const struct conf_key receiver_keys[] = {
    {"receivers", "name", CONF_TEXT, RECEIVER(name), "", .check = check_name, .required = true,
     .help = "What routes call it."},
    {"receivers", "send_resolved", CONF_BOOL, RECEIVER(send_resolved), "true",
     .help = "Whether it is told when an alert is over."},
    {"receivers", "timeout", CONF_DURATION, RECEIVER(timeout_ns), "10s", 100 * MS, 5 * 60 * S,
     .help = "How long one attempt may take."},
    {"receivers", "max_alerts", CONF_INTEGER, RECEIVER(max_alerts), "100", 1, 10000,
     .help = "Alerts that one message names; those beyond are counted."},
    {"receivers", "webhook", CONF_OBJECT, RECEIVER(webhook), .object = &conf_webhook_object,
     .help = "JSON over HTTP."},
    {"receivers", "alertmanager", CONF_OBJECT, RECEIVER(alertmanager),
     .object = &conf_alertmanager_object, .help = "Prometheus' Alertmanager."},
    {"receivers", "email", CONF_OBJECT, RECEIVER(email), .object = &conf_email_object,
     .help = "E-mail."},
    {"receivers", "exec", CONF_OBJECT, RECEIVER(exec), .object = &conf_exec_object,
     .help = "A program."},
    {"receivers", "journal", CONF_OBJECT, RECEIVER(journal), .object = &conf_journal_object,
     .help = "The journal."},
    {"receivers", "nagios", CONF_OBJECT, RECEIVER(nagios), .object = &conf_nagios_object,
     .help = "Nagios."},
};

static const char *check_receiver(void *object)
{
    struct conf_receiver *r = object;
    const bool is[CONF_RECEIVER_TYPE_MAX] = {
        [CONF_RECEIVER_WEBHOOK] = *r->webhook.url || *r->webhook.url_file,
        [CONF_RECEIVER_ALERTMANAGER] = r->alertmanager.urls.n > 0,
        [CONF_RECEIVER_EMAIL] = r->email.to.n > 0,
        [CONF_RECEIVER_EXEC] = r->exec.command.n > 0,
        [CONF_RECEIVER_JOURNAL] = r->journal.enabled,
        [CONF_RECEIVER_NAGIOS] = *r->nagios.command_file || r->nagios.send_nsca.n > 0,
    };
    int n = 0;
    r->type = CONF_RECEIVER_NONE;
    for (int i = 0; i < CONF_RECEIVER_TYPE_MAX; i++) {
        n += is[i];
        if (is[i])
            r->type = (enum conf_receiver_type)i;
    }
    if (n > 1)
        return "one receiver is told in one way; make another receiver for another";
    if (r->exec.command.n > 0 && r->exec.command.items[0][0] != '/')
        return "exec.command: the program is a path that begins with /";
    if (r->nagios.send_nsca.n > 0 && r->nagios.send_nsca.items[0][0] != '/')
        return "nagios.send_nsca: the program is a path that begins with /";
    return NULL;
}

const struct conf_object conf_receiver_object = {
    .name = "receivers",
    .size = sizeof(struct conf_receiver),
    .keys = receiver_keys,
    .n_keys = ARRAY_LEN(receiver_keys),
    .line_offset = RECEIVER(line),
    .check = check_receiver,
    .help =
        "Who is told. A receiver without any of webhook, alertmanager, email, exec, journal and "
        "nagios tells nobody.",
};

// Routes

#define ROUTE(member) offsetof(struct conf_route, member)

static const struct conf_key route_keys[] = {
    {"route", "receiver", CONF_TEXT, ROUTE(receiver), "",
     .help = "Name of the receiver. Empty: that of the route above."},
    {"route", "matchers", CONF_LIST, ROUTE(matchers), "",
     .help = "What an alert's labels must be, as in Alertmanager: severity=\"critical\", "
             "domain=~\"db-.*\", team!=x. All must hold."},
    {"route", "group_by", CONF_LIST, ROUTE(group_by), "",
     .help = "Alerts with the same values of these labels go into one message; \"...\" stands for "
             "all labels. Empty: as the route above, at the top: alertname."},
    {"route", "group_wait", CONF_DURATION, ROUTE(group_wait_ns), "0s", 0, 24 * H,
     .help = "How long the first alert of a group waits for others; at the top: 100ms if absent. "
             "0s: as the route above."},
    {"route", "group_interval", CONF_DURATION, ROUTE(group_interval_ns), "0s", 0, 24 * H,
     .help = "Pause between two messages of one group; at the top: 10s if absent. 0s: as the route "
             "above."},
    {"route", "repeat_interval", CONF_DURATION, ROUTE(repeat_interval_ns), "0s", 0, 8760 * H,
     .help =
         "After this long without news a group that still fires is told again, unless all of it "
         "was acknowledged; at the top: 4h if absent. 0s: as the route above."},
    {"route", "continue", CONF_BOOL, ROUTE(go_on), "false",
     .help = "Whether routes behind this one are looked at as well."},
    {"route", "quiet", CONF_LIST, ROUTE(quiet), "",
     .help = "Names of quiet hours, in which messages of this route wait."},
    {"route", "routes", CONF_OBJECTS, ROUTE(routes), .object = &conf_route_object,
     .help = "Routes below this one: the first that matches takes the alert; where none does, this "
             "route has it."},
};

const struct conf_object conf_route_object = {
    .name = "route",
    .size = sizeof(struct conf_route),
    .keys = route_keys,
    .n_keys = ARRAY_LEN(route_keys),
    .line_offset = ROUTE(line),
    .help =
        "Which receiver an alert goes to: a tree, as in Alertmanager. Alertmanager's "
        "group_interval is a fixed rhythm; here a change is told as soon as the pause since the "
        "last message allows.",
};

// Inhibition, quiet hours

#define INHIBIT(member) offsetof(struct conf_inhibit, member)

static const struct conf_key inhibit_keys[] = {
    {"inhibit", "source_matchers", CONF_LIST, INHIBIT(source), "", .required = true,
     .help = "While an alert with such labels fires …"},
    {"inhibit", "target_matchers", CONF_LIST, INHIBIT(target), "", .required = true,
     .help = "… nobody is told of alerts with such labels …"},
    {"inhibit", "equal", CONF_LIST, INHIBIT(equal), "",
     .help = "… that have the same values of these labels."},
};

const struct conf_object conf_inhibit_object = {
    .name = "inhibit",
    .size = sizeof(struct conf_inhibit),
    .keys = inhibit_keys,
    .n_keys = ARRAY_LEN(inhibit_keys),
    .line_offset = INHIBIT(line),
    .help = "Alerts that make others superfluous, as Alertmanager's inhibit_rules.",
};

#define QUIET(member) offsetof(struct conf_quiet, member)

static const char *check_zone(const char *text)
{
    bool ok = strlen(text) <= 64 && *text != '/' && !strstr(text, "..");
    for (const char *c = text; *c; c++)
        ok = ok && (isalnum((unsigned char)*c) || strchr("/_+-", *c));
    return ok ? NULL : "a time zone such as Europe/Berlin";
}

static const struct conf_key quiet_keys[] = {
    {"quiet_hours", "name", CONF_TEXT, QUIET(name), "", .check = check_name, .required = true,
     .help = "What routes call it."},
    {"quiet_hours", "time_zone", CONF_TEXT, QUIET(time_zone), "UTC", .check = check_zone,
     .help = "Time zone of the hours, such as Europe/Berlin."},
    {"quiet_hours", "days", CONF_LIST, QUIET(days), "", .choices = days,
     .help = "Days on which they begin. Empty: every day."},
    {"quiet_hours", "from", CONF_TEXT, QUIET(from), "", .check = check_hour, .required = true,
     .help = "When they begin."},
    {"quiet_hours", "to", CONF_TEXT, QUIET(to), "", .check = check_hour, .required = true,
     .help = "When they end; on the next day where that is not after `from`."},
};

const struct conf_object conf_quiet_object = {
    .name = "quiet_hours",
    .size = sizeof(struct conf_quiet),
    .keys = quiet_keys,
    .n_keys = ARRAY_LEN(quiet_keys),
    .line_offset = QUIET(line),
    .help = "Hours in which routes that name them wait. What still holds when they end is told "
            "then.",
};
