// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/uuid.h"

static const char text[] = "00112233-4455-6677-8899-aabbccddeeff";

static void reads_and_writes(void **state)
{
    struct uuid u;
    char out[UUID_TEXT];
    assert_true(uuid_parse(text, 36, &u));
    for (int i = 0; i < UUID_BYTES; i++)
        assert_int_equal(u.b[i], i * 0x11);
    uuid_format(&u, out);
    assert_string_equal(out, text);
}

static void accepts_upper_case_and_no_hyphens(void **state)
{
    struct uuid a, b;
    assert_true(uuid_parse(text, 36, &a));
    assert_true(uuid_parse("00112233-4455-6677-8899-AABBCCDDEEFF", 36, &b));
    assert_true(uuid_equal(&a, &b));
    assert_true(uuid_parse("00112233445566778899aabbccddeeff", 32, &b));
    assert_true(uuid_equal(&a, &b));
    b.b[15] ^= 1;
    assert_false(uuid_equal(&a, &b));
}

static void refuses_the_rest(void **state)
{
    static const char *const bad[] = {
        "",
        "-",
        "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeeff0",
        "00112233-4455-6677-8899-aabbccddeeff-",
        "-00112233-4455-6677-8899-aabbccddeeff",
        "00112233--4455-6677-8899-aabbccddeeff",
        "0011-2233-4455-6677-8899-aabb-ccdd-eeff",
        "00112233-4455-6677-8899-aabbccddeefg",
        "{00112233-4455-6677-8899-aabbccddeeff}",
        " 00112233-4455-6677-8899-aabbccddeeff",
        "00112233_4455_6677_8899_aabbccddeeff",
    };
    struct uuid u = {{42}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (uuid_parse(bad[i], strlen(bad[i]), &u))
            fail_msg("\"%s\" was taken", bad[i]);
    assert_int_equal(u.b[0], 42);
}

static void reads_no_further_than_told(void **state)
{
    struct uuid u;
    CLEANUP(freep) char *exact = mem_zalloc(36);
    memcpy(exact, text, 36);
    assert_true(uuid_parse(exact, 36, &u));
    assert_false(uuid_parse(exact, 35, &u));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes),
        cmocka_unit_test(accepts_upper_case_and_no_hyphens),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(reads_no_further_than_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
