// SPDX-License-Identifier: GPL-3.0-or-later
// Volumes of the pool in memory.
#include <errno.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "memory_manage.h"

static int memory_find_volume(struct memory *m, struct virt *v, const char *pool, const char *name,
                              struct memory_volume **ret, struct err *err)
{
    int r = memory_enter_as(m, v, err);
    if (r < 0)
        return r;
    if (strcmp(pool, POOL) != 0)
        return err_set(err, ENOENT, "there is no storage pool \"%s\"", pool);
    *ret = memory_volume_of(m, pool, name);
    return *ret ? 0 : err_set(err, ENOENT, "the pool \"%s\" has no volume \"%s\"", pool, name);
}

static int grow(struct memory_volume *vol, uint64_t bytes, struct err *err)
{
    if (bytes < vol->capacity_bytes)
        return err_set(err, EINVAL, "the disk has %ju bytes: shrinking would cut data off",
                       (uintmax_t)vol->capacity_bytes);
    vol->capacity_bytes = bytes;
    return 0;
}

int memory_grow_disk(struct virt *v, const struct uuid *uuid, const char *target, uint64_t bytes,
                     struct err *err)
{
    CHANGE(vm);
    const struct virt_spec *s = memory_spec_of(vm);
    size_t i = memory_disk_at(s, target);
    struct memory_volume *vol =
        i < s->n_disks && s->disks[i].source.pool
            ? memory_volume_of(m, s->disks[i].source.pool, s->disks[i].source.volume)
            : NULL;
    return vol ? grow(vol, bytes, err) : err_set(err, ENOENT, "the VM has no disk %s", target);
}

int memory_volume(struct virt *v, const char *pool, const char *volume,
                  struct virt_volume_info *ret, struct err *err)
{
    ENTER();
    struct memory_volume *vol;
    int r = memory_find_volume(m, v, pool, volume, &vol, err);
    if (r == 0)
        *ret = (struct virt_volume_info){.capacity_bytes = vol->capacity_bytes,
                                         .allocation_bytes = vol->capacity_bytes,
                                         .format = mem_strdup(vol->format),
                                         .backing = mem_strdup(vol->backing)};
    return r;
}

static uint64_t used_bytes(const struct memory *m)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < m->n_volumes; i++)
        sum += m->volumes[i].capacity_bytes;
    return sum;
}

static int memory_add_volume(struct memory *m, struct virt *v, const struct virt_volume_spec *spec,
                             uint64_t bytes, struct err *err)
{
    struct memory_volume *old;
    int r = memory_find_volume(m, v, spec->pool, spec->volume, &old, err);
    if (r == 0)
        return err_set(err, EEXIST, "the pool \"%s\" has a volume \"%s\" already", spec->pool,
                       spec->volume);
    if (r != -ENOENT || strcmp(spec->pool, POOL) != 0)
        return r;
    if (m->pool_bytes && used_bytes(m) + bytes > m->pool_bytes)
        return err_set(err, ENOSPC, "no space is left in the pool \"%s\"", spec->pool);
    mem_grow(&m->volumes, &m->cap_volumes, m->n_volumes, sizeof(*m->volumes));
    m->volumes[m->n_volumes++] =
        (struct memory_volume){mem_strdup(spec->pool), mem_strdup(spec->volume),
                               mem_strdup(spec->format), mem_strdup(spec->backing_volume), bytes};
    m->changes++;
    if (err)
        *err = (struct err){0};
    return 0;
}

int memory_create_volume(struct virt *v, const struct virt_volume_spec *spec, struct err *err)
{
    ENTER();
    return memory_add_volume(m, v, spec, spec->capacity_bytes, err);
}

int memory_copy_volume(struct virt *v, const struct virt_volume_spec *spec, const char *from_pool,
                       const char *from_volume, struct err *err)
{
    ENTER();
    struct memory_volume *from;
    int r = memory_find_volume(m, v, from_pool, from_volume, &from, err);
    return r < 0 ? r
                 : memory_add_volume(m, v, spec, MAX_OF(spec->capacity_bytes, from->capacity_bytes),
                                     err);
}

int memory_fill_volume(struct virt *v, const char *pool, const char *volume, const void *data,
                       size_t len, struct err *err)
{
    ENTER();
    struct memory_volume *vol;
    return memory_find_volume(m, v, pool, volume, &vol, err);
}

int memory_grow_volume(struct virt *v, const char *pool, const char *volume, uint64_t bytes,
                       struct err *err)
{
    ENTER();
    struct memory_volume *vol;
    int r = memory_find_volume(m, v, pool, volume, &vol, err);
    m->changes++;
    return r < 0 ? r : grow(vol, bytes, err);
}

int memory_delete_volume(struct virt *v, const char *pool, const char *volume, struct err *err)
{
    ENTER();
    struct memory_volume *vol;
    int r = memory_find_volume(m, v, pool, volume, &vol, err);
    if (r < 0)
        return r;
    m->changes++;
    free(vol->pool);
    free(vol->name);
    free(vol->format);
    free(vol->backing);
    *vol = m->volumes[--m->n_volumes];
    return 0;
}

int memory_volume_head(struct virt *v, const char *pool, const char *volume, void *ret, size_t size,
                       size_t *ret_len, struct err *err)
{
    ENTER();
    struct memory_volume *vol;
    uint8_t *head = ret;
    int r = memory_find_volume(m, v, pool, volume, &vol, err);
    if (r < 0)
        return r;
    memset(head, 0, size);
    *ret_len = size;
    if (strcmp(vol->format, "qcow2") != 0)
        return 0;
    memcpy(head, "QFI\xfb\0\0\0\3", 8);
    size_t len = vol->backing ? strlen(vol->backing) : 0;
    if (len > 0) {
        head[15] = 104;
        head[19] = (uint8_t)len;
        memcpy(head + 104, vol->backing, len);
    }
    return 0;
}

int memory_refresh(struct virt *v, const char *pool, struct err *err)
{
    return 0;
}

int memory_name_volume(struct virt *v, struct virt_volume *volume, struct err *err)
{
    ENTER();
    if (volume->path && !volume->pool && memory_volume_of(m, POOL, volume->path)) {
        volume->pool = mem_strdup(POOL);
        volume->volume = mem_strdup(volume->path);
    }
    return 0;
}

int memory_place_volume(struct virt *v, struct virt_volume *volume, struct err *err)
{
    volume->path = mem_strdup(volume->volume);
    return 0;
}
