// SPDX-License-Identifier: GPL-3.0-or-later
// Going back to a snapshot. libvirt does it for internal ones; for external ones (libvirt
// before 9.9 cannot) it is done here: fresh overlays over the snapshot's images, its definition
// with these, then the VM is ended, and started from the snapshot's memory where it has some. What
// the VM wrote and had in memory is kept until the new state stands, so that a failure before leads
// back:
//
//   overlays made ── defined ── memory saved ── started from the snapshot's memory ─► stands
//      undone by deleting them, defining the old text, starting from the saved memory
//   overlays made ── defined ── ended (no memory) ─► stands
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "snapshot.h"

struct back {
    struct snapshots list;
    const struct virt_snapshot *s;
    struct virt_disk fresh[VIRT_SPEC_DISKS_MAX]; // owned
    size_t n;
};

static void back_done(struct back *b)
{
    for (size_t i = 0; i < b->n; i++) {
        free(b->fresh[i].target);
        free(b->fresh[i].format);
        virt_volume_done(&b->fresh[i].source);
    }
    snapshots_done(&b->list);
}

/* Checks. */

static int check_memory(const struct virt_snapshot *s, struct err *err)
{
    if (s->memory && s->plugged_vcpus)
        return err_set(err, ESRCH,
                       "\"%s\" holds the memory of vCPUs that were plugged while the VM ran; QEMU "
                       "would end in the middle of going back. The VM is untouched",
                       s->name);
    if (s->merging)
        return err_set(err, ESRCH,
                       "merging the images of \"%s\" has begun, so that it can only be deleted. "
                       "The VM is untouched",
                       s->name);
    return 0;
}

static int check_image(struct manage_run *r, const struct virt_volume *v, const char *what,
                       struct err *err)
{
    struct virt_volume_info info = {0};
    if (!v->pool)
        return err_set(err, ESRCH,
                       "the image of %s, %s, is in no storage pool, or is gone. The VM is "
                       "untouched",
                       what, v->path ? v->path : "?");
    int w = r->manage->volume(r->virt, v->pool, v->volume, &info, err);
    virt_volume_info_done(&info);
    return w;
}

static bool is_written(const struct virt_disk *d)
{
    return !d->cdrom && !d->read_only;
}

// What the VM writes to now, and nobody else needs: an overlay over a snapshot's image.
static bool is_lost(struct manage_run *r, const struct back *b, const struct virt_disk *d)
{
    CLEANUP(freep) char *backing = NULL;
    if (!is_written(d) || !d->source.pool || snapshots_hold(&b->list, d->source.path))
        return false;
    return snapshot_backing(r, &d->source, &backing, NULL) == 0 && backing &&
           snapshots_hold(&b->list, backing) &&
           snapshot_need_unshared(r, &d->source, "", NULL) == 0;
}

static int check_external(struct manage_run *r, const struct back *b, struct err *err)
{
    const struct virt_snapshot *s = b->s;
    int w = 0;
    for (size_t i = 0; w == 0 && i < s->n_disks; i++)
        w = check_image(r, &s->disks[i].image, s->disks[i].target, err);
    if (w == 0 && s->memory)
        w = check_image(r, &s->memory_image, "the memory", err);
    if (w < 0)
        return w;
    for (size_t i = 0; i < s->n_disks; i++)
        run_say(r, "put a fresh overlay over %s for the disk %s", s->disks[i].image.volume,
                s->disks[i].target);
    run_say(r,
            s->memory ? "end %s and start it from the snapshot's memory"
                      : "end %s, which is then off, as the snapshot holds no memory",
            r->vm);
    if (b->list.spec.uefi)
        run_say(r, "leave its UEFI variables as they are now");
    if (!s->memory && run_flag(r, "start"))
        run_say(r, "start %s", r->vm);
    for (size_t i = 0; i < b->list.spec.n_disks; i++)
        if (is_lost(r, b, &b->list.spec.disks[i]))
            run_say(r, "delete the volume %s, what was written since",
                    b->list.spec.disks[i].source.volume);
    return 0;
}

