// SPDX-License-Identifier: GPL-3.0-or-later
// Snapshots. What libvirt would break half-way is refused beforehand, with the reason: going back
// to an internal snapshot while QEMU keeps dirty bitmaps ends the VM (libvirt 9.0, QEMU 7.2), and
// going back to an external one is not in libvirt before 9.9.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "run.h"

#define CHAIN_MAX 64

// Snapshots of the VM; freed with list_done().
struct list {
    struct virt_snapshot *items;
    size_t n;
};

static void list_done(struct list *l)
{
    virt_snapshots_free(l->items, l->n);
}

static int read_list(struct manage_run *r, struct list *ret, struct err *err)
{
    return r->manage->snapshots(r->virt, &r->uuid, &ret->items, &ret->n, err);
}

static const struct virt_snapshot *find(const struct list *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->items[i].name, name) == 0)
            return &l->items[i];
    return NULL;
}

static bool is_external(const struct manage_run *r)
{
    return run_is(r, "kind", "external", "internal");
}

/* Take one. */

// An internal snapshot lives inside the images, which must be able to hold it.
static int check_images(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    int w = r->manage->spec(r->virt, &r->uuid, &spec, err);
    if (w < 0)
        return w;
    if (spec.uefi)
        return err_set(err, EINVAL, "a VM with UEFI can have external snapshots only");
    for (size_t i = 0; i < spec.n_disks; i++) {
        const struct virt_disk *d = &spec.disks[i];
        if (!d->cdrom && !d->read_only && (!d->format || strcmp(d->format, "qcow2") != 0))
            return err_set(err, EINVAL,
                           "the disk %s is %s; an internal snapshot needs qcow2, an external one "
                           "does not",
                           d->target, d->format ? d->format : "raw");
    }
    return 0;
}

// libvirt 9.0 can delete neither kind once both are in one chain.
static int check_unmixed(const struct list *l, bool external, struct err *err)
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
                    "Take an external snapshot, or shut the VM down first",
                    size.plugged_vcpus, size.plugged_vcpus == 1 ? " was" : "s were");
    return w;
}

static int check_create(struct manage_run *r, struct err *err)
{
    CLEANUP(list_done) struct list l = {0};
    const char *name = run_text(r, "name");
    bool external = is_external(r);
    int active = run_active(r, err);
    if (active < 0)
        return active;
    int w = read_list(r, &l, err);
    if (w == 0 && find(&l, name))
        w = err_set(err, EEXIST, "the VM has a snapshot \"%s\" already", name);
    if (w == 0 && l.n >= CHAIN_MAX)
        w = err_set(err, ESRCH, "the VM has %zu snapshots; delete some first", l.n);
    if (w == 0)
        w = check_unmixed(&l, external, err);
    if (w == 0 && !external)
        w = check_images(r, err);
    if (w == 0 && !external && active)
        w = check_vcpus(r, err);
    if (w == 0 && run_flag(r, "quiesce") && (!external || !active))
        w = err_set(err, EINVAL, "only an external snapshot of a running VM can be quiesced");
    if (w == 0)
        run_say(r, "take the %s snapshot %s of %s, %s memory%s", external ? "external" : "internal",
                name, r->vm, !external && active ? "with its" : "without",
                run_flag(r, "quiesce") ? ", its file systems frozen meanwhile" : "");
    return w;
}

static int note_name(struct manage_run *r, struct err *err)
{
    return run_note(r, json_pack("{s:s, s:s}", "make", "snapshot", "name", run_text(r, "name")),
                    err);
}

static int run_create(struct manage_run *r, struct err *err)
{
    int w = note_name(r, err);
    return w < 0 ? w
                 : r->manage->create_snapshot(r->virt, &r->uuid, run_text(r, "name"),
                                              is_external(r) ? VIRT_SNAPSHOT_EXTERNAL
                                                             : VIRT_SNAPSHOT_INTERNAL,
                                              run_flag(r, "quiesce"), err);
}

