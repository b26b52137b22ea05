// SPDX-License-Identifier: GPL-3.0-or-later
// Filters in the order in which a person would ask; the costly ones last.
#include "place/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "base/mem.h"

static const char *const filter_names[PLACE_FILTERS] = {
    [PLACE_FILTER_MAINTENANCE] = "maintenance",
    [PLACE_FILTER_OFF] = "off",
    [PLACE_FILTER_TRAIT] = "trait",
    [PLACE_FILTER_AVOIDED] = "avoided label",
    [PLACE_FILTER_AFFINITY] = "affinity",
    [PLACE_FILTER_ANTI_AFFINITY] = "anti-affinity",
    [PLACE_FILTER_AMOUNT] = "capacity",
    [PLACE_FILTER_NUMA] = "NUMA",
};

const char *place_filter_name(enum place_filter f)
{
    return filter_names[f];
}

struct question {
    const struct place_room *room;
    const struct place_vm *vm;
    int32_t vm_index;
    int32_t host;
    const struct place_allow *allow;
};

static bool refuse_maintenance(const struct question *q, struct place_refusal *ret)
{
    return q->room->s->hosts[q->host].maintenance;
}

static bool refuse_off(const struct question *q, struct place_refusal *ret)
{
    return q->room->s->hosts[q->host].off && !q->allow->off;
}

// The first trait of `wanted` whose presence on the host is `present`; -1 none.
static int32_t first_trait(const struct place_traits *wanted, const struct place_traits *has,
                           bool present)
{
    for (int w = 0; w < PLACE_TRAITS_MAX / 64; w++) {
        uint64_t bits = wanted->bits[w] & (present ? has->bits[w] : ~has->bits[w]);
        if (bits)
            return w * 64 + __builtin_ctzll(bits);
    }
    return -1;
}

static bool refuse_trait(const struct question *q, struct place_refusal *ret)
{
    ret->trait = first_trait(&q->vm->needs, &q->room->s->hosts[q->host].provides, false);
    return ret->trait >= 0;
}

static bool refuse_avoided(const struct question *q, struct place_refusal *ret)
{
    ret->trait = first_trait(&q->vm->avoids, &q->room->s->hosts[q->host].provides, true);
    return ret->trait >= 0;
}

static bool refuse_affinity(const struct question *q, struct place_refusal *ret)
{
    if (q->vm->affinity < 0)
        return false;
    ret->group = q->vm->affinity;
    ret->other = place_room_group_host(q->room, q->vm->affinity);
    return ret->other >= 0 && ret->other != q->host;
}

static bool refuse_anti_affinity(const struct question *q, struct place_refusal *ret)
{
    ret->group = q->vm->anti_affinity;
    return ret->group >= 0 && place_room_group_count(q->room, ret->group, q->host) >=
                                  q->room->s->groups[ret->group].most;
}

static bool refuse_amount(const struct question *q, struct place_refusal *ret)
{
    const struct place_host_room *hr = &q->room->hosts[q->host];
    for (int r = 0; r < PLACE_RESOURCES; r++) {
        // What asks for nothing is not kept out by others who took too much.
        if (q->vm->request.of[r] <= hr->free.of[r] || q->vm->request.of[r] == 0)
            continue;
        ret->resource = r;
        ret->asked = q->vm->request.of[r];
        ret->free = hr->free.of[r];
        return true;
    }
    return false;
}

static bool refuse_numa(const struct question *q, struct place_refusal *ret)
{
    return q->vm->one_numa_node && q->room->s->hosts[q->host].n_numa > 0 &&
           place_room_numa_fit(q->room, q->vm_index, q->host) < 0;
}

static bool (*const filters[PLACE_FILTERS])(const struct question *q, struct place_refusal *ret) = {
    [PLACE_FILTER_MAINTENANCE] = refuse_maintenance,
    [PLACE_FILTER_OFF] = refuse_off,
    [PLACE_FILTER_TRAIT] = refuse_trait,
    [PLACE_FILTER_AVOIDED] = refuse_avoided,
    [PLACE_FILTER_AFFINITY] = refuse_affinity,
    [PLACE_FILTER_ANTI_AFFINITY] = refuse_anti_affinity,
    [PLACE_FILTER_AMOUNT] = refuse_amount,
    [PLACE_FILTER_NUMA] = refuse_numa,
};

static bool ask(const struct question *q, int from, struct place_refusal *ret)
{
    for (int f = from; f < PLACE_FILTERS; f++) {
        if (filters[f](q, ret)) {
            ret->filter = f;
            return false;
        }
    }
    ret->filter = PLACE_FILTER_NONE;
    return true;
}

