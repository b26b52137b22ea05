// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd status`: how the daemon itself is doing.
#include <math.h>

#include "base/mem.h"
#include "command.h"
#include "view.h"

#define LINE_MAX 65536

static const struct view_column flagged[] = {
    {{"VM", WIDTH_LEFT, 0, 12}, "name", format_text, NULL},
    {{"FLAG", WIDTH_LEFT, 0, 0}, "flag", format_text, NULL},
    {{"SINCE", WIDTH_LEFT, 1, 0}, "since", format_since, NULL},
};
static const struct view_column lanes[] = {
    {{"LANE", WIDTH_LEFT, 0, 0}, "lane", format_text, NULL},
    {{"CALLS", WIDTH_RIGHT, 0, 0}, "calls", format_whole, NULL},
    {{"ERRORS", WIDTH_RIGHT, 0, 0}, "errors", format_whole, NULL},
    {{"TIMEOUTS", WIDTH_RIGHT, 0, 0}, "timeouts", format_whole, NULL},
    {{"IN FLIGHT", WIDTH_RIGHT, 2, 0}, "in_flight", format_whole, NULL},
    {{"WRITTEN OFF", WIDTH_RIGHT, 1, 0}, "written_off", format_whole, NULL},
    {{"QUARANTINED", WIDTH_RIGHT, 1, 0}, "quarantined", format_whole, NULL},
};
static const struct view_column processes[] = {
    {{"PROCESS", WIDTH_LEFT, 0, 0}, "process", format_text, NULL},
    {{"CPU TIME", WIDTH_RIGHT, 0, 0}, "cpu_seconds", format_latency, NULL},
    {{"MEMORY", WIDTH_RIGHT, 0, 0}, "resident_bytes", format_bytes, NULL},
    {{"RESTARTS", WIDTH_RIGHT, 0, 0}, "restarts", format_whole, NULL},
    {{"CONFINED BY", WIDTH_LEFT, 0, 12}, "sandbox", format_text, NULL},
};

static const struct view_column resolutions[] = {
    {{"KEPT", WIDTH_LEFT, 0, 0}, "resolution", format_text, NULL},
    {{"POINTS", WIDTH_RIGHT, 0, 0}, "points", format_count, NULL},
    {{"BLOCKS", WIDTH_RIGHT, 1, 0}, "blocks", format_whole, NULL},
    {{"SIZE", WIDTH_RIGHT, 0, 0}, "bytes", format_bytes, NULL},
};
static const struct view_column data[] = {
    {{"VM", WIDTH_LEFT, 0, 12}, "name", format_text, NULL},
    {{"KERNEL", WIDTH_RIGHT, 0, 0}, "kernel_completeness", format_percent, NULL},
    {{"AGE", WIDTH_RIGHT, 0, 0}, "kernel_age", format_age, NULL},
    {{"LIBVIRT", WIDTH_RIGHT, 0, 0}, "libvirt_completeness", format_percent, NULL},
    {{"AGE", WIDTH_RIGHT, 0, 0}, "libvirt_age", format_age, NULL},
    {{"AGENT AGE", WIDTH_RIGHT, 2, 0}, "agent_age", format_age, NULL},
    {{"SERIES", WIDTH_RIGHT, 2, 0}, "series", format_whole, NULL},
    {{"SAMPLES", WIDTH_RIGHT, 1, 0}, "samples", format_count, NULL},
    {{"GAPS", WIDTH_RIGHT, 0, 0}, "gaps", format_whole, NULL},
    {{"LATE", WIDTH_RIGHT, 1, 0}, "late", format_whole, NULL},
    {{"DOUBLE", WIDTH_RIGHT, 2, 0}, "duplicates", format_whole, NULL},
    {{"RESETS", WIDTH_RIGHT, 1, 0}, "resets", format_whole, NULL},
    {{"IMPOSSIBLE", WIDTH_RIGHT, 0, 0}, "impossible", format_whole, NULL},
};

static void view_store(const struct term *term, const json_t *answer, struct buf *out)
{
    const json_t *store = json_object_get(answer, "store");
    const char *error = api_text(store, "error");
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, LINE_MAX);
    if (error) {
        buf_printf(&line, "nothing is kept: %s", error);
        view_line(term, "Store", &line, STYLE_BAD, out);
        return;
    }
    if (!api_text(store, "path")) {
        buf_puts(&line, "none: this daemon keeps no samples");
        view_line(term, "Store", &line, STYLE_NONE, out);
        return;
    }
    format_text(store, "path", term->utf8, &line);
    buf_puts(&line, ": ");
    format_whole(store, "series", term->utf8, &line);
    buf_puts(&line, " series");
    double oldest = api_number(store, "oldest");
    if (!isnan(oldest)) {
        buf_puts(&line, " since ");
        format_time(oldest, api_number(answer, "time"), &line);
    }
    view_line(term, "Store", &line, STYLE_NONE, out);
    const char *disk = api_text(store, "disk_error");
    buf_reset(&line);
    if (disk)
        buf_printf(&line, "the disk does not take what is to be kept: %s", disk);
    view_line(term, "", &line, STYLE_BAD, out);
    size_t i;
    json_t *note;
    json_t *notes = (json_t *)api_list(store, "notes");
    json_array_foreach(notes, i, note)
    {
        buf_reset(&line);
        buf_puts(&line, json_string_value(note));
        view_line(term, "", &line, STYLE_NONE, out);
    }
}

