// SPDX-License-Identifier: GPL-3.0-or-later
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"

struct place {
    char *dir;
    char *path;
};

static int set_up(void **state)
{
    struct place *p = mem_zalloc(sizeof(*p));
    p->dir = mem_strdup("/tmp/vherd-listen-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    p->path = mem_printf("%s/run/vherd.sock", p->dir);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    // Whatever a test opened must have gone with it.
    int r = rmdir(p->dir);
    free(p->path);
    free(p->dir);
    free(p);
    return r;
}

static int connects(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memcpy(addr.sun_path, path, strlen(path));
    CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
}

static void a_socket_is_private_and_leaves_nothing(void **state)
{
    struct place *p = *state;
    struct listen_unix l;
    struct err err = {0};
    struct stat st;
    mode_t before = umask(0077);
    assert_int_equal(listen_unix_open(p->path, "", &l, &err), 0);
    umask(before);
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    CLEANUP(freep) char *dir = mem_printf("%s/run", p->dir);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0755);
    assert_int_equal(connects(p->path), 0);
    listen_unix_done(&l);
    assert_int_equal(access(dir, F_OK), -1);
}

static void a_directory_that_was_there_stays(void **state)
{
    struct place *p = *state;
    CLEANUP(freep) char *path = mem_printf("%s/vherd.sock", p->dir);
    struct listen_unix l;
    struct err err = {0};
    assert_int_equal(listen_unix_open(path, "", &l, &err), 0);
    listen_unix_done(&l);
    assert_int_equal(access(p->dir, F_OK), 0);
}

static void a_second_daemon_is_told(void **state)
{
    struct place *p = *state;
    struct listen_unix first, second;
    struct err err = {0};
    assert_int_equal(listen_unix_open(p->path, "", &first, &err), 0);
    assert_int_equal(listen_unix_open(p->path, "", &second, &err), -EADDRINUSE);
    assert_non_null(strstr(err.message, "another vherd answers on"));
    assert_int_equal(connects(p->path), 0);
    listen_unix_done(&first);
    assert_int_equal(listen_unix_open(p->path, "", &second, &err), 0);
    listen_unix_done(&second);
}

static int bind_stranger(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memcpy(addr.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void a_stale_socket_is_replaced_and_a_live_one_is_not(void **state)
{
    struct place *p = *state;
    CLEANUP(freep) char *path = mem_printf("%s/vherd.sock", p->dir);
    struct listen_unix l;
    struct err err = {0};
    int stranger = bind_stranger(path);
    assert_int_equal(listen_unix_open(path, "", &l, &err), -EADDRINUSE);
    assert_int_equal(connects(path), 0);
    close(stranger);
    assert_int_equal(connects(path), -ECONNREFUSED);
    assert_int_equal(listen_unix_open(path, "", &l, &err), 0);
    assert_int_equal(connects(path), 0);
    listen_unix_done(&l);
}

static void a_file_in_the_way_stays(void **state)
{
    struct place *p = *state;
    CLEANUP(freep) char *path = mem_printf("%s/vherd.sock", p->dir);
    struct listen_unix l;
    struct err err = {0};
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(listen_unix_open(path, "", &l, &err), -EEXIST);
    assert_non_null(strstr(err.message, "not a socket"));
    assert_int_equal(unlink(path), 0);
}

static void a_socket_that_was_replaced_is_not_removed(void **state)
{
    struct place *p = *state;
    CLEANUP(freep) char *path = mem_printf("%s/vherd.sock", p->dir);
    struct listen_unix l;
    struct err err = {0};
    assert_int_equal(listen_unix_open(path, "", &l, &err), 0);
    assert_int_equal(unlink(path), 0);
    int stranger = bind_stranger(path);
    listen_unix_done(&l);
    assert_int_equal(connects(path), 0);
    close(stranger);
    unlink(path);
}

static void failures_name_what_to_change(void **state)
{
    struct place *p = *state;
    struct listen_unix l;
    struct err err = {0};
    char longer[200];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[0] = '/';
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(listen_unix_open(longer, "", &l, &err), -ENAMETOOLONG);
    assert_int_equal(listen_unix_open("/proc/no/such/vherd.sock", "", &l, &err), -ENOENT);
    assert_non_null(strstr(err.message, "/proc/no/such"));
    assert_int_equal(listen_unix_open(p->path, "no-such-group", &l, &err), -ENOENT);
    assert_non_null(strstr(err.message, "no-such-group"));
}

static void tcp_addresses_open_or_say_why_not(void **state)
{
    struct listen_tcp a, b;
    struct err err = {0};
    assert_int_equal(listen_tcp_open("127.0.0.1:0", false, &a, &err), 0);
    assert_int_equal(strncmp(a.url, "http://127.0.0.1:", 17), 0);
    const char *address = a.url + strlen("http://");
    assert_int_equal(listen_tcp_open(address, false, &b, &err), -EADDRINUSE);
    assert_non_null(strstr(err.message, address));
    assert_non_null(strstr(err.message, "in use"));
    listen_tcp_done(&a);
    assert_int_equal(listen_tcp_open("192.0.2.1:9177", false, &b, &err), -EADDRNOTAVAIL);
    static const char *const malformed[] = {"",          "127.0.0.1",      "localhost:9177",
                                            "[::1:9177", "127.0.0.1:http", "127.0.0.1:99999999999"};
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
        if (listen_tcp_open(malformed[i], false, &b, &err) != -EINVAL)
            fail_msg("\"%s\"", malformed[i]);
}

static void ipv6_addresses_open(void **state)
{
    struct listen_tcp l;
    struct err err = {0};
    int r = listen_tcp_open("[::1]:0", false, &l, &err);
    if (r == -EADDRNOTAVAIL || r == -EAFNOSUPPORT)
        skip();
    assert_int_equal(r, 0);
    assert_int_equal(strncmp(l.url, "http://[::1]:", 13), 0);
    listen_tcp_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_socket_is_private_and_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_directory_that_was_there_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_daemon_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stale_socket_is_replaced_and_a_live_one_is_not, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_file_in_the_way_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_socket_that_was_replaced_is_not_removed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(failures_name_what_to_change, set_up, tear_down),
        cmocka_unit_test(tcp_addresses_open_or_say_why_not),
        cmocka_unit_test(ipv6_addresses_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
