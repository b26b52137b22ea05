// SPDX-License-Identifier: GPL-3.0-or-later
// Role × verb × scope: who may do what. Pure.
#include <string.h>

#include "auth/grant.h"
#include "base/mem.h"

static const char *const roles[ROLE_MAX] = {[ROLE_NONE] = "none",
                                            [ROLE_VIEWER] = "viewer",
                                            [ROLE_OPERATOR] = "operator",
                                            [ROLE_ADMIN] = "admin"};

const char *auth_role_name(enum verb_role role)
{
    return role >= 0 && role < ROLE_MAX ? roles[role] : "?";
}

enum verb_role auth_role_parse(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (strcmp(roles[i], name) == 0)
            return (enum verb_role)i;
    return ROLE_INVALID;
}

bool auth_covers_all(const struct grant *g)
{
    return g->scope.all && g->limit.all;
}

bool auth_covers(const struct grant *g, const struct auth_object *o)
{
    return scope_covers(&g->scope, o) && scope_covers(&g->limit, o);
}

static enum auth_verdict check_role(const struct grant *g, enum verb_role needed)
{
    if (g->role >= needed)
        return AUTH_ALLOWED;
    return g->role == ROLE_NONE ? AUTH_UNKNOWN : AUTH_FORBIDDEN;
}

enum auth_verdict auth_allows(const struct grant *g, enum verb_role needed,
                              const struct auth_object *o)
{
    if (needed == ROLE_NONE)
        return AUTH_ALLOWED;
    if (g->role == ROLE_NONE)
        return AUTH_UNKNOWN;
    // A VM outside the scope is not there, even for a verb that would be refused anyway.
    if (o && !auth_covers(g, o))
        return AUTH_HIDDEN;
    if (!o && !auth_covers_all(g))
        return AUTH_FORBIDDEN;
    return check_role(g, needed);
}

enum auth_verdict auth_allows_change(const struct grant *g, enum verb_role needed,
                                     const struct auth_object *is,
                                     const struct auth_object *becomes)
{
    enum auth_verdict verdict = auth_allows(g, needed, is);
    return verdict == AUTH_ALLOWED && !auth_covers(g, becomes) ? AUTH_FORBIDDEN : verdict;
}

enum auth_verdict auth_may_use(const struct grant *g, const struct verb *verb)
{
    // What lists or shows single VMs, or is about the asker, is decided by the scope later.
    if (verb->reach != VERB_REACH_ALL)
        return check_role(g, verb->role);
    return auth_allows(g, verb->role, NULL);
}
