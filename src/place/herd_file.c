// SPDX-License-Identifier: GPL-3.0-or-later
// A table of members for each kind of object: name, reader, and where the value goes.
#include "place/herd_file.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"

#define HISTORY_MAX 1000000

struct reading {
    struct herd_file *file;
    struct place_snapshot *s;
    struct err *err;
    char path[PLACE_NAME_MAX + 64]; // of the object being read: hosts[3] "name"
    int32_t at;                     // its index
};

struct member {
    const char *name;
    int (*read)(struct reading *r, void *object, const struct member *m, const json_t *value);
    size_t offset;
    int argument;
};

static int bad(const struct reading *r, const char *member, const char *what)
{
    return err_set(r->err, EINVAL, "%s: %s: %s", r->path, member, what);
}

static int get_number(struct reading *r, const struct member *m, const json_t *v, double least,
                      double most, double *ret)
{
    if (!json_is_number(v))
        return bad(r, m->name, "must be a number");
    *ret = json_number_value(v);
    return *ret >= least && *ret <= most ? 0 : bad(r, m->name, "is out of range");
}

static int read_number(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    return get_number(r, m, v, 0, 1e18, (double *)((char *)object + m->offset));
}

static int read_cpus(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    double cpus = 0;
    int n = get_number(r, m, v, 0, 1e6, &cpus);
    if (n == 0)
        *(int64_t *)((char *)object + m->offset) = llround(cpus * PLACE_CPU_UNIT);
    return n;
}

// A whole number, or text such as "64G".
static int read_amount(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    uint64_t amount = 0;
    if (json_is_string(v)) {
        if (number_parse_size(json_string_value(v), &amount) < 0)
            return bad(r, m->name, "must be a size such as 64G");
    } else if (json_is_integer(v) && json_integer_value(v) >= 0) {
        amount = (uint64_t)json_integer_value(v);
    } else {
        return bad(r, m->name, "must be a whole number or a size such as \"64G\"");
    }
    if (amount > (uint64_t)PLACE_AMOUNT_MAX)
        return bad(r, m->name, "is out of range");
    *(int64_t *)((char *)object + m->offset) = (int64_t)amount;
    return 0;
}

static int read_int(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < -1000000000 || n > 1000000000)
        return bad(r, m->name, "must be a whole number");
    *(int32_t *)((char *)object + m->offset) = (int32_t)n;
    return 0;
}

static int read_bool(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    if (!json_is_boolean(v))
        return bad(r, m->name, "must be true or false");
    *(bool *)((char *)object + m->offset) = json_is_true(v);
    return 0;
}

static int get_text(struct reading *r, const struct member *m, const json_t *v, const char **ret)
{
    if (!json_is_string(v) || json_string_length(v) == 0 ||
        json_string_length(v) > PLACE_NAME_MAX ||
        strlen(json_string_value(v)) != json_string_length(v))
        return bad(r, m->name, "must be a text of 1 to 256 bytes");
    *ret = json_string_value(v);
    return 0;
}

static int read_text(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    const char *text = NULL;
    int n = get_text(r, m, v, &text);
    if (n == 0)
        *(const char **)((char *)object + m->offset) = place_snapshot_text(r->s, text);
    return n;
}

static int read_nothing(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    return 0; // has been read before
}

static int add_trait(struct reading *r, void *object, const struct member *m, const char *name)
{
    int32_t trait = place_snapshot_trait(r->s, m->argument, name);
    if (trait < 0)
        return bad(r, m->name, "there are more than 512 models, pools, networks and labels");
    place_traits_add((struct place_traits *)((char *)object + m->offset), trait);
    return 0;
}

// One name, or an array of names.
static int read_traits(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    const char *name = NULL;
    size_t i;
    json_t *item;
    int n = 0;
    if (json_is_string(v)) {
        n = get_text(r, m, v, &name);
        return n < 0 ? n : add_trait(r, object, m, name);
    }
    if (!json_is_array(v))
        return bad(r, m->name, "must be an array of names");
    json_array_foreach(v, i, item)
    {
        if (n == 0)
            n = get_text(r, m, item, &name);
        if (n == 0)
            n = add_trait(r, object, m, name);
    }
    return n;
}

