// SPDX-License-Identifier: GPL-3.0-or-later
// Every reader of the kernel's texts on the same bytes: whatever they say, results stay in bounds.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "host_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool within(const char *text, size_t len, const char *piece, size_t piece_len)
{
    return piece >= text && piece_len <= len && piece + piece_len <= text + len;
}

static void process(const char *text, size_t len)
{
    struct proc_stat st;
    struct sched_times times;
    struct guest_args args;
    int32_t number = 0;
    if (parse_stat(text, len, &st) == 0)
        check(strlen(st.comm) < sizeof(st.comm) && st.start_ticks >= 0 && st.cpu >= -1);
    (void)parse_schedstat(text, len, &times);
    parse_cmdline(text, len, &args);
    check(strnlen(args.name, GUEST_NAME_MAX) < GUEST_NAME_MAX);
    check(parse_thread_name(text, &number) < THREAD_MAX && number >= -1);
    check(parse_thread_cgroup(text, &number) < THREAD_MAX && number >= -1);
}

static void cgroup(const char *text, size_t len)
{
    struct cgroup_line lines[CGROUP_SLOTS];
    bool split = false;
    parse_cgroup(text, len, lines);
    for (int i = 0; i < CGROUP_SLOTS; i++) {
        if (!lines[i].path)
            continue;
        check(within(text, len, lines[i].path, lines[i].path_len));
        check(within(text, len, lines[i].controllers, lines[i].controllers_len));
        check(lines[i].path[0] == '/' && lines[i].path_len < CGROUP_PATH_MAX);
        check(cgroup_vm_path(lines[i].path, lines[i].path_len, &split) <= lines[i].path_len);
    }
    check(cgroup_vm_path(text, len, &split) <= len);
}

static void machine(const char *text, size_t len)
{
    static const struct keyed keys[] = {{"MemTotal", 1024}, {"oom"}, {"oom_kill"}};
    double values[3], some, full;
    uint64_t columns[CPU_COLUMNS];
    uint32_t id;
    struct disk_stat disk;
    parse_keyed(text, len, keys, 3, values);
    for (int i = 0; i < 3; i++)
        check(isnan(values[i]) || values[i] >= 0);
    parse_pressure(text, len, &some, &full);
    check((isnan(some) || some >= 0) && (isnan(full) || full >= 0));
    (void)parse_cpu_line(text, len, &id, columns);
    (void)parse_disk_stat(text, len, &disk);
    check(parse_kmsg(text, len) < KMSG_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    process(text, size);
    cgroup(text, size);
    machine(text, size);
    return 0;
}
