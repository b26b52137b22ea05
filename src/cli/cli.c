// SPDX-License-Identifier: GPL-3.0-or-later
// The command line: options may stand before or behind the command and its operands, `--` ends
// them. One struct cli lives from main() to the exit status.
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/esc.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/similar.h"
#include "command.h"

#define OUTPUT_MAX ((size_t)1 << 30)
#define SYSTEM_SOCKET "/run/vherd/vherd.sock"

static void print_error(const char *prefix, const char *text)
{
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, 1 << 20);
    buf_puts(&line, prefix);
    esc_terminal(&line, text);
    buf_putc(&line, '\n');
    fs_write_all(STDERR_FILENO, line.data, line.len);
}

int cli_fail(const struct err *err, int status)
{
    print_error("vherd: ", err->message);
    return status;
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 16);
    char message[4096];
    va_list ap;
    va_start(ap, format);
    vsnprintf(message, sizeof(message), format, ap);
    va_end(ap);
    buf_puts(&text, message);
    if (cli->command && cli->command->kind != OPERAND_COMMAND)
        buf_printf(&text, "; see `vherd help %s`", cli->command->name);
    else
        buf_puts(&text, "; see `vherd help`");
    print_error("vherd: ", text.data);
    return EXIT_USAGE;
}

const char *cli_option(const struct cli *cli, const char *name)
{
    for (size_t i = cli->n_given; i-- > 0;)
        if (strcmp(cli->given[i].name, name) == 0)
            return cli->given[i].value;
    return NULL;
}

char *cli_config_path(const struct cli *cli)
{
    const char *given = cli_option(cli, "config");
    if (given)
        return mem_strdup(given);
    bool exists = false;
    CLEANUP(freep) char *path = conf_default_path(&exists);
    // A file that the environment names must be there.
    const char *named = getenv("VHERD_CONFIG");
    return exists || (named && *named) ? TAKE_PTR(path) : NULL;
}

const struct conf *cli_conf(struct cli *cli, struct err *err)
{
    if (cli->conf)
        return cli->conf;
    CLEANUP(freep) char *path = cli_config_path(cli);
    if (!path)
        cli->conf = conf_new();
    else if (conf_load(path, &cli->conf, err) < 0)
        return NULL;
    return cli->conf;
}

// The first line of a file that others should not be able to read.
static int read_token(struct cli *cli, const char *path, struct err *err)
{
    size_t len = 0;
    int r = fs_read_file(AT_FDCWD, path, 4096, &cli->token, &len);
    if (r < 0)
        return err_set(err, -r, "cannot read the token in %s: %s", path, strerror(-r));
    cli->token[strcspn(cli->token, "\r\n")] = '\0';
    return 0;
}

static int choose_token(struct cli *cli, struct http_target *ret, struct err *err)
{
    const char *path = cli_option(cli, "token-file"), *set = getenv("VHERD_TOKEN");
    int r = path && !cli->token ? read_token(cli, path, err) : 0;
    ret->token = cli->token;
    // On the Unix socket the caller is known already.
    if (!path && set && *set && ret->url)
        ret->token = set;
    return r;
}

int cli_target(struct cli *cli, struct http_target *ret, char **ret_socket, struct err *err)
{
    *ret = (struct http_target){.url = cli_option(cli, "server"),
                                .socket = cli_option(cli, "socket"),
                                .ca = cli_option(cli, "ca-file"),
                                .pin = cli_option(cli, "pin")};
    if (!ret->url)
        ret->url = cli_option(cli, "url");
    *ret_socket = NULL;
    int r = choose_token(cli, ret, err);
    if (r < 0 || ret->url || ret->socket)
        return r;
    const struct conf *conf = cli_conf(cli, err);
    if (!conf)
        return -EINVAL;
    *ret_socket = conf_socket_path(conf);
    // An ordinary user without a daemon of their own means the machine's.
    if (geteuid() != 0 && !*conf->web.socket && access(*ret_socket, F_OK) != 0 &&
        access(SYSTEM_SOCKET, F_OK) == 0)
        mem_strset(ret_socket, SYSTEM_SOCKET);
    ret->socket = *ret_socket;
    return 0;
}

