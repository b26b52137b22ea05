// SPDX-License-Identifier: GPL-3.0-or-later
// What is read back of VMs, as JSON.
#include "manage/describe.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void put_text(struct json *j, const char *key, const char *text)
{
    if (text)
        json_kv_string(j, key, text);
}

static void put_volume(struct json *j, const char *key, const struct virt_volume *v)
{
    if (!v->path && !v->pool)
        return;
    json_key(j, key);
    json_object_begin(j);
    put_text(j, "pool", v->pool);
    put_text(j, "volume", v->volume);
    json_object_end(j);
}

static void put_disk(struct json *j, const struct virt_disk *d)
{
    json_object_begin(j);
    put_text(j, "target", d->target);
    put_text(j, "pool", d->source.pool);
    put_text(j, "volume", d->source.volume);
    put_text(j, "format", d->format);
    if (d->cdrom)
        json_kv_bool(j, "cdrom", true);
    if (d->read_only)
        json_kv_bool(j, "read_only", true);
    json_object_end(j);
}

static void put_nic(struct json *j, const struct virt_nic *n)
{
    json_object_begin(j);
    put_text(j, "network", n->network);
    put_text(j, "bridge", n->bridge);
    put_text(j, "mac", n->mac);
    json_object_end(j);
}

static void put_placement(const struct virt_spec *s, struct json *j)
{
    if (s->numa.nodes) {
        json_key(j, "numa");
        json_object_begin(j);
        json_kv_string(j, "nodes", s->numa.nodes);
        json_kv_string(j, "mode", virt_numa_modes[s->numa.mode]);
        json_object_end(j);
    }
    if (s->n_pins == 0)
        return;
    json_key(j, "pins");
    json_array_begin(j);
    for (size_t i = 0; i < s->n_pins; i++) {
        json_object_begin(j);
        json_kv_u64(j, "vcpu", s->pins[i].vcpu);
        put_text(j, "cpus", s->pins[i].cpus);
        json_object_end(j);
    }
    json_array_end(j);
}

void describe_spec(const struct virt_spec *s, const char *state, struct json *j)
{
    char uuid[UUID_TEXT];
    uuid_format(&s->uuid, uuid);
    json_object_begin(j);
    json_kv_string(j, "name", s->name);
    json_kv_string(j, "uuid", uuid);
    put_text(j, "state", state);
    json_kv_u64(j, "vcpus", s->vcpus);
    json_kv_u64(j, "max_vcpus", MAX_OF(s->max_vcpus, s->vcpus));
    json_kv_u64(j, "memory", s->memory_bytes);
    json_kv_u64(j, "max_memory", MAX_OF(s->max_memory_bytes, s->memory_bytes));
    if (s->plug_bytes > 0) {
        json_kv_u64(j, "plug_memory", s->plug_bytes);
        json_key(j, "dimms");
        json_array_begin(j);
        for (size_t i = 0; i < s->n_dimms; i++)
            json_u64(j, s->dimms[i]);
        json_array_end(j);
    }
    json_kv_string(j, "firmware", s->uefi ? "uefi" : "bios");
    json_kv_bool(j, "autostart", s->autostart);
    put_volume(j, "kernel", &s->kernel);
    put_volume(j, "initrd", &s->initrd);
    put_text(j, "cmdline", s->cmdline);
    put_placement(s, j);
    put_text(j, "owner", s->owner);
    json_key(j, "labels");
    json_object_begin(j);
    for (size_t i = 0; i < s->n_labels; i++)
        json_kv_string(j, s->labels[i].name, s->labels[i].value);
    json_object_end(j);
    json_key(j, "disks");
    json_array_begin(j);
    for (size_t i = 0; i < s->n_disks; i++)
        put_disk(j, &s->disks[i]);
    json_array_end(j);
    json_key(j, "nics");
    json_array_begin(j);
    for (size_t i = 0; i < s->n_nics; i++)
        put_nic(j, &s->nics[i]);
    json_array_end(j);
    json_object_end(j);
}

/* Snapshots. */

struct node {
    const struct virt_snapshot *s;
    bool written;
};

static const struct virt_snapshot *parent_of(const struct node *nodes, size_t n,
                                             const struct virt_snapshot *s)
{
    for (size_t i = 0; s->parent && i < n; i++)
        if (strcmp(nodes[i].s->name, s->parent) == 0)
            return nodes[i].s;
    return NULL;
}

// Steps to the root; bounded, as names come from outside and could form a ring.
static size_t depth_of(const struct node *nodes, size_t n, const struct virt_snapshot *s)
{
    size_t depth = 0;
    while (depth < n && (s = parent_of(nodes, n, s)))
        depth++;
    return depth;
}

// Images that a disk stands on once the snapshot is gone back to: its own, and those of external
// ones above it.
static size_t chain_of(const struct node *nodes, size_t n, const struct virt_snapshot *s)
{
    size_t images = 0;
    for (size_t i = 0; s && i <= n; i++, s = parent_of(nodes, n, s))
        images += s->external;
    return images;
}

static void put_snapshot(struct json *j, const struct virt_snapshot *s, size_t depth, size_t chain,
                         int64_t now_s)
{
    json_object_begin(j);
    json_kv_string(j, "name", s->name);
    put_text(j, "parent", s->parent);
    json_kv_u64(j, "depth", depth);
    json_kv_string(j, "kind", s->external ? "external" : "internal");
    json_kv_bool(j, "memory", s->memory);
    json_kv_bool(j, "current", s->current);
    if (s->external)
        json_kv_u64(j, "chain_depth", chain);
    if (s->merging)
        json_kv_bool(j, "merging", true);
    if (s->created_s > 0) {
        json_kv_i64(j, "created", s->created_s);
        json_kv_i64(j, "age_seconds", MAX_OF(now_s - s->created_s, INT64_C(0)));
    }
    json_object_end(j);
}

static int by_age(const void *a, const void *b)
{
    const struct node *x = a, *y = b;
    if (x->s->created_s != y->s->created_s)
        return x->s->created_s < y->s->created_s ? -1 : 1;
    return strcmp(x->s->name, y->s->name);
}

// The next to be written below `parent` (NULL: roots, also of those whose parent is not there).
static struct node *next_child(struct node *nodes, size_t n, const struct virt_snapshot *parent)
{
    for (size_t i = 0; i < n; i++)
        if (!nodes[i].written && parent_of(nodes, n, nodes[i].s) == parent)
            return &nodes[i];
    return NULL;
}

void describe_snapshots(const struct virt_snapshot *snapshots, size_t n, int64_t now_s,
                        struct json *j)
{
    CLEANUP(freep) struct node *nodes = mem_zalloc((n + 1) * sizeof(*nodes));
    for (size_t i = 0; i < n; i++)
        nodes[i].s = &snapshots[i];
    qsort(nodes, n, sizeof(*nodes), by_age);
    json_array_begin(j);
    // Down as long as there are children, else up: depth first, without recursion.
    const struct virt_snapshot *at = NULL;
    for (size_t written = 0; written < n;) {
        struct node *child = next_child(nodes, n, at);
        if (child) {
            child->written = true;
            put_snapshot(j, child->s, depth_of(nodes, n, child->s), chain_of(nodes, n, child->s),
                         now_s);
            at = child->s;
            written++;
        } else if (at) {
            at = parent_of(nodes, n, at);
        } else {
            break; // what is left is a ring, which libvirt does not make
        }
    }
    json_array_end(j);
}