// Done means listed (create) or not listed any more (delete).
static int mend_listed(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                       struct err *err)
{
    CLEANUP(list_done) struct list l = {0};
    bool creates = r->deed->id == DEED_SNAPSHOT_CREATE;
    int w = read_list(r, &l, err);
    if (w == -ENOENT) {
        snprintf(ret_now, size, "the VM is not there any more");
        return 0;
    }
    if (w < 0)
        return w;
    bool listed = find(&l, run_text(r, "name")) != NULL;
    if (json_array_size(notes) > 0 && listed == creates)
        return 1;
    struct virt_domain d = {0};
    w = run_lookup(r, &d, err);
    snprintf(ret_now, size, "the snapshot is %s; the VM is %s", listed ? "there" : "not there",
             w == 0 ? virt_state_name(d.state) : "unknown");
    virt_domain_done(&d);
    return MIN_OF(w, 0);
}

/* Go back. */

static int check_revert(struct manage_run *r, struct err *err)
{
    CLEANUP(list_done) struct list l = {0};
    const char *name = run_text(r, "name");
    int w = read_list(r, &l, err);
    if (w < 0)
        return w;
    const struct virt_snapshot *s = find(&l, name);
    if (!s)
        return err_set(err, ENOENT, "the VM has no snapshot \"%s\"", name);
    if (s->external)
        return err_set(
            err, ESRCH,
            "\"%s\" is an external snapshot, to which this libvirt cannot go back; the VM "
            "is untouched",
            name);
    if (s->memory && s->plugged_vcpus)
        return err_set(err, ESRCH,
                       "\"%s\" holds the memory of vCPUs that were plugged while the VM ran; QEMU "
                       "would end in the middle of going back. The VM is untouched",
                       name);
    int checkpoints = r->manage->checkpoints(r->virt, &r->uuid, err);
    if (checkpoints == -EOPNOTSUPP)
        checkpoints = 0;
    if (checkpoints < 0)
        return checkpoints;
    if (checkpoints > 0)
        return err_set(err, ESRCH,
                       "the VM has %d checkpoints, whose dirty bitmaps would make QEMU end in the "
                       "middle of going back; delete them first. The VM is untouched",
                       checkpoints);
    run_say(r, "put %s back to the snapshot %s; what it did since is lost", r->vm, name);
    return 0;
}

static int run_revert(struct manage_run *r, struct err *err)
{
    return r->manage->revert(r->virt, &r->uuid, run_text(r, "name"), err);
}

/* Delete. */

static int check_delete(struct manage_run *r, struct err *err)
{
    CLEANUP(list_done) struct list l = {0};
    const char *name = run_text(r, "name");
    int w = read_list(r, &l, err);
    if (w < 0)
        return w;
    const struct virt_snapshot *s = find(&l, name);
    if (!s)
        return err_set(err, ENOENT, "the VM has no snapshot \"%s\"", name);
    if (s->external && s->children > 1)
        return err_set(err, ESRCH, "%zu snapshots stand on \"%s\": delete them first", s->children,
                       name);
    int active = run_active(r, err);
    if (active < 0)
        return active;
    run_say(r, "delete the snapshot %s of %s%s", name, r->vm,
            s->external ? ", merging what was written since into the image below" : "");
    return 0;
}

static int run_delete(struct manage_run *r, struct err *err)
{
    int w = note_name(r, err);
    return w < 0 ? w : r->manage->delete_snapshot(r->virt, &r->uuid, run_text(r, "name"), err);
}

const struct handler snapshot_handlers[DEED_MAX] = {
    [DEED_SNAPSHOT_CREATE] = {check_create, run_create, mend_listed},
    [DEED_SNAPSHOT_REVERT] = {check_revert, run_revert, NULL},
    [DEED_SNAPSHOT_DELETE] = {check_delete, run_delete, mend_listed},
};
