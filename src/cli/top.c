// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd top`: hands over to the terminal program.
#include "base/mem.h"
#include "command.h"
#include "tui/tui.h"

int cmd_top(struct cli *cli)
{
    struct err err = {0};
    struct http_target target;
    CLEANUP(freep) char *socket = NULL;
    if (cli_target(cli, &target, &socket, &err) < 0)
        return cli_fail(&err, EXIT_USAGE);
    if (cli_option(cli, "json"))
        return cli_usage(cli, "top draws on a terminal; `vherd list --json` gives its data");
    struct tui_params params = {.target = target, .color = cli->term.color, .utf8 = cli->term.utf8};
    return tui_run(&params, &err) < 0 ? cli_fail(&err, EXIT_FAILED) : EXIT_WELL;
}
