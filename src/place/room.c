// SPDX-License-Identifier: GPL-3.0-or-later
// Amounts left on hosts. Invariant: free = limit - sum of requests of the VMs whose host_of it is.
#include "place/room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

// What makes hosts interchangeable while they are empty.
struct host_class {
    struct place_vector limit;
    struct place_traits provides;
    struct place_numa_node numa[PLACE_NUMA_MAX];
    int32_t n_numa;
    int32_t domain;
    uint8_t maintenance, off;
    uint8_t unused[6];
};

static uint32_t class_of(struct map *classes, const struct place_host *h,
                         const struct place_vector *limit, uint32_t *n)
{
    struct host_class key;
    memset(&key, 0, sizeof(key));
    key.limit = *limit;
    key.provides = h->provides;
    key.n_numa = h->n_numa;
    memcpy(key.numa, h->numa, sizeof(key.numa[0]) * (size_t)h->n_numa);
    key.domain = h->domain;
    key.maintenance = h->maintenance;
    key.off = h->off;
    uintptr_t known = (uintptr_t)map_get(classes, &key, sizeof(key));
    if (!known) {
        known = ++*n;
        map_put(classes, &key, sizeof(key), (void *)known);
    }
    return (uint32_t)(known - 1);
}

DEFINE_FREEP(struct map, map_free, map_freep)

static bool any_numa(const struct place_snapshot *s)
{
    for (size_t i = 0; i < s->n_hosts; i++)
        if (s->hosts[i].n_numa > 0)
            return true;
    return false;
}

static void init_host(struct place_room *room, size_t i, struct map *classes)
{
    const struct place_host *h = &room->s->hosts[i];
    struct place_host_room *hr = &room->hosts[i];
    for (int r = 0; r < PLACE_RESOURCES; r++) {
        hr->limit.of[r] = place_host_limit(h, r);
        hr->per_unit[r] = hr->limit.of[r] > 0 ? 1 / (double)hr->limit.of[r] : 0;
    }
    hr->free = hr->limit;
    hr->class_id = class_of(classes, h, &hr->limit, &room->n_classes);
    if (!room->numa_free)
        return;
    for (int n = 0; n < h->n_numa; n++) {
        struct place_numa_node *left = &room->numa_free[i * PLACE_NUMA_MAX + (size_t)n];
        left->cpu = (int64_t)((double)h->numa[n].cpu * h->overcommit_ratio[PLACE_CPU]);
        left->memory = (int64_t)((double)h->numa[n].memory * h->overcommit_ratio[PLACE_MEMORY]);
    }
}

static void put_at(struct place_room *room, int32_t vm, int32_t host, int32_t node);

int place_room_init(struct place_room *room, const struct place_snapshot *s)
{
    *room = (struct place_room){.s = s};
    room->hosts = calloc(s->n_hosts + 1, sizeof(*room->hosts));
    room->host_of = calloc(s->n_vms + 1, sizeof(*room->host_of));
    room->node_of = calloc(s->n_vms + 1, sizeof(*room->node_of));
    room->groups = calloc(s->n_groups + 1, sizeof(*room->groups));
    bool has_numa = any_numa(s);
    if (has_numa)
        room->numa_free = calloc(s->n_hosts * PLACE_NUMA_MAX, sizeof(*room->numa_free));
    if (!room->hosts || !room->host_of || !room->node_of || !room->groups ||
        (has_numa && !room->numa_free)) {
        place_room_done(room);
        return -ENOMEM;
    }
    CLEANUP(map_freep) struct map *classes = map_new();
    for (size_t i = 0; i < s->n_hosts; i++)
        init_host(room, i, classes);
    for (size_t i = 0; i < s->n_vms; i++) {
        room->host_of[i] = -1;
        room->node_of[i] = -1;
    }
    for (size_t i = 0; i < s->n_vms; i++)
        if (s->vms[i].host >= 0)
            put_at(room, (int32_t)i, s->vms[i].host, s->vms[i].numa_node);
    return 0;
}

void place_room_done(struct place_room *room)
{
    for (size_t i = 0; room->groups && i < room->s->n_groups; i++)
        free(room->groups[i].at);
    free(room->groups);
    free(room->hosts);
    free(room->host_of);
    free(room->node_of);
    free(room->numa_free);
    *room = (struct place_room){0};
}

