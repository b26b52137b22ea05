// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd dirty-rate VM`: how much a migration would have to send again each second.
#include "base/esc.h"
#include "base/mem.h"
#include "base/number.h"
#include "command.h"
#include "view.h"

static void view(struct cli *cli, const json_t *answer)
{
    const char *name = api_text(answer, "name");
    esc_terminal(&cli->out, name ? name : cli->operands[0]);
    buf_puts(&cli->out, ": ");
    size_t before = cli->out.len;
    format_rate(answer, "dirty_bytes_per_second", cli->term.utf8, &cli->out);
    if (cli->out.len == before)
        buf_puts(&cli->out, term_dash(&cli->term));
    buf_putc(&cli->out, '\n');
}

int cmd_dirty_rate(struct cli *cli)
{
    const char *text = cli_option(cli, "seconds");
    uint64_t seconds = 1;
    if (text && (number_parse_u64(text, &seconds) < 0 || seconds < 1 || seconds > 60))
        return cli_usage(cli, "--seconds must be a whole number from 1 to 60, not \"%s\"", text);
    CLEANUP(freep) char *query = mem_printf("/dirty-rate?seconds=%d", (int)seconds);
    CLEANUP(freep) char *path = api_vm_path(cli->operands[0], query);
    return cli_show(cli, path, (int)seconds * 1000 + 20000, view);
}
