// SPDX-License-Identifier: GPL-3.0-or-later
// Help and manual page, out of the tables.
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "command.h"
#include "version.h"

#define USAGE_OPTIONS_MAX 50

static const char intro[] =
    "vherd watches the virtual machines of this libvirt host each second, and goes\n"
    "on when libvirt or a VM does not answer.\n";

static void put_option(const struct option_desc *o, struct buf *out)
{
    CLEANUP(freep)
    char *name = mem_printf("--%s%s%s", o->name,
                            o->arg      ? " "
                            : o->values ? "[=no]"
                                        : "",
                            o->arg ? o->arg : "");
    buf_printf(out, "  %-17s %s\n", name, o->help);
}

static void put_global_options(struct buf *out)
{
    buf_puts(out, "\nOptions everywhere:\n");
    for (size_t i = 0; global_options[i].name; i++)
        put_option(&global_options[i], out);
}

static void put_usage_options(const struct command *c, struct buf *out)
{
    struct option_desc o;
    for (size_t i = 0; command_option(c, i, &o); i++)
        buf_printf(out, " [--%s%s%s]%s", o.name, o.arg ? " " : "", o.arg ? o.arg : "",
                   o.repeated ? "…" : "");
}

static void put_usage(const struct command *c, struct buf *out)
{
    CLEANUP(buf_done) struct buf options;
    buf_init(&options, 4096);
    put_usage_options(c, &options);
    buf_printf(out, "vherd %s", c->name);
    if (options.len > USAGE_OPTIONS_MAX)
        buf_puts(out, " [OPTION…]");
    else if (options.len > 0)
        buf_puts(out, options.data);
    if (command_operand(c))
        buf_printf(out, " %s", command_operand(c));
}

// Fill paragraphs to 80 columns; lines after the first begin with `indent` blanks.
static void put_wrapped(const char *text, int indent, struct buf *out)
{
    size_t column = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column > 0 && column + 1 + n > 80) {
            buf_printf(out, "\n%*s", indent, "");
            column = (size_t)indent;
        } else if (column > 0) {
            buf_putc(out, ' ');
            column++;
        }
        buf_put(out, text, n);
        column += n;
        text += n + strspn(text + n, " ");
    }
    buf_putc(out, '\n');
}

static void command_help(const struct command *c, struct buf *out)
{
    struct option_desc o;
    CLEANUP(buf_done) struct buf usage;
    buf_init(&usage, 4096);
    buf_puts(&usage, "Usage: ");
    put_usage(c, &usage);
    put_wrapped(usage.data, 7, out);
    buf_printf(out, "\n%s.\n", command_summary(c));
    if (*command_details(c)) {
        buf_putc(out, '\n');
        put_wrapped(command_details(c), 0, out);
    }
    for (size_t i = 0; command_option(c, i, &o); i++) {
        buf_puts(out, i == 0 ? "\nOptions:\n" : "");
        put_option(&o, out);
    }
    put_global_options(out);
}

void help_text(const struct command *c, struct buf *out)
{
    if (c) {
        command_help(c, out);
        return;
    }
    buf_puts(out, "Usage: vherd COMMAND [OPTION…] [OPERAND…]\n\n");
    buf_puts(out, intro);
    buf_puts(out, "\nCommands:\n");
    for (size_t i = 0; i < commands_count; i++)
        buf_printf(out, "  %-17s %s\n", commands[i].name, command_summary(&commands[i]));
    put_global_options(out);
    buf_puts(out, "\n`--` ends the options: `vherd show -- --odd-name`.\n"
                  "Exit status: 0 well, 1 failed, 2 wrong usage or configuration.\n");
}

int cmd_help(struct cli *cli)
{
    if (cli->n_operands == 0) {
        help_text(NULL, &cli->out);
        return EXIT_WELL;
    }
    const struct command *c = command_find(cli->operands[0]);
    if (!c)
        return cli_no_command(cli, cli->operands[0]);
    help_text(c, &cli->out);
    return EXIT_WELL;
}

static void manual_option(const struct option_desc *o, struct buf *out)
{
    buf_puts(out, ".TP\n.B \\-\\-");
    esc_roff(out, o->name);
    if (o->arg)
        buf_printf(out, " \\fI%s\\fP", o->arg);
    buf_putc(out, '\n');
    esc_roff(out, o->help);
    buf_puts(out, ".\n");
}

