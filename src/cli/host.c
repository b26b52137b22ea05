// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd host`: the machine that carries the VMs.
#include "base/mem.h"
#include "command.h"
#include "view.h"

struct part {
    const char *list;
    const char *heading;
    const struct view_column *columns;
    size_t n;
};

static void view_pool_state(const json_t *pool, const char *field, bool utf8, struct buf *out)
{
    static const char *const words[] = {"inactive", "building", "running", "degraded",
                                        "inaccessible"};
    double state = api_number(pool, field);
    if (api_number(pool, "timed_out") == 1)
        buf_puts(out, "no answer");
    else if (state >= 0 && state < (double)ARRAY_LEN(words))
        buf_puts(out, words[(size_t)state]);
}

static const struct view_column cpus[] = {
    {{"CPU", WIDTH_LEFT, 0, 0}, "cpu", format_text, NULL},
    {{"BUSY", WIDTH_RIGHT, 0, 0}, "utilisation_ratio", format_percent, NULL},
    {{"USER", WIDTH_RIGHT, 1, 0}, "user_seconds", format_age, NULL},
    {{"SYSTEM", WIDTH_RIGHT, 2, 0}, "system_seconds", format_age, NULL},
    {{"GUEST", WIDTH_RIGHT, 3, 0}, "guest_seconds", format_age, NULL},
    {{"STEAL", WIDTH_RIGHT, 4, 0}, "steal_seconds", format_age, NULL},
    {{"IOWAIT", WIDTH_RIGHT, 5, 0}, "iowait_seconds", format_age, NULL},
    {{"IDLE", WIDTH_RIGHT, 6, 0}, "idle_seconds", format_age, NULL},
};
static const struct view_column nodes[] = {
    {{"NODE", WIDTH_LEFT, 0, 0}, "node", format_text, NULL},
    {{"MEMORY", WIDTH_RIGHT, 0, 0}, "memory_total_bytes", format_bytes, NULL},
    {{"FREE", WIDTH_RIGHT, 0, 0}, "memory_free_bytes", format_bytes, NULL},
};
static const struct view_column hugepages[] = {
    {{"NODE", WIDTH_LEFT, 0, 0}, "node", format_text, NULL},
    {{"PAGE SIZE", WIDTH_RIGHT, 0, 0}, "page_size_bytes", format_size, NULL},
    {{"TOTAL", WIDTH_RIGHT, 0, 0}, "total", format_whole, NULL},
    {{"FREE", WIDTH_RIGHT, 0, 0}, "free", format_whole, NULL},
};
static const struct view_column disks[] = {
    {{"DISK", WIDTH_LEFT, 0, 6}, "device", format_text, NULL},
    {{"READ", WIDTH_RIGHT, 0, 0}, "read_bytes", format_bytes, NULL},
    {{"WRITTEN", WIDTH_RIGHT, 0, 0}, "write_bytes", format_bytes, NULL},
    {{"BUSY TIME", WIDTH_RIGHT, 1, 0}, "io_seconds", format_age, NULL},
    {{"IN FLIGHT", WIDTH_RIGHT, 2, 0}, "in_flight", format_whole, NULL},
};
static const struct view_column nics[] = {
    {{"NIC", WIDTH_LEFT, 0, 8}, "device", format_text, NULL},
    {{"UP", WIDTH_LEFT, 1, 0}, "up", format_yes_no, NULL},
    {{"RECEIVED", WIDTH_RIGHT, 0, 0}, "receive_bytes", format_bytes, NULL},
    {{"SENT", WIDTH_RIGHT, 0, 0}, "transmit_bytes", format_bytes, NULL},
    {{"RX DROPS", WIDTH_RIGHT, 2, 0}, "receive_drops", format_count, NULL},
    {{"TX DROPS", WIDTH_RIGHT, 3, 0}, "transmit_drops", format_count, NULL},
};
static const struct view_column pools[] = {
    {{"POOL", WIDTH_LEFT, 0, 10}, "name", format_text, NULL},
    {{"STATE", WIDTH_LEFT, 0, 0}, "state", view_pool_state, NULL},
    {{"SIZE", WIDTH_RIGHT, 0, 0}, "capacity_bytes", format_bytes, NULL},
    {{"USED", WIDTH_RIGHT, 1, 0}, "allocation_bytes", format_bytes, NULL},
    {{"LEFT", WIDTH_RIGHT, 0, 0}, "available_bytes", format_bytes, NULL},
};
static const struct view_column networks[] = {
    {{"NETWORK", WIDTH_LEFT, 0, 10}, "name", format_text, NULL},
    {{"ACTIVE", WIDTH_LEFT, 0, 0}, "active", format_yes_no, NULL},
    {{"AUTOSTART", WIDTH_LEFT, 1, 0}, "autostart", format_yes_no, NULL},
    {{"BRIDGE", WIDTH_LEFT, 0, 0}, "bridge", format_text, NULL},
};

