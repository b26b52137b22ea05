// SPDX-License-Identifier: GPL-3.0-or-later
#include "credential.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void credentials(void **state)
{
    static const struct {
        const char *authorization, *cookie;
        int result;
        enum gate_kind kind;
        const char *secret;
    } cases[] = {
        {NULL, NULL, 0, 0, NULL},
        {"Bearer abc", NULL, 1, GATE_TOKEN, "abc"},
        {"bearer   abc", "vherd_session=x", 1, GATE_TOKEN, "abc"},
        {"Bearer ", NULL, -EINVAL, 0, NULL},
        {"Bearer", NULL, -EINVAL, 0, NULL},
        {"Bearer a b", NULL, -EINVAL, 0, NULL},
        {"Basic YTpi", "vherd_session=x", -EINVAL, 0, NULL},
        {"", "vherd_session=x", -EINVAL, 0, NULL},
        {NULL, "vherd_session=x", 1, GATE_SESSION, "x"},
        {NULL, "a=b; vherd_session=x; c=d", 1, GATE_SESSION, "x"},
        {NULL, "a=vherd_session=x", 0, 0, NULL},
        {NULL, "xvherd_session=x", 0, 0, NULL},
        {NULL, "vherd_sessionx=x", 0, 0, NULL},
        {NULL, "vherd_session=", 0, 0, NULL},
        {NULL, ";;;", 0, 0, NULL},
        {NULL, "", 0, 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) char *secret = NULL;
        enum gate_kind kind = GATE_KIND_MAX;
        int r = credential_read(cases[i].authorization, cases[i].cookie, &kind, &secret);
        if (r != cases[i].result)
            fail_msg("case %zu: %d", i, r);
        if (r == 1) {
            assert_int_equal(kind, cases[i].kind);
            assert_string_equal(secret, cases[i].secret);
        } else {
            assert_null(secret);
        }
    }
    CLEANUP(freep) char *large = mem_zalloc(GATE_TEXT_MAX + 20);
    memset(large, 'x', GATE_TEXT_MAX + 10);
    memcpy(large, "Bearer ", 7);
    enum gate_kind kind;
    char *secret = NULL;
    assert_int_equal(credential_read(large, NULL, &kind, &secret), -EINVAL);
}

static void changes(void **state)
{
    static const struct {
        const char *csrf, *sent, *site;
        bool may;
    } cases[] = {
        {"abc", "abc", NULL, true},          {"abc", "abc", "same-origin", true},
        {"abc", "abc", "none", true},        {"abc", "abc", "same-site", false},
        {"abc", "abc", "cross-site", false}, {"abc", "abc", "", false},
        {"abc", "abd", NULL, false},         {"abc", "ab", NULL, false},
        {"abc", "abcd", NULL, false},        {"abc", "", NULL, false},
        {"abc", NULL, NULL, false},          {"", "", NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (credential_may_change(cases[i].csrf, cases[i].sent, cases[i].site) != cases[i].may)
            fail_msg("case %zu", i);
    assert_true(credential_may_login(NULL));
    assert_false(credential_may_login("cross-site"));
}

static void logins(void **state)
{
    static const char good[] = "{\"user\": \"ann\", \"password\": \"p\\u00e4ss\"}";
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"user\":\"a\"}",
                                      "{\"user\":\"a\",\"password\":1}",
                                      "{\"user\":\"a\",\"password\":\"b\",\"c\":\"d\"}",
                                      "{\"user\":\"a\",\"user\":\"a\",\"password\":\"b\"}",
                                      "{\"user\":\"a\\u0000\",\"password\":\"b\"}",
                                      "{\"user\":\"a\",\"password\":\"b\"} x"};
    CLEANUP(freep) char *user = NULL;
    CLEANUP(freep) char *password = NULL;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(credential_read_login(bad[i], strlen(bad[i]), &user, &password), -EINVAL);
    assert_null(user);
    assert_int_equal(credential_read_login(good, sizeof(good) - 1, &user, &password), 0);
    assert_string_equal(user, "ann");
    assert_string_equal(password, "p\xC3\xA4ss");
}

static void cookies(void **state)
{
    CLEANUP(freep) char *open = credential_cookie("x", false);
    CLEANUP(freep) char *secure = credential_cookie("x", true);
    CLEANUP(freep) char *ended = credential_cookie("", true);
    assert_string_equal(open, "vherd_session=x; Path=/; HttpOnly; SameSite=Strict");
    assert_non_null(strstr(secure, "; Secure"));
    assert_non_null(strstr(ended, "Max-Age=0"));
    assert_true(credential_is_json("application/json; charset=utf-8"));
    assert_false(credential_is_json("application/jsonp"));
    assert_false(credential_is_json("text/plain"));
    assert_false(credential_is_json(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials),
        cmocka_unit_test(changes),
        cmocka_unit_test(logins),
        cmocka_unit_test(cookies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
