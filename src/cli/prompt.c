// SPDX-License-Identifier: GPL-3.0-or-later
// The interactive `vherd query`: libedit for the line, its history in XDG's state folder.
#include <errno.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/esc.h"
#include "base/fs.h"
#include "base/mem.h"
#include "query.h"

#define HISTORY_LINES 1000
#define LISTED_MAX 200

struct prompt {
    struct cli *cli;
    struct query_settings *settings;
    EditLine *el;
    History *history;
    char *file; // of the history, NULL where there is no place for it
    bool done;
};

static const char help[] =
    "An expression in PromQL is evaluated; Tab completes metrics, labels, functions.\n"
    "  .range 1h     over a range of time (.range off: at one time)\n"
    "  .step 15s     its resolution (.step auto)\n"
    "  .plot  .table  .csv  .json   how answers are shown\n"
    "  .help  .quit\n";

static char *prompt_text(EditLine *el)
{
    static char text[] = "vherd> ";
    return text;
}

// ~/.local/state/vherd/query_history; folders that are missing are made, for the user only.
static char *history_file(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    CLEANUP(freep) char *base = NULL;
    if (state && state[0] == '/')
        base = mem_strdup(state);
    else if (home && home[0] == '/')
        base = mem_printf("%s/.local/state", home);
    else
        return NULL;
    CLEANUP(freep) char *directory = mem_printf("%s/vherd", base);
    for (char *p = directory + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char end = *p;
        *p = '\0';
        if (mkdir(directory, 0700) < 0 && errno != EEXIST)
            return NULL;
        *p = end;
        if (end == '\0')
            break;
    }
    return mem_printf("%s/query_history", directory);
}

// The longest text that all candidates begin with.
static size_t common_length(char *const *candidates, size_t n)
{
    size_t len = strlen(candidates[0]);
    for (size_t i = 1; i < n; i++) {
        size_t k = 0;
        while (k < len && candidates[0][k] == candidates[i][k])
            k++;
        len = k;
    }
    return len;
}

static void list_candidates(struct prompt *p, char *const *candidates, size_t n, size_t word)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    buf_putc(&out, '\n');
    for (size_t i = 0; i < MIN_OF(n, (size_t)LISTED_MAX); i++) {
        buf_puts(&out, "  ");
        esc_terminal(&out, candidates[i] + word);
        buf_putc(&out, '\n');
    }
    if (n > LISTED_MAX)
        buf_printf(&out, "  and %zu more\n", n - LISTED_MAX);
    fs_write_all(STDOUT_FILENO, out.data, out.len);
}

static unsigned char on_tab(EditLine *el, int ch)
{
    struct prompt *p = NULL;
    el_get(el, EL_CLIENTDATA, &p);
    const LineInfo *line = el_line(el);
    size_t len = (size_t)(line->cursor - line->buffer), word = 0, n = 0;
    CLEANUP(freep) char *text = mem_strndup(line->buffer, len);
    char **candidates = query_complete(p->cli, text, len, &word, &n);
    unsigned char result = CC_ERROR;
    if (n > 0) {
        size_t common = common_length(candidates, n);
        if (common > len) {
            char *more = candidates[0] + len;
            more[common - len] = '\0';
            result = el_insertstr(el, more) == 0 ? CC_REFRESH : CC_ERROR;
        } else if (n > 1) {
            list_candidates(p, candidates, n, word);
            result = CC_REDISPLAY;
        }
    }
    for (size_t i = 0; i < n; i++)
        free(candidates[i]);
    free(candidates);
    return result;
}

static void set_range(struct prompt *p, const char *argument)
{
    double seconds = 0;
    bool off = strcmp(argument, "off") == 0;
    if (!off && (query_duration(argument, &seconds) < 0 || seconds <= 0))
        buf_puts(&p->cli->out, "a duration such as 1h, or off\n");
    else
        p->settings->range = seconds;
}

static void set_step(struct prompt *p, const char *argument)
{
    double seconds = 0;
    bool is_auto = strcmp(argument, "auto") == 0;
    if (!is_auto && (query_duration(argument, &seconds) < 0 || seconds <= 0))
        buf_puts(&p->cli->out, "a duration such as 15s, or auto\n");
    else
        p->settings->step = seconds;
}

