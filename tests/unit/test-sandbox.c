// SPDX-License-Identifier: GPL-3.0-or-later
// Each attempt runs in a child of its own inside the sandbox: what is forbidden must kill it with
// SIGSYS or be refused, what is needed must work.
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

enum {
    REFUSED = 10, // with EACCES or EPERM
    WORKED = 20,
    OTHER = 30, // another error
    NO_SANDBOX = 40,
};

static int outcome(long result)
{
    return result >= 0 ? WORKED : errno == EACCES || errno == EPERM ? REFUSED : OTHER;
}

// Wait status of a child that tries `attempt` in the sandbox. `words` shares what it says.
static int try_inside(int (*attempt)(void), bool seccomp, char *words)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct err err = {0};
        struct sandbox_plan plan = {.user = "", .seccomp = seccomp};
        CLEANUP(buf_done) struct buf b;
        buf_init(&b, 4096);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sandbox_enter(&plan, &b, &err) < 0) {
            fprintf(stderr, "%s\n", err.message);
            _exit(NO_SANDBOX);
        }
        if (words)
            memcpy(words, b.data, b.len + 1);
        _exit(attempt());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int open_file(void)
{
    return outcome(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int create_file(void)
{
    return outcome(open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
}

static int remove_file(void)
{
    return outcome(unlink("/tmp/.vherd-no-such-file"));
}

static int make_socket(void)
{
    return outcome(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int run_program(void)
{
    char *argv[] = {(char *)"/bin/true", NULL};
    return outcome(execve("/bin/true", argv, NULL));
}

static int start_process(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return outcome(pid);
}

static int trace(void)
{
    return outcome(ptrace(PTRACE_SEIZE, getppid(), 0, 0));
}

static int kill_parent(void)
{
    return outcome(kill(getppid(), 0));
}

static int executable_memory(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return outcome(p == MAP_FAILED ? -1 : 0);
}

static int make_memory_executable(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return OTHER;
    return outcome(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int what_serving_needs(void)
{
    char *big = malloc(8 << 20);
    char *bigger = big ? realloc(big, 64 << 20) : NULL;
    struct timespec pause = {0, 1000};
    unsigned char r[8];
    if (!bigger || nanosleep(&pause, NULL) < 0 || getrandom(r, sizeof(r), 0) != sizeof(r))
        return OTHER;
    memset(bigger, 1, 64 << 20);
    free(bigger);
    ssize_t n = write(STDERR_FILENO, "", 0);
    return outcome(n);
}

static int privileges(void)
{
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || geteuid() == 0)
        return OTHER;
    int death_signal = 0;
    prctl(PR_GET_PDEATHSIG, &death_signal);
    struct rlimit core;
    getrlimit(RLIMIT_CORE, &core);
    return setuid(0) < 0 && setgid(0) < 0 && getgroups(0, NULL) == 0 && core.rlim_cur == 0 &&
                   death_signal == SIGKILL
               ? WORKED
               : OTHER;
}

static int (*const forbidden[])(void) = {
    open_file,     create_file,       remove_file,
    make_socket,   run_program,       trace,
    kill_parent,   executable_memory, make_memory_executable,
    start_process,
};

static void seccomp_kills_what_is_not_allowed(void **state)
{
    if (SANITIZED)
        skip();
    for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
        int status = try_inside(forbidden[i], true, NULL);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("attempt %zu: wait status %#x instead of SIGSYS", i, status);
    }
}

static void landlock_refuses_files_even_without_seccomp(void **state)
{
    char *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = try_inside(open_file, false, words);
    assert_true(WIFEXITED(status));
    if (!strstr(words, "landlock ABI"))
        skip();
    assert_int_equal(WEXITSTATUS(status), REFUSED);
    assert_int_equal(WEXITSTATUS(try_inside(create_file, false, NULL)), REFUSED);
    assert_int_equal(WEXITSTATUS(try_inside(run_program, false, NULL)), REFUSED);
}

static void what_serving_needs_works(void **state)
{
    int status = try_inside(what_serving_needs, true, NULL);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), WORKED);
}

static void privileges_are_gone(void **state)
{
    if (geteuid() != 0)
        skip();
    int status = try_inside(privileges, false, NULL);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), WORKED);
}

static void the_words_say_what_is_in_force(void **state)
{
    char *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = try_inside(what_serving_needs, true, words);
    assert_true(WIFEXITED(status));
    print_message("%s\n", words);
    assert_non_null(strstr(words, "no capabilities"));
    assert_non_null(strstr(words, "seccomp"));
    assert_non_null(strstr(words, "landlock"));
    assert_non_null(strstr(words, geteuid() == 0 ? "user " : "uid "));
    memset(words, 0, 4096);
    try_inside(what_serving_needs, false, words);
    assert_non_null(strstr(words, SANITIZED ? "no seccomp" : "seccomp: off"));
}

static void an_unknown_user_is_an_error(void **state)
{
    if (geteuid() != 0)
        skip();
    struct sandbox_plan plan = {.user = "no-such-user"};
    struct err err = {0};
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(sandbox_enter(&plan, &b, &err), -ENOENT);
    assert_non_null(strstr(err.message, "no-such-user"));
    plan.user = "root";
    assert_true(sandbox_enter(&plan, &b, &err) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seccomp_kills_what_is_not_allowed),
        cmocka_unit_test(landlock_refuses_files_even_without_seccomp),
        cmocka_unit_test(what_serving_needs_works),
        cmocka_unit_test(privileges_are_gone),
        cmocka_unit_test(the_words_say_what_is_in_force),
        cmocka_unit_test(an_unknown_user_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
