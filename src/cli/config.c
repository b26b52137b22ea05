// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd config check|show`: by itself, without the daemon.
#include <string.h>

#include "command.h"
#include "base/esc.h"
#include "base/mem.h"
#include "tool/config.h"

static const struct {
    const char *word;
    int (*run)(const char *path, bool json, struct buf *out, struct err *err);
} actions[] = {{"check", tool_config_check}, {"show", tool_config_show}};

int cmd_config(struct cli *cli)
{
    struct err err = {0};
    CLEANUP(freep) char *standard = cli_config_path(cli);
    const char *path = cli->n_operands > 1 ? cli->operands[1] : standard;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (strcmp(actions[i].word, cli->operands[0]) != 0)
            continue;
        if (actions[i].run(path, cli_option(cli, "json"), &text, &err) < 0)
            return cli_fail(&err, EXIT_USAGE);
        if (cli_option(cli, "json"))
            cli_put_json(cli, text.data, text.len);
        else
            buf_put(&cli->out, text.data, text.len);
        return EXIT_WELL;
    }
    return cli_usage(cli, "config: check or show, not \"%s\"", cli->operands[0]);
}
