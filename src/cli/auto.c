// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd auto`: what is done without being asked, and its stop switch.
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/esc.h"
#include "base/human.h"
#include "base/mem.h"
#include "command.h"
#include "view.h"

#define TIMEOUT_MS 10000

static void put(struct cli *cli, const char *label, const char *text)
{
    buf_printf(&cli->out, "%-10s", label);
    esc_terminal(&cli->out, text ? text : "?");
    buf_putc(&cli->out, '\n');
}

static void view(struct cli *cli, const json_t *answer)
{
    struct buf *out = &cli->out;
    const char *by = api_text(answer, "by"), *reason = api_text(answer, "reason");
    double since = api_number(answer, "since_seconds");
    bool stopped = json_is_true(json_object_get(answer, "stopped"));
    put(cli, "Mode", api_text(answer, "mode"));
    buf_printf(out, "%-10s%s", "Switch", stopped ? "stopped" : "not stopped");
    if (by) {
        buf_puts(out, stopped ? " by " : "; last turned by ");
        esc_terminal(out, by);
    }
    if (!isnan(since)) {
        buf_puts(out, ", ");
        human_age(fmax(0, (double)time(NULL) - since), out);
        buf_puts(out, " ago");
    }
    if (reason) {
        buf_puts(out, ": ");
        esc_terminal(out, reason);
    }
    buf_printf(out, "\n%-10s%.0f of %.0f within the hour\n", "Done",
               api_number(answer, "done_within_hour"), api_number(answer, "per_hour"));
    put(cli, "Scope", api_text(answer, "scope"));
}

static int turn(struct cli *cli, enum verb_id verb)
{
    struct err err = {0};
    const char *reason = cli_option(cli, "reason");
    CLEANUP(json_decrefp) json_t *body = json_object();
    CLEANUP(json_decrefp) json_t *answer = NULL;
    if (reason)
        json_object_set_new(body, "reason", json_string(reason));
    if (cli_option(cli, "dry-run"))
        json_object_set_new(body, "dry_run", json_true());
    if (cli_post(cli, verbs[verb].path, body, TIMEOUT_MS, &answer, &err) < 0)
        return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    CLEANUP(freep) char *text = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (cli_option(cli, "json") && text)
        cli_put_json(cli, text, strlen(text));
    else if (cli_option(cli, "dry-run"))
        deed_plan(cli, answer);
    else
        view(cli, answer);
    return EXIT_WELL;
}

int cmd_auto(struct cli *cli)
{
    const char *word = cli->n_operands > 0 ? cli->operands[0] : "show";
    if (strcmp(word, "stop") == 0)
        return turn(cli, VERB_AUTO_STOP);
    if (strcmp(word, "start") == 0)
        return turn(cli, VERB_AUTO_START);
    if (strcmp(word, "show") != 0)
        return cli_usage(cli, "auto: show, stop or start, not \"%s\"", word);
    if (cli_option(cli, "reason") || cli_option(cli, "dry-run"))
        return cli_usage(cli, "--reason and --dry-run belong to stop and start");
    return cli_show(cli, verbs[VERB_AUTO_SHOW].path, TIMEOUT_MS, view);
}
