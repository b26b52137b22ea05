// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens: an admin's business, or one's own.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/mem.h"
#include "base/number.h"

#define LIFETIME_NS (90 * INT64_C(24) * 3600 * NS_PER_S)

struct listing {
    struct json *j;
    const char *account; // only of this one; NULL: of all
    int64_t now_ns;
};

static const char *state_of(const struct token *t, int64_t now_ns)
{
    if (t->revoked)
        return "revoked";
    return t->expires_real_ns != 0 && t->expires_real_ns <= now_ns ? "expired" : "valid";
}

static void write_time(struct json *j, const char *key, int64_t real_ns)
{
    json_key(j, key);
    if (real_ns != 0)
        json_ns_as_s(j, real_ns);
    else
        json_nothing(j);
}

static void write_token(const struct token *t, void *arg)
{
    const struct listing *l = arg;
    json_object_begin(l->j);
    json_kv_string(l->j, "id", t->id);
    json_kv_string(l->j, "user", t->account);
    json_kv_string(l->j, "name", t->name);
    json_kv_string(l->j, "role", auth_role_name(t->role));
    json_kv_string(l->j, "scope", t->scope);
    json_kv_string(l->j, "state", state_of(t, l->now_ns));
    write_time(l->j, "created", t->created_real_ns);
    write_time(l->j, "expires", t->expires_real_ns);
    write_time(l->j, "last_use", t->last_use_real_ns);
    json_object_end(l->j);
}

void api_token_list(const struct api_call *c)
{
    char own[ACCOUNT_NAME_MAX + 1] = "";
    bool session;
    CLEANUP(buf_done) struct buf body;
    struct json j;
    const char *only = api_is_admin(c) ? NULL : own;
    (void)api_own_account(c, own, &session);
    struct listing l = {&j, only, clock_real_ns(&clock_system)};
    api_begin_answer(&body, &j);
    json_key(&j, "tokens");
    json_array_begin(&j);
    int r = token_each(c->state->accounts, only, write_token, &l);
    json_array_end(&j);
    if (r < 0)
        api_fail(c, -r, "the tokens cannot be read");
    else
        api_answer(c, &body, &j);
}

static int read_expiry(const char *text, int64_t *ret, struct err *err)
{
    int64_t ns = LIFETIME_NS;
    *ret = 0;
    if (text && strcmp(text, "never") == 0)
        return 0;
    if (text && (number_parse_duration(text, &ns) < 0 || ns <= 0))
        return err_set(err, EINVAL, "expires must be a duration such as 90d, or never, not \"%s\"",
                       text);
    int64_t now = clock_real_ns(&clock_system);
    *ret = ns > INT64_MAX - now ? INT64_MAX : now + ns;
    return 0;
}

static int read_token(const struct api_call *c, const char *account, struct token *ret,
                      struct err *err)
{
    const char *role = api_member(c, "role"), *scope = api_member(c, "scope");
    *ret = (struct token){.account = account,
                          .name = api_member(c, "name"),
                          .role = role ? auth_role_parse(role) : ROLE_VIEWER,
                          .scope = scope ? scope : "all"};
    if (!ret->name)
        return err_set(err, EINVAL, "name is missing");
    if (ret->role == ROLE_INVALID || ret->role == ROLE_NONE)
        return err_set(err, EINVAL, "role must be viewer, operator or admin, not \"%s\"", role);
    return read_expiry(api_member(c, "expires"), &ret->expires_real_ns, err);
}

static void answer_token(const struct api_call *c, const struct token *t, const char *text)
{
    CLEANUP(buf_done) struct buf body;
    struct json j;
    api_begin_answer(&body, &j);
    json_kv_string(&j, "token", text);
    json_kv_string(&j, "user", t->account);
    json_kv_string(&j, "name", t->name);
    write_time(&j, "expires", t->expires_real_ns);
    api_answer(c, &body, &j);
    if (body.data)
        explicit_bzero(body.data, body.len);
}

static void create(const struct api_call *c, const char *account)
{
    struct err err = {0};
    struct token t;
    char text[TOKEN_TEXT_SIZE];
    int r = read_token(c, account, &t, &err);
    if (r == 0)
        r = store_begin(c->state->store);
    if (r < 0) {
        api_fail(c, -r, err.message);
        return;
    }
    CLEANUP(freep) char *object = mem_printf("%s:%s", account, t.name);
    CLEANUP(freep)
    char *detail = mem_printf("role %s, scope %s", auth_role_name(t.role), t.scope);
    r = api_commit(c, token_create(c->state->accounts, &t, text, &err), object, detail, &err);
    if (r < 0)
        api_fail(c, r == -EPERM ? EINVAL : -r, err.message);
    else if (api_is_dry(c))
        api_answer_plan(c, object, detail);
    else
        answer_token(c, &t, text);
    explicit_bzero(text, sizeof(text));
}

void api_token_create(const struct api_call *c)
{
    char own[ACCOUNT_NAME_MAX + 1] = "";
    bool session = false;
    const char *account = api_member(c, "user");
    bool has_own = api_own_account(c, own, &session);
    if (!account && has_own)
        account = own;
    bool is_own = has_own && session && account && strcmp(account, own) == 0;
    if (!account)
        api_fail(c, EINVAL, "user is missing: whose token it shall be");
    else if (!api_is_admin(c) && !is_own)
        api_refuse(c, account, "a token for another, or by a token");
    else
        create(c, account);
}

struct search {
    const char *wanted; // id, or "ACCOUNT:NAME"
    char id[TOKEN_ID_DIGITS + 1];
};

static void find(const struct token *t, void *arg)
{
    struct search *s = arg;
    CLEANUP(freep) char *name = mem_printf("%s:%s", t->account, t->name);
    if (!t->revoked && (strcmp(t->id, s->wanted) == 0 || strcmp(name, s->wanted) == 0))
        memcpy(s->id, t->id, MIN_OF(strlen(t->id) + 1, sizeof(s->id)));
}

void api_token_revoke(const struct api_call *c)
{
    char own[ACCOUNT_NAME_MAX + 1] = "";
    bool session;
    struct err err = {0};
    struct search s = {.wanted = c->object};
    (void)api_own_account(c, own, &session);
    // Another's token is for a tenant as if it were not there.
    int r = token_each(c->state->accounts, api_is_admin(c) ? NULL : own, find, &s);
    if (r < 0 || !*s.id) {
        api_fail(c, r < 0 ? -r : ENOENT, "there is no such token that could be revoked");
        return;
    }
    r = store_begin(c->state->store);
    if (r == 0)
        r = api_commit(c, token_revoke(c->state->accounts, s.id, &err), c->object, s.id, &err);
    if (r < 0 || api_is_dry(c)) {
        if (r < 0)
            api_fail(c, -r, err.message);
        else
            api_answer_plan(c, c->object, NULL);
        return;
    }
    gate_flush(&c->act->gate);
    CLEANUP(buf_done) struct buf body;
    struct json j;
    api_begin_answer(&body, &j);
    json_kv_string(&j, "id", s.id);
    json_kv_string(&j, "state", "revoked");
    api_answer(c, &body, &j);
}
