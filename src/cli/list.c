// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd list`: all VMs, one a line.
#include <ctype.h>
#include <string.h>

#include "base/esc.h"
#include "base/human.h"
#include "base/mem.h"
#include "command.h"
#include "view.h"

static enum style style_of_state(const json_t *vm)
{
    static const struct {
        const char *state;
        enum style style;
    } styles[] = {{"running", STYLE_GOOD}, {"paused", STYLE_WARN},      {"crashed", STYLE_BAD},
                  {"blocked", STYLE_BAD},  {"in shutdown", STYLE_WARN}, {"shut off", STYLE_DIM}};
    const char *state = api_text(vm, "state");
    for (size_t i = 0; state && i < ARRAY_LEN(styles); i++)
        if (strcmp(styles[i].state, state) == 0)
            return styles[i].style;
    return STYLE_NONE;
}

static enum style style_of_flag(const json_t *vm)
{
    return STYLE_BAD;
}

// Only where it is older than two rounds at the default interval.
static void view_old_data(const json_t *vm, const char *field, bool utf8, struct buf *out)
{
    double age = api_number(vm, field);
    if (age > 20)
        human_age(age, out);
}

static const struct view_column columns[] = {
    {{"NAME", WIDTH_LEFT, 0, 12}, "name", format_text, NULL},
    {{"STATE", WIDTH_LEFT, 0, 8}, "state", format_state, style_of_state},
    {{"FLAG", WIDTH_LEFT, 1, 0, true}, "flag", format_text, style_of_flag},
    {{"DATA AGE", WIDTH_RIGHT, 1, 0, true}, "libvirt_age_seconds", view_old_data, style_of_flag},
    {{"CPU", WIDTH_RIGHT, 2, 0}, "cpu_ratio", format_percent, NULL},
    {{"WAIT", WIDTH_RIGHT, 9, 0}, "cpu_wait_ratio", format_percent, NULL},
    {{"VCPU", WIDTH_RIGHT, 11, 0}, "vcpus_current", format_whole, NULL},
    {{"MEMORY", WIDTH_RIGHT, 3, 0}, "memory_current_bytes", format_bytes, NULL},
    {{"USED", WIDTH_RIGHT, 8, 0}, "memory_used_ratio", format_percent, NULL},
    {{"READ/s", WIDTH_RIGHT, 4, 0}, "read_bytes_per_second", format_bytes, NULL},
    {{"WRITE/s", WIDTH_RIGHT, 5, 0}, "write_bytes_per_second", format_bytes, NULL},
    {{"IOPS", WIDTH_RIGHT, 12, 0}, "disk_requests_per_second", format_count, NULL},
    {{"LATENCY", WIDTH_RIGHT, 10, 0}, "disk_latency_seconds", format_latency, NULL},
    {{"RX/s", WIDTH_RIGHT, 6, 0}, "receive_bytes_per_second", format_bytes, NULL},
    {{"TX/s", WIDTH_RIGHT, 7, 0}, "transmit_bytes_per_second", format_bytes, NULL},
};

// "shut off", "shutoff" and "Shut-Off" are the same state.
static bool same_state(const char *a, const char *b)
{
    for (;;) {
        a += strspn(a, " -_");
        b += strspn(b, " -_");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
        a++;
        b++;
    }
}

static void keep_state(const json_t *vms, const char *state)
{
    json_t *all = (json_t *)vms;
    for (size_t i = json_array_size(all); i-- > 0;) {
        const char *is = api_text(json_array_get(all, i), "state");
        if (!is || !same_state(is, state))
            json_array_remove(all, i);
    }
}

static bool is_state(const struct cli *cli, const char *state)
{
    const char *const *known = cli->command->options[0].values;
    while (*known && !same_state(*known, state))
        known++;
    return *known;
}

// A word that libvirt may have some day is no error.
static void view_none(struct cli *cli, const json_t *answer, const char *state)
{
    if (!state) {
        buf_printf(&cli->out, "%s\n", format_no_vms(answer));
        return;
    }
    buf_puts(&cli->out, "No VM is in that state");
    if (!is_state(cli, state)) {
        const char *const *known = cli->command->options[0].values;
        for (size_t i = 0; known[i]; i++)
            buf_printf(&cli->out, "%s%s", i ? ", " : "; states are ", known[i]);
    }
    buf_puts(&cli->out, ".\n");
}

static void put_names(struct cli *cli, const json_t *vms)
{
    size_t i;
    json_t *vm;
    json_array_foreach(vms, i, vm)
    {
        const char *name = api_text(vm, "name");
        if (name && cli->term.tty)
            esc_terminal(&cli->out, name);
        else if (name)
            buf_puts(&cli->out, name);
        buf_putc(&cli->out, '\n');
    }
}

void list_table(struct cli *cli, const json_t *vms)
{
    view_table(&cli->term, NULL, vms, columns, ARRAY_LEN(columns), &cli->out);
}

static void view(struct cli *cli, const json_t *answer)
{
    const json_t *vms = api_list(answer, "vms");
    if (cli_option(cli, "names")) {
        put_names(cli, vms);
        return;
    }
    list_table(cli, vms);
    if (json_array_size(vms) == 0)
        view_none(cli, answer, cli_option(cli, "state"));
    view_libvirt_hint(&cli->term, answer, &cli->out);
}

int cmd_list(struct cli *cli)
{
    const char *state = cli_option(cli, "state");
    if (!state)
        return cli_show(cli, verbs[VERB_VM_LIST].path, 10000, view);
    struct err err = {0};
    CLEANUP(json_decrefp) json_t *answer = NULL;
    if (cli_get(cli, verbs[VERB_VM_LIST].path, 10000, &answer, &err) < 0)
        return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    keep_state(api_list(answer, "vms"), state);
    if (!cli_option(cli, "json")) {
        view(cli, answer);
        return EXIT_WELL;
    }
    CLEANUP(freep) char *text = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (text)
        cli_put_json(cli, text, strlen(text));
    return text ? EXIT_WELL : EXIT_FAILED;
}
