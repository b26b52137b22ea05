// SPDX-License-Identifier: GPL-3.0-or-later
#include "column.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tui/api.h"

const struct tui_column tui_columns[] = {
    [COLUMN_NAME] = {'N', "NAME", 10, WIDTH_LEFT, 0, "name", true, format_text,
                     .help = "name of the domain"},
    [COLUMN_STATE] = {'S', "STATE", 8, WIDTH_LEFT, 1, "state", true, format_text,
                      .help = "libvirt's word for the state"},
    [COLUMN_CPU] = {'C', "CPU%", 5, WIDTH_RIGHT, 2, "cpu_ratio", false, format_percent, 0.7, 0.9,
                    "cpu_utilisation_ratio", "CPU time, 100% = one whole CPU"},
    {'W', "WAIT%", 5, WIDTH_RIGHT, 8, "cpu_wait_ratio", false, format_percent, 0.1, 0.3,
     .help = "vCPUs ready but waiting for a host CPU: steal as the guest sees it"},
    {'V', "VCPU", 4, WIDTH_RIGHT, 12, "vcpus_current", false, format_count, .help = "online vCPUs"},
    {'M', "MEM", 5, WIDTH_RIGHT, 3, "memory_current_bytes", false, format_bytes_short,
     .help = "memory the domain has"},
    {'U', "USED%", 5, WIDTH_RIGHT, 7, "memory_used_ratio", false, format_percent, 0.9, 0.97,
     .help = "used part of the guest's memory, as its balloon reports"},
    {'R', "READ", 5, WIDTH_RIGHT, 4, "read_bytes_per_second", false, format_bytes_short,
     .help = "bytes read from disks each second"},
    {'O', "WRITE", 5, WIDTH_RIGHT, 4, "write_bytes_per_second", false, format_bytes_short,
     .help = "bytes written to disks each second"},
    {'I', "IOPS", 5, WIDTH_RIGHT, 10, "disk_requests_per_second", false, format_count,
     .help = "disk requests each second"},
    {'L', "LAT", 6, WIDTH_RIGHT, 9, "disk_latency_seconds", false, format_latency_short, 0.05, 0.25,
     .help = "mean time of a disk request"},
    {'E', "RX", 5, WIDTH_RIGHT, 5, "receive_bytes_per_second", false, format_bytes_short,
     .help = "bytes received each second"},
    {'T', "TX", 5, WIDTH_RIGHT, 6, "transmit_bytes_per_second", false, format_bytes_short,
     .help = "bytes sent each second"},
    {'F', "FLAG", 11, WIDTH_LEFT, 11, "flag", true, format_text,
     .help = "a fault that keeps libvirt's data away: stopped, blocked, quarantined"},
};
const size_t tui_columns_count = ARRAY_LEN(tui_columns);

struct order {
    const struct tui_column *column;
    bool reverse;
};

static int by_name(const json_t *a, const json_t *b)
{
    const char *x = api_text(a, "name"), *y = api_text(b, "name");
    int r = strverscmp(x ? x : "", y ? y : "");
    if (r != 0)
        return r;
    x = api_text(a, "uuid");
    y = api_text(b, "uuid");
    return strcmp(x ? x : "", y ? y : "");
}

// Below 0: `a` first. Absent values come last whichever way round the order is.
static int by_value(const json_t *a, const json_t *b, const struct order *o)
{
    int r, a_absent, b_absent;
    if (o->column->text) {
        const char *x = api_text(a, o->column->field), *y = api_text(b, o->column->field);
        a_absent = !x;
        b_absent = !y;
        r = x && y ? strverscmp(x, y) : 0;
    } else {
        double x = api_number(a, o->column->field), y = api_number(b, o->column->field);
        a_absent = isnan(x);
        b_absent = isnan(y);
        r = (x < y) - (x > y);
    }
    if (a_absent || b_absent)
        return a_absent - b_absent;
    return o->reverse ? -r : r;
}

static int compare(const void *a, const void *b, void *arg)
{
    const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
    int r = by_value(x, y, arg);
    return r ? r : by_name(x, y);
}

static bool matches(const json_t *vm, const char *filter)
{
    static const char *const fields[] = {"name", "state", "guest_hostname", "uuid"};
    if (!*filter)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *text = api_text(vm, fields[i]);
        if (text && strcasestr(text, filter))
            return true;
    }
    return false;
}

const json_t **tui_sorted(const json_t *vms, const char *filter, size_t column, bool reverse,
                          size_t *ret_n)
{
    struct order order = {&tui_columns[column], reverse};
    const json_t **sorted = calloc(json_array_size(vms) + 1, sizeof(const json_t *));
    size_t n = 0;
    for (size_t i = 0; sorted && i < json_array_size(vms); i++) {
        const json_t *vm = json_array_get(vms, i);
        if (json_is_object(vm) && matches(vm, filter))
            sorted[n++] = vm;
    }
    if (n > 1)
        qsort_r(sorted, n, sizeof(const json_t *), compare, &order);
    *ret_n = n;
    return sorted;
}
