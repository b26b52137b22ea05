// SPDX-License-Identifier: GPL-3.0-or-later
// Everything about one VM. Tables of its parts come from rows of column descriptions.
#include <math.h>
#include <string.h>

#include "base/human.h"
#include "base/mem.h"
#include "model.h"
#include "spark.h"
#include "tui/api.h"
#include "tui/format.h"

#define LABEL 10
#define PART_COLUMNS_MAX 10
#define SPARK_MAX 60

struct piece {
    const char *before;
    const char *field;
    format_fn *write;
    const char *after;
};

struct line {
    const char *label;
    struct piece pieces[6];
};

static const struct line lines[] = {
    {"State",
     {{"", "state", format_state_whole, ""},
      {"pid ", "pid", format_text, ""},
      {"process ", "process_state", format_text, ""},
      {"libvirt data ", "libvirt_age_seconds", format_age, " old"}}},
    {"Flag", {{"", "flag", format_text, ""}}},
    {"CPU",
     {{"", "cpu_ratio", format_percent, " of one CPU"},
      {"", "cpu_utilisation_ratio", format_percent, " of its vCPUs"},
      {"waiting ", "cpu_wait_ratio", format_percent, ""}}},
    {"Memory",
     {{"", "memory_current_bytes", format_bytes, ""},
      {"", "memory_used_ratio", format_percent, " used"},
      {"resident ", "resident_bytes", format_bytes, ""},
      {"swapped ", "swapped_bytes", format_bytes, ""}}},
    {"Disks",
     {{"read ", "read_bytes_per_second", format_rate, ""},
      {"write ", "write_bytes_per_second", format_rate, ""},
      {"", "disk_requests_per_second", format_count, " IOPS"},
      {"", "disk_latency_seconds", format_latency, " each"}}},
    {"Network",
     {{"receive ", "receive_bytes_per_second", format_rate, ""},
      {"transmit ", "transmit_bytes_per_second", format_rate, ""}}},
    {"Agent",
     {{"", "agent", format_text, ""},
      {"users ", "guest_users", format_text, ""},
      {"clock off by ", "guest_time_offset_seconds", format_latency, ""},
      {"time zone ", "guest_timezone", format_text, ""}}},
    {"Guest", {{"", "guest_hostname", format_text, ""}, {"", "guest_os", format_text, ""}}},
};

static void put_line(const json_t *vm, const struct line *line, struct page *out)
{
    CLEANUP(buf_done) struct buf text, value;
    buf_init(&text, 65536);
    buf_init(&value, 65536);
    for (size_t i = 0; i < ARRAY_LEN(line->pieces) && line->pieces[i].field; i++) {
        const struct piece *p = &line->pieces[i];
        buf_reset(&value);
        p->write(vm, p->field, out->utf8, &value);
        if (value.len)
            buf_printf(&text, "%s%s%s%s", text.len ? ", " : "", p->before, value.data, p->after);
    }
    bool flag = strcmp(line->label, "Flag") == 0;
    if (text.len == 0 || (flag && !api_text(vm, "flag")))
        return;
    page_line(out);
    page_cell(out, PAGE_DIM, line->label, LABEL, WIDTH_LEFT);
    page_put(out, flag ? PAGE_BAD : PAGE_PLAIN, text.data);
}

static const struct {
    const char *label;
    const char *ring;
    bool ratio;
} sparks[] = {
    {"CPU", "cpu", true},
    {"wait", "wait", true},
    {"memory", "memory", true},
    {"read", "read", false},
    {"write", "write", false},
    {"receive", "receive", false},
    {"transmit", "transmit", false},
};

static void put_spark(const json_t *history, size_t i, struct page *out)
{
    const json_t *ring = api_list(history, sparks[i].ring);
    CLEANUP(buf_done) struct buf text, top;
    buf_init(&text, 4096);
    buf_init(&top, 64);
    double most = 0;
    size_t width =
        MIN_OF(out->columns > LABEL + 24 ? out->columns - LABEL - 24 : 0, (size_t)SPARK_MAX);
    if (!ring || width == 0)
        return;
    spark_line(ring, width, sparks[i].ratio ? 1 : 0, out->utf8, &most, &text);
    page_line(out);
    page_cell(out, PAGE_DIM, sparks[i].label, LABEL, WIDTH_LEFT);
    page_put(out, PAGE_PLAIN, text.data);
    if (sparks[i].ratio)
        buf_puts(&top, "100%");
    else if (most > 0)
        human_bytes(most, &top);
    if (top.len)
        page_printf(out, PAGE_DIM, " top %s%s", top.data, sparks[i].ratio ? "" : "/s");
}

struct part_column {
    const char *title;
    const char *field;
    format_fn *write;
    size_t width;
    enum width_align align;
};

struct part {
    const char *list;
    const char *heading;
    struct part_column columns[PART_COLUMNS_MAX];
};

