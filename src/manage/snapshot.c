// SPDX-License-Identifier: GPL-3.0-or-later
// Taking snapshots, and the table. What libvirt would break half-way is refused beforehand, with
// the reason.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "snapshot.h"

#define SNAPSHOTS_MAX 64

static enum virt_snapshot_kind kind_of(const struct manage_run *r)
{
    if (!run_is(r, "kind", "external", "internal"))
        return VIRT_SNAPSHOT_INTERNAL;
    return run_flag(r, "memory") ? VIRT_SNAPSHOT_FULL : VIRT_SNAPSHOT_EXTERNAL;
}

/* Checks. */

// An internal snapshot lives inside the images, which must be able to hold it.
static int check_internal(const struct virt_spec *spec, struct err *err)
{
    if (spec->uefi)
        return err_set(err, EINVAL, "a VM with UEFI can have external snapshots only");
    for (size_t i = 0; i < spec->n_disks; i++) {
        const struct virt_disk *d = &spec->disks[i];
        if (!d->cdrom && !d->read_only && (!d->format || strcmp(d->format, "qcow2") != 0))
            return err_set(err, EINVAL,
                           "the disk %s is %s; an internal snapshot needs qcow2, an external one "
                           "does not",
                           d->target, d->format ? d->format : "raw");
    }
    return 0;
}

static bool is_kept(const struct virt_disk *d)
{
    return !d->cdrom && !d->read_only;
}

static int check_external(const struct virt_spec *spec, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < spec->n_disks; i++) {
        const struct virt_disk *d = &spec->disks[i];
        if (!is_kept(d))
            continue;
        if (!d->source.pool)
            return err_set(err, EINVAL, "the disk %s is in no storage pool", d->target);
        if (d->source.block)
            return err_set(err, EINVAL,
                           "the disk %s is a block device; its pool has no room for an overlay",
                           d->target);
        n++;
    }
    return n > 0 ? 0 : err_set(err, EINVAL, "the VM has no disk that a snapshot could keep");
}

// libvirt 9.0 can delete neither kind once both are in one chain.
static int check_unmixed(const struct snapshots *l, bool external, struct err *err)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->items[i].external != external)
            return err_set(err, ESRCH,
                           "the VM has %s snapshots; libvirt could delete neither kind after an "
                           "%s one",
                           external ? "internal" : "external", external ? "external" : "internal");
    return 0;
}

// QEMU 7.2 loads memory before libvirt 9.0 has plugged such vCPUs again, and ends.
static int check_vcpus(struct manage_run *r, struct err *err)
{
    struct virt_size size;
    int w = r->manage->size(r->virt, &r->uuid, &size, err);
    if (w == 0 && size.plugged_vcpus > 0)
        w = err_set(err, ESRCH,
                    "%u vCPU%s plugged while the VM ran: libvirt could not go back to its memory. "
                    "Take an external snapshot without memory, or shut the VM down first",
                    size.plugged_vcpus, size.plugged_vcpus == 1 ? " was" : "s were");
    return w;
}

// An agent that does not answer would leave the guest frozen, or libvirt waiting.
static int check_quiesce(struct manage_run *r, bool possible, struct err *err)
{
    if (!possible)
        return err_set(
            err, EINVAL,
            "only an external snapshot without memory, of a running VM, can be quiesced");
    int w = r->manage->agent(r->virt, &r->uuid, err);
    return w < 0 ? err_wrap(err, "the guest cannot be quiesced; nothing was frozen") : 0;
}

static int check_kind(struct manage_run *r, const struct snapshots *l, bool active, struct err *err)
{
    enum virt_snapshot_kind kind = kind_of(r);
    bool external = kind != VIRT_SNAPSHOT_INTERNAL;
    bool memory = active && kind != VIRT_SNAPSHOT_EXTERNAL;
    if (run_flag(r, "memory") && !external)
        return err_set(err, EINVAL, "memory is for external snapshots; an internal one has it");
    if (kind == VIRT_SNAPSHOT_FULL && !active)
        return err_set(err, ESRCH, "the VM is off and has no memory to keep");
    int w = check_unmixed(l, external, err);
    if (w == 0)
        w = external ? check_external(&l->spec, err) : check_internal(&l->spec, err);
    if (w == 0 && memory)
        w = check_vcpus(r, err);
    if (w == 0 && run_flag(r, "quiesce"))
        w = check_quiesce(r, active && kind == VIRT_SNAPSHOT_EXTERNAL, err);
    return w;
}

