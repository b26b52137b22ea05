// SPDX-License-Identifier: GPL-3.0-or-later
// web passes the connection itself, not what it thinks of it: a web that was taken over can speak
// for those who are connected to it, and for nobody else.
#include "asker.h"

#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define GROUPS_MAX 65536

_Static_assert((int)CONF_ROLE_ADMIN == (int)ROLE_ADMIN && (int)CONF_ROLE_NONE == (int)ROLE_NONE &&
                   (int)CONF_ROLE_VIEWER == (int)ROLE_VIEWER,
               "the configuration's roles are the verbs'");

void asker_rules_read(const struct conf *conf, struct asker_rules *ret)
{
    const char *name = conf->web.socket_group;
    *ret = (struct asker_rules){
        .socket_path = conf_socket_path(conf),
        .own_uid = geteuid(),
        .group = (gid_t)-1,
        .group_role = (enum verb_role)conf->web.socket_role,
        .loopback_role = (enum verb_role)conf->web.loopback_role,
    };
    const struct group *group = *name ? getgrnam(name) : NULL;
    if (group)
        ret->group = group->gr_gid;
    else if (*name)
        log_warning("web.socket_group: there is no group \"%s\"", name);
}

static bool is_ours(int fd, const char *path)
{
    struct sockaddr_un local = {0};
    socklen_t len = sizeof(local);
    int listening = 1;
    socklen_t size = sizeof(listening);
    // A listening socket, and the far end of our own, carry the credentials of who listens.
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 || listening)
        return false;
    if (getsockname(fd, (struct sockaddr *)&local, &len) < 0 || local.sun_family != AF_UNIX)
        return false;
    return strnlen(local.sun_path, sizeof(local.sun_path)) == strlen(path) &&
           memcmp(local.sun_path, path, strlen(path)) == 0;
}

static bool is_member(int fd, const struct ucred *who, gid_t group)
{
    if (group == (gid_t)-1)
        return false;
    if (who->gid == group)
        return true;
    CLEANUP(freep) gid_t *groups = calloc(GROUPS_MAX, sizeof(*groups));
    socklen_t len = GROUPS_MAX * sizeof(*groups);
    if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
        return false;
    for (size_t i = 0; i < len / sizeof(*groups); i++)
        if (groups[i] == group)
            return true;
    return false;
}

static void grant_all(struct grant *g, enum verb_role role, int64_t now_ns)
{
    g->role = role;
    g->scope.all = true;
    g->limit.all = true;
    g->expires_ns = now_ns + GRANT_LIFETIME_NS;
}

static void ask_unix(int fd, const struct asker_rules *rules, int64_t now_ns, struct grant *g)
{
    struct ucred who;
    socklen_t len = sizeof(who);
    if (!is_ours(fd, rules->socket_path) || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
        return;
    snprintf(g->principal, sizeof(g->principal), "unix:%u", (unsigned)who.uid);
    if (who.uid == 0 || who.uid == rules->own_uid)
        grant_all(g, ROLE_ADMIN, now_ns);
    else if (is_member(fd, &who, rules->group))
        grant_all(g, rules->group_role, now_ns);
}

static bool is_loopback(const struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)addr)->sin_addr.s_addr) >> 24 ==
               127;
    if (addr->ss_family != AF_INET6)
        return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

static void ask_tcp(int fd, const struct asker_rules *rules, int64_t now_ns, struct grant *g)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof(peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 || !is_loopback(&peer))
        return;
    snprintf(g->principal, sizeof(g->principal), "loopback");
    grant_all(g, rules->loopback_role, now_ns);
}

void asker_of_connection(int fd, const struct asker_rules *rules, int64_t now_ns, struct grant *ret)
{
    int domain = 0, type = 0;
    socklen_t len = sizeof(domain);
    grant_anonymous(ret);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
        return;
    len = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
        return;
    if (domain == AF_UNIX)
        ask_unix(fd, rules, now_ns, ret);
    else if (domain == AF_INET || domain == AF_INET6)
        ask_tcp(fd, rules, now_ns, ret);
}
