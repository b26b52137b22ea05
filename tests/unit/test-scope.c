// SPDX-License-Identifier: GPL-3.0-or-later
#include "auth/scope.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void patterns(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool fits;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "a", true},
        {"a", "b", false},
        {"a", "aa", false},
        {"*", "", true},
        {"*", "anything", true},
        {"web-*", "web-1", true},
        {"web-*", "web-", true},
        {"web-*", "web", false},
        {"web-*", "xweb-1", false},
        {"*-db", "a-db-db", true},
        {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "aXbYbZ", false},
        {"?", "", false},
        {"?", "x", true},
        {"?", "xy", false},
        {"?", "\xC3\xA9", true},
        {"a?c",
         "a\xE2\x82\xAC"
         "c",
         true},
        {"\\*", "*", true},
        {"\\*", "x", false},
        {"\\?", "?", true},
        {"a\\,b", "a,b", true},
        {"\\\\", "\\", true},
        {"\\", "\\", true},
        {"**", "x", true},
        {"*?*", "", false},
        {"A", "a", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (scope_glob(cases[i].pattern, cases[i].text) != cases[i].fits)
            fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].text);
}

static void a_hostile_pattern_ends(void **state)
{
    char pattern[257], text[4097];
    for (size_t i = 0; i < 256; i += 2)
        memcpy(pattern + i, "a*", 2);
    pattern[255] = 'b';
    pattern[256] = '\0';
    memset(text, 'a', 4096);
    text[4096] = '\0';
    assert_false(scope_glob(pattern, text));
}

static const struct auth_label labels[] = {{"env", "test"}, {"tier", "db"}};
static const struct auth_object vm = {"web-1", "alice", labels, 2};
static const struct auth_object bare = {"web-1", NULL, NULL, 0};
static const struct auth_object odd = {"a,b", "c\\,d", NULL, 0};

static void scopes(void **state)
{
    static const struct {
        const char *text;
        const struct auth_object *object;
        bool covers;
    } cases[] = {
        {"all", &vm, true},
        {"none", &vm, false},
        {"", &vm, false},
        {"name:web-*", &vm, true},
        {"name:db-*", &vm, false},
        {"name:db-*,name:web-?", &vm, true},
        {"label:env=test", &vm, true},
        {"label:env=prod", &vm, false},
        {"label:env=t*", &vm, true},
        {"label:env", &vm, true},
        {"label:nothing", &vm, false},
        {"label:env=", &vm, false},
        {"label:tier=test", &vm, false},
        {"label:env", &bare, false},
        {"owner:alice", &vm, true},
        {"owner:al*", &vm, false},
        {"owner:bob", &vm, false},
        {"owner:alice", &bare, false},
        {"name:a\\,b", &odd, true},
        {"owner:c\\\\\\,d", &odd, true},
        {"name:a,name:x", &odd, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(scope_done) struct scope s;
        CLEANUP(scope_done) struct scope again;
        struct err err = {0};
        CLEANUP(buf_done) struct buf text;
        buf_init(&text, 4096);
        if (scope_parse(cases[i].text, &s, &err) < 0)
            fail_msg("%s", err.message);
        if (scope_covers(&s, cases[i].object) != cases[i].covers)
            fail_msg("\"%s\"", cases[i].text);
        scope_format(&s, &text);
        assert_int_equal(scope_parse(text.data, &again, &err), 0);
        assert_int_equal(scope_covers(&again, cases[i].object), cases[i].covers);
    }
}

static void wrong_scopes(void **state)
{
    static const char *const bad[] = {
        "ALL",         "all,name:x", "name:",       "owner:",    "label:", "label:=x",
        "label:e*=x",  "web-*",      "name:x,",     ",",         " all",   "name:x,,name:y",
        "group:wheel", "name",       "none,name:x", "label:a?b",
    };
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct scope s;
        err = (struct err){0};
        int r = scope_parse(bad[i], &s, &err);
        scope_done(&s);
        if (r != -EINVAL || !err.message[0])
            fail_msg("\"%s\" was read", bad[i]);
    }
    char many[40 * 8], longest[SCOPE_TEXT_MAX + 2];
    struct scope s;
    many[0] = '\0';
    for (size_t i = 0; i < 33; i++)
        memcpy(many + i * 7, "name:a,", 7);
    many[33 * 7 - 1] = '\0';
    assert_int_equal(scope_parse(many, &s, &err), -E2BIG);
    scope_done(&s);
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "name:", 5);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(scope_parse(longest, &s, &err), -E2BIG);
    scope_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns),
        cmocka_unit_test(a_hostile_pattern_ends),
        cmocka_unit_test(scopes),
        cmocka_unit_test(wrong_scopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
