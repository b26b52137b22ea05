// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd vm DEED …` and `vherd snapshot DEED …`: one request for each VM, which becomes a task.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/esc.h"
#include "base/human.h"
#include "base/mem.h"
#include "base/similar.h"
#include "command.h"
#include "view.h"

#define TIMEOUT_MS 65000
#define PARALLEL_DEFAULT 4

/* What comes back. */

void deed_plan(struct cli *cli, const json_t *answer)
{
    size_t i;
    const json_t *step;
    json_array_foreach(json_object_get(answer, "would"), i, step)
    {
        buf_puts(&cli->out, "would ");
        esc_terminal(&cli->out, json_string_value(step));
        buf_putc(&cli->out, '\n');
    }
}

static int finish(struct cli *cli, json_t *tasks, int status)
{
    struct err err = {0};
    size_t i;
    const json_t *t;
    if (cli_option(cli, "wait") && json_array_size(tasks) > 0) {
        int waited = task_wait(cli, tasks, &err);
        status = MAX_OF(status, waited);
    }
    if (cli_option(cli, "json")) {
        const json_t *one = json_array_size(tasks) == 1 ? json_array_get(tasks, 0) : tasks;
        char *text = json_dumps(one, JSON_COMPACT | JSON_REAL_PRECISION(15));
        cli_put_json(cli, text ? text : "", text ? strlen(text) : 0);
        free(text);
        return status;
    }
    json_array_foreach(tasks, i, t)
    {
        if (json_object_get(t, "would"))
            deed_plan(cli, t);
        else
            task_line(cli, t);
    }
    return status;
}

// One batch where several VMs are meant, so that their limits hold together.
static void add_batch(const struct cli *cli, json_t *body, size_t n)
{
    if (n < 2 || json_object_get(body, "batch"))
        return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    CLEANUP(freep)
    char *name = mem_printf("%s-%jd-%d", cli->deed->name, (intmax_t)now.tv_sec, (int)getpid());
    json_object_set_new(body, "batch", json_string(name));
    if (!json_object_get(body, "parallel"))
        json_object_set_new(body, "parallel", json_integer(PARALLEL_DEFAULT));
}

static int ask_all(struct cli *cli, json_t *body, const json_t *names)
{
    CLEANUP(json_decrefp) json_t *tasks = json_array();
    size_t i;
    const json_t *name;
    int status = EXIT_WELL;
    bool takes_key = json_array_size(names) == 1;
    if (!takes_key && json_object_get(body, "key"))
        return cli_usage(cli, "--key is for one VM");
    add_batch(cli, body, json_array_size(names));
    json_array_foreach(names, i, name)
    {
        struct err err = {0};
        json_t *answer = NULL;
        CLEANUP(freep) char *path = deed_path(cli->deed, json_string_value(name));
        if (cli_post(cli, path, body, TIMEOUT_MS, &answer, &err) == 0) {
            json_array_append_new(tasks, answer);
            continue;
        }
        if (json_array_size(names) > 1)
            err_wrap(&err, "%s", json_string_value(name));
        status = cli_fail(&err, EXIT_FAILED);
        if (!cli->client)
            return EXIT_USAGE;
    }
    return finish(cli, tasks, status);
}

static int run_deed(struct cli *cli)
{
    struct err err = {0};
    CLEANUP(json_decrefp) json_t *names = json_array();
    CLEANUP(json_decrefp) json_t *body = deed_body(cli, cli->deed, &err);
    if (!body)
        return cli_usage(cli, "%s", err.message);
    if (cli->deed->object == DEED_ON_NEW) {
        if (cli->n_operands == 2 && !json_object_get(body, "name"))
            json_object_set_new(body, "name", json_string(cli->operands[1]));
        else if (cli->n_operands > 1)
            return cli_usage(cli, "%s takes one name", cli->operands[0]);
        json_array_append_new(names, json_string(""));
    } else if (select_vms(cli, names, &err) < 0) {
        return cli_fail(&err, EXIT_FAILED);
    }
    if (json_array_size(names) == 0)
        return cli_usage(cli, "which VM? `vherd list` shows them");
    return ask_all(cli, body, names);
}

/* What only reads. */

static void view_json(struct cli *cli, const json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT);
    CLEANUP(buf_done) struct buf pretty;
    buf_init(&pretty, API_ANSWER_MAX);
    if (text)
        json_indent(text, strlen(text), &pretty);
    buf_put(&cli->out, pretty.data ? pretty.data : "", pretty.len);
    buf_putc(&cli->out, '\n');
    free(text);
}

static void view_snapshots(struct cli *cli, const json_t *answer)
{
    size_t i;
    const json_t *s;
    json_array_foreach(json_object_get(answer, "snapshots"), i, s)
    {
        double depth = api_number(s, "depth"), age = api_number(s, "age_seconds");
        for (int k = 0; k < depth && k < 40; k++)
            buf_puts(&cli->out, "  ");
        esc_terminal(&cli->out, api_text(s, "name") ? api_text(s, "name") : "?");
        buf_printf(&cli->out, "  (%s%s%s", api_text(s, "kind") ? api_text(s, "kind") : "?",
                   json_is_true(json_object_get(s, "memory")) ? ", with memory" : "",
                   json_is_true(json_object_get(s, "current")) ? ", current" : "");
        if (age >= 0) {
            buf_puts(&cli->out, ", ");
            human_age(age, &cli->out);
            buf_puts(&cli->out, " old");
        }
        double chain = api_number(s, "chain_depth");
        if (chain >= 1)
            buf_printf(&cli->out, ", over %.0f image%s", chain, chain > 1 ? "s" : "");
        if (json_is_true(json_object_get(s, "merging")))
            buf_puts(&cli->out, ", being merged: delete it again");
        buf_puts(&cli->out, ")\n");
    }
    if (json_array_size(json_object_get(answer, "snapshots")) == 0)
        buf_puts(&cli->out, "It has no snapshots.\n");
}

static const struct {
    const char *group, *word, *below;
    void (*view)(struct cli *cli, const json_t *answer);
} reads[] = {
    {"vm", "definition", "/definition", view_json},
    {"snapshot", "list", "/snapshots", view_snapshots},
};

int cmd_deed(struct cli *cli)
{
    if (cli->deed)
        return run_deed(cli);
    for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
        if (strcmp(reads[i].group, cli->command->group) != 0 ||
            strcmp(reads[i].word, cli->operands[0]) != 0)
            continue;
        if (cli->n_operands != 2)
            return cli_usage(cli, "which VM? `vherd list` shows them");
        CLEANUP(freep) char *path = api_vm_path(cli->operands[1], reads[i].below);
        return cli_show(cli, path, TIMEOUT_MS, reads[i].view);
    }
    size_t n = 0;
    while (cli->command->words[n])
        n++;
    const char *near = similar_best(cli->operands[0], cli->command->words, n);
    if (near)
        return cli_usage(cli, "no deed \"%s\"; did you mean \"%s\"?", cli->operands[0], near);
    return cli_usage(cli, "no deed \"%s\"", cli->operands[0]);
}