static int read_back(struct manage_run *r, struct back *b, struct err *err)
{
    *b = (struct back){0};
    int w = snapshots_read(r, &b->list, err);
    if (w < 0)
        return w;
    b->s = snapshots_named(r, &b->list, err);
    return b->s ? 0 : -ENOENT;
}

int snapshot_check_revert(struct manage_run *r, struct err *err)
{
    CLEANUP(back_done) struct back b;
    int w = read_back(r, &b, err);
    if (w == 0)
        w = check_memory(b.s, err);
    if (w == 0)
        w = snapshot_need_no_checkpoints(r, err);
    if (w < 0)
        return w;
    run_say(r, "put %s back to the snapshot %s; what it did since is lost", r->vm, b.s->name);
    return b.s->external ? check_external(r, &b, err) : 0;
}

/* An internal one. */

// Who may see the VM is no part of what goes back.
static int keep_labels(struct manage_run *r, const struct virt_spec *before, struct err *err)
{
    return r->manage->set_labels(r->virt, &r->uuid, before, err);
}

static int start_after(struct manage_run *r, bool memory, struct err *err)
{
    int active = memory || !run_flag(r, "start") ? 1 : run_active(r, err);
    return active == 0 ? run_power_on(r, &r->uuid, VIRT_POWER_START, err) : MIN_OF(active, 0);
}

static int note_internal(struct manage_run *r, const struct virt_spec *spec, struct err *err)
{
    json_t *labels = json_array();
    for (size_t i = 0; i < spec->n_labels; i++)
        json_array_append_new(labels,
                              json_pack("[s, s]", spec->labels[i].name, spec->labels[i].value));
    return run_note(
        r, json_pack("{s:s, s:s*, s:o}", "make", "labels", "owner", spec->owner, "labels", labels),
        err);
}

static int run_internal(struct manage_run *r, const struct back *b, struct err *err)
{
    int w = r->manage->revert(r->virt, &r->uuid, b->s->name, err);
    if (w == 0)
        w = keep_labels(r, &b->list.spec, err);
    return w < 0 ? w : start_after(r, b->s->memory, err);
}

/* An external one. */

static int make_overlay(struct manage_run *r, struct back *b, const struct virt_snapshot_disk *d,
                        struct err *err)
{
    struct virt_disk *fresh = &b->fresh[b->n++];
    struct virt_volume_info info = {0};
    CLEANUP(freep) char *stem = mem_printf("%s-%s.after-%s", r->vm, d->target, b->s->name);
    fresh->target = mem_strdup(d->target);
    fresh->format = mem_strdup("qcow2");
    fresh->source.pool = mem_strdup(d->image.pool);
    int w = snapshot_free_name(r, d->image.pool, stem, "qcow2", &fresh->source.volume, err);
    if (w == 0)
        w = snapshot_note_volume(r, &fresh->source, err);
    if (w == 0)
        w = r->manage->volume(r->virt, d->image.pool, d->image.volume, &info, err);
    const struct virt_volume_spec spec = {
        .pool = fresh->source.pool,
        .volume = fresh->source.volume,
        .format = "qcow2",
        .capacity_bytes = info.capacity_bytes,
        .backing_pool = d->image.pool,
        .backing_volume = d->image.volume,
        .backing_format = d->format ? d->format : "raw",
    };
    virt_volume_info_done(&info);
    if (w == 0)
        w = r->manage->create_volume(r->virt, &spec, err);
    return w < 0 ? w : r->manage->place_volume(r->virt, &fresh->source, err);
}

// Everything that leads back, and what goes when the new state stands.
static int note_switch(struct manage_run *r, const struct back *b, bool active, struct err *err)
{
    CLEANUP(freep) char *text = NULL;
    json_t *lost = json_array(), *fresh = json_array();
    int w = r->manage->definition(r->virt, &r->uuid, &text, err);
    for (size_t i = 0; i < b->list.spec.n_disks; i++) {
        const struct virt_disk *d = &b->list.spec.disks[i];
        if (w == 0 && is_lost(r, b, d))
            json_array_append_new(lost, json_pack("{s:s, s:s, s:s}", "make", "volume", "pool",
                                                  d->source.pool, "volume", d->source.volume));
    }
    for (size_t i = 0; i < b->n; i++)
        json_array_append_new(fresh, json_pack("{s:s, s:s}", "target", b->fresh[i].target, "path",
                                               b->fresh[i].source.path));
    json_t *note = json_pack("{s:s, s:s*, s:b, s:o, s:o}", "make", "switch", "definition", text,
                             "active", active, "lost", lost, "fresh", fresh);
    if (w == 0)
        return run_note(r, note, err);
    json_decref(note);
    return w;
}

