// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd events`: what happened, and what happens from now on.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/esc.h"
#include "base/fs.h"
#include "base/mem.h"
#include "command.h"
#include "table.h"

#define TIMEOUT_MS 35000
#define IDLE_MS 35000
#define LINE_MAX_BYTES (1u << 20)
#define PATH_BYTES (64u * 1024)
#define PAUSE_S 1

static const char *text_or_none(const json_t *event, const char *key)
{
    const char *text = api_text(event, key);
    return text ? text : "";
}

static void put_time(const json_t *event, char *out, size_t size)
{
    struct tm tm;
    double at = api_number(event, "time");
    time_t seconds = (time_t)at;
    *out = '\0';
    if (!localtime_r(&seconds, &tm))
        return;
    size_t n = strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(out + n, size - n, ".%03d", (int)((at - (double)seconds) * 1000) % 1000);
}

static void view_events(struct cli *cli, const json_t *answer)
{
    static const struct table_column columns[] = {
        {"TIME"},
        {"KIND", .drop = 2},
        {"EVENT", .drop = 1},
        {"REASON", .drop = 1, .blank = true},
        {"WHAT", .least = 20, .blank = true},
    };
    struct table *t = table_new(columns, ARRAY_LEN(columns));
    const json_t *events = api_list(answer, "events");
    size_t n = json_array_size(events);
    // As a log is read: the newest last.
    bool newest_first = cli_option(cli, "after") == NULL;
    for (size_t i = 0; i < n; i++) {
        const json_t *e = json_array_get(events, newest_first ? n - 1 - i : i);
        char time_text[48];
        put_time(e, time_text, sizeof(time_text));
        table_cell(t, time_text, STYLE_NONE);
        table_cell(t, text_or_none(e, "kind"), STYLE_NONE);
        table_cell(t, text_or_none(e, "event"), STYLE_NONE);
        table_cell(t, text_or_none(e, "reason"), STYLE_NONE);
        table_cell(t, text_or_none(e, "text"), STYLE_NONE);
    }
    table_print(t, &cli->term, 0, &cli->out);
    table_free(t);
    if (n == 0)
        buf_puts(&cli->out, "There is no such event.\n");
}

static char *make_path(const struct cli *cli, long long after)
{
    struct buf b;
    char before = '?';
    buf_init(&b, PATH_BYTES);
    buf_puts(&b, verbs[VERB_EVENTS].path);
    for (const struct verb_param *p = verbs[VERB_EVENTS].params; p->name; p++) {
        const char *value = cli_option(cli, p->name);
        bool is_place = strcmp(p->name, "after") == 0 || strcmp(p->name, "since") == 0;
        if (!value || (is_place && after >= 0))
            continue;
        buf_printf(&b, "%c%s=", before, p->name);
        esc_url(&b, p->type == VERB_TYPE_FLAG ? "1" : value);
        before = '&';
    }
    if (after >= 0)
        buf_printf(&b, "%cafter=%lld", before, after);
    return buf_take(&b, NULL);
}

// A stream being read: server-sent events, line by line.
struct following {
    struct cli *cli;
    struct buf line;
    long long last; // number of the last event shown, -1: none
};

static int show(struct following *f, const char *text, size_t len)
{
    struct buf *out = &f->cli->out;
    CLEANUP(json_decrefp) json_t *e = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(e))
        return -EPROTO;
    f->last = (long long)json_integer_value(json_object_get(e, "seq"));
    if (cli_option(f->cli, "json")) {
        buf_put(out, text, len);
    } else {
        char time_text[48];
        put_time(e, time_text, sizeof(time_text));
        buf_printf(out, "%s  %-9s  ", time_text, text_or_none(e, "kind"));
        esc_terminal(out, text_or_none(e, "text"));
    }
    buf_putc(out, '\n');
    int r = fs_write_all(STDOUT_FILENO, out->data, out->len);
    buf_reset(out);
    return r;
}

static int take_line(struct following *f)
{
    static const char mark[] = "data: ";
    size_t skip = sizeof(mark) - 1;
    int r = 0;
    if (f->line.len > skip && memcmp(f->line.data, mark, skip) == 0)
        r = show(f, f->line.data + skip, f->line.len - skip);
    buf_reset(&f->line);
    return r;
}

static int take(void *arg, const char *data, size_t len)
{
    struct following *f = arg;
    int r = 0;
    for (size_t i = 0; i < len && r == 0; i++) {
        if (data[i] == '\n')
            r = take_line(f);
        else
            buf_putc(&f->line, data[i]);
        if (f->line.error)
            r = f->line.error;
    }
    return r;
}

// Until somebody ends it. A daemon that is away is waited for once it was there.
static int follow(struct cli *cli)
{
    struct following f = {.cli = cli, .last = -1};
    struct err err = {0};
    bool was_there = false;
    buf_init(&f.line, LINE_MAX_BYTES);
    for (;;) {
        CLEANUP(freep) char *path = make_path(cli, f.last);
        struct http_client *client = cli_client(cli, &err);
        int r = client ? api_get_stream(client, path, IDLE_MS, take, &f, &err) : -err.code;
        was_there |= r == 0 || r == -EIO || f.last >= 0;
        if (r == -EPIPE || r == -EPROTO || !was_there)
            break;
        buf_reset(&f.line);
        sleep(PAUSE_S);
    }
    buf_done(&f.line);
    return cli_fail(&err, EXIT_FAILED);
}

int cmd_events(struct cli *cli)
{
    if (cli_option(cli, "follow"))
        return follow(cli);
    CLEANUP(freep) char *path = make_path(cli, -1);
    return cli_show(cli, path, TIMEOUT_MS, view_events);
}
