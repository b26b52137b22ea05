// SPDX-License-Identifier: GPL-3.0-or-later
// Invariants: `vms` is sorted by name (vm2 before vm10), then UUID, and holds the VMs of `by_uuid`,
// which owns nothing; children hang below exactly one parent.
#include "model/herd.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

static void object_init(struct object *o, enum kind kind, struct object *parent)
{
    const struct kind_desc *desc = &model_kinds[kind];
    o->kind = kind;
    o->parent = parent;
    o->attrs = mem_zalloc((size_t)desc->n_attrs * sizeof(*o->attrs));
    o->facts = mem_zalloc((size_t)desc->n_facts * sizeof(*o->facts));
    for (int i = 0; i < desc->n_facts; i++)
        o->facts[i] = NAN;
}

static void object_done(struct object *o)
{
    if (o->user)
        o->user->done(o->user);
    for (enum kind kind = 0; kind < KIND_MAX; kind++)
        if (model_kinds[kind].parent == o->kind)
            object_clear(o, kind);
    for (int i = 0; i < model_kinds[o->kind].n_attrs; i++)
        free(o->attrs[i]);
    free(o->attrs);
    free(o->facts);
}

static const char *object_key(const struct object *o)
{
    return o->attrs[0] ? o->attrs[0] : "";
}

struct object *object_find(const struct object *parent, enum kind kind, const char *key)
{
    OBJECT_FOREACH_CHILD (child, parent, kind)
        if (strcmp(object_key(child), key) == 0)
            return child;
    return NULL;
}

struct object *object_child(struct object *parent, enum kind kind, const char *key)
{
    struct object **end = &parent->children[kind];
    for (; *end; end = &(*end)->next)
        if (strcmp(object_key(*end), key) == 0)
            return *end;
    struct object *child = mem_zalloc(sizeof(*child));
    object_init(child, kind, parent);
    child->attrs[0] = mem_strdup(key);
    *end = child;
    return child;
}

static void unlink_and_free(struct object **link)
{
    struct object *child = *link;
    *link = child->next;
    object_done(child);
    free(child);
}

void object_remove(struct object *child)
{
    struct object **link = &child->parent->children[child->kind];
    while (*link != child)
        link = &(*link)->next;
    unlink_and_free(link);
}

void object_clear(struct object *parent, enum kind kind)
{
    while (parent->children[kind])
        unlink_and_free(&parent->children[kind]);
}

void object_sweep(struct object *parent, enum kind kind, enum lane lane, int64_t mono_ns)
{
    struct object **link = &parent->children[kind];
    while (*link) {
        int64_t updated = (*link)->updated_ns[lane];
        if (updated && updated < mono_ns)
            unlink_and_free(link);
        else
            link = &(*link)->next;
    }
}

const char *object_attr(const struct object *o, enum attr attr)
{
    return o->attrs[attr - model_kinds[o->kind].first_attr];
}

const char *object_attr_above(const struct object *o, enum attr attr)
{
    enum kind kind = model_attrs[attr].kind;
    while (o && o->kind != kind)
        o = o->parent;
    return o ? object_attr(o, attr) : NULL;
}

bool object_set_attr(struct object *o, enum attr attr, const char *text)
{
    bool is_changed = mem_strset(&o->attrs[attr - model_kinds[o->kind].first_attr], text);
    o->version += is_changed;
    return is_changed;
}

double object_fact(const struct object *o, enum fact fact)
{
    return o->facts[fact - model_kinds[o->kind].first_fact];
}

void object_set_fact(struct object *o, enum fact fact, double value, int64_t mono_ns)
{
    o->facts[fact - model_kinds[o->kind].first_fact] = value;
    o->updated_ns[model_facts[fact].lane] = mono_ns;
}

double herd_fact(const struct herd *h, const struct object *o, enum fact fact, int64_t mono_ns)
{
    enum lane lane = model_facts[fact].lane;
    if (lane_needs_libvirt(lane) && !h->libvirt_up)
        return NAN;
    if (h->max_age_ns[lane] > 0 && mono_ns - o->updated_ns[lane] > h->max_age_ns[lane])
        return NAN;
    return object_fact(o, fact);
}

struct herd *herd_new(void)
{
    struct herd *h = mem_zalloc(sizeof(*h));
    h->host = mem_zalloc(sizeof(*h->host));
    object_init(h->host, KIND_HOST, NULL);
    h->by_uuid = map_new();
    return h;
}

static void vm_free(struct herd *h, struct vm *vm)
{
    if (h->vm_done)
        h->vm_done(vm, h->vm_done_arg);
    object_done(&vm->obj);
    free(vm->history);
    free(vm);
}

