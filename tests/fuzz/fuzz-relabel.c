// SPDX-License-Identifier: GPL-3.0-or-later
// Relabelling as configurations have it: a list of rules in YAML; what compiles is applied, and
// what it gives is a label set.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/relabel.h"
#include "net/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct label input[] = {{"__name__", "http_requests_total"},
                                     {"instance", "db-1.example:9100"},
                                     {"job", "node"},
                                     {"path", "/a/b?c=d"}};

static void apply(const struct relabel *rules)
{
    struct labels *labels = NULL;
    if (relabel_apply(rules, input, ARRAY_LEN(input), &labels) != 1)
        return;
    for (uint32_t i = 0; i < labels->n; i++)
        if (!*labels->label[i].value ||
            (i > 0 && strcmp(labels->label[i - 1].name, labels->label[i].name) >= 0))
            abort();
    labels_free(labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf *conf = NULL;
    struct err err = {0};
    if (conf_parse("fuzz", (const char *)data, size, &conf, NULL) < 0)
        return 0;
    if (rules_check(conf, &err) < 0 && !err.message[0])
        abort();
    const struct conf_scrape *scrape = conf->scrape.items;
    for (size_t i = 0; i < conf->scrape.n; i++) {
        struct relabel *rules = NULL;
        if (rules_compile(&scrape[i].metric_relabel_configs, &rules, &err) == 0)
            apply(rules);
        relabel_free(rules);
    }
    conf_free(conf);
    return 0;
}
