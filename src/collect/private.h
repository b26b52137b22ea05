// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef COLLECT_PRIVATE_H
#define COLLECT_PRIVATE_H

// What the collector's files share. All of it belongs to the loop's thread but struct inbox.

#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"
#include "collect/collector.h"
#include "collect/still.h"
#include "collect/workers.h"
#include "model/batch.h"

struct collector;
struct call;

// Calls that take longer are overtaken by others.
#define PATIENCE_NS (50 * NS_PER_MS)

// All that is stored of a VM is read each so long; where something is known to have happened to it,
// at once. That no snapshot has come or gone, each listing says; of a VM that has some they are
// counted more often, which costs a fifth of reading all.
#define STORED_WHOLE_NS (3600 * NS_PER_S)
#define STORED_COUNT_NS (300 * NS_PER_S)

// Something that another thread hands over; deliver() runs on the loop's thread and frees it.
struct msg {
    struct msg *next;
    void (*deliver)(struct collector *c, struct msg *m);
};

struct inbox {
    pthread_mutex_t lock;
    struct msg *head, **tail;
    struct batch *batches, **batches_tail; // of the kernel lanes, in order
    struct batch *spare;                   // empty ones for the next sample
    size_t n_spare;
};

// A connection and who uses it. Closed once it is retired or lost and nobody uses it.
struct conn {
    struct conn *next;
    struct virt *virt;
    int users; // calls on workers
    bool retired;
};

enum link_state {
    LINK_DOWN,    // waits for retry_ns
    LINK_OPENING, // a worker tries
    LINK_UP,
};

struct link {
    enum link_state state;
    struct conn *main;
    struct conn *old;    // retired ones
    uint64_t generation; // of the connections; answers of an older one do not count
    uint64_t attempt;    // of opening, written off past its deadline
    int stuck_attempts;
    int64_t attempt_ns;
    int64_t retry_ns;
    int64_t pause_ns;
    int64_t answered_ns; // libvirt said something
    int64_t ping_ns;     // of the ping under way, 0 = none
    int64_t pinged_ns;   // last one begun
    int64_t resync_ns;   // next full listing
    const char *status;
    char *message;
    int64_t since_real_ns;
    bool tried;
};

// When which part of a VM's statistics was read, and what was seen then.
struct pace {
    int64_t slow_ns;   // what changes seldom; 0: due now
    bool was_slow;     // ever read
    bool is_spread;    // read at a time of its own, which others may join
    int64_t memory_ns; // the guest's memory
    bool is_still;     // its figures are those of the time before: the guest tells none
    double update, ran_ns, rss_bytes, disk_bytes;
    struct still still; // of the disks
    int64_t disks_ns;   // when they were read
    double emulator_ns; // run time of the emulator's threads at the last answer
};

// The collector's own record of a VM, vm->user.
struct vm_rec {
    int32_t pid;
    int64_t process_start;
    int64_t kernel_ns; // of the last kernel batch
    int64_t died_ns;   // its process was seen to crash, which libvirt has not told of yet; 0: no
    int64_t event_ns;  // of the last event or listing that changed it
    struct pace pace;  // of its statistics
    int blocked_ticks; // in a row in state D
    int vcpus;         // threads of them that were seen
    int64_t flag_since_real_ns;
    int64_t agent_info_ns; // when full agent data were last asked for
    int64_t dirty_rate_ns; // when its dirty page rate was measured
    int64_t stored_ns;     // when all that is kept of it was last read; 0: it may have changed
    int64_t changed_ns;    // when that was last thought
    int64_t counted_ns;    // when its snapshots were last counted
    uint64_t shape;        // of its definition in force
};

struct asked {
    struct asked *next;
    uint32_t id;
    struct uuid uuid;
    uint64_t call; // of the agent lane, 0 = a person's request
    bool is_info;  // its answer names all file systems
    collector_asked *done;
    void *arg;
};

struct collector {
    struct collector_params p;
    char *uri;
    char *root; // of the kernel's sources; workers read it, so it never changes
    struct herd *herd;
    struct inbox inbox;
    struct workers *workers;
    struct call *shared; // under way for several VMs, the last first
    struct sampler *sampler;
    struct link link;
    struct call_lane *stats_lane;  // running VMs
    struct call_lane *config_lane; // all VMs: state and XML
    struct call_lane *stored_lane; // all VMs: snapshots, stored definition
    struct call_lane *pool_lane;   // pools by name, POOLS_KEY, NETWORKS_KEY
    struct call_lane *agent_lane;  // running VMs with a connected agent
    int64_t detail_interval_ns;    // what the sampler was started with, until a restart
    struct map *nics;              // host device name to NIC object of a VM
    struct asked *asked;
    uint32_t last_ask;
    uint64_t reconnects;
    uint64_t ticks_seen;
    uint64_t changes;
    uint64_t disk_readings, disk_rests; // VMs whose disks were read, or left out as they rested
};

