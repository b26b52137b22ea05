// SPDX-License-Identifier: GPL-3.0-or-later
#include "origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void only_listed_origins_may_read(void **state)
{
    char first[] = "https://grafana.example", second[] = "http://10.0.0.1:3000", any[] = "*";
    char *list[] = {first, second}, *all[] = {any};
    assert_true(origin_is_allowed("https://grafana.example", list, 2));
    assert_true(origin_is_allowed("https://GRAFANA.example", list, 2));
    assert_true(origin_is_allowed("http://10.0.0.1:3000", list, 2));
    assert_false(origin_is_allowed("http://grafana.example", list, 2));
    assert_false(origin_is_allowed("https://grafana.example.evil", list, 2));
    assert_false(origin_is_allowed("null", list, 2));
    assert_false(origin_is_allowed("https://grafana.example", list, 0));
    assert_true(origin_is_allowed("null", all, 1));
}

static void own_origins_are_those_of_the_host(void **state)
{
    assert_true(origin_is_own("http://localhost:9177", "localhost:9177"));
    assert_false(origin_is_own("http://localhost:9178", "localhost:9177"));
    assert_false(origin_is_own("http://evil.example", "localhost:9177"));
    assert_false(origin_is_own("null", "localhost:9177"));
    assert_false(origin_is_own("http://localhost", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_listed_origins_may_read),
        cmocka_unit_test(own_origins_are_those_of_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
