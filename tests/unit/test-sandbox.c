// SPDX-License-Identifier: GPL-3.0-or-later
// Each attempt runs in a child of its own inside the sandbox: what is forbidden must kill it with
// SIGSYS or be refused, what is needed must work.
#include "sandbox/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <nss.h>
#include <sched.h>
#include <pthread.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
    BUSY = 50,
};

static int outcome(long result)
{
    return result >= 0 ? WORKED : errno == EACCES || errno == EPERM ? REFUSED : OTHER;
}

// Wait status of a child that tries `attempt` in the sandbox. `words` shares what it says.
static int try_in(int (*attempt)(void), bool seccomp, const struct sandbox_network *network,
                  char *words)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct err err = {0};
        struct sandbox_plan plan = {.user = "", .seccomp = seccomp, .network = network};
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

static int try_inside(int (*attempt)(void), bool seccomp, char *words)
{
    return try_in(attempt, seccomp, NULL, words);
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

// A process that goes out: what lies below one directory may be read.

static const char *const readable[] = {"/usr/share/common-licenses", "/no/such/path", NULL};
static const struct sandbox_network network = {readable};

static int list_directory(void)
{
    DIR *d = opendir(readable[0]);
    struct dirent *entry = d ? readdir(d) : NULL;
    return outcome(entry ? 0 : -1);
}

static int read_hosts(void)
{
    char text[16];
    int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
    return outcome(fd < 0 ? -1 : read(fd, text, sizeof(text)));
}

static void *do_nothing(void *arg)
{
    return arg;
}

static int start_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, do_nothing, NULL) != 0)
        return OTHER;
    return outcome(pthread_join(thread, NULL) == 0 ? 0 : -1);
}

static int connect_somewhere(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return outcome(fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof(to)));
}

static int look_up(void)
{
    struct addrinfo *found = NULL;
    int r = getaddrinfo("localhost", "80", NULL, &found);
    if (r == 0)
        freeaddrinfo(found);
    return r == 0 ? WORKED : OTHER;
}

static int listen_somewhere(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return outcome(listen(fd, 1));
}

static int make_unix_socket(void)
{
    return outcome(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int (*const needed_outside[])(void) = {
    list_directory, read_hosts, start_thread, connect_somewhere, look_up,
};

static int (*const forbidden_outside[])(void) = {
    create_file,
    remove_file,
    run_program,
    trace,
    kill_parent,
    executable_memory,
    make_memory_executable,
    start_process,
    listen_somewhere,
};

static void going_out_works(void **state)
{
    __nss_configure_lookup("hosts", "files dns");
    for (size_t i = 0; i < ARRAY_LEN(needed_outside); i++) {
        int status = try_in(needed_outside[i], true, &network, NULL);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != WORKED)
            fail_msg("attempt %zu: wait status %#x", i, status);
    }
}

static void going_out_is_all_it_may(void **state)
{
    if (SANITIZED)
        skip();
    for (size_t i = 0; i < ARRAY_LEN(forbidden_outside); i++) {
        int status = try_in(forbidden_outside[i], true, &network, NULL);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("attempt %zu: wait status %#x instead of SIGSYS", i, status);
    }
    // Refused, not killed for it: the C library tries.
    assert_int_equal(WEXITSTATUS(try_in(make_unix_socket, true, &network, NULL)), OTHER);
}

static void only_named_files_are_read(void **state)
{
    char *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = try_in(open_file, true, &network, words);
    assert_true(WIFEXITED(status));
    if (!strstr(words, "landlock ABI"))
        skip();
    assert_int_equal(WEXITSTATUS(status), REFUSED);
}

/* Acting. */

static int try_acting_as(int (*attempt)(void), const struct sandbox_acting *plan, char *said)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct err err = {0};
        struct buf words;
        buf_init(&words, 1024);
        if (sandbox_enter_acting(plan, &words, &err) < 0)
            _exit(err.code == EBUSY ? BUSY : NO_SANDBOX);
        if (said)
            memcpy(said, words.data, words.len + 1);
        _exit(attempt());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int try_acting(int (*attempt)(void), bool programs, bool outside)
{
    const struct sandbox_acting plan = {.seccomp = true, .programs = programs, .network = outside};
    return try_acting_as(attempt, &plan, NULL);
}

static int mount_something(void)
{
    return outcome(mount("none", "/mnt", "tmpfs", 0, NULL));
}

static int leave_namespace(void)
{
    return outcome(unshare(CLONE_NEWUSER));
}

static void acting_runs_no_program(void **state)
{
    static int (*const refused[])(void) = {run_program, start_process, trace, mount_something,
                                           leave_namespace};
    static int (*const working[])(void) = {open_file, create_file, start_thread, make_unix_socket,
                                           list_directory};
    if (SANITIZED)
        skip();
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_int_equal(try_acting(refused[i], false, false), REFUSED);
    for (size_t i = 0; i < ARRAY_LEN(working); i++)
        assert_int_equal(try_acting(working[i], false, false), WORKED);
    assert_int_equal(try_acting(make_socket, false, false), OTHER);
    assert_int_equal(try_acting(make_socket, false, true), WORKED);
    assert_int_equal(try_acting(start_process, true, false), WORKED);
    assert_int_equal(try_acting(mount_something, true, true), REFUSED);
}

/* Acting, with Landlock. */

static char kept_folder[] = "/tmp/vherd-kept-XXXXXX";
static const char *const acting_reads[] = {"/usr/share/common-licenses", "/no/such/path", NULL};
static const char *const acting_writes[] = {kept_folder, NULL};
static const struct sandbox_acting confined = {
    .seccomp = true, .read_paths = acting_reads, .write_paths = acting_writes};

// As SQLite does it: make, write, cut, remove.
static int keep_file(void)
{
    CLEANUP(freep) char *path = mem_printf("%s/file", kept_folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "text", 4) != 4 || ftruncate(fd, 1) < 0)
        return outcome(-1);
    close(fd);
    return outcome(unlink(path));
}

