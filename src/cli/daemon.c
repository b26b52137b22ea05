// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd daemon`: hands over to the supervisor.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "command.h"

// In the place of libvirt; the file is found from wherever the processes run.
static int simulate(struct cli *cli, const char *scenario, struct err *err)
{
    CLEANUP(freep) char *path = realpath(scenario, NULL);
    if (!path)
        return err_set(err, errno, "cannot find %s: %s", scenario, strerror(errno));
    CLEANUP(freep) char *uri = mem_printf("simulate:%s", path);
    mem_strset(&cli->conf->libvirt.uri, uri);
    return 0;
}

int cmd_daemon(struct cli *cli)
{
    struct err err = {0};
    CLEANUP(freep) char *path = cli_config_path(cli);
    const struct conf *conf = cli_conf(cli, &err);
    if (!conf)
        return cli_fail(&err, EXIT_USAGE);
    const char *scenario = cli_option(cli, "simulate");
    if (scenario && simulate(cli, scenario, &err) < 0)
        return cli_fail(&err, EXIT_USAGE);
    if (!cli->daemon) {
        err_set(&err, ENOSYS, "this program was built without the daemon");
        return cli_fail(&err, EXIT_FAILED);
    }
    return cli->daemon(conf, path);
}