static int leave_old(struct manage_run *r, const struct back *b, bool active, struct err *err)
{
    if (active)
        return r->manage->power(r->virt, &r->uuid,
                                b->s->memory ? VIRT_POWER_SAVE : VIRT_POWER_DESTROY, err);
    return 0;
}

// From here on the new state stands; may be done again.
static int settle(struct manage_run *r, const char *name, const struct virt_disk *fresh, size_t n,
                  const json_t *lost, struct err *err)
{
    size_t count;
    int w = r->manage->drop_save(r->virt, &r->uuid, err);
    if (w == 0)
        w = r->manage->redirect_snapshot(
            r->virt, &r->uuid, name,
            &(struct virt_redirect){.overlays = fresh, .n_overlays = n, .current = true}, err);
    return w < 0 ? w : run_unmake_volumes(r, lost, &count, err);
}

static int run_external(struct manage_run *r, struct back *b, struct err *err)
{
    int active = run_active(r, err), w = MIN_OF(active, 0);
    for (size_t i = 0; w == 0 && i < b->s->n_disks; i++)
        w = make_overlay(r, b, &b->s->disks[i], err);
    if (w == 0)
        w = note_internal(r, &b->list.spec, err);
    if (w == 0)
        w = note_switch(r, b, active > 0, err);
    if (w == 0)
        w = run_note_running(r, err);
    if (w == 0)
        w = r->manage->redefine_as(r->virt, &r->uuid, b->s->name, b->fresh, b->n, err);
    if (w == 0)
        w = keep_labels(r, &b->list.spec, err);
    if (w == 0)
        w = leave_old(r, b, active > 0, err);
    if (w == 0 && b->s->memory)
        w = r->manage->restore_memory(r->virt, &r->uuid, b->s->name, b->fresh, b->n, err);
    return w;
}

static const json_t *switch_note(const json_t *notes)
{
    size_t at = 0;
    return run_notes_next(notes, "switch", &at);
}

static int finish(struct manage_run *r, struct back *b, const json_t *lost, struct err *err)
{
    int w = settle(r, b->s->name, b->fresh, b->n, lost, err);
    if (w == 0)
        w = keep_labels(r, &b->list.spec, err);
    return w < 0 ? w : start_after(r, b->s->memory, err);
}

int snapshot_run_revert(struct manage_run *r, struct err *err)
{
    CLEANUP(back_done) struct back b;
    json_t *lost = json_array();
    int w = read_back(r, &b, err);
    if (w == 0 && !b.s->external) {
        w = note_internal(r, &b.list.spec, err);
        if (w == 0)
            w = run_internal(r, &b, err);
    } else if (w == 0) {
        for (size_t i = 0; i < b.list.spec.n_disks; i++) {
            const struct virt_disk *d = &b.list.spec.disks[i];
            if (is_lost(r, &b, d))
                json_array_append_new(lost, json_pack("{s:s, s:s, s:s}", "make", "volume", "pool",
                                                      d->source.pool, "volume", d->source.volume));
        }
        w = run_external(r, &b, err);
        if (w == 0)
            w = finish(r, &b, lost, err);
    }
    json_decref(lost);
    return w;
}

/* After it broke off. */

static void read_labels(const json_t *notes, struct virt_spec *spec)
{
    size_t at = 0, i;
    const json_t *note = run_notes_next(notes, "labels", &at), *pair;
    if (!note)
        return;
    for (size_t k = 0; k < spec->n_labels; k++) {
        free(spec->labels[k].name);
        free(spec->labels[k].value);
    }
    spec->n_labels = 0;
    mem_strset(&spec->owner, json_string_value(json_object_get(note, "owner")));
    json_array_foreach(json_object_get(note, "labels"), i, pair)
    {
        if (spec->n_labels < VIRT_LABELS_MAX)
            spec->labels[spec->n_labels++] =
                (struct virt_label){mem_strdup(json_string_value(json_array_get(pair, 0))),
                                    mem_strdup(json_string_value(json_array_get(pair, 1)))};
    }
}

