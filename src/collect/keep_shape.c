// SPDX-License-Identifier: GPL-3.0-or-later
#include "keep_shape.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

int shape_lane(const struct metric_desc *m)
{
    return m->fact == FACT_INVALID ? LANE_INFO : (int)model_facts[m->fact].lane;
}

static void add_group(struct shape *s, enum kind kind, int lane, unsigned sets, bool misnamed)
{
    struct group g = {lane, s->n_rows, 0};
    for (size_t i = 0; i < model_metrics_count; i++) {
        const struct metric_desc *m = &model_metrics[i];
        if (m->kind != kind || shape_lane(m) != lane || !(m->sets & sets) ||
            (m->misnamed && !misnamed))
            continue;
        int fact = lane == LANE_INFO ? -1 : (int)m->fact - (int)model_kinds[kind].first_fact;
        s->rows[s->n_rows++] = (struct row){(uint16_t)i, (int16_t)fact,
                                            fact >= 0 && model_facts[m->fact].store == STORE_NS};
        g.n++;
    }
    if (g.n)
        s->groups[s->n_groups++] = g;
}

// Its bit.
static uint64_t label_attr(struct shape *s, enum attr attr)
{
    size_t i = 0;
    while (i < s->n_label_attrs && s->label_attrs[i] != attr)
        i++;
    if (i == s->n_label_attrs) {
        assert(i < LABEL_ATTRS_MAX);
        s->label_attrs[s->n_label_attrs++] = attr;
    }
    return UINT64_C(1) << i;
}

void shape_init(struct shape *s, enum kind kind, unsigned sets, bool misnamed)
{
    s->rows = mem_zalloc(model_metrics_count * sizeof(*s->rows));
    for (int lane = 0; lane <= LANE_INFO; lane++)
        add_group(s, kind, lane, sets, misnamed);
    for (size_t i = 0; i < s->n_rows; i++) {
        const struct metric_desc *m = &model_metrics[s->rows[i].metric];
        for (int l = 0; l < METRIC_LABELS_MAX && m->labels[l].name; l++)
            if (!m->labels[l].constant)
                s->rows[i].labels |= label_attr(s, m->labels[l].attr);
    }
}

void shape_done(struct shape *s)
{
    free(s->rows);
    *s = (struct shape){0};
}
