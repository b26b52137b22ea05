// SPDX-License-Identifier: GPL-3.0-or-later
#include "conf/program.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "version.h"

// "…/src/main/vherd" of a build tree has its siblings in "…/src/core" and so on.
static char *find_in_build_tree(const char *program)
{
    static const char own[] = "/src/main/";
    char exe[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (len <= 0)
        return NULL;
    exe[len] = '\0';
    char *slash = strrchr(exe, '/');
    if (!slash)
        return NULL;
    slash[1] = '\0';
    size_t dir = (size_t)(slash + 1 - exe), tail = sizeof(own) - 1;
    if (dir < tail || strcmp(exe + dir - tail, own) != 0)
        return NULL;
    return mem_printf("%.*s/src/%s/%s", (int)(dir - tail), exe, strchr(program, '-') + 1, program);
}

char *program_path(const char *program)
{
    const char *dir = getenv("VHERD_LIBEXEC");
    if (dir && dir[0] == '/')
        return mem_printf("%s/%s", dir, program);
    char *built = find_in_build_tree(program);
    return built ? built : mem_printf("%s/%s", VHERD_LIBEXECDIR, program);
}
