// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "conf/conf.h"

/**
 * The program `vherd`: reads the command line, does the command, returns the exit status: 0 well,
 * 1 failed, 2 wrong usage or configuration. `daemon` runs the daemon until it is told to stop
 * (`config_path` NULL: there is no file) and returns an exit status; NULL: built without it.
 */
int cli_main(int argc, char **argv,
             int (*daemon)(const struct conf *conf, const char *config_path));

#endif