// Where a group counts a host: the host itself, or its failure domain (a host without one is one).
static int32_t place_of(const struct place_room *room, int32_t group, int32_t host)
{
    int32_t domain = room->s->hosts[host].domain;
    return room->s->groups[group].per_domain && domain >= 0 ? -2 - domain : host;
}

static void count_group(struct place_room *room, int32_t group, int32_t host, int32_t by)
{
    if (group < 0)
        return;
    struct place_group_use *use = &room->groups[group];
    int32_t where = place_of(room, group, host);
    for (size_t i = 0; i < use->n; i++) {
        if (use->at[i].where != where)
            continue;
        use->at[i].n += by;
        if (use->at[i].n == 0)
            use->at[i] = use->at[--use->n];
        return;
    }
    mem_grow(&use->at, &use->cap, use->n, sizeof(*use->at));
    use->at[use->n++] = (struct place_group_count){where, by};
}

int32_t place_room_group_count(const struct place_room *room, int32_t group, int32_t host)
{
    const struct place_group_use *use = &room->groups[group];
    int32_t where = place_of(room, group, host);
    for (size_t i = 0; i < use->n; i++)
        if (use->at[i].where == where)
            return use->at[i].n;
    return 0;
}

int32_t place_room_group_host(const struct place_room *room, int32_t group)
{
    const struct place_group_use *use = &room->groups[group];
    return use->n ? use->at[0].where : -1;
}

static struct place_numa_node *node(const struct place_room *room, int32_t host, int32_t n)
{
    return &room->numa_free[(size_t)host * PLACE_NUMA_MAX + (size_t)n];
}

int32_t place_room_numa_fit(const struct place_room *room, int32_t vm, int32_t host)
{
    const struct place_vector *request = &room->s->vms[vm].request;
    int32_t best = -1;
    for (int32_t n = 0; n < room->s->hosts[host].n_numa; n++) {
        const struct place_numa_node *left = node(room, host, n);
        if (left->cpu >= request->of[PLACE_CPU] && left->memory >= request->of[PLACE_MEMORY] &&
            (best < 0 || left->memory < node(room, host, best)->memory))
            best = n;
    }
    return best;
}

static void count_vm(struct place_room *room, int32_t vm, int32_t host, int32_t sign)
{
    const struct place_vm *v = &room->s->vms[vm];
    struct place_host_room *hr = &room->hosts[host];
    for (int r = 0; r < PLACE_RESOURCES; r++)
        hr->free.of[r] -= sign * v->request.of[r];
    hr->n_vms += sign;
    count_group(room, v->affinity, host, sign);
    count_group(room, v->anti_affinity, host, sign);
    int32_t at = room->node_of[vm];
    if (at >= 0 && room->numa_free) {
        node(room, host, at)->cpu -= sign * v->request.of[PLACE_CPU];
        node(room, host, at)->memory -= sign * v->request.of[PLACE_MEMORY];
    }
}

static void put_at(struct place_room *room, int32_t vm, int32_t host, int32_t at)
{
    room->host_of[vm] = host;
    room->node_of[vm] = at < room->s->hosts[host].n_numa ? at : -1;
    count_vm(room, vm, host, 1);
}

void place_room_put(struct place_room *room, int32_t vm, int32_t host)
{
    bool bound = room->s->vms[vm].one_numa_node && room->s->hosts[host].n_numa > 0;
    put_at(room, vm, host, bound ? place_room_numa_fit(room, vm, host) : -1);
}

void place_room_take(struct place_room *room, int32_t vm)
{
    count_vm(room, vm, room->host_of[vm], -1);
    room->host_of[vm] = -1;
    room->node_of[vm] = -1;
}

double place_room_left(const struct place_room *room, int32_t vm, int32_t host,
                       enum place_resource r)
{
    const struct place_host_room *hr = &room->hosts[host];
    int64_t asked = vm < 0 ? 0 : room->s->vms[vm].request.of[r];
    return (double)(hr->free.of[r] - asked) * hr->per_unit[r];
}
