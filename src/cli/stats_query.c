// SPDX-License-Identifier: GPL-3.0-or-later
// What `vherd stats` asks: the metrics, and the query that has the server compute their figures.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "stats.h"

// Of less than a quarter of the time, a straight line says how it began, not where it goes.
#define TREND_PART 4

#define WINDOW_S 60 // at least; the shorter one of longer windows
#define WINDOW_SHORT_S 15

#define VM_RATE(name) "sum by (domain) (" STATS_RATE(name "{domain=$vm}") ")"
#define DEVICE_RATE(name) "sum by (device) (" STATS_RATE(name) ")"

const struct stats_metric stats_of_vm[] = {
    {"CPU", VM_RATE("libvirt_domain_vcpu_time_seconds_total"),
     "max by (domain) (libvirt_domain_info_virtual_cpus{domain=$vm})", "vCPUs", NULL, true},
    {"CPU wait", VM_RATE("libvirt_domain_vcpu_delay_seconds_total"), NULL, NULL, NULL, true},
    {"memory in the guest",
     "max by (domain) (libvirt_domain_memory_stats_available_bytes{domain=$vm}) - max by (domain) "
     "(libvirt_domain_memory_stats_usable_bytes{domain=$vm})",
     "max by (domain) (libvirt_domain_memory_stats_available_bytes{domain=$vm})", "its memory",
     NULL, false},
    // What the balloon leaves it, until that is reached: the hypervisor's own comes on top.
    {"memory on the host", "max by (domain) (vherd_vm_resident_bytes{domain=$vm})",
     "(max by (domain) (libvirt_domain_memory_stats_actual_balloon_bytes{domain=$vm}) or max by "
     "(domain) (libvirt_domain_info_memory_usage_bytes{domain=$vm})) > max by (domain) "
     "(vherd_vm_resident_bytes{domain=$vm})",
     "its memory", NULL, false},
    {"disk read", VM_RATE("libvirt_domain_block_stats_read_bytes_total"), NULL, NULL, NULL, true},
    {"disk write", VM_RATE("libvirt_domain_block_stats_write_bytes_total"), NULL, NULL, NULL, true},
    {"disk space",
     "max by (target_device) (libvirt_domain_block_stats_physicalsize_bytes{domain=$vm})",
     "max by (target_device) (libvirt_domain_block_stats_capacity_bytes{domain=$vm})",
     "the disk's size", "target_device", false},
    {"file system", "max by (mountpoint) (vherd_filesystem_used_bytes{domain=$vm})",
     "max by (mountpoint) (vherd_filesystem_size_bytes{domain=$vm})", "its size", "mountpoint",
     false},
    {"network in", VM_RATE("libvirt_domain_interface_stats_receive_bytes_total"), NULL, NULL, NULL,
     true},
    {"network out", VM_RATE("libvirt_domain_interface_stats_transmit_bytes_total"), NULL, NULL,
     NULL, true},
    {NULL},
};

const struct stats_metric stats_of_host[] = {
    {"CPU", "sum(" STATS_RATE("vherd_host_cpu_seconds_total{mode!~\"idle|iowait\"}") ")",
     "max(vherd_host_cpus)", "CPUs", NULL, true},
    {"memory", "max(vherd_host_memory_total_bytes) - max(vherd_host_memory_available_bytes)",
     "max(vherd_host_memory_total_bytes)", "its memory", NULL, false},
    {"swap", "max(vherd_host_swap_total_bytes) - max(vherd_host_swap_free_bytes)",
     "max(vherd_host_swap_total_bytes) > 0", "its swap", NULL, false},
    {"disk read", DEVICE_RATE("vherd_host_disk_read_bytes_total"), NULL, NULL, "device", true},
    {"disk write", DEVICE_RATE("vherd_host_disk_written_bytes_total"), NULL, NULL, "device", true},
    {"pool", "max by (pool) (libvirt_pool_info_allocation_bytes)",
     "max by (pool) (libvirt_pool_info_capacity_bytes)", "its capacity", "pool", false},
    {"network in", DEVICE_RATE("vherd_host_network_receive_bytes_total"), NULL, NULL, "device",
     true},
    {"network out", DEVICE_RATE("vherd_host_network_transmit_bytes_total"), NULL, NULL, "device",
     true},
    {NULL},
};

