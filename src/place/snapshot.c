// SPDX-License-Identifier: GPL-3.0-or-later
// Snapshots: arrays of plain records; every text is kept once in a map that the snapshot owns.
#include "place/snapshot.h"

#include <errno.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct place_names {
    struct map *texts; // text -> itself, owned
    struct map *index; // "h…" hosts, "g…" groups, "d…" domains, "t…" traits -> index + 1
};

static const char *const resource_names[PLACE_RESOURCES] = {
    [PLACE_CPU] = "cpu",
    [PLACE_MEMORY] = "memory",
    [PLACE_STORAGE] = "storage",
    [PLACE_NETWORK] = "network",
};

static const char *const trait_kind_names[PLACE_TRAIT_KINDS] = {
    [PLACE_TRAIT_CPU_MODEL] = "CPU model",
    [PLACE_TRAIT_STORAGE] = "storage pool",
    [PLACE_TRAIT_NETWORK] = "network",
    [PLACE_TRAIT_LABEL] = "label",
};

const char *place_resource_name(enum place_resource r)
{
    return resource_names[r];
}

const char *place_trait_kind_name(enum place_trait_kind k)
{
    return trait_kind_names[k];
}

struct place_snapshot *place_snapshot_new(void)
{
    struct place_snapshot *s = mem_zalloc(sizeof(*s));
    s->names = mem_zalloc(sizeof(*s->names));
    s->names->texts = map_new();
    s->names->index = map_new();
    return s;
}

void place_snapshot_free(struct place_snapshot *s)
{
    if (!s)
        return;
    size_t cursor = 0;
    for (char *text; (text = map_next(s->names->texts, &cursor));)
        free(text);
    map_free(s->names->texts);
    map_free(s->names->index);
    free(s->names);
    free(s->hosts);
    free(s->vms);
    free(s->groups);
    free(s->domains);
    free(s);
}

const char *place_snapshot_text(struct place_snapshot *s, const char *text)
{
    if (!text)
        return NULL;
    size_t len = strlen(text);
    char *known = map_get(s->names->texts, text, len);
    if (known)
        return known;
    char *copy = mem_strdup(text);
    map_put(s->names->texts, text, len, copy);
    return copy;
}

// The index kept under a letter and a name, -1 where there is none.
static int32_t known(const struct place_snapshot *s, const char *key)
{
    return (int32_t)(intptr_t)map_get(s->names->index, key, strlen(key)) - 1;
}

static void learn(struct place_snapshot *s, const char *key, size_t i)
{
    map_put(s->names->index, key, strlen(key), (void *)(intptr_t)(i + 1));
}

int32_t place_snapshot_add_host(struct place_snapshot *s, const char *name)
{
    if (strlen(name) > PLACE_NAME_MAX || mem_grow_capped(&s->hosts, &s->cap_hosts, s->n_hosts,
                                                         sizeof(*s->hosts), PLACE_HOSTS_MAX) < 0)
        return -1;
    struct place_host *h = &s->hosts[s->n_hosts];
    *h = (struct place_host){.name = place_snapshot_text(s, name),
                             .domain = -1,
                             .watts_idle = NAN,
                             .watts_busy = NAN,
                             .mtbf_seconds = NAN,
                             .mttr_seconds = NAN};
    for (int r = 0; r < PLACE_RESOURCES; r++)
        h->overcommit_ratio[r] = 1;
    CLEANUP(freep) char *key = mem_printf("h%s", name);
    learn(s, key, s->n_hosts);
    return (int32_t)s->n_hosts++;
}

int32_t place_snapshot_add_vm(struct place_snapshot *s, const char *name)
{
    if (strlen(name) > PLACE_NAME_MAX ||
        mem_grow_capped(&s->vms, &s->cap_vms, s->n_vms, sizeof(*s->vms), PLACE_VMS_MAX) < 0)
        return -1;
    struct place_vm *vm = &s->vms[s->n_vms];
    *vm = (struct place_vm){.name = place_snapshot_text(s, name),
                            .host = -1,
                            .affinity = -1,
                            .anti_affinity = -1,
                            .numa_node = -1,
                            .started_s = NAN,
                            .ends_s = NAN,
                            .moved_s = NAN,
                            .moved_from = -1};
    for (int r = 0; r < PLACE_RESOURCES; r++) {
        vm->usage[r].now = NAN;
        vm->usage[r].forecast = NAN;
        vm->usage[r].forecast_deviation = NAN;
    }
    return (int32_t)s->n_vms++;
}

int32_t place_snapshot_group(struct place_snapshot *s, const char *name, enum place_group_kind kind)
{
    CLEANUP(freep) char *key = mem_printf("g%d%s", (int)kind, name);
    int32_t i = known(s, key);
    if (i >= 0)
        return i;
    if (strlen(name) > PLACE_NAME_MAX || mem_grow_capped(&s->groups, &s->cap_groups, s->n_groups,
                                                         sizeof(*s->groups), PLACE_GROUPS_MAX) < 0)
        return -1;
    s->groups[s->n_groups] =
        (struct place_group){.name = place_snapshot_text(s, name), .kind = kind, .most = 1};
    learn(s, key, s->n_groups);
    return (int32_t)s->n_groups++;
}

int32_t place_snapshot_domain(struct place_snapshot *s, const char *name)
{
    CLEANUP(freep) char *key = mem_printf("d%s", name);
    int32_t i = known(s, key);
    if (i >= 0)
        return i;
    if (strlen(name) > PLACE_NAME_MAX || mem_grow_capped(&s->domains, &s->cap_domains, s->n_domains,
                                                         sizeof(*s->domains), PLACE_HOSTS_MAX) < 0)
        return -1;
    s->domains[s->n_domains] = place_snapshot_text(s, name);
    learn(s, key, s->n_domains);
    return (int32_t)s->n_domains++;
}

