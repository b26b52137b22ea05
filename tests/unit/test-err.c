// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/esc.h"

static void set_fills_and_returns(void **state)
{
    struct err err = {.line = 9, .column = 9};
    assert_int_equal(err_set(&err, ENOENT, "no %s", "file"), -ENOENT);
    assert_int_equal(err.code, ENOENT);
    assert_int_equal(err.line, 0);
    assert_int_equal(err.column, 0);
    assert_string_equal(err.message, "no file");
    assert_int_equal(err_set_at(&err, EINVAL, 3, 14, "bad"), -EINVAL);
    assert_int_equal(err.line, 3);
    assert_int_equal(err.column, 14);
}

static void nobody_has_to_listen(void **state)
{
    assert_int_equal(err_set(NULL, EIO, "x"), -EIO);
    assert_int_equal(err_set_at(NULL, EIO, 1, 1, "x"), -EIO);
}

static void wrap_puts_context_in_front(void **state)
{
    struct err err;
    err_set_at(&err, EACCES, 2, 3, "permission denied");
    assert_int_equal(err_wrap(&err, "reading %s", "x"), -EACCES);
    assert_int_equal(err_wrap(&err, "starting"), -EACCES);
    assert_string_equal(err.message, "starting: reading x: permission denied");
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 3);
}

static void assert_cut(const struct err *err)
{
    size_t len = strlen(err->message);
    assert_true(len < sizeof(err->message));
    assert_true(len >= sizeof(err->message) - 5);
    assert_string_equal(err->message + len - strlen("…"), "…");
}

static void assert_utf8(const char *s)
{
    for (size_t at = 0, len = strlen(s); at < len;) {
        size_t n = esc_utf8_next(s + at, len - at, NULL);
        assert_true(n > 0);
        at += n;
    }
}

static void long_messages_are_cut_between_characters(void **state)
{
    // Every offset of the cut within a sequence of 1, 2, 3 and 4 bytes.
    static const char *const fillers[] = {"x", "é", "日", "🖥"};
    for (int f = 0; f < 4; f++) {
        for (int shift = 0; shift < 5; shift++) {
            char text[3000] = "";
            memset(text, 'a', (size_t)shift);
            for (size_t at = (size_t)shift; at < 2000; at += strlen(fillers[f]))
                memcpy(text + at, fillers[f], strlen(fillers[f]) + 1);
            struct err err;
            err_set(&err, EIO, "%s", text);
            assert_cut(&err);
            assert_utf8(err.message);
            err_set(&err, EIO, "%.500s", "short");
            err_wrap(&err, "%s", text);
            assert_cut(&err);
            assert_utf8(err.message);
            err_set(&err, EIO, "%s", text);
            err_wrap(&err, "some context");
            assert_cut(&err);
            assert_utf8(err.message);
            assert_memory_equal(err.message, "some context: ", 14);
        }
    }
}

static void longest_message_that_fits_is_whole(void **state)
{
    struct err err;
    char text[sizeof(err.message)];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    err_set(&err, EIO, "%s", text);
    assert_string_equal(err.message, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills_and_returns),
        cmocka_unit_test(nobody_has_to_listen),
        cmocka_unit_test(wrap_puts_context_in_front),
        cmocka_unit_test(long_messages_are_cut_between_characters),
        cmocka_unit_test(longest_message_that_fits_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
