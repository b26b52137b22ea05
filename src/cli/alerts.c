// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd alerts`: what fires or is about to, and how alerts changed.
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "command.h"
#include "table.h"

#define TIMEOUT_MS 35000

// Labels but the name, as "domain=db-1 severity=page".
static char *labels_text(const json_t *labels)
{
    struct buf b;
    const char *name;
    json_t *value;
    buf_init(&b, 64 * 1024);
    json_object_foreach((json_t *)labels, name, value)
    {
        if (strcmp(name, "alertname") == 0)
            continue;
        buf_printf(&b, "%s%s=%s", b.len ? " " : "", name, json_string_value(value));
    }
    char *text = buf_take(&b, NULL);
    return text ? text : mem_strdup("");
}

static const char *summary_of(const json_t *alert)
{
    const json_t *annotations = json_object_get(alert, "annotations");
    const char *summary = api_text(annotations, "summary");
    summary = summary ? summary : api_text(annotations, "description");
    return summary ? summary : "";
}

// "2026-11-25T22:00:00Z" without what every line has.
static void put_time(struct table *t, const char *time)
{
    CLEANUP(freep) char *text = mem_strndup(time ? time : "", 19);
    char *separator = strchr(text, 'T');
    if (separator)
        *separator = ' ';
    table_cell(t, text, STYLE_NONE);
}

static void put_alert(struct table *t, const char *state, const char *since, const json_t *alert)
{
    const json_t *labels = json_object_get(alert, "labels");
    CLEANUP(freep) char *text = labels_text(labels);
    const char *name = api_text(labels, "alertname");
    bool is_firing = state && strcmp(state, "firing") == 0;
    table_cell(t, state ? state : "", is_firing ? STYLE_BAD : STYLE_NONE);
    table_cell(t, name ? name : "", STYLE_NONE);
    put_time(t, since);
    table_cell(t, text, STYLE_NONE);
    table_cell(t, summary_of(alert), STYLE_NONE);
}

static const struct table_column columns[] = {
    {"STATE"},
    {"ALERT", .least = 8},
    {"SINCE (UTC)", .drop = 2},
    {"LABELS", .drop = 1, .least = 12, .blank = true},
    {"SUMMARY", .least = 12, .blank = true},
};

static void view_active(struct cli *cli, const json_t *answer)
{
    const char *only = cli->n_operands > 0 ? cli->operands[0] : NULL;
    const json_t *alerts = api_list(json_object_get(answer, "data"), "alerts");
    struct table *t = table_new(columns, ARRAY_LEN(columns));
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(alerts); i++) {
        const json_t *alert = json_array_get(alerts, i);
        const char *state = api_text(alert, "state");
        if (only && (!state || strcmp(state, only) != 0))
            continue;
        put_alert(t, state, api_text(alert, "activeAt"), alert);
        n++;
    }
    if (n > 0)
        table_print(t, &cli->term, 0, &cli->out);
    else
        buf_printf(&cli->out, "No alert is %s.\n", only ? only : "pending or firing");
    table_free(t);
}

// Why nobody is told of an alert that fires; NULL where people are. `ret_by`: a silence, an alert,
// a person.
static const char *held_back(const json_t *alert, const char **ret_by)
{
    static const struct {
        const char *key, *state;
    } why[] = {{"silenced_by", "silenced"},
               {"inhibited_by", "inhibited"},
               {"acknowledged_by", "acknowledged"}};
    for (size_t i = 0; i < ARRAY_LEN(why); i++)
        if ((*ret_by = api_text(alert, why[i].key)))
            return why[i].state;
    return NULL;
}

static void view_silenced(struct cli *cli, const json_t *answer)
{
    static const struct table_column silenced[] = {
        {"STATE"},
        {"ALERT", .least = 8},
        {"SINCE (UTC)", .drop = 2},
        {"LABELS", .drop = 1, .least = 12, .blank = true},
        {"BY", .least = 8},
    };
    const json_t *alerts = api_list(answer, "alerts");
    struct table *t = table_new(silenced, ARRAY_LEN(silenced));
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(alerts); i++) {
        const json_t *alert = json_array_get(alerts, i), *labels = json_object_get(alert, "labels");
        const char *by, *state = held_back(alert, &by), *firing = api_text(alert, "state");
        if (!state || !firing || strcmp(firing, "firing") != 0)
            continue;
        CLEANUP(freep) char *text = labels_text(labels);
        const char *name = api_text(labels, "alertname");
        table_cell(t, state, STYLE_NONE);
        table_cell(t, name ? name : "", STYLE_NONE);
        put_time(t, api_text(alert, "startsAt"));
        table_cell(t, text, STYLE_NONE);
        table_cell(t, by, STYLE_NONE);
        n++;
    }
    if (n > 0)
        table_print(t, &cli->term, 0, &cli->out);
    else
        buf_puts(&cli->out, "No alert that fires is held back.\n");
    table_free(t);
}

static void view_history(struct cli *cli, const json_t *answer)
{
    const json_t *list = api_list(answer, "transitions");
    struct table *t = table_new(columns, ARRAY_LEN(columns));
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++) { // oldest first, as a log is read
        const json_t *one = json_array_get(list, n - 1 - i);
        const json_t *alert = json_object_get(one, "alert");
        put_alert(t, api_text(alert, "state"), api_text(one, "at"), alert);
    }
    if (n > 0)
        table_print(t, &cli->term, 0, &cli->out);
    else
        buf_puts(&cli->out, "No alert has changed yet.\n");
    table_free(t);
}

int cmd_alerts(struct cli *cli)
{
    const char *word = cli->n_operands > 0 ? cli->operands[0] : "";
    const char *limit = cli_option(cli, "limit");
    if (strcmp(word, "history") == 0) {
        struct buf path;
        buf_init(&path, 1024);
        buf_printf(&path, "%s?limit=", verbs[VERB_ALERT_HISTORY].path);
        esc_url(&path, limit ? limit : "100");
        int status = path.error ? cli_usage(cli, "alerts: --limit is too long")
                                : cli_show(cli, path.data, TIMEOUT_MS, view_history);
        buf_done(&path);
        return status;
    }
    if (strcmp(word, "silenced") == 0)
        return cli_show(cli, verbs[VERB_ALERT_LIST].path, TIMEOUT_MS, view_silenced);
    if (*word && strcmp(word, "firing") != 0 && strcmp(word, "pending") != 0)
        return cli_usage(cli, "alerts: firing, pending, silenced or history, not \"%s\"", word);
    return cli_show(cli, verbs[VERB_ALERTS].path, TIMEOUT_MS, view_active);
}
