// SPDX-License-Identifier: GPL-3.0-or-later
// Memory that is plugged as DIMMs: asked, in libvirt, and used by the guest, which brings it online
// in its own time and gives it back or not.
#include <errno.h>

#include "run.h"

#define PATIENCE_MS 20000 // the balloon's figures come every two seconds
#define STEP_MS 250

static uint64_t asked_of(const struct manage_run *r)
{
    return (uint64_t)run_number(r, "size", 0);
}

static int check_size(struct manage_run *r, struct virt_size *size, struct err *err)
{
    if (asked_of(r) % VIRT_DIMM_BYTES != 0)
        return err_set(err, EINVAL, "size: DIMMs come in whole 128 MiB");
    return r->manage->size(r->virt, &r->uuid, size, err);
}

static int check_plug(struct manage_run *r, struct err *err)
{
    struct virt_size size = {0};
    int w = check_size(r, &size, err);
    if (w == 0 && size.plug_bytes == 0)
        w = err_set(err, EINVAL, "the VM was made without room for DIMMs (plug_memory of create)");
    else if (w == 0 && asked_of(r) > size.plug_bytes - MIN_OF(size.plugged_bytes, size.plug_bytes))
        w = err_set(err, EINVAL, "the VM can have %ju bytes in DIMMs at most, and has %ju",
                    (uintmax_t)size.plug_bytes, (uintmax_t)size.plugged_bytes);
    if (w == 0)
        run_say(r, "plug a DIMM of %ju bytes into %s", (uintmax_t)asked_of(r), r->vm);
    return w;
}

static int check_unplug(struct manage_run *r, struct err *err)
{
    struct virt_size size = {0};
    int w = check_size(r, &size, err);
    if (w == 0 && size.plugged_bytes < asked_of(r))
        w = err_set(err, ENOENT, "the VM has no DIMM of %ju bytes", (uintmax_t)asked_of(r));
    if (w == 0)
        run_say(r, "unplug a DIMM of %ju bytes from %s", (uintmax_t)asked_of(r), r->vm);
    return w;
}

// Half of it is enough: the guest keeps some for itself, and its figure has other business in it.
static bool guest_follows(const struct virt_size *before, const struct virt_size *now,
                          uint64_t asked)
{
    return now->guest_memory_bytes >= before->guest_memory_bytes + asked / 2;
}

static void tell(struct manage_run *r, const struct virt_size *size)
{
    json_object_set_new(r->result, "asked", json_integer((json_int_t)asked_of(r)));
    json_object_set_new(r->result, "in_effect", json_integer((json_int_t)size->plugged_bytes));
    if (size->guest_memory_bytes > 0)
        json_object_set_new(r->result, "guest", json_integer((json_int_t)size->guest_memory_bytes));
}

// Where the guest has no figure of its own, what it does stays unknown, which the result says.
static int settle(struct manage_run *r, const struct virt_size *before, struct err *err)
{
    struct virt_size size = {0};
    int patience = r->patience_ms ? r->patience_ms : PATIENCE_MS;
    int w = r->manage->size(r->virt, &r->uuid, &size, err);
    bool known = before->guest_memory_bytes > 0 && run_active(r, NULL) == 1;
    for (int ms = 0; w == 0 && known && ms < patience && !guest_follows(before, &size, asked_of(r));
         ms += STEP_MS) {
        w = run_pause(r, STEP_MS);
        if (w == 0)
            w = r->manage->size(r->virt, &r->uuid, &size, err);
    }
    tell(r, &size);
    if (w == 0 && known && !guest_follows(before, &size, asked_of(r)))
        w = err_set(err, ETIMEDOUT,
                    "the memory is plugged, but the guest does not use it: it has %ju bytes, %ju "
                    "before",
                    (uintmax_t)size.guest_memory_bytes, (uintmax_t)before->guest_memory_bytes);
    return w;
}

static int run_plug(struct manage_run *r, struct err *err)
{
    struct virt_size before = {0};
    int w = r->manage->size(r->virt, &r->uuid, &before, err);
    if (w == 0)
        w = r->manage->plug_memory(r->virt, &r->uuid, asked_of(r), run_whole_scope(r), err);
    return w < 0 ? w : settle(r, &before, err);
}

static int run_unplug(struct manage_run *r, struct err *err)
{
    struct virt_size size = {0};
    int w = r->manage->unplug_memory(r->virt, &r->uuid, asked_of(r), run_whole_scope(r), err);
    if (r->manage->size(r->virt, &r->uuid, &size, NULL) == 0)
        tell(r, &size);
    return w;
}

const struct handler dimm_handlers[DEED_MAX] = {
    [DEED_PLUG_MEMORY] = {check_plug, run_plug, NULL},
    [DEED_UNPLUG_MEMORY] = {check_unplug, run_unplug, NULL},
};