static void manual_command(const struct command *c, struct buf *out)
{
    struct option_desc o;
    CLEANUP(buf_done) struct buf usage;
    buf_init(&usage, 4096);
    put_usage(c, &usage);
    buf_puts(out, ".SS ");
    esc_roff(out, usage.data);
    buf_putc(out, '\n');
    esc_roff(out, command_summary(c));
    buf_puts(out, ".\n");
    if (*command_details(c)) {
        esc_roff(out, command_details(c));
        buf_putc(out, '\n');
    }
    for (size_t i = 0; command_option(c, i, &o); i++)
        manual_option(&o, out);
}

void help_manual(struct buf *out)
{
    buf_puts(out, ".\\\" Written by docgen out of the program's tables.\n"
                  ".TH VHERD 1 \"\" \"vherd " VHERD_VERSION "\" \"User commands\"\n"
                  ".SH NAME\nvherd \\- watch the virtual machines of a libvirt host\n"
                  ".SH SYNOPSIS\n.B vherd\n\\fICOMMAND\\fP [\\fIOPTION\\fP...] "
                  "[\\fIOPERAND\\fP...]\n.SH DESCRIPTION\n");
    esc_roff(out, intro);
    buf_puts(out, "The commands ask the daemon over its Unix socket, or over HTTP with\n"
                  ".BR \\-\\-url .\n.SH COMMANDS\n");
    for (size_t i = 0; i < commands_count; i++)
        manual_command(&commands[i], out);
    buf_puts(out, ".SH OPTIONS\nOptions may stand before or behind operands; \\-\\- ends them.\n");
    for (size_t i = 0; global_options[i].name; i++)
        manual_option(&global_options[i], out);
    buf_puts(out, ".SH EXIT STATUS\n.TP\n.B 0\nIt went well.\n.TP\n.B 1\nIt failed: one sentence "
                  "on standard error says why and what to do.\n.TP\n.B 2\nWrong usage or "
                  "configuration.\n"
                  ".SH ENVIRONMENT\n.TP\n.B VHERD_CONFIG\nThe configuration file.\n.TP\n"
                  ".B NO_COLOR\nNo colours, unless \\-\\-color says always.\n"
                  ".SH FILES\n.TP\n.I /etc/vherd/vherd.yaml\nThe configuration of the machine's "
                  "daemon.\n.TP\n.I /run/vherd/vherd.sock\nIts Unix socket.\n"
                  ".SH SEE ALSO\n.BR vherd.yaml (5)\n");
}

// A choice is shown by its words: --disks keep|delete.
static void put_deed_option(const struct option_desc *o, struct buf *out)
{
    CLEANUP(buf_done) struct buf words;
    struct option_desc shown = *o;
    buf_init(&words, 1024);
    for (size_t i = 0; o->arg && o->values && o->values[i]; i++)
        buf_printf(&words, "%s%s", i ? "|" : "", o->values[i]);
    if (words.len > 0)
        shown.arg = words.data;
    put_option(&shown, out);
}

void help_deed(const struct deed *deed, struct buf *out)
{
    struct option_desc o;
    const struct field *field;
    const char *dot = strchr(deed->name, '.');
    buf_printf(out, "Usage: vherd %.*s %s [OPTION…]%s\n\n%s.\n", (int)(dot - deed->name),
               deed->name, dot + 1, deed->object == DEED_ON_VM ? " VM…" : "", deed->summary);
    if (*deed->details) {
        buf_putc(out, '\n');
        put_wrapped(deed->details, 0, out);
    }
    buf_puts(out, "\nOptions:\n");
    for (size_t i = 0; deed_option(deed, i, &o, &field); i++)
        put_deed_option(&o, out);
    buf_puts(out, "  --wait            wait until it is done, and say what came of it\n");
    if (deed->object == DEED_ON_VM)
        buf_puts(out,
                 "  --all             every VM\n  --match PATTERN   every VM whose name fits "
                 "(* and ? as in a shell)\n"
                 "  --select K=PATTERN every VM that carries this label; --label too, where it "
                 "gives none\n");
    put_global_options(out);
}
