// SPDX-License-Identifier: GPL-3.0-or-later
// The published framework: VMs of overloaded hosts are placed anew by power-aware best fit
// decreasing, then the least loaded hosts are emptied where all their VMs fit elsewhere. Order of
// visits and the odd details are CloudSim 3.0.3's (PowerVmAllocationPolicyMigrationAbstract):
// hosts that were off count as off for the second part even if the first has woken them, and a VM
// that the first part has placed may be moved on by the second.
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "detect_overload.h"
#include "planner.h"
#include "select_vm.h"

enum {
    NO_SOURCE = 1, // is not to be emptied
    NO_TARGET = 2,
};

static double available(const struct trial *t, uint32_t host)
{
    double left = t->live->host[host].cpu - t->host[host].capped;
    return left > 0 ? left : 0;
}

static bool suits(const struct trial *t, uint32_t host, const struct place_live_vm *v)
{
    const struct place_live_host *l = &t->live->host[host];
    return !l->closed && l->core >= v->wanted && available(t, host) >= v->wanted &&
           t->host[host].ram_mib + v->ram_mib <= l->ram_mib;
}

// CloudSim takes what an idle machine draws off the price of waking one that is switched off.
static double price(const struct place_planner *p, uint32_t host, const struct place_live_vm *v)
{
    const struct place_live_host *l = &p->trial.live->host[host];
    double after = (p->trial.host[host].allocated + v->wanted) / l->cpu;
    bool off = p->policy.wake_aware && p->trial.host[host].n == 0;
    return place_power_watts(l->power, after) - (off ? 0 : p->draws[host]);
}

static uint32_t find_host(const struct place_planner *p, uint32_t vm)
{
    const struct trial *t = &p->trial;
    const struct place_live_vm *v = &t->live->vm[vm];
    uint32_t found = UINT32_MAX;
    double least = INFINITY;
    for (uint32_t h = 0; h < t->live->n_hosts; h++) {
        if ((p->excluded[h] & NO_TARGET) || !suits(t, h, v))
            continue;
        double watts = price(p, h, v);
        if (watts >= least)
            continue;
        if (t->host[h].allocated != 0 && detect_overload(t, &p->policy, h, vm))
            continue;
        least = watts;
        found = h;
    }
    return found;
}

static void add_move(struct place_plan *plan, const struct place_live *live, uint32_t vm,
                     uint32_t to, enum place_reason reason)
{
    const struct place_live_vm *v = &live->vm[vm];
    place_plan_add(plan, &(struct place_move){
                             .vm = vm,
                             .from = v->host,
                             .to = to,
                             .reason = reason,
                             .gain_j = NAN,
                             .cost_j = NAN,
                             .duration_s = v->copy_s,
                             .pause_s = v->pause_s,
                         });
}

static void leave(struct place_planner *p, uint32_t vm)
{
    mem_grow(&p->leaving, &p->leaving_cap, p->leaving_n, sizeof(*p->leaving));
    p->leaving[p->leaving_n++] = vm;
}

// By what they want, highest first; equal ones keep their order.
static void sort_leaving(struct place_planner *p)
{
    const struct place_live_vm *vm = p->trial.live->vm;
    for (size_t i = 1; i < p->leaving_n; i++) {
        uint32_t x = p->leaving[i];
        size_t k = i;
        for (; k > 0 && vm[p->leaving[k - 1]].wanted < vm[x].wanted; k--)
            p->leaving[k] = p->leaving[k - 1];
        p->leaving[k] = x;
    }
}

static void take_from_overloaded(struct place_planner *p)
{
    struct trial *t = &p->trial;
    for (uint32_t h = 0; h < t->live->n_hosts; h++)
        if (t->host[h].n > 0 && detect_overload(t, &p->policy, h, UINT32_MAX))
            p->excluded[h] = NO_SOURCE | NO_TARGET;
    for (uint32_t h = 0; h < t->live->n_hosts; h++) {
        while (p->excluded[h]) {
            uint32_t vm = select_vm(t, p->policy.selector, h, &p->prng);
            if (vm == UINT32_MAX)
                break;
            leave(p, vm);
            trial_remove(t, vm);
            if (!detect_overload(t, &p->policy, h, UINT32_MAX))
                break;
        }
    }
}

static void take_from_closed(struct place_planner *p)
{
    struct trial *t = &p->trial;
    for (uint32_t h = 0; h < t->live->n_hosts; h++) {
        if (!t->live->host[h].closed)
            continue;
        p->excluded[h] = NO_SOURCE | NO_TARGET;
        for (size_t i = t->host[h].n; i-- > 0;) {
            uint32_t vm = t->host[h].vm[i];
            if (t->live->vm[vm].fixed)
                continue;
            leave(p, vm);
            trial_remove(t, vm);
        }
    }
}

static void place_leaving(struct place_planner *p, struct place_plan *plan)
{
    const struct place_live *live = p->trial.live;
    sort_leaving(p);
    for (size_t i = 0; i < p->leaving_n; i++) {
        uint32_t vm = p->leaving[i];
        uint32_t to = find_host(p, vm);
        if (to == UINT32_MAX)
            continue;
        trial_add(&p->trial, vm, to);
        add_move(plan, live, vm, to,
                 live->host[live->vm[vm].host].closed ? PLACE_REASON_EVACUATE
                                                      : PLACE_REASON_OVERLOAD);
    }
}

static uint32_t least_loaded(const struct place_planner *p)
{
    const struct trial *t = &p->trial;
    uint32_t found = UINT32_MAX;
    double least = 1;
    for (uint32_t h = 0; h < t->live->n_hosts; h++) {
        double u = t->live->host[h].recorded;
        if (!(p->excluded[h] & NO_SOURCE) && u > 0 && u < least && t->host[h].n > 0) {
            least = u;
            found = h;
        }
    }
    return found;
}

// All of a host's VMs find a place, or none is moved.
static void empty_host(struct place_planner *p, uint32_t host, struct place_plan *plan)
{
    struct trial *t = &p->trial;
    size_t before = plan->n;
    p->leaving_n = 0;
    for (size_t i = 0; i < t->host[host].n; i++)
        if (!t->live->vm[t->host[host].vm[i]].fixed)
            leave(p, t->host[host].vm[i]);
    sort_leaving(p);
    for (size_t i = 0; i < p->leaving_n; i++) {
        uint32_t vm = p->leaving[i];
        uint32_t to = find_host(p, vm);
        if (to == UINT32_MAX) {
            while (plan->n > before) {
                uint32_t back = plan->move[--plan->n].vm;
                trial_remove(t, back);
                trial_add(t, back, host);
            }
            return;
        }
        trial_remove(t, vm);
        trial_add(t, vm, to);
        add_move(plan, t->live, vm, to, PLACE_REASON_UNDERLOAD);
    }
    for (size_t i = before; i < plan->n; i++)
        p->excluded[plan->move[i].to] |= NO_SOURCE;
}

int published_step(struct place_planner *p, const struct place_live *live, struct place_plan *plan)
{
    p->leaving_n = 0;
    take_from_closed(p);
    take_from_overloaded(p);
    place_leaving(p, plan);
    for (uint32_t h = 0; h < live->n_hosts; h++)
        if (live->host[h].recorded == 0)
            p->excluded[h] = NO_SOURCE | NO_TARGET;
    for (;;) {
        uint32_t host = least_loaded(p);
        if (host == UINT32_MAX)
            return 0;
        p->excluded[host] = NO_SOURCE | NO_TARGET;
        empty_host(p, host, plan);
    }
}
