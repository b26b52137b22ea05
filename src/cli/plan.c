// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd plan`: of the daemon, or for a herd in a file.
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/esc.h"
#include "base/human.h"
#include "base/mem.h"
#include "plan.h"
#include "tool/plan.h"

#define ANSWER_MS 60000

static const char *const passed_on[] = {"score", "candidates", "moves", "vcpus", "memory"};

static void put_joules(const json_t *o, const char *field, bool utf8, struct buf *out)
{
    double v = api_number(o, field);
    if (isnan(v))
        return;
    human_count(v / 3600, out);
    buf_puts(out, " Wh");
}

static enum style style_of_risk(const json_t *o)
{
    const char *risk = api_text(o, "risk");
    return !risk                         ? STYLE_NONE
           : strcmp(risk, "high") == 0   ? STYLE_BAD
           : strcmp(risk, "medium") == 0 ? STYLE_WARN
                                         : STYLE_GOOD;
}

static enum style style_of_outcome(const json_t *o)
{
    const char *outcome = api_text(o, "outcome");
    return !outcome                             ? STYLE_NONE
           : strcmp(outcome, "placed") == 0     ? STYLE_GOOD
           : strcmp(outcome, "impossible") == 0 ? STYLE_BAD
                                                : STYLE_WARN;
}

static enum style style_of_fit(const json_t *o)
{
    return api_number(o, "fits") > 0 ? STYLE_GOOD : STYLE_DIM;
}

static const struct view_column placements[] = {
    {{"VM", WIDTH_LEFT, 0, 8}, "vm", format_text, NULL},
    {{"OUTCOME", WIDTH_LEFT, 0, 0}, "outcome", format_text, style_of_outcome},
    {{"HOST", WIDTH_LEFT, 0, 8}, "host", format_text, NULL},
    {{"REASON", WIDTH_LEFT, 0, 20}, "reason", format_text, NULL},
};
static const struct view_column candidates[] = {
    {{"HOST", WIDTH_LEFT, 0, 8}, "host", format_text, style_of_fit},
    {{"FITS", WIDTH_LEFT, 0, 0}, "fits", format_yes_no, style_of_fit},
    {{"WHY", WIDTH_LEFT, 0, 20}, "reason", format_text, NULL},
};
static const struct view_column moves[] = {
    {{"VM", WIDTH_LEFT, 0, 8}, "vm", format_text, NULL},
    {{"FROM", WIDTH_LEFT, 0, 6}, "from", format_text, NULL},
    {{"TO", WIDTH_LEFT, 0, 6}, "to", format_text, NULL},
    {{"GAIN", WIDTH_RIGHT, 3, 0}, "gain_joules", put_joules, NULL},
    {{"COST", WIDTH_RIGHT, 4, 0}, "cost_joules", put_joules, NULL},
    {{"TAKES", WIDTH_RIGHT, 1, 0}, "duration_seconds", format_age, NULL},
    {{"DOWNTIME", WIDTH_RIGHT, 2, 0}, "downtime_seconds", format_latency, NULL},
    {{"RISK", WIDTH_LEFT, 0, 0}, "risk", format_text, style_of_risk},
    {{"REASON", WIDTH_LEFT, 5, 20}, "reason", format_text, NULL},
};
static const struct view_column stuck[] = {
    {{"VM", WIDTH_LEFT, 0, 8}, "vm", format_text, NULL},
    {{"WHY", WIDTH_LEFT, 0, 20}, "reason", format_text, NULL},
};
static const struct view_column sizes[] = {
    {{"VM", WIDTH_LEFT, 0, 8}, "vm", format_text, NULL},
    {{"VCPU", WIDTH_RIGHT, 0, 0}, "vcpus", format_whole, NULL},
    {{"ADVISED", WIDTH_RIGHT, 0, 0}, "advised_vcpus", format_whole, NULL},
    {{"MEMORY", WIDTH_RIGHT, 0, 0}, "memory_bytes", format_bytes, NULL},
    {{"ADVISED", WIDTH_RIGHT, 0, 0}, "advised_memory_bytes", format_bytes, NULL},
    {{"SHARES", WIDTH_RIGHT, 3, 0}, "advised_cpu_shares", format_whole, NULL},
    {{"QUOTA us", WIDTH_RIGHT, 4, 0}, "advised_vcpu_quota_us", format_whole, NULL},
    {{"REASON", WIDTH_LEFT, 2, 20}, "reason", format_text, NULL},
};

