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
    bool external = false;
    for (size_t i = 0; w == 0 && i < n; i++)
        external = external || snapshots[i].external;
    virt_snapshots_free(snapshots, n);
    if (w < 0)
        return w;
    if (n > 0 && !deletes(r, "snapshots"))
        return err_set(err, ESRCH, "the VM has %zu snapshots: delete them, or say so", n);
    if (external && deletes(r, "disks"))
        return err_set(err, ESRCH,
                       "the VM has external snapshots: delete them one by one first, so that no "
                       "image below is left behind");
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

// Does this VM's disk use the image, itself or as what is below?
static bool disk_uses(struct manage_run *r, const struct virt_disk *d,
                      const struct virt_disk *image)
{
    struct virt_volume_info info = {0};
    bool uses = same_text(d->source.path, image->source.path) ||
                (same_text(d->source.pool, image->source.pool) &&
                 same_text(d->source.volume, image->source.volume));
    if (!uses && d->source.pool &&
        r->manage->volume(r->virt, d->source.pool, d->source.volume, &info, NULL) == 0)
        uses =
            same_text(info.backing, image->source.path ? image->source.path : image->source.volume);
    virt_volume_info_done(&info);
    return uses;
}

int run_other_user(struct manage_run *r, const struct virt_disk *image, char **ret, struct err *err)
{
    struct virt_domain *domains = NULL;
    size_t n = 0;
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

// The volumes that go: [{"make": "volume", …}], so that run_unmake_volumes() takes them away.
static int choose_volumes(struct manage_run *r, json_t *chosen, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    int w = deletes(r, "disks") ? r->manage->spec(r->virt, &r->uuid, &spec, err) : 0;
    for (size_t i = 0; w == 0 && i < spec.n_disks; i++) {
        const struct virt_disk *d = &spec.disks[i];
        CLEANUP(freep) char *user = NULL;
        if (!d->source.pool) {
            run_say(r, "keep the disk %s, which is in no storage pool", d->target);
            continue;
        }
        w = run_other_user(r, d, &user, err);
        if (w == 0 && user)
            run_say(r, "keep the volume %s, which %s uses", d->source.volume, user);
        else if (w == 0 && d->read_only && !run_is_seed(d->source.volume))
            run_say(r, "keep the volume %s, which is read only", d->source.volume);
        else if (w == 0)
            json_array_append_new(chosen, json_pack("{s:s, s:s, s:s}", "make", "volume", "pool",
                                                    d->source.pool, "volume", d->source.volume));
    }
    return w;
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
