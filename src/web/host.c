// SPDX-License-Identifier: GPL-3.0-or-later
#include "host.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX 255

bool host_is_loopback(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)addr;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (addr->sa_family != AF_INET6)
        return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

// Both as IPv6, where IPv4 has its place too.
static struct in6_addr as_v6(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET6)
        return ((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
    struct in6_addr mapped = {.s6_addr = {[10] = 0xFF, [11] = 0xFF}};
    memcpy(mapped.s6_addr + 12, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
    return mapped;
}

static bool address_is_ours(const struct sockaddr *named, const struct sockaddr *local)
{
    if (host_is_loopback(named))
        return true;
    if (local->sa_family != AF_INET && local->sa_family != AF_INET6)
        return false;
    struct in6_addr a = as_v6(named), b = as_v6(local);
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static bool literal_is_ours(const char *name, const struct sockaddr *local, bool *ret_literal)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    *ret_literal = true;
    if (inet_pton(AF_INET, name, &v4.sin_addr) == 1)
        return address_is_ours((const struct sockaddr *)&v4, local);
    if (inet_pton(AF_INET6, name, &v6.sin6_addr) == 1)
        return address_is_ours((const struct sockaddr *)&v6, local);
    *ret_literal = false;
    return false;
}

// Splits "name", "name:port", "[v6]", "[v6]:port"; false where it is none of them.
static bool split(const char *host, char name[HOST_MAX + 1])
{
    size_t len, skip = 0;
    const char *rest;
    if (host[0] == '[') {
        len = strcspn(host + 1, "]");
        if (host[1 + len] != ']')
            return false;
        skip = 1;
        rest = host + 1 + len + 1;
    } else {
        len = strcspn(host, ":");
        rest = host + len;
    }
    if (len == 0 || len > HOST_MAX)
        return false;
    if (rest[0] == ':' && strspn(rest + 1, "0123456789") != strlen(rest + 1))
        return false;
    if (rest[0] != ':' && rest[0] != '\0')
        return false;
    memcpy(name, host + skip, len);
    name[len] = '\0';
    if (skip == 0 && name[len - 1] == '.')
        name[len - 1] = '\0';
    return true;
}

static bool name_is_own(const char *name, bool any_domain, const char *own)
{
    size_t short_len = strcspn(own, "."), first_len = strcspn(name, ".");
    if (short_len == 0)
        return false;
    if (strcasecmp(name, own) == 0)
        return true;
    return first_len == short_len && strncasecmp(name, own, short_len) == 0 &&
           (name[first_len] == '\0' || any_domain);
}

bool host_is_ours(const char *host, const struct sockaddr *peer, const struct sockaddr *local,
                  const struct host_names *names)
{
    char name[HOST_MAX + 1];
    if (!split(host, name))
        return false;
    bool literal;
    bool ours = literal_is_ours(name, local, &literal);
    if (literal)
        return ours;
    if (strcasecmp(name, "localhost") == 0 ||
        name_is_own(name, !host_is_loopback(peer), names->own))
        return true;
    for (size_t i = 0; i < names->n_further; i++)
        if (strcasecmp(name, names->further[i]) == 0)
            return true;
    return false;
}

void host_address(const struct sockaddr *addr, char *ret, size_t size)
{
    const void *bytes =
        addr->sa_family == AF_INET
            ? (const void *)&((const struct sockaddr_in *)(const void *)addr)->sin_addr
            : (const void *)&((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
    if ((addr->sa_family != AF_INET && addr->sa_family != AF_INET6) ||
        !inet_ntop(addr->sa_family, bytes, ret, (socklen_t)size))
        ret[0] = '\0';
}
