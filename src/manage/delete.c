// SPDX-License-Identifier: GPL-3.0-or-later
// Deleting a VM: one note that holds everything that is to go, the definition, then the volumes.
// Once the definition is gone the deed is carried to its end, also after a crash.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "run.h"

static bool deletes(const struct manage_run *r, const char *field)
{
    return run_is(r, field, "delete", "keep");
}

static int check_kept(struct manage_run *r, struct err *err)
{
    struct virt_snapshot *snapshots = NULL;
    size_t n = 0;
    int w = r->manage->snapshots(r->virt, &r->uuid, &snapshots, &n, err);
    virt_snapshots_free(snapshots, n);
    if (w < 0)
        return w;
    if (n > 0 && !deletes(r, "snapshots"))
        return err_set(err, ESRCH, "the VM has %zu snapshots: delete them, or say so", n);
    int checkpoints = r->manage->checkpoints(r->virt, &r->uuid, err);
    if (checkpoints == -EOPNOTSUPP)
        checkpoints = 0;
    if (checkpoints > 0 && !deletes(r, "checkpoints"))
        return err_set(err, ESRCH, "the VM has %d checkpoints: delete them, or say so",
                       checkpoints);
    return MIN_OF(checkpoints, 0);
}

static bool same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static bool same_volume(const struct virt_volume *a, const struct virt_volume *b)
{
    return same_text(a->path, b->path) ||
           (same_text(a->pool, b->pool) && same_text(a->volume, b->volume));
}

// One step down the backing chain; false at its end, or where no pool has the image.
static bool step_down(struct manage_run *r, struct virt_volume *at)
{
    struct virt_volume_info info = {0};
    if (!at->pool)
        (void)r->manage->name_volume(r->virt, at, NULL);
    int w = at->pool ? r->manage->volume(r->virt, at->pool, at->volume, &info, NULL) : -ENOENT;
    virt_volume_done(at);
    at->path = w == 0 ? TAKE_PTR(info.backing) : NULL;
    virt_volume_info_done(&info);
    return at->path != NULL;
}

// Does this VM's disk use the image, itself or as what is below, however deep?
static bool disk_uses(struct manage_run *r, const struct virt_disk *d,
                      const struct virt_disk *image)
{
    struct virt_volume at = {mem_strdup(d->source.pool), mem_strdup(d->source.volume),
                             mem_strdup(d->source.path), d->source.block};
    struct virt_volume wanted = {image->source.pool, image->source.volume,
                                 image->source.path ? image->source.path : image->source.volume,
                                 false};
    bool uses = same_volume(&at, &wanted);
    for (int depth = 0; !uses && depth < VIRT_CHAIN_MAX && step_down(r, &at); depth++) {
        (void)r->manage->name_volume(r->virt, &at, NULL);
        uses = same_volume(&at, &wanted);
    }
    virt_volume_done(&at);
    return uses;
}

int run_other_user(struct manage_run *r, const struct virt_disk *image, char **ret, struct err *err)
{
    struct virt_domain *domains = NULL;
    size_t n = 0;
    if (image->source.pool)
        run_refresh(r, image->source.pool);
    int w = r->ops->list(r->virt, &domains, &n, err);
    *ret = NULL;
    for (size_t i = 0; w == 0 && !*ret && i < n; i++) {
        CLEANUP(virt_spec_done) struct virt_spec spec = {0};
        if (uuid_equal(&domains[i].uuid, &r->uuid))
            continue;
        int s = r->manage->spec(r->virt, &domains[i].uuid, &spec, err);
        w = s == -ENOENT ? 0 : s;
        for (size_t k = 0; w == 0 && !*ret && k < spec.n_disks; k++)
            if (disk_uses(r, &spec.disks[k], image))
                *ret = mem_strdup(domains[i].name);
    }
    virt_domains_free(domains, n);
    return w;
}

static bool is_chosen(const json_t *chosen, const struct virt_volume *v)
{
    size_t i;
    const json_t *one;
    json_array_foreach(chosen, i, one)
    {
        if (same_text(json_string_value(json_object_get(one, "pool")), v->pool) &&
            same_text(json_string_value(json_object_get(one, "volume")), v->volume))
            return true;
    }
    return false;
}

static int choose_volume(struct manage_run *r, const struct virt_volume *v, const char *what,
                         json_t *chosen, struct err *err)
{
    CLEANUP(freep) char *user = NULL;
    if (!v->pool) {
        run_say(r, "keep %s, which is in no storage pool", what);
        return 0;
    }
    if (is_chosen(chosen, v))
        return 0;
    int w = run_other_user(r, &(struct virt_disk){.source = *v}, &user, err);
    if (w == 0 && user)
        run_say(r, "keep the volume %s, which %s uses", v->volume, user);
    else if (w == 0)
        json_array_append_new(chosen, json_pack("{s:s, s:s, s:s}", "make", "volume", "pool",
                                                v->pool, "volume", v->volume));
    return w;
}

