// SPDX-License-Identifier: GPL-3.0-or-later
#include "auth/account.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "scratch.h"

#define DAY_NS (24 * INT64_C(3600) * NS_PER_S)

static struct clock_fake fake;
static struct scratch dir;
static struct store *store;
static struct accounts *accounts;
static char *path;

static int set_up(void **state)
{
    static const struct store_schema *const schemas[] = {&account_schema};
    struct err err = {0};
    clock_fake_init(&fake, 0, 1000 * DAY_NS);
    dir = scratch_new();
    path = mem_printf("%s/a.db", dir.path);
    assert_int_equal(store_open(path, schemas, 1, &store, &err), 0);
    assert_int_equal(accounts_new(store, &fake.clock, &accounts), 0);
    return 0;
}

static int tear_down(void **state)
{
    accounts_free(accounts);
    store_close(store);
    free(path);
    scratch_done(&dir);
    return 0;
}

static const struct account_change keep = {.role = ROLE_INVALID, .disabled = -1};

static int add(const char *name, enum verb_role role, const char *scope)
{
    struct err err;
    struct account_change c = keep;
    c.role = role;
    c.scope = scope;
    return account_add(accounts, name, &c, &err);
}

static int set(const char *name, struct account_change c)
{
    struct err err;
    return account_set(accounts, name, &c, &err);
}

static int create(const char *account, const char *name, enum verb_role role, const char *scope,
                  int64_t expires_ns, char ret[TOKEN_TEXT_SIZE])
{
    struct err err;
    const struct token t = {.account = account,
                            .name = name,
                            .role = role,
                            .scope = scope,
                            .expires_real_ns = expires_ns};
    return token_create(accounts, &t, ret, &err);
}

static int verify(const char *text)
{
    struct grant g;
    int r = token_verify(accounts, text, &g);
    if (r == 0)
        grant_done(&g);
    return r;
}

