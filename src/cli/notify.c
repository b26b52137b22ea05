// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd silence`, `vherd ack`, `vherd notify`: who is told of alerts, and who is not.
#include <errno.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "command.h"
#include "table.h"

#define TIMEOUT_MS 35000
#define MATCHERS_BYTES (64u * 1024)

static const char *text_of(const json_t *row, const char *field)
{
    const char *text = api_text(row, field);
    return text ? text : "";
}

static void put_texts(struct table *t, const json_t *row, const char *const *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        table_cell(t, text_of(row, fields[i]), STYLE_NONE);
}

static int send_body(struct cli *cli, const char *method, const char *path, const json_t *body,
                     json_t **ret)
{
    struct err err = {0};
    CLEANUP(freep) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    CLEANUP(freep)
    char *whole = mem_printf("%s%s", path, cli_option(cli, "dry-run") ? "?dry_run=1" : "");
    if (cli_send(cli, method, whole, text, TIMEOUT_MS, ret, &err) < 0)
        return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    return EXIT_WELL;
}

static void show_answer(struct cli *cli, const json_t *answer, const char *before,
                        const char *member)
{
    if (cli_option(cli, "json")) {
        CLEANUP(freep) char *text = json_dumps(answer, JSON_COMPACT);
        cli_put_json(cli, text ? text : "{}", text ? strlen(text) : 2);
        return;
    }
    if (cli_option(cli, "dry-run")) {
        deed_plan(cli, answer);
        return;
    }
    buf_puts(&cli->out, before);
    esc_terminal(&cli->out, text_of(answer, member));
    buf_putc(&cli->out, '\n');
}

// Operands with commas between: matchers.
static char *join_matchers(const struct cli *cli, size_t from)
{
    struct buf b;
    buf_init(&b, MATCHERS_BYTES);
    for (size_t i = from; i < cli->n_operands; i++)
        buf_printf(&b, "%s%s", i > from ? "," : "", cli->operands[i]);
    return buf_take(&b, NULL);
}

// Silences

static void view_silences(struct cli *cli, const json_t *answer)
{
    static const struct table_column columns[] = {
        {"ID"},    {"STATE"},         {"MATCHERS", .least = 12},
        {"UNTIL"}, {"BY", .drop = 1}, {"COMMENT", .drop = 2, .least = 10, .blank = true},
    };
    static const char *const fields[] = {"id", "state", "matchers", "ends", "author", "comment"};
    struct table *t = table_new(columns, ARRAY_LEN(columns));
    const json_t *silences = api_list(answer, "silences");
    size_t i, shown = 0;
    json_t *s;
    json_array_foreach(silences, i, s)
    {
        if (strcmp(text_of(s, "state"), "expired") == 0 && !cli_option(cli, "all"))
            continue;
        put_texts(t, s, fields, ARRAY_LEN(fields));
        shown++;
    }
    table_print(t, &cli->term, 0, &cli->out);
    table_free(t);
    if (shown == 0)
        buf_puts(&cli->out, "There is no silence.\n");
}

static int silence_list(struct cli *cli)
{
    return cli_show(cli, verbs[VERB_SILENCE_LIST].path, TIMEOUT_MS, view_silences);
}

static int silence_add(struct cli *cli)
{
    static const char *const options[] = {"comment", "for", "starts", "ends"};
    CLEANUP(freep) char *matchers = join_matchers(cli, 1);
    CLEANUP(json_decrefp) json_t *body = json_object(), *answer = NULL;
    if (cli->n_operands < 2)
        return cli_usage(cli, "which alerts? Such as: vherd silence add alertname=VmCrashed "
                              "domain=db --for 2h");
    if (!cli_option(cli, "for") && !cli_option(cli, "ends"))
        return cli_usage(cli, "how long? --for 2h, or --ends TIME");
    json_object_set_new(body, "matchers", json_string(matchers));
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (cli_option(cli, options[i]))
            json_object_set_new(body, options[i], json_string(cli_option(cli, options[i])));
    int r = send_body(cli, "POST", verbs[VERB_SILENCE_ADD].path, body, &answer);
    if (r == EXIT_WELL)
        show_answer(cli, answer, "", "id");
    return r;
}

