// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd task …`, and waiting for tasks.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/esc.h"
#include "base/fs.h"
#include "base/human.h"
#include "base/mem.h"
#include "base/number.h"
#include "command.h"
#include "view.h"

#define TIMEOUT_MS 65000
#define POLL_MS 200
#define BAR_COLUMNS 20

static bool is_over(const json_t *task)
{
    const char *state = api_text(task, "state");
    return state && strcmp(state, "queued") != 0 && strcmp(state, "running") != 0;
}

static bool is_well(const json_t *task)
{
    const char *state = api_text(task, "state");
    return state && strcmp(state, "done") == 0;
}

static void put(struct cli *cli, const char *text)
{
    esc_terminal(&cli->out, text ? text : "?");
}

void task_line(struct cli *cli, const json_t *task)
{
    const char *message = api_text(task, "message"), *doing = api_text(task, "doing");
    double progress = api_number(task, "progress");
    buf_printf(&cli->out, "task %.0f: ", api_number(task, "id"));
    put(cli, api_text(task, "deed"));
    buf_putc(&cli->out, ' ');
    put(cli, api_text(task, "vm"));
    buf_puts(&cli->out, ": ");
    put(cli, api_text(task, "state"));
    if (!isnan(progress))
        buf_printf(&cli->out, " %.0f%%", progress * 100);
    if (doing && !is_over(task)) {
        buf_puts(&cli->out, ", ");
        put(cli, doing);
    }
    if (message) {
        buf_puts(&cli->out, ": ");
        put(cli, message);
    }
    buf_putc(&cli->out, '\n');
}

// How far a task is, on one line of the terminal that is written over.
static void draw(const struct cli *cli, const json_t *task, size_t left)
{
    CLEANUP(buf_done) struct buf line;
    double progress = api_number(task, "progress"), eta = api_number(task, "eta_seconds");
    const char *doing = api_text(task, "doing");
    buf_init(&line, 4096);
    buf_puts(&line, "\r\033[K");
    for (int i = 0; i < BAR_COLUMNS; i++)
        buf_puts(&line, !isnan(progress) && i < progress * BAR_COLUMNS ? "#" : ".");
    buf_printf(&line, " task %.0f ", api_number(task, "id"));
    esc_terminal(&line, doing ? doing : api_text(task, "state") ? api_text(task, "state") : "");
    if (!isnan(eta)) {
        buf_puts(&line, ", about ");
        human_age(eta, &line);
    }
    if (left > 1)
        buf_printf(&line, " (%zu to go)", left);
    fs_write_all(STDERR_FILENO, line.data, line.len);
}

static int fetch(struct cli *cli, int64_t id, json_t **ret, struct err *err)
{
    CLEANUP(freep) char *path = mem_printf("/vherd/v1/tasks/%jd", (intmax_t)id);
    return cli_get(cli, path, TIMEOUT_MS, ret, err);
}

// The daemon may be starting anew in the middle of it: tasks outlive that.
static int fetch_patiently(struct cli *cli, int64_t id, json_t **ret, struct err *err)
{
    const struct timespec pause = {1, 0};
    int r = fetch(cli, id, ret, err);
    for (int i = 0; i < 30 && (r == -EAGAIN || r == -ECONNREFUSED); i++) {
        nanosleep(&pause, NULL);
        r = fetch(cli, id, ret, err);
    }
    return r;
}

int task_wait(struct cli *cli, json_t *tasks, struct err *err)
{
    const struct timespec pause = {0, POLL_MS * 1000000L};
    int status = EXIT_WELL;
    bool drawn = false, shows = isatty(STDERR_FILENO) && !cli_option(cli, "json");
    size_t n = json_array_size(tasks);
    for (size_t i = 0; i < n; i++) {
        const json_t *asked = json_array_get(tasks, i);
        int64_t id = json_integer_value(json_object_get(asked, "id"));
        CLEANUP(json_decrefp) json_t *task = NULL;
        for (;;) {
            json_decref(task);
            task = NULL;
            int r = fetch_patiently(cli, id, &task, err);
            if (r < 0)
                return cli_fail(err, EXIT_FAILED);
            if (is_over(task))
                break;
            if (shows)
                draw(cli, task, n - i);
            drawn = shows;
            nanosleep(&pause, NULL);
        }
        if (!is_well(task))
            status = EXIT_FAILED;
        json_array_set(tasks, i, task);
    }
    if (drawn)
        fs_write_all(STDERR_FILENO, "\r\033[K", 4);
    return status;
}

/* The command. */

static void format_id(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    buf_printf(out, "%.0f", api_number(object, field));
}