static int open_client(struct cli *cli, struct err *err)
{
    struct http_target target;
    CLEANUP(freep) char *socket = NULL;
    if (cli->client)
        return 0;
    int r = cli_target(cli, &target, &socket, err);
    if (r == 0)
        cli->client = http_client_new(&target);
    return r;
}

int cli_get_text(struct cli *cli, const char *path, int timeout_ms, struct buf *body,
                 struct err *err)
{
    int r = open_client(cli, err);
    return r < 0 ? r : api_get_text(cli->client, path, timeout_ms, body, err);
}

int cli_post_text(struct cli *cli, const char *path, const char *form, int timeout_ms,
                  struct buf *body, struct err *err)
{
    int r = open_client(cli, err);
    return r < 0 ? r : api_post_text(cli->client, path, form, timeout_ms, body, err);
}

struct http_client *cli_client(struct cli *cli, struct err *err)
{
    return open_client(cli, err) < 0 ? NULL : cli->client;
}

int cli_get(struct cli *cli, const char *path, int timeout_ms, json_t **ret, struct err *err)
{
    int r = open_client(cli, err);
    return r < 0 ? r : api_get(cli->client, path, timeout_ms, ret, err);
}

int cli_send(struct cli *cli, const char *method, const char *path, const char *json,
             int timeout_ms, json_t **ret, struct err *err)
{
    int r = open_client(cli, err);
    return r < 0 ? r : api_send(cli->client, method, path, json, timeout_ms, ret, err);
}

int cli_post(struct cli *cli, const char *path, const json_t *body, int timeout_ms, json_t **ret,
             struct err *err)
{
    char *text = json_dumps(body, JSON_COMPACT);
    int r = cli_send(cli, "POST", path, text ? text : "{}", timeout_ms, ret, err);
    free(text);
    return r;
}

// "no VM is called …" gets the names that are nearest to it.
static void suggest_vm(struct cli *cli, struct err *err)
{
    CLEANUP(json_decrefp) json_t *answer = NULL;
    if (cli->n_operands == 0 || cli_get(cli, "/vherd/v1/vms", 5000, &answer, NULL) < 0)
        return;
    const json_t *vms = api_list(answer, "vms");
    size_t n = json_array_size(vms);
    CLEANUP(freep) const char **names = calloc(n + 1, sizeof(*names));
    for (size_t i = 0; names && i < n; i++)
        names[i] = api_text(json_array_get(vms, i), "name");
    const char *near = names ? similar_best(cli->operands[0], names, n) : NULL;
    struct err whole = *err;
    if (near)
        err_set(err, whole.code, "%s; did you mean \"%s\"?", whole.message, near);
    else
        err_set(err, whole.code, "%s; `vherd list` shows all", whole.message);
}

int cli_show(struct cli *cli, const char *path, int timeout_ms,
             void (*view)(struct cli *cli, const json_t *answer))
{
    struct err err = {0};
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, API_ANSWER_MAX);
    CLEANUP(json_decrefp) json_t *answer = NULL;
    int r = cli_get_text(cli, path, timeout_ms, &body, &err);
    if (r == -ENOENT && cli->client && cli->command->kind == OPERAND_VM)
        suggest_vm(cli, &err);
    if (r == 0)
        r = api_parse(body.data ? body.data : "", body.len, &answer, &err);
    if (r < 0)
        return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    if (cli_option(cli, "json"))
        cli_put_json(cli, body.data, body.len);
    else
        view(cli, answer);
    return EXIT_WELL;
}

