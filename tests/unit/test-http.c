// SPDX-License-Identifier: GPL-3.0-or-later
// The client against small servers of our own, each a child that answers what its test says.
#include "net/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"

struct server {
    char *dir;
    char *path;
    int fd;
    pid_t pid;
};

static int set_up(void **state)
{
    struct server *s = mem_zalloc(sizeof(*s));
    s->dir = mem_strdup("/tmp/vherd-http-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    s->path = mem_printf("%s/sock", s->dir);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memcpy(addr.sun_path, s->path, strlen(s->path));
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(s->fd, 5), 0);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct server *s = *state;
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
    }
    close(s->fd);
    unlink(s->path);
    rmdir(s->dir);
    free(s->path);
    free(s->dir);
    free(s);
    return 0;
}

// Answers every request on every connection with these texts in turn; "" leaves it unanswered.
static void serve(struct server *s, const char *const *answers)
{
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; answers[i];) {
        int fd = accept(s->fd, NULL, NULL);
        char request[4096];
        while (answers[i] && read(fd, request, sizeof(request)) > 0) {
            const char *text = answers[i++];
            fs_write_all(fd, text, strlen(text));
            if (strstr(text, "Connection: close"))
                break;
        }
        if (answers[i])
            close(fd);
    }
    pause();
    _exit(0);
}

static struct http_client *client(const struct server *s)
{
    return http_client_new(&(struct http_target){.socket = s->path});
}

static void answers_come_over_one_connection(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
        NULL,
    };
    static const struct {
        int status;
        const char *body;
    } want[] = {{200, "first"}, {404, "no"}, {200, ""}, {301, ""}};
    serve(*state, answers);
    struct http_client *c = client(*state);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        CLEANUP(buf_done) struct buf body;
        struct err err = {0};
        int status = 0;
        buf_init(&body, 1 << 20);
        if (http_get(c, "/x?y=1", 5000, &status, &body, &err) != 0)
            fail_msg("%s", err.message);
        assert_int_equal(status, want[i].status);
        assert_int_equal(body.len, strlen(want[i].body));
        assert_memory_equal(body.data ? body.data : "", want[i].body, body.len);
    }
    http_client_free(c);
}

static int get_error(const struct http_target *target, int timeout_ms, size_t limit,
                     struct err *err)
{
    struct http_client *c = http_client_new(target);
    CLEANUP(buf_done) struct buf body;
    int status = 0;
    *err = (struct err){0};
    buf_init(&body, limit);
    int r = http_get(c, "/x", timeout_ms, &status, &body, err);
    http_client_free(c);
    return r;
}

static void a_silent_daemon_is_not_waited_for(void **state)
{
    struct server *s = *state;
    struct err err;
    assert_int_equal(get_error(&(struct http_target){.socket = s->path}, 100, 100, &err),
                     -ETIMEDOUT);
    assert_non_null(strstr(err.message, "did not answer within 0.1 s"));
}

static void a_body_beyond_the_limit_is_an_error(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello world!", NULL};
    struct server *s = *state;
    struct err err;
    serve(s, answers);
    assert_int_equal(get_error(&(struct http_target){.socket = s->path}, 5000, 11, &err), -EFBIG);
}

static void what_is_no_http_is_an_error(void **state)
{
    static const char *const answers[] = {"SSH-2.0-OpenSSH\r\n", NULL};
    struct server *s = *state;
    struct err err;
    serve(s, answers);
    assert_true(get_error(&(struct http_target){.socket = s->path}, 2000, 100, &err) < 0);
    assert_int_not_equal(err.message[0], '\0');
}

static void a_missing_socket_says_how_to_start(void **state)
{
    struct err err;
    struct http_target target = {.socket = "/tmp/vherd-no-such-dir/vherd.sock"};
    assert_int_equal(get_error(&target, 1000, 100, &err), -ENOENT);
    assert_string_equal(err.message,
                        "vherd is not running (no socket at /tmp/vherd-no-such-dir/vherd.sock): "
                        "start it with `vherd daemon`");
}

static void a_stale_socket_says_how_to_start(void **state)
{
    struct server *s = *state;
    struct err err;
    close(s->fd);
    s->fd = -1;
    assert_int_equal(get_error(&(struct http_target){.socket = s->path}, 1000, 100, &err),
                     -ECONNREFUSED);
    assert_non_null(strstr(err.message, "vherd is not running (nobody answers on "));
}

static void a_closed_socket_says_who_may(void **state)
{
    struct server *s = *state;
    if (geteuid() != 0)
        skip();
    chmod(s->dir, 0755);
    static const struct {
        gid_t group;
        mode_t mode;
        const char *words;
    } rows[] = {{0, 0600, "open to root only"}, {2, 0660, "members of the group \"bin\""}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(chown(s->path, 0, rows[i].group), 0);
        assert_int_equal(chmod(s->path, rows[i].mode), 0);
        struct err *err = mem_zalloc(sizeof(*err));
        assert_int_equal(seteuid(65534), 0);
        int r = get_error(&(struct http_target){.socket = s->path}, 1000, 100, err);
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(r, -EACCES);
        if (!strstr(err->message, rows[i].words))
            fail_msg("%s", err->message);
        free(err);
    }
}

static void a_refused_port_says_how_to_start(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    CLEANUP(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    CLEANUP(freep) char *url = mem_printf("http://127.0.0.1:%d/", ntohs(addr.sin_port));
    struct err err;
    assert_int_equal(get_error(&(struct http_target){.url = url}, 1000, 100, &err), -ECONNREFUSED);
    assert_non_null(strstr(err.message, "nobody answers at http://127.0.0.1:"));
}

static void an_address_that_is_none_is_said(void **state)
{
    static const char *const urls[] = {"ftp://127.0.0.1/", "file:///etc/passwd", "http://", "::"};
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct err err;
        int r = get_error(&(struct http_target){.url = urls[i]}, 1000, 100, &err);
        if (r >= 0 || err.message[0] == '\0')
            fail_msg("%s: %d", urls[i], r);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    setenv("http_proxy", "http://192.0.2.1:1", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_come_over_one_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_silent_daemon_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_body_beyond_the_limit_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_http_is_an_error, set_up, tear_down),
        cmocka_unit_test(a_missing_socket_says_how_to_start),
        cmocka_unit_test_setup_teardown(a_stale_socket_says_how_to_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_socket_says_who_may, set_up, tear_down),
        cmocka_unit_test(a_refused_port_says_how_to_start),
        cmocka_unit_test(an_address_that_is_none_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
