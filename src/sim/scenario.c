// SPDX-License-Identifier: GPL-3.0-or-later
// A scenario's keys in tables, one a section: name, how its value is read, where it goes, and
// between which limits it lies. Defaults are the `fresh` rows below them.
#include "sim/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/similar.h"
#include "sim/history.h"
#include "sim/history_store.h"
#include "yaml_tree.h"

#define FILE_MAX ((size_t)8 << 20)
#define ITEMS_MAX 100000
#define FIELDS_MAX 32
#define YEAR_S (365 * 86400.0)

struct loader {
    const char *name, *folder;
    struct yaml_tree tree;
    struct scenario *s;
    struct err *err;
};

struct field {
    const char *name;
    int (*read)(struct loader *l, const struct yaml_node *value, void *to, const struct field *f);
    size_t offset;
    double least, most;
    bool required;
};

static int fail(struct loader *l, const struct yaml_node *n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct loader *l, const struct yaml_node *n, const char *format, ...)
{
    char piece[600];
    va_list ap;
    va_start(ap, format);
    vsnprintf(piece, sizeof(piece), format, ap);
    va_end(ap);
    return err_set_at(l->err, EINVAL, n->line, n->column, "%s:%d:%d: %s", l->name, n->line,
                      n->column, piece);
}

static int check(struct loader *l, const struct yaml_node *n, double v, const struct field *f)
{
    if (v < f->least || v > f->most)
        return fail(l, n, "%s must be between %g and %g", f->name, f->least, f->most);
    return 0;
}

static int read_text(struct loader *l, const struct yaml_node *n, void *to, const struct field *f)
{
    if (n->kind != YAML_KIND_SCALAR || n->len == 0 || strlen(n->text) != n->len || n->len > 200)
        return fail(l, n, "%s must be a short text", f->name);
    mem_strset(to, n->text);
    return 0;
}

static int read_number(struct loader *l, const struct yaml_node *n, void *to, const struct field *f)
{
    double *v = to;
    if (n->kind != YAML_KIND_SCALAR || number_parse_f64(n->text, v) < 0)
        return fail(l, n, "%s must be a number", f->name);
    return check(l, n, *v, f);
}

static int read_count(struct loader *l, const struct yaml_node *n, void *to, const struct field *f)
{
    uint64_t *v = to;
    if (n->kind != YAML_KIND_SCALAR || number_parse_u64(n->text, v) < 0)
        return fail(l, n, "%s must be a whole number", f->name);
    return check(l, n, (double)*v, f);
}

static int read_size(struct loader *l, const struct yaml_node *n, void *to, const struct field *f)
{
    uint64_t *v = to;
    if (n->kind != YAML_KIND_SCALAR || number_parse_size(n->text, v) < 0)
        return fail(l, n, "%s must be a size such as 512M or 64G", f->name);
    return check(l, n, (double)*v, f);
}

static int read_pause(struct loader *l, const struct yaml_node *n, void *to, const struct field *f)
{
    int64_t ns;
    if (n->kind != YAML_KIND_SCALAR || number_parse_duration(n->text, &ns) < 0)
        return fail(l, n, "%s must be a duration such as 300ms, 5m, 2h or 7d", f->name);
    double *v = to;
    *v = (double)ns / (double)NS_PER_S;
    return check(l, n, *v, f);
}

// Shorter ones would only make a simulation endless.
static int read_duration(struct loader *l, const struct yaml_node *n, void *to,
                         const struct field *f)
{
    int r = read_pause(l, n, to, f);
    double v = *(double *)to;
    return r == 0 && v > 0 && v < 1 ? fail(l, n, "%s must be 0 or at least 1s", f->name) : r;
}

static int read_word(struct loader *l, const struct yaml_node *n, const struct field *f,
                     const char *const *words, size_t words_n, size_t *ret)
{
    CLEANUP(buf_done) struct buf known;
    buf_init(&known, 500);
    for (size_t i = 0; i < words_n; i++) {
        if (n->kind == YAML_KIND_SCALAR && strcmp(n->text, words[i]) == 0) {
            *ret = i;
            return 0;
        }
        buf_printf(&known, "%s%s", i ? ", " : "", words[i]);
    }
    return fail(l, n, "%s must be one of: %s", f->name, known.data);
}