static int silence_expire(struct cli *cli)
{
    CLEANUP(json_decrefp) json_t *answer = NULL;
    CLEANUP(buf_done) struct buf path;
    if (cli->n_operands != 2)
        return cli_usage(cli, "which silence? `vherd silence list` shows their ids");
    buf_init(&path, MATCHERS_BYTES);
    buf_puts(&path, "/vherd/v1/silences/");
    esc_url(&path, cli->operands[1]);
    int r = send_body(cli, "DELETE", path.data, NULL, &answer);
    if (r == EXIT_WELL)
        show_answer(cli, answer, "ended ", "id");
    return r;
}

// Acknowledging

int cmd_ack(struct cli *cli)
{
    CLEANUP(freep) char *alerts = join_matchers(cli, 0);
    CLEANUP(json_decrefp) json_t *body = json_object(), *answer = NULL;
    json_object_set_new(body, "alerts", json_string(alerts));
    if (cli_option(cli, "comment"))
        json_object_set_new(body, "comment", json_string(cli_option(cli, "comment")));
    int r = send_body(cli, "POST", verbs[VERB_ACK].path, body, &answer);
    if (r == EXIT_WELL && !cli_option(cli, "json") && !cli_option(cli, "dry-run"))
        buf_printf(&cli->out, "%.0f acknowledged\n", api_number(answer, "acknowledged"));
    else if (r == EXIT_WELL)
        show_answer(cli, answer, "", "");
    return r;
}

// Receivers

static void put_count(struct table *t, const json_t *row, const char *field)
{
    CLEANUP(freep) char *text = mem_printf("%.0f", api_number(row, field));
    table_cell(t, text, STYLE_NONE);
}

static void view_status(struct cli *cli, const json_t *answer)
{
    static const struct table_column columns[] = {
        {"RECEIVER"},
        {"TYPE"},
        {"QUEUED", .align = WIDTH_RIGHT},
        {"DELIVERED", .align = WIDTH_RIGHT},
        {"FAILED", .align = WIDTH_RIGHT, .drop = 1},
        {"REFUSED", .align = WIDTH_RIGHT, .drop = 2},
        {"GIVEN UP", .align = WIDTH_RIGHT, .drop = 2},
        {"NEXT ATTEMPT", .drop = 3, .blank = true},
        {"ERROR", .least = 10, .blank = true},
    };
    static const char *const counts[] = {"queued", "delivered", "failed", "refused", "expired"};
    static const char *const heads[] = {"receiver", "type"}, *const tails[] = {"next_attempt",
                                                                               "error"};
    struct table *t = table_new(columns, ARRAY_LEN(columns));
    size_t i;
    json_t *r;
    json_array_foreach(api_list(answer, "receivers"), i, r)
    {
        put_texts(t, r, heads, ARRAY_LEN(heads));
        for (size_t k = 0; k < ARRAY_LEN(counts); k++)
            put_count(t, r, counts[k]);
        put_texts(t, r, tails, ARRAY_LEN(tails));
    }
    table_print(t, &cli->term, 0, &cli->out);
    table_free(t);
    if (i == 0)
        buf_puts(&cli->out, "There is no receiver: see notify.receivers in vherd.yaml(5).\n");
}

static int notify_status(struct cli *cli)
{
    return cli_show(cli, verbs[VERB_NOTIFY_STATUS].path, TIMEOUT_MS, view_status);
}

static int send_test(struct cli *cli)
{
    CLEANUP(json_decrefp) json_t *answer = NULL;
    CLEANUP(buf_done) struct buf path;
    if (cli->n_operands != 2)
        return cli_usage(cli, "which receiver? `vherd notify status` lists them");
    buf_init(&path, MATCHERS_BYTES);
    buf_puts(&path, "/vherd/v1/notify/test/");
    esc_url(&path, cli->operands[1]);
    int r = send_body(cli, "POST", path.data, NULL, &answer);
    if (r == EXIT_WELL)
        show_answer(cli, answer, "queued as ", "id");
    return r;
}

static const struct word {
    const char *command, *word;
    int (*run)(struct cli *cli);
} words[] = {
    {"silence", "list", silence_list},     {"silence", "add", silence_add},
    {"silence", "expire", silence_expire}, {"notify", "status", notify_status},
    {"notify", "test", send_test},
};

static int run_word(struct cli *cli)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].command, cli->command->name) == 0 &&
            strcmp(words[i].word, cli->operands[0]) == 0)
            return words[i].run(cli);
    return cli_usage(cli, "\"%s\" is not one of %s", cli->operands[0], cli->command->operand);
}

int cmd_silence(struct cli *cli)
{
    return run_word(cli);
}

int cmd_notify(struct cli *cli)
{
    return run_word(cli);
}