static void view_events(const struct term *term, const json_t *answer, struct buf *out)
{
    const char *error = api_text(answer, "events_error");
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, LINE_MAX);
    if (!error)
        return;
    buf_printf(&line, "they wait in memory, alerts are not kept: %s", error);
    view_line(term, "Events", &line, STYLE_BAD, out);
}

// The lanes that people ask for, beside the VM's other figures.
static void flatten_lanes(json_t *vm)
{
    size_t i;
    json_t *lane;
    json_t *lanes_of = json_object_get(vm, "lanes");
    json_array_foreach(lanes_of, i, lane)
    {
        const char *name = api_text(lane, "lane");
        if (!name)
            continue;
        CLEANUP(freep) char *age = mem_printf("%s_age", name);
        CLEANUP(freep) char *completeness = mem_printf("%s_completeness", name);
        json_object_set(vm, age, json_object_get(lane, "age_seconds"));
        json_object_set(vm, completeness, json_object_get(lane, "completeness_ratio"));
    }
    if (!api_text(vm, "name"))
        json_object_set_new(vm, "name", json_string("(host)"));
}

static void view_data(const struct term *term, const json_t *answer, struct buf *out)
{
    json_t *list = (json_t *)api_list(answer, "data");
    size_t i;
    json_t *vm;
    json_array_foreach(list, i, vm)
    {
        flatten_lanes(vm);
    }
    view_table(term, "Stored data", list, data, ARRAY_LEN(data), out);
    view_table(term, "Blocks", api_list(json_object_get(answer, "store"), "resolutions"),
               resolutions, ARRAY_LEN(resolutions), out);
}

static void view_libvirt(const struct term *term, const json_t *answer, struct buf *out)
{
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, LINE_MAX);
    const json_t *libvirt = json_object_get(answer, "libvirt");
    const char *status = api_text(libvirt, "status");
    format_text(libvirt, "uri", term->utf8, &line);
    buf_puts(&line, line.len ? ": " : "");
    buf_puts(&line, status ? status : "unknown");
    CLEANUP(buf_done) struct buf since;
    buf_init(&since, 100);
    format_time(api_number(libvirt, "since"), api_number(answer, "time"), &since);
    if (since.len)
        buf_printf(&line, " since %s", since.data);
    bool up = api_number(libvirt, "up") > 0;
    view_line(term, "libvirt", &line, up ? STYLE_GOOD : STYLE_BAD, out);
    buf_reset(&line);
    format_text(libvirt, "message", term->utf8, &line);
    if (!up)
        view_line(term, "", &line, STYLE_NONE, out);
}

// Two counts of an object as one line: "5 known, 4 running".
static void view_counts(const struct term *term, const char *label, const json_t *object,
                        const char *first, const char *second, struct buf *out)
{
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, LINE_MAX);
    const char *fields[] = {first, second};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (isnan(api_number(object, fields[i])))
            continue;
        buf_puts(&line, line.len ? ", " : "");
        format_whole(object, fields[i], term->utf8, &line);
        buf_printf(&line, " %s", fields[i]);
    }
    view_line(term, label, &line, STYLE_NONE, out);
}

static void view_flagged(const struct term *term, const json_t *answer, struct buf *out)
{
    size_t i;
    json_t *vm;
    json_t *list = (json_t *)api_list(answer, "flagged");
    json_array_foreach(list, i, vm)
    {
        json_object_set(vm, "time", json_object_get(answer, "time"));
    }
    view_table(term, "Flagged VMs", list, flagged, ARRAY_LEN(flagged), out);
}

static void view(struct cli *cli, const json_t *answer)
{
    const struct term *term = &cli->term;
    CLEANUP(buf_done) struct buf title;
    buf_init(&title, LINE_MAX);
    buf_puts(&title, "vherd ");
    format_text(answer, "version", term->utf8, &title);
    buf_puts(&title, ", up ");
    format_age(answer, "uptime_seconds", term->utf8, &title);
    view_heading(term, title.data, &cli->out);
    view_libvirt(term, answer, &cli->out);
    view_counts(term, "VMs", json_object_get(answer, "vms"), "known", "running", &cli->out);
    view_counts(term, "Samples", json_object_get(answer, "samples"), "taken", "missed", &cli->out);
    view_store(term, answer, &cli->out);
    view_events(term, answer, &cli->out);
    view_flagged(term, answer, &cli->out);
    if (json_object_get(answer, "data"))
        view_data(term, answer, &cli->out);
    view_table(term, "Lanes", api_list(answer, "lanes"), lanes, ARRAY_LEN(lanes), &cli->out);
    view_table(term, "Processes", api_list(answer, "processes"), processes, ARRAY_LEN(processes),
               &cli->out);
    view_unavailable(term, api_list(answer, "unavailable"), &cli->out);
}

int cmd_status(struct cli *cli)
{
    CLEANUP(freep)
    char *path =
        mem_printf("%s%s", verbs[VERB_STATUS].path, cli_option(cli, "data") ? "?data=1" : "");
    return cli_show(cli, path, 10000, view);
}
