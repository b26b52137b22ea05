// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd host`: the machine that carries the VMs.
#include "base/esc.h"
#include "base/mem.h"
#include "command.h"
#include "view.h"

struct part {
    const char *list;
    const char *heading;
    const struct view_column *columns;
    size_t n;
};

static void view_pool_state(const struct term *term, const json_t *pool, const char *field,
                            struct buf *out)
{
    static const char *const words[] = {"inactive", "building", "running", "degraded",
                                        "inaccessible"};
    double state = api_number(pool, field);
    if (state >= 0 && state < (double)ARRAY_LEN(words))
        buf_puts(out, words[(size_t)state]);
}

static const struct view_column cpus[] = {
    {{"CPU", WIDTH_LEFT, 0, 0}, "cpu", view_text, NULL},
    {{"BUSY", WIDTH_RIGHT, 0, 0}, "utilisation_ratio", view_percent, NULL},
    {{"USER", WIDTH_RIGHT, 1, 0}, "user_seconds", view_duration, NULL},
    {{"SYSTEM", WIDTH_RIGHT, 2, 0}, "system_seconds", view_duration, NULL},
    {{"GUEST", WIDTH_RIGHT, 3, 0}, "guest_seconds", view_duration, NULL},
    {{"STEAL", WIDTH_RIGHT, 4, 0}, "steal_seconds", view_duration, NULL},
    {{"IOWAIT", WIDTH_RIGHT, 5, 0}, "iowait_seconds", view_duration, NULL},
    {{"IDLE", WIDTH_RIGHT, 6, 0}, "idle_seconds", view_duration, NULL},
};
static const struct view_column nodes[] = {
    {{"NODE", WIDTH_LEFT, 0, 0}, "node", view_text, NULL},
    {{"MEMORY", WIDTH_RIGHT, 0, 0}, "memory_total_bytes", view_bytes, NULL},
    {{"FREE", WIDTH_RIGHT, 0, 0}, "memory_free_bytes", view_bytes, NULL},
};
static const struct view_column hugepages[] = {
    {{"NODE", WIDTH_LEFT, 0, 0}, "node", view_text, NULL},
    {{"PAGE SIZE", WIDTH_RIGHT, 0, 0}, "page_size_bytes", view_size, NULL},
    {{"TOTAL", WIDTH_RIGHT, 0, 0}, "total", view_whole, NULL},
    {{"FREE", WIDTH_RIGHT, 0, 0}, "free", view_whole, NULL},
};
static const struct view_column disks[] = {
    {{"DISK", WIDTH_LEFT, 0, 6}, "device", view_text, NULL},
    {{"READ", WIDTH_RIGHT, 0, 0}, "read_bytes", view_bytes, NULL},
    {{"WRITTEN", WIDTH_RIGHT, 0, 0}, "write_bytes", view_bytes, NULL},
    {{"BUSY TIME", WIDTH_RIGHT, 1, 0}, "io_seconds", view_duration, NULL},
    {{"IN FLIGHT", WIDTH_RIGHT, 2, 0}, "in_flight", view_whole, NULL},
};
static const struct view_column nics[] = {
    {{"NIC", WIDTH_LEFT, 0, 8}, "device", view_text, NULL},
    {{"UP", WIDTH_LEFT, 1, 0}, "up", view_yes_no, NULL},
    {{"RECEIVED", WIDTH_RIGHT, 0, 0}, "receive_bytes", view_bytes, NULL},
    {{"SENT", WIDTH_RIGHT, 0, 0}, "transmit_bytes", view_bytes, NULL},
    {{"RX DROPS", WIDTH_RIGHT, 2, 0}, "receive_drops", view_count, NULL},
    {{"TX DROPS", WIDTH_RIGHT, 3, 0}, "transmit_drops", view_count, NULL},
};
static const struct view_column pools[] = {
    {{"POOL", WIDTH_LEFT, 0, 10}, "name", view_text, NULL},
    {{"STATE", WIDTH_LEFT, 0, 0}, "state", view_pool_state, NULL},
    {{"SIZE", WIDTH_RIGHT, 0, 0}, "capacity_bytes", view_bytes, NULL},
    {{"USED", WIDTH_RIGHT, 1, 0}, "allocation_bytes", view_bytes, NULL},
    {{"LEFT", WIDTH_RIGHT, 0, 0}, "available_bytes", view_bytes, NULL},
};
static const struct view_column networks[] = {
    {{"NETWORK", WIDTH_LEFT, 0, 10}, "name", view_text, NULL},
    {{"ACTIVE", WIDTH_LEFT, 0, 0}, "active", view_yes_no, NULL},
    {{"AUTOSTART", WIDTH_LEFT, 1, 0}, "autostart", view_yes_no, NULL},
    {{"BRIDGE", WIDTH_LEFT, 0, 0}, "bridge", view_text, NULL},
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
    {"Kernel", {{"", "kernel", view_text, ""}, {"up since ", "boot_time_seconds", view_since, ""}}},
    {"CPU",
     {{"", "cpu_utilisation_ratio", view_percent, " busy"},
      {"", "cpu_steal_ratio", view_percent, " stolen"},
      {"", "cpu_iowait_ratio", view_percent, " waiting for I/O"},
      {"", "online_cpus", view_whole, " CPUs"}}},
    {"Load",
     {{"", "load1", view_count, " (1 min)"},
      {"", "load5", view_count, " (5 min)"},
      {"", "load15", view_count, " (15 min)"}}},
    {"Memory",
     {{"", "memory_total_bytes", view_bytes, ""},
      {"", "memory_available_bytes", view_bytes, " available"},
      {"", "memory_free_bytes", view_bytes, " free"}}},
    {"Swap",
     {{"", "swap_total_bytes", view_bytes, ""}, {"", "swap_free_bytes", view_bytes, " free"}}},
    {"VMs", {{"", "domains", view_whole, ""}, {"", "domains_running", view_whole, " running"}}},
    {"libvirt",
     {{"", "libvirt_uri", view_text, ""},
      {"", "libvirt_status", view_text, ""},
      {"daemon ", "libvirtd_version", view_text, ""},
      {"hypervisor ", "hypervisor_version", view_text, ""}}},
    {"vherd", {{"", "vherd_version", view_text, ""}}},
};

static void view(struct cli *cli, const json_t *host)
{
    const struct term *term = &cli->term;
    const char *name = api_text(host, "name");
    CLEANUP(freep) char *safe = esc_terminal_dup(name ? name : "this host");
    view_heading(term, safe, &cli->out);
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