static const struct view_column columns[] = {
    {{"TASK", WIDTH_RIGHT, 0, 0, false}, "id", format_id, NULL},
    {{"DEED", WIDTH_LEFT, 0, 0, false}, "deed", format_text, NULL},
    {{"VM", WIDTH_LEFT, 0, 12, false}, "vm", format_text, NULL},
    {{"STATE", WIDTH_LEFT, 0, 0, false}, "state", format_text, NULL},
    {{"BY", WIDTH_LEFT, 2, 0, false}, "by", format_text, NULL},
    {{"MESSAGE", WIDTH_LEFT, 1, 10, true}, "message", format_text, NULL},
};

static void view_list(struct cli *cli, const json_t *answer)
{
    const json_t *tasks = api_list(answer, "tasks");
    view_table(&cli->term, NULL, tasks, columns, ARRAY_LEN(columns), &cli->out);
    if (json_array_size(tasks) == 0)
        buf_puts(&cli->out, "There is no such task.\n");
}

static int list(struct cli *cli)
{
    const char *state = cli_option(cli, "state"), *vm = cli_option(cli, "vm");
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 8192);
    buf_puts(&path, "/vherd/v1/tasks?");
    if (state) {
        buf_puts(&path, "state=");
        esc_url(&path, state);
    }
    if (vm) {
        buf_puts(&path, "&vm=");
        esc_url(&path, vm);
    }
    return cli_show(cli, path.data, TIMEOUT_MS, view_list);
}

static void view_one(struct cli *cli, const json_t *answer)
{
    task_line(cli, answer);
    const json_t *result = json_object_get(answer, "result");
    if (json_object_size(result) == 0)
        return;
    char *text = json_dumps(result, JSON_COMPACT);
    buf_puts(&cli->out, "  ");
    esc_terminal(&cli->out, text ? text : "");
    buf_putc(&cli->out, '\n');
    free(text);
}

static int show(struct cli *cli, int64_t id)
{
    CLEANUP(freep) char *path = mem_printf("/vherd/v1/tasks/%jd", (intmax_t)id);
    return cli_show(cli, path, TIMEOUT_MS, view_one);
}

static int cancel(struct cli *cli, int64_t id)
{
    bool dry = cli_option(cli, "dry-run");
    CLEANUP(freep)
    char *path = mem_printf("/vherd/v1/tasks/%jd/cancel%s", (intmax_t)id, dry ? "?dry_run=1" : "");
    CLEANUP(json_decrefp) json_t *body = json_object();
    CLEANUP(json_decrefp) json_t *answer = NULL;
    struct err err = {0};
    if (cli_post(cli, path, body, TIMEOUT_MS, &answer, &err) < 0)
        return cli_fail(&err, EXIT_FAILED);
    // A task that is over is no plan, but shown as it is.
    if (json_object_get(answer, "would"))
        deed_plan(cli, answer);
    else
        task_line(cli, answer);
    return EXIT_WELL;
}

static int wait_one(struct cli *cli, int64_t id)
{
    struct err err = {0};
    CLEANUP(json_decrefp) json_t *tasks = json_pack("[{s:I}]", "id", (json_int_t)id);
    int status = task_wait(cli, tasks, &err);
    if (json_object_get(json_array_get(tasks, 0), "state"))
        task_line(cli, json_array_get(tasks, 0));
    return status;
}

static const struct {
    const char *word;
    int (*run)(struct cli *cli, int64_t id);
} on_one[] = {{"show", show}, {"cancel", cancel}, {"wait", wait_one}};

int cmd_task(struct cli *cli)
{
    size_t which = 0;
    if (strcmp(cli->operands[0], "list") == 0)
        return cli->n_operands == 1 ? list(cli) : cli_usage(cli, "list takes no operand");
    while (which < ARRAY_LEN(on_one) && strcmp(on_one[which].word, cli->operands[0]) != 0)
        which++;
    if (which == ARRAY_LEN(on_one))
        return cli_usage(cli, "no \"%s\": list, show, cancel or wait", cli->operands[0]);
    if (cli->n_operands < 2)
        return cli_usage(cli, "which task? `vherd task list` shows them");
    int worst = EXIT_WELL;
    for (size_t i = 1; i < cli->n_operands; i++) {
        int64_t id = 0;
        if (number_parse_i64(cli->operands[i], &id) < 0 || id < 1)
            return cli_usage(cli, "a task has a number, not \"%s\"", cli->operands[i]);
        int status = on_one[which].run(cli, id);
        worst = MAX_OF(worst, status);
    }
    return worst;
}
