// SPDX-License-Identifier: GPL-3.0-or-later
#include "asker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "scratch.h"

#define MEMBERS 54321
#define STRANGER 65534

static struct scratch dir;
static char *path;
static int listener;
static struct asker_rules rules;

static int set_up(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    dir = scratch_new();
    path = mem_printf("%s/s", dir.path);
    chmod(dir.path, 0755);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(listener, 8), 0);
    chmod(path, 0666);
    rules = (struct asker_rules){.socket_path = path,
                                 .own_uid = geteuid(),
                                 .group = MEMBERS,
                                 .group_role = ROLE_OPERATOR,
                                 .loopback_role = ROLE_VIEWER};
    return 0;
}

static int tear_down(void **state)
{
    close(listener);
    free(path);
    scratch_done(&dir);
    return 0;
}

static int dial(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static void check(int fd, const char *principal, enum verb_role role)
{
    CLEANUP(grant_done) struct grant g;
    asker_of_connection(fd, &rules, 1000, &g);
    assert_string_equal(g.principal, principal);
    assert_int_equal(g.role, role);
    assert_int_equal(auth_covers_all(&g), role != ROLE_NONE);
    if (role != ROLE_NONE)
        assert_int_equal(g.expires_ns, 1000 + GRANT_LIFETIME_NS);
}

static void ourselves(void **state)
{
    CLEANUP(freep) char *who = mem_printf("unix:%u", (unsigned)geteuid());
    CLEANUP(closep) int far = dial();
    CLEANUP(closep) int near = accept(listener, NULL, NULL);
    check(near, who, ROLE_ADMIN);
    // The other end's peer is the listener, which is us.
    check(far, "anonymous", ROLE_NONE);
    check(listener, "anonymous", ROLE_NONE);
    rules.own_uid = geteuid() + 1;
    check(near, who, geteuid() == 0 ? ROLE_ADMIN : ROLE_NONE);
    rules.own_uid = geteuid();
    rules.socket_path = "/somewhere/else";
    check(near, "anonymous", ROLE_NONE);
    rules.socket_path = path;
}

// Connects as a stranger, with or without the group, and waits to be killed.
static pid_t stranger(gid_t gid, size_t n_groups, const gid_t *groups)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (setgroups(n_groups, groups) < 0 || setgid(gid) < 0 || setuid(STRANGER) < 0)
        _exit(2);
    (void)dial();
    pause();
    _exit(3);
}

static void others(void **state)
{
    static const gid_t few[] = {1, 2}, many[] = {1, 2, MEMBERS, 70000};
    static const struct {
        gid_t gid;
        size_t n;
        const gid_t *groups;
        enum verb_role role;
    } cases[] = {
        {STRANGER, 0, NULL, ROLE_NONE},
        {STRANGER, 2, few, ROLE_NONE},
        {STRANGER, 4, many, ROLE_OPERATOR},
        {MEMBERS, 0, NULL, ROLE_OPERATOR},
    };
    if (geteuid() != 0)
        skip();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        pid_t pid = stranger(cases[i].gid, cases[i].n, cases[i].groups);
        CLEANUP(closep) int near = accept(listener, NULL, NULL);
        check(near, "unix:65534", cases[i].role);
        rules.group = (gid_t)-1;
        check(near, "unix:65534", ROLE_NONE);
        rules.group = MEMBERS;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

static void loopback(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    CLEANUP(closep) int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CLEANUP(closep) int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(tcp, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(tcp, 1), 0);
    assert_int_equal(getsockname(tcp, (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&addr, sizeof(addr)), 0);
    CLEANUP(closep) int near = accept(tcp, NULL, NULL);
    check(near, "loopback", ROLE_VIEWER);
    check(tcp, "anonymous", ROLE_NONE);
    rules.loopback_role = ROLE_NONE;
    CLEANUP(grant_done) struct grant g;
    asker_of_connection(near, &rules, 0, &g);
    assert_string_equal(g.principal, "loopback");
    assert_int_equal(g.role, ROLE_NONE);
    rules.loopback_role = ROLE_VIEWER;
}

static void what_is_no_connection(void **state)
{
    int pair[2], pipes[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pipe(pipes), 0);
    CLEANUP(closep) int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CLEANUP(closep) int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    CLEANUP(closep) int udp = socket(AF_INET, SOCK_DGRAM, 0);
    const int fds[] = {pair[0], pair[1], pipes[0], file, packets, udp, -1};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        check(fds[i], "anonymous", ROLE_NONE);
    for (size_t i = 0; i < 2; i++) {
        close(pair[i]);
        close(pipes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ourselves),
        cmocka_unit_test(others),
        cmocka_unit_test(loopback),
        cmocka_unit_test(what_is_no_connection),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
