// SPDX-License-Identifier: GPL-3.0-or-later
// What can be asked of the daemon, one row each, in the rows_*.inc by concept; no handlers here.
#include "verb/verb.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

#define DRY_HELP "say what would be done, and do nothing (also in the address)"
#define TIME_HELP "Unix seconds or RFC 3339; now if absent"
#define TIMEOUT_HELP "a duration; query.timeout at most"
#define LIMIT_HELP "at most so many entries; 0 = all"
#define LOOKBACK_HELP "a duration in place of query.lookback"

const struct verb verbs[VERB_MAX] = {
#include "rows_watch.inc"
#include "rows_access.inc"
#include "rows_manage.inc"
#include "rows_query.inc"
#include "rows_tell.inc"
};

// Does `path` follow `pattern`, whose one {…} stands for bytes other than '/'?
static bool path_matches(const char *pattern, const char *path, char **ret_object)
{
    const char *open = strchr(pattern, '{');
    if (!open) {
        *ret_object = NULL;
        return strcmp(pattern, path) == 0;
    }
    size_t before = (size_t)(open - pattern);
    const char *after = strchr(open, '}') + 1;
    if (strncmp(pattern, path, before) != 0)
        return false;
    const char *object = path + before;
    size_t len = strcspn(object, "/");
    if (len == 0 || strcmp(object + len, after) != 0)
        return false;
    *ret_object = mem_strndup(object, len);
    return true;
}

enum verb_id verb_match(const char *method, const char *path, char **ret_object,
                        const char **ret_allow)
{
    *ret_object = NULL;
    *ret_allow = NULL;
    // HEAD is GET whose body the server keeps to itself.
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    for (int i = 0; i < VERB_MAX; i++) {
        CLEANUP(freep) char *object = NULL;
        if (!path_matches(verbs[i].path, path, &object))
            continue;
        if (strcmp(verbs[i].method, method) != 0 &&
            !(verbs[i].form && strcmp(method, "POST") == 0)) {
            *ret_allow = verbs[i].form ? "GET, POST" : verbs[i].method;
            continue;
        }
        *ret_allow = NULL;
        *ret_object = TAKE_PTR(object);
        return (enum verb_id)i;
    }
    return VERB_INVALID;
}

const struct verb *verb_by_command(const char *command)
{
    for (int i = 0; i < VERB_MAX; i++)
        if (verbs[i].command && strcmp(verbs[i].command, command) == 0)
            return &verbs[i];
    return NULL;
}