static int read_labels(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    const char *key, *text = NULL;
    json_t *item;
    int n = 0;
    if (!json_is_object(v))
        return bad(r, m->name, "must be an object of texts");
    json_object_foreach((json_t *)v, key, item)
    {
        n = get_text(r, m, item, &text);
        if (n < 0)
            return n;
        CLEANUP(freep) char *label = mem_printf("%s=%s", key, text);
        if (strlen(label) > PLACE_NAME_MAX)
            return bad(r, m->name, "a label is too long");
        n = add_trait(r, object, m, label);
        if (n < 0)
            return n;
    }
    return 0;
}

static int read_overcommit(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    double *ratio = (double *)((char *)object + m->offset);
    const char *key;
    json_t *item;
    if (!json_is_object(v))
        return bad(r, m->name, "must be an object such as {\"cpu\": 4}");
    json_object_foreach((json_t *)v, key, item)
    {
        int k = 0;
        while (k < PLACE_RESOURCES && strcmp(place_resource_name(k), key) != 0)
            k++;
        if (k == PLACE_RESOURCES)
            return bad(r, m->name, "has cpu, memory, storage and network only");
        int n = get_number(r, m, item, 0, 1e6, &ratio[k]);
        if (n < 0)
            return n;
    }
    return 0;
}

static int read_domain(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    const char *name = NULL;
    int n = get_text(r, m, v, &name);
    if (n == 0)
        *(int32_t *)((char *)object + m->offset) = place_snapshot_domain(r->s, name);
    return n;
}

static int read_group(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    const char *name = NULL;
    int n = get_text(r, m, v, &name);
    if (n < 0)
        return n;
    int32_t group = place_snapshot_group(r->s, name, m->argument);
    if (group < 0)
        return bad(r, m->name, "there are too many groups");
    *(int32_t *)((char *)object + m->offset) = group;
    return 0;
}

static int read_host_name(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    const char *name = NULL;
    int n = get_text(r, m, v, &name);
    if (n < 0)
        return n;
    int32_t host = place_snapshot_host_named(r->s, name);
    if (host < 0)
        return bad(r, m->name, "there is no such host");
    *(int32_t *)((char *)object + m->offset) = host;
    return 0;
}

static int read_object(struct reading *r, void *object, const struct member *members,
                       const json_t *v)
{
    const char *key;
    json_t *item;
    if (!json_is_object(v))
        return err_set(r->err, EINVAL, "%s: must be an object", r->path);
    json_object_foreach((json_t *)v, key, item)
    {
        const struct member *m = members;
        while (m->name && strcmp(m->name, key) != 0)
            m++;
        if (!m->name)
            return bad(r, key, "there is no such member");
        int n = m->read(r, object, m, item);
        if (n < 0)
            return n;
    }
    return 0;
}

static const struct member numa_members[] = {
    {"cpus", read_cpus, offsetof(struct place_numa_node, cpu), 0},
    {"memory_bytes", read_amount, offsetof(struct place_numa_node, memory), 0},
    {NULL},
};

static int read_numa(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    struct place_host *h = object;
    size_t i;
    json_t *item;
    if (!json_is_array(v) || json_array_size(v) > PLACE_NUMA_MAX)
        return bad(r, m->name, "must be an array of at most 16 nodes");
    json_array_foreach(v, i, item)
    {
        int n = read_object(r, &h->numa[i], numa_members, item);
        if (n < 0)
            return n;
    }
    h->n_numa = (int)json_array_size(v);
    return 0;
}

static const struct member usage_members[] = {
    {"mean", read_number, offsetof(struct place_usage, mean), 0},
    {"deviation", read_number, offsetof(struct place_usage, deviation), 0},
    {"p50", read_number, offsetof(struct place_usage, p50), 0},
    {"p95", read_number, offsetof(struct place_usage, p95), 0},
    {"p99", read_number, offsetof(struct place_usage, p99), 0},
    {"max", read_number, offsetof(struct place_usage, max), 0},
    {"forecast", read_number, offsetof(struct place_usage, forecast), 0},
    {NULL},
};

