// SPDX-License-Identifier: GPL-3.0-or-later
// Volumes of storage pools through libvirt, which runs qemu-img itself.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/esc.h"
#include "libvirt_change.h"
#include "xml_node.h"

#define XML_MAX 65536

static inline void pool_freep(virStoragePoolPtr *p)
{
    if (*p)
        virStoragePoolFree(*p);
}

static inline void vol_freep(virStorageVolPtr *v)
{
    if (*v)
        virStorageVolFree(*v);
}

static virStoragePoolPtr find_pool(struct use *use, const char *name, struct err *err)
{
    virStoragePoolPtr pool = virStoragePoolLookupByName(use->conn, name);
    if (!pool) {
        virt_libvirt_error(err, "looking up a storage pool");
        return NULL;
    }
    if (virStoragePoolIsActive(pool) != 0)
        return pool;
    err_set(err, ESRCH, "the storage pool \"%s\" is not active", name);
    virStoragePoolFree(pool);
    return NULL;
}

// A link in a folder may lead anywhere. Logical volumes are links too, to block devices.
static bool leaves_pool(virStorageVolPtr vol)
{
    char *path CLEANUP(freep) = virStorageVolGetPath(vol);
    struct stat st;
    return path && lstat(path, &st) == 0 && S_ISLNK(st.st_mode) &&
           !(stat(path, &st) == 0 && S_ISBLK(st.st_mode));
}

// A volume that came without libvirt's doing is known after a refresh only.
static virStorageVolPtr find_volume(struct use *use, const char *pool_name, const char *name,
                                    struct err *err)
{
    virStoragePoolPtr pool CLEANUP(pool_freep) = find_pool(use, pool_name, err);
    if (!pool)
        return NULL;
    virStorageVolPtr vol = virStorageVolLookupByName(pool, name);
    if (!vol && virStoragePoolRefresh(pool, 0) == 0)
        vol = virStorageVolLookupByName(pool, name);
    if (vol && leaves_pool(vol)) {
        err_set(err, ELOOP, "the volume \"%s\" of the pool \"%s\" is a symbolic link", name,
                pool_name);
        virStorageVolFree(vol);
        return NULL;
    }
    if (!vol)
        err_set(err, ENOENT, "the pool \"%s\" has no volume \"%s\"", pool_name, name);
    return vol;
}

static int code_of(const struct err *why, struct err *err)
{
    if (err)
        *err = *why;
    return -why->code;
}

int virt_volume_find(struct use *use, struct virt_volume *v, struct err *err)
{
    struct err why = {0};
    if (!v->pool || v->path)
        return 0;
    virStorageVolPtr vol CLEANUP(vol_freep) = find_volume(use, v->pool, v->volume, &why);
    if (!vol)
        return code_of(&why, err);
    virStorageVolInfo info = {0};
    char *path CLEANUP(freep) = virStorageVolGetPath(vol);
    if (!path || virStorageVolGetInfo(vol, &info) < 0)
        return virt_libvirt_error(err, "looking up a volume");
    v->path = mem_strdup(path);
    v->block = info.type == VIR_STORAGE_VOL_BLOCK;
    return 0;
}

/* Paths, which libvirt tells and nobody else. */

static bool lookup_path(struct use *use, struct virt_volume *v)
{
    virStorageVolPtr vol CLEANUP(vol_freep) = virStorageVolLookupByPath(use->conn, v->path);
    virStoragePoolPtr pool CLEANUP(pool_freep) = vol ? virStoragePoolLookupByVolume(vol) : NULL;
    if (!pool)
        return false;
    v->pool = mem_strdup(virStoragePoolGetName(pool));
    v->volume = mem_strdup(virStorageVolGetName(vol));
    return true;
}

// The folder, or device's folder, that a pool stands for. Caller frees; NULL where it has none.
static char *pool_folder(virStoragePoolPtr pool)
{
    char *xml CLEANUP(freep) = virStoragePoolGetXMLDesc(pool, 0);
    CLEANUP(xml_doc_freep)
    xmlDoc *doc = xml ? xml_node_parse(xml, strlen(xml), "pool", NULL) : NULL;
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    return xml_node_content(xml_node_child(xml_node_child(root, "target"), "path"));
}

static bool lies_in(const char *path, const char *folder)
{
    size_t len = folder ? strlen(folder) : 0;
    return len > 0 && strncmp(path, folder, len) == 0 && path[len] == '/' &&
           !strchr(path + len + 1, '/');
}

static void refresh_pool_of(struct use *use, const char *path)
{
    virStoragePoolPtr *pools = NULL;
    int n = virConnectListAllStoragePools(use->conn, &pools, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE);
    for (int i = 0; i < n; i++) {
        char *folder CLEANUP(freep) = pool_folder(pools[i]);
        if (lies_in(path, folder))
            virStoragePoolRefresh(pools[i], 0);
        virStoragePoolFree(pools[i]);
    }
    free(pools);
}

