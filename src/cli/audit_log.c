// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd audit-log`: search, check, export.
#include <string.h>
#include <time.h>

#include "base/esc.h"
#include "base/fs.h"
#include "base/mem.h"
#include "command.h"
#include "table.h"

#include <unistd.h>

#define TIMEOUT_MS 35000
#define PAGE 1000
#define PATH_BYTES (64u * 1024)

static void put_record(struct table *t, const json_t *r)
{
    static const char *const texts[] = {"principal", "address", "verb",
                                        "object",    "result",  "detail"};
    char time_text[32] = "";
    struct tm tm;
    time_t seconds = (time_t)api_number(r, "time");
    if (localtime_r(&seconds, &tm))
        strftime(time_text, sizeof(time_text), "%Y-%m-%d %H:%M:%S", &tm);
    CLEANUP(freep) char *seq = mem_printf("%.0f", api_number(r, "seq"));
    table_cell(t, seq, STYLE_NONE);
    table_cell(t, time_text, STYLE_NONE);
    table_cell(t, api_text(r, "kind") ? api_text(r, "kind") : "", STYLE_NONE);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        table_cell(t, api_text(r, texts[i]) ? api_text(r, texts[i]) : "", STYLE_NONE);
}

// Oldest first, as a log is read.
static void view_records(struct cli *cli, const json_t *answer)
{
    static const struct table_column columns[] = {
        {"SEQ", .align = WIDTH_RIGHT},
        {"TIME"},
        {"KIND", .drop = 2},
        {"WHO"},
        {"FROM", .drop = 3, .blank = true},
        {"WHAT"},
        {"OBJECT", .least = 8, .blank = true},
        {"RESULT", .blank = true},
        {"DETAIL", .drop = 1, .least = 12, .blank = true},
    };
    struct table *t = table_new(columns, ARRAY_LEN(columns));
    const json_t *records = api_list(answer, "records");
    size_t n = json_array_size(records);
    bool newest_first = cli_option(cli, "after") == NULL;
    for (size_t i = 0; i < n; i++)
        put_record(t, json_array_get(records, newest_first ? n - 1 - i : i));
    table_print(t, &cli->term, 0, &cli->out);
    table_free(t);
    if (n == 0)
        buf_puts(&cli->out, "There is no such record.\n");
}

static char *search_path(const struct cli *cli)
{
    struct buf b;
    char before = '?';
    buf_init(&b, PATH_BYTES);
    buf_puts(&b, verbs[VERB_AUDIT_LIST].path);
    for (const struct verb_param *p = verbs[VERB_AUDIT_LIST].params; p->name; p++) {
        const char *value = cli_option(cli, p->name);
        if (!value)
            continue;
        buf_printf(&b, "%c%s=", before, p->name);
        esc_url(&b, value);
        before = '&';
    }
    return buf_take(&b, NULL);
}

// Page by page, so that a log of any length passes.
static int export_all(struct cli *cli)
{
    struct err err = {0};
    for (json_int_t after = 0;;) {
        CLEANUP(json_decrefp) json_t *answer = NULL;
        CLEANUP(freep)
        char *path = mem_printf("%s?after=%lld&limit=%d", verbs[VERB_AUDIT_LIST].path,
                                (long long)after, PAGE);
        if (cli_get(cli, path, TIMEOUT_MS, &answer, &err) < 0)
            return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
        const json_t *records = api_list(answer, "records");
        size_t i;
        json_t *r;
        json_array_foreach(records, i, r)
        {
            CLEANUP(freep) char *line = json_dumps(r, JSON_COMPACT | JSON_REAL_PRECISION(17));
            buf_puts(&cli->out, line ? line : "");
            buf_putc(&cli->out, '\n');
            after = json_integer_value(json_object_get(r, "seq"));
        }
        if (fs_write_all(STDOUT_FILENO, cli->out.data ? cli->out.data : "", cli->out.len) < 0)
            return EXIT_FAILED;
        buf_reset(&cli->out);
        if (json_array_size(records) < PAGE)
            return EXIT_WELL;
    }
}

static int verify(struct cli *cli)
{
    struct err err = {0};
    struct buf path;
    CLEANUP(json_decrefp) json_t *answer = NULL;
    const char *head = cli_option(cli, "head");
    buf_init(&path, PATH_BYTES);
    buf_puts(&path, verbs[VERB_AUDIT_VERIFY].path);
    if (head) {
        buf_puts(&path, "?head=");
        esc_url(&path, head);
    }
    int r = cli_get(cli, path.data, TIMEOUT_MS, &answer, &err);
    buf_done(&path);
    if (r < 0)
        return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    bool whole = json_is_true(json_object_get(answer, "whole"));
    CLEANUP(freep) char *text = json_dumps(answer, JSON_COMPACT);
    const char *last = api_text(answer, "head"), *message = api_text(answer, "message");
    if (cli_option(cli, "json") && text) {
        cli_put_json(cli, text, strlen(text));
    } else if (whole) {
        buf_printf(&cli->out,
                   "%.0f records, none was changed. Head: ", api_number(answer, "records"));
        esc_terminal(&cli->out, last ? last : "none");
        buf_putc(&cli->out, '\n');
    } else {
        buf_puts(&cli->out, "The audit log was tampered with or damaged: ");
        esc_terminal(&cli->out, message ? message : "");
        buf_putc(&cli->out, '\n');
    }
    return whole ? EXIT_WELL : EXIT_FAILED;
}

int cmd_audit_log(struct cli *cli)
{
    if (cli_option(cli, "verify"))
        return verify(cli);
    if (cli_option(cli, "head"))
        return cli_usage(cli, "--head belongs to --verify");
    if (cli_option(cli, "export"))
        return export_all(cli);
    CLEANUP(freep) char *path = search_path(cli);
    return cli_show(cli, path, TIMEOUT_MS, view_records);
}