static int check_create(struct manage_run *r, struct err *err)
{
    CLEANUP(snapshots_done) struct snapshots l = {0};
    const char *name = run_text(r, "name");
    int active = run_active(r, err);
    if (active < 0)
        return active;
    int w = snapshots_read(r, &l, err);
    if (w == 0 && snapshots_find(&l, name))
        w = err_set(err, EEXIST, "the VM has a snapshot \"%s\" already", name);
    if (w == 0 && l.n >= SNAPSHOTS_MAX)
        w = err_set(err, ESRCH, "the VM has %zu snapshots; delete some first", l.n);
    if (w == 0)
        w = check_kind(r, &l, active, err);
    if (w < 0)
        return w;
    bool memory = active && kind_of(r) != VIRT_SNAPSHOT_EXTERNAL;
    run_say(r, "take the %s snapshot %s of %s, %s memory%s",
            kind_of(r) == VIRT_SNAPSHOT_INTERNAL ? "internal" : "external", name, r->vm,
            memory ? "with its" : "without",
            run_flag(r, "quiesce") ? ", its file systems frozen meanwhile" : "");
    if (l.spec.uefi)
        run_say(r, "leave the UEFI variables out of it");
    return 0;
}

/* Taking one. */

struct making {
    struct snapshots list;
    struct virt_disk disks[VIRT_SPEC_DISKS_MAX]; // owned
    struct virt_volume memory;
    size_t n;
};

static void making_done(struct making *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->disks[i].target);
        virt_volume_done(&m->disks[i].source);
    }
    virt_volume_done(&m->memory);
    snapshots_done(&m->list);
}

static int place(struct manage_run *r, struct virt_volume *v, const char *pool, const char *stem,
                 const char *suffix, struct err *err)
{
    v->pool = mem_strdup(pool);
    int w = snapshot_free_name(r, pool, stem, suffix, &v->volume, err);
    if (w == 0)
        w = r->manage->place_volume(r->virt, v, err);
    return w < 0 ? w : snapshot_note_volume(r, v, err);
}

// Where overlays and memory go: beside the images they stand on.
static int place_all(struct manage_run *r, struct making *m, struct err *err)
{
    const char *name = run_text(r, "name"), *pool = NULL;
    int w = 0;
    for (size_t i = 0; w == 0 && i < m->list.spec.n_disks; i++) {
        const struct virt_disk *from = &m->list.spec.disks[i];
        struct virt_disk *to = &m->disks[m->n++];
        to->target = mem_strdup(from->target);
        if (!is_kept(from))
            continue;
        pool = from->source.pool;
        CLEANUP(freep) char *stem = mem_printf("%s-%s.%s", r->vm, from->target, name);
        w = place(r, &to->source, pool, stem, "qcow2", err);
    }
    CLEANUP(freep) char *stem = mem_printf("%s.%s", r->vm, name);
    if (w == 0 && kind_of(r) == VIRT_SNAPSHOT_FULL)
        w = place(r, &m->memory, pool, stem, "memory", err);
    return w;
}

static int note_name(struct manage_run *r, struct err *err)
{
    return run_note(r,
                    json_pack("{s:s, s:s, s:b}", "make", "snapshot", "name", run_text(r, "name"),
                              "freezes", run_flag(r, "quiesce")),
                    err);
}

static int run_create(struct manage_run *r, struct err *err)
{
    CLEANUP(making_done) struct making m = {0};
    enum virt_snapshot_kind kind = kind_of(r);
    int w = kind == VIRT_SNAPSHOT_INTERNAL ? 0 : snapshots_read(r, &m.list, err);
    if (w == 0 && kind != VIRT_SNAPSHOT_INTERNAL)
        w = place_all(r, &m, err);
    if (w == 0)
        w = note_name(r, err);
    if (w == 0)
        w = run_note_running(r, err);
    const struct virt_snapshot_spec spec = {.name = run_text(r, "name"),
                                            .kind = kind,
                                            .quiesce = run_flag(r, "quiesce"),
                                            .disks = m.disks,
                                            .n_disks = m.n,
                                            .memory_image = m.memory};
    return w < 0 ? w : r->manage->create_snapshot(r->virt, &r->uuid, &spec, err);
}

/* After it broke off. */

static bool is_noted(const json_t *notes, const struct virt_volume *v)
{
    size_t at = 0;
    const json_t *note;
    while (v->volume && (note = run_notes_next(notes, "volume", &at)))
        if (strcmp(json_string_value(json_object_get(note, "volume")), v->volume) == 0 &&
            strcmp(json_string_value(json_object_get(note, "pool")), v->pool) == 0)
            return true;
    return false;
}

