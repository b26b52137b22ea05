// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd schedule list|show|add|delete|run|pause|resume`.
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/esc.h"
#include "base/mem.h"
#include "base/number.h"
#include "command.h"
#include "view.h"

#define TIMEOUT_MS 35000

/* What comes back. */

static void format_id(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    buf_printf(out, "%.0f", api_number(object, field));
}

static void format_due(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    double s = api_number(object, field);
    char text[32] = "";
    time_t seconds = (time_t)s;
    struct tm tm;
    if (json_is_true(json_object_get(object, "paused")))
        buf_puts(out, "paused");
    else if (s == s && localtime_r(&seconds, &tm) &&
             strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm) > 0)
        buf_puts(out, text);
}

static const struct view_column columns[] = {
    {{"ID", WIDTH_RIGHT, 0, 0, false}, "id", format_id, NULL},
    {{"NAME", WIDTH_LEFT, 0, 12, false}, "name", format_text, NULL},
    {{"CRON", WIDTH_LEFT, 0, 0, false}, "cron", format_text, NULL},
    {{"DEED", WIDTH_LEFT, 0, 0, false}, "deed", format_text, NULL},
    {{"BY", WIDTH_LEFT, 2, 0, false}, "by", format_text, NULL},
    {{"NEXT", WIDTH_LEFT, 0, 0, false}, "due", format_due, NULL},
    {{"LAST TIME", WIDTH_LEFT, 1, 10, true}, "message", format_text, NULL},
};

static void view_list(struct cli *cli, const json_t *answer)
{
    const json_t *all = api_list(answer, "schedules");
    view_table(&cli->term, NULL, all, columns, ARRAY_LEN(columns), &cli->out);
    if (json_array_size(all) == 0)
        buf_puts(&cli->out, "There are no schedules.\n");
}

static void print(struct cli *cli, const json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(15));
    cli_put_json(cli, text ? text : "", text ? strlen(text) : 0);
    free(text);
}

/* Asking. */

static bool is_dry(const struct cli *cli)
{
    return cli_option(cli, "dry-run") != NULL;
}

static int ask(struct cli *cli, const char *method, const char *path, const json_t *body,
               void (*view)(struct cli *cli, const json_t *answer))
{
    CLEANUP(json_decrefp) json_t *answer = NULL;
    struct err err = {0};
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    CLEANUP(freep) char *whole = mem_printf("%s%s", path, is_dry(cli) ? "?dry_run=1" : "");
    int r = cli_send(cli, method, whole, text, TIMEOUT_MS, &answer, &err);
    free(text);
    if (r < 0)
        return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    if (cli_option(cli, "json"))
        print(cli, answer);
    else if (is_dry(cli))
        deed_plan(cli, answer);
    else
        view(cli, answer);
    return EXIT_WELL;
}

static void view_added(struct cli *cli, const json_t *answer)
{
    buf_printf(&cli->out, "schedule %.0f, next: ", api_number(answer, "id"));
    format_due(answer, "due", false, &cli->out);
    buf_putc(&cli->out, '\n');
}

static void view_batch(struct cli *cli, const json_t *answer)
{
    const char *batch = api_text(answer, "batch");
    buf_puts(&cli->out, "batch ");
    esc_terminal(&cli->out, batch ? batch : "?");
    buf_puts(&cli->out, "; `vherd task list` shows its tasks\n");
}

static void view_done(struct cli *cli, const json_t *answer)
{
    buf_puts(&cli->out, "Done.\n");
}

/* Add. */

static json_t *selection(const struct cli *cli)
{
    static const struct {
        const char *option, *member;
    } lists[] = {{"vm", "vms"}, {"match", "match"}, {"label", "label"}};
    json_t *select = json_object();
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        json_t *words = json_array();
        for (size_t k = 0; k < cli->n_given; k++)
            if (strcmp(cli->given[k].name, lists[i].option) == 0)
                json_array_append_new(words, json_string(cli->given[k].value));
        json_object_set_new(select, lists[i].member, words);
    }
    if (cli_option(cli, "all"))
        json_object_set_new(select, "all", json_true());
    return select;
}

