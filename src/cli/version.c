// SPDX-License-Identifier: GPL-3.0-or-later
#include "command.h"
#include "version.h"

int cmd_version(struct cli *cli)
{
    if (cli_option(cli, "json"))
        buf_puts(&cli->out, "{\"version\":\"" VHERD_VERSION "\"}\n");
    else
        buf_puts(&cli->out, "vherd " VHERD_VERSION "\n");
    return EXIT_WELL;
}
