// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd user`, `vherd token`, `vherd whoami`.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/esc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "command.h"
#include "table.h"

#define TIMEOUT_MS 35000
#define PASSWORD_BYTES 1100
#define BODY_MAX (64u * 1024)

// One word of `user` or `token`: which verb, and what of the command line goes into its body.
struct action {
    const char *word;
    enum verb_id verb;
    bool needs_name;
    const char *name_member; // of the body; NULL: the name stands in the path
    const char *const *members;
    bool needs_password;
    void (*view)(struct cli *cli, const json_t *answer);
};

static void put_time(struct table *t, const json_t *row, const char *field)
{
    double s = api_number(row, field);
    char text[32] = "";
    struct tm tm;
    time_t seconds = (time_t)s;
    if (s == s && localtime_r(&seconds, &tm))
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
    table_cell(t, text, STYLE_NONE);
}

static void put_text(struct table *t, const json_t *row, const char *field)
{
    const char *text = api_text(row, field);
    table_cell(t, text ? text : "", STYLE_NONE);
}

static void view_users(struct cli *cli, const json_t *answer)
{
    static const struct table_column columns[] = {{"USER"},  {"ROLE"},     {"SCOPE"},
                                                  {"OWNER"}, {"PASSWORD"}, {"DISABLED"}};
    struct table *t = table_new(columns, ARRAY_LEN(columns));
    const json_t *users = api_list(answer, "users");
    size_t i;
    json_t *user;
    json_array_foreach(users, i, user)
    {
        put_text(t, user, "name");
        put_text(t, user, "role");
        put_text(t, user, "scope");
        put_text(t, user, "owner");
        table_cell(t, api_number(user, "password") > 0 ? "yes" : "no", STYLE_NONE);
        table_cell(t, api_number(user, "disabled") > 0 ? "yes" : "no", STYLE_NONE);
    }
    table_print(t, &cli->term, 0, &cli->out);
    table_free(t);
    if (json_array_size(users) == 0)
        buf_puts(&cli->out, cli->n_operands > 1 ? "Done.\n" : "There are no accounts.\n");
}

static void view_tokens(struct cli *cli, const json_t *answer)
{
    static const struct table_column columns[] = {{"ID"},    {"USER"},  {"NAME"},    {"ROLE"},
                                                  {"SCOPE"}, {"STATE"}, {"EXPIRES"}, {"LAST USE"}};
    struct table *t = table_new(columns, ARRAY_LEN(columns));
    const json_t *tokens = api_list(answer, "tokens");
    size_t i;
    json_t *token;
    json_array_foreach(tokens, i, token)
    {
        put_text(t, token, "id");
        put_text(t, token, "user");
        put_text(t, token, "name");
        put_text(t, token, "role");
        put_text(t, token, "scope");
        put_text(t, token, "state");
        put_time(t, token, "expires");
        put_time(t, token, "last_use");
    }
    table_print(t, &cli->term, 0, &cli->out);
    table_free(t);
    if (json_array_size(tokens) == 0)
        buf_puts(&cli->out, "There are no tokens.\n");
}

static void view_new_token(struct cli *cli, const json_t *answer)
{
    const char *token = api_text(answer, "token");
    esc_terminal(&cli->out, token ? token : "");
    buf_putc(&cli->out, '\n');
}

static void view_done(struct cli *cli, const json_t *answer)
{
    buf_puts(&cli->out, "Done.\n");
}

static const char *const new_user[] = {"role", "scope", "owner", NULL};
static const char *const changes[] = {"role", "scope", "owner", "disabled", NULL};
static const char *const new_token[] = {"user", "role", "scope", "expires", NULL};
static const char *const nothing[] = {NULL};

static const struct action user_actions[] = {
    {"list", VERB_USER_LIST, false, NULL, nothing, false, view_users},
    {"add", VERB_USER_ADD, true, "name", new_user, false, view_users},
    {"set", VERB_USER_SET, true, NULL, changes, false, view_users},
    {"remove", VERB_USER_REMOVE, true, NULL, nothing, false, view_users},
    {"password", VERB_USER_PASSWORD, true, NULL, nothing, true, view_users},
};

static const struct action token_actions[] = {
    {"list", VERB_TOKEN_LIST, false, NULL, nothing, false, view_tokens},
    {"create", VERB_TOKEN_CREATE, true, "name", new_token, false, view_new_token},
    {"revoke", VERB_TOKEN_REVOKE, true, NULL, nothing, false, view_done},
};

// Passwords

static int read_line(int fd, char ret[PASSWORD_BYTES])
{
    size_t len = 0;
    ssize_t n;
    while (len < PASSWORD_BYTES - 1 && (n = read(fd, ret + len, 1)) == 1 && ret[len] != '\n')
        len++;
    ret[len] = '\0';
    return len > 0 ? 0 : -ENODATA;
}

static int ask_once(int tty, const char *question, char ret[PASSWORD_BYTES])
{
    struct termios before, silent;
    if (tcgetattr(tty, &before) < 0)
        return -errno;
    silent = before;
    silent.c_lflag &= (tcflag_t)~ECHO;
    (void)fs_write_all(tty, question, strlen(question));
    (void)tcsetattr(tty, TCSAFLUSH, &silent);
    int r = read_line(tty, ret);
    (void)tcsetattr(tty, TCSAFLUSH, &before);
    (void)fs_write_all(tty, "\n", 1);
    return r;
}

