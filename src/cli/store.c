// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd store snapshot`: a copy of the store while it is in use.
#include <errno.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "command.h"

#define TIMEOUT_MS 600000

int cmd_store(struct cli *cli)
{
    struct err err = {0};
    if (strcmp(cli->operands[0], "snapshot") != 0)
        return cli_usage(cli, "store can do no \"%s\"", cli->operands[0]);
    CLEANUP(buf_done) struct buf path, body;
    buf_init(&path, 1 << 16);
    buf_init(&body, API_ANSWER_MAX);
    buf_puts(&path, verbs[VERB_SNAPSHOT].path);
    if (cli->n_operands > 1) {
        buf_puts(&path, "?name=");
        esc_url(&path, cli->operands[1]);
    }
    if (cli_post_text(cli, path.data, "", TIMEOUT_MS, &body, &err) < 0)
        return cli_fail(&err, EXIT_FAILED);
    CLEANUP(json_decrefp) json_t *answer = NULL;
    if (api_parse(body.data ? body.data : "", body.len, &answer, &err) < 0)
        return cli_fail(&err, EXIT_FAILED);
    if (cli_option(cli, "json")) {
        cli_put_json(cli, body.data, body.len);
    } else {
        const char *made = api_text(answer, "path");
        esc_terminal(&cli->out, made ? made : "");
        buf_putc(&cli->out, '\n');
    }
    return EXIT_WELL;
}
