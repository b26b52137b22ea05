// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd top`: hands over to the terminal program; with --json, a line each second of what that
// would have shown.
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "command.h"
#include "tui/tui.h"

#define TIMEOUT_MS 10000

static int put_line(struct cli *cli, struct err *err)
{
    CLEANUP(buf_done) struct buf vms, host, line;
    buf_init(&vms, API_ANSWER_MAX);
    buf_init(&host, API_ANSWER_MAX);
    buf_init(&line, 2 * API_ANSWER_MAX + 64);
    int r = cli_get_text(cli, verbs[VERB_VM_LIST].path, TIMEOUT_MS, &vms, err);
    if (r == 0)
        r = cli_get_text(cli, verbs[VERB_HOST].path, TIMEOUT_MS, &host, err);
    if (r < 0)
        return r;
    buf_printf(&line, "{\"vms\":%s,\"host\":%s}", vms.data, host.data);
    if (line.error == 0)
        cli_put_json(cli, line.data, line.len);
    r = line.error ? line.error : cli->out.error;
    if (r == 0)
        r = fs_write_all(STDOUT_FILENO, cli->out.data, cli->out.len);
    buf_reset(&cli->out);
    return r < 0 ? err_set(err, -r, "cannot write to standard output: %s", strerror(-r)) : 0;
}

static int put_lines(struct cli *cli, uint64_t count)
{
    struct err err = {0};
    int64_t next_ns = clock_mono_ns(&clock_system);
    for (uint64_t i = 0; i < count; i++) {
        if (put_line(cli, &err) < 0)
            return cli_fail(&err, EXIT_FAILED);
        next_ns += NS_PER_S;
        const struct timespec until = {next_ns / NS_PER_S, next_ns % NS_PER_S};
        while (i + 1 < count &&
               clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
            ;
    }
    return EXIT_WELL;
}

int cmd_top(struct cli *cli)
{
    struct err err = {0};
    struct http_target target;
    CLEANUP(freep) char *socket = NULL;
    const char *text = cli_option(cli, "count");
    uint64_t count = UINT64_MAX;
    if (cli_target(cli, &target, &socket, &err) < 0)
        return cli_fail(&err, EXIT_USAGE);
    if (text && (number_parse_u64(text, &count) < 0 || count < 1))
        return cli_usage(cli, "--count must be a whole number from 1 on, not \"%s\"", text);
    if (cli_option(cli, "json"))
        return put_lines(cli, count);
    if (text)
        return cli_usage(cli, "--count goes with --json");
    struct tui_params params = {.target = target, .color = cli->term.color, .utf8 = cli->term.utf8};
    return tui_run(&params, &err) < 0 ? cli_fail(&err, EXIT_FAILED) : EXIT_WELL;
}
