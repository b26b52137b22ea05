// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd show VM`: everything about one VM that fits a page; --json has the rest.
#include <string.h>

#include "base/mem.h"
#include "command.h"
#include "view.h"

#define LINE_MAX 65536

static void view_vcpus(const struct term *term, const json_t *list, struct buf *out)
{
    static const struct view_column columns[] = {
        {{"VCPU", WIDTH_LEFT, 0, 0}, "vcpu", format_text, NULL},
        {{"CPU", WIDTH_RIGHT, 0, 0}, "utilisation_ratio", format_percent, NULL},
        {{"WAIT", WIDTH_RIGHT, 0, 0}, "wait_ratio", format_percent, NULL},
        {{"RUN TIME", WIDTH_RIGHT, 3, 0}, "run_seconds", format_age, NULL},
        {{"WAIT TIME", WIDTH_RIGHT, 4, 0}, "wait_seconds", format_age, NULL},
        {{"HOST CPU", WIDTH_RIGHT, 2, 0}, "cpu", format_whole, NULL},
        {{"THREAD", WIDTH_LEFT, 1, 0}, "process_state", format_text, NULL},
    };
    view_table(term, "vCPUs", list, columns, ARRAY_LEN(columns), out);
}

static void view_disks(const struct term *term, const json_t *list, struct buf *out)
{
    static const struct view_column columns[] = {
        {{"DISK", WIDTH_LEFT, 0, 4}, "target", format_text, NULL},
        {{"READ/s", WIDTH_RIGHT, 1, 0}, "read_bytes_per_second", format_bytes, NULL},
        {{"WRITE/s", WIDTH_RIGHT, 2, 0}, "write_bytes_per_second", format_bytes, NULL},
        {{"READS/s", WIDTH_RIGHT, 5, 0}, "reads_per_second", format_count, NULL},
        {{"WRITES/s", WIDTH_RIGHT, 6, 0}, "writes_per_second", format_count, NULL},
        {{"READ", WIDTH_RIGHT, 7, 0}, "read_latency_seconds", format_latency, NULL},
        {{"WRITE", WIDTH_RIGHT, 8, 0}, "write_latency_seconds", format_latency, NULL},
        {{"SIZE", WIDTH_RIGHT, 3, 0}, "capacity_bytes", format_bytes, NULL},
        {{"ALLOCATED", WIDTH_RIGHT, 4, 0}, "allocation_bytes", format_bytes, NULL},
        {{"CHAIN", WIDTH_RIGHT, 11, 0}, "chain_depth", format_whole, NULL},
        {{"BUS", WIDTH_LEFT, 10, 0}, "bus", format_text, NULL},
        {{"SOURCE", WIDTH_LEFT, 9, 16}, "source", format_text, NULL},
    };
    view_table(term, "Disks", list, columns, ARRAY_LEN(columns), out);
}

static void view_nics(const struct term *term, const json_t *list, struct buf *out)
{
    static const struct view_column columns[] = {
        {{"NIC", WIDTH_LEFT, 0, 6}, "target", format_text, NULL},
        {{"RX/s", WIDTH_RIGHT, 1, 0}, "receive_bytes_per_second", format_bytes, NULL},
        {{"TX/s", WIDTH_RIGHT, 2, 0}, "transmit_bytes_per_second", format_bytes, NULL},
        {{"RX DROPS", WIDTH_RIGHT, 5, 0}, "receive_drops", format_count, NULL},
        {{"TX DROPS", WIDTH_RIGHT, 6, 0}, "transmit_drops", format_count, NULL},
        {{"MAC", WIDTH_LEFT, 3, 0}, "mac", format_text, NULL},
        {{"TYPE", WIDTH_LEFT, 7, 0}, "type", format_text, NULL},
        {{"SOURCE", WIDTH_LEFT, 4, 8}, "source", format_text, NULL},
    };
    view_table(term, "NICs", list, columns, ARRAY_LEN(columns), out);
}

static void view_filesystems(const struct term *term, const json_t *list, struct buf *out)
{
    static const struct view_column columns[] = {
        {{"FILE SYSTEM", WIDTH_LEFT, 0, 12}, "mountpoint", format_text, NULL},
        {{"SIZE", WIDTH_RIGHT, 0, 0}, "total_bytes", format_bytes, NULL},
        {{"USED", WIDTH_RIGHT, 0, 0}, "used_bytes", format_bytes, NULL},
        {{"USE", WIDTH_RIGHT, 1, 0}, "used_bytes", format_used, NULL},
        {{"TYPE", WIDTH_LEFT, 2, 0}, "type", format_text, NULL},
        {{"DEVICE", WIDTH_LEFT, 3, 8}, "device", format_text, NULL},
    };
    view_table(term, "File systems", list, columns, ARRAY_LEN(columns), out);
}