// In CPUs and bytes; kept in the resource's unit.
static int read_usage(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    struct place_usage *u = (struct place_usage *)((char *)object + m->offset);
    int n = read_object(r, u, usage_members, v);
    double *all[] = {&u->mean, &u->deviation, &u->p50, &u->p95, &u->p99, &u->max, &u->forecast};
    for (size_t i = 0; m->argument == PLACE_CPU && i < ARRAY_LEN(all); i++)
        *all[i] *= PLACE_CPU_UNIT;
    u->n = 1;
    return n;
}

static int read_points(struct reading *r, const struct member *m, const json_t *v, int64_t *t_s,
                       double *value)
{
    size_t i;
    json_t *item;
    json_array_foreach(v, i, item)
    {
        const json_t *t = json_array_get(item, 0), *x = json_array_get(item, 1);
        if (json_array_size(item) != 2 || !json_is_integer(t) || !json_is_number(x) ||
            !(json_number_value(x) >= 0 && json_number_value(x) <= 1e18))
            return bad(r, m->name, "must be an array of [seconds, value]");
        t_s[i] = json_integer_value(t);
        value[i] = json_number_value(x);
        if (i > 0 && t_s[i] <= t_s[i - 1])
            return bad(r, m->name, "time does not go on");
    }
    return 0;
}

static int read_history(struct reading *r, void *object, const struct member *m, const json_t *v)
{
    struct herd_history *h = &r->file->history[r->at];
    size_t n = json_array_size(v);
    if (!json_is_array(v) || n > HISTORY_MAX)
        return bad(r, m->name, "must be an array of [seconds, value]");
    int64_t **t_s = m->argument == PLACE_CPU ? &h->cpu_t_s : &h->memory_t_s;
    double **value = m->argument == PLACE_CPU ? &h->cpu : &h->memory_bytes;
    *t_s = calloc(n + 1, sizeof(**t_s));
    *value = calloc(n + 1, sizeof(**value));
    if (!*t_s || !*value)
        return err_set(r->err, ENOMEM, "no memory for the history");
    *(m->argument == PLACE_CPU ? &h->n_cpu : &h->n_memory) = n;
    return read_points(r, m, v, *t_s, *value);
}

#define HOST(field) offsetof(struct place_host, field)
static const struct member host_members[] = {
    {"name", read_nothing, 0, 0},
    {"cpus", read_cpus, HOST(capacity.of[PLACE_CPU]), 0},
    {"memory_bytes", read_amount, HOST(capacity.of[PLACE_MEMORY]), 0},
    {"storage_bytes", read_amount, HOST(capacity.of[PLACE_STORAGE]), 0},
    {"network_bytes_per_second", read_amount, HOST(capacity.of[PLACE_NETWORK]), 0},
    {"overcommit", read_overcommit, HOST(overcommit_ratio), 0},
    {"numa_nodes", read_numa, 0, 0},
    {"cpu_models", read_traits, HOST(provides), PLACE_TRAIT_CPU_MODEL},
    {"storage_pools", read_traits, HOST(provides), PLACE_TRAIT_STORAGE},
    {"networks", read_traits, HOST(provides), PLACE_TRAIT_NETWORK},
    {"labels", read_labels, HOST(provides), PLACE_TRAIT_LABEL},
    {"domain", read_domain, HOST(domain), 0},
    {"maintenance", read_bool, HOST(maintenance), 0},
    {"off", read_bool, HOST(off), 0},
    {"watts_idle", read_number, HOST(watts_idle), 0},
    {"watts_busy", read_number, HOST(watts_busy), 0},
    {"mtbf_seconds", read_number, HOST(mtbf_seconds), 0},
    {"mttr_seconds", read_number, HOST(mttr_seconds), 0},
    {"migration_bytes_per_second", read_amount, HOST(migration_bytes_per_second), 0},
    {NULL},
};

