// SPDX-License-Identifier: GPL-3.0-or-later
// The plain page: a table without a script, made anew by the browser every two seconds.
#include <stdio.h>

#include "base/esc.h"
#include "base/human.h"
#include "base/mem.h"
#include "core.h"

static const char head[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" "
    "content=\"2\"><meta name=\"viewport\" content=\"width=device-width\"><title>vherd</title>"
    "<style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;"
    "max-width:70em;padding:0 1em}table{border-collapse:collapse;width:100%}th,td{padding:.3em "
    ".8em;text-align:right;border-bottom:1px solid #8884}th:first-child,td:first-child,"
    "th:nth-child(2),td:nth-child(2){text-align:left}.bad{color:#c33;font-weight:600}"
    ".off{opacity:.6}</style>";

static void put_cell(struct buf *out, const char *text)
{
    buf_puts(out, "<td>");
    esc_html(out, text ? text : "–");
}

static void put_ratio(struct buf *out, double ratio)
{
    if (isnan(ratio))
        buf_puts(out, "<td>–");
    else
        buf_printf(out, "<td>%.1f %%", ratio * 100);
}

static void put_bytes(struct buf *out, double bytes, const char *suffix)
{
    if (isnan(bytes)) {
        buf_puts(out, "<td>–");
        return;
    }
    buf_puts(out, "<td>");
    human_bytes(bytes, out);
    buf_puts(out, suffix);
}

static void put_vm(struct buf *out, const struct herd *h, const struct vm *vm, int64_t now)
{
    const struct object *o = &vm->obj;
    const char *flag = object_attr(o, ATTR_VM_FLAG);
    const char *state = h->libvirt_up ? object_attr(o, ATTR_VM_STATE) : NULL;
    buf_puts(out, flag ? "<tr class=bad>" : vm->active ? "<tr>" : "<tr class=off>");
    put_cell(out, object_attr(o, ATTR_VM_NAME));
    buf_puts(out, "<td>");
    esc_html(out, state ? state : "unknown");
    if (flag) {
        buf_puts(out, ", ");
        esc_html(out, flag);
    }
    put_ratio(out, herd_fact(h, o, FACT_VM_CPU_RATIO, now));
    put_ratio(out, herd_fact(h, o, FACT_VM_WAIT_RATIO, now));
    put_bytes(out, herd_fact(h, o, FACT_VM_RSS, now), "");
    put_ratio(out, herd_fact(h, o, FACT_VM_MEM_USED_RATIO, now));
    put_bytes(out, herd_fact(h, o, FACT_VM_READ_RATE, now), "/s");
    put_bytes(out, herd_fact(h, o, FACT_VM_WRITE_RATE, now), "/s");
    put_bytes(out, herd_fact(h, o, FACT_VM_RX_RATE, now), "/s");
    put_bytes(out, herd_fact(h, o, FACT_VM_TX_RATE, now), "/s");
    buf_putc(out, '\n');
}

static void put_host(struct buf *out, const struct core *c, int64_t now)
{
    const struct herd *h = c->herd;
    struct collector_libvirt l = collector_libvirt(c->collector);
    buf_puts(out, "<h1>");
    esc_html(out, object_attr(h->host, ATTR_HOST_NAME) ? object_attr(h->host, ATTR_HOST_NAME)
                                                       : "this host");
    buf_puts(out, "</h1><p>");
    buf_printf(out, "%zu VMs. libvirt: <span%s>", h->n_vms, l.up ? "" : " class=bad");
    esc_html(out, l.status);
    buf_puts(out, "</span>");
    if (l.message[0]) {
        buf_puts(out, " (");
        esc_html(out, l.message);
        buf_putc(out, ')');
    }
    double busy = herd_fact(h, h->host, FACT_HOST_CPU_RATIO, now);
    if (!isnan(busy))
        buf_printf(out, ". Host CPU: %.0f %%", busy * 100);
    double available = herd_fact(h, h->host, FACT_HOST_MEM_AVAILABLE, now);
    if (!isnan(available)) {
        buf_puts(out, ", memory available: ");
        human_bytes(available, out);
    }
    buf_puts(out, ".</p>");
}

void view_page(const struct view *v)
{
    const struct core *c = v->core;
    int64_t now = clock_mono_ns(&clock_system);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 64 * 1024 * 1024);
    buf_puts(&out, head);
    if (v->is_open || auth_covers_all(v->grant))
        put_host(&out, c, now);
    buf_puts(&out, "<table><tr><th>VM<th>state<th>CPU<th>wait<th>resident<th>guest memory"
                   "<th>read<th>write<th>received<th>sent\n");
    for (size_t i = 0; i < c->herd->n_vms; i++)
        if (view_covers(v, c->herd->vms[i]))
            put_vm(&out, c->herd, c->herd->vms[i], now);
    buf_puts(&out, "</table><p><a href=\"/metrics\">metrics</a> · <a href=\"/vherd/v1/vms\">VMs as "
                   "JSON</a> · <a href=\"/vherd/v1/host\">host</a> · <a "
                   "href=\"/vherd/v1/status\">status</a></p></html>\n");
    if (out.error)
        answer_problem(v->core, v->id, 503, "the page does not fit into memory");
    else
        answer(v->core, v->id, 200, verbs[VERB_PAGE].answers, out.data, out.len);
}