static void view_counts(const struct term *term, const char *heading, const json_t *list,
                        struct buf *out)
{
    static const struct view_column columns[] = {
        {{"EVENT", WIDTH_LEFT, 0, 12}, "event", format_text, NULL},
        {{"COUNT", WIDTH_RIGHT, 0, 0}, "count", format_count, NULL},
    };
    view_table(term, heading, list, columns, ARRAY_LEN(columns), out);
}

static void view_flag(const struct term *term, const json_t *vm, struct buf *out)
{
    static const struct {
        const char *flag, *words;
    } meanings[] = {
        {"stopped", "its process is stopped (SIGSTOP): kernel data only"},
        {"blocked", "its process waits in uninterruptible sleep: kernel data only"},
        {"quarantined", "it does not answer libvirt in time: asked more rarely"},
    };
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, LINE_MAX);
    const char *flag = api_text(vm, "flag");
    if (!flag)
        return;
    buf_puts(&line, flag);
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
        if (strcmp(meanings[i].flag, flag) == 0)
            buf_printf(&line, ": %s", meanings[i].words);
    view_line(term, "Flag", &line, STYLE_BAD, out);
}

static void view_libvirt_age(const struct term *term, const json_t *vm, struct buf *out)
{
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, LINE_MAX);
    format_age(vm, "libvirt_age_seconds", term->utf8, &line);
    if (line.len)
        buf_puts(&line, " old");
    view_line(term, "libvirt data", &line,
              api_number(vm, "libvirt_age_seconds") > 30 ? STYLE_WARN : STYLE_NONE, out);
}

static const struct view_line_desc lines[] = {
    {"State", {{"", "state", format_state_whole, ""}}},
    {"UUID", {{"", "uuid", format_text, ""}}},
    {"Title", {{"", "title", format_text, ""}}},
    {"CPU",
     {{"", "cpu_ratio", format_percent, " of one CPU"},
      {"", "cpu_utilisation_ratio", format_percent, " of its vCPUs"},
      {"waiting ", "cpu_wait_ratio", format_percent, ""},
      {"", "vcpus_current", format_vcpus, ""}}},
    {"Memory",
     {{"", "memory_current_bytes", format_bytes, ""},
      {"at most ", "memory_maximum_bytes", format_bytes, ""},
      {"", "memory_used_ratio", format_percent, " used"},
      {"", "resident_bytes", format_bytes, " resident"},
      {"", "swapped_bytes", format_bytes, " swapped"}}},
    {"Disks",
     {{"read ", "read_bytes_per_second", format_rate, ""},
      {"write ", "write_bytes_per_second", format_rate, ""},
      {"", "disk_requests_per_second", format_count, " requests/s"},
      {"", "disk_latency_seconds", format_latency, " each"}}},
    {"Network",
     {{"receive ", "receive_bytes_per_second", format_rate, ""},
      {"transmit ", "transmit_bytes_per_second", format_rate, ""}}},
    {"Process",
     {{"pid ", "pid", format_text, ""},
      {"state ", "process_state", format_text, ""},
      {"started ", "start_time_seconds", format_since, ""}}},
    {"Machine",
     {{"", "domain_type", format_text, ""},
      {"", "arch", format_text, ""},
      {"", "machine", format_text, ""}}},
    {"Snapshots",
     {{"", "snapshots", format_whole, ""},
      {"oldest ", "snapshot_oldest_time_seconds", format_since, ""},
      {"newest ", "snapshot_newest_time_seconds", format_since, ""}}},
    {"At restart", {{"other ", "config_differences", format_text, ""}}},
    {"Guest agent", {{"", "agent", format_text, ""}}},
    {"Guest",
     {{"", "guest_hostname", format_text, ""},
      {"", "guest_os", format_text, ""},
      {"kernel ", "guest_kernel", format_text, ""},
      {"users ", "guest_users", format_text, ""},
      {"clock off by ", "guest_time_offset_seconds", format_latency, ""},
      {"time zone ", "guest_timezone", format_text, ""}}},
};

static void view(struct cli *cli, const json_t *vm)
{
    const struct term *term = &cli->term;
    struct buf *out = &cli->out;
    view_heading(term, api_text(vm, "name") ? api_text(vm, "name") : cli->operands[0], out);
    view_flag(term, vm, out);
    view_lines(term, vm, lines, ARRAY_LEN(lines), out);
    view_libvirt_age(term, vm, out);
    view_vcpus(term, api_list(vm, "vcpus"), out);
    view_disks(term, api_list(vm, "disks"), out);
    view_nics(term, api_list(vm, "nics"), out);
    view_filesystems(term, api_list(vm, "filesystems"), out);
    view_counts(term, "Events", api_list(vm, "events"), out);
    view_counts(term, "Perf events", api_list(vm, "perf_events"), out);
    view_unavailable(term, api_list(vm, "unavailable"), out);
    view_libvirt_hint(term, vm, out);
}

int cmd_show(struct cli *cli)
{
    CLEANUP(freep) char *path = api_vm_path(cli->operands[0], "");
    return cli_show(cli, path, 10000, view);
}
