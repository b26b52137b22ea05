// SPDX-License-Identifier: GPL-3.0-or-later
// From the world to a planner's snapshot, and from its plan to migrations.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "world.h"

#define MIB 1048576.0
#define HOUR_S 3600.0
// Migrations that one host takes part in at once: more share the link, and none converges.
#define AT_ONCE 2

static struct precopy forecast(const struct world *w, const struct guest *g, uint64_t bytes_per_s)
{
    const struct scenario_vms *k = g->kind;
    return precopy(k->memory_bytes, (uint64_t)((double)k->memory_bytes * g->working),
                   g->state == GUEST_RUNNING ? k->dirty_bytes_per_s : 0, bytes_per_s,
                   w->scenario->downtime_limit_s);
}

static void snapshot_guest(struct world *w, uint32_t guest, const struct node *n)
{
    const struct guest *g = &w->guest[guest];
    struct precopy copy = forecast(w, g, n->kind->network_bytes_per_s);
    w->live_vm[guest] = (struct place_live_vm){
        .host = g->host,
        .cpu = (double)g->kind->vcpus * g->kind->mips,
        .wanted = g->wanted,
        .ram_mib = (double)g->kind->memory_bytes / MIB,
        .copy_s = copy.duration_s,
        .pause_s = copy.pause_s,
        .fixed = g->to != NOWHERE || g->state != GUEST_RUNNING || n->libvirt_gone,
        .sampled = g->sampled,
        .history = g->history,
    };
}

static void snapshot(struct world *w)
{
    size_t listed = 0;
    for (uint32_t i = 0; i < w->nodes; i++) {
        const struct node *n = &w->node[i];
        w->live_host[i] = (struct place_live_host){
            .cpu = node_cpu(n),
            .core = node_cpu(n), // a vCPU more than a core would have is cut by node_refresh()
            .ram_mib = (double)n->kind->memory_bytes * n->kind->overcommit / MIB,
            .recorded = n->n > 0 ? fmin(n->given / node_cpu(n), 1) : 0,
            .power = &n->kind->power,
            .closed = n->closed || n->state == NODE_DOWN || n->libvirt_gone,
        };
        w->first[i] = (uint32_t)listed;
        for (size_t k = 0; k < n->n; k++) {
            // One that is on its way counts where it goes to.
            const struct guest *g = &w->guest[n->tenant[k].vm];
            if (!n->tenant[k].incoming)
                snapshot_guest(w, n->tenant[k].vm, n);
            if (n->tenant[k].incoming || g->to == NOWHERE)
                w->listed[listed++] = n->tenant[k].vm;
        }
    }
    w->first[w->nodes] = (uint32_t)listed;
}

static void note_departure(struct world *w, struct guest *g, uint32_t to)
{
    for (size_t i = 0; i < ARRAY_LEN(g->left) && i < g->left_n; i++)
        w->totals.returns += g->left[i].host == to && w->now_s - g->left[i].time < HOUR_S;
    g->left[g->left_n++ % ARRAY_LEN(g->left)] = (struct guest_departure){g->host, w->now_s};
}

// Whether what was planned a while ago can still be done.
static bool is_possible(const struct world *w, const struct place_move *m)
{
    const struct guest *g = &w->guest[m->vm];
    const struct node *to = &w->node[m->to];
    return g->to == NOWHERE && g->host == m->from && g->state == GUEST_RUNNING &&
           to->state == NODE_UP && !to->closed && !to->libvirt_gone &&
           !w->node[m->from].libvirt_gone &&
           to->booked_bytes + (double)g->kind->memory_bytes <=
               (double)to->kind->memory_bytes * to->kind->overcommit;
}

static void start(struct world *w, const struct place_move *m)
{
    struct guest *g = &w->guest[m->vm];
    struct node *from = &w->node[m->from], *to = &w->node[m->to];
    // Those that run at once share the slower of the two links.
    uint64_t link = MIN_OF(from->kind->network_bytes_per_s, to->kind->network_bytes_per_s);
    struct precopy copy = forecast(w, g, link / (1 + MAX_OF(from->moving, to->moving)));
    note_departure(w, g, m->to);
    node_settle(w, m->from);
    node_settle(w, m->to);
    from->moving++;
    to->moving++;
    g->to = m->to;
    g->pause_s = copy.pause_s;
    g->journey++;
    node_put(w, m->to, m->vm, true);
    node_refresh(w, m->from);
    node_refresh(w, m->to);
    event_add(w, w->now_s + copy.duration_s, EVENT_MIGRATED, m->vm, g->journey, 0);
    w->totals.migrations++;
    w->totals.copy_s += copy.duration_s;
    w->totals.copy_max_s = fmax(w->totals.copy_max_s, copy.duration_s);
}

static void detach(struct world *w, uint32_t guest)
{
    struct guest *g = &w->guest[guest];
    node_settle(w, g->host);
    node_settle(w, g->to);
    w->node[g->host].moving--;
    w->node[g->to].moving--;
    node_remove(w, g->to, guest, true);
}

void migration_end(struct world *w, uint32_t guest)
{
    struct guest *g = &w->guest[guest];
    uint32_t from = g->host, to = g->to;
    detach(w, guest);
    node_remove(w, from, guest, false);
    g->host = to;
    g->to = NOWHERE;
    node_put(w, to, guest, false);
    node_refresh(w, from);
    node_refresh(w, to);
    w->totals.pause_s += g->pause_s;
    w->totals.down_s += g->pause_s;
    w->totals.pause_max_s = fmax(w->totals.pause_max_s, g->pause_s);
}

void migration_cancel(struct world *w, uint32_t guest)
{
    struct guest *g = &w->guest[guest];
    if (g->to == NOWHERE)
        return;
    uint32_t to = g->to;
    detach(w, guest);
    g->to = NOWHERE;
    g->journey++;
    w->totals.failed_migrations++;
    node_refresh(w, g->host);
    node_refresh(w, to);
}

void world_direct(struct world *w, const struct place_move *move, size_t n)
{
    w->directed = true;
    for (size_t i = 0; i < n; i++) {
        mem_grow(&w->pending, &w->pending_cap, w->pending_n, sizeof(*w->pending));
        w->pending[w->pending_n++] = move[i];
    }
}

size_t world_pending(const struct world *w)
{
    return w->pending_n;
}

int world_plan(struct world *w)
{
    if (w->directed)
        return 0;
    snapshot(w);
    struct place_live live = {
        .now_s = w->now_s,
        .interval_s = w->scenario->step_s,
        .n_hosts = w->nodes,
        .n_vms = w->guests,
        .host = w->live_host,
        .vm = w->live_vm,
        .first = w->first,
        .listed = w->listed,
    };
    int r = place_planner_step(w->planner, &live, &w->plan);
    w->pending_n = 0;
    for (size_t i = 0; r == 0 && i < w->plan.n; i++) {
        mem_grow(&w->pending, &w->pending_cap, w->pending_n, sizeof(*w->pending));
        w->pending[w->pending_n++] = w->plan.move[i];
    }
    return r;
}

void migrations_start(struct world *w)
{
    size_t left = 0;
    for (size_t i = 0; i < w->pending_n; i++) {
        const struct place_move *m = &w->pending[i];
        if (w->node[m->from].moving >= AT_ONCE || w->node[m->to].moving >= AT_ONCE)
            w->pending[left++] = *m;
        else if (is_possible(w, m))
            start(w, m);
        else if (w->directed) // room may come with the moves before it
            w->pending[left++] = *m;
    }
    w->pending_n = left;
}
