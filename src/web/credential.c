// SPDX-License-Identifier: GPL-3.0-or-later
// How browsers and scripts show who they are.
#include "credential.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

// In constant time, but for the length, which is no secret.
static bool same(const char *a, const char *b)
{
    size_t len = strlen(a);
    unsigned difference = 0;
    if (strlen(b) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        difference |= (unsigned)((unsigned char)a[i] ^ (unsigned char)b[i]);
    return difference == 0;
}

// The cookie of this name in a Cookie header; names and values as they stand.
static char *find_cookie(const char *header, const char *name)
{
    size_t name_len = strlen(name);
    while (*header) {
        header += strspn(header, "; \t");
        size_t len = strcspn(header, ";");
        if (len > name_len && header[name_len] == '=' && strncmp(header, name, name_len) == 0)
            return mem_strndup(header + name_len + 1, len - name_len - 1);
        header += len;
    }
    return NULL;
}

int credential_read(const char *authorization, const char *cookie, enum gate_kind *ret_kind,
                    char **ret_secret)
{
    static const char scheme[] = "Bearer ";
    if (authorization) {
        if (strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
            return -EINVAL;
        const char *token = authorization + sizeof(scheme) - 1;
        token += strspn(token, " ");
        size_t len = strcspn(token, " ");
        if (len == 0 || len > GATE_TEXT_MAX || token[len])
            return -EINVAL;
        *ret_kind = GATE_TOKEN;
        *ret_secret = mem_strndup(token, len);
        return 1;
    }
    char *session = cookie ? find_cookie(cookie, CREDENTIAL_COOKIE) : NULL;
    if (!session || !*session || strlen(session) > GATE_TEXT_MAX) {
        free(session);
        return 0;
    }
    *ret_kind = GATE_SESSION;
    *ret_secret = session;
    return 1;
}

bool credential_may_login(const char *site)
{
    // "none": typed or opened by the user, not by a page.
    return !site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
}

bool credential_may_change(const char *csrf, const char *sent_csrf, const char *sec_fetch_site)
{
    return *csrf && sent_csrf && same(csrf, sent_csrf) && credential_may_login(sec_fetch_site);
}

static bool take_text(const json_t *body, const char *name, char **ret)
{
    const json_t *value = json_object_get(body, name);
    if (!json_is_string(value) || json_string_length(value) > GATE_TEXT_MAX)
        return false;
    *ret = mem_strdup(json_string_value(value));
    return true;
}

int credential_read_login(const char *text, size_t len, char **ret_user, char **ret_password)
{
    json_error_t why;
    CLEANUP(freep) char *user = NULL;
    char *password = NULL;
    json_t *body = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    bool fine = json_is_object(body) && json_object_size(body) == 2 &&
                take_text(body, "user", &user) && take_text(body, "password", &password);
    json_decref(body);
    if (!fine) {
        free(password);
        return -EINVAL;
    }
    *ret_user = TAKE_PTR(user);
    *ret_password = password;
    return 0;
}

char *credential_cookie(const char *session, bool secure)
{
    return mem_printf(CREDENTIAL_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict%s%s", session,
                      secure ? "; Secure" : "", *session ? "" : "; Max-Age=0");
}

bool credential_is_json(const char *content_type)
{
    static const char json[] = "application/json";
    size_t len = sizeof(json) - 1;
    return content_type && strncasecmp(content_type, json, len) == 0 &&
           (content_type[len] == '\0' || strchr("; \t", content_type[len]));
}
