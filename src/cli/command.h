// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

/*
 * The commands of `vherd`: one file and one row in commands.c each. Help, manual page and shell
 * completion come from the rows; what a row leaves out comes from the verb of the same name.
 */

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "net/http.h"
#include "tui/api.h"
#include "verb/deed.h"
#include "verb/verb.h"
#include "term.h"

enum {
    EXIT_WELL = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
};

#define OPERANDS_MAX 1024
#define COMMAND_OPTIONS_MAX 24
#define OPTIONS_GIVEN_MAX 64

struct option_desc {
    const char *name; /**< "socket"; NULL ends a list */
    const char *arg;  /**< "PATH"; NULL for a flag */
    const char *help;
    const char *const *values; /**< the words allowed, NULL-ended; NULL = any, of a flag none */
    bool repeated;
};

/** What an operand names, for completion. */
enum operand_kind {
    OPERAND_NONE,
    OPERAND_VM,
    OPERAND_COMMAND,
    OPERAND_WORD, /**< one of `words`, then perhaps a file */
    OPERAND_EXPR, /**< PromQL */
    OPERAND_FILE,
};

struct cli;

struct command {
    const char *name;
    const char *operand; /**< as usage shows it: "VM", "check|show [FILE]"; NULL = the verb's */
    enum operand_kind kind;
    size_t least, most;                                  /**< operands */
    const char *const *words;                            /**< of OPERAND_WORD, NULL-ended */
    const char *summary, *details;                       /**< NULL = the verb's */
    struct option_desc options[COMMAND_OPTIONS_MAX + 1]; /**< besides the verb's parameters */
    int (*run)(struct cli *cli);                         /**< returns an exit status */
    /** The first operand is a deed of this group ("vm"), whose fields are options; or NULL. */
    const char *group;
};

extern const struct command commands[];
extern const size_t commands_count;
extern const struct option_desc global_options[];

/** A command line being carried out. */
struct cli {
    const struct command *command;
    const struct deed *deed; /**< where the command has a group and the word names one */
    const char *operands[OPERANDS_MAX];
    size_t n_operands;
    struct {
        const char *name;
        const char *value; /**< "" for a flag */
    } given[OPTIONS_GIVEN_MAX];
    size_t n_given;
    struct term term;
    struct buf out;             /**< becomes standard output when the command ends */
    struct conf *conf;          /**< see cli_conf() */
    struct http_client *client; /**< see cli_get() */
    char *token;                /**< of --token-file, wiped at the end */
    int (*daemon)(const struct conf *conf, const char *config_path);
};

const struct command *command_find(const char *name);

/** The row's own text, or its verb's. */
const char *command_summary(const struct command *c);
const char *command_details(const struct command *c);
const char *command_operand(const struct command *c);

/**
 * The i-th option of a command: its verb's parameters, then its own; false past the end.
 * *ret is filled.
 */
bool command_option(const struct command *c, size_t i, struct option_desc *ret);

/** An option's last value, "" for a flag; NULL where it was not given. */
const char *cli_option(const struct cli *cli, const char *name);

/** The configuration file that applies: --config, or the default where it exists, else NULL. */
char *cli_config_path(const struct cli *cli);

/** The configuration in force, read once; NULL with `err` set. */
const struct conf *cli_conf(struct cli *cli, struct err *err);

/** Where the daemon listens, for http_client_new(); the texts live as long as `cli`. 0 or -errno.
 */
int cli_target(struct cli *cli, struct http_target *ret, char **ret_socket, struct err *err);

/** GET from the daemon, which is connected to on first use; as api_get(). */
int cli_get(struct cli *cli, const char *path, int timeout_ms, json_t **ret, struct err *err);
int cli_get_text(struct cli *cli, const char *path, int timeout_ms, struct buf *body,
                 struct err *err);

/** The client, connected to on first use; NULL with `err` set. */
struct http_client *cli_client(struct cli *cli, struct err *err);

/** POST of a form, as api_post_text(). */
int cli_post_text(struct cli *cli, const char *path, const char *form, int timeout_ms,
                  struct buf *body, struct err *err);

/** The daemon's answer to another method with a JSON body (NULL: none); as api_send(). */
int cli_send(struct cli *cli, const char *method, const char *path, const char *json,
             int timeout_ms, json_t **ret, struct err *err);