void cli_put_json(struct cli *cli, const char *text, size_t len)
{
    while (len > 0 && text[len - 1] == '\n')
        len--;
    if (cli->term.tty)
        json_indent(text, len, &cli->out);
    else
        buf_put(&cli->out, text, len);
    buf_putc(&cli->out, '\n');
}

static bool find_option(const struct cli *cli, const char *name, size_t len,
                        struct option_desc *ret)
{
    for (size_t i = 0; global_options[i].name; i++)
        if (strlen(global_options[i].name) == len &&
            memcmp(global_options[i].name, name, len) == 0) {
            *ret = global_options[i];
            return true;
        }
    for (size_t i = 0; cli->command && command_option(cli->command, i, ret); i++)
        if (strlen(ret->name) == len && memcmp(ret->name, name, len) == 0)
            return true;
    const struct field *field;
    for (size_t i = 0; cli->deed && deed_option(cli->deed, i, ret, &field); i++)
        if (strlen(ret->name) == len && memcmp(ret->name, name, len) == 0)
            return true;
    return false;
}

static int unknown_option(const struct cli *cli, const char *word)
{
    const char *names[64] = {NULL};
    size_t n = 0;
    struct option_desc o;
    for (size_t i = 0; global_options[i].name; i++)
        names[n++] = global_options[i].name;
    for (size_t i = 0; cli->command && command_option(cli->command, i, &o) && n < 64; i++)
        names[n++] = o.name;
    const struct field *field;
    for (size_t i = 0; cli->deed && deed_option(cli->deed, i, &o, &field) && n < 64; i++)
        names[n++] = o.name;
    CLEANUP(freep) char *bare = mem_strndup(word, strcspn(word, "="));
    const char *near = strncmp(bare, "--", 2) == 0 ? similar_best(bare + 2, names, n) : NULL;
    if (near)
        return cli_usage(cli, "no option \"%s\"; did you mean --%s?", bare, near);
    if (cli->command && cli->command->kind == OPERAND_VM)
        return cli_usage(cli, "no option \"%s\" (a VM of that name: put -- before it)", bare);
    return cli_usage(cli, "no option \"%s\"", bare);
}

static bool is_allowed(const struct option_desc *o, const char *value)
{
    if (!o->values || strcmp(o->name, "state") == 0)
        return true;
    for (size_t i = 0; o->values[i]; i++)
        if (strcmp(o->values[i], value) == 0)
            return true;
    return false;
}

// One "--name", "--name=value" or "--name value" at argv[*at]; moves *at to its last word.
static int take_option(struct cli *cli, int argc, char **argv, int *at)
{
    const char *word = strcmp(argv[*at], "-h") == 0 ? "--help" : argv[*at];
    size_t len = strcspn(word + 2, "=");
    const char *value = word[2 + len] == '=' ? word + 2 + len + 1 : NULL;
    struct option_desc o;
    if (strncmp(word, "--", 2) != 0 || !find_option(cli, word + 2, len, &o))
        return unknown_option(cli, word);
    if (o.arg && !value && *at + 1 < argc)
        value = argv[++*at];
    if (o.arg && !value)
        return cli_usage(cli, "--%s needs a value (%s)", o.name, o.arg);
    if (!o.arg && !o.values && value)
        return cli_usage(cli, "--%s takes no value", o.name);
    if (value && !is_allowed(&o, value))
        return cli_usage(cli, "--%s cannot be \"%s\": %s", o.name, value, o.help);
    if (cli->n_given == OPTIONS_GIVEN_MAX)
        return cli_usage(cli, "too many options");
    cli->given[cli->n_given].name = o.name;
    cli->given[cli->n_given++].value = value ? value : "";
    return EXIT_WELL;
}

int cli_no_command(const struct cli *cli, const char *word)
{
    CLEANUP(freep) const char **names = calloc(commands_count + 1, sizeof(*names));
    for (size_t i = 0; names && i < commands_count; i++)
        names[i] = commands[i].name;
    const char *near = names ? similar_best(word, names, commands_count) : NULL;
    if (near)
        return cli_usage(cli, "no command \"%s\"; did you mean \"%s\"?", word, near);
    return cli_usage(cli, "no command \"%s\"", word);
}

