// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd sim run|cloudsim|queue`: by itself, without the daemon.
#include "tool/sim.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/esc.h"
#include "base/fs.h"
#include "base/mem.h"
#include "command.h"
#include "rehearse.h"

#define TEXT_MAX ((size_t)1 << 30)

static enum tool_format format_of(const struct cli *cli)
{
    if (cli_option(cli, "json"))
        return TOOL_FORMAT_JSON;
    return cli_option(cli, "csv") ? TOOL_FORMAT_CSV : TOOL_FORMAT_TEXT;
}

// Written over, on a terminal, for runs that take longer than a moment.
struct progress {
    int64_t next_ns;
    bool drawn;
};

#define DRAW_NS (NS_PER_S / 5)

static void draw(void *arg, const char *policy, double done_ratio)
{
    struct progress *p = arg;
    int64_t now_ns = clock_mono_ns(&clock_system);
    if (p->next_ns == 0)
        p->next_ns = now_ns + NS_PER_S;
    if (now_ns < p->next_ns)
        return;
    p->next_ns = now_ns + DRAW_NS;
    p->drawn = true;
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, 1000);
    buf_printf(&line, "\r\033[K%3.0f %% simulated, ", done_ratio * 100);
    esc_terminal(&line, policy);
    fs_write_all(STDERR_FILENO, line.data, line.len);
}

static int run(struct cli *cli, struct buf *out, struct err *err)
{
    struct progress progress = {0};
    const char *policies[OPTIONS_GIVEN_MAX];
    struct tool_sim_options options = {.policies = policies,
                                       .report = cli_option(cli, "report") != NULL,
                                       .utf8 = cli->term.utf8,
                                       .format = format_of(cli),
                                       .progress = isatty(STDERR_FILENO) ? draw : NULL,
                                       .arg = &progress};
    if (cli->n_operands < 2)
        return cli_usage(cli, "sim run needs a scenario file");
    for (size_t i = 0; i < cli->n_given; i++)
        if (strcmp(cli->given[i].name, "policy") == 0 || strcmp(cli->given[i].name, "compare") == 0)
            policies[options.policies_n++] = cli->given[i].value;
    CLEANUP(buf_done) struct buf told;
    buf_init(&told, TEXT_MAX);
    if (cli_option(cli, "rules")) {
        if (options.policies_n > 0 || options.format == TOOL_FORMAT_CSV)
            return cli_usage(cli, "sim run: --rules goes with the scenario's own policy, and with "
                                  "text or --json");
        int status = cli_rehearse(cli, cli->operands[1], &told);
        if (status != EXIT_WELL)
            return status;
        options.told = told.data ? told.data : "";
    }
    int r = tool_sim_run(cli->operands[1], &options, out, err);
    if (progress.drawn)
        fs_write_all(STDERR_FILENO, "\r\033[K", 4);
    return r < 0 ? cli_fail(err, EXIT_USAGE) : EXIT_WELL;
}

static int cloudsim(struct cli *cli, struct buf *out, struct err *err)
{
    struct tool_cloudsim_options options = {.traces = cli_option(cli, "traces"),
                                            .policy = cli_option(cli, "policy"),
                                            .mode = cli_option(cli, "mode"),
                                            .seed = cli_option(cli, "seed"),
                                            .timing = cli_option(cli, "timing") != NULL,
                                            .format = format_of(cli)};
    if (cli->n_operands > 1)
        return cli_usage(cli, "sim cloudsim takes no operand \"%s\"", cli->operands[1]);
    return tool_sim_cloudsim(&options, out, err) < 0 ? cli_fail(err, EXIT_USAGE) : EXIT_WELL;
}

static int queue(struct cli *cli, struct buf *out, struct err *err)
{
    const char *policies[OPTIONS_GIVEN_MAX];
    struct tool_queue_options options = {.policies = policies,
                                         .trace = cli_option(cli, "trace"),
                                         .rate = cli_option(cli, "rate"),
                                         .mean = cli_option(cli, "mean"),
                                         .service = cli_option(cli, "service"),
                                         .requests = cli_option(cli, "requests"),
                                         .priorities = cli_option(cli, "priorities"),
                                         .seed = cli_option(cli, "seed"),
                                         .hosts = cli_option(cli, "hosts"),
                                         .vcpus = cli_option(cli, "vcpus"),
                                         .memory = cli_option(cli, "memory"),
                                         .ageing = cli_option(cli, "ageing"),
                                         .slice = cli_option(cli, "slice"),
                                         .format = format_of(cli)};
    if (cli->n_operands > 1)
        return cli_usage(cli, "sim queue takes no operand \"%s\"", cli->operands[1]);
    for (size_t i = 0; i < cli->n_given; i++)
        if (strcmp(cli->given[i].name, "policy") == 0 || strcmp(cli->given[i].name, "compare") == 0)
            policies[options.policies_n++] = cli->given[i].value;
    return tool_sim_queue(&options, out, err) < 0 ? cli_fail(err, EXIT_USAGE) : EXIT_WELL;
}

static const struct {
    const char *word;
    int (*run)(struct cli *cli, struct buf *out, struct err *err);
} actions[] = {{"run", run}, {"cloudsim", cloudsim}, {"queue", queue}};

int cmd_sim(struct cli *cli)
{
    struct err err = {0};
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (strcmp(actions[i].word, cli->operands[0]) != 0)
            continue;
        int status = actions[i].run(cli, &text, &err);
        if (status == EXIT_WELL && cli_option(cli, "json"))
            cli_put_json(cli, text.data, text.len);
        else if (status == EXIT_WELL)
            buf_put(&cli->out, text.data, text.len);
        return status;
    }
    return cli_usage(cli, "sim: run, cloudsim or queue, not \"%s\"", cli->operands[0]);
}