#define VM(field) offsetof(struct place_vm, field)
static const struct member vm_members[] = {
    {"name", read_nothing, 0, 0},
    {"host", read_host_name, VM(host), 0},
    {"vcpus", read_cpus, VM(request.of[PLACE_CPU]), 0},
    {"memory_bytes", read_amount, VM(request.of[PLACE_MEMORY]), 0},
    {"storage_bytes", read_amount, VM(request.of[PLACE_STORAGE]), 0},
    {"network_bytes_per_second", read_amount, VM(request.of[PLACE_NETWORK]), 0},
    {"cpu_model", read_traits, VM(needs), PLACE_TRAIT_CPU_MODEL},
    {"storage_pools", read_traits, VM(needs), PLACE_TRAIT_STORAGE},
    {"networks", read_traits, VM(needs), PLACE_TRAIT_NETWORK},
    {"labels", read_labels, VM(needs), PLACE_TRAIT_LABEL},
    {"avoid_labels", read_labels, VM(avoids), PLACE_TRAIT_LABEL},
    {"affinity", read_group, VM(affinity), PLACE_TOGETHER},
    {"anti_affinity", read_group, VM(anti_affinity), PLACE_APART},
    {"one_numa_node", read_bool, VM(one_numa_node), 0},
    {"numa_node", read_int, VM(numa_node), 0},
    {"pinned", read_bool, VM(pinned), 0},
    {"priority", read_int, VM(priority), 0},
    {"started", read_number, VM(started_s), 0},
    {"ends", read_number, VM(ends_s), 0},
    {"moved", read_number, VM(moved_s), 0},
    {"moved_from", read_host_name, VM(moved_from), 0},
    {"resident_bytes", read_amount, VM(resident_bytes), 0},
    {"dirty_bytes_per_second", read_amount, VM(dirty_bytes_per_second), 0},
    {"tenant", read_text, VM(tenant), 0},
    {"cpu_usage", read_usage, VM(usage[PLACE_CPU]), PLACE_CPU},
    {"memory_usage", read_usage, VM(usage[PLACE_MEMORY]), PLACE_MEMORY},
    {"cpu_history", read_history, 0, PLACE_CPU},
    {"memory_history", read_history, 0, PLACE_MEMORY},
    {NULL},
};

static const struct member group_members[] = {
    {"name", read_nothing, 0, 0},
    {"kind", read_nothing, 0, 0},
    {"most", read_int, offsetof(struct place_group, most), 0},
    {"per_domain", read_bool, offsetof(struct place_group, per_domain), 0},
    {NULL},
};

static int name_of(struct reading *r, const char *list, size_t i, const json_t *v, const char **ret)
{
    static const struct member name = {"name", NULL, 0, 0};
    snprintf(r->path, sizeof(r->path), "%s[%zu]", list, i);
    int n = get_text(r, &name, json_object_get(v, "name"), ret);
    if (n == 0)
        snprintf(r->path, sizeof(r->path), "%s[%zu] \"%s\"", list, i, *ret);
    return n;
}

static int read_host(struct reading *r, size_t i, const json_t *v)
{
    const char *name = NULL;
    int n = name_of(r, "hosts", i, v, &name);
    if (n < 0)
        return n;
    if (place_snapshot_host_named(r->s, name) >= 0)
        return bad(r, "name", "another host has it too");
    r->at = place_snapshot_add_host(r->s, name);
    if (r->at < 0)
        return err_set(r->err, E2BIG, "there are more than %d hosts", PLACE_HOSTS_MAX);
    return read_object(r, &r->s->hosts[r->at], host_members, v);
}