/** "vherd: message" on standard error; returns `status`. */
int cli_fail(const struct err *err, int status);
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** No command of that name; tells of a similar one. Returns EXIT_USAGE. */
int cli_no_command(const struct cli *cli, const char *word);

/** GET for a command that shows JSON or a view; a VM that is not there names similar ones. */
int cli_show(struct cli *cli, const char *path, int timeout_ms,
             void (*view)(struct cli *cli, const json_t *answer));

/** POST to the daemon; as cli_send(). */
int cli_post(struct cli *cli, const char *path, const json_t *body, int timeout_ms, json_t **ret,
             struct err *err);

/** The i-th option of a deed: its fields, then those that all have; false past the end. */
bool deed_option(const struct deed *deed, size_t i, struct option_desc *ret,
                 const struct field **ret_field);

/** A body out of the options given; NULL with `err` set. The caller owns it. */
json_t *deed_body(const struct cli *cli, const struct deed *deed, struct err *err);

/** Add a field given as "name=value" to a body; -EINVAL with a sentence. */
int deed_add_field(const struct deed *deed, const char *text, json_t *body, struct err *err);

/** Names of the VMs that operands and options (--match, --label, --all) mean; 0 or -errno. */
int select_vms(struct cli *cli, json_t *names, struct err *err);

/** The path of a deed on a VM (NULL: its path has none). Caller frees. */
char *deed_path(const struct deed *deed, const char *vm);

/** The lines of a dry run's answer: "would …". */
void deed_plan(struct cli *cli, const json_t *answer);

/** Say what became of tasks: all of `tasks` (an array) are waited for; an exit status. */
int task_wait(struct cli *cli, json_t *tasks, struct err *err);
void task_line(struct cli *cli, const json_t *task);
/** The table of `vherd list`. */
void list_table(struct cli *cli, const json_t *vms);

/** JSON text on standard output: as it is, or indented and safe on a terminal. */
void cli_put_json(struct cli *cli, const char *text, size_t len);

/** `text` indented, with every character that a terminal should not see as \uXXXX. */
void json_indent(const char *text, size_t len, struct buf *out);

int cmd_alerts(struct cli *cli);
int cmd_apply(struct cli *cli);
int cmd_audit_log(struct cli *cli);
int cmd_auto(struct cli *cli);
int cmd_completion(struct cli *cli);
int cmd_deed(struct cli *cli);
int cmd_inventory(struct cli *cli);
int cmd_task(struct cli *cli);
int cmd_console(struct cli *cli);
int cmd_config(struct cli *cli);
int cmd_daemon(struct cli *cli);
int cmd_dirty_rate(struct cli *cli);
int cmd_ack(struct cli *cli);
int cmd_events(struct cli *cli);
int cmd_notify(struct cli *cli);
int cmd_silence(struct cli *cli);
int cmd_export(struct cli *cli);
int cmd_help(struct cli *cli);
int cmd_host(struct cli *cli);
int cmd_import(struct cli *cli);
int cmd_list(struct cli *cli);
int cmd_metrics(struct cli *cli);
int cmd_query(struct cli *cli);
int cmd_plan(struct cli *cli);
int cmd_replay(struct cli *cli);
int cmd_rules(struct cli *cli);
int cmd_schedule(struct cli *cli);
int cmd_show(struct cli *cli);
int cmd_stats(struct cli *cli);
int cmd_sim(struct cli *cli);
int cmd_status(struct cli *cli);
int cmd_template(struct cli *cli);
int cmd_token(struct cli *cli);
int cmd_store(struct cli *cli);
int cmd_top(struct cli *cli);
int cmd_user(struct cli *cli);
int cmd_version(struct cli *cli);
int cmd_whoami(struct cli *cli);

/** Help of one command, or of all (NULL). */
void help_text(const struct command *c, struct buf *out);

/** Help of one deed: `vherd vm create --help`. */
void help_deed(const struct deed *deed, struct buf *out);

/** vherd(1) and the completion scripts, also for the committed copies. */
void help_manual(struct buf *out);
bool completion_script(const char *shell, struct buf *out);

#endif
