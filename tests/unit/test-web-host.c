// SPDX-License-Identifier: GPL-3.0-or-later
#include "host.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage s = {0};
    struct sockaddr_in *v4 = (void *)&s;
    struct sockaddr_in6 *v6 = (void *)&s;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        s.ss_family = AF_INET;
    } else {
        s.ss_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
    }
    return s;
}

static char *further[] = {(char *)"alias.example.net"};
static const struct host_names names = {"vmhost.example.org", further, 1};

static void only_names_of_this_machine_pass(void **state)
{
    static const struct {
        const char *host, *local;
        bool ours;
    } rows[] = {
        {"alias.example.net", "10.0.0.5", true},
        {"Alias.example.net:80", "127.0.0.1", true},
        {"alias.example.com", "127.0.0.1", false},
        {"localhost", "127.0.0.1", true},
        {"LocalHost:9177", "127.0.0.1", true},
        {"localhost.:80", "127.0.0.1", true},
        {"127.0.0.1:9177", "127.0.0.1", true},
        {"127.8.7.6", "127.0.0.1", true},
        {"[::1]:9177", "::1", true},
        {"[::1]", "127.0.0.1", true},
        {"[::ffff:127.0.0.1]", "127.0.0.1", true},
        {"10.0.0.5:9177", "10.0.0.5", true},
        {"10.0.0.5:9177", "::ffff:10.0.0.5", true},
        {"[2001:db8::1]:9177", "2001:db8::1", true},
        {"vmhost", "10.0.0.5", true},
        {"vmhost.example.org:9177", "10.0.0.5", true},
        {"VMHOST.example.org.", "10.0.0.5", true},
        {"10.0.0.6", "10.0.0.5", false},
        {"10.0.0.5", "127.0.0.1", false},
        {"evil.example", "127.0.0.1", false},
        {"vmhost.evil.example", "127.0.0.1", false},
        {"vmhos", "10.0.0.5", false},
        {"vmhost.", "10.0.0.5", true},
        {"localhost.evil.example", "127.0.0.1", false},
        {"127.0.0.1.evil.example", "127.0.0.1", false},
        {"localhost:80:80", "127.0.0.1", false},
        {"localhost:80x", "127.0.0.1", false},
        {"localhost@evil.example", "127.0.0.1", false},
        {"", "127.0.0.1", false},
        {":9177", "127.0.0.1", false},
        {".", "127.0.0.1", false},
        {"[::1", "::1", false},
        {"[]", "::1", false},
        {"[::1]x", "::1", false},
        {"::1", "::1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_storage local = address(rows[i].local);
        bool ours = host_is_ours(rows[i].host, (struct sockaddr *)&local, (struct sockaddr *)&local,
                                 &names);
        if (ours != rows[i].ours)
            fail_msg("\"%s\" at %s: %d", rows[i].host, rows[i].local, ours);
    }
}

static void from_elsewhere_the_own_name_may_have_any_domain(void **state)
{
    static const struct host_names plain = {"vmhost", NULL, 0};
    static const char *const domains[] = {"vmhost.lan", "VMHOST.example.org:9177", "vmhost"};
    static const char *const others[] = {"vmhost2.lan", "xvmhost.lan", "lan", "evil.vmhost"};
    struct sockaddr_storage local = address("10.0.0.5"), peer = address("10.0.0.9");
    struct sockaddr *l = (struct sockaddr *)&local, *p = (struct sockaddr *)&peer;
    struct sockaddr_storage loopback = address("127.0.0.1");
    for (size_t i = 0; i < ARRAY_LEN(domains); i++)
        assert_true(host_is_ours(domains[i], p, l, &plain));
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_false(host_is_ours(others[i], p, l, &plain));
    assert_false(host_is_ours("vmhost.lan", (struct sockaddr *)&loopback,
                              (struct sockaddr *)&loopback, &plain));
}

static void a_machine_without_a_name_has_none(void **state)
{
    struct sockaddr_storage local = address("127.0.0.1"), peer = address("10.0.0.5");
    struct sockaddr *l = (struct sockaddr *)&local, *p = (struct sockaddr *)&peer;
    static const struct host_names none = {"", NULL, 0};
    assert_false(host_is_ours("", p, l, &none));
    assert_false(host_is_ours(".", p, l, &none));
    assert_false(host_is_ours(".x", p, l, &none));
    assert_true(host_is_ours("localhost", p, l, &none));
}

static void a_long_name_is_refused(void **state)
{
    struct sockaddr_storage local = address("127.0.0.1");
    char name[400];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct host_names own = {name, NULL, 0};
    assert_false(host_is_ours(name, (struct sockaddr *)&local, (struct sockaddr *)&local, &own));
}

static void loopback_is_known_in_every_form(void **state)
{
    static const char *const yes[] = {"127.0.0.1", "127.255.1.2", "::1", "::ffff:127.0.0.1"};
    static const char *const no[] = {"128.0.0.1", "10.0.0.1",        "::2",
                                     "::",        "::ffff:10.0.0.1", "fe80::1"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        struct sockaddr_storage a = address(yes[i]);
        assert_true(host_is_loopback((struct sockaddr *)&a));
    }
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        struct sockaddr_storage a = address(no[i]);
        assert_false(host_is_loopback((struct sockaddr *)&a));
    }
    struct sockaddr_storage local = {.ss_family = AF_UNIX};
    assert_false(host_is_loopback((struct sockaddr *)&local));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_names_of_this_machine_pass),
        cmocka_unit_test(from_elsewhere_the_own_name_may_have_any_domain),
        cmocka_unit_test(a_machine_without_a_name_has_none),
        cmocka_unit_test(a_long_name_is_refused),
        cmocka_unit_test(loopback_is_known_in_every_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