// The VM may write to overlays already while libvirt does not know of the snapshot: back into the
// images below.
static int merge_strays(struct manage_run *r, const struct snapshots *l, const json_t *notes,
                        struct err *err)
{
    struct merge_disk disks[VIRT_SPEC_DISKS_MAX];
    char *bases[VIRT_SPEC_DISKS_MAX];
    size_t n = 0;
    int w = 0;
    for (size_t i = 0; w == 0 && i < l->spec.n_disks; i++) {
        const struct virt_disk *d = &l->spec.disks[i];
        if (!is_noted(notes, &d->source))
            continue;
        bases[n] = NULL;
        w = snapshot_backing(r, &d->source, &bases[n], err);
        disks[n] = (struct merge_disk){d->target, bases[n], d->source.path};
        n += bases[n] != NULL;
    }
    int active = w == 0 && n > 0 ? run_active(r, err) : 0;
    if (active == 0 && n > 0)
        w = run_power_on(r, &r->uuid, VIRT_POWER_START_PAUSED, err);
    if (w == 0 && active >= 0 && n > 0)
        w = snapshot_merge(r, disks, n, false, err);
    if (active == 0 && n > 0)
        (void)r->manage->power(r->virt, &r->uuid, VIRT_POWER_DESTROY, NULL);
    for (size_t i = 0; i < n; i++)
        free(bases[i]);
    return w < 0 ? w : MIN_OF(active, 0);
}

// QEMU may have written an internal snapshot that libvirt never came to know: taking it again and
// deleting it leaves none.
static void forget_stray(struct manage_run *r)
{
    const struct virt_snapshot_spec spec = {.name = run_text(r, "name"),
                                            .kind = VIRT_SNAPSHOT_INTERNAL};
    if (r->manage->create_snapshot(r->virt, &r->uuid, &spec, NULL) == 0)
        (void)r->manage->delete_snapshot(r->virt, &r->uuid, spec.name, false, NULL);
}

static bool froze(const json_t *notes)
{
    size_t at = 0;
    const json_t *note = run_notes_next(notes, "snapshot", &at);
    return json_is_true(json_object_get(note, "freezes"));
}

static int undo(struct manage_run *r, const struct snapshots *l, const json_t *notes,
                struct err *err)
{
    size_t n;
    int w = merge_strays(r, l, notes, err);
    if (w == 0)
        w = run_unmake_volumes(r, notes, &n, err);
    if (w == 0 && r->interrupted && kind_of(r) == VIRT_SNAPSHOT_INTERNAL &&
        json_array_size(notes) > 0)
        forget_stray(r);
    return w;
}

static int mend_create(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                       struct err *err)
{
    CLEANUP(snapshots_done) struct snapshots l = {0};
    int w = snapshots_read(r, &l, err);
    if (w == -ENOENT) {
        snprintf(ret_now, size, "the VM is not there any more");
        return 0;
    }
    bool ended = false;
    if (w == 0)
        w = run_go_on(r, notes, &ended, err);
    // Images in which QEMU kept an internal snapshot by itself are put in order by a running VM.
    bool first = kind_of(r) == VIRT_SNAPSHOT_INTERNAL || snapshots_find(&l, run_text(r, "name"));
    if (w == 0)
        w = run_start_again(r, ended && first, err);
    if (w < 0)
        return w;
    int thawed = froze(notes) ? r->manage->thaw(r->virt, &r->uuid, NULL) : 0;
    if (json_array_size(notes) > 0 && snapshots_find(&l, run_text(r, "name")))
        return 1;
    w = undo(r, &l, notes, err);
    if (w == 0)
        w = run_start_again(r, ended && !first, err);
    if (w < 0)
        return w;
    return snapshot_state(r,
                          thawed < 0 ? "the snapshot is not there; the guest's agent does not say "
                                       "whether its file systems are thawed"
                                     : "the snapshot is not there",
                          ret_now, size, err);
}

const struct handler snapshot_handlers[DEED_MAX] = {
    [DEED_SNAPSHOT_CREATE] = {check_create, run_create, mend_create},
    [DEED_SNAPSHOT_REVERT] = {snapshot_check_revert, snapshot_run_revert, snapshot_mend_revert},
    [DEED_SNAPSHOT_DELETE] = {snapshot_check_delete, snapshot_run_delete, snapshot_mend_delete},
};