static int read_group_object(struct reading *r, size_t i, const json_t *v)
{
    static const struct {
        const char *name;
        enum place_group_kind kind;
    } kinds[] = {{"together", PLACE_TOGETHER}, {"apart", PLACE_APART}};
    const char *name = NULL, *kind = json_string_value(json_object_get(v, "kind"));
    int n = name_of(r, "groups", i, v, &name);
    if (n < 0)
        return n;
    for (size_t k = 0; kind && k < ARRAY_LEN(kinds); k++) {
        if (strcmp(kinds[k].name, kind) != 0)
            continue;
        r->at = place_snapshot_group(r->s, name, kinds[k].kind);
        if (r->at < 0)
            return err_set(r->err, E2BIG, "there are more than %d groups", PLACE_GROUPS_MAX);
        return read_object(r, &r->s->groups[r->at], group_members, v);
    }
    return bad(r, "kind", "must be together or apart");
}

static int read_vm(struct reading *r, size_t i, const json_t *v)
{
    const char *name = NULL;
    int n = name_of(r, "vms", i, v, &name);
    if (n < 0)
        return n;
    r->at = place_snapshot_add_vm(r->s, name);
    if (r->at < 0)
        return err_set(r->err, E2BIG, "there are more than %d VMs", PLACE_VMS_MAX);
    return read_object(r, &r->s->vms[r->at], vm_members, v);
}

static int read_list(struct reading *r, const json_t *root, const char *name,
                     int (*read)(struct reading *r, size_t i, const json_t *v))
{
    const json_t *list = json_object_get(root, name);
    size_t i;
    json_t *item;
    int n = 0;
    if (list && !json_is_array(list))
        return err_set(r->err, EINVAL, "%s: must be an array", name);
    json_array_foreach(list, i, item)
    {
        if (n == 0)
            n = read(r, i, item);
    }
    return n;
}

static int read_root(struct reading *r, const json_t *root)
{
    static const char *const known[] = {"now", "hosts", "groups", "vms"};
    const json_t *now = json_object_get(root, "now");
    const char *key;
    json_t *item;
    if (!json_is_object(root))
        return err_set(r->err, EINVAL, "a herd is a JSON object");
    json_object_foreach((json_t *)root, key, item)
    {
        size_t k = 0;
        while (k < ARRAY_LEN(known) && strcmp(known[k], key) != 0)
            k++;
        if (k == ARRAY_LEN(known))
            return err_set(r->err, EINVAL, "%.200s: there is no such member", key);
    }
    if (now && !(json_number_value(now) >= 0 && json_number_value(now) < 1e12))
        return err_set(r->err, EINVAL, "now: must be Unix seconds");
    r->s->now_s = json_number_value(now);
    size_t n_vms = json_array_size(json_object_get(root, "vms"));
    r->file->history = calloc(n_vms + 1, sizeof(*r->file->history));
    if (!r->file->history)
        return err_set(r->err, ENOMEM, "no memory for %zu VMs", n_vms);
    int n = read_list(r, root, "hosts", read_host);
    if (n == 0)
        n = read_list(r, root, "groups", read_group_object);
    if (n == 0)
        n = read_list(r, root, "vms", read_vm);
    return n == 0 ? place_snapshot_check(r->s, r->err) : n;
}

int herd_file_read(const char *text, size_t len, struct herd_file *ret, struct err *err)
{
    json_error_t where;
    *ret = (struct herd_file){0};
    if (len > HERD_FILE_BYTES_MAX)
        return err_set(err, E2BIG, "the file is larger than 512 MiB");
    CLEANUP(json_decrefp) json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (!root)
        return err_set_at(err, EINVAL, where.line, where.column, "%d:%d: %s", where.line,
                          where.column, where.text);
    ret->snapshot = place_snapshot_new();
    struct reading r = {.file = ret, .s = ret->snapshot, .err = err};
    int n = read_root(&r, root);
    if (n < 0)
        herd_file_done(ret);
    return n;
}

void herd_file_done(struct herd_file *f)
{
    for (size_t i = 0; f->history && i < f->snapshot->n_vms; i++) {
        free(f->history[i].cpu_t_s);
        free(f->history[i].memory_t_s);
        free(f->history[i].cpu);
        free(f->history[i].memory_bytes);
    }
    free(f->history);
    place_snapshot_free(f->snapshot);
    *f = (struct herd_file){0};
}
