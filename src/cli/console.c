// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd console VM`: the terminal joined to a guest's serial line, until Ctrl-]. One thread asks
// for what the guest says, each with a connection of its own; the terminal is put back whatever
// ends it.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdatomic.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/esc.h"
#include "base/fs.h"
#include "base/mem.h"
#include "command.h"

#define TIMEOUT_MS 35000
#define ESCAPE 0x1d // Ctrl-]
#define PIECE 1024
#define OUTPUT_MAX ((size_t)1 << 20)
#define QUIET_NS NS_PER_S // after the end of piped input

struct session {
    struct cli *cli;
    struct http_client *listening; // the thread's
    char *path;
    int wake[2]; // the thread, or a signal, has something to tell
    atomic_bool over;
    atomic_llong heard_ns;
    char message[sizeof(
        ((struct err *)NULL)->message)]; // why it is over; the thread's until it is joined
};

static volatile sig_atomic_t signalled;
static int signal_fd = -1;

static void on_signal(int number)
{
    signalled = number;
    (void)!write(signal_fd, "s", 1);
}

/* What the guest says. */

// False where it is over.
static bool take(struct session *s, const json_t *answer)
{
    const char *text = api_text(answer, "output"), *why = api_text(answer, "message");
    CLEANUP(buf_done) struct buf bytes;
    buf_init(&bytes, OUTPUT_MAX);
    if (text && *text && base64_decode(text, strlen(text), &bytes) == 0) {
        atomic_store(&s->heard_ns, clock_mono_ns(&clock_system));
        if (fs_write_all(STDOUT_FILENO, bytes.data, bytes.len) < 0)
            return false;
    }
    if (json_is_true(json_object_get(answer, "open")))
        return true;
    snprintf(s->message, sizeof(s->message), "%s", why ? why : "the console ended");
    return false;
}

static void *listen_to_guest(void *arg)
{
    struct session *s = arg;
    bool on = true;
    while (on && !atomic_load(&s->over)) {
        json_t *answer = NULL;
        struct err err = {0};
        if (api_get(s->listening, s->path, TIMEOUT_MS, &answer, &err) < 0) {
            snprintf(s->message, sizeof(s->message), "%s", err.message);
            break;
        }
        on = take(s, answer);
        json_decref(answer);
    }
    atomic_store(&s->over, true);
    (void)!write(s->wake[1], "o", 1);
    return NULL;
}

/* What the person types. */

static int type(struct session *s, const char *data, size_t len, struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    CLEANUP(json_decrefp) json_t *body = NULL;
    CLEANUP(json_decrefp) json_t *answer = NULL;
    buf_init(&text, 4 * PIECE);
    if (len == 0)
        return 0;
    base64_encode(data, len, &text);
    body = json_pack("{s:s}", "input", text.data);
    return cli_post(s->cli, s->path, body, TIMEOUT_MS, &answer, err);
}

// 1: go on; 0: it is over; -errno.
static int take_keys(struct session *s, bool tty, struct err *err)
{
    char data[PIECE];
    ssize_t n = read(STDIN_FILENO, data, sizeof(data));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 1;
    if (n <= 0)
        return 0;
    const char *escape = tty ? memchr(data, ESCAPE, (size_t)n) : NULL;
    int r = type(s, data, escape ? (size_t)(escape - data) : (size_t)n, err);
    return r < 0 ? r : escape == NULL;
}

// Input that came through a pipe is over; the guest may still be answering.
static void hear_out(struct session *s)
{
    const struct timespec pause = {0, 50 * NS_PER_MS};
    atomic_store(&s->heard_ns, clock_mono_ns(&clock_system));
    while (!atomic_load(&s->over) && !signalled &&
           clock_mono_ns(&clock_system) - atomic_load(&s->heard_ns) < QUIET_NS)
        nanosleep(&pause, NULL);
}

static int join_both(struct session *s, bool tty, struct err *err)
{
    int r = 1;
    while (r == 1 && !atomic_load(&s->over) && !signalled) {
        struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {s->wake[0], POLLIN, 0}};
        if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
            return err_set(err, errno, "waiting for input: %s", strerror(errno));
        if (fds[0].revents && !atomic_load(&s->over))
            r = take_keys(s, tty, err);
    }
    if (r == 0 && !tty)
        hear_out(s);
    return MIN_OF(r, 0);
}

/* The terminal. */

static void catch_signals(void (*handler)(int))
{
    static const int numbers[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT};
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        sigaction(numbers[i], &action, NULL);
}

static int run(struct session *s, struct err *err)
{
    struct termios before, raw;
    pthread_t thread;
    bool tty = tcgetattr(STDIN_FILENO, &before) == 0;
    signal_fd = s->wake[1];
    catch_signals(on_signal);
    int r = pthread_create(&thread, NULL, listen_to_guest, s);
    if (r != 0)
        return err_set(err, r, "a thread: %s", strerror(r));
    raw = before;
    cfmakeraw(&raw);
    if (tty)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    r = join_both(s, tty, err);
    if (tty)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    catch_signals(SIG_DFL);
    bool ended_there = atomic_exchange(&s->over, true);
    // Detaching answers the request that the thread waits with.
    json_t *answer = NULL;
    struct err ignored = {0};
    if (!ended_there)
        (void)cli_send(s->cli, "DELETE", s->path, NULL, TIMEOUT_MS, &answer, &ignored);
    json_decref(answer);
    pthread_join(thread, NULL);
    if (r == 0 && ended_there)
        r = err_set(err, EPIPE, "%s", s->message);
    return r;
}

static int attach(struct cli *cli, char **ret_path, struct err *err)
{
    CLEANUP(json_decrefp) json_t *answer = NULL;
    CLEANUP(json_decrefp) json_t *nothing = json_object();
    CLEANUP(freep)
    char *path =
        api_vm_path(cli->operands[0], cli_option(cli, "force") ? "/console?force=1" : "/console");
    int r = cli_post(cli, path, nothing, TIMEOUT_MS, &answer, err);
    const char *key = r == 0 ? api_text(answer, "console") : NULL;
    if (r == 0 && !key)
        return err_set(err, EPROTO, "the daemon's answer is none");
    if (r == 0)
        *ret_path = mem_printf("/vherd/v1/consoles/%s", key);
    return r;
}

static void announce(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, 4096);
    buf_puts(&line, "Attached to ");
    esc_terminal(&line, cli->operands[0]);
    buf_puts(&line, "; Ctrl-] detaches.\r\n");
    if (cli->term.tty)
        fs_write_all(STDERR_FILENO, line.data, line.len);
}

int cmd_console(struct cli *cli)
{
    struct session s = {.cli = cli, .wake = {-1, -1}};
    struct http_target target;
    CLEANUP(freep) char *socket = NULL;
    struct err err = {0};
    if (cli_target(cli, &target, &socket, &err) < 0 || attach(cli, &s.path, &err) < 0)
        return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    s.listening = http_client_new(&target);
    announce(cli);
    int r = pipe(s.wake) < 0 ? err_set(&err, errno, "a pipe: %s", strerror(errno)) : run(&s, &err);
    http_client_free(s.listening);
    closep(&s.wake[0]);
    closep(&s.wake[1]);
    free(s.path);
    return r < 0 ? cli_fail(&err, EXIT_FAILED) : EXIT_WELL;
}