static void view_place(struct cli *cli, const json_t *answer)
{
    const json_t *vms = api_list(answer, "vms");
    view_table(&cli->term, NULL, vms, placements, ARRAY_LEN(placements), &cli->out);
    if (json_array_size(vms) == 0)
        buf_puts(&cli->out, "Every VM runs; nothing is to be placed.\n");
    // Of a single VM, every host has its say.
    if (json_array_size(vms) == 1)
        view_table(&cli->term, "Candidates", api_list(json_array_get(vms, 0), "candidates"),
                   candidates, ARRAY_LEN(candidates), &cli->out);
}

static void view_moves(struct cli *cli, const json_t *answer)
{
    const json_t *list = api_list(answer, "moves");
    view_table(&cli->term, NULL, list, moves, ARRAY_LEN(moves), &cli->out);
    view_table(&cli->term, "Cannot leave", api_list(answer, "stuck"), stuck, ARRAY_LEN(stuck),
               &cli->out);
    const char *note = api_text(answer, "note");
    if (note) {
        esc_terminal(&cli->out, note);
        buf_putc(&cli->out, '\n');
    } else if (json_array_size(list) == 0) {
        buf_puts(&cli->out, "Nothing gains more than it costs.\n");
    }
}

static const struct view_line_desc totals[] = {
    {"Saved",
     {{"", "saved_vcpus", format_vcpus, ""}, {"", "saved_memory_bytes", format_bytes, ""}}},
    {"Added",
     {{"", "added_vcpus", format_vcpus, ""}, {"", "added_memory_bytes", format_bytes, ""}}},
};

static void view_rightsize(struct cli *cli, const json_t *answer)
{
    view_table(&cli->term, NULL, api_list(answer, "vms"), sizes, ARRAY_LEN(sizes), &cli->out);
    view_lines(&cli->term, json_object_get(answer, "total"), totals, ARRAY_LEN(totals), &cli->out);
}

static void put_kwh(const json_t *o, const char *field, bool utf8, struct buf *out)
{
    buf_printf(out, "%.3f kWh", api_number(o, field));
}

static void put_share(const json_t *o, const char *field, bool utf8, struct buf *out)
{
    buf_printf(out, "%.3f %%", api_number(o, field) * 100);
}

static const struct view_column runs[] = {
    {{"RUN", WIDTH_LEFT, 0, 0}, "run", format_text, NULL},
    {{"ENERGY", WIDTH_RIGHT, 0, 0}, "energy_kwh", put_kwh, NULL},
    {{"CPU SHORT", WIDTH_RIGHT, 0, 0}, "cpu_short_ratio", put_share, NULL},
    {{"MEMORY SHORT", WIDTH_RIGHT, 0, 0}, "memory_short_ratio", put_share, NULL},
    {{"UNDONE", WIDTH_RIGHT, 1, 0}, "undone_ratio", put_share, NULL},
    {{"VM CPU SHORT", WIDTH_RIGHT, 2, 0}, "vm_cpu_short_seconds", format_age, NULL},
    {{"VM MEMORY SHORT", WIDTH_RIGHT, 3, 0}, "vm_memory_short_seconds", format_age, NULL},
    {{"MOVES", WIDTH_RIGHT, 0, 0}, "moves", format_whole, NULL},
    {{"DOWNTIME", WIDTH_RIGHT, 0, 0}, "downtime_seconds", format_latency, NULL},
};

static void view_simulation(struct cli *cli, const json_t *answer)
{
    static const char *const names[] = {"without", "with"};
    const json_t *simulation = json_object_get(answer, "simulation");
    CLEANUP(json_decrefp) json_t *list = json_array();
    if (!simulation)
        return;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        json_t *run = json_copy(json_object_get(simulation, names[i]));
        json_object_set_new(run, "run", json_string(names[i]));
        json_array_append_new(list, run);
    }
    CLEANUP(buf_done) struct buf title;
    buf_init(&title, 200);
    buf_printf(&title, "%.2f days of history, with and without the plan",
               api_number(simulation, "history_days"));
    view_table(&cli->term, title.data, list, runs, ARRAY_LEN(runs), &cli->out);
    const char *note = api_text(simulation, "note");
    if (note) {
        esc_terminal(&cli->out, note);
        buf_putc(&cli->out, '\n');
    }
}

static const struct {
    const char *kind;
    void (*view)(struct cli *cli, const json_t *answer);
} views[] = {
    {"place", view_place},    {"balance", view_moves},       {"consolidate", view_moves},
    {"evacuate", view_moves}, {"rightsize", view_rightsize},
};

static bool is_apply(const struct cli *cli)
{
    return strcmp(cli->operands[0], "apply") == 0;
}

