// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CONF_PROGRAM_H
#define CONF_PROGRAM_H

/**
 * The path of one of our programs ("vherd-core"): in $VHERD_LIBEXEC, the build tree of the program
 * that runs, or the installation. Caller frees.
 */
char *program_path(const char *program);

#endif
