// SPDX-License-Identifier: GPL-3.0-or-later
// A trace played through the chooser. The snapshot's VMs are slots that arrivals take over from
// those that left; what an arrival may not know of itself (its end) is not in the slot.
#include "place/pack.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

// A VM has shown that it stays, and pays for a move, when it has run for so long.
#define SETTLED_S 3600

struct play {
    const struct place_arrivals *a;
    const struct place_pack_options *options;
    struct place_snapshot *s;
    struct place_room room;
    struct place_chooser *chooser;
    struct place_lifetimes *lifetimes;
    uint32_t *class_of; // by slot
    int32_t *free_slots;
    size_t n_free;
    int32_t *slot_of; // by arrival; -1: not there
    size_t *by_end;   // arrivals in order of their end
    int64_t now_s;
    int64_t asked[PLACE_RESOURCES];
    size_t in_use;
    double host_seconds, bound_seconds;
    struct place_pack_result result;
};

static int by_end(const void *a, const void *b, void *arg)
{
    const struct place_arrival *vms = arg;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    if (vms[x].leaves_s != vms[y].leaves_s)
        return vms[x].leaves_s < vms[y].leaves_s ? -1 : 1;
    return x < y ? -1 : x > y;
}

// The greatest number of VMs that are there at once, those of an instant counted together.
static size_t peak(const struct place_arrivals *a, const size_t *order)
{
    size_t gone = 0, most = 0;
    for (size_t i = 0; i < a->n; i++) {
        while (gone < i && a->vms[order[gone]].leaves_s < a->vms[i].at_s)
            gone++;
        most = MAX_OF(most, i + 1 - gone);
    }
    return most;
}

static int add_slots(struct play *p, size_t n)
{
    p->class_of = calloc(n + 1, sizeof(*p->class_of));
    p->free_slots = calloc(n + 1, sizeof(*p->free_slots));
    if (!p->class_of || !p->free_slots)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (place_snapshot_add_vm(p->s, "slot") < 0)
            return -ENOMEM;
    for (size_t i = n; i-- > 0;)
        p->free_slots[p->n_free++] = (int32_t)i;
    return 0;
}

static int add_hosts(struct play *p)
{
    for (size_t i = 0; i < p->options->n_hosts; i++) {
        int32_t h = place_snapshot_add_host(p->s, "host");
        if (h < 0)
            return -ENOMEM;
        p->s->hosts[h].capacity = p->options->host;
    }
    return 0;
}

static int prepare(struct play *p)
{
    const struct place_arrivals *a = p->a;
    p->s = place_snapshot_new();
    p->lifetimes = place_lifetimes_new();
    p->slot_of = calloc(a->n + 1, sizeof(*p->slot_of));
    p->by_end = calloc(a->n + 1, sizeof(*p->by_end));
    if (!p->slot_of || !p->by_end)
        return -ENOMEM;
    for (size_t i = 0; i < a->n; i++) {
        p->by_end[i] = i;
        p->slot_of[i] = -1;
    }
    qsort_r(p->by_end, a->n, sizeof(*p->by_end), by_end, a->vms);
    int r = add_hosts(p);
    if (r == 0)
        r = add_slots(p, peak(a, p->by_end));
    if (r == 0)
        r = place_room_init(&p->room, p->s);
    if (r < 0)
        return r;
    p->chooser = place_chooser_new(&p->room, p->options->score, NULL, p->lifetimes, p->class_of);
    return p->chooser ? 0 : -ENOMEM;
}

static void count(struct play *p, const struct place_vector *request, int sign)
{
    for (int r = 0; r < PLACE_RESOURCES; r++)
        p->asked[r] += sign * request->of[r];
}

static void put(struct play *p, int32_t slot, int32_t host)
{
    p->in_use += p->room.hosts[host].n_vms == 0;
    place_chooser_put(p->chooser, slot, host);
}

static void take(struct play *p, int32_t slot)
{
    int32_t host = p->room.host_of[slot];
    place_chooser_take(p->chooser, slot);
    p->in_use -= p->room.hosts[host].n_vms == 0;
}

static void arrive(struct play *p, size_t i)
{
    const struct place_arrival *vm = &p->a->vms[i];
    int32_t slot = p->free_slots[--p->n_free];
    struct place_vm *v = &p->s->vms[slot];
    char batch[32];
    snprintf(batch, sizeof(batch), "%u", (unsigned)vm->batch);
    v->request = p->a->flavours[vm->flavour];
    v->started_s = (double)vm->at_s;
    v->tenant = place_snapshot_text(p->s, batch);
    v->ends_s = NAN;
    if (p->options->known_ends)
        v->ends_s = vm->leaves_s == INT64_MAX ? INFINITY : (double)vm->leaves_s;
    uint64_t size = 63 - (uint64_t)__builtin_clzll(p->a->batch_size[vm->batch]);
    p->class_of[slot] = place_lifetimes_class(p->lifetimes, vm->flavour, size);
    int32_t host = place_choose(p->chooser, slot);
    if (host < 0) {
        p->free_slots[p->n_free++] = slot;
        p->result.refused++;
        return;
    }
    put(p, slot, host);
    count(p, &v->request, 1);
    p->slot_of[i] = slot;
    p->result.placed++;
}

static void depart(struct play *p, size_t i)
{
    int32_t slot = p->slot_of[i];
    if (slot < 0)
        return;
    const struct place_vm *v = &p->s->vms[slot];
    place_lifetimes_ended(p->lifetimes, p->class_of[slot], (double)p->now_s - v->started_s);
    take(p, slot);
    count(p, &v->request, -1);
    p->free_slots[p->n_free++] = slot;
    p->slot_of[i] = -1;
}