int32_t place_snapshot_trait(struct place_snapshot *s, enum place_trait_kind kind, const char *name)
{
    CLEANUP(freep) char *key = mem_printf("t%d%s", (int)kind, name);
    int32_t i = known(s, key);
    if (i >= 0)
        return i;
    if (strlen(name) > PLACE_NAME_MAX || s->n_traits == PLACE_TRAITS_MAX)
        return -1;
    s->traits[s->n_traits] = (struct place_trait){kind, place_snapshot_text(s, name)};
    learn(s, key, s->n_traits);
    return (int32_t)s->n_traits++;
}

int32_t place_snapshot_host_named(const struct place_snapshot *s, const char *name)
{
    CLEANUP(freep) char *key = mem_printf("h%s", name);
    return known(s, key);
}

int32_t place_snapshot_find_host(const struct place_snapshot *s, const char *name)
{
    for (size_t i = 0; i < s->n_hosts; i++)
        if (strcmp(s->hosts[i].name, name) == 0)
            return (int32_t)i;
    return -1;
}

int32_t place_snapshot_find_vm(const struct place_snapshot *s, const char *name)
{
    for (size_t i = 0; i < s->n_vms; i++)
        if (strcmp(s->vms[i].name, name) == 0)
            return (int32_t)i;
    return -1;
}

int64_t place_host_limit(const struct place_host *h, enum place_resource r)
{
    if (h->overcommit_ratio[r] == 1)
        return h->capacity.of[r];
    double limit = (double)h->capacity.of[r] * h->overcommit_ratio[r];
    return limit >= (double)PLACE_AMOUNT_MAX ? PLACE_AMOUNT_MAX : (int64_t)limit;
}

static bool amounts_sane(const struct place_vector *v)
{
    for (int r = 0; r < PLACE_RESOURCES; r++)
        if (v->of[r] < 0 || v->of[r] > PLACE_AMOUNT_MAX)
            return false;
    return true;
}

static int check_host(const struct place_snapshot *s, const struct place_host *h, struct err *err)
{
    if (!amounts_sane(&h->capacity))
        return err_set(err, EINVAL, "host \"%s\": a capacity is below 0 or above 2^53", h->name);
    for (int r = 0; r < PLACE_RESOURCES; r++)
        if (!(h->overcommit_ratio[r] >= 0 && h->overcommit_ratio[r] <= 1e6))
            return err_set(err, EINVAL, "host \"%s\": overcommit of %s must be 0 to 1000000",
                           h->name, resource_names[r]);
    if (h->n_numa < 0 || h->n_numa > PLACE_NUMA_MAX)
        return err_set(err, EINVAL, "host \"%s\": more than %d NUMA nodes", h->name,
                       PLACE_NUMA_MAX);
    for (int i = 0; i < h->n_numa; i++)
        if (h->numa[i].cpu < 0 || h->numa[i].cpu > PLACE_AMOUNT_MAX || h->numa[i].memory < 0 ||
            h->numa[i].memory > PLACE_AMOUNT_MAX)
            return err_set(err, EINVAL, "host \"%s\": NUMA node %d below 0 or above 2^53", h->name,
                           i);
    if (h->domain < -1 || h->domain >= (int32_t)s->n_domains)
        return err_set(err, EINVAL, "host \"%s\": no such failure domain", h->name);
    if (h->migration_bytes_per_second < 0)
        return err_set(err, EINVAL, "host \"%s\": migration bandwidth below 0", h->name);
    return 0;
}

static bool group_is(const struct place_snapshot *s, int32_t i, enum place_group_kind kind)
{
    return i == -1 || (i >= 0 && i < (int32_t)s->n_groups && s->groups[i].kind == kind);
}

static int check_vm(const struct place_snapshot *s, const struct place_vm *vm, struct err *err)
{
    if (!amounts_sane(&vm->request))
        return err_set(err, EINVAL, "VM \"%s\": a request is below 0 or above 2^53", vm->name);
    if (vm->host < -1 || vm->host >= (int32_t)s->n_hosts || vm->moved_from < -1 ||
        vm->moved_from >= (int32_t)s->n_hosts)
        return err_set(err, EINVAL, "VM \"%s\": no such host", vm->name);
    if (!group_is(s, vm->affinity, PLACE_TOGETHER) || !group_is(s, vm->anti_affinity, PLACE_APART))
        return err_set(err, EINVAL, "VM \"%s\": no such group", vm->name);
    if (vm->numa_node < -1 || vm->numa_node >= PLACE_NUMA_MAX ||
        (vm->host >= 0 && s->hosts[vm->host].n_numa > 0 &&
         vm->numa_node >= s->hosts[vm->host].n_numa))
        return err_set(err, EINVAL, "VM \"%s\": no such NUMA node", vm->name);
    if (vm->resident_bytes < 0 || vm->dirty_bytes_per_second < 0)
        return err_set(err, EINVAL, "VM \"%s\": memory figures below 0", vm->name);
    return 0;
}

int place_snapshot_check(const struct place_snapshot *s, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < s->n_hosts && r == 0; i++)
        r = check_host(s, &s->hosts[i], err);
    for (size_t i = 0; i < s->n_vms && r == 0; i++)
        r = check_vm(s, &s->vms[i], err);
    for (size_t i = 0; i < s->n_groups && r == 0; i++)
        if (s->groups[i].most < 1)
            r = err_set(err, EINVAL, "group \"%s\": at least 1 has to be allowed",
                        s->groups[i].name);
    return r;
}
