// SPDX-License-Identifier: GPL-3.0-or-later
// Images that come from outside, or that a guest has written: none may lead QEMU, or qemu-img as
// root, to a file outside the storage pools. A guest that has a raw disk can write a qcow2 header
// with any backing file into it, and libvirt would believe it when the disk is copied.
#include <errno.h>
#include <string.h>

#include "run.h"
#include "virt/qcow2.h"

#define DEPTH_MAX 64

static int read_head(struct manage_run *r, const struct virt_volume *v, struct virt_qcow2 *ret,
                     struct err *err)
{
    CLEANUP(freep) uint8_t *head = mem_zalloc(VIRT_QCOW2_HEAD);
    size_t len = 0;
    int w = r->manage->volume_head(r->virt, v->pool, v->volume, head, VIRT_QCOW2_HEAD, &len, err);
    if (w < 0)
        return w;
    w = virt_qcow2_read(head, len, ret, err);
    return w < 0 ? err_wrap(err, "the image %s is not taken", v->volume) : 0;
}

static int check_one(const struct virt_volume *v, const struct virt_qcow2 *q, const char *format,
                     struct err *err)
{
    if (q->data_file)
        return err_set(err, EINVAL,
                       "the image %s is not taken: its header names another file for its data",
                       v->volume);
    if (format && (strcmp(format, "qcow2") == 0) != q->qcow2)
        return err_set(err, EINVAL,
                       "the image %s is not taken: it should be %s and begins like %s, as its "
                       "guest may have made it",
                       v->volume, format, q->qcow2 ? "qcow2" : "raw");
    return 0;
}

// The image below, in its pool; 1 where there is one.
static int find_below(struct manage_run *r, const struct virt_volume *v, const char *named,
                      struct virt_volume *ret, struct err *err)
{
    struct virt_volume_info info = {0};
    int w = r->manage->volume(r->virt, v->pool, v->volume, &info, err);
    ret->path = TAKE_PTR(info.backing);
    virt_volume_info_done(&info);
    if (w == 0 && !ret->path && named[0] == '\0')
        return 0;
    if (w == 0 && ret->path)
        w = r->manage->name_volume(r->virt, ret, err);
    if (w < 0)
        return w;
    return ret->pool ? 1
                     : err_set(err, EACCES,
                               "the image %s is not taken: it stands on \"%s\", which is in no "
                               "storage pool",
                               v->volume, named[0] ? named : ret->path);
}

int run_check_image(struct manage_run *r, const char *pool, const char *volume, const char *format,
                    struct err *err)
{
    struct virt_volume at = {.pool = mem_strdup(pool), .volume = mem_strdup(volume)};
    int w = 1;
    run_refresh(r, pool);
    for (int depth = 0; w == 1; depth++) {
        struct virt_qcow2 q;
        struct virt_volume below = {0};
        w = depth == DEPTH_MAX ? err_set(err, ELOOP, "the image %s stands on too many", volume)
                               : read_head(r, &at, &q, err);
        if (w == 0)
            w = check_one(&at, &q, depth == 0 ? format : NULL, err);
        if (w == 0 && q.qcow2)
            w = find_below(r, &at, q.backing, &below, err);
        virt_volume_done(&at);
        at = below;
    }
    virt_volume_done(&at);
    return w;
}
