// SPDX-License-Identifier: GPL-3.0-or-later
#include "origin.h"

#include <string.h>
#include <strings.h>

bool origin_is_allowed(const char *origin, char *const *allowed, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(allowed[i], "*") == 0 || strcasecmp(allowed[i], origin) == 0)
            return true;
    return false;
}

bool origin_is_own(const char *origin, const char *host)
{
    const char *mark = strstr(origin, "://");
    return mark && host && strcasecmp(mark + 3, host) == 0;
}
