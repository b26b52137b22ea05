// SPDX-License-Identifier: GPL-3.0-or-later
// Deleting a snapshot. An external one is deleted by merging images, which is a job of QEMU: a VM
// that is off is started for it without its vCPUs running. From the moment a commit has begun the
// snapshot's own images change, so it is marked before: nobody may go back to it any more. Whatever
// breaks off is asked again as a whole; steps that are done are found done.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "snapshot.h"

#define POLL_MS 100

/* Block jobs. */

static void give_up(struct manage_run *r, const struct merge_disk *disks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)r->manage->merge_end(r->virt, &r->uuid, disks[i].target, false, NULL);
}

static bool has_path(const struct virt_chain *c, const char *path)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->paths[i], path) == 0)
            return true;
    return false;
}

// What is left to do with a disk, given its chain.
static bool is_merged(const struct merge_disk *d, const struct virt_chain *c, bool pull)
{
    return !has_path(c, pull ? d->base : d->top);
}

static const char *below(const struct virt_chain *c, const char *path)
{
    for (size_t i = 0; i + 1 < c->n; i++)
        if (strcmp(c->paths[i], path) == 0)
            return c->paths[i + 1];
    return NULL;
}

static int begin(struct manage_run *r, const struct merge_disk *d, bool pull, struct err *err)
{
    struct virt_chain c = {0};
    int w = r->manage->chain(r->virt, &r->uuid, d->target, &c, err);
    if (w == 0 && !c.job && !is_merged(d, &c, pull))
        w = pull ? r->manage->merge(r->virt, &r->uuid, d->target, below(&c, d->base), NULL, true,
                                    err)
                 : r->manage->merge(r->virt, &r->uuid, d->target, d->base, d->top, false, err);
    virt_chain_done(&c);
    return w;
}

// 1: it waits to go over, or is done; 0: not yet.
static int is_ready(struct manage_run *r, const struct merge_disk *d, bool pull, double *ret_ratio,
                    struct err *err)
{
    struct virt_chain c = {0};
    int w = r->manage->chain(r->virt, &r->uuid, d->target, &c, err);
    *ret_ratio = 1;
    if (w < 0)
        return w;
    bool merged = is_merged(d, &c, pull);
    if (c.job && c.total > 0)
        *ret_ratio = (double)c.done / (double)c.total;
    if (c.job)
        w = c.ready;
    else if (merged)
        w = 1;
    else
        w = err_set(err, EIO, "merging the images of %s ended early; its disk may be full",
                    d->target);
    virt_chain_done(&c);
    return w;
}

static int wait_ready(struct manage_run *r, const struct merge_disk *disks, size_t n, bool pull,
                      struct err *err)
{
    for (;;) {
        size_t ready = 0;
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            double ratio;
            int w = is_ready(r, &disks[i], pull, &ratio, err);
            if (w < 0)
                return w;
            ready += (size_t)w;
            sum += ratio;
        }
        if (ready == n)
            return 0;
        r->progress(r->arg, sum / (double)n, "merging images");
        if (run_pause(r, POLL_MS) < 0)
            return err_set(err, ECANCELED, "cancelled");
    }
}

// Where libvirt ends in the middle of going over, its definition may name the image that QEMU has
// left: a VM that is started from it would find old data over what it wrote since. So its vCPUs
// rest meanwhile: both images hold the same until libvirt has written down which one it is.
static int hold(struct manage_run *r, bool *ret_held, struct err *err)
{
    struct virt_domain d = {0};
    int w = run_lookup(r, &d, err);
    bool runs = w == 0 && strcmp(virt_state_name(d.state), "running") == 0;
    virt_domain_done(&d);
    if (w == 0 && runs)
        w = run_note(r, json_pack("{s:s}", "make", "held"), err);
    if (w == 0 && runs)
        w = r->manage->power(r->virt, &r->uuid, VIRT_POWER_PAUSE, err);
    *ret_held = w == 0 && runs;
    return w;
}

