// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd inventory --list|--host VM`: Ansible's dynamic inventory. One answer serves both, as
// Ansible asks: https://docs.ansible.com/ansible/latest/dev_guide/developing_inventory.html
#include <string.h>

#include "base/mem.h"
#include "command.h"

#define TIMEOUT_MS 20000

// Ansible takes letters, digits and '_' in a group's name.
static char *group_of(const char *state)
{
    char *name = mem_printf("state_%s", state ? state : "unknown");
    for (char *c = name; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", *c))
            *c = '_';
    return name;
}

// What is known of a VM, each field behind a prefix of ours: Ansible's own names must not be hit.
static json_t *variables_of(const json_t *vm)
{
    json_t *variables = json_object();
    const char *field;
    json_t *value;
    json_object_foreach((json_t *)vm, field, value)
    {
        CLEANUP(freep) char *name = mem_printf("vherd_%s", field);
        json_object_set(variables, name, value);
    }
    return variables;
}

static void add_to_group(json_t *inventory, const json_t *vm, const char *name)
{
    CLEANUP(freep) char *group = group_of(api_text(vm, "state"));
    json_t *entry = json_object_get(inventory, group);
    if (!entry) {
        entry = json_pack("{s:[]}", "hosts");
        json_object_set_new(inventory, group, entry);
    }
    json_array_append_new(json_object_get(entry, "hosts"), json_string(name));
}

static json_t *inventory_of(const json_t *vms)
{
    json_t *inventory = json_object(), *all = json_object();
    size_t i;
    const json_t *vm;
    json_array_foreach(vms, i, vm)
    {
        const char *name = api_text(vm, "name");
        if (!name)
            continue;
        json_object_set_new(all, name, variables_of(vm));
        add_to_group(inventory, vm, name);
    }
    json_object_set_new(inventory, "_meta", json_pack("{s:o}", "hostvars", all));
    return inventory;
}

static void put(struct cli *cli, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    cli_put_json(cli, text ? text : "{}", text ? strlen(text) : 2);
    free(text);
}

int cmd_inventory(struct cli *cli)
{
    const char *host = cli_option(cli, "host");
    CLEANUP(json_decrefp) json_t *answer = NULL;
    struct err err = {0};
    if (!host == !cli_option(cli, "list"))
        return cli_usage(cli, "one of --list and --host VM is needed");
    if (cli_get(cli, "/vherd/v1/vms", TIMEOUT_MS, &answer, &err) < 0)
        return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    CLEANUP(json_decrefp) json_t *inventory = inventory_of(json_object_get(answer, "vms"));
    if (!host) {
        put(cli, inventory);
        return EXIT_WELL;
    }
    CLEANUP(json_decrefp) json_t *none = json_object();
    json_t *variables =
        json_object_get(json_object_get(json_object_get(inventory, "_meta"), "hostvars"), host);
    put(cli, variables ? variables : none);
    return EXIT_WELL;
}
