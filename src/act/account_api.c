// SPDX-License-Identifier: GPL-3.0-or-later
// Accounts. A password is hashed on libuv's pool, as that takes a while; what was true when it was
// asked for is checked again behind it.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/mem.h"

static void write_account(const struct account *a, void *arg)
{
    struct json *j = arg;
    json_object_begin(j);
    json_kv_string(j, "name", a->name);
    json_kv_string(j, "role", auth_role_name(a->role));
    json_kv_string(j, "scope", a->scope);
    json_kv_string(j, "owner", a->owner);
    json_kv_bool(j, "disabled", a->disabled);
    json_kv_bool(j, "password", a->has_password);
    json_key(j, "created");
    json_ns_as_s(j, a->created_real_ns);
    json_object_end(j);
}

static void answer_accounts(const struct api_call *c, const char *only)
{
    CLEANUP(buf_done) struct buf body;
    struct json j;
    api_begin_answer(&body, &j);
    json_key(&j, "users");
    json_array_begin(&j);
    int r = account_each(c->state->accounts, only, write_account, &j);
    json_array_end(&j);
    if (r < 0)
        api_fail(c, -r, "the accounts cannot be read");
    else
        api_answer(c, &body, &j);
}

void api_user_list(const struct api_call *c)
{
    answer_accounts(c, NULL);
}

static int read_role(const struct api_call *c, enum verb_role *ret, struct err *err)
{
    const char *text = api_member(c, "role");
    *ret = text ? auth_role_parse(text) : ROLE_INVALID;
    if (text && (*ret == ROLE_INVALID || *ret == ROLE_NONE))
        return err_set(err, EINVAL, "role must be viewer, operator or admin, not \"%s\"", text);
    return 0;
}

static int read_disabled(const struct api_call *c, int *ret, struct err *err)
{
    const char *text = api_member(c, "disabled");
    *ret = !text ? -1 : strcmp(text, "yes") == 0;
    if (text && *ret == 0 && strcmp(text, "no") != 0)
        return err_set(err, EINVAL, "disabled must be yes or no, not \"%s\"", text);
    return 0;
}

static int read_change(const struct api_call *c, struct account_change *ret, struct err *err)
{
    *ret =
        (struct account_change){.scope = api_member(c, "scope"), .owner = api_member(c, "owner")};
    int r = read_role(c, &ret->role, err);
    return r < 0 ? r : read_disabled(c, &ret->disabled, err);
}

// What was asked for, for the record; secrets stay out of it.
static char *describe(const struct api_call *c)
{
    struct buf b;
    struct json j;
    buf_init(&b, AUDIT_TEXT_MAX * 4);
    json_init(&j, &b);
    json_object_begin(&j);
    for (const struct verb_param *p = c->verb->params; p->name; p++) {
        bool secret = strcmp(p->name, "password") == 0 || strcmp(p->name, "old") == 0;
        if (api_member(c, p->name))
            json_kv_string(&j, p->name, secret ? "…" : api_member(c, p->name));
    }
    json_object_end(&j);
    return buf_take(&b, NULL);
}

static void change(const struct api_call *c, const char *name, const char *hash)
{
    struct err err = {0};
    struct account_change wanted;
    CLEANUP(freep) char *detail = describe(c);
    int r = read_change(c, &wanted, &err);
    wanted.password_hash = hash;
    if (r == 0)
        r = store_begin(c->state->store);
    if (r < 0) {
        api_fail(c, -r, err.message);
        return;
    }
    bool is_new = c->verb->id == VERB_USER_ADD;
    r = is_new ? account_add(c->state->accounts, name, &wanted, &err)
               : account_set(c->state->accounts, name, &wanted, &err);
    r = api_commit(c, r, name, detail, &err);
    if (r < 0)
        api_fail(c, -r, err.message);
    else if (api_is_dry(c))
        api_answer_plan(c, name, detail);
    else
        answer_accounts(c, name);
    if (r == 0)
        gate_flush(&c->act->gate);
}

void api_user_set(const struct api_call *c)
{
    change(c, c->object, NULL);
}