static int go_over(struct manage_run *r, const struct merge_disk *d, struct err *err)
{
    struct virt_chain c = {0};
    bool held = false;
    int w = r->manage->chain(r->virt, &r->uuid, d->target, &c, err);
    bool job = w == 0 && c.job;
    virt_chain_done(&c);
    if (job)
        w = hold(r, &held, err);
    if (w == 0 && job)
        w = r->manage->merge_end(r->virt, &r->uuid, d->target, true, err);
    if (held) {
        int goes_on = r->manage->power(r->virt, &r->uuid, VIRT_POWER_RESUME, w == 0 ? err : NULL);
        w = w < 0 ? w : goes_on;
    }
    return w;
}

int snapshot_merge(struct manage_run *r, const struct merge_disk *disks, size_t n, bool pull,
                   struct err *err)
{
    int w = 0;
    for (size_t i = 0; w == 0 && i < n; i++)
        w = begin(r, &disks[i], pull, err);
    if (w == 0)
        w = wait_ready(r, disks, n, pull, err);
    if (w < 0) {
        give_up(r, disks, n);
        return w;
    }
    for (size_t i = 0; w == 0 && i < n; i++)
        w = go_over(r, &disks[i], err);
    return w;
}

/* What is to be merged. */

struct plan {
    struct snapshots list;
    const struct virt_snapshot *s;
    const struct virt_snapshot *child; // whose images stand on its own; NULL: the VM's, or none
    bool leaf;                         // nothing stands on its images
    bool pull;
    struct merge_disk disks[VIRT_SPEC_DISKS_MAX];
    struct virt_disk bases[VIRT_SPEC_DISKS_MAX]; // borrowed: where a child's images will be
    const struct virt_volume *victims[VIRT_SPEC_DISKS_MAX + 1];
    size_t n, n_victims;
};

static void plan_done(struct plan *p)
{
    snapshots_done(&p->list);
}

static const struct virt_snapshot *child_of(const struct snapshots *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->items[i].parent && strcmp(l->items[i].parent, name) == 0)
            return &l->items[i];
    return NULL;
}

// Is it the current snapshot, or above it in the tree?
static bool is_below_vm(const struct snapshots *l, const struct virt_snapshot *s)
{
    const struct virt_snapshot *at = snapshots_current(l);
    for (size_t i = 0; at && i <= l->n; i++, at = snapshots_find(l, at->parent))
        if (at == s)
            return true;
    return false;
}

static int plan_above(struct manage_run *r, struct plan *p, struct err *err)
{
    const struct virt_snapshot *s = p->s;
    size_t users = s->children + s->current;
    p->child = child_of(&p->list, s->name);
    p->leaf = users == 0;
    if (p->child && !p->child->external)
        return err_set(err, ESRCH, "the internal snapshot \"%s\" stands on it: delete that first",
                       p->child->name);
    if (users > 1 && s->current)
        return err_set(err, ESRCH,
                       "\"%s\" stands on it as well as what the VM writes: delete that first",
                       p->child->name);
    if (users > 1)
        return err_set(err, ESRCH, "%zu snapshots stand on \"%s\": delete them first", s->children,
                       s->name);
    if (p->child && !is_below_vm(&p->list, p->child))
        return err_set(err, ESRCH,
                       "\"%s\" is on a branch that the VM has left: delete \"%s\" first, or go "
                       "back to it",
                       s->name, p->child->name);
    if (p->child && p->pull)
        return err_set(err, ESRCH,
                       "\"%s\" stands on it, and QEMU pulls only into the image that the VM "
                       "writes to: delete that first, or commit",
                       p->child->name);
    return 0;
}

// The image that stands on the snapshot's; NULL where the disk has gone since.
static const struct virt_volume *above(const struct plan *p, const char *target)
{
    const struct virt_disk *d = snapshots_vm_disk(&p->list, target);
    if (!p->child)
        return d ? &d->source : NULL;
    const struct virt_snapshot_disk *c = snapshot_disk(p->child, target);
    return c && d ? &c->image : NULL;
}

