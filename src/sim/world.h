// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SIM_WORLD_PRIVATE_H
#define SIM_WORLD_PRIVATE_H

#include "base/prng.h"
#include "sim/world.h"

#define NOWHERE UINT32_MAX
#define GIB 1073741824.0

enum node_state {
    NODE_UP,
    NODE_DOWN,
};

// A VM on a host, or on its way there (memory is held already).
struct tenant {
    uint32_t vm;
    bool incoming;
};

struct node {
    const struct scenario_hosts *kind;
    uint32_t number; // within its kind
    enum node_state state;
    bool libvirt_gone, closed;
    struct prng prng;
    struct tenant *tenant; // owned, in order of arrival
    size_t n, cap;
    uint32_t moving;     // migrations from or to here
    double booked_bytes; // memory of its VMs
    // Since `settled_s`:
    double settled_s, wanted, given, watts, balloon_bytes, swap_bytes;
    bool contended, swamped; // short of CPU, of memory
};

enum guest_state {
    GUEST_FUTURE,
    GUEST_WAITING, // for a host
    GUEST_RUNNING,
    GUEST_CRASHED,
    GUEST_HUNG,
    GUEST_GONE,
};

struct guest_departure {
    uint32_t host;
    double time;
};

struct guest {
    const struct scenario_vms *kind;
    uint32_t number;
    uint32_t host, to; // `to`: of a migration under way
    uint32_t storage;  // NOWHERE: none
    uint32_t journey;  // counts migrations, so that an end that was called off is known
    enum guest_state state;
    struct prng prng;
    bool bursting;
    double burst_until_s, burst_level;
    double wanted;  // MIPS now
    double working; // share of its memory in use now
    double pause_s; // of the migration under way
    double waits_since_s;
    bool has_end; // when it departs is drawn
    uint8_t sampled;
    double history[PLACE_HISTORY];
    struct guest_departure left[12];
    uint32_t left_n;
};

struct backend {
    const struct scenario_storage *kind;
    struct prng prng;
    bool gone, slow;
};

enum event_kind {
    EVENT_TICK,
    EVENT_ARRIVE,
    EVENT_DEPART,
    EVENT_GUEST_CRASH,
    EVENT_GUEST_HANG,
    EVENT_GUEST_REPAIRED,
    EVENT_RESTART,
    EVENT_MIGRATED,
    EVENT_NODE_FAIL,
    EVENT_NODE_REPAIRED,
    EVENT_LIBVIRT_GONE,
    EVENT_LIBVIRT_BACK,
    EVENT_STORE_GONE,
    EVENT_STORE_BACK,
    EVENT_STORE_SLOW,
    EVENT_STORE_FAST,
    EVENT_CLOSE,
    EVENT_OPEN,
    EVENT_MAX,
};

struct event {
    double time_s;
    uint64_t order;
    enum event_kind kind;
    uint32_t who;
    uint32_t detail;
    double span_s; // of a scripted fault; 0: drawn
};

struct turn;

struct world {
    const struct scenario *scenario;
    double now_s;
    struct node *node;
    struct guest *guest;
    struct backend *store;
    size_t nodes, guests, stores;
    struct event *heap; // least first
    size_t heap_n, heap_cap;
    uint64_t order;
    uint32_t cursor;      // where first fit goes on
    double refused_bytes; // no host has had that much memory since the last departure
    uint32_t alive, down, waiting;
    struct world_totals totals;
    struct world_sample *timeline;
    size_t timeline_n, timeline_cap;
    struct world_totals at_sample; // totals when the last sample was taken
    struct place_planner *planner;
    struct place_plan plan;
    struct place_move *pending; // planned, not begun yet
    size_t pending_n, pending_cap;
    bool directed; // `pending` came from outside and nothing else is planned
    struct place_live_host *live_host;
    struct place_live_vm *live_vm;
    uint32_t *first, *listed;
    struct turn *turns; // of guests_waiting()
    size_t turns_cap;
};

// load.c: what a VM wants from now on.
void guest_load(const struct world *w, struct guest *g);
// Whether it does any work of its own.
bool guest_is_down(const struct world *w, const struct guest *g);

// node.c: account for the time since the last change of a host, and work out what holds from now.
void node_settle(struct world *w, uint32_t node);
void node_refresh(struct world *w, uint32_t node);
void node_put(struct world *w, uint32_t node, uint32_t guest, bool incoming);
void node_remove(struct world *w, uint32_t node, uint32_t guest, bool incoming);
double node_cpu(const struct node *n);
// A host for a VM that runs nowhere; NOWHERE where none can take it.
uint32_t node_find(struct world *w, uint32_t guest);

// event.c
void event_add(struct world *w, double time_s, enum event_kind kind, uint32_t who, uint32_t detail,
               double span_s);
void event_handle(struct world *w, const struct event *e);
bool event_next(struct world *w, double until_s, struct event *ret);
void guest_start(struct world *w, uint32_t guest);
// Draw when it departs, once it has been started for the first time.
void guest_draw_end(struct world *w, uint32_t guest);
void guests_changed(struct world *w, uint32_t guest, bool was_down);

// waiting.c: those that no host could take.
void guest_waits(struct world *w, uint32_t guest);
void guest_waited(struct world *w, uint32_t guest);
void guests_waiting(struct world *w);
// Must it wait behind others, though a host may have room?
bool guest_must_wait(const struct world *w, const struct guest *g);

// migrate.c: build a snapshot and plan; what is not begun of an earlier plan is dropped.
int world_plan(struct world *w);
// Begin what is pending, as far as hosts have a hand free.
void migrations_start(struct world *w);
void migration_end(struct world *w, uint32_t guest);
void migration_cancel(struct world *w, uint32_t guest);

#endif