static void set_table(struct prompt *p, const char *argument)
{
    p->settings->view = QUERY_TABLE;
}

static void set_csv(struct prompt *p, const char *argument)
{
    p->settings->view = QUERY_CSV;
}

static void set_json(struct prompt *p, const char *argument)
{
    p->settings->view = QUERY_JSON;
}

static void set_plot(struct prompt *p, const char *argument)
{
    p->settings->view = QUERY_PLOT;
    if (!(p->settings->range > 0))
        p->settings->range = 3600;
}

static void show_help(struct prompt *p, const char *argument)
{
    buf_puts(&p->cli->out, help);
}

static void quit(struct prompt *p, const char *argument)
{
    p->done = true;
}

static const struct {
    const char *name;
    void (*run)(struct prompt *p, const char *argument);
} settings[] = {
    {".range", set_range}, {".step", set_step}, {".table", set_table}, {".csv", set_csv},
    {".json", set_json},   {".plot", set_plot}, {".help", show_help},  {".quit", quit},
};

static void change_setting(struct prompt *p, const char *line)
{
    size_t n = strcspn(line, " ");
    const char *argument = line + n + strspn(line + n, " ");
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        if (strlen(settings[i].name) == n && strncmp(settings[i].name, line, n) == 0) {
            settings[i].run(p, argument);
            return;
        }
    }
    buf_puts(&p->cli->out, help);
}

static void take_line(struct prompt *p, const char *line)
{
    struct cli *cli = p->cli;
    struct err err = {0};
    if (line[0] == '.' && line[1] >= 'a')
        change_setting(p, line);
    else if (query_show(cli, p->settings, line, &err) < 0)
        cli_fail(&err, EXIT_FAILED);
    if (cli->out.len > 0)
        fs_write_all(STDOUT_FILENO, cli->out.data, cli->out.len);
    buf_reset(&cli->out);
}

static void remember(struct prompt *p, const char *line)
{
    HistEvent event;
    history(p->history, &event, H_ENTER, line);
    if (p->file)
        history(p->history, &event, H_SAVE, p->file);
}

static void open_history(struct prompt *p)
{
    HistEvent event;
    p->history = history_init();
    history(p->history, &event, H_SETSIZE, HISTORY_LINES);
    history(p->history, &event, H_SETUNIQUE, 1);
    p->file = history_file();
    if (p->file)
        history(p->history, &event, H_LOAD, p->file);
}

static int open_line(struct prompt *p)
{
    p->el = el_init("vherd", stdin, stdout, stderr);
    if (!p->el)
        return -EIO;
    el_set(p->el, EL_CLIENTDATA, p);
    el_set(p->el, EL_PROMPT, prompt_text);
    el_set(p->el, EL_EDITOR, "emacs");
    el_set(p->el, EL_HIST, history, p->history);
    el_set(p->el, EL_SIGNAL, 1);
    el_set(p->el, EL_ADDFN, "vherd-complete", "complete names", on_tab);
    el_set(p->el, EL_BIND, "^I", "vherd-complete", NULL);
    el_set(p->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    return 0;
}

int query_prompt(struct cli *cli, struct query_settings *query_settings)
{
    struct prompt p = {.cli = cli, .settings = query_settings};
    struct err err = {0};
    mode_t before = umask(0077);
    open_history(&p);
    int r = open_line(&p);
    if (r < 0)
        err_set(&err, -r, "there is no terminal to ask on");
    int n = 0;
    const char *line;
    while (r == 0 && !p.done && (line = el_gets(p.el, &n)) && n > 0) {
        CLEANUP(freep) char *text = mem_strndup(line, strcspn(line, "\n"));
        char *start = text + strspn(text, " \t");
        if (!*start)
            continue;
        remember(&p, start);
        take_line(&p, start);
    }
    if (p.el)
        el_end(p.el);
    history_end(p.history);
    free(p.file);
    umask(before);
    return r < 0 ? cli_fail(&err, EXIT_FAILED) : EXIT_WELL;
}