int64_t mono(const struct collector *c);
struct vm_rec *rec_of(const struct vm *vm);

// Post from any thread, with and without waking the loop.
void inbox_put(struct collector *c, struct msg *m);
void inbox_post(struct collector *c, struct msg *m);

// link.c
void link_init(struct collector *c);
void link_step(struct collector *c, int64_t now);
int64_t link_wake(const struct collector *c);
void link_done(struct collector *c);
void link_answered(struct collector *c, int64_t started_ns);
struct conn *link_use(struct conn *conn);
void link_unuse(struct collector *c, struct conn *conn);

// inventory.c
void inventory_domains(struct collector *c, struct virt_domain *domains, size_t n,
                       int64_t started_ns);
void inventory_domain(struct collector *c, const struct virt_domain *d);
void inventory_event(struct collector *c, const struct virt_event *e);
void inventory_count(struct collector *c);
// Drop a VM that neither libvirt nor the kernel knows any more.
void inventory_drop_unknown(struct collector *c, struct vm *vm);
void vm_clear_lane(struct vm *vm, enum lane lane);

// stored.c
// What is kept of the VM may have changed: read it all again.
void stored_soon(struct collector *c, struct vm *vm);
// A listing says whether it has snapshots.
void stored_listed(struct collector *c, struct vm *vm, bool has_snapshots);
// The definition in force was read: `b`.
void stored_defined(struct collector *c, struct vm *vm, const struct batch *b, int64_t now);
// Snapshots that the next call need only count; -1: it reads all that is stored.
int stored_known(const struct vm *vm, int64_t now);
// An answer to a call that began then with `known` of stored_known().
void stored_read(struct collector *c, struct vm *vm, struct batch *b, int known, int64_t started_ns,
                 int64_t now);
void stored_failed(struct vm *vm, struct batch *b, const char *message, int64_t now);

// kernel.c
// What of the VM cannot be read, beyond what a lane's batches say; NULL: it can.
void vm_miss(struct vm *vm, const char *what, const char *reason, int64_t now);
// The same of the host.
void host_miss(struct object *host, const char *what, const char *reason, int64_t now);

// pools.c
#define POOLS_KEY ""     // the list of storage pools, in the lane of pools
#define NETWORKS_KEY "/" // the networks; no pool's name has one
void pools_begin(struct collector *c, int64_t now);
// What was listed; further ones are asked about from now on.
void pools_listed(struct collector *c, char **names, size_t n, int64_t now);
// NULL: it answered that it failed.
void pools_answered(struct collector *c, const char *name, struct batch *told, int64_t now);
// A call of the lane was written off.
void pools_unanswered(struct collector *c, const void *key, size_t len, int64_t now);
// Counts what is not answered for; after each answer.
void pools_note(struct collector *c, int64_t now);

// calls.c
void nics_forget(struct collector *c, struct vm *vm);
void calls_step(struct collector *c, int64_t now);
int64_t calls_wake(const struct collector *c, int64_t now);

// pace.c
/**
 * What the next call asks of a VM: bits of enum virt_part. `joins`: another VM by the same call is
 * asked everything, which moves this one's turn up by half of libvirt.slow_interval at most.
 */
unsigned pace_parts(const struct vm *vm, const struct pace *p, const struct conf *conf, bool joins,
                    int64_t now_ns);
/** May the disks be left out where nothing has moved: a case that still_rests() can judge? */
bool pace_may_rest(const struct vm *vm, const struct pace *p, const struct conf *conf,
                   int64_t now_ns);
/** An answer with these parts is in the herd; `io` was seen just before, NULL = unknown. */
void pace_note(const struct vm *vm, struct pace *p, unsigned parts, const struct host_io *io,
               const struct conf *conf, int64_t now_ns);

// kernel.c
void kernel_batch(struct collector *c, const struct batch *b);

// rates.c
void rates_kernel(struct vm *vm, int64_t mono_ns);
void rates_disks(struct vm *vm, int64_t mono_ns);
void rates_host(struct object *host, int64_t mono_ns);
void rates_vm_totals(struct herd *h, struct vm *vm, int64_t mono_ns);

// agent.c
void agent_step(struct collector *c, int64_t now);
int64_t agent_wake(const struct collector *c, int64_t now);
// A running VM whose agent's channel is closed, or that has none.
void agent_left(struct collector *c, struct vm *vm, int64_t now);
void agent_done(struct collector *c);

#endif
