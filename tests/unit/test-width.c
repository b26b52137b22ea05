// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/width.h"

static void test_text(void **state)
{
    assert_int_equal(width_text(""), 0);
    assert_int_equal(width_text("web1"), 4);
    assert_int_equal(width_text("b\xc3\xbcro"), 4);
    assert_int_equal(width_text("\xe6\x97\xa5\xe6\x9c\xac"), 4);
    assert_int_equal(width_text("e\xcc\x81"), 1);
    assert_int_equal(width_text("a\xff\xfe"), 3);
}

static void test_fit(void **state)
{
    size_t columns = 99;
    assert_int_equal(width_fit("\xe6\x97\xa5\xe6\x9c\xac", 3, &columns), 3);
    assert_int_equal(columns, 2);
    assert_int_equal(width_fit("e\xcc\x81x", 1, &columns), 3);
    assert_int_equal(columns, 1);
    assert_int_equal(width_fit("abc", 0, &columns), 0);
    assert_int_equal(width_fit("abc", 9, &columns), 3);
}

static void check_put(const char *s, size_t columns, enum width_align align, const char *want)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 100);
    width_put(&b, s, columns, align, "~");
    assert_string_equal(b.len ? b.data : "", want);
    assert_int_equal(width_text(want), columns);
}

static void test_put(void **state)
{
    check_put("ab", 4, WIDTH_LEFT, "ab  ");
    check_put("ab", 4, WIDTH_RIGHT, "  ab");
    check_put("abcd", 4, WIDTH_LEFT, "abcd");
    check_put("abcde", 4, WIDTH_LEFT, "abc~");
    check_put("abcde", 1, WIDTH_LEFT, "~");
    check_put("abcde", 0, WIDTH_LEFT, "");
    check_put("", 2, WIDTH_LEFT, "  ");
    check_put("\xe6\x97\xa5\xe6\x9c\xac", 4, WIDTH_LEFT, "\xe6\x97\xa5\xe6\x9c\xac");
    check_put("\xe6\x97\xa5\xe6\x9c\xac", 3, WIDTH_LEFT, "\xe6\x97\xa5~");
    check_put("a\xe6\x97\xa5\xe6\x9c\xac", 3, WIDTH_LEFT, "a~ ");
}

int main(void)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