static int make_directory_kept(void)
{
    CLEANUP(freep) char *path = mem_printf("%s/directory", kept_folder);
    return outcome(mkdir(path, 0700));
}

static char foreign_file[] = "/tmp/vherd-foreign-XXXXXX";

static int remove_foreign_file(void)
{
    return outcome(unlink(foreign_file));
}

static int look_up_user(void)
{
    __nss_configure_lookup("passwd", "files");
    return getpwuid(0) ? WORKED : OTHER;
}

static int tell_local_time(void)
{
    time_t now = time(NULL);
    struct tm tm;
    tzset();
    return localtime_r(&now, &tm) ? WORKED : OTHER;
}

static int read_shadow(void)
{
    return outcome(open("/etc/shadow", O_RDONLY | O_CLOEXEC));
}

static int read_others_memory(void)
{
    return outcome(open("/proc/1/environ", O_RDONLY | O_CLOEXEC));
}

static int list_root(void)
{
    return outcome(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int write_elsewhere(void)
{
    return outcome(open("/usr/share/common-licenses/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int connect_tcp(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? REFUSED : outcome(connect(fd, (struct sockaddr *)&to, sizeof(to)));
}

static void acting_keeps_its_own_files_only(void **state)
{
    static int (*const refused[])(void) = {
        create_file,        remove_foreign_file, make_directory_kept, read_shadow,
        read_others_memory, read_hosts,          list_root,           write_elsewhere,
        run_program,        start_process,       mount_something,     connect_tcp,
    };
    static int (*const working[])(void) = {
        keep_file, list_directory, look_up_user, tell_local_time, start_thread, make_unix_socket,
    };
    char *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_non_null(mkdtemp(kept_folder));
    int foreign = mkstemp(foreign_file);
    assert_true(foreign >= 0);
    close(foreign);
    try_acting_as(what_serving_needs, &confined, words);
    if (SANITIZED || !strstr(words, "landlock ABI")) {
        rmdir(kept_folder);
        unlink(foreign_file);
        skip();
    }
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (try_acting_as(refused[i], &confined, NULL) != REFUSED)
            fail_msg("attempt %zu was not refused", i);
    for (size_t i = 0; i < ARRAY_LEN(working); i++)
        if (try_acting_as(working[i], &confined, NULL) != WORKED)
            fail_msg("need %zu did not work", i);
    assert_int_equal(unlink(foreign_file), 0);
    assert_int_equal(rmdir(kept_folder), 0);
}

static void what_goes_out_brings_its_own_files(void **state)
{
    struct sandbox_acting plan = confined;
    char *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (SANITIZED)
        skip();
    plan.programs = true;
    assert_int_equal(try_acting_as(read_hosts, &plan, words), WORKED);
    assert_non_null(strstr(words, "no landlock"));
}

static void *stay(void *arg)
{
    pause();
    return arg;
}

// A thread that is there already would keep its rights: better no start than half a sandbox.
static void landlock_comes_before_threads(void **state)
{
    if (SANITIZED)
        skip();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct err err = {0};
        struct buf words;
        pthread_t thread;
        buf_init(&words, 1024);
        if (pthread_create(&thread, NULL, stay, NULL) != 0)
            _exit(OTHER);
        int r = sandbox_enter_acting(&confined, &words, &err);
        _exit(r == -EBUSY ? BUSY : OTHER);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acting_runs_no_program),
        cmocka_unit_test(acting_keeps_its_own_files_only),
        cmocka_unit_test(what_goes_out_brings_its_own_files),
        cmocka_unit_test(landlock_comes_before_threads),
        cmocka_unit_test(seccomp_kills_what_is_not_allowed),
        cmocka_unit_test(landlock_refuses_files_even_without_seccomp),
        cmocka_unit_test(what_serving_needs_works),
        cmocka_unit_test(privileges_are_gone),
        cmocka_unit_test(the_words_say_what_is_in_force),
        cmocka_unit_test(an_unknown_user_is_an_error),
        cmocka_unit_test(going_out_works),
        cmocka_unit_test(going_out_is_all_it_may),
        cmocka_unit_test(only_named_files_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
