// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd import`: samples from files into the daemon's store.
#include "import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "command.h"

#define TIMEOUT_MS 120000
#define REQUEST_BYTES ((size_t)8 << 20)

struct importing {
    struct cli *cli;
    struct import_sums sums;
};

static int send_text(void *arg, const struct buf *text, struct err *err)
{
    struct importing *x = arg;
    struct http_client *client = cli_client(x->cli, err);
    if (!client)
        return -err->code;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, API_ANSWER_MAX);
    CLEANUP(freep)
    char *path = mem_printf("%s%s", verbs[VERB_IMPORT].path,
                            cli_option(x->cli, "dry-run") ? "?dry_run=true" : "");
    int r = api_post_body(client, path, "application/openmetrics-text", text->data, text->len,
                          TIMEOUT_MS, &body, err);
    CLEANUP(json_decrefp) json_t *answer = NULL;
    if (r == 0)
        r = api_parse(body.data ? body.data : "", body.len, &answer, err);
    if (r < 0)
        return r;
    struct import_sums *s = &x->sums;
    s->samples += (uint64_t)api_number(answer, "samples");
    s->refused += (uint64_t)api_number(answer, "refused");
    s->late += (uint64_t)api_number(answer, "late");
    s->duplicate += (uint64_t)api_number(answer, "duplicate");
    const char *reason = api_text(answer, "reason");
    if (reason && !*s->reason)
        snprintf(s->reason, sizeof(s->reason), "%s", reason);
    return 0;
}

static void put_sums(struct cli *cli, const struct import_sums *s)
{
    struct buf *out = &cli->out;
    uint64_t other = s->refused - s->late - s->duplicate;
    if (cli_option(cli, "json")) {
        buf_printf(out, "{\"samples\":%llu,\"refused\":%llu,\"late\":%llu,\"duplicate\":%llu}\n",
                   (unsigned long long)s->samples, (unsigned long long)s->refused,
                   (unsigned long long)s->late, (unsigned long long)s->duplicate);
        return;
    }
    buf_printf(out, "%llu samples %simported\n", (unsigned long long)s->samples,
               cli_option(cli, "dry-run") ? "would be " : "");
    if (s->late > 0)
        buf_printf(out, "%llu refused: older than anything that is kept, or ahead of the clock\n",
                   (unsigned long long)s->late);
    if (s->duplicate > 0)
        buf_printf(out, "%llu refused: there is a sample of that time already\n",
                   (unsigned long long)s->duplicate);
    if (other > 0)
        buf_printf(out, "%llu refused: %s\n", (unsigned long long)other,
                   *s->reason ? s->reason : "for other reasons");
}

// Files are sent in order of their first sample.
static void sort(struct history **h, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct history *moved = h[i];
        size_t k = i;
        for (; k > 0 && history_start_ms(h[k - 1]) > history_start_ms(moved); k--)
            h[k] = h[k - 1];
        h[k] = moved;
    }
}

int cmd_import(struct cli *cli)
{
    struct history *h[OPERANDS_MAX] = {NULL};
    struct importing x = {.cli = cli};
    struct err err = {0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < cli->n_operands; i++)
        r = history_open(cli->operands[i], &h[i], &err);
    int status = r < 0 ? EXIT_USAGE : EXIT_FAILED;
    if (r == 0)
        sort(h, cli->n_operands);
    for (size_t i = 0; r == 0 && i < cli->n_operands; i++)
        r = import_send_history(h[i], REQUEST_BYTES, send_text, &x, &err);
    for (size_t i = 0; i < cli->n_operands; i++)
        history_free(h[i]);
    if (r == 0 || x.sums.samples > 0)
        put_sums(cli, &x.sums);
    if (r < 0)
        return cli_fail(&err, status);
    return x.sums.refused > 0 ? EXIT_FAILED : EXIT_WELL;
}
