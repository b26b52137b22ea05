// SPDX-License-Identifier: GPL-3.0-or-later
// The one program that people call.
#include "cli/cli.h"
#include "main/supervisor.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv, supervisor_run);
}
