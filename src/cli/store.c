// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd store snapshot|delete`: a copy of the store while it is in use; samples taken out of it.
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "command.h"
#include "query.h"

#define TIMEOUT_MS 600000

static int snapshot_path(struct cli *cli, struct buf *path, struct err *err)
{
    (void)err;
    buf_puts(path, verbs[VERB_SNAPSHOT].path);
    if (cli->n_operands > 1) {
        buf_puts(path, "?name=");
        esc_url(path, cli->operands[1]);
    }
    return 0;
}

static void show_snapshot(struct cli *cli, const json_t *answer)
{
    const char *made = api_text(answer, "path");
    esc_terminal(&cli->out, made ? made : "");
    buf_putc(&cli->out, '\n');
}

static int put_time(const struct cli *cli, const char *option, struct buf *path, struct err *err)
{
    double seconds = NAN;
    int r = query_option_time(cli, option, &seconds, err);
    if (r == 0 && !isnan(seconds))
        buf_printf(path, "&%s=%.3f", option, seconds);
    return r;
}

static int delete_path(struct cli *cli, struct buf *path, struct err *err)
{
    if (cli->n_operands < 2)
        return err_set(err, EINVAL, "store delete needs a selector, such as '{domain=\"old\"}'");
    buf_printf(path, "%s?match%%5B%%5D=", verbs[VERB_STORE_DELETE].path);
    esc_url(path, cli->operands[1]);
    if (cli_option(cli, "dry-run"))
        buf_puts(path, "&dry_run=true");
    int r = put_time(cli, "start", path, err);
    return r < 0 ? r : put_time(cli, "end", path, err);
}

static void show_deleted(struct cli *cli, const json_t *answer)
{
    bool is_done = json_is_true(json_object_get(answer, "deleted"));
    buf_printf(&cli->out, "samples of %.0f series %s\n", api_number(answer, "series"),
               is_done ? "deleted" : "would be deleted");
}

static const struct {
    const char *word;
    int (*put_path)(struct cli *cli, struct buf *path, struct err *err);
    void (*show)(struct cli *cli, const json_t *answer);
} kinds[] = {
    {"snapshot", snapshot_path, show_snapshot},
    {"delete", delete_path, show_deleted},
};

static int ask(struct cli *cli, size_t kind)
{
    struct err err = {0};
    CLEANUP(buf_done) struct buf path, body;
    buf_init(&path, 1 << 16);
    buf_init(&body, API_ANSWER_MAX);
    if (kinds[kind].put_path(cli, &path, &err) < 0)
        return cli_fail(&err, EXIT_USAGE);
    if (cli_post_text(cli, path.data, "", TIMEOUT_MS, &body, &err) < 0)
        return cli_fail(&err, EXIT_FAILED);
    CLEANUP(json_decrefp) json_t *answer = NULL;
    if (api_parse(body.data ? body.data : "", body.len, &answer, &err) < 0)
        return cli_fail(&err, EXIT_FAILED);
    if (cli_option(cli, "json"))
        cli_put_json(cli, body.data, body.len);
    else
        kinds[kind].show(cli, answer);
    return EXIT_WELL;
}

int cmd_store(struct cli *cli)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(cli->operands[0], kinds[i].word) == 0)
            return ask(cli, i);
    return cli_usage(cli, "store can do no \"%s\"", cli->operands[0]);
}
