// SPDX-License-Identifier: GPL-3.0-or-later
// VMs that are made like another one.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "run.h"

static bool is_copied(const struct virt_disk *d)
{
    return !d->cdrom && !d->read_only;
}

static char *clone_volume(const struct manage_run *r, const struct virt_disk *d)
{
    const char *format = run_flag(r, "linked") || !d->format ? "qcow2" : d->format;
    return run_volume_name(run_text(r, "name"), d->target, format);
}

static int check_clone_disk(struct manage_run *r, const struct virt_disk *d, struct err *err)
{
    if (!d->source.pool)
        return err_set(err, EINVAL, "the disk %s is in no storage pool", d->target);
    CLEANUP(freep) char *volume = clone_volume(r, d);
    int w = run_check_absent(r, d->source.pool, volume, err);
    if (w == 0)
        w = run_check_image(r, d->source.pool, d->source.volume, d->format ? d->format : "raw",
                            err);
    if (w == 0)
        run_say(r, "make the volume %s in the pool %s, %s %s", volume, d->source.pool,
                run_flag(r, "linked") ? "an overlay over" : "a copy of", d->source.volume);
    return w;
}

static int check_clone(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    int w = run_need_off(r, "to be copied", err);
    if (w == 0)
        w = run_check_name_free(r, run_text(r, "name"), err);
    if (w == 0)
        w = r->manage->spec(r->virt, &r->uuid, &spec, err);
    for (size_t i = 0; w == 0 && i < spec.n_disks; i++)
        if (is_copied(&spec.disks[i]))
            w = check_clone_disk(r, &spec.disks[i], err);
    if (w < 0)
        return w;
    if (run_flag(r, "linked"))
        run_say(r, "mark %s as the base of linked clones, so that it cannot be started", r->vm);
    run_say(r, "define the VM %s like %s, with new addresses%s", run_text(r, "name"), r->vm,
            spec.uefi ? " and fresh UEFI variables" : "");
    if (run_flag(r, "start"))
        run_say(r, "start %s", run_text(r, "name"));
    return 0;
}

static int copy_disk(struct manage_run *r, const struct virt_disk *from, struct virt_disk *to,
                     struct err *err)
{
    bool linked = run_flag(r, "linked");
    const char *format = from->format ? from->format : "raw";
    struct virt_volume_info info = {0};
    to->target = mem_strdup(from->target);
    to->source.pool = mem_strdup(from->source.pool);
    to->source.volume = clone_volume(r, from);
    to->format = mem_strdup(linked ? "qcow2" : format);
    int w = run_note_volume(r, to->source.pool, to->source.volume, err);
    if (w == 0)
        w = r->manage->volume(r->virt, from->source.pool, from->source.volume, &info, err);
    const struct virt_volume_spec spec = {
        .pool = to->source.pool,
        .volume = to->source.volume,
        .format = to->format,
        .capacity_bytes = info.capacity_bytes,
        .backing_pool = linked ? from->source.pool : NULL,
        .backing_volume = linked ? from->source.volume : NULL,
        .backing_format = format,
    };
    virt_volume_info_done(&info);
    if (w < 0)
        return w;
    return linked ? r->manage->create_volume(r->virt, &spec, err)
                  : r->manage->copy_volume(r->virt, &spec, from->source.pool, from->source.volume,
                                           err);
}

// The base must not change under its overlays: a label on it keeps it from being started.
static int mark_base(struct manage_run *r, struct virt_spec *origin, struct err *err)
{
    for (size_t i = 0; i < origin->n_labels; i++)
        if (strcmp(origin->labels[i].name, LINKED_BASE) == 0)
            return 0;
    if (origin->n_labels == VIRT_LABELS_MAX)
        return err_set(err, E2BIG, "the origin has %d labels; one more is needed", VIRT_LABELS_MAX);
    origin->labels[origin->n_labels++] =
        (struct virt_label){mem_strdup(LINKED_BASE), mem_strdup("yes")};
    return r->manage->set_labels(r->virt, &r->uuid, origin, err);
}

static int clone_disks(struct manage_run *r, const struct virt_spec *origin, struct virt_spec *copy,
                       struct err *err)
{
    for (size_t i = 0; i < origin->n_disks; i++) {
        const struct virt_disk *from = &origin->disks[i];
        if (!is_copied(from))
            continue;
        if (!from->source.pool)
            return err_set(err, EINVAL, "the disk %s is in no storage pool", from->target);
        r->progress(r->arg, (double)i / (double)(origin->n_disks + 1), "copying disks");
        int w = copy_disk(r, from, &copy->disks[copy->n_disks++], err);
        if (w == 0 && r->cancelled(r->arg))
            w = err_set(err, ECANCELED, "cancelled");
        if (w < 0)
            return w;
    }
    return 0;
}

static int run_clone(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec origin = {0}, copy CLEANUP(virt_spec_done) = {0};
    const char *name = run_text(r, "name");
    struct uuid uuid;
    run_draw_uuid(&uuid);
    int w = run_need_off(r, "to be copied", err);
    if (w == 0)
        w = r->manage->spec(r->virt, &r->uuid, &origin, err);
    if (w == 0 && run_flag(r, "linked"))
        w = mark_base(r, &origin, err);
    if (w == 0)
        w = clone_disks(r, &origin, &copy, err);
    if (w == 0)
        w = run_note_vm(r, name, &uuid, err);
    if (w == 0)
        w = r->manage->define_copy(r->virt, &r->uuid, name, &uuid, copy.disks, copy.n_disks, err);
    return w < 0 ? w : run_start_new(r, &uuid, err);
}

const struct handler clone_handlers[DEED_MAX] = {
    [DEED_CLONE] = {check_clone, run_clone, run_mend_new},
};