static const struct part parts[] = {
    {"vcpus",
     "vCPUs",
     {{"VCPU", "vcpu", format_text, 5, WIDTH_LEFT},
      {"CPU", "utilisation_ratio", format_percent, 6, WIDTH_RIGHT},
      {"WAIT", "wait_ratio", format_percent, 6, WIDTH_RIGHT},
      {"ON CPU", "cpu", format_count, 6, WIDTH_RIGHT},
      {"RUN TIME", "run_seconds", format_age, 9, WIDTH_RIGHT},
      {"STATE", "process_state", format_text, 5, WIDTH_LEFT}}},
    {"disks",
     "Disks",
     {{"DISK", "target", format_text, 6, WIDTH_LEFT},
      {"READ/s", "read_bytes_per_second", format_bytes, 8, WIDTH_RIGHT},
      {"WRITE/s", "write_bytes_per_second", format_bytes, 8, WIDTH_RIGHT},
      {"READ", "read_latency_seconds", format_latency, 7, WIDTH_RIGHT},
      {"WRITE", "write_latency_seconds", format_latency, 7, WIDTH_RIGHT},
      {"SIZE", "capacity_bytes", format_bytes, 8, WIDTH_RIGHT},
      {"SOURCE", "source", format_text, 60, WIDTH_LEFT}}},
    {"nics",
     "NICs",
     {{"NIC", "target", format_text, 8, WIDTH_LEFT},
      {"RX/s", "receive_bytes_per_second", format_bytes, 8, WIDTH_RIGHT},
      {"TX/s", "transmit_bytes_per_second", format_bytes, 8, WIDTH_RIGHT},
      {"RXDROP", "receive_drops", format_count, 6, WIDTH_RIGHT},
      {"TXDROP", "transmit_drops", format_count, 6, WIDTH_RIGHT},
      {"MAC", "mac", format_text, 17, WIDTH_LEFT},
      {"SOURCE", "source", format_text, 20, WIDTH_LEFT}}},
    {"filesystems",
     "File systems",
     {{"MOUNTED ON", "mountpoint", format_text, 20, WIDTH_LEFT},
      {"SIZE", "total_bytes", format_bytes, 8, WIDTH_RIGHT},
      {"USED", "used_bytes", format_bytes, 8, WIDTH_RIGHT},
      {"USE", "used_bytes", format_used, 6, WIDTH_RIGHT},
      {"TYPE", "type", format_text, 8, WIDTH_LEFT}}},
    {"events",
     "Events",
     {{"EVENT", "event", format_text, 24, WIDTH_LEFT},
      {"COUNT", "count", format_count, 8, WIDTH_RIGHT}}},
    {"unavailable",
     "Not available",
     {{"WHAT", "what", format_text, 16, WIDTH_LEFT},
      {"WHY", "reason", format_text, 60, WIDTH_LEFT}}},
};

static void put_part(const json_t *vm, const struct part *part, struct page *out)
{
    const json_t *list = api_list(vm, part->list);
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 65536);
    if (json_array_size(list) == 0)
        return;
    page_line(out);
    page_line(out);
    page_put(out, PAGE_TITLE, part->heading);
    for (size_t r = 0; r <= json_array_size(list); r++) {
        page_line(out);
        for (size_t c = 0; c < PART_COLUMNS_MAX && part->columns[c].title; c++) {
            const struct part_column *column = &part->columns[c];
            buf_reset(&text);
            if (r > 0)
                column->write(json_array_get(list, r - 1), column->field, out->utf8, &text);
            page_put(out, PAGE_PLAIN, c ? "  " : "  ");
            page_cell(out, r == 0 ? PAGE_DIM : PAGE_PLAIN,
                      r == 0     ? column->title
                      : text.len ? text.data
                                 : page_dash(out),
                      column->width, column->align);
        }
    }
}

void tui_compose_detail(const struct tui_model *m, struct page *out)
{
    const json_t *vm = m->detail;
    page_line(out);
    if (!vm) {
        page_put(out, m->detail_error ? PAGE_BAD : PAGE_DIM,
                 m->detail_error ? m->detail_error : "Waiting for the daemon");
        return;
    }
    page_put(out, PAGE_TITLE, api_text(vm, "name") ? api_text(vm, "name") : "");
    page_printf(out, PAGE_DIM, "  %s", api_text(vm, "uuid") ? api_text(vm, "uuid") : "");
    if (m->detail_error || tui_is_stale(m)) {
        page_line(out);
        page_put(out, m->detail_error ? PAGE_BANNER : PAGE_DIM,
                 m->detail_error ? m->detail_error : "No fresh data.");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        put_line(vm, &lines[i], out);
    const json_t *history = json_object_get(vm, "history");
    page_line(out);
    page_line(out);
    double seconds = api_number(history, "seconds");
    if (seconds >= 1)
        page_printf(out, PAGE_TITLE, "Last %.0f seconds", seconds);
    for (size_t i = 0; i < ARRAY_LEN(sparks); i++)
        put_spark(history, i, out);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        put_part(vm, &parts[i], out);
}
