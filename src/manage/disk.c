// SPDX-License-Identifier: GPL-3.0-or-later
// The volume of a disk that is to be: one that is there, an empty one, or a copy of an image.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "run.h"

char *run_volume_name(const char *vm, const char *target, const char *format)
{
    return mem_printf("%s-%s.%s", vm, target, format);
}

static uint64_t size_of(const json_t *wanted)
{
    return (uint64_t)json_integer_value(json_object_get(wanted, "size"));
}

int run_check_absent(struct manage_run *r, const char *pool, const char *volume, struct err *err)
{
    struct virt_volume_info info = {0};
    struct err why = {0};
    int w = r->manage->volume(r->virt, pool, volume, &info, &why);
    virt_volume_info_done(&info);
    if (w == 0)
        return err_set(err, EEXIST, "the pool \"%s\" has a volume \"%s\" already", pool, volume);
    // -ENOENT may also mean the pool.
    bool pool_is_there = w == -ENOENT && strstr(why.message, "has no volume");
    if (!pool_is_there)
        *err = why;
    return pool_is_there ? 0 : w;
}

// Two VMs that write to one image destroy it.
static int check_unused(struct manage_run *r, const json_t *wanted, const char *pool,
                        const char *volume, struct err *err)
{
    CLEANUP(freep) char *user = NULL;
    const struct virt_disk image = {.source = {.pool = (char *)pool, .volume = (char *)volume}};
    if (json_is_true(json_object_get(wanted, "read_only")))
        return 0;
    int w = run_other_user(r, &image, &user, err);
    if (w == 0 && user)
        w = err_set(err, ESRCH, "the volume %s is a disk of %s; it can be shared read only", volume,
                    user);
    return w;
}

int run_check_disk(struct manage_run *r, const json_t *wanted, const char *volume, struct err *err)
{
    const char *pool = run_member(wanted, "pool"), *existing = run_member(wanted, "volume");
    const char *image = run_member(wanted, "image"), *from = existing ? existing : image;
    struct virt_volume_info info = {0};
    if (existing && (image || size_of(wanted)))
        return err_set(err, EINVAL, "an existing volume takes neither image nor size");
    if (!from && !size_of(wanted))
        return err_set(err, EINVAL, "a new disk needs a size or an image");
    int w = from ? r->manage->volume(r->virt, pool, from, &info, err) : 0;
    if (w == 0 && image && size_of(wanted) && size_of(wanted) < info.capacity_bytes)
        w = err_set(err, EINVAL, "the image has %ju bytes, more than size",
                    (uintmax_t)info.capacity_bytes);
    const char *format = run_member(wanted, "format");
    // What is not said is what libvirt sees, which the guest may have written: no chain then.
    if (w == 0 && existing && !format && info.backing)
        w = err_set(err, EINVAL, "the volume %s stands on another: say format: qcow2 to use it so",
                    existing);
    virt_volume_info_done(&info);
    if (w == 0 && from)
        w = run_check_image(r, pool, from, existing ? format : NULL, err);
    if (w == 0)
        w = existing ? check_unused(r, wanted, pool, existing, err)
                     : run_check_absent(r, pool, volume, err);
    if (w < 0)
        return w;
    if (existing)
        run_say(r, "use the volume %s of the pool %s", existing, pool);
    else if (image)
        run_say(r, "make the volume %s in the pool %s, a copy of %s", volume, pool, image);
    else
        run_say(r, "make the volume %s in the pool %s, %ju bytes, %s", volume, pool,
                (uintmax_t)size_of(wanted), run_disk_format(wanted));
    return 0;
}

int run_note_volume(struct manage_run *r, const char *pool, const char *volume, struct err *err)
{
    int w = run_check_absent(r, pool, volume, err);
    return w < 0 ? w
                 : run_note(r,
                            json_pack("{s:s, s:s, s:s}", "make", "volume", "pool", pool, "volume",
                                      volume),
                            err);
}

static int make_volume(struct manage_run *r, const json_t *wanted, const char *volume,
                       struct err *err)
{
    const char *pool = run_member(wanted, "pool"), *image = run_member(wanted, "image");
    struct virt_volume_spec spec = {.pool = pool,
                                    .volume = volume,
                                    .format = run_disk_format(wanted),
                                    .capacity_bytes = size_of(wanted)};
    int w = run_note_volume(r, pool, volume, err);
    if (w < 0)
        return w;
    if (!image)
        return r->manage->create_volume(r->virt, &spec, err);
    struct virt_volume_info info = {0};
    w = r->manage->volume(r->virt, pool, image, &info, err);
    uint64_t bytes = info.capacity_bytes;
    virt_volume_info_done(&info);
    spec.capacity_bytes = bytes;
    if (w == 0)
        w = r->manage->copy_volume(r->virt, &spec, pool, image, err);
    if (w == 0 && size_of(wanted) > bytes)
        w = r->manage->grow_volume(r->virt, pool, volume, size_of(wanted), err);
    return w;
}

int run_make_disk(struct manage_run *r, const json_t *wanted, const char *volume,
                  struct virt_disk *disk, struct err *err)
{
    const char *pool = run_member(wanted, "pool"), *existing = run_member(wanted, "volume");
    disk->source.pool = mem_strdup(pool);
    disk->source.volume = mem_strdup(existing ? existing : volume);
    disk->read_only = json_is_true(json_object_get(wanted, "read_only"));
    if (!existing) {
        disk->format = mem_strdup(run_disk_format(wanted));
        return make_volume(r, wanted, volume, err);
    }
    struct virt_volume_info info = {0};
    int w = r->manage->volume(r->virt, pool, existing, &info, err);
    const char *format = run_member(wanted, "format");
    if (w == 0)
        disk->format = mem_strdup(format ? format : info.format ? info.format : "raw");
    virt_volume_info_done(&info);
    return w;
}
