// SPDX-License-Identifier: GPL-3.0-or-later
#include "answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

static void gzip_is_sent_to_those_who_take_it(void **state)
{
    static const struct {
        const char *header;
        bool takes;
    } rows[] = {
        {NULL, false},
        {"", false},
        {"gzip", true},
        {"GZip", true},
        {"deflate, gzip", true},
        {"gzip;q=0.5, br", true},
        {"gzip; q=1", true},
        {"gzip;q=0", false},
        {"gzip; q=0.000", false},
        {"gzip;q=0.001", true},
        {"gzip;q=0, *;q=1", false},
        {"xgzip", false},
        {"gzipx", false},
        {"br", false},
        {",,,", false},
        {"identity;q=0", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (answer_accepts_gzip(rows[i].header) != rows[i].takes)
            fail_msg("\"%s\"", rows[i].header ? rows[i].header : "(null)");
}

static char *copy(const char *data, size_t len)
{
    char *p = malloc(len ? len : 1);
    assert_non_null(p);
    memcpy(p, data, len);
    return p;
}

static void an_answer_needs_a_content_type(void **state)
{
    static const char good[] = "text/plain\0body";
    static const char bad[] = "text/plain";
    static const char split[] = "text/plain\r\nX-Evil: 1\0body";
    struct MHD_Response *r =
        answer_from_core(copy(good, sizeof(good) - 1), sizeof(good) - 1, false);
    assert_non_null(r);
    assert_string_equal(MHD_get_response_header(r, "Content-Type"), "text/plain");
    assert_string_equal(MHD_get_response_header(r, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(MHD_get_response_header(r, "Cache-Control"), "no-store");
    assert_null(MHD_get_response_header(r, "Access-Control-Allow-Origin"));
    MHD_destroy_response(r);
    assert_null(answer_from_core(copy(bad, sizeof(bad) - 1), sizeof(bad) - 1, false));
    assert_null(answer_from_core(NULL, 0, false));
    r = answer_from_core(copy(split, sizeof(split) - 1), sizeof(split) - 1, false);
    if (r)
        assert_null(MHD_get_response_header(r, "Content-Type"));
    if (r)
        MHD_destroy_response(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_is_sent_to_those_who_take_it),
        cmocka_unit_test(an_answer_needs_a_content_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
