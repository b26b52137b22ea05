// SPDX-License-Identifier: GPL-3.0-or-later
// vherd-rehearse: the part of `vherd sim run --rules` that needs the collector. Apart, so that the
// command line links neither libvirt nor the collector.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/esc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "rehearse/rehearse.h"

#define TEXT_MAX ((size_t)256 << 20)
#define EXIT_WRONG 2

struct wanted {
    bool json, utf8;
    uint64_t columns;
    uint64_t step_ms;
    char **operand; // the scenario, then rule files
    size_t n;
};

DEFINE_FREEP(struct rule_backtest, rule_backtest_free, backtest_freep)

static bool read_arguments(int argc, char **argv, struct wanted *w)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"utf8", no_argument, NULL, 'u'},
                                            {"columns", required_argument, NULL, 'c'},
                                            {"step-ms", required_argument, NULL, 's'},
                                            {0}};
    *w = (struct wanted){.columns = 80};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == 'j')
            w->json = true;
        else if (o == 'u')
            w->utf8 = true;
        else if (o == 'c' ? number_parse_u64(optarg, &w->columns) < 0
                          : o != 's' || number_parse_u64(optarg, &w->step_ms) < 0)
            return false;
    }
    w->operand = argv + optind;
    w->n = (size_t)(argc - optind);
    return w->n >= 2;
}

static int load(const struct wanted *w, struct rule_files *files, struct err *err)
{
    struct rule_errors errors = {0};
    int e = 0;
    for (size_t i = 1; e == 0 && i < w->n; i++) {
        e = rule_files_glob(files, NULL, w->operand[i], &errors);
        if (e < 0 && errors.n > 0)
            *err = errors.err[0];
        else if (e < 0)
            err_set(err, -e, "%s cannot be read: %s", w->operand[i], strerror(-e));
    }
    rule_errors_done(&errors);
    return e;
}

static void put(const struct wanted *w, const struct rule_backtest *result, struct buf *out)
{
    struct json j;
    if (w->json) {
        json_init(&j, out);
        rule_backtest_json(result, &j);
    } else {
        rule_backtest_print(result, w->columns, w->utf8, out);
    }
}

static int run(const struct wanted *w, struct buf *out, struct err *err)
{
    CLEANUP(backtest_freep) struct rule_backtest *result = NULL;
    struct rule_files files = {0};
    struct rehearse_params params = {
        .scenario = w->operand[0], .rules = &files, .step_ns = (int64_t)w->step_ms * NS_PER_MS};
    int e = load(w, &files, err);
    if (e == 0)
        e = rehearse(&params, &result, err);
    if (e == 0)
        put(w, result, out);
    rule_files_done(&files);
    return e;
}

int main(int argc, char **argv)
{
    struct wanted wanted;
    struct err err = {0};
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, TEXT_MAX);
    if (!read_arguments(argc, argv, &wanted)) {
        fputs("vherd-rehearse is started by `vherd sim run --rules`, not by hand\n", stderr);
        return EXIT_WRONG;
    }
    int e = run(&wanted, &out, &err);
    if (e == 0 && out.error == 0)
        return fs_write_all(STDOUT_FILENO, out.data, out.len) < 0;
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, sizeof(err.message) * 4);
    buf_puts(&line, "vherd: ");
    esc_terminal(&line, e < 0 ? err.message : "not enough memory for the result");
    buf_putc(&line, '\n');
    (void)fs_write_all(STDERR_FILENO, line.data, line.len);
    return e == -EINVAL ? EXIT_WRONG : EXIT_FAILURE;
}
