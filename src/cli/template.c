// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd template list|show NAME`.
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "command.h"
#include "view.h"

#define TIMEOUT_MS 20000

static void format_of(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    const char *text = api_text(object, field), *error = api_text(object, "error");
    if (text)
        buf_puts(out, text);
    else if (error)
        buf_puts(out, error);
}

static const struct view_column columns[] = {
    {{"TEMPLATE", WIDTH_LEFT, 0, 12, false}, "name", format_of, NULL},
    {{"SUMMARY", WIDTH_LEFT, 1, 10, true}, "summary", format_of, NULL},
};

static void view_list(struct cli *cli, const json_t *answer)
{
    const json_t *templates = api_list(answer, "templates");
    view_table(&cli->term, NULL, templates, columns, ARRAY_LEN(columns), &cli->out);
    if (json_array_size(templates) == 0)
        buf_puts(&cli->out, "There are no templates: see act.templates in vherd.yaml(5).\n");
}

static void view_one(struct cli *cli, const json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT);
    if (text)
        json_indent(text, strlen(text), &cli->out);
    buf_putc(&cli->out, '\n');
    free(text);
}

int cmd_template(struct cli *cli)
{
    const char *word = cli->operands[0];
    bool show = strcmp(word, "show") == 0;
    if (!show && strcmp(word, "list") != 0)
        return cli_usage(cli, "no \"%s\": list or show", word);
    if (cli->n_operands != (show ? 2 : 1))
        return cli_usage(cli, show ? "which template? `vherd template list` shows them"
                                   : "list takes no operand");
    if (!show)
        return cli_show(cli, verbs[VERB_TEMPLATE_LIST].path, TIMEOUT_MS, view_list);
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 8192);
    buf_printf(&path, "%s/", verbs[VERB_TEMPLATE_LIST].path);
    esc_url(&path, cli->operands[1]);
    return cli_show(cli, path.data, TIMEOUT_MS, view_one);
}