static const char *const workloads[] = {
    [WORKLOAD_CONSTANT] = "constant", [WORKLOAD_DAILY] = "daily", [WORKLOAD_WEEKLY] = "weekly",
    [WORKLOAD_BURSTY] = "bursty",     [WORKLOAD_HEAVY] = "heavy", [WORKLOAD_TRACE] = "trace",
    [WORKLOAD_HISTORY] = "history",
};
static const char *const queues[] = {"any", "fcfs", "sjf", "priority", "ageing"};
_Static_assert(ARRAY_LEN(queues) == QUEUEING_MAX, "a queue without a name");
_Static_assert(ARRAY_LEN(workloads) == WORKLOAD_MAX, "a workload without a name");

static const char *const faults[] = {
    [FAULT_VM_CRASH] = "vm-crash",         [FAULT_VM_HANG] = "vm-hang",
    [FAULT_HOST_FAILURE] = "host-failure", [FAULT_STORAGE_GONE] = "storage-gone",
    [FAULT_STORAGE_SLOW] = "storage-slow", [FAULT_LIBVIRT_GONE] = "libvirt-gone",
    [FAULT_MAINTENANCE] = "maintenance",
};
_Static_assert(ARRAY_LEN(faults) == FAULT_MAX, "a fault without a name");

const char *scenario_fault_name(enum scenario_fault fault)
{
    return faults[fault];
}

static int read_workload(struct loader *l, const struct yaml_node *n, void *to,
                         const struct field *f)
{
    size_t i = 0;
    int r = read_word(l, n, f, workloads, WORKLOAD_MAX, &i);
    *(enum scenario_workload *)to = (enum scenario_workload)i;
    return r;
}

static int read_queue(struct loader *l, const struct yaml_node *n, void *to, const struct field *f)
{
    size_t i = 0;
    int r = read_word(l, n, f, queues, QUEUEING_MAX, &i);
    *(enum scenario_queue *)to = (enum scenario_queue)i;
    return r;
}

static int read_fault(struct loader *l, const struct yaml_node *n, void *to, const struct field *f)
{
    size_t i = 0;
    int r = read_word(l, n, f, faults, FAULT_MAX, &i);
    *(enum scenario_fault *)to = (enum scenario_fault)i;
    return r;
}

static int read_power(struct loader *l, const struct yaml_node *n, void *to, const struct field *f)
{
    struct place_power power;
    size_t k = 0;
    if (n->kind != YAML_KIND_LIST)
        return fail(l, n, "power must be a list of %d watts, at 0, 10, … 100 %%",
                    PLACE_POWER_POINTS);
    for (uint32_t i = n->child; i; i = l->tree.node[i].next) {
        const struct yaml_node *item = &l->tree.node[i];
        double watts;
        if (k == PLACE_POWER_POINTS || item->kind != YAML_KIND_SCALAR ||
            number_parse_f64(item->text, &watts) < 0)
            return fail(l, item, "power has %d numbers", PLACE_POWER_POINTS);
        int r = check(l, item, watts, f);
        if (r < 0)
            return r;
        power.watts[k++] = watts;
    }
    if (k < PLACE_POWER_POINTS)
        return fail(l, n, "power has %d numbers, here are %zu", PLACE_POWER_POINTS, k);
    *(struct place_power *)to = power;
    return 0;
}

#define AT(type, member) offsetof(struct type, member)

static const struct field host_fields[] = {
    {"name", read_text, AT(scenario_hosts, name), 0, 0, true},
    {"count", read_count, AT(scenario_hosts, count), 1, SCENARIO_HOSTS_MAX, false},
    {"cores", read_count, AT(scenario_hosts, cores), 1, 4096, false},
    {"mips", read_number, AT(scenario_hosts, mips), 1, 1e6, false},
    {"memory", read_size, AT(scenario_hosts, memory_bytes), 1 << 20, 1e15, false},
    {"swap", read_size, AT(scenario_hosts, swap_bytes), 0, 1e15, false},
    {"network", read_size, AT(scenario_hosts, network_bytes_per_s), 1, 1e13, false},
    {"overcommit", read_number, AT(scenario_hosts, overcommit), 0.1, 10, false},
    {"power", read_power, AT(scenario_hosts, power), 0, 1e6, false},
    {"mtbf", read_duration, AT(scenario_hosts, mtbf_s), 0, 100 * YEAR_S, false},
    {"mttr", read_duration, AT(scenario_hosts, mttr_s), 1, YEAR_S, false},
    {"libvirt_mtbf", read_duration, AT(scenario_hosts, libvirt_mtbf_s), 0, 100 * YEAR_S, false},
    {"libvirt_mttr", read_duration, AT(scenario_hosts, libvirt_mttr_s), 1, YEAR_S, false},
    {0},
};

