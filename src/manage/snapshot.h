// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_SNAPSHOT_H
#define MANAGE_SNAPSHOT_H

/*
 * What the files of snapshots share. Layer: private to src/manage.
 *
 * External snapshots, as they are kept here: each has the images of its disks as they were, to
 * which nobody writes; every image of a child, and what the VM writes to where the snapshot is
 * current, has exactly that image below it. A snapshot is deleted by merging the one image above
 * into it (commit), or it into the one above (pull); going back puts a fresh overlay over its
 * images.
 */

#include "run.h"

/** Snapshots of a VM, and the definition that goes with them. */
struct snapshots {
    struct virt_snapshot *items;
    size_t n;
    struct virt_spec spec;
};

int snapshots_read(struct manage_run *r, struct snapshots *ret, struct err *err);
void snapshots_done(struct snapshots *l);

/** NULL where there is none of that name, or no name. */
const struct virt_snapshot *snapshots_find(const struct snapshots *l, const char *name);

/** The one that the body names; NULL with the error set. */
const struct virt_snapshot *snapshots_named(struct manage_run *r, const struct snapshots *l,
                                            struct err *err);
const struct virt_snapshot *snapshots_current(const struct snapshots *l);

/** Its disk of that target, NULL where it has none. */
const struct virt_snapshot_disk *snapshot_disk(const struct virt_snapshot *s, const char *target);
const struct virt_disk *snapshots_vm_disk(const struct snapshots *l, const char *target);

/** Is this the image of one of the snapshots? */
bool snapshots_hold(const struct snapshots *l, const char *path);

/** The image directly below; *ret NULL where there is none. Caller frees. */
int snapshot_backing(struct manage_run *r, const struct virt_volume *v, char **ret,
                     struct err *err);

/** -ESRCH where another VM uses the image, itself or below its own. `why`: "would change". */
int snapshot_need_unshared(struct manage_run *r, const struct virt_volume *v, const char *why,
                           struct err *err);

/** -ESRCH where the VM has checkpoints, with what would happen. */
int snapshot_need_no_checkpoints(struct manage_run *r, struct err *err);

/** A volume's name that is free in a pool: "STEM.SUFFIX", else "STEM-2.SUFFIX" and so on. */
int snapshot_free_name(struct manage_run *r, const char *pool, const char *stem, const char *suffix,
                       char **ret, struct err *err);

/** Note that a volume is being made, or is to go; see run_unmake_volumes(). */
int snapshot_note_volume(struct manage_run *r, const struct virt_volume *v, struct err *err);

/** "the VM is now running" and the like, for who asks what became of it. */
int snapshot_state(struct manage_run *r, const char *first, char *ret_now, size_t size,
                   struct err *err);

int snapshot_check_revert(struct manage_run *r, struct err *err);
int snapshot_run_revert(struct manage_run *r, struct err *err);
int snapshot_mend_revert(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                         struct err *err);

int snapshot_check_delete(struct manage_run *r, struct err *err);
int snapshot_run_delete(struct manage_run *r, struct err *err);
int snapshot_mend_delete(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                         struct err *err);

/** One disk of a merge. All texts borrowed. */
struct merge_disk {
    const char *target;
    const char *base, *top;
};

/**
 * Merge images of disks of a running VM: commit each `top` into its `base`, or pull `base` and what
 * is between into the first image, down to `below`. All disks are ready before the first goes over,
 * so that a failure before leaves every disk as the guest sees it; what is done already is left.
 */
int snapshot_merge(struct manage_run *r, const struct merge_disk *disks, size_t n, bool pull,
                   struct err *err);

#endif
