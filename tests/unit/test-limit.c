// SPDX-License-Identifier: GPL-3.0-or-later
#include "limit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static struct sockaddr_storage v4(uint32_t address)
{
    struct sockaddr_storage s = {0};
    struct sockaddr_in *in = (void *)&s;
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(address);
    return s;
}

static struct sockaddr_storage v6(const char *text)
{
    struct sockaddr_storage s = {0};
    struct sockaddr_in6 *in = (void *)&s;
    in->sin6_family = AF_INET6;
    assert_int_equal(inet_pton(AF_INET6, text, &in->sin6_addr), 1);
    return s;
}

static int take(struct limit *l, struct sockaddr_storage addr, int64_t now, int times)
{
    int taken = 0;
    for (int i = 0; i < times; i++)
        taken += limit_take(l, (struct sockaddr *)&addr, 10, now);
    return taken;
}

static void so_many_a_second(void **state)
{
    struct limit *l = limit_new();
    int64_t now = 1000 * NS_PER_S;
    assert_int_equal(take(l, v4(1), now, 100), 20);
    assert_int_equal(take(l, v4(2), now, 100), 20);
    assert_int_equal(take(l, v4(1), now + NS_PER_S, 100), 10);
    assert_int_equal(take(l, v4(1), now + 100 * NS_PER_S, 100), 20);
    limit_free(l);
}

static void addresses_of_one_customer_count_together(void **state)
{
    struct limit *l = limit_new();
    int64_t now = 1000 * NS_PER_S;
    assert_int_equal(take(l, v6("2001:db8::1"), now, 30), 20);
    assert_int_equal(take(l, v6("2001:db8::ffff:1"), now, 30), 0);
    assert_int_equal(take(l, v6("2001:db8:0:1::1"), now, 30), 20);
    assert_int_equal(take(l, v4(0x0A000001), now, 30), 20);
    assert_int_equal(take(l, v6("::ffff:10.0.0.1"), now, 30), 0);
    limit_free(l);
}

static void none_is_no_limit(void **state)
{
    struct limit *l = limit_new();
    struct sockaddr_storage addr = v4(1);
    for (int i = 0; i < 1000; i++)
        assert_true(limit_take(l, (struct sockaddr *)&addr, 0, 1));
    limit_free(l);
}

// Whoever comes from very many addresses gains no more than their number.
static void a_flood_of_addresses_passes_through(void **state)
{
    struct limit *l = limit_new();
    int64_t now = 1000 * NS_PER_S;
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(take(l, v4(i), now + i, 1), 1);
    limit_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_a_second),
        cmocka_unit_test(addresses_of_one_customer_count_together),
        cmocka_unit_test(none_is_no_limit),
        cmocka_unit_test(a_flood_of_addresses_passes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
