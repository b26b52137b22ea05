// SPDX-License-Identifier: GPL-3.0-or-later
// Looking at snapshots and their images.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "snapshot.h"

#define NAME_TRIES 1000

int snapshots_read(struct manage_run *r, struct snapshots *ret, struct err *err)
{
    int w = r->manage->snapshots(r->virt, &r->uuid, &ret->items, &ret->n, err);
    if (w == 0)
        w = r->manage->spec(r->virt, &r->uuid, &ret->spec, err);
    const char *last = NULL;
    for (size_t i = 0; w == 0 && ret->n > 0 && i < ret->spec.n_disks; i++) {
        const char *pool = ret->spec.disks[i].source.pool;
        if (pool && (!last || strcmp(last, pool) != 0))
            run_refresh(r, pool);
        last = pool;
    }
    return w;
}

void snapshots_done(struct snapshots *l)
{
    virt_snapshots_free(l->items, l->n);
    virt_spec_done(&l->spec);
    *l = (struct snapshots){0};
}

const struct virt_snapshot *snapshots_find(const struct snapshots *l, const char *name)
{
    for (size_t i = 0; name && i < l->n; i++)
        if (strcmp(l->items[i].name, name) == 0)
            return &l->items[i];
    return NULL;
}

const struct virt_snapshot *snapshots_named(struct manage_run *r, const struct snapshots *l,
                                            struct err *err)
{
    const char *name = run_text(r, "name");
    const struct virt_snapshot *s = snapshots_find(l, name);
    if (!s)
        err_set(err, ENOENT, "the VM has no snapshot \"%s\"", name);
    return s;
}

const struct virt_snapshot *snapshots_current(const struct snapshots *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->items[i].current)
            return &l->items[i];
    return NULL;
}

const struct virt_snapshot_disk *snapshot_disk(const struct virt_snapshot *s, const char *target)
{
    for (size_t i = 0; i < s->n_disks; i++)
        if (strcmp(s->disks[i].target, target) == 0)
            return &s->disks[i];
    return NULL;
}

const struct virt_disk *snapshots_vm_disk(const struct snapshots *l, const char *target)
{
    for (size_t i = 0; i < l->spec.n_disks; i++)
        if (l->spec.disks[i].target && strcmp(l->spec.disks[i].target, target) == 0)
            return &l->spec.disks[i];
    return NULL;
}

bool snapshots_hold(const struct snapshots *l, const char *path)
{
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->items[i].n_disks; k++) {
            const char *image = l->items[i].disks[k].image.path;
            if (image && path && strcmp(image, path) == 0)
                return true;
        }
    return false;
}

int snapshot_backing(struct manage_run *r, const struct virt_volume *v, char **ret, struct err *err)
{
    struct virt_volume_info info = {0};
    *ret = NULL;
    if (!v->pool)
        return err_set(err, EINVAL, "the image %s is in no storage pool", v->path ? v->path : "?");
    int w = r->manage->volume(r->virt, v->pool, v->volume, &info, err);
    if (w == 0)
        *ret = TAKE_PTR(info.backing);
    virt_volume_info_done(&info);
    return w;
}

int snapshot_need_unshared(struct manage_run *r, const struct virt_volume *v, const char *why,
                           struct err *err)
{
    CLEANUP(freep) char *user = NULL;
    const struct virt_disk image = {.source = *v};
    int w = run_other_user(r, &image, &user, err);
    if (w == 0 && user)
        w = err_set(err, ESRCH, "%s uses the image %s, which %s", user,
                    v->volume ? v->volume : v->path, why);
    return w;
}

int snapshot_need_no_checkpoints(struct manage_run *r, struct err *err)
{
    int checkpoints = r->manage->checkpoints(r->virt, &r->uuid, err);
    if (checkpoints == -EOPNOTSUPP)
        checkpoints = 0;
    if (checkpoints > 0)
        return err_set(err, ESRCH,
                       "the VM has %d checkpoints, whose dirty bitmaps would make QEMU end in the "
                       "middle of going back, or no longer fit afterwards; delete them first. The "
                       "VM is untouched",
                       checkpoints);
    return checkpoints;
}

int snapshot_free_name(struct manage_run *r, const char *pool, const char *stem, const char *suffix,
                       char **ret, struct err *err)
{
    for (int i = 1; i < NAME_TRIES; i++) {
        struct virt_volume_info info = {0};
        struct err why = {0};
        CLEANUP(freep)
        char *name =
            i == 1 ? mem_printf("%s.%s", stem, suffix) : mem_printf("%s-%d.%s", stem, i, suffix);
        int w = r->manage->volume(r->virt, pool, name, &info, &why);
        virt_volume_info_done(&info);
        if (w == -ENOENT && strstr(why.message, "has no volume")) {
            *ret = TAKE_PTR(name);
            return 0;
        }
        if (w < 0)
            return err_set(err, -w, "%s", why.message);
    }
    return err_set(err, EEXIST, "the pool \"%s\" has too many volumes called %s", pool, stem);
}

int snapshot_note_volume(struct manage_run *r, const struct virt_volume *v, struct err *err)
{
    return run_note(
        r, json_pack("{s:s, s:s, s:s}", "make", "volume", "pool", v->pool, "volume", v->volume),
        err);
}

int snapshot_state(struct manage_run *r, const char *first, char *ret_now, size_t size,
                   struct err *err)
{
    struct virt_domain d = {0};
    int w = run_lookup(r, &d, err);
    if (w == 0)
        snprintf(ret_now, size, "%s; the VM is %s", first, virt_state_name(d.state));
    else if (w == -ENOENT)
        snprintf(ret_now, size, "the VM is not there any more");
    virt_domain_done(&d);
    return w == -ENOENT ? 0 : w;
}