bool place_filter_host(const struct place_room *room, int32_t vm, int32_t host,
                       const struct place_allow *allow, struct place_refusal *ret)
{
    struct place_refusal none;
    struct question q = {room, &room->s->vms[vm], vm, host, allow};
    // Most hosts of a large herd are refused for lack of room: that is asked first, cheaply, where
    // nobody wants to know the reason.
    if (!ret && refuse_amount(&q, &none))
        return false;
    return ask(&q, 0, ret ? ret : &none);
}

void place_amount_text(enum place_resource r, int64_t amount, struct buf *out)
{
    if (r == PLACE_CPU) {
        buf_f64(out, (double)amount / PLACE_CPU_UNIT);
        buf_puts(out, amount == PLACE_CPU_UNIT ? " CPU" : " CPUs");
        return;
    }
    if (amount < 0)
        buf_putc(out, '-');
    human_bytes((double)(amount < 0 ? -amount : amount), out);
    if (r == PLACE_NETWORK)
        buf_puts(out, "/s");
}

static void trait_text(const struct place_snapshot *s, int32_t trait, struct buf *out)
{
    buf_printf(out, "%s \"%s\"", place_trait_kind_name(s->traits[trait].kind),
               s->traits[trait].name);
}

void place_refusal_text(const struct place_snapshot *s, const struct place_refusal *refusal,
                        struct buf *out)
{
    switch (refusal->filter) {
    case PLACE_FILTER_MAINTENANCE:
        buf_puts(out, "is in maintenance");
        break;
    case PLACE_FILTER_OFF:
        buf_puts(out, "is powered down");
        break;
    case PLACE_FILTER_TRAIT:
        buf_puts(out, "does not have ");
        trait_text(s, refusal->trait, out);
        break;
    case PLACE_FILTER_AVOIDED:
        buf_puts(out, "has ");
        trait_text(s, refusal->trait, out);
        buf_puts(out, ", which the VM avoids");
        break;
    case PLACE_FILTER_AFFINITY:
        buf_printf(out, "group \"%s\" is on %s", s->groups[refusal->group].name,
                   s->hosts[refusal->other].name);
        break;
    case PLACE_FILTER_ANTI_AFFINITY:
        buf_printf(out, "already has %d of group \"%s\"", (int)s->groups[refusal->group].most,
                   s->groups[refusal->group].name);
        break;
    case PLACE_FILTER_AMOUNT:
        buf_printf(out, "%s: asks ", place_resource_name(refusal->resource));
        place_amount_text(refusal->resource, refusal->asked, out);
        buf_puts(out, refusal->free < 0 ? ", none left: " : ", ");
        place_amount_text(refusal->resource, llabs(refusal->free), out);
        buf_puts(out, refusal->free < 0 ? " over the limit" : " left");
        break;
    case PLACE_FILTER_NUMA:
        buf_puts(out, "no NUMA node has room for it");
        break;
    default:
        buf_puts(out, "fits");
    }
}

// The largest limit among hosts.
static int64_t largest(const struct place_room *room, enum place_resource r)
{
    int64_t most = 0;
    for (size_t i = 0; i < room->s->n_hosts; i++)
        most = MAX_OF(most, room->hosts[i].limit.of[r]);
    return most;
}

static bool amount_impossible(const struct place_room *room, const struct place_vm *vm,
                              struct buf *out)
{
    for (int r = 0; r < PLACE_RESOURCES; r++) {
        int64_t most = largest(room, r);
        if (vm->request.of[r] <= most)
            continue;
        buf_printf(out, "%s: asks ", place_resource_name(r));
        place_amount_text(r, vm->request.of[r], out);
        buf_puts(out, ", the largest host allows ");
        place_amount_text(r, most, out);
        return true;
    }
    return false;
}

static bool trait_impossible(const struct place_room *room, const struct place_vm *vm,
                             struct buf *out)
{
    struct place_traits all = {0};
    for (size_t i = 0; i < room->s->n_hosts; i++)
        for (int w = 0; w < PLACE_TRAITS_MAX / 64; w++)
            all.bits[w] |= room->s->hosts[i].provides.bits[w];
    int32_t missing = first_trait(&vm->needs, &all, false);
    if (missing < 0)
        return false;
    buf_puts(out, "no host has ");
    trait_text(room->s, missing, out);
    return true;
}

