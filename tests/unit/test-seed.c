// SPDX-License-Identifier: GPL-3.0-or-later
// Seeds for cloud-init: what is in the files, what is refused, and the image around them.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "manage/seed.h"
#include "verb/deed.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here"

static int write_seed(const char *text, struct seed *ret, struct err *err)
{
    json_t *body = json_loads(text, 0, NULL);
    assert_non_null(body);
    if (deed_check(&deeds[DEED_CREATE], body, err) < 0)
        fail_msg("%s", err->message);
    int r = seed_write(body, "0-1-2", "web", ret, err);
    json_decref(body);
    return r;
}

#define BODY(MORE) "{\"name\":\"web\",\"memory\":\"64M\"," MORE "}"

static json_t *read_back(const char *text, const char *head)
{
    assert_int_equal(strncmp(text, head, strlen(head)), 0);
    json_t *v = json_loads(text + strlen(head), 0, NULL);
    assert_non_null(v);
    return v;
}

static void test_files(void **state)
{
    CLEANUP(seed_done) struct seed s = {0};
    struct err err = {0};
    assert_int_equal(
        write_seed(BODY("\"seed\":{\"pool\":\"p\",\"hostname\":\"www.example\","
                        "\"address\":\"10.0.0.5/24\",\"gateway\":\"10.0.0.1\","
                        "\"dns\":\"10.0.0.2 fd00::1\"},"
                        "\"seed_users\":[{\"name\":\"ann\",\"ssh_key\":\"" KEY "\",\"sudo\":true},"
                        "{\"name\":\"ann\",\"ssh_key\":\"ssh-rsa B\"},{\"name\":\"bob\"}],"
                        "\"seed_packages\":[\"nginx\"],"
                        "\"seed_commands\":[\"echo 'a: b' > /x # \\\"\"]"),
                   &s, &err),
        0);
    json_t *user = read_back(s.user_data, "#cloud-config\n");
    json_t *meta = read_back(s.meta_data, ""), *net = read_back(s.network_config, "");
    const char *text = NULL, *instance = NULL, *command = NULL, *sudo = NULL, *via = NULL;
    json_t *users = NULL, *keys = NULL, *dns = NULL;
    assert_int_equal(json_unpack(user, "{s:s, s:o, s:[s], s:[{s:o, s:s}, {}]}", "hostname", &text,
                                 "users", &users, "runcmd", &command, "users",
                                 "ssh_authorized_keys", &keys, "sudo", &sudo),
                     0);
    assert_string_equal(text, "www.example");
    assert_string_equal(command, "echo 'a: b' > /x # \"");
    assert_int_equal(json_array_size(users), 2);
    assert_int_equal(json_array_size(keys), 2);
    assert_string_equal(json_string_value(json_array_get(keys, 0)), KEY);
    assert_null(json_object_get(json_array_get(users, 1), "sudo"));
    assert_int_equal(json_unpack(meta, "{s:s}", "instance-id", &instance), 0);
    assert_string_equal(instance, "0-1-2");
    assert_int_equal(json_unpack(net, "{s:{s:{s:[{s:s}], s:{s:o}}}}", "ethernets", "nic0", "routes",
                                 "via", &via, "nameservers", "addresses", &dns),
                     0);
    assert_string_equal(via, "10.0.0.1");
    assert_int_equal(json_array_size(dns), 2);
    json_decref(user);
    json_decref(meta);
    json_decref(net);
}

static void test_least(void **state)
{
    CLEANUP(seed_done) struct seed s = {0};
    struct err err = {0};
    assert_int_equal(write_seed(BODY("\"seed\":{\"pool\":\"p\"}"), &s, &err), 0);
    assert_string_equal(s.user_data, "#cloud-config\n{\"hostname\":\"web\"}\n");
    assert_non_null(strstr(s.network_config, "\"dhcp4\":true"));
}

// Line ends would begin another key; the deed's check keeps them out before this is asked.
static void test_refusals(void **state)
{
    static const struct {
        const char *body, *says;
    } cases[] = {
        {BODY("\"seed\":{\"pool\":\"p\",\"hostname\":\"-x\"}"), "seed.hostname"},
        {BODY("\"seed\":{\"pool\":\"p\",\"hostname\":\"a b\"}"), "seed.hostname"},
        {BODY("\"seed\":{\"pool\":\"p\",\"hostname\":\"a..b\"}"), "seed.hostname"},
        {BODY("\"seed\":{\"pool\":\"p\",\"address\":\"10.0.0.5\"}"), "seed.address"},
        {BODY("\"seed\":{\"pool\":\"p\",\"address\":\"10.0.0.5/33\"}"), "seed.address"},
        {BODY("\"seed\":{\"pool\":\"p\",\"gateway\":\"10.0.0.5\"}"), "needs seed.address"},
        {BODY("\"seed\":{\"pool\":\"p\",\"address\":\"10.0.0.5/8\",\"gateway\":\"fd00::1\"}"),
         "seed.gateway"},
        {BODY("\"seed\":{\"pool\":\"p\",\"dns\":\"here\"}"), "seed.dns"},
        {BODY("\"seed\":{\"pool\":\"p\"},\"seed_users\":[{\"name\":\"Ann\"}]"), "seed_users"},
        {BODY("\"seed\":{\"pool\":\"p\"},\"seed_users\":[{\"name\":\"a\",\"ssh_key\":\"x y\"}]"),
         "ssh_key"},
        {BODY("\"seed\":{\"pool\":\"p\"},\"seed_packages\":[\"-o\"]"), "seed_packages"},
        {BODY("\"seed\":{\"pool\":\"p\"},\"seed_packages\":[\"a b\"]"), "seed_packages"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct seed s = {0};
        struct err err = {0};
        assert_int_equal(write_seed(cases[i].body, &s, &err), -EINVAL);
        if (!strstr(err.message, cases[i].says))
            fail_msg("%s: %s", cases[i].body, err.message);
        assert_null(s.user_data);
    }
}

// ECMA-119: the primary volume descriptor is sector 16; its volume's name stands at byte 40.
static void test_image(void **state)
{
    const struct seed s = {(char *)"#cloud-config\n{}\n", (char *)"{\"instance-id\":\"i\"}\n",
                           (char *)"{\"version\":2}\n"};
    struct err err = {0};
    for (int i = 0; i < 3; i++) {
        CLEANUP(buf_done) struct buf image;
        buf_init(&image, SEED_BYTES_MAX);
        assert_int_equal(seed_image(&s, &image, &err), 0);
        assert_int_equal(image.len % 2048, 0);
        assert_memory_equal(image.data + 32768, "\1CD001\1", 7);
        assert_memory_equal(image.data + 32768 + 40, "cidata                          ", 6);
        assert_non_null(memmem(image.data, image.len, s.user_data, strlen(s.user_data)));
        assert_non_null(memmem(image.data, image.len, "network-config", 14));
    }
    CLEANUP(buf_done) struct buf small;
    buf_init(&small, 4096);
    assert_int_equal(seed_image(&s, &small, &err), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_least),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