static int read_fields(const struct cli *cli, const struct deed *deed, json_t *fields,
                       struct err *err)
{
    for (size_t i = 0; i < cli->n_given; i++) {
        if (strcmp(cli->given[i].name, "field") != 0)
            continue;
        int r = deed_add_field(deed, cli->given[i].value, fields, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_number(const struct cli *cli, const char *option, const char *member, json_t *body,
                       struct err *err)
{
    const char *text = cli_option(cli, option);
    int64_t n = 0;
    if (!text)
        return 0;
    if (number_parse_i64(text, &n) < 0)
        return err_set(err, EINVAL, "--%s must be a whole number, not \"%s\"", option, text);
    return json_object_set_new(body, member, json_integer(n));
}

static int add(struct cli *cli)
{
    static const char *const needed[] = {"cron", "deed"};
    const char *deed_name = cli_option(cli, "deed");
    CLEANUP(json_decrefp) json_t *body = json_object();
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        if (!cli_option(cli, needed[i]))
            return cli_usage(cli, "add needs --%s", needed[i]);
        json_object_set_new(body, needed[i], json_string(cli_option(cli, needed[i])));
    }
    const struct deed *deed = deed_by_name(deed_name);
    if (!deed)
        return cli_usage(cli, "no deed \"%s\"; they are called as in snapshot.create", deed_name);
    json_t *fields = json_object();
    json_object_set_new(body, "name", json_string(cli->operands[1]));
    json_object_set_new(body, "fields", fields);
    json_object_set_new(body, "select", selection(cli));
    if (cli_option(cli, "missed"))
        json_object_set_new(body, "missed", json_string(cli_option(cli, "missed")));
    if (cli_option(cli, "keep-for"))
        json_object_set_new(body, "keep_for", json_string(cli_option(cli, "keep-for")));
    if (read_fields(cli, deed, fields, &err) < 0 ||
        read_number(cli, "parallel", "parallel", body, &err) < 0 ||
        read_number(cli, "keep", "keep", body, &err) < 0 ||
        read_number(cli, "max-failures", "max_failures", body, &err) < 0)
        return cli_usage(cli, "%s", err.message);
    return ask(cli, "POST", verbs[VERB_SCHEDULE_ADD].path, body, view_added);
}

/* One of them. */

// By number or name: its row in the list, borrowed from `all`.
static const json_t *find(const json_t *all, const char *word)
{
    int64_t id = 0;
    size_t i;
    const json_t *s;
    bool numbered = number_parse_i64(word, &id) == 0;
    json_array_foreach(all, i, s)
    {
        const char *name = api_text(s, "name");
        if ((numbered && json_integer_value(json_object_get(s, "id")) == id) ||
            (name && strcmp(name, word) == 0))
            return s;
    }
    return NULL;
}

static const struct {
    const char *word, *method, *below;
    void (*view)(struct cli *cli, const json_t *answer);
} actions[] = {
    {"delete", "DELETE", "", view_done},
    {"run", "POST", "/run", view_batch},
    {"pause", "POST", "/pause", view_done},
    {"resume", "POST", "/resume", view_added},
};

static int on_one(struct cli *cli, const char *word, const char *which)
{
    CLEANUP(json_decrefp) json_t *answer = NULL;
    CLEANUP(json_decrefp) json_t *nothing = json_object();
    struct err err = {0};
    if (cli_get(cli, verbs[VERB_SCHEDULE_LIST].path, TIMEOUT_MS, &answer, &err) < 0)
        return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    const json_t *one = find(api_list(answer, "schedules"), which);
    if (!one) {
        err_set(&err, ENOENT, "there is no schedule \"%s\"", which);
        return cli_fail(&err, EXIT_FAILED);
    }
    if (strcmp(word, "show") == 0) {
        print(cli, one);
        return EXIT_WELL;
    }
    size_t i = 0;
    while (strcmp(actions[i].word, word) != 0)
        i++;
    CLEANUP(freep)
    char *path = mem_printf("%s/%.0f%s", verbs[VERB_SCHEDULE_LIST].path, api_number(one, "id"),
                            actions[i].below);
    bool has_body = strcmp(actions[i].method, "POST") == 0;
    return ask(cli, actions[i].method, path, has_body ? nothing : NULL, actions[i].view);
}

int cmd_schedule(struct cli *cli)
{
    const char *word = cli->operands[0];
    if (strcmp(word, "list") == 0)
        return cli->n_operands == 1
                   ? cli_show(cli, verbs[VERB_SCHEDULE_LIST].path, TIMEOUT_MS, view_list)
                   : cli_usage(cli, "list takes no operand");
    bool known = false;
    for (size_t i = 0; cli->command->words[i]; i++)
        known = known || strcmp(cli->command->words[i], word) == 0;
    if (!known)
        return cli_usage(cli, "no \"%s\": list, show, add, delete, run, pause or resume", word);
    if (cli->n_operands != 2)
        return cli_usage(cli, "%s needs one name", word);
    return strcmp(word, "add") == 0 ? add(cli) : on_one(cli, word, cli->operands[1]);
}