static const char *kind_of(const struct cli *cli)
{
    return cli->operands[is_apply(cli)];
}

void plan_view(struct cli *cli, const json_t *answer)
{
    for (size_t i = 0; i < ARRAY_LEN(views); i++)
        if (strcmp(views[i].kind, kind_of(cli)) == 0)
            views[i].view(cli, answer);
    view_simulation(cli, answer);
}

// The operand after the kind and --name are the same.
static const char *name_of(const struct cli *cli)
{
    size_t at = 1 + is_apply(cli);
    return cli->n_operands > at ? cli->operands[at] : cli_option(cli, "name");
}

static int from_file(struct cli *cli, const char *path)
{
    struct tool_plan asked = {.kind = cli->operands[0],
                              .name = name_of(cli),
                              .score = cli_option(cli, "score"),
                              .candidates = cli_option(cli, "candidates"),
                              .moves = cli_option(cli, "moves"),
                              .vcpus = cli_option(cli, "vcpus"),
                              .memory = cli_option(cli, "memory"),
                              .simulate = cli_option(cli, "simulate") != NULL,
                              .history = cli_option(cli, "history"),
                              .days = cli_option(cli, "days")};
    struct err err = {0};
    CLEANUP(buf_done) struct buf text;
    CLEANUP(json_decrefp) json_t *answer = NULL;
    buf_init(&text, (size_t)1 << 30);
    int r = tool_plan_file(path, &asked, &text, &err);
    if (r == 0)
        r = api_parse(text.data, text.len, &answer, &err);
    if (r < 0)
        return cli_fail(&err, r == -EINVAL ? EXIT_USAGE : EXIT_FAILED);
    if (cli_option(cli, "json"))
        cli_put_json(cli, text.data, text.len);
    else
        plan_view(cli, answer);
    return EXIT_WELL;
}

static void put_param(struct buf *path, const char *name, const char *value, const char **sign)
{
    if (!value)
        return;
    buf_printf(path, "%s%s=", *sign, name);
    esc_url(path, value);
    *sign = "&";
}

static int check_words(const struct cli *cli)
{
    size_t i = 0;
    if (is_apply(cli) && cli->n_operands < 2)
        return cli_usage(cli, "plan apply needs the plan: place, rightsize, …");
    while (i < ARRAY_LEN(views) && strcmp(views[i].kind, kind_of(cli)) != 0)
        i++;
    if (i == ARRAY_LEN(views))
        return cli_usage(cli,
                         "plan: place, balance, consolidate, evacuate or rightsize, not \"%s\"",
                         kind_of(cli));
    if (cli->n_operands > 2 + (size_t)is_apply(cli))
        return cli_usage(cli, "plan %s takes one name", kind_of(cli));
    if (strcmp(kind_of(cli), "evacuate") == 0 && !name_of(cli))
        return cli_usage(cli, "plan evacuate needs the name of a host");
    if (!is_apply(cli) && (cli_option(cli, "yes") || cli_option(cli, "only")))
        return cli_usage(cli, "--yes and --only belong to plan apply");
    if (is_apply(cli) && (cli_option(cli, "herd") || cli_option(cli, "simulate")))
        return cli_usage(cli,
                         "plan apply is for the daemon's own plan, without --herd, --simulate");
    if (is_apply(cli) && strcmp(kind_of(cli), "place") == 0 && !name_of(cli))
        return cli_usage(cli, "plan apply place starts one VM, which must be named");
    return EXIT_WELL;
}

int cmd_plan(struct cli *cli)
{
    const char *herd = cli_option(cli, "herd"), *sign = "?";
    int status = check_words(cli);
    if (status != EXIT_WELL)
        return status;
    if (herd)
        return from_file(cli, herd);
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 1 << 16);
    buf_puts(&path, "/vherd/v1/plan/");
    buf_puts(&path, kind_of(cli));
    put_param(&path, "name", name_of(cli), &sign);
    for (size_t k = 0; k < ARRAY_LEN(passed_on); k++)
        put_param(&path, passed_on[k], cli_option(cli, passed_on[k]), &sign);
    if (cli_option(cli, "history"))
        return cli_usage(cli, "--history is for --herd; the daemon has its own");
    if (cli_option(cli, "simulate"))
        put_param(&path, "simulate", "true", &sign);
    put_param(&path, "days", cli_option(cli, "days"), &sign);
    if (path.error)
        return cli_usage(cli, "the options are too long");
    return is_apply(cli) ? plan_apply(cli, path.data)
                         : cli_show(cli, path.data, ANSWER_MS, plan_view);
}
