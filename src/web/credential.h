// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_CREDENTIAL_H
#define WEB_CREDENTIAL_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "net/gate.h"

/** The session's cookie. */
#define CREDENTIAL_COOKIE "vherd_session"
#define CREDENTIAL_CSRF_HEADER "X-CSRF-Token"

/**
 * What a request shows, from its headers (NULL: absent): a bearer token, else a session. 1 with the
 * kind and a fresh copy of the secret; 0: nothing; -EINVAL: an Authorization that is no bearer
 * token.
 */
int credential_read(const char *authorization, const char *cookie, enum gate_kind *ret_kind,
                    char **ret_secret);

/**
 * May a request of a session change something? It must carry the session's CSRF token, and a
 * browser that says where the request comes from must name us. Headers may be NULL.
 */
bool credential_may_change(const char *csrf, const char *sent_csrf, const char *sec_fetch_site);

/** The same for a login, which has no session yet. */
bool credential_may_login(const char *sec_fetch_site);

/**
 * Name and password out of a login's body, {"user": …, "password": …} and nothing else. The caller
 * owns both. 0 or -EINVAL.
 */
int credential_read_login(const char *body, size_t len, char **ret_user, char **ret_password);

/** The value of a Set-Cookie header: the session's, or an empty one that ends it (""). Caller
 * frees. */
char *credential_cookie(const char *session, bool secure);

/** Does a body of this Content-Type (NULL: none named) count as JSON? */
bool credential_is_json(const char *content_type);

#endif