static const struct scenario_hosts fresh_hosts = {
    .count = 1,
    .cores = 16,
    .mips = 2600,
    .memory_bytes = UINT64_C(64) << 30,
    .network_bytes_per_s = 1250000000,
    .overcommit = 1,
    .power = {{93.7, 97, 101, 105, 110, 116, 121, 125, 129, 133, 135}},
    .mttr_s = 1800,
    .libvirt_mttr_s = 30,
};

static const struct field storage_fields[] = {
    {"name", read_text, AT(scenario_storage, name), 0, 0, true},
    {"mtbf", read_duration, AT(scenario_storage, mtbf_s), 0, 100 * YEAR_S, false},
    {"mttr", read_duration, AT(scenario_storage, mttr_s), 1, YEAR_S, false},
    {"slow_mtbf", read_duration, AT(scenario_storage, slow_mtbf_s), 0, 100 * YEAR_S, false},
    {"slow_mttr", read_duration, AT(scenario_storage, slow_mttr_s), 1, YEAR_S, false},
    {"slow_ratio", read_number, AT(scenario_storage, slow_ratio), 0, 1, false},
    {0},
};

static const struct scenario_storage fresh_storage = {
    .mttr_s = 600,
    .slow_mttr_s = 600,
    .slow_ratio = 0.3,
};

static int read_map(struct loader *l, const struct yaml_node *map, const struct field *fields,
                    void *to, int (*other)(struct loader *l, const struct yaml_node *key));

static const struct field history_fields[] = {
    {"store", read_text, AT(scenario_vms, store), 0, 0, true},
    {"days", read_count, AT(scenario_vms, days), 1, SIM_HISTORY_DAYS_MAX, false},
    {0},
};

// A mapping of its own whose values go into the same struct.
static int read_history(struct loader *l, const struct yaml_node *n, void *to,
                        const struct field *f)
{
    ((struct scenario_vms *)to)->workload = WORKLOAD_HISTORY;
    return read_map(l, n, history_fields, to, NULL);
}

static const struct field vm_fields[] = {
    {"name", read_text, AT(scenario_vms, name), 0, 0, true},
    {"storage", read_text, AT(scenario_vms, storage), 0, 0, false},
    {"count", read_count, AT(scenario_vms, count), 1, SCENARIO_VMS_MAX, false},
    {"vcpus", read_count, AT(scenario_vms, vcpus), 1, 4096, false},
    {"mips", read_number, AT(scenario_vms, mips), 1, 1e6, false},
    {"memory", read_size, AT(scenario_vms, memory_bytes), 1 << 20, 1e14, false},
    {"working_set", read_number, AT(scenario_vms, working_set), 0, 1, false},
    {"dirty_rate", read_size, AT(scenario_vms, dirty_bytes_per_s), 0, 1e12, false},
    {"workload", read_workload, AT(scenario_vms, workload), 0, 0, false},
    {"mean", read_number, AT(scenario_vms, mean), 0, 1, false},
    {"peak", read_number, AT(scenario_vms, peak), 0, 1, false},
    {"noise", read_number, AT(scenario_vms, noise), 0, 1, false},
    {"peak_at", read_duration, AT(scenario_vms, peak_at_s), 0, 86400, false},
    {"weekend", read_number, AT(scenario_vms, weekend), 0, 1, false},
    {"burst", read_duration, AT(scenario_vms, burst_s), 1, YEAR_S, false},
    {"calm", read_duration, AT(scenario_vms, calm_s), 1, YEAR_S, false},
    {"alpha", read_number, AT(scenario_vms, alpha), 0.5, 10, false},
    {"traces", read_text, AT(scenario_vms, traces), 0, 0, false},
    {"column", read_count, AT(scenario_vms, column), 1, 1000, false},
    {"scale", read_number, AT(scenario_vms, scale), 0, 1e9, false},
    {"sample", read_duration, AT(scenario_vms, sample_s), 1, YEAR_S, false},
    {"history", read_history, 0, 0, 0, false},
    {"arrive", read_duration, AT(scenario_vms, arrive_s), 0, 100 * YEAR_S, false},
    {"every", read_duration, AT(scenario_vms, every_s), 0, 100 * YEAR_S, false},
    {"lifetime", read_duration, AT(scenario_vms, lifetime_s), 0, 100 * YEAR_S, false},
    {"priority", read_count, AT(scenario_vms, priority), 0, 1000000, false},
    {"crash_mtbf", read_duration, AT(scenario_vms, crash_mtbf_s), 0, 100 * YEAR_S, false},
    {"hang_mtbf", read_duration, AT(scenario_vms, hang_mtbf_s), 0, 100 * YEAR_S, false},
    {"mttr", read_duration, AT(scenario_vms, mttr_s), 1, YEAR_S, false},
    {0},
};