static const struct part parts[] = {
    {"cpus", "CPUs", cpus, ARRAY_LEN(cpus)},
    {"numa_nodes", "NUMA nodes", nodes, ARRAY_LEN(nodes)},
    {"hugepages", "Huge pages", hugepages, ARRAY_LEN(hugepages)},
    {"disks", "Disks", disks, ARRAY_LEN(disks)},
    {"nics", "NICs", nics, ARRAY_LEN(nics)},
    {"pools", "Storage pools", pools, ARRAY_LEN(pools)},
    {"networks", "Networks", networks, ARRAY_LEN(networks)},
};

static const struct view_line_desc lines[] = {
    {"Kernel",
     {{"", "kernel", format_text, ""}, {"up since ", "boot_time_seconds", format_since, ""}}},
    {"CPU",
     {{"", "cpu_utilisation_ratio", format_percent, " busy"},
      {"", "cpu_steal_ratio", format_percent, " stolen"},
      {"", "cpu_iowait_ratio", format_percent, " waiting for I/O"},
      {"", "online_cpus", format_whole, " CPUs"}}},
    {"Load",
     {{"", "load1", format_count, " (1 min)"},
      {"", "load5", format_count, " (5 min)"},
      {"", "load15", format_count, " (15 min)"}}},
    {"Pressure",
     {{"CPU ", "pressure_cpu_ratio", format_percent, ""},
      {"memory ", "pressure_memory_ratio", format_percent, ""},
      {"I/O ", "pressure_io_ratio", format_percent, " of the time (PSI)"}}},
    {"Memory",
     {{"", "memory_total_bytes", format_bytes, ""},
      {"", "memory_available_bytes", format_bytes, " available"},
      {"", "memory_free_bytes", format_bytes, " free"}}},
    {"Swap",
     {{"", "swap_total_bytes", format_bytes, ""}, {"", "swap_free_bytes", format_bytes, " free"}}},
    {"VMs", {{"", "domains", format_domains, ""}}},
    {"libvirt",
     {{"", "libvirt_uri", format_text, ""},
      {"", "libvirt_status", format_text, ""},
      {"daemon ", "libvirtd_version", format_text, ""},
      {"hypervisor ", "hypervisor_version", format_text, ""}}},
    {"vherd", {{"", "vherd_version", format_text, ""}}},
};

static void view(struct cli *cli, const json_t *host)
{
    const struct term *term = &cli->term;
    const char *name = api_text(host, "name");
    view_heading(term, name ? name : "this host", &cli->out);
    view_lines(term, host, lines, ARRAY_LEN(lines), &cli->out);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        view_table(term, parts[i].heading, api_list(host, parts[i].list), parts[i].columns,
                   parts[i].n, &cli->out);
    view_unavailable(term, api_list(host, "unavailable"), &cli->out);
    view_libvirt_hint(term, host, &cli->out);
}

int cmd_host(struct cli *cli)
{
    return cli_show(cli, verbs[VERB_HOST].path, 10000, view);
}
