// SPDX-License-Identifier: GPL-3.0-or-later
// Templates end, whatever is in them, and stay within their bounds.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rule/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct label label[] = {{"domain", "db-1"}, {"host", "h.example:9177"}};
    struct rule_template *t = NULL;
    struct err err = {0};
    struct buf out;
    if (rule_template_parse((const char *)data, size, &t, &err) < 0) {
        if (err.code == 0 || err.message[0] == '\0')
            abort();
        return 0;
    }
    struct labels *labels = labels_new(label, 2);
    const struct rule_template_env env = {
        .labels = labels, .external_url = "http://here/", .value = 1.5, .now_ms = 1000};
    buf_init(&out, RULE_EXPANDED_MAX * 4);
    if (rule_template_expand(t, &env, &out, &err) == 0 && out.len > RULE_EXPANDED_MAX)
        abort();
    buf_done(&out);
    labels_free(labels);
    rule_template_free(t);
    return 0;
}
