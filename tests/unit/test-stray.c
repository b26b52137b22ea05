// SPDX-License-Identifier: GPL-3.0-or-later
// Finding and ending a VM's process: below a tree that looks like /proc, and with real processes.
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "net/ipc.h"
#include "stray.h"

#define UUID "6a3c1f0e-5a5b-4d0c-9b1e-0d6f7c8a9b00"
#define QEMU "/usr/bin/qemu-system-x86_64\0-name\0guest=web,debug-threads=on\0-uuid\0"

struct tree {
    char path[32];
    int proc;
};

static int setup(void **state)
{
    struct tree *t = mem_zalloc(sizeof(*t));
    snprintf(t->path, sizeof(t->path), "/tmp/test-stray-XXXXXX");
    assert_non_null(mkdtemp(t->path));
    t->proc = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(t->proc >= 0);
    *state = t;
    return 0;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
    return remove(path);
}

static int teardown(void **state)
{
    struct tree *t = *state;
    close(t->proc);
    int r = nftw(t->path, drop, 8, FTW_DEPTH | FTW_PHYS);
    free(t);
    return r;
}

static void add(struct tree *t, const char *name, const char *uts, const char *cmdline, size_t len)
{
    char path[64];
    assert_int_equal(mkdirat(t->proc, name, 0755), 0);
    snprintf(path, sizeof(path), "%s/ns", name);
    assert_int_equal(mkdirat(t->proc, path, 0755), 0);
    snprintf(path, sizeof(path), "%s/ns/uts", name);
    assert_int_equal(symlinkat(uts, t->proc, path), 0);
    snprintf(path, sizeof(path), "%s/ns/pid", name);
    assert_int_equal(symlinkat("pid:[1]", t->proc, path), 0);
    snprintf(path, sizeof(path), "%s/cmdline", name);
    CLEANUP(closep) int fd = openat(t->proc, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(fs_write_all(fd, cmdline, len), 0);
}

static struct uuid uuid_of(const char *text)
{
    struct uuid u;
    assert_true(uuid_parse(text, strlen(text), &u));
    return u;
}

static void test_finds_only_its_own(void **state)
{
    struct tree *t = *state;
    const struct uuid uuid = uuid_of(UUID);
#define ADD(name, uts, text) add(t, name, uts, text, sizeof(text))
    ADD("self", "uts:[1]", "");
    ADD("10", "uts:[1]", "");
    ADD("11", "uts:[1]", "/usr/bin/vi\0-uuid\0" UUID);
    ADD("12", "uts:[1]", QEMU "6a3c1f0e-5a5b-4d0c-9b1e-0d6f7c8a9b01");
    ADD("13", "uts:[1]", "/usr/bin/qemu-img\0" UUID);
    ADD("14", "uts:[2]", QEMU UUID); // of another container
    ADD("x15", "uts:[1]", QEMU UUID);
    ADD("16", "uts:[1]", "/usr/bin/qemu-system-x86_64\0-uuid");
    assert_int_equal(stray_find(t->proc, &uuid), 0);
    ADD("17", "uts:[1]", QEMU UUID "\0-S");
    assert_int_equal(stray_find(t->proc, &uuid), 17);
#undef ADD
}

// A process that calls itself so; `deaf` to SIGTERM.
static pid_t start(const struct uuid *uuid, bool deaf)
{
    char text[UUID_TEXT];
    uuid_format(uuid, text);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    signal(SIGTERM, deaf ? SIG_IGN : SIG_DFL);
    execl("/bin/sh", "qemu-test", "-c", "read line", "-uuid", text, NULL);
    _exit(127);
}

static void test_ends_it(void **state)
{
    CLEANUP(closep) int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int deaf = 0; deaf < 2; deaf++) {
        struct uuid uuid = uuid_of(UUID);
        pid_t own = getpid();
        int status = 0, standing[2];
        memcpy(uuid.b, &own, sizeof(own)); // tests of several trees may run
        assert_int_equal(pipe(standing), 0);
        assert_true(dup2(standing[0], STDIN_FILENO) >= 0); // the shell reads, and stays
        pid_t pid = start(&uuid, deaf);
        while (stray_find(proc, &uuid) != pid)
            usleep(1000);
        assert_int_equal(stray_end(proc, &uuid, deaf ? 100 : 60000), pid);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), deaf ? SIGKILL : SIGTERM);
        assert_int_equal(stray_end(proc, &uuid, 100), 0);
        close(standing[0]);
        close(standing[1]);
    }
}

static void expect(int fd, const char *wanted)
{
    enum control_type type;
    CLEANUP(freep) char *text = NULL;
    int along = -1;
    assert_int_equal(control_recv(fd, &type, &text, &along), 0);
    assert_int_equal(type, CONTROL_STRAY);
    assert_string_equal(text, wanted);
}

static void test_answers(void **state)
{
    struct stray_children c = {0};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    stray_ask(&c, pair[0], 1, "7 " UUID " look");
    expect(pair[1], "7 0");
    stray_ask(&c, pair[0], 1, "8 " UUID " end");
    expect(pair[1], "8 0");
    stray_ask(&c, pair[0], 1, "9 not-a-uuid look");
    expect(pair[1], "9 -22");
    stray_ask(&c, pair[0], 1, "nothing");
    while (c.items[0].pid > 0 || c.items[1].pid > 0)
        stray_reap(&c, pair[0], 1);
    // One that was ended has not answered; who did not ask gets no answer.
    for (pid_t asker = 1; asker <= 2; asker++) {
        c.items[0].pid = fork();
        if (c.items[0].pid == 0) {
            pause();
            _exit(0);
        }
        c.items[0].asker = asker;
        snprintf(c.items[0].id, sizeof(c.items[0].id), "1%d", (int)asker);
        assert_int_equal(kill(c.items[0].pid, SIGKILL), 0);
        while (c.items[0].pid > 0)
            stray_reap(&c, pair[0], 2);
    }
    expect(pair[1], "12 -110");
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_finds_only_its_own, setup, teardown),
        cmocka_unit_test(test_ends_it),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