static bool numa_impossible(const struct place_room *room, const struct place_vm *vm,
                            struct buf *out)
{
    if (!vm->one_numa_node)
        return false;
    for (size_t i = 0; i < room->s->n_hosts; i++) {
        const struct place_host *h = &room->s->hosts[i];
        if (h->n_numa == 0)
            return false;
        for (int n = 0; n < h->n_numa; n++)
            if ((double)vm->request.of[PLACE_CPU] <=
                    (double)h->numa[n].cpu * h->overcommit_ratio[PLACE_CPU] &&
                (double)vm->request.of[PLACE_MEMORY] <=
                    (double)h->numa[n].memory * h->overcommit_ratio[PLACE_MEMORY])
                return false;
    }
    buf_puts(out, "NUMA: no host has a node as large as the VM");
    return true;
}

// Does it fit on some host if nobody else were there? Counts the filters that say no.
static bool fits_empty(const struct place_room *room, int32_t vm, size_t refused[PLACE_FILTERS])
{
    const struct place_vm *v = &room->s->vms[vm];
    bool fits = false;
    for (size_t i = 0; i < room->s->n_hosts; i++) {
        struct question q = {room, v, vm, (int32_t)i, &(struct place_allow){.off = true}};
        struct place_refusal why;
        bool large = true;
        for (int r = 0; r < PLACE_RESOURCES; r++)
            large &= v->request.of[r] <= room->hosts[i].limit.of[r];
        if (refuse_trait(&q, &why))
            refused[PLACE_FILTER_TRAIT]++;
        else if (refuse_avoided(&q, &why))
            refused[PLACE_FILTER_AVOIDED]++;
        else if (!large)
            refused[PLACE_FILTER_AMOUNT]++;
        else
            fits = true;
    }
    return fits;
}

static void put_counts(const size_t refused[PLACE_FILTERS], struct buf *out)
{
    const char *comma = "";
    for (int f = 0; f < PLACE_FILTERS; f++) {
        if (refused[f] == 0)
            continue;
        buf_printf(out, "%s%s refuses %zu", comma, filter_names[f], refused[f]);
        comma = ", ";
    }
}

bool place_why_impossible(const struct place_room *room, int32_t vm,
                          const struct place_allow *allow, struct buf *out)
{
    const struct place_vm *v = &room->s->vms[vm];
    if (room->s->n_hosts == 0) {
        buf_puts(out, "there are no hosts");
        return true;
    }
    if (amount_impossible(room, v, out) || trait_impossible(room, v, out) ||
        numa_impossible(room, v, out))
        return true;
    size_t refused[PLACE_FILTERS] = {0};
    if (!fits_empty(room, vm, refused)) {
        buf_puts(out, "no host fulfils all constraints at once: ");
        put_counts(refused, out);
        return true;
    }
    memset(refused, 0, sizeof(refused));
    for (size_t i = 0; i < room->s->n_hosts; i++) {
        struct place_refusal why;
        if (!place_filter_host(room, vm, (int32_t)i, allow, &why))
            refused[why.filter]++;
    }
    buf_printf(out, "none of %zu hosts takes it now: ", room->s->n_hosts);
    put_counts(refused, out);
    return false;
}

static size_t host_breaches(const struct place_room *room, size_t host)
{
    size_t n = 0;
    for (int r = 0; r < PLACE_RESOURCES; r++)
        n += room->hosts[host].free.of[r] < 0;
    for (int k = 0; room->numa_free && k < room->s->hosts[host].n_numa; k++) {
        const struct place_numa_node *left = &room->numa_free[host * PLACE_NUMA_MAX + (size_t)k];
        n += left->cpu < 0 || left->memory < 0;
    }
    return n;
}

size_t place_count_breaches(const struct place_room *room)
{
    size_t n = 0;
    for (size_t i = 0; i < room->s->n_hosts; i++)
        n += host_breaches(room, i);
    for (size_t i = 0; i < room->s->n_vms; i++) {
        const struct place_vm *v = &room->s->vms[i];
        int32_t at = room->host_of[i];
        if (at < 0)
            continue;
        const struct place_host *h = &room->s->hosts[at];
        n += first_trait(&v->needs, &h->provides, false) >= 0;
        n += first_trait(&v->avoids, &h->provides, true) >= 0;
        n += v->one_numa_node && h->n_numa > 0 && room->node_of[i] < 0;
    }
    for (size_t g = 0; g < room->s->n_groups; g++) {
        const struct place_group_use *use = &room->groups[g];
        if (room->s->groups[g].kind == PLACE_TOGETHER)
            n += use->n > 1;
        for (size_t i = 0; room->s->groups[g].kind == PLACE_APART && i < use->n; i++)
            n += use->at[i].n > room->s->groups[g].most;
    }
    return n;
}