void virt_volume_name(struct use *use, struct virt_volume *v)
{
    if (!v->path || v->pool || lookup_path(use, v))
        return;
    refresh_pool_of(use, v->path);
    lookup_path(use, v);
}

int virt_libvirt_volume_head(struct virt *v, const char *pool, const char *volume, void *ret,
                             size_t size, size_t *ret_len, struct err *err)
{
    USE(use, v, err);
    struct err why = {0};
    virStorageVolPtr vol CLEANUP(vol_freep) = find_volume(&use, pool, volume, &why);
    if (!vol)
        return code_of(&why, err);
    virStreamPtr stream = virStreamNew(use.conn, 0);
    int n = stream && virStorageVolDownload(vol, stream, 0, size, 0) == 0 ? 1 : -1;
    *ret_len = 0;
    while (n > 0 && *ret_len < size) {
        n = virStreamRecv(stream, (char *)ret + *ret_len, size - *ret_len);
        *ret_len += n > 0 ? (size_t)n : 0;
    }
    int r = n < 0 ? virt_libvirt_error(err, "reading the beginning of a volume") : 0;
    if (stream && (r < 0 || virStreamFinish(stream) < 0))
        virStreamAbort(stream);
    if (stream)
        virStreamFree(stream);
    return r;
}

int virt_libvirt_refresh(struct virt *v, const char *name, struct err *err)
{
    USE(use, v, err);
    struct err why = {0};
    virStoragePoolPtr pool CLEANUP(pool_freep) = find_pool(&use, name, &why);
    if (!pool)
        return code_of(&why, err);
    return virStoragePoolRefresh(pool, 0) < 0
               ? virt_libvirt_error(err, "looking into the storage pool")
               : 0;
}

int virt_libvirt_name_volume(struct virt *v, struct virt_volume *volume, struct err *err)
{
    USE(use, v, err);
    virt_volume_name(&use, volume);
    return 0;
}

int virt_libvirt_place_volume(struct virt *v, struct virt_volume *volume, struct err *err)
{
    USE(use, v, err);
    struct err why = {0};
    virStoragePoolPtr pool CLEANUP(pool_freep) = find_pool(&use, volume->pool, &why);
    if (!pool)
        return code_of(&why, err);
    char *folder CLEANUP(freep) = pool_folder(pool);
    if (!folder || volume->path)
        return err_set(err, EINVAL, "the pool \"%s\" is no folder", volume->pool);
    volume->path = mem_printf("%s/%s", folder, volume->volume);
    return 0;
}

static void read_xml(const char *xml, struct virt_volume_info *ret)
{
    CLEANUP(xml_doc_freep) xmlDoc *doc = xml_node_parse(xml, strlen(xml), "volume", NULL);
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    const xmlNode *format = xml_node_child(xml_node_child(root, "target"), "format");
    ret->format = xml_node_attribute(format, "type");
    ret->backing = xml_node_content(xml_node_child(xml_node_child(root, "backingStore"), "path"));
    if (ret->backing && !*ret->backing) {
        free(ret->backing);
        ret->backing = NULL;
    }
}

int virt_libvirt_volume(struct virt *v, const char *pool, const char *volume,
                        struct virt_volume_info *ret, struct err *err)
{
    USE(use, v, err);
    struct err why = {0};
    virStorageVolPtr vol CLEANUP(vol_freep) = find_volume(&use, pool, volume, &why);
    if (!vol)
        return code_of(&why, err);
    virStorageVolInfo info;
    char *xml CLEANUP(freep) = virStorageVolGetXMLDesc(vol, 0);
    if (!xml || virStorageVolGetInfo(vol, &info) < 0)
        return virt_libvirt_error(err, "reading a volume");
    *ret = (struct virt_volume_info){.capacity_bytes = info.capacity,
                                     .allocation_bytes = info.allocation};
    read_xml(xml, ret);
    return 0;
}

static void write_volume(const struct virt_volume_spec *s, const char *backing, struct buf *out)
{
    buf_puts(out, "<volume><name>");
    esc_html(out, s->volume);
    buf_printf(out, "</name><capacity unit='bytes'>%ju</capacity>", (uintmax_t)s->capacity_bytes);
    if (strcmp(s->format, "raw") == 0)
        buf_puts(out, "<allocation unit='bytes'>0</allocation>");
    // Version 3 of qcow2, without which there are no dirty bitmaps; libvirt's default is version 2.
    buf_printf(out, "<target><format type='%s'/>%s</target>", s->format,
               strcmp(s->format, "qcow2") == 0 ? "<compat>1.1</compat>" : "");
    if (backing) {
        buf_puts(out, "<backingStore><path>");
        esc_html(out, backing);
        buf_printf(out, "</path><format type='%s'/></backingStore>", s->backing_format);
    }
    buf_puts(out, "</volume>");
}

