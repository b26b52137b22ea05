// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MODEL_HERD_H
#define MODEL_HERD_H

/*
 * The picture of the herd in memory: one tree of objects for the host, one for each VM. Owned by
 * one thread (core's loop); nothing here locks, waits or reads a clock.
 */

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "model/catalogue.h"

#define OBJECT_BEFORE 8

/** Something with attributes and facts: the host, a VM, a disk, … */
struct object {
    enum kind kind;
    struct object *parent;
    struct object *next;               /**< next sibling of the same kind */
    struct object *children[KIND_MAX]; /**< first child of each kind, or NULL */
    char **attrs;                      /**< owned texts, by attr - first_attr; NULL = unknown */
    double *facts;                     /**< by fact - first_fact; NaN = absent */
    int64_t updated_ns[LANE_MAX];      /**< monotonic; 0 = that lane never wrote here */
    double before[OBJECT_BEFORE];      /**< scratch of whoever computes rates: counters before */
    int64_t before_ns;
    uint32_t version;         /**< grows whenever an attribute changes */
    struct object_user *user; /**< of whoever follows the object; told when it goes */
};

/** What somebody else keeps about an object. */
struct object_user {
    void (*done)(struct object_user *user); /**< the object is about to be freed */
};

/** Seconds of history kept for sparklines. */
#define VM_HISTORY 300

/** What the history holds, one ring each. */
enum history {
    HISTORY_CPU,  /**< FACT_VM_CPU_UTILISATION */
    HISTORY_WAIT, /**< FACT_VM_WAIT_RATIO */
    HISTORY_MEM,  /**< FACT_VM_MEM_USED_RATIO */
    HISTORY_READ, /**< FACT_VM_READ_RATE */
    HISTORY_WRITE,
    HISTORY_RX,
    HISTORY_TX,
    HISTORY_MAX,
};

struct vm {
    struct object obj; /**< kind VM; first, so that an object of kind VM is a struct vm */
    struct uuid uuid;
    bool active;        /**< running in libvirt's eyes (has an id), or seen as a process */
    bool in_libvirt;    /**< libvirt has told of it; false: only its process was found */
    char process_state; /**< letter of the hypervisor process, 0 = no process known */
    float *history;     /**< HISTORY_MAX rings of VM_HISTORY; NaN = absent; NULL until running */
    void *user;         /**< core's own record of the VM */
};

/** All objects. */
struct herd {
    struct object *host;
    struct vm **vms; /**< sorted by name (vm2 before vm10), then UUID */
    size_t n_vms;
    size_t cap_vms;
    struct map *by_uuid;
    unsigned history_at;          /**< next place to write in the rings */
    int64_t max_age_ns[LANE_MAX]; /**< older facts of a lane do not count; 0 = no limit */
    bool libvirt_up;              /**< while false, facts of LANE_STATE do not count */
    void (*vm_done)(struct vm *vm, void *arg); /**< told before a VM is freed; may be NULL */
    void *vm_done_arg;
};

struct herd *herd_new(void);
void herd_free(struct herd *h);

/** The VM of that UUID or NULL. */
struct vm *herd_vm(const struct herd *h, const struct uuid *uuid);

/**
 * By UUID text, or by exact name; NULL where there is none. The UUID comes first, as in virsh: else
 * a VM that is named as another's UUID would be taken for it.
 */
struct vm *herd_vm_find(const struct herd *h, const char *name_or_uuid);

/**
 * Whether the VM at this index shares its name with another that has the better right to it: a
 * process that libvirt does not know gives way, so that no series stands twice.
 */
bool herd_vm_is_double(const struct herd *h, size_t i);

/** Find or create; the herd owns it. The name of a new VM is its UUID until set. */
struct vm *herd_vm_add(struct herd *h, const struct uuid *uuid);

/** Give a (new) name; keeps the order of `vms`. */
void herd_vm_rename(struct herd *h, struct vm *vm, const char *name);

/** Remove and free, with all below it. */
void herd_vm_remove(struct herd *h, struct vm *vm);

/** The child of that kind and key, made where it is missing; key is the first attribute. */
struct object *object_child(struct object *parent, enum kind kind, const char *key);

/** The same, or NULL where there is none. */
struct object *object_find(const struct object *parent, enum kind kind, const char *key);

/** Remove one child and free it. */
void object_remove(struct object *child);

/** Remove all children of a kind. */
void object_clear(struct object *parent, enum kind kind);

/** Remove children of a kind that `lane` has written, but last before `mono_ns`. */
void object_sweep(struct object *parent, enum kind kind, enum lane lane, int64_t mono_ns);

#define OBJECT_FOREACH_CHILD(child, parent, kind)                                                  \
    for (struct object *child = (parent)->children[kind]; child; child = child->next)

/** An attribute of the object itself; NULL = unknown. */
const char *object_attr(const struct object *o, enum attr attr);

/** An attribute of the object or of the ancestor that has it; NULL = unknown. */
const char *object_attr_above(const struct object *o, enum attr attr);

/** Set (copied) or clear (NULL) an attribute; true where it changed. */
bool object_set_attr(struct object *o, enum attr attr, const char *text);

/** A fact of the object itself as kept (see enum fact_store), NaN = absent; ignores its age. */
double object_fact(const struct object *o, enum fact fact);

/**
 * Set a fact (NaN removes it) and stamp its lane with `mono_ns`. A lane that skips a fact leaves
 * its old value under a new stamp: it must set NaN instead.
 */
void object_set_fact(struct object *o, enum fact fact, double value, int64_t mono_ns);

/** The fact where it counts as fresh at `mono_ns`, else NaN. */
double herd_fact(const struct herd *h, const struct object *o, enum fact fact, int64_t mono_ns);

/** Write one point of history for a VM at herd->history_at (see herd_history_step()). */
void vm_history_put(const struct herd *h, struct vm *vm, enum history which, double value);

/** Move all rings on by one second; the new second is absent until put. */
void herd_history_step(struct herd *h);

#endif
