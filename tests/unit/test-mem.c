// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

static void copies(void **state)
{
    CLEANUP(freep) char *copy = mem_strdup("text");
    assert_string_equal(copy, "text");
    assert_null(mem_strdup(NULL));
    CLEANUP(freep) char *part = mem_strndup("text", 2);
    assert_string_equal(part, "te");
    CLEANUP(freep) char *none = mem_strndup("text", 0);
    assert_string_equal(none, "");
    CLEANUP(freep) char *made = mem_printf("%s-%d", "a", 7);
    assert_string_equal(made, "a-7");
}

static void zalloc_is_zero_and_never_null(void **state)
{
    CLEANUP(freep) unsigned char *p = mem_zalloc(1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    CLEANUP(freep) void *none = mem_zalloc(0);
    assert_non_null(none);
}

static void strset_tells_changes(void **state)
{
    CLEANUP(freep) char *s = NULL;
    assert_false(mem_strset(&s, NULL));
    assert_true(mem_strset(&s, "a"));
    assert_false(mem_strset(&s, "a"));
    assert_false(mem_strset(&s, s));
    assert_true(mem_strset(&s, "b"));
    assert_string_equal(s, "b");
    // A part of the text that is being replaced.
    assert_true(mem_strset(&s, "abc"));
    assert_true(mem_strset(&s, s + 1));
    assert_string_equal(s, "bc");
    assert_true(mem_strset(&s, NULL));
    assert_null(s);
}

static void take_leaves_null(void **state)
{
    char *p = mem_strdup("x");
    CLEANUP(freep) char *q = TAKE_PTR(p);
    assert_null(p);
    assert_string_equal(q, "x");
}

static void closep_keeps_errno(void **state)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int was = fd;
    errno = ENOSPC;
    closep(&fd);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(fd, -1);
    assert_int_equal(fcntl(was, F_GETFD), -1);
    closep(&fd);
}

static void grows_and_keeps_elements(void **state)
{
    int *array = NULL;
    size_t cap = 0;
    for (size_t n = 0; n < 1000; n++) {
        mem_grow(&array, &cap, n, sizeof(*array));
        assert_true(cap > n);
        array[n] = (int)n;
    }
    for (int n = 0; n < 1000; n++)
        assert_int_equal(array[n], n);
    free(array);
}

static void capped_growth_stops(void **state)
{
    static const size_t limits[] = {0, 1, 7, 8, 9, 100};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        short *array = NULL;
        size_t cap = 0, n = 0;
        for (; n < limits[i]; n++) {
            assert_int_equal(mem_grow_capped(&array, &cap, n, sizeof(*array), limits[i]), 0);
            array[n] = 1;
        }
        assert_true(cap <= limits[i]);
        short *before = array;
        assert_int_equal(mem_grow_capped(&array, &cap, n, sizeof(*array), limits[i]), -E2BIG);
        assert_ptr_equal(array, before);
        free(array);
    }
}

static void overflowing_growth_is_refused(void **state)
{
    char *array = NULL;
    size_t cap = 0;
    assert_int_equal(mem_grow_capped(&array, &cap, 0, SIZE_MAX / 4, SIZE_MAX), -ENOMEM);
    assert_null(array);
    assert_int_equal(cap, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies),
        cmocka_unit_test(zalloc_is_zero_and_never_null),
        cmocka_unit_test(strset_tells_changes),
        cmocka_unit_test(take_leaves_null),
        cmocka_unit_test(closep_keeps_errno),
        cmocka_unit_test(grows_and_keeps_elements),
        cmocka_unit_test(capped_growth_stops),
        cmocka_unit_test(overflowing_growth_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
