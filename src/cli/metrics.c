// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd metrics`: what Prometheus would scrape, as text or as JSON.
#include <errno.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "command.h"
#include "exposition.h"

static char *metrics_path(const struct cli *cli)
{
    struct buf path;
    buf_init(&path, 1 << 16);
    buf_puts(&path, verbs[VERB_METRICS].path);
    char before = '?';
    for (size_t i = 0; i < cli->n_given; i++) {
        if (strcmp(cli->given[i].name, "set") != 0)
            continue;
        buf_putc(&path, before);
        buf_puts(&path, "set=");
        esc_url(&path, cli->given[i].value);
        before = '&';
    }
    return buf_take(&path, NULL);
}

// Label values may hold anything; a terminal gets them one safe line at a time.
static void put_safely(struct buf *body, struct buf *out)
{
    for (char *line = body->data, *end; line && *line; line = end) {
        end = line + strcspn(line, "\n");
        bool more = *end == '\n';
        *end = '\0';
        esc_terminal(out, line);
        buf_putc(out, '\n');
        end += more;
    }
}

int cmd_metrics(struct cli *cli)
{
    struct err err = {0};
    CLEANUP(freep) char *path = metrics_path(cli);
    CLEANUP(buf_done) struct buf body, json;
    buf_init(&body, API_ANSWER_MAX);
    buf_init(&json, API_ANSWER_MAX * 4);
    if (cli_get_text(cli, path, 30000, &body, &err) < 0)
        return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    if (cli_option(cli, "json")) {
        if (exposition_to_json(body.data ? body.data : "", body.len, &json, &err) < 0)
            return cli_fail(&err, EXIT_FAILED);
        cli_put_json(cli, json.data, json.len);
    } else if (cli->term.tty) {
        put_safely(&body, &cli->out);
    } else {
        buf_put(&cli->out, body.data, body.len);
    }
    return EXIT_WELL;
}