static const struct scenario_vms fresh_vms = {
    .count = 1,
    .vcpus = 1,
    .mips = 2600,
    .memory_bytes = UINT64_C(2) << 30,
    .working_set = 0.6,
    .dirty_bytes_per_s = 20 << 20,
    .mean = 0.2,
    .peak = 0.8,
    .noise = 0.05,
    .peak_at_s = 14 * 3600,
    .weekend = 0.4,
    .burst_s = 600,
    .calm_s = 3600,
    .alpha = 1.5,
    .column = 1,
    .scale = 1,
    .sample_s = 300,
    .days = 7,
    .mttr_s = 120,
    .host = -1,
};

static const struct field event_fields[] = {
    {"at", read_duration, AT(scenario_event, at_s), 0, 100 * YEAR_S, true},
    {"for", read_duration, AT(scenario_event, for_s), 1, 100 * YEAR_S, false},
    {"fault", read_fault, AT(scenario_event, fault), 0, 0, true},
    {"target", read_text, AT(scenario_event, target), 0, 0, true},
    {0},
};

static const struct scenario_event fresh_event = {.for_s = 600};

static const struct field top_fields[] = {
    {"name", read_text, AT(scenario, name), 0, 0, false},
    {"seed", read_count, AT(scenario, seed), 0, 1.8e19, false},
    {"duration", read_duration, AT(scenario, duration_s), 1, 10 * YEAR_S, false},
    {"step", read_duration, AT(scenario, step_s), 1, 86400, false},
    {"policy", read_text, AT(scenario, policy), 0, 0, false},
    {"queue", read_queue, AT(scenario, queue), 0, 0, false},
    {"ageing", read_duration, AT(scenario, ageing_s), 1, YEAR_S, false},
    {"downtime_limit", read_pause, AT(scenario, downtime_limit_s), 0, 60, false},
    {"restart", read_duration, AT(scenario, restart_s), 0, 86400, false},
    {0},
};

static const struct section {
    const char *name;
    const struct field *fields;
    const void *fresh;
    size_t size, items, count;
} sections[] = {
    {"hosts", host_fields, &fresh_hosts, sizeof(fresh_hosts), AT(scenario, hosts),
     AT(scenario, hosts_n)},
    {"storage", storage_fields, &fresh_storage, sizeof(fresh_storage), AT(scenario, storage),
     AT(scenario, storage_n)},
    {"vms", vm_fields, &fresh_vms, sizeof(fresh_vms), AT(scenario, vms), AT(scenario, vms_n)},
    {"events", event_fields, &fresh_event, sizeof(fresh_event), AT(scenario, events),
     AT(scenario, events_n)},
};

static int unknown_key(struct loader *l, const struct yaml_node *key, const struct field *fields,
                       bool top)
{
    const char *names[FIELDS_MAX + ARRAY_LEN(sections)];
    size_t n = 0;
    for (; fields[n].name; n++)
        names[n] = fields[n].name;
    for (size_t i = 0; top && i < ARRAY_LEN(sections); i++)
        names[n++] = sections[i].name;
    const char *near = similar_best(key->text, names, n);
    return near ? fail(l, key, "unknown key \"%.60s\"; did you mean \"%s\"?", key->text, near)
                : fail(l, key, "unknown key \"%.60s\"", key->text);
}

