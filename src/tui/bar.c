// SPDX-License-Identifier: GPL-3.0-or-later
// The host's lines at the top of the screen.
#include <math.h>
#include <string.h>

#include "base/human.h"
#include "base/mem.h"
#include "model.h"
#include "tui/api.h"
#include "tui/format.h"

#define METER_MIN 6
#define METER_MAX 24

static void put_human(struct page *p, enum page_style style, const char *label, double v,
                      void (*write)(double, struct buf *))
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 64);
    write(v, &text);
    page_printf(p, style, "%s%s", label, text.len ? text.data : page_dash(p));
}

static enum page_style judge(double ratio, double warn, double bad)
{
    return ratio >= bad ? PAGE_BAD : ratio >= warn ? PAGE_WARN : PAGE_GOOD;
}

// "[||||||      ]", the part that is someone else's at its end as '#'.
static void put_meter(struct page *p, double used, double other, size_t width)
{
    page_put(p, PAGE_PLAIN, "[");
    size_t bars = isnan(used) ? 0 : (size_t)lround(fmin(fmax(used, 0), 1) * (double)width);
    size_t theirs = isnan(other) ? 0 : (size_t)lround(fmin(fmax(other, 0), 1) * (double)width);
    theirs = MIN_OF(theirs, bars);
    for (size_t i = 0; i < width; i++)
        page_put(p,
                 i >= bars            ? PAGE_PLAIN
                 : i >= bars - theirs ? PAGE_BAD
                                      : judge(used, 0.7, 0.9),
                 i >= bars            ? " "
                 : i >= bars - theirs ? "#"
                                      : "|");
    page_put(p, PAGE_PLAIN, "]");
}

static void put_libvirt(const struct tui_model *m, struct page *p)
{
    const json_t *libvirt = json_object_get(m->vms, "libvirt");
    const char *status = api_text(libvirt, "status");
    if (!status)
        status = api_text(m->host, "libvirt_status");
    if (!status)
        return;
    bool up = strcmp(status, "connected") == 0;
    page_put(p, PAGE_PLAIN, "  libvirt ");
    page_put(p, up ? PAGE_GOOD : PAGE_BAD, status);
}

static void line_name(const struct tui_model *m, struct page *p)
{
    CLEANUP(buf_done) struct buf clock;
    buf_init(&clock, 64);
    const char *name = api_text(m->host, "name");
    double now = api_number(m->vms, "time");
    format_time(now, now, &clock);
    page_put(p, PAGE_TITLE, "vherd");
    if (name)
        page_printf(p, PAGE_TITLE, " %s", name);
    page_printf(p, PAGE_PLAIN, "  %s", clock.len ? clock.data : page_dash(p));
    put_human(p, PAGE_PLAIN, "  load ", api_number(m->host, "load1"), human_count);
    put_human(p, PAGE_PLAIN, " ", api_number(m->host, "load5"), human_count);
    put_human(p, PAGE_PLAIN, " ", api_number(m->host, "load15"), human_count);
    put_libvirt(m, p);
}

static void line_meters(const struct tui_model *m, struct page *p)
{
    size_t width = p->columns > 60 ? (p->columns - 56) / 2 : 0;
    width = MIN_OF(MAX_OF(width, (size_t)METER_MIN), (size_t)METER_MAX);
    double total = api_number(m->host, "memory_total_bytes");
    double used = total - api_number(m->host, "memory_available_bytes");
    double steal = api_number(m->host, "cpu_steal_ratio");
    page_put(p, PAGE_PLAIN, "CPU ");
    put_meter(p, api_number(m->host, "cpu_utilisation_ratio"), steal, width);
    put_human(p, PAGE_PLAIN, " ", api_number(m->host, "cpu_utilisation_ratio"), human_percent);
    put_human(p, steal >= 0.05 ? PAGE_BAD : PAGE_PLAIN, " steal ", steal, human_percent);
    page_put(p, PAGE_PLAIN, "  Mem ");
    put_meter(p, used / total, NAN, width);
    put_human(p, PAGE_PLAIN, " ", used, human_bytes_short);
    put_human(p, PAGE_PLAIN, "/", total, human_bytes_short);
}

static size_t count_flagged(const json_t *vms)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(vms); i++)
        n += api_text(json_array_get(vms, i), "flag") != NULL;
    return n;
}

static void put_pressure(const struct tui_model *m, const char *label, const char *field,
                         struct page *p)
{
    double ratio = api_number(m->host, field);
    if (!isnan(ratio))
        put_human(p, ratio >= 0.1 ? PAGE_WARN : PAGE_PLAIN, label, ratio, human_percent);
}

static void line_counts(const struct tui_model *m, struct page *p)
{
    const json_t *vms = api_list(m->vms, "vms");
    size_t running = 0, flagged = count_flagged(vms);
    for (size_t i = 0; i < json_array_size(vms); i++) {
        const char *state = api_text(json_array_get(vms, i), "state");
        running += state && strcmp(state, "running") == 0;
    }
    size_t all = json_array_size(vms);
    page_printf(p, PAGE_PLAIN, "VMs %zu", all);
    if (all > 0 && running == all)
        page_printf(p, PAGE_PLAIN, ", all running");
    else if (all > 0)
        page_printf(p, PAGE_PLAIN, ", %zu running", running);
    if (flagged)
        page_printf(p, PAGE_BAD, ", %zu flagged", flagged);
    put_human(p, PAGE_PLAIN, "  iowait ", api_number(m->host, "cpu_iowait_ratio"), human_percent);
    double swap = api_number(m->host, "swap_total_bytes");
    if (swap > 0) {
        put_human(p, PAGE_PLAIN, "  swap ", swap - api_number(m->host, "swap_free_bytes"),
                  human_bytes_short);
        put_human(p, PAGE_PLAIN, "/", swap, human_bytes_short);
    }
    put_pressure(m, "  PSI cpu ", "pressure_cpu_ratio", p);
    put_pressure(m, " mem ", "pressure_memory_ratio", p);
    put_pressure(m, " io ", "pressure_io_ratio", p);
}

void tui_compose_bar(const struct tui_model *m, size_t lines, struct page *out)
{
    static void (*const parts[])(const struct tui_model *, struct page *) = {line_name, line_meters,
                                                                             line_counts};
    // Old numbers are not shown as new: an empty model draws dashes.
    struct tui_model empty = {.age_s = m->age_s};
    const struct tui_model *shown = tui_is_stale(m) ? &empty : m;
    for (size_t i = 0; i < MIN_OF(lines, ARRAY_LEN(parts)); i++) {
        page_line(out);
        parts[i](shown, out);
    }
}
