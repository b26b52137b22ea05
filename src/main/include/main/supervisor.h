// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MAIN_SUPERVISOR_H
#define MAIN_SUPERVISOR_H

#include "conf/conf.h"

/**
 * Run the daemon in the foreground until SIGTERM or SIGINT: open the sockets, start core, act, web
 * and send, start again what dies, read `config_path` again on SIGHUP ("" or NULL: the default
 * path, where a file is there). Says on standard error when it is ready and why it ends. Returns
 * an exit status: 0 or 1.
 */
int supervisor_run(const struct conf *conf, const char *config_path);

#endif