// The image above stands on the snapshot's, or, where pulling broke off at its end, on what is
// below that.
static int check_stands(struct manage_run *r, const struct plan *p, const struct virt_volume *top,
                        const struct virt_snapshot_disk *d, struct err *err)
{
    CLEANUP(freep) char *backing = NULL, *lower CLEANUP(freep) = NULL;
    int w = snapshot_backing(r, top, &backing, err);
    if (w == 0 && p->pull)
        w = snapshot_backing(r, &d->image, &lower, err);
    if (w < 0 || (backing && strcmp(backing, d->image.path) == 0))
        return w;
    bool pulled = p->pull && (backing ? lower && strcmp(backing, lower) == 0 : !lower);
    return pulled ? 0
                  : err_set(err, ESRCH,
                            "the image %s does not stand on %s, as it should: somebody else "
                            "changed them",
                            top->volume, d->image.volume);
}

static int plan_disk(struct manage_run *r, struct plan *p, const struct virt_snapshot_disk *d,
                     struct err *err)
{
    if (!d->image.path || !d->image.pool)
        return err_set(err, ESRCH, "the image of %s is in no storage pool, or is gone", d->target);
    if (p->leaf) {
        p->victims[p->n_victims++] = &d->image;
        return snapshot_need_unshared(r, &d->image, "would go", err);
    }
    const struct virt_volume *top = above(p, d->target);
    if (!top) {
        run_say(r, "leave the image %s alone, as the VM has no disk %s any more", d->image.volume,
                d->target);
        return 0;
    }
    bool merged = strcmp(top->path, d->image.path) == 0;
    int w = merged || p->s->merging ? 0 : check_stands(r, p, top, d, err);
    if (w == 0)
        w = snapshot_need_unshared(r, &d->image, "would change", err);
    if (w == 0 && !merged)
        w = snapshot_need_unshared(r, top, "would go", err);
    if (w < 0 || merged)
        return w;
    p->disks[p->n] = (struct merge_disk){d->target, d->image.path, top->path};
    p->bases[p->n++] =
        (struct virt_disk){.target = d->target, .source = d->image, .format = d->format};
    p->victims[p->n_victims++] = p->pull ? &d->image : top;
    return 0;
}

// A job that the other deletion has left on the disk would be taken for this one's.
static int need_no_other(const struct plan *p, struct err *err)
{
    for (size_t i = 0; i < p->list.n; i++)
        if (p->list.items[i].merging && &p->list.items[i] != p->s)
            return err_set(err, ESRCH, "deleting \"%s\" broke off: delete that again first",
                           p->list.items[i].name);
    return 0;
}

// A job that is there before the first step is somebody else's.
static int need_no_job(struct manage_run *r, const struct plan *p, struct err *err)
{
    int w = 0;
    for (size_t i = 0; w == 0 && i < p->n && !p->s->merging && !r->mending; i++) {
        struct virt_chain c = {0};
        w = r->manage->chain(r->virt, &r->uuid, p->disks[i].target, &c, err);
        if (w == 0 && c.job)
            w = err_set(err, EBUSY, "a block job runs on the disk %s: ask again when it is over",
                        p->disks[i].target);
        virt_chain_done(&c);
    }
    return w;
}

static int make_plan(struct manage_run *r, struct plan *p, struct err *err)
{
    *p = (struct plan){.pull = run_is(r, "merge", "pull", "commit")};
    int w = snapshots_read(r, &p->list, err);
    if (w < 0)
        return w;
    p->s = snapshots_named(r, &p->list, err);
    if (!p->s)
        return -ENOENT;
    if (!p->s->external)
        return 0;
    w = need_no_other(p, err);
    if (w == 0)
        w = plan_above(r, p, err);
    for (size_t i = 0; w == 0 && i < p->s->n_disks; i++)
        w = plan_disk(r, p, &p->s->disks[i], err);
    if (w == 0 && p->s->memory_image.pool)
        p->victims[p->n_victims++] = &p->s->memory_image;
    return w;
}

/* Doing it. */