// Keys of one mapping into a struct; a key that is no field is left to `other`, if there is one.
static int read_map(struct loader *l, const struct yaml_node *map, const struct field *fields,
                    void *to, int (*other)(struct loader *l, const struct yaml_node *key))
{
    bool seen[FIELDS_MAX] = {false};
    if (map->kind != YAML_KIND_MAP)
        return fail(l, map, "keys and values are expected here");
    for (uint32_t i = map->child; i; i = l->tree.node[l->tree.node[i].next].next) {
        const struct yaml_node *key = &l->tree.node[i], *value = &l->tree.node[key->next];
        if (key->kind != YAML_KIND_SCALAR)
            return fail(l, key, "a key must be a word");
        size_t k = 0;
        while (fields[k].name && strcmp(fields[k].name, key->text) != 0)
            k++;
        int r;
        if (!fields[k].name)
            r = other ? other(l, key) : unknown_key(l, key, fields, false);
        else if (seen[k])
            r = fail(l, key, "\"%s\" stands here twice", key->text);
        else
            r = fields[k].read(l, value, (char *)to + fields[k].offset, &fields[k]);
        if (r < 0)
            return r;
        if (fields[k].name)
            seen[k] = true;
    }
    for (size_t k = 0; fields[k].name; k++)
        if (fields[k].required && !seen[k])
            return fail(l, map, "\"%s\" is missing", fields[k].name);
    return 0;
}

static int read_section(struct loader *l, const struct section *section,
                        const struct yaml_node *list)
{
    void **items = (void **)((char *)l->s + section->items);
    size_t *n = (size_t *)((char *)l->s + section->count), cap = 0;
    if (list->kind != YAML_KIND_LIST)
        return fail(l, list, "\"%s\" must be a list", section->name);
    if (*items)
        return fail(l, list, "\"%s\" stands here twice", section->name);
    for (uint32_t i = list->child; i; i = l->tree.node[i].next) {
        const struct yaml_node *node = &l->tree.node[i];
        int r = mem_grow_capped(items, &cap, *n, section->size, ITEMS_MAX);
        if (r < 0)
            return fail(l, node, "too many items");
        void *item = (char *)*items + *n * section->size;
        memcpy(item, section->fresh, section->size);
        (*n)++;
        r = read_map(l, node, section->fields, item, NULL);
        if (r < 0)
            return r;
        if (section->fields == event_fields) {
            ((struct scenario_event *)item)->line = node->line;
            ((struct scenario_event *)item)->column = node->column;
        }
    }
    return 0;
}

