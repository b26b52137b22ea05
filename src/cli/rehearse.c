// SPDX-License-Identifier: GPL-3.0-or-later
#include "rehearse.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "conf/program.h"

#define PROGRAM "vherd-rehearse"
#define COLUMNS_MAX ((size_t)200)
#define ARGUMENTS_MAX (OPTIONS_GIVEN_MAX + 10)

struct arguments {
    const char *v[ARGUMENTS_MAX + 1];
    size_t n;
    char columns[24], step[24];
};

static void add(struct arguments *a, const char *text)
{
    if (a->n < ARGUMENTS_MAX)
        a->v[a->n++] = text;
}

static bool fill(struct cli *cli, const char *scenario, struct arguments *a)
{
    const char *sample = cli_option(cli, "sample");
    int64_t step_ns = 15 * NS_PER_S;
    if (sample && (number_parse_duration(sample, &step_ns) < 0 || step_ns < NS_PER_S)) {
        cli_usage(cli, "sim run: --sample takes a duration of a second or more, such as 15s");
        return false;
    }
    snprintf(a->columns, sizeof(a->columns), "%zu", MIN_OF(cli->term.width, COLUMNS_MAX));
    snprintf(a->step, sizeof(a->step), "%lld", (long long)(step_ns / NS_PER_MS));
    add(a, PROGRAM);
    add(a, "--columns");
    add(a, a->columns);
    add(a, "--step-ms");
    add(a, a->step);
    if (cli_option(cli, "json"))
        add(a, "--json");
    if (cli->term.utf8)
        add(a, "--utf8");
    add(a, "--");
    add(a, scenario);
    for (size_t i = 0; i < cli->n_given; i++)
        if (strcmp(cli->given[i].name, "rules") == 0)
            add(a, cli->given[i].value);
    return true;
}

static int read_all(int fd, struct buf *out)
{
    char piece[65536];
    for (ssize_t n; (n = read(fd, piece, sizeof(piece))) != 0;) {
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            buf_put(out, piece, (size_t)n);
    }
    return out->error;
}

static int start(const struct arguments *a, int output, pid_t *ret)
{
    CLEANUP(freep) char *path = program_path(PROGRAM);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    int r = posix_spawn(ret, path, &actions, NULL, (char *const *)a->v, environ);
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

int cli_rehearse(struct cli *cli, const char *scenario, struct buf *out)
{
    struct arguments a = {0};
    struct err err = {0};
    int ends[2], status = 0;
    pid_t pid = -1;
    if (!fill(cli, scenario, &a))
        return EXIT_USAGE;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set(&err, errno, "no pipe: %s", strerror(errno)), cli_fail(&err, EXIT_FAILED);
    int r = start(&a, ends[1], &pid);
    close(ends[1]);
    int e = r < 0 ? r : read_all(ends[0], out);
    close(ends[0]);
    if (r < 0) {
        err_set(&err, -r, "%s cannot be started: %s", PROGRAM, strerror(-r));
        return cli_fail(&err, EXIT_FAILED);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status))
        err_set(&err, EIO, "%s was ended by signal %d", PROGRAM, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        return WEXITSTATUS(status); // it has said why
    else if (e < 0)
        err_set(&err, -e, "what %s says cannot be read: %s", PROGRAM, strerror(-e));
    return err.code ? cli_fail(&err, EXIT_FAILED) : EXIT_WELL;
}
