// SPDX-License-Identifier: GPL-3.0-or-later
// Which VMs a command means: names, --match, --label, --all.
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "command.h"

#define TIMEOUT_MS 65000

// `set --label` and `create --label` give labels; --select chooses by them everywhere.
static bool chooses(const struct cli *cli, const char *option)
{
    if (strcmp(option, "select") == 0)
        return true;
    for (const struct field *f = cli->deed ? cli->deed->fields : NULL; f && f->name; f++)
        if (f->type == FIELD_LABELS)
            return false;
    return strcmp(option, "label") == 0;
}

static bool by_label(const struct cli *cli)
{
    for (size_t i = 0; i < cli->n_given; i++)
        if (chooses(cli, cli->given[i].name))
            return true;
    return false;
}

static void add_names(const json_t *vms, const char *pattern, json_t *names)
{
    size_t i;
    const json_t *vm;
    json_array_foreach(vms, i, vm)
    {
        const char *name = api_text(vm, "name");
        if (name && (!pattern || fnmatch(pattern, name, 0) == 0))
            json_array_append_new(names, json_string(name));
    }
}

static int add_by_label(struct cli *cli, const char *pattern, json_t *names, struct err *err)
{
    CLEANUP(json_decrefp) json_t *answer = NULL;
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 65536);
    buf_printf(&path, "%s?", verbs[VERB_VM_SELECT].path);
    for (size_t i = 0; i < cli->n_given; i++) {
        if (!chooses(cli, cli->given[i].name))
            continue;
        buf_puts(&path, "label=");
        esc_url(&path, cli->given[i].value);
        buf_putc(&path, '&');
    }
    if (pattern) {
        buf_puts(&path, "match=");
        esc_url(&path, pattern);
    }
    int r = cli_get(cli, path.data, TIMEOUT_MS, &answer, err);
    if (r == 0)
        add_names(json_object_get(answer, "vms"), NULL, names);
    return r;
}

static int add_by_name(struct cli *cli, const char *pattern, json_t *names, struct err *err)
{
    CLEANUP(json_decrefp) json_t *answer = NULL;
    int r = cli_get(cli, "/vherd/v1/vms", TIMEOUT_MS, &answer, err);
    if (r == 0)
        add_names(json_object_get(answer, "vms"), pattern, names);
    return r;
}

int select_vms(struct cli *cli, json_t *names, struct err *err)
{
    const char *pattern = cli_option(cli, "match");
    bool labels = by_label(cli);
    for (size_t i = 1; i < cli->n_operands; i++)
        if (json_array_append_new(names, json_string(cli->operands[i])) < 0)
            return err_set(err, EINVAL, "a name is not UTF-8");
    if (!pattern && !labels && !cli_option(cli, "all"))
        return 0;
    int r = labels ? add_by_label(cli, pattern, names, err) : add_by_name(cli, pattern, names, err);
    if (r == 0 && (pattern || labels) && json_array_size(names) == 0)
        r = labels ? err_set(err, ENOENT, "no VM carries that")
                   : err_set(err, ENOENT, "no VM's name fits \"%s\"", pattern);
    return r;
}