static int refuse_taken(virStoragePoolPtr pool, const struct virt_volume_spec *spec,
                        struct err *err)
{
    virStorageVolPtr old CLEANUP(vol_freep) = virStorageVolLookupByName(pool, spec->volume);
    return old ? err_set(err, EEXIST, "the pool \"%s\" has a volume \"%s\" already", spec->pool,
                         spec->volume)
               : 0;
}

int virt_libvirt_create_volume(struct virt *v, const struct virt_volume_spec *spec, struct err *err)
{
    USE(use, v, err);
    struct err why = {0};
    virStoragePoolPtr pool CLEANUP(pool_freep) = find_pool(&use, spec->pool, &why);
    if (!pool)
        return code_of(&why, err);
    int r = refuse_taken(pool, spec, err);
    if (r < 0)
        return r;
    char *backing CLEANUP(freep) = NULL;
    if (spec->backing_volume) {
        virStorageVolPtr below CLEANUP(vol_freep) =
            find_volume(&use, spec->backing_pool, spec->backing_volume, &why);
        if (!below)
            return code_of(&why, err);
        backing = virStorageVolGetPath(below);
    }
    struct buf xml CLEANUP(buf_done);
    buf_init(&xml, XML_MAX);
    write_volume(spec, backing, &xml);
    virStorageVolPtr vol CLEANUP(vol_freep) = virStorageVolCreateXML(pool, xml.data, 0);
    return vol ? 0 : virt_libvirt_error(err, "making a volume");
}

int virt_libvirt_copy_volume(struct virt *v, const struct virt_volume_spec *spec,
                             const char *from_pool, const char *from_volume, struct err *err)
{
    USE(use, v, err);
    struct err why = {0};
    virStoragePoolPtr pool CLEANUP(pool_freep) = find_pool(&use, spec->pool, &why);
    virStorageVolPtr from CLEANUP(vol_freep) =
        pool ? find_volume(&use, from_pool, from_volume, &why) : NULL;
    if (!from)
        return code_of(&why, err);
    int r = refuse_taken(pool, spec, err);
    if (r < 0)
        return r;
    struct buf xml CLEANUP(buf_done);
    buf_init(&xml, XML_MAX);
    write_volume(spec, NULL, &xml);
    virStorageVolPtr vol CLEANUP(vol_freep) = virStorageVolCreateXMLFrom(pool, xml.data, from, 0);
    return vol ? 0 : virt_libvirt_error(err, "copying a volume");
}

int virt_libvirt_fill_volume(struct virt *v, const char *pool, const char *volume, const void *data,
                             size_t len, struct err *err)
{
    USE(use, v, err);
    struct err why = {0};
    virStorageVolPtr vol CLEANUP(vol_freep) = find_volume(&use, pool, volume, &why);
    if (!vol)
        return code_of(&why, err);
    virStreamPtr stream = virStreamNew(use.conn, 0);
    int r = stream && virStorageVolUpload(vol, stream, 0, len, 0) == 0 ? 0 : -1;
    for (size_t at = 0; r == 0 && at < len;) {
        int n = virStreamSend(stream, (const char *)data + at, MIN_OF(len - at, (size_t)262120));
        if (n <= 0)
            r = -1;
        else
            at += (size_t)n;
    }
    if (r == 0)
        r = virStreamFinish(stream);
    r = r < 0 ? virt_libvirt_error(err, "writing a volume") : 0;
    if (r < 0 && stream)
        virStreamAbort(stream);
    if (stream)
        virStreamFree(stream);
    return r;
}

int virt_libvirt_grow_volume(struct virt *v, const char *pool, const char *volume, uint64_t bytes,
                             struct err *err)
{
    USE(use, v, err);
    struct err why = {0};
    virStorageVolPtr vol CLEANUP(vol_freep) = find_volume(&use, pool, volume, &why);
    virStorageVolInfo info;
    if (!vol)
        return code_of(&why, err);
    if (virStorageVolGetInfo(vol, &info) < 0)
        return virt_libvirt_error(err, "reading a volume");
    if (bytes < info.capacity)
        return err_set(err, EINVAL, "the disk has %llu bytes: shrinking would cut data off",
                       info.capacity);
    return virStorageVolResize(vol, bytes, 0) < 0 ? virt_libvirt_error(err, "growing a volume") : 0;
}

int virt_libvirt_delete_volume(struct virt *v, const char *pool, const char *volume,
                               struct err *err)
{
    USE(use, v, err);
    struct err why = {0};
    virStorageVolPtr vol CLEANUP(vol_freep) = find_volume(&use, pool, volume, &why);
    if (!vol)
        return code_of(&why, err);
    return virStorageVolDelete(vol, 0) < 0 ? virt_libvirt_error(err, "deleting a volume") : 0;
}
