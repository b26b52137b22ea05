// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd plan apply KIND [NAME]`: the daemon's plan, made anew, and the deeds that stand in it.
// Without --yes the daemon only says what each would do.
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/esc.h"
#include "base/mem.h"
#include "plan.h"

#define TIMEOUT_MS 65000
#define PLAN_MS 60000
#define PARALLEL 2
#define FAILURES_MOST 2

// What plans propose; a quota takes CPU away from a guest for good, and is for those who ask.
static const char *const wants[] = {"start", "memory", "vcpus", "shares", "quota"};
#define WANTED_UNASKED 4

struct application {
    struct cli *cli;
    bool wanted[ARRAY_LEN(wants)];
    bool yes;
    char *batch;
    json_t *answers; // tasks, or what would be done
    size_t found, moves;
    int status;
};

static size_t want_index(const char *what, size_t len)
{
    size_t i = 0;
    while (i < ARRAY_LEN(wants) && !(strlen(wants[i]) == len && strncmp(wants[i], what, len) == 0))
        i++;
    return i;
}

static int read_only(struct application *a)
{
    const char *only = cli_option(a->cli, "only");
    for (size_t i = 0; !only && i < WANTED_UNASKED; i++)
        a->wanted[i] = true;
    for (const char *at = only; at;) {
        const char *comma = strchr(at, ',');
        size_t len = comma ? (size_t)(comma - at) : strlen(at);
        size_t i = want_index(at, len);
        if (i == ARRAY_LEN(wants))
            return cli_usage(a->cli,
                             "--only: memory, vcpus, shares, quota or start, with commas between, "
                             "not \"%s\"",
                             only);
        a->wanted[i] = true;
        at = comma ? comma + 1 : NULL;
    }
    return EXIT_WELL;
}

static void put_would(struct application *a, const char *vm, const json_t *answer,
                      const char *effect)
{
    size_t i;
    const json_t *step;
    struct buf *out = &a->cli->out;
    json_array_foreach(json_object_get(answer, "would"), i, step)
    {
        esc_terminal(out, vm);
        buf_puts(out, ": would ");
        esc_terminal(out, json_string_value(step) ? json_string_value(step) : "");
        buf_puts(out, strcmp(effect, "now") == 0 ? "\n" : ", at the next start\n");
    }
}

static void ask(struct application *a, const char *vm, const json_t *wish)
{
    const char *name = api_text(wish, "deed"), *what = api_text(wish, "what");
    const char *effect = api_text(wish, "effect");
    const struct deed *deed = name ? deed_by_name(name) : NULL;
    size_t i = what ? want_index(what, strlen(what)) : ARRAY_LEN(wants);
    struct err err = {0};
    json_t *answer = NULL;
    if (!deed || i == ARRAY_LEN(wants) || !a->wanted[i])
        return;
    CLEANUP(json_decrefp) json_t *body = json_deep_copy(json_object_get(wish, "body"));
    CLEANUP(freep) char *path = deed_path(deed, vm);
    a->found++;
    if (a->yes) {
        json_object_set_new(body, "batch", json_string(a->batch));
        json_object_set_new(body, "parallel", json_integer(PARALLEL));
        json_object_set_new(body, "max_failures", json_integer(FAILURES_MOST));
    } else {
        json_object_set_new(body, "dry_run", json_true());
    }
    if (cli_post(a->cli, path, body, TIMEOUT_MS, &answer, &err) < 0) {
        err_wrap(&err, "%s", vm);
        a->status = cli_fail(&err, EXIT_FAILED);
        return;
    }
    json_object_set_new(answer, "vm", json_string(vm));
    json_array_append_new(a->answers, answer);
    if (!a->yes && !cli_option(a->cli, "json"))
        put_would(a, vm, answer, effect ? effect : "now");
}

static void ask_all(struct application *a, const json_t *plan)
{
    size_t i, k;
    const json_t *row, *wish;
    json_array_foreach(json_object_get(plan, "vms"), i, row)
    {
        const char *vm = api_text(row, "vm");
        json_array_foreach(json_object_get(row, "deeds"), k, wish)
        {
            if (vm)
                ask(a, vm, wish);
        }
    }
}

static void put_json(struct application *a)
{
    json_t *all = json_pack("{s:b, s:I, s:O}", "dry_run", !a->yes, "moves_not_made",
                            (json_int_t)a->moves, a->yes ? "tasks" : "would", a->answers);
    char *text = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(15));
    cli_put_json(a->cli, text ? text : "", text ? strlen(text) : 0);
    free(text);
    json_decref(all);
}

static int finish(struct application *a)
{
    struct err err = {0};
    size_t i;
    const json_t *task;
    if (a->yes && json_array_size(a->answers) > 0) {
        int waited = task_wait(a->cli, a->answers, &err);
        a->status = MAX_OF(a->status, waited);
    }
    if (cli_option(a->cli, "json")) {
        put_json(a);
        return a->status;
    }
    if (a->yes)
        json_array_foreach(a->answers, i, task) task_line(a->cli, task);
    if (a->found == 0 && a->moves == 0)
        buf_puts(&a->cli->out, "There is nothing to apply.\n");
    else if (a->found > 0 && !a->yes)
        buf_puts(&a->cli->out, "Nothing was done; --yes does it.\n");
    return a->status;
}

// Moves are shown and refused: what carries them out is not there.
static int refuse_moves(struct application *a, const json_t *plan)
{
    if (!cli_option(a->cli, "json"))
        plan_view(a->cli, plan);
    struct err err = {0};
    a->status = EXIT_FAILED;
    err_set(&err, ENOTSUP,
            "%zu move%s not made: this needs live migration between hosts, which this version of "
            "vherd cannot do; nothing was changed",
            a->moves, a->moves == 1 ? " is" : "s are");
    return cli_fail(&err, EXIT_FAILED);
}

int plan_apply(struct cli *cli, const char *path)
{
    CLEANUP(json_decrefp) json_t *plan = NULL;
    CLEANUP(json_decrefp) json_t *answers = json_array();
    struct application a = {.cli = cli,
                            .answers = answers,
                            .yes = cli_option(cli, "yes") && !cli_option(cli, "dry-run")};
    struct err err = {0};
    int status = read_only(&a);
    if (status != EXIT_WELL)
        return status;
    if (cli_get(cli, path, PLAN_MS, &plan, &err) < 0)
        return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    CLEANUP(freep)
    char *batch = mem_printf("plan-%jd-%d", (intmax_t)time(NULL), (int)getpid());
    a.batch = batch;
    a.moves = json_array_size(json_object_get(plan, "moves"));
    if (a.moves > 0)
        refuse_moves(&a, plan);
    else
        ask_all(&a, plan);
    return finish(&a);
}
