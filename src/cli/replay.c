// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd replay`: recorded history as `vherd list` would have shown it, without the daemon.
#include "tool/replay.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "command.h"
#include "query.h"
#include "view.h"

struct playing {
    struct cli *cli;
    double speed; // 0: as fast as can be
    int64_t first_ms, first_mono_ns;
};

// Absolute, so that what printing takes does not add up.
static void wait_for(struct playing *p, int64_t t_ms)
{
    if (p->speed <= 0)
        return;
    if (p->first_mono_ns == 0) {
        p->first_ms = t_ms;
        p->first_mono_ns = clock_mono_ns(&clock_system);
    }
    int64_t due =
        p->first_mono_ns + (int64_t)((double)(t_ms - p->first_ms) * (double)NS_PER_MS / p->speed);
    struct timespec until = {due / NS_PER_S, due % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static void put_json(const json_t *answer, struct buf *out)
{
    CLEANUP(freep) char *text = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(15));
    buf_puts(out, text ? text : "");
    buf_putc(out, '\n');
}

static int show(void *arg, int64_t t_ms, const json_t *answer)
{
    struct playing *p = arg;
    struct buf *out = &p->cli->out;
    wait_for(p, t_ms);
    if (cli_option(p->cli, "json")) {
        put_json(answer, out);
    } else {
        time_t seconds = (time_t)(t_ms / 1000);
        struct tm tm;
        char text[64];
        localtime_r(&seconds, &tm);
        strftime(text, sizeof(text), "%F %T", &tm);
        buf_printf(out, "%s\n", text);
        list_table(p->cli, api_list(answer, "vms"));
        buf_putc(out, '\n');
    }
    int r = out->error ? out->error : fs_write_all(STDOUT_FILENO, out->data, out->len);
    buf_reset(out);
    return r;
}

static int read_time(const struct cli *cli, const char *option, int64_t *ret_ms, struct err *err)
{
    double seconds = NAN;
    int r = query_option_time(cli, option, &seconds, err);
    if (r == 0 && !isnan(seconds))
        *ret_ms = (int64_t)round(seconds * 1000);
    return r;
}

static int read_options(const struct cli *cli, struct tool_replay_options *o, double *ret_speed,
                        struct err *err)
{
    const char *step = cli_option(cli, "step"), *speed = cli_option(cli, "speed");
    double seconds = 10;
    int r = read_time(cli, "start", &o->start_ms, err);
    if (r == 0)
        r = read_time(cli, "end", &o->end_ms, err);
    if (r == 0 && o->start_ms > o->end_ms)
        r = err_set(err, EINVAL, "--start must not be behind --end");
    if (r == 0 && step && (query_duration(step, &seconds) < 0 || seconds < 0.001))
        r = err_set(err, EINVAL, "--step: \"%s\" is no duration", step);
    if (r == 0 && speed && (number_parse_f64(speed, ret_speed) < 0 || *ret_speed <= 0))
        r = err_set(err, EINVAL, "--speed: \"%s\" is no number above 0", speed);
    o->step_ms = (int64_t)round(seconds * 1000);
    return r;
}

int cmd_replay(struct cli *cli)
{
    struct tool_replay_options o = {.start_ms = 0, .end_ms = INT64_MAX};
    struct playing p = {.cli = cli};
    struct history *h = NULL;
    struct err err = {0};
    int r = read_options(cli, &o, &p.speed, &err);
    if (r == 0)
        r = history_open(cli->operands[0], &h, &err);
    if (r < 0)
        return cli_fail(&err, EXIT_USAGE);
    r = tool_replay(h, &o, show, &p, &err);
    history_free(h);
    if (r == -EPIPE)
        return EXIT_WELL;
    if (r < 0 && err.code == 0)
        err_set(&err, -r, "%s", strerror(-r));
    return r < 0 ? cli_fail(&err, EXIT_FAILED) : EXIT_WELL;
}
