// SPDX-License-Identifier: GPL-3.0-or-later
// vherd watches itself: which processes it has, and what each costs.
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "core.h"

void processes_learn(struct core *c, const char *text)
{
    json_error_t error;
    json_t *list = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_array(list)) {
        log_warning("the supervisor's list of processes is malformed");
        json_decref(list);
        return;
    }
    object_clear(c->herd->host, KIND_PROCESS);
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *name = NULL, *sandbox = "";
        json_int_t pid = 0, restarts = 0;
        if (json_unpack(item, "{s:s, s:I, s:I, s?s}", "name", &name, "pid", &pid, "restarts",
                        &restarts, "sandbox", &sandbox) < 0)
            continue;
        struct object *o = object_child(c->herd->host, KIND_PROCESS, name);
        object_set_attr(o, ATTR_PROCESS_SANDBOX, sandbox);
        object_set_fact(o, FACT_PROCESS_RESTARTS, (double)restarts, clock_mono_ns(&clock_system));
        o->before[0] = (double)pid;
    }
    json_decref(list);
    processes_measure(c);
}

// Fields 14, 15 (times in clock ticks) and 24 (resident pages) of /proc/PID/stat.
static void measure(struct object *o)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)o->before[0]);
    int64_t now = clock_mono_ns(&clock_system);
    uint64_t user = 0, system = 0, pages = 0;
    const char *p = NULL;
    if (fs_read_small(AT_FDCWD, path, text, sizeof(text)) > 0)
        p = strrchr(text, ')');
    bool is_read = p && number_skip_words(&p, 12) && number_scan_u64(&p, &user) &&
                   number_scan_u64(&p, &system) && number_skip_words(&p, 8) &&
                   number_scan_u64(&p, &pages);
    double tick_ns = (double)NS_PER_S / (double)sysconf(_SC_CLK_TCK);
    object_set_fact(o, FACT_PROCESS_CPU, is_read ? (double)(user + system) * tick_ns : NAN, now);
    object_set_fact(o, FACT_PROCESS_RSS,
                    is_read ? (double)pages * (double)sysconf(_SC_PAGESIZE) : NAN, now);
}

void processes_measure(struct core *c)
{
    OBJECT_FOREACH_CHILD (o, c->herd->host, KIND_PROCESS)
        measure(o);
}
