// SPDX-License-Identifier: GPL-3.0-or-later
// Facts as Prometheus text and as JSON. Each text passes exactly one encoder, here.
#include "model/render.h"

#include <math.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"

struct metrics_pass {
    const struct herd *herd;
    int64_t mono_ns;
    struct buf *out;
    const struct metric_desc *metric;
    bool header_due; // HELP and TYPE of the family still to be written
    size_t series;
    bool is_partial; // some VMs only
};

static void put_help(struct buf *out, const char *help)
{
    for (; *help; help++) {
        if (*help == '\\')
            buf_puts(out, "\\\\");
        else
            buf_putc(out, *help);
    }
}

static const char *metric_help(const struct metric_desc *m)
{
    return m->help ? m->help : model_facts[m->fact].help;
}

static void put_header(struct buf *out, const struct metric_desc *m)
{
    buf_puts(out, "# HELP ");
    buf_puts(out, m->name);
    buf_putc(out, ' ');
    put_help(out, metric_help(m));
    buf_puts(out, "\n# TYPE ");
    buf_puts(out, m->name);
    buf_putc(out, ' ');
    buf_puts(out, metric_type_name(m->type));
    buf_putc(out, '\n');
}

static const char *label_value(const struct object *o, const struct label_desc *label)
{
    if (label->constant)
        return label->constant;
    return object_attr_above(o, label->attr);
}

static void put_labels(struct buf *out, const struct object *o, const struct metric_desc *m)
{
    char before = '{';
    for (int i = 0; i < METRIC_LABELS_MAX && m->labels[i].name; i++) {
        buf_putc(out, before);
        before = ',';
        buf_puts(out, m->labels[i].name);
        buf_put(out, "=\"", 2);
        const char *value = label_value(o, &m->labels[i]);
        if (value)
            esc_label(out, value);
        buf_putc(out, '"');
    }
    if (before == ',')
        buf_putc(out, '}');
}

static double metric_value(const struct metrics_pass *p, const struct object *o)
{
    if (p->metric->fact == FACT_INVALID)
        return object_attr(o, p->metric->needs) ? 1 : NAN;
    return herd_fact(p->herd, o, p->metric->fact, p->mono_ns);
}

static void put_series(struct metrics_pass *p, const struct object *o)
{
    double value = metric_value(p, o);
    if (isnan(value))
        return;
    if (p->header_due) {
        put_header(p->out, p->metric);
        p->header_due = false;
    }
    buf_puts(p->out, p->metric->name);
    put_labels(p->out, o, p->metric);
    buf_putc(p->out, ' ');
    if (p->metric->fact != FACT_INVALID && model_facts[p->metric->fact].store == STORE_NS)
        buf_ns_as_s(p->out, (int64_t)value);
    else
        buf_f64(p->out, value);
    buf_putc(p->out, '\n');
    p->series++;
}

static void put_children(struct metrics_pass *p, const struct object *parent)
{
    OBJECT_FOREACH_CHILD (child, parent, p->metric->kind)
        put_series(p, child);
}

static void put_row(struct metrics_pass *p, const bool *is_left_out)
{
    const struct herd *h = p->herd;
    enum kind kind = p->metric->kind;
    if (p->is_partial && (kind == KIND_HOST || model_kinds[kind].parent == KIND_HOST))
        return;
    if (kind == KIND_HOST) {
        put_series(p, h->host);
    } else if (model_kinds[kind].parent == KIND_HOST) {
        put_children(p, h->host);
    } else {
        for (size_t i = 0; i < h->n_vms; i++) {
            if (is_left_out[i])
                continue;
            if (kind == KIND_VM)
                put_series(p, &h->vms[i]->obj);
            else
                put_children(p, &h->vms[i]->obj);
        }
    }
}

size_t render_metrics(const struct herd *h, unsigned sets, bool misnamed, int64_t mono_ns,
                      struct buf *out)
{
    return render_metrics_of(h, sets, misnamed, mono_ns, NULL, NULL, out);
}

