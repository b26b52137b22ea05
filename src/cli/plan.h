// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

// What the files of `vherd plan` share.

#include <errno.h>

#include "command.h"
#include "view.h"

// A plan, for people.
void plan_view(struct cli *cli, const json_t *answer);

// Carry out the plan that a GET of `path` makes; an exit status.
int plan_apply(struct cli *cli, const char *path);

#endif
