// SPDX-License-Identifier: GPL-3.0-or-later
// Whatever is refused is refused with a place; whatever is read can be set to work.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "rule/check.h"
#include "rule/eval.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rule_errors errors = {0};
    struct rule_file *file = NULL;
    const struct rule_env env = {.interval_ms = 1000, .clock = &clock_system};
    if (rule_file_parse("fuzz", (const char *)data, size, &file, &errors) < 0) {
        if (errors.n == 0 || errors.err[0].message[0] == '\0')
            abort();
        rule_errors_done(&errors);
        return 0;
    }
    if (errors.n != 0)
        abort();
    struct rule_files files = {.file = &file, .n = 1};
    struct rule_findings findings = {0};
    struct rule_group_run *group = NULL;
    size_t n = 0;
    (void)rule_check(&files, &(struct rule_check_options){0}, &findings);
    if (rule_groups_new(&files, &env, &group, &n) == 0)
        rule_groups_free(group, n);
    rule_findings_done(&findings);
    rule_file_free(file);
    return 0;
}