size_t render_metrics_of(const struct herd *h, unsigned sets, bool misnamed, int64_t mono_ns,
                         bool (*shows)(const struct vm *vm, void *arg), void *arg, struct buf *out)
{
    CLEANUP(freep) bool *is_left_out = mem_zalloc(h->n_vms * sizeof(bool));
    for (size_t i = 0; i < h->n_vms; i++)
        is_left_out[i] = herd_vm_is_double(h, i) || (shows && !shows(h->vms[i], arg));
    struct metrics_pass p = {
        .herd = h, .mono_ns = mono_ns, .out = out, .is_partial = shows != NULL};
    const char *family = "";
    for (size_t i = 0; i < model_metrics_count; i++) {
        p.metric = &model_metrics[i];
        if (!(p.metric->sets & sets) || (p.metric->misnamed && !misnamed))
            continue;
        if (strcmp(p.metric->name, family) != 0)
            p.header_due = true;
        family = p.metric->name;
        put_row(&p, is_left_out);
    }
    return p.series;
}

static void put_json_fact(const struct herd *h, const struct object *o, enum fact fact,
                          int64_t mono_ns, struct json *j)
{
    double value = herd_fact(h, o, fact, mono_ns);
    if (isnan(value))
        return;
    json_key(j, model_facts[fact].json);
    if (model_facts[fact].store == STORE_NS)
        json_ns_as_s(j, (int64_t)value);
    else
        json_f64(j, value);
}

// Attributes that only libvirt knows and that change without its telling while it is away.
static bool attr_is_stale(const struct herd *h, enum attr attr)
{
    static const enum attr of_state[] = {ATTR_VM_STATE, ATTR_VM_REASON, ATTR_VM_STATE_DESC,
                                         ATTR_VM_AGENT};
    for (size_t i = 0; i < ARRAY_LEN(of_state) && !h->libvirt_up; i++)
        if (of_state[i] == attr)
            return true;
    return false;
}

static void put_fields(const struct herd *h, const struct object *o, enum render_depth depth,
                       int64_t mono_ns, struct json *j)
{
    const struct kind_desc *kind = &model_kinds[o->kind];
    for (int i = 0; i < kind->n_attrs; i++) {
        enum attr id = kind->first_attr + (enum attr)i;
        const struct attr_desc *attr = &model_attrs[id];
        if (o->attrs[i] && (depth == RENDER_FULL || attr->brief) && !attr_is_stale(h, id))
            json_kv_string(j, attr->json, o->attrs[i]);
    }
    for (int i = 0; i < kind->n_facts; i++) {
        enum fact fact = kind->first_fact + (enum fact)i;
        if (depth == RENDER_FULL || model_facts[fact].brief)
            put_json_fact(h, o, fact, mono_ns, j);
    }
}

void render_members(const struct herd *h, const struct object *o, enum render_depth depth,
                    int64_t mono_ns, struct json *j)
{
    put_fields(h, o, depth, mono_ns, j);
    for (enum kind kind = 0; depth == RENDER_FULL && kind < KIND_MAX; kind++) {
        if (model_kinds[kind].parent != o->kind)
            continue;
        json_key(j, model_kinds[kind].json);
        json_array_begin(j);
        // The tree is two levels deep: children have none of their own.
        OBJECT_FOREACH_CHILD (child, o, kind) {
            json_object_begin(j);
            put_fields(h, child, RENDER_FULL, mono_ns, j);
            json_object_end(j);
        }
        json_array_end(j);
    }
}

void render_object(const struct herd *h, const struct object *o, enum render_depth depth,
                   int64_t mono_ns, struct json *j)
{
    json_object_begin(j);
    render_members(h, o, depth, mono_ns, j);
    json_object_end(j);
}

static const char *const history_names[HISTORY_MAX] = {
    [HISTORY_CPU] = "cpu",     [HISTORY_WAIT] = "wait",   [HISTORY_MEM] = "memory",
    [HISTORY_READ] = "read",   [HISTORY_WRITE] = "write", [HISTORY_RX] = "receive",
    [HISTORY_TX] = "transmit",
};

// Three significant digits are enough for a sparkline, and a third of the bytes.
static void put_point(struct json *j, float value)
{
    if (isnan(value)) {
        json_nothing(j);
    } else if (fabsf(value) >= 1000.0f) {
        json_f64(j, round((double)value));
    } else {
        json_f64(j, round((double)value * 1000.0) / 1000.0);
    }
}

void render_history(const struct herd *h, const struct vm *vm, struct json *j)
{
    json_object_begin(j);
    json_kv_u64(j, "seconds", VM_HISTORY);
    for (int which = 0; which < HISTORY_MAX; which++) {
        json_key(j, history_names[which]);
        json_array_begin(j);
        for (unsigned i = 1; vm->history && i <= VM_HISTORY; i++)
            put_point(j, vm->history[which * VM_HISTORY + (h->history_at + i) % VM_HISTORY]);
        json_array_end(j);
    }
    json_object_end(j);
}
