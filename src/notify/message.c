// SPDX-License-Identifier: GPL-3.0-or-later
// The message as JSON, and its words.
#include "notify/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/human.h"
#include "private.h"

#define TEXT_MAX ((size_t)1 << 20)
#define SUBJECT_NAMES 3
#define SUBJECT_MAX 240

static const char *annotation(const struct alert *a, const char *name)
{
    const char *text = labels_get(a->annotations, name);
    return text && *text ? text : NULL;
}

// What it is about: a VM, where its labels name one.
static const char *vm_of(const struct alert *a)
{
    static const char *const names[] = {"domain", "vm"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *vm = labels_get(a->labels, names[i]);
        if (vm && *vm)
            return vm;
    }
    return NULL;
}

static bool any_firing(const struct notify_draft *d)
{
    return d->n > 0 && !d->item[0].is_resolved;
}

static size_t n_firing(const struct notify_draft *d)
{
    size_t n = 0;
    while (n < d->n && !d->item[n].is_resolved)
        n++;
    return n;
}

// One line, whatever a guest's name holds.
static void put_line(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++)
        buf_putc(out, (unsigned char)*c < ' ' || *c == 0x7f ? ' ' : *c);
}

static void put_state(const struct notify_draft *d, struct buf *out)
{
    size_t firing = n_firing(d);
    if (d->is_test)
        buf_puts(out, "[TEST]");
    else if (firing > 1)
        buf_printf(out, "[FIRING:%zu]", firing);
    else
        buf_puts(out, firing ? "[FIRING]" : "[RESOLVED]");
}

void notify_subject(const struct notify_draft *d, struct buf *out)
{
    CLEANUP(buf_done) struct buf b;
    size_t shown = 0, others = 0;
    size_t n = any_firing(d) ? n_firing(d) : d->n;
    const char *name = d->n ? alert_name(d->item[0].alert) : "";
    buf_init(&b, TEXT_MAX);
    put_state(d, &b);
    for (size_t i = 1; i < n; i++)
        if (strcmp(alert_name(d->item[i].alert), name) != 0)
            name = "alerts";
    buf_putc(&b, ' ');
    put_line(&b, name);
    for (size_t i = 0; i < n; i++) {
        const char *vm = vm_of(d->item[i].alert);
        if (!vm)
            continue;
        if (shown == SUBJECT_NAMES || b.len > SUBJECT_MAX / 2) {
            others++;
            continue;
        }
        buf_puts(&b, shown++ ? ", " : ": ");
        put_line(&b, vm);
    }
    if (others)
        buf_printf(&b, " and %zu more", others);
    buf_puts(&b, " on ");
    put_line(&b, d->host);
    buf_put(out, b.data, b.len);
}

static void put_since(const struct notify_draft *d, const struct notify_item *item, struct buf *out)
{
    const struct alert *a = item->alert;
    int64_t end = item->is_resolved ? a->resolved_at_ms : d->now_ms;
    buf_puts(out, item->is_resolved ? "  from        " : "  since       ");
    alert_put_time(out, a->fired_at_ms / MS_PER_S * MS_PER_S);
    if (item->is_resolved) {
        buf_puts(out, " to ");
        alert_put_time(out, end / MS_PER_S * MS_PER_S);
    }
    buf_puts(out, " (");
    human_age((double)MAX_OF(end - a->fired_at_ms, INT64_C(0)) / 1000, out);
    buf_puts(out, ")\n");
}

static void put_labels_line(const struct alert *a, struct buf *out)
{
    buf_puts(out, "  labels      ");
    for (uint32_t i = 0, shown = 0; i < a->labels->n; i++) {
        if (strcmp(a->labels->label[i].name, "alertname") == 0)
            continue;
        buf_printf(out, "%s%s=", shown++ ? ", " : "", a->labels->label[i].name);
        put_line(out, a->labels->label[i].value);
    }
    buf_putc(out, '\n');
}

// Longer texts keep their lines, indented.
static void put_field(struct buf *out, const char *name, const char *text)
{
    if (!text)
        return;
    buf_printf(out, "  %-12s", name);
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        buf_put(out, line, n);
        line += n + (line[n] == '\n');
        if (*line)
            buf_puts(out, "\n              ");
    }
    buf_putc(out, '\n');
}

static void put_look_at(const struct alert *a, struct buf *out)
{
    const char *vm = vm_of(a);
    put_field(out, "look at", annotation(a, "runbook_url"));
    if (!vm)
        return;
    buf_puts(out, annotation(a, "runbook_url") ? "              " : "  look at     ");
    buf_puts(out, "vherd show ");
    put_line(out, vm);
    buf_puts(out, "; vherd events --vm ");
    put_line(out, vm);
    buf_putc(out, '\n');
}

