// SPDX-License-Identifier: GPL-3.0-or-later
// When what libvirt keeps of a VM (snapshots, the definition of its next start, chains of images)
// is read, and what becomes of it. libvirt tells of few changes to it: each event of the VM,
// another definition in force and each listing say that there may have been one.
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "private.h"

void stored_soon(struct collector *c, struct vm *vm)
{
    rec_of(vm)->stored_ns = 0;
    rec_of(vm)->changed_ns = mono(c);
    lane_hasten(c->stored_lane, vm->uuid.b, UUID_BYTES, mono(c));
}

void stored_listed(struct collector *c, struct vm *vm, bool has_snapshots)
{
    double n = object_fact(&vm->obj, FACT_VM_SNAPSHOTS);
    int64_t now = mono(c);
    if (isnan(n))
        return; // not read yet
    if (has_snapshots != (n > 0))
        stored_soon(c, vm);
    else if (has_snapshots && now - rec_of(vm)->counted_ns >= STORED_COUNT_NS)
        lane_hasten(c->stored_lane, vm->uuid.b, UUID_BYTES, now);
}

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3); // FNV-1a
    return hash;
}

// What a definition in force says, but for what changes in the life of a VM by itself.
static uint64_t shape_of(const struct batch *b)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < b->n_rows; i++) {
        const struct batch_row *row = &b->rows[i];
        if (row->fact == FACT_VM_MEM_CURRENT || row->fact == FACT_VM_AGENT_CONNECTED ||
            row->attr == ATTR_VM_AGENT)
            continue;
        const char *key = b->text + row->key, *text = b->text + row->text;
        hash = mix(hash, &row->fact, sizeof(row->fact));
        hash = mix(hash, &row->attr, sizeof(row->attr));
        hash = mix(hash, &row->value, sizeof(row->value));
        hash = mix(hash, key, strlen(key) + 1);
        hash = mix(hash, text, strlen(text) + 1);
    }
    return hash;
}

void stored_defined(struct collector *c, struct vm *vm, const struct batch *b, int64_t now)
{
    uint64_t shape = shape_of(b);
    if (shape != rec_of(vm)->shape)
        stored_soon(c, vm);
    rec_of(vm)->shape = shape;
    if (c->p.virt->stored)
        lane_add(c->stored_lane, vm->uuid.b, UUID_BYTES, now);
}

int stored_known(const struct vm *vm, int64_t now)
{
    int64_t read_ns = vm ? rec_of(vm)->stored_ns : 0;
    double n = vm ? object_fact(&vm->obj, FACT_VM_SNAPSHOTS) : NAN;
    // Its turn in the lane may come a little early.
    return read_ns && now - read_ns < STORED_WHOLE_NS - STORED_COUNT_NS && n >= 0 && n < INT_MAX
               ? (int)n
               : -1;
}

// Disks come and go with the definition; here they are not made.
static void forget_strangers(struct batch *b, const struct vm *vm)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->n_rows; i++)
        if (b->rows[i].key == 0 || object_find(&vm->obj, KIND_DISK, b->text + b->rows[i].key))
            b->rows[kept++] = b->rows[i];
    b->n_rows = kept;
}

void stored_failed(struct vm *vm, struct batch *b, const char *message, int64_t now)
{
    log_debug("cannot read what is stored of a VM: %s", message);
    batch_reset(b);
    b->lane = LANE_STORED;
    b->mono_ns = now;
    batch_unavailable(b, "stored", message);
    batch_apply(b, &vm->obj);
}

void stored_read(struct collector *c, struct vm *vm, struct batch *b, int known, int64_t started_ns,
                 int64_t now)
{
    struct vm_rec *rec = rec_of(vm);
    forget_strangers(b, vm);
    batch_apply(b, &vm->obj);
    object_sweep(&vm->obj, KIND_MISS, LANE_STORED, now);
    rec->counted_ns = started_ns;
    if (rec->changed_ns > started_ns)
        stored_soon(c, vm); // it may have been read before what was told meanwhile
    else if (known < 0 || object_fact(&vm->obj, FACT_VM_SNAPSHOTS) != known)
        rec->stored_ns = started_ns;
}
