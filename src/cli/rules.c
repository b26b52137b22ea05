// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd rules check|test|backtest`: by itself, without the daemon.
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "command.h"
#include "tool/rules.h"

static int finish(struct cli *cli, struct buf *text, bool well)
{
    if (cli_option(cli, "json"))
        cli_put_json(cli, text->data ? text->data : "", text->len);
    else
        buf_put(&cli->out, text->data, text->len);
    return well ? EXIT_WELL : EXIT_FAILED;
}

static int check(struct cli *cli, struct buf *text)
{
    bool strict = cli_option(cli, "strict") != NULL;
    return finish(cli, text,
                  tool_rules_check(cli->operands + 1, cli->n_operands - 1,
                                   cli_option(cli, "json") != NULL, strict, text));
}

static int test(struct cli *cli, struct buf *text)
{
    return finish(cli, text,
                  tool_rules_test(cli->operands + 1, cli->n_operands - 1, cli_option(cli, "run"),
                                  cli_option(cli, "json") != NULL, text));
}

// A duration option in milliseconds; false: it is none, which is said.
static bool duration(struct cli *cli, const char *name, int64_t *ret_ms)
{
    const char *text = cli_option(cli, name);
    int64_t ns;
    if (!text)
        return true;
    if (number_parse_duration(text, &ns) < 0 || ns < 1000 * NS_PER_MS) {
        cli_usage(cli, "rules: --%s takes a duration of a second or more, such as 30d", name);
        return false;
    }
    *ret_ms = ns / NS_PER_MS;
    return true;
}

static int backtest(struct cli *cli, struct buf *text)
{
    struct err err = {0};
    const struct conf *conf = cli_conf(cli, &err);
    if (!conf)
        return cli_fail(&err, EXIT_USAGE);
    CLEANUP(freep) char *standard = conf_store_path(conf);
    struct tool_backtest p = {
        .directory = cli_option(cli, "data") ? cli_option(cli, "data") : standard,
        .since_ms = INT64_C(30) * 86400 * 1000,
        .interval_ms = conf->rules.interval_ns / NS_PER_MS,
        .json = cli_option(cli, "json") != NULL,
        .utf8 = cli->term.utf8,
        .columns = MIN_OF(cli->term.width, (size_t)200),
    };
    if (!duration(cli, "since", &p.since_ms) || !duration(cli, "interval", &p.interval_ms))
        return EXIT_USAGE;
    int r = tool_rules_backtest(cli->operands + 1, cli->n_operands - 1, &p, text, &err);
    if (r == -EBUSY)
        return err_wrap(&err, "a daemon has this store: take a snapshot (`vherd store snapshot`) "
                              "and name it with --data"),
               cli_fail(&err, EXIT_FAILED);
    return r < 0 ? cli_fail(&err, EXIT_FAILED) : finish(cli, text, true);
}

static const struct {
    const char *word;
    int (*run)(struct cli *cli, struct buf *text);
} actions[] = {{"check", check}, {"test", test}, {"backtest", backtest}};

int cmd_rules(struct cli *cli)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, (size_t)256 << 20);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (strcmp(actions[i].word, cli->operands[0]) == 0)
            return actions[i].run(cli, &text);
    return cli_usage(cli, "rules: check, test or backtest, not \"%s\"", cli->operands[0]);
}