static void put_item(const struct notify_draft *d, const struct notify_item *item, struct buf *out)
{
    const struct alert *a = item->alert;
    buf_puts(out, item->is_resolved ? "RESOLVED  " : "FIRING  ");
    put_line(out, alert_name(a));
    if (vm_of(a)) {
        buf_puts(out, "  ");
        put_line(out, vm_of(a));
    }
    buf_putc(out, '\n');
    put_field(out, "what", annotation(a, "summary"));
    put_field(out, annotation(a, "summary") ? "" : "what", annotation(a, "description"));
    put_since(d, item, out);
    put_look_at(a, out);
    put_labels_line(a, out);
    if (item->acknowledged) {
        buf_puts(out, "  taken by    ");
        put_line(out, item->acknowledged);
        buf_putc(out, '\n');
    }
    buf_putc(out, '\n');
}

void notify_text(const struct notify_draft *d, struct buf *out)
{
    size_t shown = MIN_OF(d->n, d->max);
    for (size_t i = 0; i < shown; i++)
        put_item(d, &d->item[i], out);
    if (shown < d->n)
        buf_printf(out, "… and %zu more\n\n", d->n - shown);
    buf_puts(out, "Host: ");
    put_line(out, d->host);
    buf_puts(out, ". All alerts: vherd alerts. Take care of one: vherd ack. Message ");
    buf_puts(out, d->id);
    buf_puts(out, ".\n");
    if (*d->external_url)
        buf_printf(out, "%s\n", d->external_url);
}

// JSON

static void put_time(struct json *j, const char *key, int64_t ms)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 64);
    if (ms > 0)
        alert_put_time(&b, ms);
    else
        buf_puts(&b, "0001-01-01T00:00:00Z"); // as Go writes "never"
    json_kv_string(j, key, b.data);
}

static void put_alert(const struct notify_draft *d, const struct notify_item *item, struct json *j)
{
    const struct alert *a = item->alert;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 8192);
    json_object_begin(j);
    json_kv_string(j, "status", item->is_resolved ? "resolved" : "firing");
    json_key(j, "labels");
    alert_put_labels(a->labels, j);
    json_key(j, "annotations");
    alert_put_labels(a->annotations, j);
    put_time(j, "startsAt", a->fired_at_ms);
    put_time(j, "endsAt", item->is_resolved ? a->resolved_at_ms : 0);
    json_kv_string(j, "generatorURL", d->external_url);
    buf_printf(&b, "%016" PRIx64, a->fingerprint);
    json_kv_string(j, "fingerprint", b.data);
    json_kv_f64(j, "value", a->value);
    if (d->passes_on && !item->is_resolved && a->ends_at_ms > d->now_ms)
        json_kv_i64(j, "endsAfterMs", a->ends_at_ms - d->now_ms);
    if (item->acknowledged)
        json_kv_string(j, "acknowledgedBy", item->acknowledged);
    json_object_end(j);
}

static const struct labels *set_of(const struct alert *a, bool annotations)
{
    return annotations ? a->annotations : a->labels;
}

// What all of them share.
static void put_common(const struct notify_draft *d, const char *key, bool annotations,
                       struct json *j)
{
    const struct labels *first = d->n ? set_of(d->item[0].alert, annotations) : NULL;
    json_key(j, key);
    json_object_begin(j);
    for (uint32_t i = 0; first && i < first->n; i++) {
        const struct label *l = &first->label[i];
        bool is_common = true;
        for (size_t k = 1; is_common && k < d->n; k++) {
            const char *other = labels_get(set_of(d->item[k].alert, annotations), l->name);
            is_common = other && strcmp(other, l->value) == 0;
        }
        if (is_common)
            json_kv_string(j, l->name, l->value);
    }
    json_object_end(j);
}

static void put_words(const struct notify_draft *d, struct json *j)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, TEXT_MAX);
    notify_subject(d, &b);
    json_kv_string(j, "subject", b.data);
    buf_reset(&b);
    notify_text(d, &b);
    json_kv_string(j, "text", b.error ? "" : b.data);
}

void notify_message_put(const struct notify_draft *d, struct buf *out)
{
    struct json j;
    size_t shown = MIN_OF(d->n, d->max);
    json_init(&j, out);
    json_object_begin(&j);
    json_kv_string(&j, "version", "4");
    json_kv_string(&j, "id", d->id);
    json_kv_string(&j, "host", d->host);
    json_kv_string(&j, "receiver", d->receiver);
    json_kv_string(&j, "status", any_firing(d) ? "firing" : "resolved");
    json_kv_bool(&j, "test", d->is_test);
    json_kv_string(&j, "groupKey", d->group_key);
    json_kv_u64(&j, "truncatedAlerts", d->n - shown);
    json_key(&j, "groupLabels");
    alert_put_labels(d->group_labels, &j);
    put_common(d, "commonLabels", false, &j);
    put_common(d, "commonAnnotations", true, &j);
    json_kv_string(&j, "externalURL", d->external_url);
    put_time(&j, "madeAt", d->now_ms);
    put_words(d, &j);
    json_key(&j, "alerts");
    json_array_begin(&j);
    for (size_t i = 0; i < shown; i++)
        put_alert(d, &d->item[i], &j);
    json_array_end(&j);
    json_object_end(&j);
}