static int ask_twice(char ret[PASSWORD_BYTES], struct err *err)
{
    char again[PASSWORD_BYTES];
    CLEANUP(closep) int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0)
        return err_set(err, ENOTTY, "there is no terminal to ask on: use --password-file");
    int r = ask_once(tty, "New password: ", ret);
    if (r == 0)
        r = ask_once(tty, "Again: ", again);
    if (r < 0)
        return err_set(err, -r, "no password was given");
    r = strcmp(ret, again) == 0 ? 0 : err_set(err, EINVAL, "the two are not the same");
    explicit_bzero(again, sizeof(again));
    return r;
}

static int read_password(const char *path, char ret[PASSWORD_BYTES], struct err *err)
{
    if (!path)
        return ask_twice(ret, err);
    bool is_input = strcmp(path, "-") == 0;
    CLEANUP(closep) int fd = is_input ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (!is_input && fd < 0)
        return err_set(err, errno, "cannot read %s: %s", path, strerror(errno));
    if (read_line(is_input ? STDIN_FILENO : fd, ret) < 0)
        return err_set(err, ENODATA, "there is no password in %s", path);
    return 0;
}

// Asking

static int write_body(struct cli *cli, const struct action *a, struct buf *out, struct err *err)
{
    struct json j;
    char password[PASSWORD_BYTES] = "";
    const char *path = cli_option(cli, "password-file");
    int r = a->needs_password || path ? read_password(path, password, err) : 0;
    json_init(&j, out);
    json_object_begin(&j);
    if (a->name_member)
        json_kv_string(&j, a->name_member, cli->operands[1]);
    for (size_t i = 0; a->members[i]; i++)
        if (cli_option(cli, a->members[i]))
            json_kv_string(&j, a->members[i], cli_option(cli, a->members[i]));
    if (*password)
        json_kv_string(&j, "password", password);
    json_object_end(&j);
    explicit_bzero(password, sizeof(password));
    return r;
}

static bool is_read(const struct action *a)
{
    return strcmp(verbs[a->verb].method, "GET") == 0;
}

// The verb's path with the name in place of {…}.
static char *path_of(const struct action *a, const char *name, bool dry)
{
    struct buf b;
    const char *path = verbs[a->verb].path, *open = strchr(path, '{');
    buf_init(&b, BODY_MAX);
    if (open) {
        buf_put(&b, path, (size_t)(open - path));
        esc_url(&b, name);
        buf_puts(&b, strchr(open, '}') + 1);
    } else {
        buf_puts(&b, path);
    }
    if (dry)
        buf_puts(&b, "?dry_run=1");
    return buf_take(&b, NULL);
}

static int carry_out(struct cli *cli, const struct action *a)
{
    struct err err = {0};
    CLEANUP(json_decrefp) json_t *answer = NULL;
    bool dry = cli_option(cli, "dry-run") && !is_read(a);
    CLEANUP(freep) char *path = path_of(a, a->needs_name ? cli->operands[1] : "", dry);
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, BODY_MAX);
    bool has_body = verbs[a->verb].takes_json;
    int r = has_body ? write_body(cli, a, &body, &err) : 0;
    if (r < 0)
        return cli_fail(&err, EXIT_USAGE);
    r = cli_send(cli, verbs[a->verb].method, path, has_body ? body.data : NULL, TIMEOUT_MS, &answer,
                 &err);
    if (body.data)
        explicit_bzero(body.data, body.len);
    if (r < 0)
        return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    if (!cli_option(cli, "json")) {
        if (dry)
            deed_plan(cli, answer);
        else
            a->view(cli, answer);
        return EXIT_WELL;
    }
    CLEANUP(freep) char *text = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (text)
        cli_put_json(cli, text, strlen(text));
    return text ? EXIT_WELL : EXIT_FAILED;
}

static int choose(struct cli *cli, const struct action *actions, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(actions[i].word, cli->operands[0]) != 0)
            continue;
        if (actions[i].needs_name != (cli->n_operands == 2))
            return cli_usage(cli, "%s %s %s", cli->command->name, actions[i].word,
                             actions[i].needs_name ? "needs a name" : "takes no name");
        return carry_out(cli, &actions[i]);
    }
    return cli_usage(cli, "%s: %s, not \"%s\"", cli->command->name, cli->command->operand,
                     cli->operands[0]);
}

int cmd_user(struct cli *cli)
{
    return choose(cli, user_actions, ARRAY_LEN(user_actions));
}

int cmd_token(struct cli *cli)
{
    return choose(cli, token_actions, ARRAY_LEN(token_actions));
}

static void view_whoami(struct cli *cli, const json_t *answer)
{
    static const char *const fields[][2] = {
        {"principal", "Principal"}, {"role", "Role"}, {"scope", "Scope"}};
    const char *limit = api_text(answer, "token_scope");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *text = api_text(answer, fields[i][0]);
        buf_printf(&cli->out, "%-10s ", fields[i][1]);
        esc_terminal(&cli->out, text ? text : "");
        buf_putc(&cli->out, '\n');
    }
    if (limit && strcmp(limit, "all") != 0) {
        buf_puts(&cli->out, "and       ");
        esc_terminal(&cli->out, limit);
        buf_putc(&cli->out, '\n');
    }
}

int cmd_whoami(struct cli *cli)
{
    return cli_show(cli, verbs[VERB_WHOAMI].path, 10000, view_whoami);
}
