// SPDX-License-Identifier: GPL-3.0-or-later
#include "api_envelope.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

static void errors_are_objects(void **state)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4096);
    api_error_put(&out, "bad_data", "1:2: \"x\"\n");
    assert_string_equal(out.data, "{\"status\":\"error\",\"errorType\":\"bad_data\","
                                  "\"error\":\"1:2: \\\"x\\\"\\n\"}");
}

static void success_has_warnings_where_there_are_any(void **state)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4096);
    api_success_begin(&out);
    buf_puts(&out, "[]");
    api_success_end(&out, NULL);
    assert_string_equal(out.data, "{\"status\":\"success\",\"data\":[]}");
    buf_reset(&out);
    api_success_begin(&out);
    buf_puts(&out, "[]");
    api_success_end(&out, "cut");
    assert_string_equal(out.data, "{\"status\":\"success\",\"data\":[],\"warnings\":[\"cut\"]}");
}

static void kinds_and_statuses(void **state)
{
    static const struct {
        int r;
        const char *type;
        int status;
    } rows[] = {
        {-EINVAL, "bad_data", 400}, {-EDOM, "execution", 422}, {-EOVERFLOW, "execution", 422},
        {-E2BIG, "execution", 422}, {-ETIME, "timeout", 503},  {-ECANCELED, "canceled", 503},
        {-EIO, "internal", 500},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(api_error_type(rows[i].r), rows[i].type);
        assert_int_equal(api_error_status(rows[i].type), rows[i].status);
    }
    assert_int_equal(api_error_status("unavailable"), 503);
}

static void limits_are_named(void **state)
{
    struct err err = {0};
    err_set(&err, EOVERFLOW, "too many");
    api_name_limit(-EOVERFLOW, &err);
    assert_string_equal(err.message, "too many (limit: query.max_samples)");
    err_set(&err, EDOM, "no");
    api_name_limit(-EDOM, &err);
    assert_string_equal(err.message, "no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_objects),
        cmocka_unit_test(success_has_warnings_where_there_are_any),
        cmocka_unit_test(kinds_and_statuses),
        cmocka_unit_test(limits_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
