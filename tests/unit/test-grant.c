// SPDX-License-Identifier: GPL-3.0-or-later
#include "auth/grant.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static struct grant_key key;

static struct grant make(const char *principal, enum verb_role role, const char *scope,
                         const char *limit)
{
    struct grant g = {.role = role, .expires_ns = 1000};
    struct err err = {0};
    snprintf(g.principal, sizeof(g.principal), "%s", principal);
    assert_int_equal(scope_parse(scope, &g.scope, &err), 0);
    assert_int_equal(scope_parse(limit, &g.limit, &err), 0);
    return g;
}

static char *encode(struct grant g)
{
    struct buf b;
    buf_init(&b, GRANT_TEXT_MAX);
    grant_encode(&g, &key, &b);
    assert_int_equal(b.error, 0);
    grant_done(&g);
    return b.data;
}

static void goes_there_and_back(void **state)
{
    CLEANUP(freep)
    char *text = encode(make("token:alice/c i\n", ROLE_OPERATOR, "name:a b,owner:x", "all"));
    CLEANUP(grant_done) struct grant g = {0};
    assert_null(strpbrk(text, "\n\r"));
    assert_int_equal(grant_decode(text, &key, 999, &g), 0);
    assert_string_equal(g.principal, "token:alice/c i\n");
    assert_int_equal(g.role, ROLE_OPERATOR);
    assert_int_equal(g.scope.n, 2);
    assert_string_equal(g.scope.term[0].pattern, "a b");
    assert_true(g.limit.all);
    struct grant late;
    assert_int_equal(grant_decode(text, &key, 1000, &late), -EKEYEXPIRED);
}

static void no_byte_can_be_changed(void **state)
{
    CLEANUP(freep) char *text = encode(make("unix:1000", ROLE_VIEWER, "owner:alice", "all"));
    size_t len = strlen(text);
    struct grant g;
    for (size_t i = 0; i < len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            text[i] = (char)(text[i] ^ (1 << bit));
            // Hex digits may be written in either case: the same bytes, so the same grant.
            int r = grant_decode(text, &key, 0, &g);
            if (r == 0)
                grant_done(&g);
            if (r == 0 && (i < len - 64 || bit != 5))
                fail_msg("byte %zu, bit %u", i, bit);
            text[i] = (char)(text[i] ^ (1 << bit));
        }
    }
    for (size_t n = 0; n < len; n++) {
        CLEANUP(freep) char *cut = mem_strndup(text, n);
        assert_int_equal(grant_decode(cut, &key, 0, &g), -EKEYREJECTED);
    }
    struct grant_key other;
    grant_key_new(&other);
    assert_int_equal(grant_decode(text, &other, 0, &g), -EKEYREJECTED);
}

static void what_web_might_try(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "unix:0",
        "loopback",
        "1 admin 9223372036854775807 unix%3A0 all all",
        "1 admin 9223372036854775807 unix%3A0 all all ",
        "1 admin 9223372036854775807 unix%3A0 all all "
        "0000000000000000000000000000000000000000000000000000000000000000",
    };
    struct grant g;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_int_equal(grant_decode(texts[i], &key, 0, &g), -EKEYREJECTED);
    CLEANUP(freep) char *large = mem_zalloc(GRANT_TEXT_MAX + 2);
    memset(large, ' ', GRANT_TEXT_MAX + 1);
    assert_int_equal(grant_decode(large, &key, 0, &g), -EKEYREJECTED);
}

static void keys_are_read_strictly(void **state)
{
    CLEANUP(buf_done) struct buf text;
    struct grant_key again;
    buf_init(&text, 256);
    grant_key_format(&key, &text);
    assert_int_equal(text.len, 2 * GRANT_KEY_BYTES);
    assert_int_equal(grant_key_parse(text.data, &again), 0);
    assert_memory_equal(&again, &key, sizeof(key));
    text.data[text.len - 1] = '\0';
    assert_int_equal(grant_key_parse(text.data, &again), -EINVAL);
    assert_int_equal(grant_key_parse("", &again), -EINVAL);
    struct grant_key second;
    grant_key_new(&second);
    assert_memory_not_equal(&second, &key, sizeof(key));
}

static void the_largest_fits(void **state)
{
    char principal[GRANT_PRINCIPAL_MAX + 1], scope[SCOPE_TEXT_MAX + 1];
    memset(principal, ' ', sizeof(principal) - 1);
    principal[sizeof(principal) - 1] = '\0';
    memset(scope, '\x01', sizeof(scope) - 1);
    scope[sizeof(scope) - 1] = '\0';
    memcpy(scope, "name:", 5);
    CLEANUP(freep) char *text = encode(make(principal, ROLE_OPERATOR, scope, scope));
    CLEANUP(grant_done) struct grant g = {0};
    assert_true(strlen(text) <= GRANT_TEXT_MAX);
    assert_int_equal(grant_decode(text, &key, 0, &g), 0);
}

static int set_up(void **state)
{
    grant_key_new(&key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_there_and_back), cmocka_unit_test(no_byte_can_be_changed),
        cmocka_unit_test(what_web_might_try),  cmocka_unit_test(keys_are_read_strictly),
        cmocka_unit_test(the_largest_fits),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