static int read_other(struct loader *l, const struct yaml_node *key)
{
    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        if (strcmp(sections[i].name, key->text) == 0)
            return read_section(l, &sections[i], &l->tree.node[key->next]);
    return unknown_key(l, key, top_fields, true);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

static int load_csv(struct loader *l, struct scenario_vms *v, const char *path)
{
    CLEANUP(freep) char *text = NULL;
    size_t len;
    int r = fs_read_file(AT_FDCWD, path, FILE_MAX, &text, &len);
    if (r < 0)
        return err_set(l->err, -r, "cannot read %s: %s", path, strerror(-r));
    struct trace trace = {0};
    r = trace_parse_csv(path, text, len, (size_t)v->column - 1, v->scale, &trace.sample, &trace.n,
                        l->err);
    if (r < 0)
        return r;
    trace.name = mem_strdup(v->traces);
    v->set.trace = mem_zalloc(sizeof(trace));
    v->set.trace[0] = trace;
    v->set.n = 1;
    return 0;
}

static int load_store(struct loader *l, struct scenario_vms *v)
{
    if (!v->store || !l->folder)
        return err_set(l->err, EINVAL, "%s: vms \"%s\" need a history", l->name, v->name);
    CLEANUP(freep)
    char *path =
        v->store[0] == '/' ? mem_strdup(v->store) : mem_printf("%s/%s", l->folder, v->store);
    return history_load(path, v, l->err);
}

static int load_traces(struct loader *l, struct scenario_vms *v)
{
    if (v->workload == WORKLOAD_HISTORY)
        return load_store(l, v);
    if (v->workload != WORKLOAD_TRACE)
        return 0;
    if (!v->traces || !l->folder)
        return err_set(l->err, EINVAL, "%s: vms \"%s\" need traces", l->name, v->name);
    CLEANUP(freep)
    char *path =
        v->traces[0] == '/' ? mem_strdup(v->traces) : mem_printf("%s/%s", l->folder, v->traces);
    return ends_with(path, ".csv") ? load_csv(l, v, path) : trace_set_load(path, &v->set, l->err);
}

static int check_whole(struct loader *l)
{
    struct scenario *s = l->s;
    uint64_t hosts = 0, vms = 0;
    for (size_t i = 0; i < s->hosts_n; i++)
        hosts += s->hosts[i].count;
    for (size_t i = 0; i < s->vms_n; i++) {
        struct scenario_vms *v = &s->vms[i];
        vms += v->count;
        bool found = !v->storage;
        for (size_t k = 0; k < s->storage_n; k++)
            found = found || strcmp(s->storage[k].name, v->storage) == 0;
        if (!found)
            return err_set(l->err, EINVAL,
                           "%s: vms \"%s\" are on storage \"%s\", which is not there", l->name,
                           v->name, v->storage);
        int r = load_traces(l, v);
        if (r < 0)
            return r;
    }
    if (hosts == 0 || hosts > SCENARIO_HOSTS_MAX)
        return err_set(l->err, EINVAL, "%s: %llu hosts; 1 to %d are possible", l->name,
                       (unsigned long long)hosts, SCENARIO_HOSTS_MAX);
    if (vms > SCENARIO_VMS_MAX)
        return err_set(l->err, EINVAL, "%s: %llu VMs; at most %d are possible", l->name,
                       (unsigned long long)vms, SCENARIO_VMS_MAX);
    return 0;
}

static void loader_done(struct loader *l)
{
    yaml_tree_done(&l->tree);
    scenario_free(l->s);
}

int scenario_parse(const char *name, const char *text, size_t len, const char *folder,
                   struct scenario **ret, struct err *err)
{
    CLEANUP(loader_done) struct loader l = {.name = name, .folder = folder, .err = err};
    int r = yaml_tree_parse(name, text, len, &l.tree, err);
    if (r < 0)
        return r;
    l.s = mem_zalloc(sizeof(*l.s));
    *l.s = (struct scenario){.name = mem_strdup("scenario"),
                             .seed = 1,
                             .duration_s = 86400,
                             .step_s = 300,
                             .policy = mem_strdup("vherd"),
                             .ageing_s = 600,
                             .downtime_limit_s = 0.3,
                             .restart_s = 120};
    r = read_map(&l, &l.tree.node[1], top_fields, l.s, read_other);
    if (r == 0)
        r = check_whole(&l);
    if (r == 0)
        *ret = TAKE_PTR(l.s);
    return r;
}

int scenario_load(const char *path, struct scenario **ret, struct err *err)
{
    CLEANUP(freep) char *text = NULL;
    size_t len;
    int r = fs_read_file(AT_FDCWD, path, FILE_MAX, &text, &len);
    if (r < 0)
        return err_set(err, -r, "cannot read %s: %s", path, strerror(-r));
    const char *slash = strrchr(path, '/');
    CLEANUP(freep)
    char *folder = slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup(".");
    return scenario_parse(path, text, len, folder, ret, err);
}

void scenario_free(struct scenario *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->hosts_n; i++)
        free(s->hosts[i].name);
    for (size_t i = 0; i < s->storage_n; i++)
        free(s->storage[i].name);
    for (size_t i = 0; i < s->vms_n; i++) {
        free(s->vms[i].name);
        free(s->vms[i].storage);
        free(s->vms[i].traces);
        free(s->vms[i].store);
        trace_set_done(&s->vms[i].set);
        trace_set_done(&s->vms[i].memory);
    }
    for (size_t i = 0; i < s->events_n; i++)
        free(s->events[i].target);
    free(s->hosts);
    free(s->storage);
    free(s->vms);
    free(s->events);
    free(s->name);
    free(s->policy);
    free(s);
}
