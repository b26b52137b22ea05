// SPDX-License-Identifier: GPL-3.0-or-later
// Completion scripts, out of the tables. VM names are asked of the daemon while completing.
#include <string.h>

#include "base/mem.h"
#include "command.h"

static void put_words(const char *const *words, const char *between, struct buf *out)
{
    for (size_t i = 0; words[i]; i++)
        buf_printf(out, "%s%s", i ? between : "", words[i]);
}

static void put_command_names(const char *between, struct buf *out)
{
    for (size_t i = 0; i < commands_count; i++)
        buf_printf(out, "%s%s", i ? between : "", commands[i].name);
}

static bool next_option(const struct command *c, size_t i, struct option_desc *ret)
{
    size_t n = 0;
    while (command_option(c, n, ret) && n < i)
        n++;
    if (command_option(c, i, ret))
        return true;
    *ret = global_options[i - n];
    return ret->name != NULL;
}

// The i-th deed of a command's group, as its word there; NULL past the end.
static const struct deed *next_deed(const struct command *c, size_t *i, const char **ret_word)
{
    size_t len = c->group ? strlen(c->group) : 0;
    for (; c->group && *i < DEED_MAX; ++*i) {
        const struct deed *d = &deeds[*i];
        if (strncmp(d->name, c->group, len) == 0 && d->name[len] == '.') {
            *ret_word = d->name + len + 1;
            ++*i;
            return d;
        }
    }
    return NULL;
}

static bool takes_file(const struct option_desc *o)
{
    return strcmp(o->arg, "PATH") == 0 || strcmp(o->arg, "FILE") == 0;
}

static void bash_value(const struct option_desc *o, struct buf *out)
{
    if (!o->arg)
        return;
    buf_printf(out, "        --%s) ", o->name);
    if (o->values) {
        buf_puts(out, "_vherd_words $'");
        put_words(o->values, "\\n", out);
        buf_puts(out, "'; return ;;\n");
    } else {
        buf_printf(out, "%s return ;;\n",
                   takes_file(o) ? "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\");" : "");
    }
}

static void bash_values(const struct command *c, struct buf *out)
{
    struct option_desc o;
    buf_puts(out, "        case $prev in\n");
    for (size_t i = 0; next_option(c, i, &o); i++)
        bash_value(&o, out);
    buf_puts(out, "        esac\n");
}

// What the deed takes besides the command's options.
static void bash_deeds(const struct command *c, struct buf *out)
{
    const struct field *field;
    struct option_desc o;
    const struct deed *d;
    const char *word;
    size_t at = 0;
    buf_puts(out, "        case ${COMP_WORDS[2]} in\n");
    while ((d = next_deed(c, &at, &word))) {
        buf_printf(out, "        %s)\n        case $prev in\n", word);
        for (size_t i = 0; deed_option(d, i, &o, &field); i++)
            bash_value(&o, out);
        buf_puts(out, "        esac\n        [[ $cur == -* ]] && _vherd_words $'");
        for (size_t i = 0; deed_option(d, i, &o, &field); i++)
            buf_printf(out, "%s--%s", i ? "\\n" : "", o.name);
        buf_puts(out, "' ;;\n");
    }
    buf_puts(out, "        esac\n");
}

static void bash_operands(const struct command *c, struct buf *out)
{
    static const char *const lines[] = {
        [OPERAND_NONE] = "        :\n",
        [OPERAND_VM] = "        _vherd_words \"$(vherd list --names 2>/dev/null)\"\n",
        [OPERAND_EXPR] = "        _vherd_expression\n",
        [OPERAND_COMMAND] = "        _vherd_words \"$commands\"\n",
        [OPERAND_FILE] = "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n",
        [OPERAND_WORD] = NULL,
    };
    if (lines[c->kind]) {
        buf_puts(out, lines[c->kind]);
        return;
    }
    buf_puts(out, "        if ((COMP_CWORD == 2)); then _vherd_words $'");
    put_words(c->words, "\\n", out);
    if (c->group)
        buf_puts(out, "'\n        else _vherd_words \"$(vherd list --names 2>/dev/null)\"; fi\n");
    else
        buf_puts(out, "'\n        else mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); fi\n");
}

static void bash_command(const struct command *c, struct buf *out)
{
    struct option_desc o;
    buf_printf(out, "    %s)\n", c->name);
    bash_values(c, out);
    if (c->group)
        bash_deeds(c, out);
    buf_puts(out, "        if [[ $cur == -* ]]; then _vherd_words $'");
    for (size_t i = 0; next_option(c, i, &o); i++)
        buf_printf(out, "%s--%s", i ? "\\n" : "", o.name);
    buf_puts(out, "'; return; fi\n");
    bash_operands(c, out);
    buf_puts(out, "        ;;\n");
}