// A start would go on from saved memory, and the guest would see its disks change.
static int check_off(struct manage_run *r, const struct plan *p, struct err *err)
{
    int active = run_active(r, err);
    if (active != 0 || p->n == 0)
        return MIN_OF(active, 0);
    int saved = r->manage->has_save(r->virt, &r->uuid, err);
    if (saved > 0)
        return err_set(err, ESRCH,
                       "memory of the VM is saved; restore it first, so that its images can be "
                       "merged");
    return saved;
}

static void say(struct manage_run *r, const struct plan *p)
{
    run_say(r, "delete the %s snapshot %s of %s", p->s->external ? "external" : "internal",
            p->s->name, r->vm);
    if (p->n > 0 && run_active(r, NULL) == 0)
        run_say(r, "start %s without letting it run, for the merge, and end it again", r->vm);
    for (size_t i = 0; i < p->n; i++)
        run_say(r,
                p->pull ? "pull %s into %s, the image that %s writes to"
                        : "commit into %s what is in %s, of %s",
                p->disks[i].base, p->disks[i].top, p->disks[i].target);
    for (size_t i = 0; i < p->n_victims; i++)
        run_say(r, "delete the volume %s of the pool %s", p->victims[i]->volume,
                p->victims[i]->pool);
}

int snapshot_check_delete(struct manage_run *r, struct err *err)
{
    CLEANUP(plan_done) struct plan p;
    int w = make_plan(r, &p, err);
    if (w == 0)
        w = check_off(r, &p, err);
    if (w == 0)
        say(r, &p);
    return w;
}

static int note_start(struct manage_run *r, bool paused, struct err *err)
{
    return run_note(r,
                    json_pack("{s:s, s:s, s:b}", "make", "snapshot", "name", run_text(r, "name"),
                              "paused", paused),
                    err);
}

static int note_plan(struct manage_run *r, const struct plan *p, bool paused, struct err *err)
{
    int w = 0;
    for (size_t i = 0; w == 0 && i < p->n_victims; i++)
        w = snapshot_note_volume(r, p->victims[i], err);
    if (w == 0)
        w = note_start(r, paused, err);
    return w < 0 || paused ? w : run_note_running(r, err);
}

// A VM that was started only for this is ended again, unless somebody has let it run.
static int end_start(struct manage_run *r, struct err *err)
{
    struct virt_domain d = {0};
    int w = run_lookup(r, &d, err);
    bool paused = w == 0 && d.id >= 0 && strcmp(virt_state_name(d.state), "paused") == 0;
    virt_domain_done(&d);
    return paused ? r->manage->power(r->virt, &r->uuid, VIRT_POWER_DESTROY, err) : w;
}

static int merge_images(struct manage_run *r, const struct plan *p, bool start, struct err *err)
{
    int w = 0;
    if (!p->pull)
        w = r->manage->redirect_snapshot(r->virt, &r->uuid, p->s->name,
                                         &(struct virt_redirect){.merging = true}, err);
    if (w == 0 && start)
        w = run_power_on(r, &r->uuid, VIRT_POWER_START_PAUSED, err);
    if (w < 0)
        return w;
    w = snapshot_merge(r, p->disks, p->n, p->pull, err);
    return w;
}

static int run_external(struct manage_run *r, const struct plan *p, bool started, struct err *err)
{
    int active = p->n > 0 ? run_active(r, err) : 1;
    if (active < 0)
        return active;
    bool start = active == 0;
    int w = start ? 0 : need_no_job(r, p, err);
    if (w == 0)
        w = note_plan(r, p, start || started, err);
    if (w < 0)
        return w;
    if (p->n > 0)
        w = merge_images(r, p, start, err);
    if (start || started) {
        int ended = end_start(r, w == 0 ? err : NULL);
        w = w < 0 ? w : ended;
    }
    if (w == 0 && p->child && p->n > 0)
        w = r->manage->redirect_snapshot(
            r->virt, &r->uuid, p->child->name,
            &(struct virt_redirect){.images = p->bases, .n_images = p->n}, err);
    if (w == 0)
        w = r->manage->delete_snapshot(r->virt, &r->uuid, p->s->name, true, err);
    return w;
}

