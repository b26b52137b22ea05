// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd daemon`: hands over to the supervisor.
#include <errno.h>

#include "base/mem.h"
#include "command.h"

int cmd_daemon(struct cli *cli)
{
    struct err err = {0};
    CLEANUP(freep) char *path = cli_config_path(cli);
    const struct conf *conf = cli_conf(cli, &err);
    if (!conf)
        return cli_fail(&err, EXIT_USAGE);
    if (!cli->daemon) {
        err_set(&err, ENOSYS, "this program was built without the daemon");
        return cli_fail(&err, EXIT_FAILED);
    }
    return cli->daemon(conf, path);
}
