// SPDX-License-Identifier: GPL-3.0-or-later
// docs/metrics.md out of the catalogue.
#include <string.h>

#include "base/buf.h"
#include "model/render.h"

static void put_sets(struct buf *out, unsigned sets)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{SET_VHERD, "vherd"}, {SET_TINKOFF, "tinkoff"}, {SET_INOVEX, "inovex"}};
    const char *before = "";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (sets & names[i].bit) {
            buf_puts(out, before);
            buf_puts(out, names[i].name);
            before = ", ";
        }
    }
}

static void put_label_names(struct buf *out, const struct metric_desc *m)
{
    const char *before = "";
    for (int i = 0; i < METRIC_LABELS_MAX && m->labels[i].name; i++) {
        buf_printf(out, "%s`%s`", before, m->labels[i].name);
        before = ", ";
    }
}

static void put_metrics(struct buf *out)
{
    buf_puts(out, "| metric | type | labels | sets | meaning |\n| --- | --- | --- | --- | --- |\n");
    const char *family = "";
    for (size_t i = 0; i < model_metrics_count; i++) {
        const struct metric_desc *m = &model_metrics[i];
        if (strcmp(family, m->name) == 0)
            continue;
        family = m->name;
        buf_printf(out, "| `%s` | %s | ", m->name, metric_type_name(m->type));
        put_label_names(out, m);
        buf_puts(out, " | ");
        put_sets(out, m->sets);
        buf_printf(out, "%s | %s |\n", m->misnamed ? " (misnamed)" : "",
                   m->help ? m->help : model_facts[m->fact].help);
    }
}

static void put_kind(struct buf *out, enum kind kind)
{
    const struct kind_desc *k = &model_kinds[kind];
    buf_printf(out,
               "\n### %s\n\n| field | lane | in lists | meaning |\n| --- | --- | --- | --- |\n",
               k->name);
    for (int i = 0; i < k->n_attrs; i++) {
        const struct attr_desc *a = &model_attrs[k->first_attr + (enum attr)i];
        buf_printf(out, "| `%s` | text | %s | %s |\n", a->json, a->brief ? "yes" : "no", a->help);
    }
    for (int i = 0; i < k->n_facts; i++) {
        const struct fact_desc *f = &model_facts[k->first_fact + (enum fact)i];
        buf_printf(out, "| `%s` | %s | %s | %s |\n", f->json, lane_name(f->lane),
                   f->brief ? "yes" : "no", f->help);
    }
}

void render_reference(struct buf *out)
{
    buf_puts(out, "# Metrics and fields\n\nThis page is made out of the catalogue in "
                  "`src/model`; `ninja docs` writes it anew.\n\n## Metrics\n\n"
                  "A metric is exposed while its value could be read and is fresh; "
                  "`vherd_unavailable` says what could not be read and why. The sets are chosen "
                  "with `metrics.sets`; *misnamed* rows, whose upstream names break Prometheus' "
                  "naming rules, need `metrics.misnamed: true`.\n\n");
    put_metrics(out);
    buf_puts(out, "\n## JSON fields\n\nNumbers are in base units. The lane says who delivers a "
                  "field and how long it counts as fresh.\n");
    for (enum kind kind = 0; kind < KIND_MAX; kind++)
        put_kind(out, kind);
}