// `%` stands for the range vector.
static const struct {
    const char *name;
    const char *before, *after; // around the range vector
} figures[STATS_FIGURE_MAX] = {
    [STATS_MEAN] = {"mean", "avg_over_time(", ")"},
    [STATS_MIN] = {"min", "min_over_time(", ")"},
    [STATS_P50] = {"p50", "quantile_over_time(0.5, ", ")"},
    [STATS_P95] = {"p95", "quantile_over_time(0.95, ", ")"},
    [STATS_P99] = {"p99", "quantile_over_time(0.99, ", ")"},
    [STATS_MAX] = {"max", "max_over_time(", ")"},
    [STATS_SUM] = {"sum", "sum_over_time(", ")"}, // times the step
    [STATS_TREND] = {"trend", "3600 * deriv(", ")"},
    [STATS_LAST] = {"last", "last_over_time(", ")"},
    [STATS_COVERED] = {"covered", "count_over_time(", ")"}, // times the step
    [STATS_LIMIT] = {"limit", NULL, NULL},
};

enum stats_figure stats_figure_of(const char *name)
{
    for (int i = 0; i < STATS_FIGURE_MAX; i++)
        if (strcmp(figures[i].name, name) == 0)
            return (enum stats_figure)i;
    return STATS_FIGURE_MAX;
}

static void put_quoted(const char *text, struct buf *out)
{
    buf_putc(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_putc(out, '\\');
        if (*text == '\n')
            buf_puts(out, "\\n");
        else
            buf_putc(out, *text);
    }
    buf_putc(out, '"');
}

void stats_fill(const char *expression, const char *vm, double window, struct buf *out)
{
    while (*expression) {
        size_t n = strcspn(expression, "$");
        buf_put(out, expression, n);
        expression += n;
        if (strncmp(expression, "$vm", 3) == 0 && vm) {
            put_quoted(vm, out);
            expression += 3;
        } else if (strncmp(expression, "$w", 2) == 0 || strncmp(expression, "$s", 2) == 0) {
            double shorter = window > WINDOW_S ? WINDOW_S : WINDOW_SHORT_S;
            buf_printf(out, "%.0fs", ceil(expression[1] == 'w' ? window : shorter));
            expression += 2;
        } else if (*expression) {
            buf_putc(out, *expression++);
        }
    }
}

static void put_figure(const struct stats_metric *m, int i, const char *expression, double range,
                       double step, struct buf *out)
{
    buf_puts(out, "label_replace(");
    if (i == STATS_SUM || i == STATS_COVERED)
        buf_printf(out, "%.0f * ", step);
    buf_printf(out, "%s(%s)[%.0fs:%.0fs]%s, \"figure\", \"%s\", \"\", \"\")", figures[i].before,
               expression, range, step, figures[i].after, figures[i].name);
}

void stats_query(const struct stats_metric *m, const char *vm, double range, double step,
                 struct buf *out)
{
    CLEANUP(buf_done) struct buf expression;
    buf_init(&expression, 1 << 16);
    double window = fmax(WINDOW_S, 2 * step);
    stats_fill(m->expression, vm, window, &expression);
    bool first = true;
    for (int i = 0; i < STATS_LIMIT; i++) {
        if (i == STATS_SUM && !m->is_rate)
            continue;
        buf_puts(out, first ? "" : " or ");
        put_figure(m, i, expression.data, range, step, out);
        first = false;
    }
    if (m->limit) {
        buf_puts(out, " or label_replace(");
        stats_fill(m->limit, vm, window, out);
        buf_puts(out, ", \"figure\", \"limit\", \"\", \"\")");
    }
    out->error = out->error ? out->error : expression.error;
}

void stats_drop_trend(double f[STATS_FIGURE_MAX], double range)
{
    if (!(f[STATS_COVERED] >= range / TREND_PART))
        f[STATS_TREND] = NAN;
}

double stats_utilisation(const double f[STATS_FIGURE_MAX])
{
    return f[STATS_LIMIT] > 0 ? f[STATS_MEAN] / f[STATS_LIMIT] : NAN;
}

double stats_time_to_limit(const double f[STATS_FIGURE_MAX])
{
    if (isnan(f[STATS_LIMIT]) || isnan(f[STATS_LAST]))
        return NAN;
    if (f[STATS_LAST] >= f[STATS_LIMIT])
        return 0;
    return f[STATS_TREND] > 0 ? (f[STATS_LIMIT] - f[STATS_LAST]) / f[STATS_TREND] * 3600 : NAN;
}
