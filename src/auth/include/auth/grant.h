// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef AUTH_GRANT_H
#define AUTH_GRANT_H

/*
 * A grant says who somebody is and what they may do, for a short time. core makes one out of what
 * the kernel says of a connection, act out of a token, a session or a password; both check it at
 * every request. web carries it and can neither make nor change one: it lacks the key, which the
 * supervisor draws at its start and hands to core and act only.
 *
 * Text, one line:
 *     1 ROLE EXPIRY PRINCIPAL SCOPE SCOPE MAC
 * The expiry is CLOCK_MONOTONIC in ns (all processes are of one machine and one boot), principal
 * and scopes are %-encoded, the MAC is keyed BLAKE2b-256 over all in front of it, in hex. The first
 * scope is the account's, the second the token's; both must cover a VM.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/scope.h"
#include "base/buf.h"
#include "verb/verb.h"

#define GRANT_KEY_BYTES 32
#define GRANT_PRINCIPAL_MAX 160
#define GRANT_TEXT_MAX 8192

/** How long a grant is good for. web forgets one when it is told that rights were taken away; a web
 * that does not could use it for this long. */
#define GRANT_LIFETIME_NS (30 * INT64_C(1000000000))

struct grant_key {
    unsigned char b[GRANT_KEY_BYTES];
};

struct grant {
    char principal[GRANT_PRINCIPAL_MAX +
                   1]; /**< "user:NAME", "token:NAME/TOKEN", "unix:UID",
                            "loopback", "anonymous"; "vherd:PART": vherd itself, unasked */
    enum verb_role role;
    int64_t expires_ns; /**< monotonic */
    struct scope scope; /**< owned */
    struct scope limit; /**< owned; a further one that must cover too ("all" where there is none) */
};

/** Free what it holds. Usable with CLEANUP(). */
void grant_done(struct grant *g);

/** Draw a key; hex both ways (64 digits; -EINVAL). */
void grant_key_new(struct grant_key *ret);
void grant_key_format(const struct grant_key *k, struct buf *out);
int grant_key_parse(const char *text, struct grant_key *ret);

/** Append a grant's text, with its MAC. */
void grant_encode(const struct grant *g, const struct grant_key *k, struct buf *out);

/**
 * Read and check: -EKEYREJECTED (malformed or not made with this key), -EKEYEXPIRED. The MAC is
 * compared in constant time, before anything else is read. *ret is to be freed after 0 only.
 */
int grant_decode(const char *text, const struct grant_key *k, int64_t now_ns, struct grant *ret);

/** A grant for who showed nothing: role none, no VM. */
void grant_anonymous(struct grant *ret);

/** What a check comes to; the same two words go out whatever the reason. */
enum auth_verdict {
    AUTH_ALLOWED,
    AUTH_UNKNOWN,   /**< nobody is known: 401 */
    AUTH_FORBIDDEN, /**< 403 */
    AUTH_HIDDEN,    /**< a VM outside the scope: 404, in the words used for one that is not there */
};

/**
 * May this grant do what needs `needed` to this VM? `o` NULL: something that is no VM's; then the
 * grant must cover all VMs unless `needed` is ROLE_NONE. Pure.
 */
enum auth_verdict auth_allows(const struct grant *g, enum verb_role needed,
                              const struct auth_object *o);

/**
 * May it change this VM into what `becomes` describes (another name, owner, labels), or make that
 * beside it? Nobody may put a VM where they could not reach it themselves: AUTH_FORBIDDEN. Pure.
 */
enum auth_verdict auth_allows_change(const struct grant *g, enum verb_role needed,
                                     const struct auth_object *is,
                                     const struct auth_object *becomes);

/** Does the scope cover the VM (for lists, which are filtered)? */
bool auth_covers(const struct grant *g, const struct auth_object *o);

/** Does it cover all VMs, those to come too? */
bool auth_covers_all(const struct grant *g);

/**
 * May this grant use this verb at all, whatever the VM? Verbs on one VM are to be checked with
 * auth_allows() too, lists filtered with auth_covers(). Pure.
 */
enum auth_verdict auth_may_use(const struct grant *g, const struct verb *verb);

/** "none", "viewer", "operator", "admin"; ROLE_INVALID for others. */
const char *auth_role_name(enum verb_role role);
enum verb_role auth_role_parse(const char *name);

#endif
