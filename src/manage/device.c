// SPDX-License-Identifier: GPL-3.0-or-later
// Disks and NICs of a VM: attached, detached, grown, throttled.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "run.h"

static int read_spec(struct manage_run *r, struct virt_spec *ret, struct err *err)
{
    return r->manage->spec(r->virt, &r->uuid, ret, err);
}

static const struct virt_disk *find_disk(const struct virt_spec *spec, const char *target)
{
    for (size_t i = 0; i < spec->n_disks; i++)
        if (spec->disks[i].target && strcmp(spec->disks[i].target, target) == 0)
            return &spec->disks[i];
    return NULL;
}

/* Attach a disk. */

// The first free one of vda, vdb, …, or the one asked for; NULL where it is taken. Caller frees.
static char *free_target(const struct manage_run *r, const struct virt_spec *spec)
{
    const char *asked = run_text(r, "target");
    if (asked)
        return find_disk(spec, asked) ? NULL : mem_strdup(asked);
    for (char c = 'a'; c <= 'z'; c++) {
        const char target[] = {'v', 'd', c, '\0'};
        if (!find_disk(spec, target))
            return mem_strdup(target);
    }
    return NULL;
}

static int choose(struct manage_run *r, char **ret_target, char **ret_volume, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    const char *format = run_text(r, "format");
    int w = read_spec(r, &spec, err);
    if (w < 0)
        return w;
    *ret_target = free_target(r, &spec);
    if (!*ret_target)
        return err_set(err, EEXIST, "the VM has a disk %s already",
                       run_text(r, "target") ? run_text(r, "target") : "at every name");
    *ret_volume = mem_printf("%s-%s.%s", r->vm, *ret_target, format ? format : "qcow2");
    return 0;
}

static int check_attach_disk(struct manage_run *r, struct err *err)
{
    CLEANUP(freep) char *target = NULL;
    CLEANUP(freep) char *volume = NULL;
    int w = choose(r, &target, &volume, err);
    if (w == 0)
        w = run_check_disk(r, r->body, volume, err);
    if (w == 0)
        run_say(r, "attach it to %s as %s", r->vm, target);
    return w;
}

static int run_attach_disk(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec holder = {.n_disks = 1};
    struct virt_disk *disk = &holder.disks[0];
    CLEANUP(freep) char *volume = NULL;
    int w = choose(r, &disk->target, &volume, err);
    if (w == 0)
        w = run_make_disk(r, r->body, volume, disk, err);
    if (w == 0)
        w = run_note(r, json_pack("{s:s, s:s}", "make", "device", "target", disk->target), err);
    if (w == 0)
        w = r->manage->attach_disk(r->virt, &r->uuid, disk, run_whole_scope(r), err);
    if (disk->target)
        json_object_set_new(r->result, "target", json_string(disk->target));
    return w;
}

static int mend_attach_disk(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                            struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    size_t at = 0, n = 0;
    const json_t *note = run_notes_next(notes, "device", &at);
    int w = read_spec(r, &spec, err);
    if (w < 0 && w != -ENOENT)
        return w;
    const char *target = json_string_value(json_object_get(note, "target"));
    if (w == 0 && target && find_disk(&spec, target))
        return 1;
    // A volume that a running VM has open is not taken away.
    if (target && run_active(r, NULL) == 1)
        w = r->manage->detach_disk(r->virt, &r->uuid, target, VIRT_LIVE, err);
    if (w < 0 && w != -ENOENT)
        return w;
    w = run_unmake_volumes(r, notes, &n, err);
    if (w == 0)
        snprintf(ret_now, size, "the disk is not attached, and no new volume is left");
    return w;
}

/* Detach, grow. */

static int need_disk(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    int w = read_spec(r, &spec, err);
    if (w == 0 && !find_disk(&spec, run_text(r, "target")))
        w = err_set(err, ENOENT, "the VM has no disk %s", run_text(r, "target"));
    return w;
}

static int check_detach_disk(struct manage_run *r, struct err *err)
{
    int w = need_disk(r, err);
    if (w == 0)
        run_say(r, "detach the disk %s from %s%s", run_text(r, "target"), r->vm,
                run_is(r, "volume_fate", "delete", "keep") ? ", and delete its volume"
                                                           : "; its volume stays");
    return w;
}

static int run_detach_disk(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    const char *target = run_text(r, "target");
    int w = read_spec(r, &spec, err);
    const struct virt_disk *disk = w == 0 ? find_disk(&spec, target) : NULL;
    if (w == 0 && !disk)
        w = err_set(err, ENOENT, "the VM has no disk %s", target);
    if (w == 0)
        w = r->manage->detach_disk(r->virt, &r->uuid, target, run_whole_scope(r), err);
    if (w < 0 || !run_is(r, "volume_fate", "delete", "keep"))
        return w;
    if (!disk->source.pool)
        return err_set(err, EINVAL,
                       "the disk is detached; its image is in no storage pool, and is "
                       "kept");
    return r->manage->delete_volume(r->virt, disk->source.pool, disk->source.volume, err);
}

