// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_ASKER_H
#define CORE_ASKER_H

// Who asks: a grant that came with the request, or what the kernel says of the connection.

#include <sys/types.h>

#include "auth/grant.h"
#include "conf/conf.h"

// What decides about a connection.
struct asker_rules {
    const char *socket_path; // the Unix socket that vherd listens on
    uid_t own_uid;           // of vherd itself: an admin, like root
    gid_t group;             // web.socket_group; (gid_t)-1: none
    enum verb_role group_role;
    enum verb_role loopback_role;
};

// The rules of a configuration; `ret->socket_path` is to be freed.
void asker_rules_read(const struct conf *conf, struct asker_rules *ret);

// A grant for who is at the other end of a connection that was accepted: by peer credentials on our
// Unix socket, by address on TCP. It lasts until `now_ns` and a while. Anything else, a listening
// socket or one of another kind among it, is anonymous.
void asker_of_connection(int fd, const struct asker_rules *rules, int64_t now_ns,
                         struct grant *ret);

#endif
