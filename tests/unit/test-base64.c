// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/mem.h"

// RFC 4648, section 10, and bytes of every kind.
static const struct {
    const char *bytes;
    size_t len;
    const char *text;
} cases[] = {
    {"", 0, ""},
    {"f", 1, "Zg=="},
    {"fo", 2, "Zm8="},
    {"foo", 3, "Zm9v"},
    {"foob", 4, "Zm9vYg=="},
    {"fooba", 5, "Zm9vYmE="},
    {"foobar", 6, "Zm9vYmFy"},
    {"\0\xff\x7f", 3, "AP9/"},
    {"\xfb\xef\xff", 3, "++//"},
};

static void test_both_ways(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) struct buf text;
        CLEANUP(buf_done) struct buf bytes;
        buf_init(&text, 64);
        buf_init(&bytes, 64);
        base64_encode(cases[i].bytes, cases[i].len, &text);
        assert_int_equal(text.len, strlen(cases[i].text));
        if (text.len)
            assert_memory_equal(text.data, cases[i].text, text.len);
        assert_int_equal(base64_decode(cases[i].text, strlen(cases[i].text), &bytes), 0);
        assert_int_equal(bytes.len, cases[i].len);
        if (bytes.len)
            assert_memory_equal(bytes.data, cases[i].bytes, bytes.len);
    }
}

static void test_refusals(void **state)
{
    static const char *const wrong[] = {"Z",    "Zg",   "Zg=",  "====", "Zg==Zg==", "Zm9v\n",
                                        "Zm-v", "=m9v", "Zh==", "Zm9=", "Z=9v",     "Zg=v"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        CLEANUP(buf_done) struct buf bytes;
        buf_init(&bytes, 64);
        if (base64_decode(wrong[i], strlen(wrong[i]), &bytes) != -EINVAL)
            fail_msg("%s", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