static int check_grow(struct manage_run *r, struct err *err)
{
    int w = need_disk(r, err);
    if (w == 0)
        run_say(r, "grow the disk %s of %s to %jd bytes", run_text(r, "target"), r->vm,
                (intmax_t)run_number(r, "size", 0));
    return w;
}

static int run_grow(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    const char *target = run_text(r, "target");
    uint64_t bytes = (uint64_t)run_number(r, "size", 0);
    int w = run_active(r, err);
    if (w == 1)
        return r->manage->grow_disk(r->virt, &r->uuid, target, bytes, err);
    if (w == 0)
        w = read_spec(r, &spec, err);
    const struct virt_disk *disk = w == 0 ? find_disk(&spec, target) : NULL;
    if (w == 0 && (!disk || !disk->source.pool))
        w = err_set(err, ENOENT, "the VM has no disk %s in a storage pool", target);
    return w < 0 ? w
                 : r->manage->grow_volume(r->virt, disk->source.pool, disk->source.volume, bytes,
                                          err);
}

static int check_limit_disk(struct manage_run *r, struct err *err)
{
    int w = need_disk(r, err);
    if (w == 0)
        run_say(r, "throttle the disk %s of %s", run_text(r, "target"), r->vm);
    return w;
}

static int run_limit_disk(struct manage_run *r, struct err *err)
{
    const struct virt_disk_limits limits = {
        .read_bytes = run_number(r, "read_bytes", -1),
        .write_bytes = run_number(r, "write_bytes", -1),
        .read_iops = run_number(r, "read_iops", -1),
        .write_iops = run_number(r, "write_iops", -1),
    };
    return r->manage->disk_limits(r->virt, &r->uuid, run_text(r, "target"), &limits, run_scope(r),
                                  err);
}

/* NICs. */

static int check_attach_nic(struct manage_run *r, struct err *err)
{
    const char *network = run_text(r, "network"), *bridge = run_text(r, "bridge");
    if (!network == !bridge)
        return err_set(err, EINVAL, "a NIC needs a network or a bridge, and not both");
    run_say(r, "attach a NIC on %s %s to %s", network ? "the network" : "the bridge",
            network ? network : bridge, r->vm);
    return MIN_OF(run_active(r, err), 0);
}

static int run_attach_nic(struct manage_run *r, struct err *err)
{
    const struct virt_nic nic = {
        .network = (char *)run_text(r, "network"),
        .bridge = (char *)run_text(r, "bridge"),
        .mac = (char *)run_text(r, "mac"),
    };
    return r->manage->attach_nic(r->virt, &r->uuid, &nic, run_whole_scope(r), err);
}

static int check_nic(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    const char *mac = run_text(r, "mac");
    int w = read_spec(r, &spec, err);
    bool found = false;
    for (size_t i = 0; i < spec.n_nics; i++)
        found = found || (spec.nics[i].mac && strcasecmp(spec.nics[i].mac, mac) == 0);
    if (w == 0 && !found)
        w = err_set(err, ENOENT, "the VM has no NIC %s", mac);
    if (w == 0)
        run_say(r, "%s the NIC %s of %s", r->deed->id == DEED_DETACH_NIC ? "detach" : "throttle",
                mac, r->vm);
    return w;
}

static int run_detach_nic(struct manage_run *r, struct err *err)
{
    return r->manage->detach_nic(r->virt, &r->uuid, run_text(r, "mac"), run_whole_scope(r), err);
}

static int run_limit_nic(struct manage_run *r, struct err *err)
{
    int64_t in = run_number(r, "in", -1), out = run_number(r, "out", -1);
    // libvirt counts in kibibytes: less than one would become no limit at all.
    const struct virt_nic_limits limits = {
        .in_kib = in < 0 ? -1 : (in + 1023) / 1024,
        .out_kib = out < 0 ? -1 : (out + 1023) / 1024,
    };
    return r->manage->nic_limits(r->virt, &r->uuid, run_text(r, "mac"), &limits, run_scope(r), err);
}

const struct handler device_handlers[DEED_MAX] = {
    [DEED_ATTACH_DISK] = {check_attach_disk, run_attach_disk, mend_attach_disk},
    [DEED_DETACH_DISK] = {check_detach_disk, run_detach_disk, NULL},
    [DEED_GROW_DISK] = {check_grow, run_grow, NULL},
    [DEED_LIMIT_DISK] = {check_limit_disk, run_limit_disk, NULL},
    [DEED_ATTACH_NIC] = {check_attach_nic, run_attach_nic, NULL},
    [DEED_DETACH_NIC] = {check_nic, run_detach_nic, NULL},
    [DEED_LIMIT_NIC] = {check_nic, run_limit_nic, NULL},
};
