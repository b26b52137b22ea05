// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_REHEARSE_H
#define CLI_REHEARSE_H

#include "command.h"

/**
 * What the rules of --rules would have told over a scenario, as text or as JSON. Done by a program
 * of its own, vherd-rehearse. An exit status; what went wrong has been said.
 */
int cli_rehearse(struct cli *cli, const char *scenario, struct buf *out);

#endif