static void names(void **state)
{
    static const char *const bad[] = {"", "-x", ".", "a b", "a/b", "a\n", "\xC3\xA9", "_"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(add(bad[i], ROLE_VIEWER, "all"), -EINVAL);
    assert_int_equal(add("alice@example.org", ROLE_VIEWER, "all"), 0);
    assert_int_equal(add("alice@example.org", ROLE_ADMIN, "all"), -EEXIST);
    assert_int_equal(add("bob", ROLE_VIEWER, "nonsense"), -EINVAL);
    assert_int_equal(set("bob", keep), -ENOENT);
    char text[70];
    memset(text, 'a', sizeof(text));
    text[65] = '\0';
    assert_int_equal(add(text, ROLE_VIEWER, "all"), -EINVAL);
    text[64] = '\0';
    assert_int_equal(add(text, ROLE_VIEWER, "all"), 0);
}

static void a_token_says_who(void **state)
{
    char text[TOKEN_TEXT_SIZE], second[TOKEN_TEXT_SIZE];
    CLEANUP(grant_done) struct grant g = {0};
    add("alice", ROLE_OPERATOR, "owner:alice");
    assert_int_equal(create("alice", "ci", ROLE_ADMIN, "all", 0, text), -EPERM);
    assert_int_equal(create("nobody", "ci", ROLE_VIEWER, "all", 0, text), -ENOENT);
    assert_int_equal(create("alice", "c i", ROLE_VIEWER, "all", 0, text), -EINVAL);
    assert_int_equal(create("alice", "ci", ROLE_VIEWER, "what", 0, text), -EINVAL);
    assert_int_equal(create("alice", "ci", ROLE_VIEWER, "all", 1, text), -EINVAL);
    assert_int_equal(create("alice", "ci", ROLE_OPERATOR, "name:web-*", 0, text), 0);
    assert_int_equal(create("alice", "ci", ROLE_OPERATOR, "all", 0, second), -EEXIST);
    assert_int_equal(token_verify(accounts, text, &g), 0);
    assert_string_equal(g.principal, "token:alice/ci");
    assert_int_equal(g.role, ROLE_OPERATOR);
    assert_string_equal(g.scope.term[0].pattern, "alice");
    assert_string_equal(g.limit.term[0].pattern, "web-*");
}

static void a_token_is_never_more_than_its_account(void **state)
{
    char text[TOKEN_TEXT_SIZE];
    struct grant g;
    add("alice", ROLE_ADMIN, "all");
    assert_int_equal(create("alice", "ci", ROLE_ADMIN, "all", 0, text), 0);
    struct account_change less = keep;
    less.role = ROLE_VIEWER;
    less.scope = "owner:alice";
    assert_int_equal(set("alice", less), 0);
    assert_int_equal(token_verify(accounts, text, &g), 0);
    assert_int_equal(g.role, ROLE_VIEWER);
    assert_false(auth_covers_all(&g));
    grant_done(&g);
    struct account_change off = keep;
    off.disabled = 1;
    assert_int_equal(set("alice", off), 0);
    assert_int_equal(verify(text), -EACCES);
    off.disabled = 0;
    assert_int_equal(set("alice", off), 0);
    assert_int_equal(verify(text), 0);
    struct err err;
    assert_int_equal(account_remove(accounts, "alice", &err), 0);
    assert_int_equal(verify(text), -EACCES);
    assert_int_equal(account_remove(accounts, "alice", &err), -ENOENT);
}

static void a_token_ends(void **state)
{
    char text[TOKEN_TEXT_SIZE], other[TOKEN_TEXT_SIZE];
    struct err err;
    add("alice", ROLE_VIEWER, "all");
    assert_int_equal(create("alice", "a", ROLE_VIEWER, "all", fake.real + DAY_NS, text), 0);
    assert_int_equal(create("alice", "b", ROLE_VIEWER, "all", 0, other), 0);
    clock_fake_advance(&fake, DAY_NS - 1);
    assert_int_equal(verify(text), 0);
    clock_fake_advance(&fake, 1);
    assert_int_equal(verify(text), -EACCES);
    assert_int_equal(verify(other), 0);
    assert_int_equal(token_revoke(accounts, "alice/b", &err), 0);
    assert_int_equal(token_revoke(accounts, "alice/b", &err), -ENOENT);
    assert_int_equal(verify(other), -EACCES);
    assert_int_equal(create("alice", "b", ROLE_VIEWER, "all", 0, other), 0);
    assert_int_equal(verify(other), 0);
}

static void take_first(const struct token *t, void *arg)
{
    *(int64_t *)arg = t->last_use_real_ns;
}

static void use_is_noted(void **state)
{
    char text[TOKEN_TEXT_SIZE];
    int64_t used = -1;
    add("alice", ROLE_VIEWER, "all");
    create("alice", "a", ROLE_VIEWER, "all", 0, text);
    assert_int_equal(token_each(accounts, "alice", take_first, &used), 0);
    assert_int_equal(used, 0);
    assert_int_equal(verify(text), 0);
    assert_int_equal(token_each(accounts, "alice", take_first, &used), 0);
    assert_int_equal(used, fake.real);
}

static void texts_that_are_no_tokens(void **state)
{
    char text[TOKEN_TEXT_SIZE], id[TOKEN_ID_DIGITS + 1];
    unsigned char secret[TOKEN_SECRET_BYTES];
    add("alice", ROLE_VIEWER, "all");
    create("alice", "a", ROLE_VIEWER, "all", 0, text);
    assert_int_equal(token_parse(text, id, secret), 0);
    for (size_t i = 0; i < strlen(text); i++) {
        for (int bit = 0; bit < 7; bit++) {
            char changed[TOKEN_TEXT_SIZE];
            memcpy(changed, text, sizeof(text));
            changed[i] = (char)(changed[i] ^ (1 << bit));
            if (verify(changed) != -EACCES)
                fail_msg("\"%s\" for \"%s\"", changed, text);
        }
        CLEANUP(freep) char *cut = mem_strndup(text, i);
        assert_int_equal(verify(cut), -EACCES);
    }
    CLEANUP(freep) char *more = mem_printf("%s=", text);
    assert_int_equal(verify(more), -EACCES);
    // A session's text is no token, and a token's no session.
    char session[TOKEN_TEXT_SIZE], csrf[CSRF_TEXT_SIZE];
    struct err err;
    struct grant g;
    assert_int_equal(session_open(accounts, "alice", session, csrf, &err), 0);
    assert_int_equal(verify(session), -EACCES);
    assert_int_equal(session_verify(accounts, text, csrf, &g), -EACCES);
}

static void no_secret_is_kept(void **state)
{
    char text[TOKEN_TEXT_SIZE], id[TOKEN_ID_DIGITS + 1], hash[PASSWORD_HASH_SIZE];
    unsigned char secret[TOKEN_SECRET_BYTES];
    CLEANUP(freep) char *data = NULL;
    size_t len;
    add("alice", ROLE_VIEWER, "all");
    create("alice", "a", ROLE_VIEWER, "all", 0, text);
    assert_int_equal(password_hash("correct horse", hash), 0);
    struct account_change c = keep;
    c.password_hash = hash;
    assert_int_equal(set("alice", c), 0);
    assert_int_equal(token_parse(text, id, secret), 0);
    assert_int_equal(store_exec(store, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    assert_int_equal(fs_read_file(AT_FDCWD, path, 1 << 20, &data, &len), 0);
    assert_non_null(memmem(data, len, id, strlen(id)));
    assert_null(memmem(data, len, secret, sizeof(secret)));
    assert_null(memmem(data, len, text + strlen(text) - 43, 43));
    assert_null(memmem(data, len, "correct horse", 13));
}

static void passwords(void **state)
{
    char hash[PASSWORD_HASH_SIZE], again[PASSWORD_HASH_SIZE];
    assert_int_equal(password_hash("seven77", hash), -EINVAL);
    assert_int_equal(password_hash("eight888", hash), 0);
    assert_int_equal(password_hash("eight888", again), 0);
    assert_string_not_equal(hash, again);
    assert_non_null(strstr(hash, "$argon2id$"));
    assert_true(password_check(hash, "eight888"));
    assert_false(password_check(hash, "eight889"));
    assert_false(password_check(hash, ""));
    assert_false(password_check("", "eight888"));
    add("alice", ROLE_VIEWER, "all");
    assert_int_equal(account_password(accounts, "alice", again), 0);
    assert_string_equal(again, "");
    struct account_change c = keep;
    c.password_hash = hash;
    assert_int_equal(set("alice", c), 0);
    assert_int_equal(account_password(accounts, "alice", again), 0);
    assert_string_equal(again, hash);
    c = keep;
    c.disabled = 1;
    assert_int_equal(set("alice", c), 0);
    assert_int_equal(account_password(accounts, "alice", again), 0);
    assert_string_equal(again, "");
    assert_int_equal(account_password(accounts, "nobody", again), 0);
    assert_string_equal(again, "");
}

static void open_session(char text[TOKEN_TEXT_SIZE], char csrf[CSRF_TEXT_SIZE])
{
    struct err err = {0};
    assert_int_equal(session_open(accounts, "alice", text, csrf, &err), 0);
}

static int look(const char *text)
{
    char csrf[CSRF_TEXT_SIZE];
    struct grant g;
    int r = session_verify(accounts, text, csrf, &g);
    if (r == 0)
        grant_done(&g);
    return r;
}

static void sessions(void **state)
{
    char text[TOKEN_TEXT_SIZE], csrf[CSRF_TEXT_SIZE], told[CSRF_TEXT_SIZE];
    struct grant g;
    add("alice", ROLE_OPERATOR, "owner:alice");
    open_session(text, csrf);
    assert_int_equal(session_verify(accounts, text, told, &g), 0);
    assert_string_equal(g.principal, "user:alice");
    assert_int_equal(g.role, ROLE_OPERATOR);
    assert_string_equal(told, csrf);
    grant_done(&g);
    assert_int_equal(session_close(accounts, text), 0);
    assert_int_equal(look(text), -EACCES);
    assert_int_equal(session_close(accounts, text), -EACCES);

    open_session(text, csrf);
    for (int i = 0; i < 23; i++) {
        clock_fake_advance(&fake, SESSION_IDLE_NS - NS_PER_S);
        assert_int_equal(look(text), 0);
    }
    clock_fake_advance(&fake, SESSION_IDLE_NS);
    assert_int_equal(look(text), -EACCES);

    open_session(text, csrf);
    for (int64_t life = 0; life < SESSION_LIFE_NS; life += SESSION_IDLE_NS / 2) {
        assert_int_equal(look(text), 0);
        clock_fake_advance(&fake, SESSION_IDLE_NS / 2);
    }
    assert_int_equal(look(text), -EACCES);

    open_session(text, csrf);
    struct account_change c = keep;
    c.password_hash = "x";
    assert_int_equal(set("alice", c), 0);
    assert_int_equal(look(text), -EACCES);
}

static void what_is_over_is_swept(void **state)
{
    char kept[TOKEN_TEXT_SIZE], gone[TOKEN_TEXT_SIZE], session[TOKEN_TEXT_SIZE],
        csrf[CSRF_TEXT_SIZE];
    struct err err;
    int64_t used = -1;
    add("alice", ROLE_VIEWER, "all");
    create("alice", "kept", ROLE_VIEWER, "all", 0, kept);
    create("alice", "gone", ROLE_VIEWER, "all", 0, gone);
    open_session(session, csrf);
    token_revoke(accounts, "alice/gone", &err);
    assert_int_equal(accounts_sweep(accounts), 0);
    assert_int_equal(look(session), 0);
    clock_fake_advance(&fake, 91 * DAY_NS);
    assert_int_equal(accounts_sweep(accounts), 0);
    assert_int_equal(verify(kept), 0);
    assert_int_equal(token_revoke(accounts, "alice/kept", &err), 0);
    clock_fake_advance(&fake, 91 * DAY_NS);
    assert_int_equal(accounts_sweep(accounts), 0);
    assert_int_equal(token_each(accounts, NULL, take_first, &used), 0);
    assert_int_equal(used, -1);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(names),
        EACH(a_token_says_who),
        EACH(a_token_is_never_more_than_its_account),
        EACH(a_token_ends),
        EACH(use_is_noted),
        EACH(texts_that_are_no_tokens),
        EACH(no_secret_is_kept),
        EACH(passwords),
        EACH(sessions),
        EACH(what_is_over_is_swept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