static void read_fresh(const json_t *note, struct back *b)
{
    size_t i;
    const json_t *d;
    json_array_foreach(json_object_get(note, "fresh"), i, d)
    {
        if (b->n == VIRT_SPEC_DISKS_MAX)
            return;
        struct virt_disk *fresh = &b->fresh[b->n++];
        fresh->target = mem_strdup(json_string_value(json_object_get(d, "target")));
        fresh->format = mem_strdup("qcow2");
        fresh->source.path = mem_strdup(json_string_value(json_object_get(d, "path")));
    }
}

// Does the VM, running or by its definition, stand on the fresh overlays? 0, 1 or -errno.
static int stands(struct manage_run *r, const struct back *b, int active, struct err *err)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct virt_disk *d = snapshots_vm_disk(&b->list, b->fresh[i].target);
        const char *now = d ? d->source.path : NULL;
        struct virt_chain c = {0};
        int w = active ? r->manage->chain(r->virt, &r->uuid, b->fresh[i].target, &c, err) : 0;
        if (w == 0 && active)
            now = c.n > 0 ? c.paths[0] : NULL;
        bool same = now && strcmp(now, b->fresh[i].source.path) == 0;
        virt_chain_done(&c);
        if (w < 0 || !same)
            return w;
    }
    return 1;
}

// The VM as it was: its definition, and its memory where that had been saved.
static int lead_back(struct manage_run *r, const json_t *notes, const json_t *note, int active,
                     char *ret_now, size_t size, struct err *err)
{
    bool ended = false;
    const char *text = json_string_value(json_object_get(note, "definition"));
    size_t n;
    int w = run_go_on(r, notes, &ended, err);
    if (w == 0 && text)
        w = r->manage->redefine(r->virt, text, err);
    int saved = w == 0 ? r->manage->has_save(r->virt, &r->uuid, err) : w;
    if (saved < 0)
        return saved;
    // Only what ran before is started: memory saved before that stays saved.
    if (!active && saved && json_is_true(json_object_get(note, "active")))
        w = run_power_on(r, &r->uuid, VIRT_POWER_START, err);
    else if (!active && w == 0)
        w = run_start_again(r, ended, err);
    if (w == 0)
        w = run_unmake_volumes(r, notes, &n, err);
    return w < 0 ? w : snapshot_state(r, "it is as before", ret_now, size, err);
}

static int mend_external(struct manage_run *r, struct back *b, const json_t *notes, char *ret_now,
                         size_t size, struct err *err)
{
    const json_t *note = switch_note(notes);
    int active = run_active(r, err);
    if (active < 0)
        return active;
    read_fresh(note, b);
    int stood = note ? stands(r, b, active, err) : 0;
    if (stood < 0)
        return stood;
    // With memory, a definition alone is not enough.
    bool forward = stood && (active || !b->s->memory);
    if (!forward)
        return lead_back(r, notes, note, active, ret_now, size, err);
    read_labels(notes, &b->list.spec);
    int w = finish(r, b, json_object_get(note, "lost"), err);
    return w < 0 ? w : 1;
}

int snapshot_mend_revert(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                         struct err *err)
{
    CLEANUP(back_done) struct back b;
    int w = read_back(r, &b, err);
    if (w < 0 && !r->ops->alive(r->virt))
        return w;
    if (w < 0 || json_array_size(notes) == 0)
        return snapshot_state(r, "nothing was done", ret_now, size, err);
    if (b.s->external)
        return mend_external(r, &b, notes, ret_now, size, err);
    read_labels(notes, &b.list.spec);
    // libvirt may have stopped half-way; going back again leads to the same state.
    if (r->interrupted) {
        w = run_internal(r, &b, err);
        return w == 0 ? 1 : w;
    }
    return snapshot_state(r, "libvirt broke off", ret_now, size, err);
}