static int unmake(struct manage_run *r, const struct plan *p, struct err *err)
{
    json_t *volumes = json_array();
    size_t n;
    for (size_t i = 0; i < p->n_victims; i++)
        json_array_append_new(volumes,
                              json_pack("{s:s, s:s, s:s}", "make", "volume", "pool",
                                        p->victims[i]->pool, "volume", p->victims[i]->volume));
    int w = run_unmake_volumes(r, volumes, &n, err);
    json_decref(volumes);
    return w;
}

int snapshot_run_delete(struct manage_run *r, struct err *err)
{
    CLEANUP(plan_done) struct plan p;
    int w = make_plan(r, &p, err);
    if (w < 0)
        return w;
    if (p.s->external) {
        w = run_external(r, &p, false, err);
        return w < 0 ? w : unmake(r, &p, err);
    }
    w = note_start(r, false, err);
    if (w == 0)
        w = run_note_running(r, err);
    return w < 0 ? w : r->manage->delete_snapshot(r->virt, &r->uuid, p.s->name, false, err);
}

/* After it broke off. */

static bool was_started(const json_t *notes)
{
    size_t at = 0;
    const json_t *note;
    bool paused = false;
    while ((note = run_notes_next(notes, "snapshot", &at)))
        paused = paused || json_is_true(json_object_get(note, "paused"));
    return paused;
}

// 1 or 0 as manage_mend().
static int mend_again(struct manage_run *r, const struct plan *p, const json_t *notes,
                      char *ret_now, size_t size, struct err *err)
{
    size_t n;
    int w = run_external(r, p, was_started(notes), err);
    if (w == 0)
        w = run_unmake_volumes(r, notes, &n, err);
    if (w == 0)
        return 1;
    if (!r->ops->alive(r->virt))
        return w;
    return snapshot_state(r,
                          p->pull ? "the snapshot is there as before"
                                  : "the VM's data is whole, but merging has begun, so that nobody "
                                    "can go back to the snapshot: delete it again",
                          ret_now, size, err);
}

static int mend_delete(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                       struct err *err)
{
    CLEANUP(plan_done) struct plan p;
    size_t n;
    int w = make_plan(r, &p, err);
    bool noted = json_array_size(notes) > 0;
    if (w < 0 && w != -ENOENT && !r->ops->alive(r->virt))
        return w;
    if (!p.s && w == -ENOENT && noted && p.list.spec.name) {
        // It is gone, and what it held goes too.
        w = was_started(notes) ? end_start(r, err) : 0;
        if (w == 0)
            w = run_unmake_volumes(r, notes, &n, err);
        return w < 0 ? w : 1;
    }
    if (!p.s)
        return snapshot_state(r, "there is no such snapshot", ret_now, size, err);
    if (w == 0 && r->interrupted && noted && p.s->external)
        return mend_again(r, &p, notes, ret_now, size, err);
    if (w == 0 && r->interrupted && noted &&
        r->manage->delete_snapshot(r->virt, &r->uuid, p.s->name, false, err) == 0)
        return 1;
    if (was_started(notes) && (w = end_start(r, err)) < 0)
        return w;
    return snapshot_state(r,
                          p.s->merging
                              ? "the VM's data is whole, but merging has begun, so that nobody can "
                                "go back to the snapshot: delete it again"
                              : "the snapshot is there as before",
                          ret_now, size, err);
}

// Merges are carried on in a VM that is off; the internal ones of QEMU want it running.
int snapshot_mend_delete(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                         struct err *err)
{
    bool ended = false;
    size_t at = 0;
    bool merges = run_notes_next(notes, "volume", &at) != NULL;
    int w = run_go_on(r, notes, &ended, err);
    if (w == 0)
        w = run_start_again(r, ended && !merges, err);
    if (w < 0 && w != -ENOENT)
        return w;
    int done = mend_delete(r, notes, ret_now, size, err);
    w = done < 0 ? done : run_start_again(r, ended && merges, err);
    return w < 0 ? w : done;
}