// What external snapshots keep: images below, those of branches that were left, and memory.
static int choose_kept(struct manage_run *r, json_t *chosen, struct err *err)
{
    struct virt_snapshot *snapshots = NULL;
    size_t n = 0;
    int w = r->manage->snapshots(r->virt, &r->uuid, &snapshots, &n, err);
    for (size_t i = 0; i < n; i++) {
        const struct virt_snapshot *s = &snapshots[i];
        for (size_t k = 0; w == 0 && k < s->n_disks; k++)
            w = choose_volume(r, &s->disks[k].image, "an image of a snapshot", chosen, err);
        if (w == 0 && s->memory_image.path)
            w = choose_volume(r, &s->memory_image, "a snapshot's memory", chosen, err);
    }
    virt_snapshots_free(snapshots, n);
    return w;
}

// The volumes that go: [{"make": "volume", …}], so that run_unmake_volumes() takes them away.
static int choose_volumes(struct manage_run *r, json_t *chosen, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    if (!deletes(r, "disks"))
        return 0;
    int w = r->manage->spec(r->virt, &r->uuid, &spec, err);
    for (size_t i = 0; w == 0 && i < spec.n_disks; i++) {
        const struct virt_disk *d = &spec.disks[i];
        CLEANUP(freep) char *what = mem_printf("the disk %s", d->target);
        if (d->source.pool && d->read_only && !run_is_seed(d->source.volume))
            run_say(r, "keep the volume %s, which is read only", d->source.volume);
        else
            w = choose_volume(r, &d->source, what, chosen, err);
    }
    return w < 0 ? w : choose_kept(r, chosen, err);
}

static int check_delete(struct manage_run *r, struct err *err)
{
    json_t *volumes = json_array();
    int w = run_need_off(r, "to be deleted", err);
    if (w == 0)
        w = check_kept(r, err);
    if (w == 0)
        w = choose_volumes(r, volumes, err);
    size_t i;
    const json_t *v;
    if (w == 0)
        run_say(r, "remove the definition of %s", r->vm);
    json_array_foreach(volumes, i, v)
    {
        if (w == 0)
            run_say(r, "delete the volume %s of the pool %s",
                    json_string_value(json_object_get(v, "volume")),
                    json_string_value(json_object_get(v, "pool")));
    }
    json_decref(volumes);
    return w;
}

static int undefine(struct manage_run *r, struct err *err)
{
    unsigned with = VIRT_UNDEFINE_SAVED;
    if (deletes(r, "snapshots"))
        with |= VIRT_UNDEFINE_SNAPSHOTS;
    if (deletes(r, "nvram"))
        with |= VIRT_UNDEFINE_NVRAM;
    if (deletes(r, "checkpoints"))
        with |= VIRT_UNDEFINE_CHECKPOINTS;
    return r->manage->undefine(r->virt, &r->uuid, with, err);
}

static int run_delete(struct manage_run *r, struct err *err)
{
    json_t *volumes = json_array();
    size_t n = 0, i;
    const json_t *v;
    int w = run_need_off(r, "to be deleted", err);
    if (w == 0)
        w = check_kept(r, err);
    if (w == 0)
        w = choose_volumes(r, volumes, err);
    json_array_foreach(volumes, i, v)
    {
        if (w == 0)
            w = run_note(r, json_incref((json_t *)v), err);
    }
    if (w == 0)
        w = undefine(r, err);
    if (w == 0)
        w = run_unmake_volumes(r, volumes, &n, err);
    json_object_set_new(r->result, "volumes_deleted", json_integer((json_int_t)n));
    json_decref(volumes);
    return w;
}

static int mend_delete(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                       struct err *err)
{
    struct virt_domain d = {0};
    size_t n = 0;
    int w = run_lookup(r, &d, err);
    virt_domain_done(&d);
    if (w == 0) {
        snprintf(ret_now, size, "the VM is there as before, with its disks");
        return 0;
    }
    if (w != -ENOENT)
        return w;
    if (json_array_size(notes) == 0 && deletes(r, "disks")) {
        snprintf(ret_now, size, "the VM is not there any more; its volumes were not touched");
        return 0;
    }
    w = run_unmake_volumes(r, notes, &n, err);
    return w < 0 ? w : 1;
}

const struct handler delete_handlers[DEED_MAX] = {
    [DEED_DELETE] = {check_delete, run_delete, mend_delete},
};