void api_user_remove(const struct api_call *c)
{
    struct err err = {0};
    int r = store_begin(c->state->store);
    if (r == 0)
        r = api_commit(c, account_remove(c->state->accounts, c->object, &err), c->object, "", &err);
    if (r < 0)
        api_fail(c, -r, err.message);
    else if (api_is_dry(c))
        api_answer_plan(c, c->object, "with its tokens and sessions");
    else
        answer_accounts(c, c->object);
}

// Passwords

// A request that waits until its password has been hashed, with all that it needs.
struct hashing {
    uv_work_t work; // first
    struct api_call call;
    struct ipc_request request;
    struct grant grant;
    char *object, *account, *password, *old;
    char kept[PASSWORD_HASH_SIZE]; // to compare `old` with
    char hash[PASSWORD_HASH_SIZE];
    bool fits; // `old`, or nobody asked for it
    int result;
};

static void on_pool(uv_work_t *work)
{
    struct hashing *h = (struct hashing *)work;
    pthread_setname_np(pthread_self(), "pool");
    h->fits = !h->old || password_check(h->kept, h->old);
    if (h->fits)
        h->result = password_hash(h->password, h->hash);
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void hashing_free(struct hashing *h)
{
    h->call.act->hashing--;
    ipc_request_done(&h->request);
    grant_done(&h->grant);
    json_decref(h->call.body);
    free(h->object);
    free(h->account);
    wipe(h->password);
    wipe(h->old);
    free(h);
}

static void on_hashed(uv_work_t *work, int status)
{
    struct hashing *h = (struct hashing *)work;
    struct act *a = h->call.act;
    if (!state_ready(&a->state, act_now()))
        api_fail(&h->call, ENOTCONN, a->state.err.message);
    else if (!h->fits)
        api_refuse(&h->call, h->account, "the present password is another");
    else if (h->result == -EINVAL)
        api_fail(&h->call, EINVAL, "a password has 8 to 1024 bytes");
    else if (h->result < 0)
        api_fail(&h->call, ENOMEM, "there is no memory to hash a password");
    else
        change(&h->call, h->account, h->hash);
    hashing_free(h);
}

static void copy_grant(const struct grant *from, struct grant *to)
{
    // Only what the record needs: the rights were checked.
    *to = (struct grant){.role = from->role};
    memcpy(to->principal, from->principal, sizeof(to->principal));
}

static void hash_and_change(const struct api_call *c, const char *account, const char *old)
{
    if (c->act->hashing >= 4) {
        core_problem(c->act, c->id, 503, "too many passwords are being set; try again");
        return;
    }
    struct hashing *h = mem_zalloc(sizeof(*h));
    c->act->hashing++;
    h->call = *c;
    copy_grant(c->grant, &h->grant);
    h->call.grant = &h->grant;
    h->request.address = h->request.storage = mem_strdup(c->request->address);
    h->request.query = api_is_dry(c) ? "dry_run" : "";
    h->call.request = &h->request;
    h->object = mem_strdup(c->object);
    h->call.object = h->object;
    h->call.body = json_incref(c->body);
    h->account = mem_strdup(account);
    h->password = mem_strdup(api_member(c, "password"));
    h->old = mem_strdup(old);
    (void)account_password(c->state->accounts, account, h->kept);
    uv_queue_work(&c->act->loop, &h->work, on_pool, on_hashed);
}

void api_user_add(const struct api_call *c)
{
    const char *name = api_member(c, "name");
    if (!name)
        api_fail(c, EINVAL, "name is missing");
    else if (api_member(c, "password"))
        hash_and_change(c, name, NULL);
    else
        change(c, name, NULL);
}

void api_user_password(const struct api_call *c)
{
    char own[ACCOUNT_NAME_MAX + 1];
    bool session = false;
    bool is_own = api_own_account(c, own, &session) && session && strcmp(own, c->object) == 0;
    const char *old = api_member(c, "old");
    if (!api_member(c, "password"))
        api_fail(c, EINVAL, "password is missing");
    else if (!api_is_admin(c) && !is_own)
        api_refuse(c, c->object, "another's password");
    else if (!api_is_admin(c) && !old)
        api_fail(c, EINVAL, "old is missing: the present password");
    else
        hash_and_change(c, c->object, old);
}