static void bash_script(struct buf *out)
{
    buf_puts(out, "# bash completion for vherd, written by docgen out of the program's tables.\n"
                  "_vherd_words() {\n"
                  "    local word\n"
                  "    while IFS= read -r word; do\n"
                  "        [[ -n $word && $word == \"$cur\"* ]] &&\n"
                  "            COMPREPLY+=(\"$(printf %q \"$word\")\")\n"
                  "    done <<<\"$1\"\n"
                  "}\n"
                  "_vherd_expression() {\n"
                  "    compopt -o nospace 2>/dev/null\n"
                  "    mapfile -t COMPREPLY < <(vherd query --complete \"$cur\" 2>/dev/null)\n"
                  "}\n"
                  "_vherd() {\n"
                  "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                  "    local commands=$'");
    put_command_names("\\n", out);
    buf_puts(out, "'\n    COMPREPLY=()\n    if ((COMP_CWORD == 1)); then _vherd_words "
                  "\"$commands\"; return; fi\n    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < commands_count; i++)
        bash_command(&commands[i], out);
    buf_puts(out, "    esac\n}\ncomplete -F _vherd vherd\n");
}

// Text within single quotes of zsh and fish.
static void put_quoted(const char *text, const char *special, struct buf *out)
{
    for (; *text; text++) {
        if (*text == '\'')
            buf_puts(out, "'\\''");
        else if (strchr(special, *text))
            buf_printf(out, "\\%c", *text);
        else
            buf_putc(out, *text);
    }
}

static void zsh_option(const struct option_desc *o, struct buf *out)
{
    buf_printf(out, " \\\n            '%s--%s[", o->repeated ? "*" : "", o->name);
    put_quoted(o->help, "[]:\\", out);
    buf_puts(out, "]");
    if (o->arg && o->values) {
        buf_printf(out, ":%s:(", o->arg);
        for (size_t i = 0; o->values[i]; i++) {
            buf_puts(out, i ? " " : "");
            put_quoted(o->values[i], " \\", out);
        }
        buf_putc(out, ')');
    } else if (o->arg) {
        buf_printf(out, ":%s:%s", o->arg, takes_file(o) ? "_files" : "");
    }
    buf_putc(out, '\'');
}

static void zsh_deeds(const struct command *c, struct buf *out)
{
    const struct field *field;
    struct option_desc o;
    const struct deed *d;
    const char *word;
    size_t at = 0;
    buf_puts(out, "            case ${words[2]} in\n");
    while ((d = next_deed(c, &at, &word))) {
        buf_printf(out, "            %s) options=(", word);
        for (size_t i = 0; deed_option(d, i, &o, &field); i++)
            zsh_option(&o, out);
        buf_puts(out, ") ;;\n");
    }
    buf_puts(out, "            esac\n");
}

static void zsh_command(const struct command *c, struct buf *out)
{
    struct option_desc o;
    buf_printf(out, "        %s)\n", c->name);
    if (c->group)
        zsh_deeds(c, out);
    buf_printf(out, "            _arguments%s", c->group ? " \"${options[@]}\"" : "");
    for (size_t i = 0; next_option(c, i, &o); i++)
        zsh_option(&o, out);
    if (c->kind == OPERAND_VM)
        buf_puts(out, " \\\n            '1:VM:_vherd_vms'");
    if (c->kind == OPERAND_COMMAND)
        buf_puts(out, " \\\n            '1:command:_vherd_commands'");
    if (c->kind == OPERAND_EXPR)
        buf_puts(out, " \\\n            '1:expression:_vherd_expression'");
    if (c->kind == OPERAND_FILE)
        buf_puts(out, " \\\n            '*:file:_files'");
    if (c->kind == OPERAND_WORD) {
        buf_puts(out, " \\\n            '1:what:(");
        put_words(c->words, " ", out);
        const char *rest = c->group      ? " \\\n            '*:VM:_vherd_vms'"
                           : c->most > 1 ? " \\\n            '2:file:_files'"
                                         : "";
        buf_printf(out, ")'%s", rest);
    }
    buf_puts(out, "\n            ;;\n");
}

static void zsh_script(struct buf *out)
{
    buf_puts(out, "#compdef vherd\n"
                  "# zsh completion for vherd, written by docgen out of the program's tables.\n"
                  "_vherd_vms() {\n    local -a names\n"
                  "    names=(\"${(@f)$(vherd list --names 2>/dev/null)}\")\n"
                  "    compadd -a names\n}\n"
                  "_vherd_expression() {\n    local -a names\n"
                  "    names=(\"${(@f)$(vherd query --complete \"$PREFIX\" 2>/dev/null)}\")\n"
                  "    compadd -S '' -a names\n}\n"
                  "_vherd_commands() {\n    local -a names\n    names=(\n");
    for (size_t i = 0; i < commands_count; i++) {
        buf_printf(out, "        '%s:", commands[i].name);
        put_quoted(command_summary(&commands[i]), ":\\", out);
        buf_puts(out, "'\n");
    }
    buf_puts(out, "    )\n    _describe command names\n}\n"
                  "_vherd() {\n"
                  "    if ((CURRENT == 2)); then _vherd_commands; return; fi\n"
                  "    local command=${words[2]}\n    local -a options\n"
                  "    shift words\n    ((CURRENT--))\n"
                  "    case $command in\n");
    for (size_t i = 0; i < commands_count; i++)
        zsh_command(&commands[i], out);
    buf_puts(out, "    esac\n}\n_vherd \"$@\"\n");
}

static void fish_option(const char *condition, const struct option_desc *o, struct buf *out)
{
    buf_printf(out, "complete -c vherd%s -l %s", condition, o->name);
    if (o->arg)
        buf_puts(out, takes_file(o) ? " -r -F" : " -x");
    if (o->values) {
        buf_puts(out, " -a '");
        for (size_t i = 0; o->values[i]; i++) {
            buf_puts(out, i ? " " : "");
            put_quoted(o->values[i], " ", out);
        }
        buf_putc(out, '\'');
    }
    buf_puts(out, " -d '");
    put_quoted(o->help, "\\", out);
    buf_puts(out, "'\n");
}

static void fish_deeds(const struct command *c, struct buf *out)
{
    const struct field *field;
    struct option_desc o;
    const struct deed *d;
    const char *word;
    size_t at = 0;
    while ((d = next_deed(c, &at, &word))) {
        CLEANUP(freep)
        char *seen = mem_printf(" -n '__fish_seen_subcommand_from %s; and "
                                "__fish_seen_subcommand_from %s'",
                                c->name, word);
        for (size_t i = 0; deed_option(d, i, &o, &field); i++)
            fish_option(seen, &o, out);
    }
}

static void fish_command(const struct command *c, struct buf *out)
{
    struct option_desc o;
    CLEANUP(freep) char *seen = mem_printf(" -n '__fish_seen_subcommand_from %s'", c->name);
    buf_printf(out, "complete -c vherd -n __fish_use_subcommand -a %s -d '", c->name);
    put_quoted(command_summary(c), "\\", out);
    buf_puts(out, "'\n");
    for (size_t i = 0; command_option(c, i, &o); i++)
        fish_option(seen, &o, out);
    fish_deeds(c, out);
    if (c->kind == OPERAND_VM)
        buf_printf(out, "complete -c vherd%s -a '(vherd list --names 2>/dev/null)'\n", seen);
    if (c->kind == OPERAND_EXPR)
        buf_printf(out,
                   "complete -c vherd%s -a '(vherd query --complete (commandline -ct) "
                   "2>/dev/null)'\n",
                   seen);
    if (c->kind == OPERAND_FILE)
        buf_printf(out, "complete -c vherd%s -F\n", seen);
    if (c->kind == OPERAND_WORD) {
        buf_printf(out, "complete -c vherd%s%s -a '", seen, c->most > 1 && !c->group ? " -F" : "");
        put_words(c->words, " ", out);
        buf_puts(out, "'\n");
        if (c->group)
            buf_printf(out, "complete -c vherd%s -a '(vherd list --names 2>/dev/null)'\n", seen);
    }
    if (c->kind == OPERAND_COMMAND) {
        buf_printf(out, "complete -c vherd%s -a '", seen);
        put_command_names(" ", out);
        buf_puts(out, "'\n");
    }
}

static void fish_script(struct buf *out)
{
    buf_puts(out, "# fish completion for vherd, written by docgen out of the program's tables.\n"
                  "complete -c vherd -f\n");
    for (size_t i = 0; global_options[i].name; i++)
        fish_option("", &global_options[i], out);
    for (size_t i = 0; i < commands_count; i++)
        fish_command(&commands[i], out);
}

static const struct {
    const char *shell;
    void (*write)(struct buf *out);
} scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

bool completion_script(const char *shell, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        if (strcmp(scripts[i].shell, shell) == 0) {
            scripts[i].write(out);
            return true;
        }
    return false;
}

int cmd_completion(struct cli *cli)
{
    if (!completion_script(cli->operands[0], &cli->out))
        return cli_usage(cli, "no completion for \"%s\": bash, zsh or fish", cli->operands[0]);
    return EXIT_WELL;
}