void herd_free(struct herd *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->n_vms; i++)
        vm_free(h, h->vms[i]);
    free(h->vms);
    map_free(h->by_uuid);
    object_done(h->host);
    free(h->host);
    free(h);
}

struct vm *herd_vm(const struct herd *h, const struct uuid *uuid)
{
    return map_get(h->by_uuid, uuid->b, UUID_BYTES);
}

struct vm *herd_vm_find(const struct herd *h, const char *name_or_uuid)
{
    struct uuid uuid;
    struct vm *vm =
        uuid_parse(name_or_uuid, strlen(name_or_uuid), &uuid) ? herd_vm(h, &uuid) : NULL;
    for (size_t i = 0; !vm && i < h->n_vms; i++)
        if (strcmp(object_attr(&h->vms[i]->obj, ATTR_VM_NAME), name_or_uuid) == 0)
            vm = h->vms[i];
    return vm;
}

// Two VMs of one name would make one series twice: only a process that libvirt does not know can
// be such a double, and it gives way.
bool herd_vm_is_double(const struct herd *h, size_t i)
{
    const struct vm *vm = h->vms[i];
    const char *name = object_attr(&vm->obj, ATTR_VM_NAME);
    for (size_t k = i; k-- > 0 && strcmp(object_attr(&h->vms[k]->obj, ATTR_VM_NAME), name) == 0;)
        if (h->vms[k]->in_libvirt || !vm->in_libvirt)
            return true;
    for (size_t k = i + 1;
         k < h->n_vms && strcmp(object_attr(&h->vms[k]->obj, ATTR_VM_NAME), name) == 0; k++)
        if (h->vms[k]->in_libvirt && !vm->in_libvirt)
            return true;
    return false;
}

static int vm_compare(const struct vm *a, const struct vm *b)
{
    int r = strverscmp(object_attr(&a->obj, ATTR_VM_NAME), object_attr(&b->obj, ATTR_VM_NAME));
    return r ? r : memcmp(a->uuid.b, b->uuid.b, UUID_BYTES);
}

static void list_insert(struct herd *h, struct vm *vm)
{
    mem_grow(&h->vms, &h->cap_vms, h->n_vms, sizeof(struct vm *));
    size_t low = 0, high = h->n_vms;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (vm_compare(h->vms[middle], vm) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(&h->vms[low + 1], &h->vms[low], (h->n_vms - low) * sizeof(struct vm *));
    h->vms[low] = vm;
    h->n_vms++;
}

static void list_remove(struct herd *h, const struct vm *vm)
{
    size_t at = 0;
    while (h->vms[at] != vm)
        at++;
    memmove(&h->vms[at], &h->vms[at + 1], (h->n_vms - at - 1) * sizeof(struct vm *));
    h->n_vms--;
}

struct vm *herd_vm_add(struct herd *h, const struct uuid *uuid)
{
    struct vm *vm = herd_vm(h, uuid);
    if (vm)
        return vm;
    vm = mem_zalloc(sizeof(*vm));
    object_init(&vm->obj, KIND_VM, NULL);
    vm->uuid = *uuid;
    char text[UUID_TEXT];
    uuid_format(uuid, text);
    object_set_attr(&vm->obj, ATTR_VM_UUID, text);
    object_set_attr(&vm->obj, ATTR_VM_NAME, text);
    map_put(h->by_uuid, uuid->b, UUID_BYTES, vm);
    list_insert(h, vm);
    return vm;
}

void herd_vm_rename(struct herd *h, struct vm *vm, const char *name)
{
    if (strcmp(object_attr(&vm->obj, ATTR_VM_NAME), name) == 0)
        return;
    list_remove(h, vm);
    object_set_attr(&vm->obj, ATTR_VM_NAME, name);
    list_insert(h, vm);
}

void herd_vm_remove(struct herd *h, struct vm *vm)
{
    map_remove(h->by_uuid, vm->uuid.b, UUID_BYTES);
    list_remove(h, vm);
    vm_free(h, vm);
}

void vm_history_put(const struct herd *h, struct vm *vm, enum history which, double value)
{
    if (!vm->history) {
        if (isnan(value))
            return;
        vm->history = mem_zalloc(HISTORY_MAX * VM_HISTORY * sizeof(*vm->history));
        for (int i = 0; i < HISTORY_MAX * VM_HISTORY; i++)
            vm->history[i] = NAN;
    }
    vm->history[which * VM_HISTORY + h->history_at] = (float)value;
}

void herd_history_step(struct herd *h)
{
    h->history_at = (h->history_at + 1) % VM_HISTORY;
    for (size_t i = 0; i < h->n_vms; i++)
        if (h->vms[i]->history)
            for (int which = 0; which < HISTORY_MAX; which++)
                h->vms[i]->history[which * VM_HISTORY + h->history_at] = NAN;
}