static void renew(struct play *p)
{
    place_lifetimes_renew_begin(p->lifetimes);
    for (size_t i = 0; i < p->s->n_vms; i++)
        if (p->room.host_of[i] >= 0)
            place_lifetimes_running(p->lifetimes, p->class_of[i],
                                    (double)p->now_s - p->s->vms[i].started_s);
    place_lifetimes_renew_end(p->lifetimes);
    place_chooser_renew(p->chooser, (double)p->now_s);
}

// VMs of a host that may be emptied: all settled, none moved within the last hour.
static bool may_empty(const struct play *p, const int32_t *vms, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct place_vm *v = &p->s->vms[vms[i]];
        if ((double)p->now_s - v->started_s < SETTLED_S ||
            (double)p->now_s - v->moved_s < SETTLED_S)
            return false;
    }
    return true;
}

// Move all VMs of a host to others in use, or none.
static bool empty_host(struct play *p, int32_t host, const int32_t *vms, size_t n)
{
    size_t done = 0;
    for (; done < n; done++) {
        take(p, vms[done]);
        int32_t to = place_choose(p->chooser, vms[done]);
        if (to < 0 || to == host || p->room.hosts[to].n_vms == 0) {
            put(p, vms[done], host);
            break;
        }
        put(p, vms[done], to);
    }
    for (size_t i = 0; done < n && i < done; i++) {
        take(p, vms[i]);
        put(p, vms[i], host);
    }
    for (size_t i = 0; done == n && i < n; i++)
        p->s->vms[vms[i]].moved_s = (double)p->now_s;
    return done == n;
}

struct listed {
    int32_t host, vm;
};

static int fewest_first(const void *a, const void *b, void *arg)
{
    const struct listed *x = a, *y = b;
    const struct place_host_room *hosts = arg;
    int32_t n = hosts[x->host].n_vms, m = hosts[y->host].n_vms;
    if (n != m)
        return n < m ? -1 : 1;
    if (x->host != y->host)
        return x->host < y->host ? -1 : 1;
    return x->vm < y->vm ? -1 : x->vm > y->vm;
}

static void move_some(struct play *p)
{
    CLEANUP(freep) struct listed *list = calloc(p->s->n_vms + 1, sizeof(*list));
    CLEANUP(freep) int32_t *vms = calloc(p->s->n_vms + 1, sizeof(*vms));
    size_t n = 0, left = (size_t)p->options->moves_per_step;
    for (size_t i = 0; list && i < p->s->n_vms; i++)
        if (p->room.host_of[i] >= 0)
            list[n++] = (struct listed){p->room.host_of[i], (int32_t)i};
    if (!list || !vms)
        return;
    qsort_r(list, n, sizeof(*list), fewest_first, p->room.hosts);
    for (size_t i = 0, len; i < n; i += len) {
        for (len = 0; i + len < n && list[i + len].host == list[i].host; len++)
            vms[len] = list[i + len].vm;
        if (len > left)
            break;
        // Who received one since the list was made has more VMs than are listed.
        if ((size_t)p->room.hosts[list[i].host].n_vms != len || !may_empty(p, vms, len) ||
            !empty_host(p, list[i].host, vms, len))
            continue;
        left -= len;
        p->result.moves += len;
    }
}

static void advance(struct play *p, int64_t to_s)
{
    double seconds = (double)(MIN_OF(to_s, p->a->end_s) - p->now_s), bound = 0;
    for (int r = 0; r < PLACE_RESOURCES; r++)
        if (p->options->host.of[r] > 0)
            bound = fmax(bound, (double)p->asked[r] / (double)p->options->host.of[r]);
    p->host_seconds += seconds * (double)p->in_use;
    p->bound_seconds += seconds * bound;
    p->now_s = to_s;
}

static void run(struct play *p)
{
    const struct place_arrivals *a = p->a;
    size_t i = 0, gone = 0;
    p->now_s = a->start_s;
    while (p->now_s < a->end_s) {
        for (; gone < a->n && a->vms[p->by_end[gone]].leaves_s <= p->now_s; gone++)
            depart(p, p->by_end[gone]);
        renew(p);
        if (p->options->moves_per_step > 0)
            move_some(p);
        for (; i < a->n && a->vms[i].at_s <= p->now_s; i++)
            arrive(p, i);
        // Those that lived for less than a step were passed above, before they came.
        for (size_t k = i; k-- > 0 && a->vms[k].at_s == p->now_s;)
            if (a->vms[k].leaves_s <= p->now_s)
                depart(p, k);
        p->result.peak_hosts = MAX_OF(p->result.peak_hosts, p->in_use);
        p->result.breaches += place_count_breaches(&p->room);
        int64_t next = i < a->n ? a->vms[i].at_s : a->end_s;
        if (gone < a->n)
            next = MIN_OF(next, a->vms[p->by_end[gone]].leaves_s);
        advance(p, next);
    }
}

int place_pack_online(const struct place_arrivals *a, const struct place_pack_options *options,
                      struct place_pack_result *ret)
{
    struct play p = {.a = a, .options = options};
    int r = prepare(&p);
    if (r == 0) {
        run(&p);
        double seconds = (double)(a->end_s - a->start_s);
        p.result.mean_hosts = p.host_seconds / seconds;
        p.result.mean_bound = p.bound_seconds / seconds;
        *ret = p.result;
    }
    place_chooser_free(p.chooser);
    place_lifetimes_free(p.lifetimes);
    place_room_done(&p.room);
    place_snapshot_free(p.s);
    free(p.class_of);
    free(p.free_slots);
    free(p.slot_of);
    free(p.by_end);
    return r;
}
