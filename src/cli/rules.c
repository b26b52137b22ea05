// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd rules check|test|backtest`: by itself, without the daemon.
#include <string.h>

#include "base/mem.h"
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

static const struct {
    const char *word;
    int (*run)(struct cli *cli, struct buf *text);
} actions[] = {{"check", check}, {"test", test}};

int cmd_rules(struct cli *cli)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, (size_t)256 << 20);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (strcmp(actions[i].word, cli->operands[0]) == 0)
            return actions[i].run(cli, &text);
    return cli_usage(cli, "rules: check, test or backtest, not \"%s\"", cli->operands[0]);
}