static int take_word(struct cli *cli, const char *word)
{
    if (!cli->command) {
        cli->command = command_find(word);
        if (cli->command)
            return EXIT_WELL;
        return cli_no_command(cli, word);
    }
    if (cli->n_operands == cli->command->most)
        return cli_usage(cli, "%s takes no operand \"%s\"", cli->command->name, word);
    if (!*word)
        return cli_usage(cli, "an operand of %s is empty", cli->command->name);
    cli->operands[cli->n_operands++] = word;
    return EXIT_WELL;
}

// Which word is the command decides which options there are, so it is looked for first.
static int find_command(struct cli *cli, int argc, char **argv, int *ret_at)
{
    struct option_desc o;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--") == 0)
            break;
        if (word[0] != '-' && cli->command) {
            CLEANUP(freep) char *name = mem_printf("%s.%s", cli->command->group, word);
            cli->deed = deed_by_name(name);
            return EXIT_WELL;
        }
        if (word[0] != '-') {
            *ret_at = i;
            int status = take_word(cli, word);
            if (status != EXIT_WELL || !cli->command->group)
                return status;
            continue;
        }
        size_t len = strlen(word) > 2 ? strcspn(word + 2, "=") : 0;
        if (len > 0 && find_option(cli, word + 2, len, &o) && o.arg && word[2 + len] != '=')
            i++;
    }
    return EXIT_WELL;
}

static int read_arguments(struct cli *cli, int argc, char **argv)
{
    int command_at = 0;
    bool words_only = false;
    int status = find_command(cli, argc, argv, &command_at);
    for (int i = 1; status == EXIT_WELL && i < argc; i++) {
        if (i == command_at)
            continue;
        if (!words_only && strcmp(argv[i], "--") == 0)
            words_only = true;
        else if (!words_only && argv[i][0] == '-' && argv[i][1])
            status = take_option(cli, argc, argv, &i);
        else
            status = take_word(cli, argv[i]);
    }
    return status;
}

static int run(struct cli *cli)
{
    if (cli_option(cli, "help")) {
        if (cli->deed)
            help_deed(cli->deed, &cli->out);
        else
            help_text(cli->command, &cli->out);
        return EXIT_WELL;
    }
    if (cli_option(cli, "version"))
        return cmd_version(cli);
    if (!cli->command)
        return cli_usage(cli, "which command? list, show, top, host, status, …");
    if (cli->n_operands < cli->command->least)
        return cli_usage(cli, "%s needs an operand: %s", cli->command->name,
                         command_operand(cli->command));
    return cli->command->run(cli);
}

static int flush(struct cli *cli, int status)
{
    struct err err = {0};
    int r = cli->out.error;
    if (r == 0 && cli->out.len > 0)
        r = fs_write_all(STDOUT_FILENO, cli->out.data, cli->out.len);
    if (r == 0 || r == -EPIPE)
        return status;
    err_set(&err, -r, "cannot write the output: %s", strerror(-r));
    return cli_fail(&err, EXIT_FAILED);
}

int cli_main(int argc, char **argv, int (*daemon)(const struct conf *conf, const char *config_path))
{
    struct cli cli = {.daemon = daemon};
    buf_init(&cli.out, OUTPUT_MAX);
    int status = read_arguments(&cli, argc, argv);
    const char *color = cli_option(&cli, "color");
    term_init(&cli.term, color ? color : "auto");
    if (status == EXIT_WELL)
        status = run(&cli);
    status = flush(&cli, status);
    http_client_free(cli.client);
    conf_free(cli.conf);
    if (cli.token)
        explicit_bzero(cli.token, strlen(cli.token));
    free(cli.token);
    buf_done(&cli.out);
    return status;
}
