// SPDX-License-Identifier: GPL-3.0-or-later
// VMs that come into being: create and clone; and what changes of a definition. Order: note,
// volume, note, volume, …, note, definition, start; so that from the notes alone all can be undone
// until the definition stands.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "run.h"

static char *volume_name(const char *vm, const char *target, const char *format)
{
    return mem_printf("%s-%s.%s", vm, target, format);
}

static const char *format_of(const json_t *wanted)
{
    const char *format = json_string_value(json_object_get(wanted, "format"));
    return format ? format : "qcow2";
}

static const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static uint64_t size_of(const json_t *wanted)
{
    return (uint64_t)json_integer_value(json_object_get(wanted, "size"));
}

// "vda", "vdb", … unless the body says otherwise. Caller frees.
static char *target_of(const json_t *wanted, size_t i)
{
    const char *target = member(wanted, "target");
    return target ? mem_strdup(target) : mem_printf("vd%c", (char)('a' + i));
}

/* One disk. */

static int check_absent(struct manage_run *r, const char *pool, const char *volume, struct err *err)
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
    const char *pool = member(wanted, "pool"), *existing = member(wanted, "volume");
    const char *image = member(wanted, "image"), *from = existing ? existing : image;
    struct virt_volume_info info = {0};
    if (existing && (image || size_of(wanted)))
        return err_set(err, EINVAL, "an existing volume takes neither image nor size");
    if (!from && !size_of(wanted))
        return err_set(err, EINVAL, "a new disk needs a size or an image");
    int w = from ? r->manage->volume(r->virt, pool, from, &info, err) : 0;
    if (w == 0 && image && size_of(wanted) && size_of(wanted) < info.capacity_bytes)
        w = err_set(err, EINVAL, "the image has %ju bytes, more than size",
                    (uintmax_t)info.capacity_bytes);
    virt_volume_info_done(&info);
    if (w == 0)
        w = existing ? check_unused(r, wanted, pool, existing, err)
                     : check_absent(r, pool, volume, err);
    if (w < 0)
        return w;
    if (existing)
        run_say(r, "use the volume %s of the pool %s", existing, pool);
    else if (image)
        run_say(r, "make the volume %s in the pool %s, a copy of %s", volume, pool, image);
    else
        run_say(r, "make the volume %s in the pool %s, %ju bytes, %s", volume, pool,
                (uintmax_t)size_of(wanted), format_of(wanted));
    return 0;
}

static int note_volume(struct manage_run *r, const char *pool, const char *volume, struct err *err)
{
    int w = check_absent(r, pool, volume, err);
    return w < 0 ? w
                 : run_note(r,
                            json_pack("{s:s, s:s, s:s}", "make", "volume", "pool", pool, "volume",
                                      volume),
                            err);
}

static int make_volume(struct manage_run *r, const json_t *wanted, const char *volume,
                       struct err *err)
{
    const char *pool = member(wanted, "pool"), *image = member(wanted, "image");
    struct virt_volume_spec spec = {.pool = pool,
                                    .volume = volume,
                                    .format = format_of(wanted),
                                    .capacity_bytes = size_of(wanted)};
    int w = note_volume(r, pool, volume, err);
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
    const char *pool = member(wanted, "pool"), *existing = member(wanted, "volume");
    disk->source.pool = mem_strdup(pool);
    disk->source.volume = mem_strdup(existing ? existing : volume);
    disk->read_only = json_is_true(json_object_get(wanted, "read_only"));
    if (!existing) {
        disk->format = mem_strdup(format_of(wanted));
        return make_volume(r, wanted, volume, err);
    }
    struct virt_volume_info info = {0};
    int w = r->manage->volume(r->virt, pool, existing, &info, err);
    const char *format = member(wanted, "format");
    if (w == 0)
        disk->format = mem_strdup(format ? format : info.format ? info.format : "raw");
    virt_volume_info_done(&info);
    return w;
}

/* The end of create and clone, and what becomes of one that broke off. */

static int check_name_free(struct manage_run *r, const char *name, struct err *err)
{
    struct uuid uuid;
    int w = run_find(r, name, &uuid, err);
    return w == 1 ? err_set(err, EEXIST, "a VM called \"%s\" exists", name) : w;
}

static void draw_uuid(struct uuid *ret)
{
    // 16 bytes come whole, without a signal in between (getrandom(2)).
    if (getrandom(ret->b, UUID_BYTES, 0) != UUID_BYTES)
        abort();
    ret->b[6] = (ret->b[6] & 0x0f) | 0x40;
    ret->b[8] = (ret->b[8] & 0x3f) | 0x80;
}

static int note_vm(struct manage_run *r, const char *name, const struct uuid *uuid, struct err *err)
{
    char text[UUID_TEXT];
    uuid_format(uuid, text);
    json_object_set_new(r->result, "uuid", json_string(text));
    return run_note(r, json_pack("{s:s, s:s, s:s}", "make", "vm", "name", name, "uuid", text), err);
}

static int start_new(struct manage_run *r, const struct uuid *uuid, struct err *err)
{
    return run_flag(r, "start") ? r->manage->power(r->virt, uuid, VIRT_POWER_START, err) : 0;
}

static int mend_new(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                    struct err *err)
{
    size_t at = 0, n = 0;
    const json_t *note = run_notes_next(notes, "vm", &at);
    const char *text = note ? member(note, "uuid") : NULL;
    struct uuid uuid;
    struct virt_domain d = {0};
    int w = -ENOENT;
    if (text && uuid_parse(text, strlen(text), &uuid))
        w = r->ops->lookup(r->virt, &uuid, &d, err);
    bool active = w == 0 && d.id >= 0;
    virt_domain_done(&d);
    if (w == 0 && (active || !run_flag(r, "start")))
        return 1;
    if (w == 0) {
        snprintf(ret_now, size, "the VM is made, with its disks, and is off");
        return 0;
    }
    if (w != -ENOENT)
        return w;
    w = run_unmake_volumes(r, notes, &n, err);
    if (w == 0)
        snprintf(ret_now, size,
                 n == 0 ? "nothing was made" : "there is no such VM, and no volume of it is left");
    return w;
}

/* Create. */

static int check_links(struct manage_run *r, struct err *err)
{
    size_t i;
    const json_t *nic;
    json_array_foreach(json_object_get(r->body, "nics"), i, nic)
    {
        if (!member(nic, "network") == !member(nic, "bridge"))
            return err_set(err, EINVAL, "nics[%zu] needs a network or a bridge, and not both", i);
    }
    return 0;
}

static int check_boot(struct manage_run *r, const char *field, struct err *err)
{
    const json_t *v = json_object_get(r->body, field);
    struct virt_volume_info info = {0};
    int w = v ? r->manage->volume(r->virt, member(v, "pool"), member(v, "volume"), &info, err) : 0;
    virt_volume_info_done(&info);
    return w;
}

static int check_create(struct manage_run *r, struct err *err)
{
    const char *name = run_text(r, "name");
    size_t i;
    const json_t *disk;
    int w = check_name_free(r, name, err);
    if (w == 0)
        w = check_links(r, err);
    if (w == 0)
        w = check_boot(r, "kernel", err);
    if (w == 0)
        w = check_boot(r, "initrd", err);
    json_array_foreach(json_object_get(r->body, "disks"), i, disk)
    {
        CLEANUP(freep) char *target = target_of(disk, i);
        CLEANUP(freep) char *volume = volume_name(name, target, format_of(disk));
        if (w == 0)
            w = run_check_disk(r, disk, volume, err);
    }
    if (w < 0)
        return w;
    intmax_t vcpus = (intmax_t)run_number(r, "vcpus", 1);
    run_say(r, "define the VM %s with %jd vCPU%s and %jd bytes of memory", name, vcpus,
            vcpus == 1 ? "" : "s", (intmax_t)run_number(r, "memory", 0));
    if (run_flag(r, "start"))
        run_say(r, "start %s", name);
    return 0;
}

static void take_labels(const struct manage_run *r, struct virt_spec *spec)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(r->body, "labels"), name, value)
    {
        spec->labels[spec->n_labels++] =
            (struct virt_label){mem_strdup(name), mem_strdup(json_string_value(value))};
    }
}

static void take_volume(const struct manage_run *r, const char *field, struct virt_volume *ret)
{
    const json_t *v = json_object_get(r->body, field);
    ret->pool = mem_strdup(member(v, "pool"));
    ret->volume = mem_strdup(member(v, "volume"));
}

static void take_fields(const struct manage_run *r, struct virt_spec *spec)
{
    size_t i;
    const json_t *nic;
    const char *owner = run_text(r, "owner");
    spec->name = mem_strdup(run_text(r, "name"));
    spec->vcpus = (unsigned)run_number(r, "vcpus", 1);
    spec->max_vcpus = (unsigned)run_number(r, "max_vcpus", 0);
    spec->memory_bytes = (uint64_t)run_number(r, "memory", 0);
    spec->max_memory_bytes = (uint64_t)run_number(r, "max_memory", 0);
    spec->cmdline = mem_strdup(run_text(r, "cmdline"));
    spec->uefi = run_is(r, "firmware", "uefi", "bios");
    spec->autostart = run_flag(r, "autostart");
    spec->owner = mem_strdup(owner ? owner : r->principal);
    take_volume(r, "kernel", &spec->kernel);
    take_volume(r, "initrd", &spec->initrd);
    take_labels(r, spec);
    json_array_foreach(json_object_get(r->body, "nics"), i, nic)
    {
        spec->nics[spec->n_nics++] = (struct virt_nic){
            .network = mem_strdup(member(nic, "network")),
            .bridge = mem_strdup(member(nic, "bridge")),
            .mac = mem_strdup(member(nic, "mac")),
        };
    }
}

static int make_disks(struct manage_run *r, struct virt_spec *spec, struct err *err)
{
    const json_t *disks = json_object_get(r->body, "disks");
    size_t n = json_array_size(disks), i;
    const json_t *wanted;
    json_array_foreach(disks, i, wanted)
    {
        struct virt_disk *disk = &spec->disks[spec->n_disks++];
        disk->target = target_of(wanted, i);
        CLEANUP(freep) char *volume = volume_name(spec->name, disk->target, format_of(wanted));
        r->progress(r->arg, (double)i / (double)(n + 1), "making disks");
        int w = run_make_disk(r, wanted, volume, disk, err);
        if (w < 0)
            return w;
        if (r->cancelled(r->arg))
            return err_set(err, ECANCELED, "cancelled");
    }
    return 0;
}

static int run_create(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    take_fields(r, &spec);
    draw_uuid(&spec.uuid);
    int w = check_name_free(r, spec.name, err);
    if (w == 0)
        w = make_disks(r, &spec, err);
    if (w == 0)
        w = note_vm(r, spec.name, &spec.uuid, err);
    if (w == 0)
        w = r->manage->define(r->virt, &spec, err);
    return w < 0 ? w : start_new(r, &spec.uuid, err);
}

/* Clone. */

static bool is_copied(const struct virt_disk *d)
{
    return !d->cdrom && !d->read_only;
}

static char *clone_volume(const struct manage_run *r, const struct virt_disk *d)
{
    const char *format = run_flag(r, "linked") || !d->format ? "qcow2" : d->format;
    return volume_name(run_text(r, "name"), d->target, format);
}

static int check_clone_disk(struct manage_run *r, const struct virt_disk *d, struct err *err)
{
    if (!d->source.pool)
        return err_set(err, EINVAL, "the disk %s is in no storage pool", d->target);
    CLEANUP(freep) char *volume = clone_volume(r, d);
    int w = check_absent(r, d->source.pool, volume, err);
    if (w == 0)
        run_say(r, "make the volume %s in the pool %s, %s %s", volume, d->source.pool,
                run_flag(r, "linked") ? "an overlay over" : "a copy of", d->source.volume);
    return w;
}

static int check_clone(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    int w = run_need_off(r, "to be copied", err);
    if (w == 0)
        w = check_name_free(r, run_text(r, "name"), err);
    if (w == 0)
        w = r->manage->spec(r->virt, &r->uuid, &spec, err);
    for (size_t i = 0; w == 0 && i < spec.n_disks; i++)
        if (is_copied(&spec.disks[i]))
            w = check_clone_disk(r, &spec.disks[i], err);
    if (w < 0)
        return w;
    if (run_flag(r, "linked"))
        run_say(r, "mark %s as the base of linked clones, so that it cannot be started", r->vm);
    run_say(r, "define the VM %s like %s, with new addresses", run_text(r, "name"), r->vm);
    if (run_flag(r, "start"))
        run_say(r, "start %s", run_text(r, "name"));
    return 0;
}

static int copy_disk(struct manage_run *r, const struct virt_disk *from, struct virt_disk *to,
                     struct err *err)
{
    bool linked = run_flag(r, "linked");
    const char *format = from->format ? from->format : "raw";
    struct virt_volume_info info = {0};
    to->target = mem_strdup(from->target);
    to->source.pool = mem_strdup(from->source.pool);
    to->source.volume = clone_volume(r, from);
    to->format = mem_strdup(linked ? "qcow2" : format);
    int w = note_volume(r, to->source.pool, to->source.volume, err);
    if (w == 0)
        w = r->manage->volume(r->virt, from->source.pool, from->source.volume, &info, err);
    const struct virt_volume_spec spec = {
        .pool = to->source.pool,
        .volume = to->source.volume,
        .format = to->format,
        .capacity_bytes = info.capacity_bytes,
        .backing_pool = linked ? from->source.pool : NULL,
        .backing_volume = linked ? from->source.volume : NULL,
        .backing_format = format,
    };
    virt_volume_info_done(&info);
    if (w < 0)
        return w;
    return linked ? r->manage->create_volume(r->virt, &spec, err)
                  : r->manage->copy_volume(r->virt, &spec, from->source.pool, from->source.volume,
                                           err);
}

// The base must not change under its overlays: a label on it keeps it from being started.
static int mark_base(struct manage_run *r, struct virt_spec *origin, struct err *err)
{
    for (size_t i = 0; i < origin->n_labels; i++)
        if (strcmp(origin->labels[i].name, LINKED_BASE) == 0)
            return 0;
    if (origin->n_labels == VIRT_LABELS_MAX)
        return err_set(err, E2BIG, "the origin has %d labels; one more is needed", VIRT_LABELS_MAX);
    origin->labels[origin->n_labels++] =
        (struct virt_label){mem_strdup(LINKED_BASE), mem_strdup("yes")};
    return r->manage->set_labels(r->virt, &r->uuid, origin, err);
}

static int clone_disks(struct manage_run *r, const struct virt_spec *origin, struct virt_spec *copy,
                       struct err *err)
{
    for (size_t i = 0; i < origin->n_disks; i++) {
        const struct virt_disk *from = &origin->disks[i];
        if (!is_copied(from))
            continue;
        if (!from->source.pool)
            return err_set(err, EINVAL, "the disk %s is in no storage pool", from->target);
        r->progress(r->arg, (double)i / (double)(origin->n_disks + 1), "copying disks");
        int w = copy_disk(r, from, &copy->disks[copy->n_disks++], err);
        if (w == 0 && r->cancelled(r->arg))
            w = err_set(err, ECANCELED, "cancelled");
        if (w < 0)
            return w;
    }
    return 0;
}

static int run_clone(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec origin = {0}, copy CLEANUP(virt_spec_done) = {0};
    const char *name = run_text(r, "name");
    struct uuid uuid;
    draw_uuid(&uuid);
    int w = run_need_off(r, "to be copied", err);
    if (w == 0)
        w = r->manage->spec(r->virt, &r->uuid, &origin, err);
    if (w == 0 && run_flag(r, "linked"))
        w = mark_base(r, &origin, err);
    if (w == 0)
        w = clone_disks(r, &origin, &copy, err);
    if (w == 0)
        w = note_vm(r, name, &uuid, err);
    if (w == 0)
        w = r->manage->define_copy(r->virt, &r->uuid, name, &uuid, copy.disks, copy.n_disks, err);
    return w < 0 ? w : start_new(r, &uuid, err);
}

/* Rename. */

static int check_rename(struct manage_run *r, struct err *err)
{
    int w = run_need_off(r, "to be renamed", err);
    if (w == 0)
        w = check_name_free(r, run_text(r, "name"), err);
    if (w == 0)
        run_say(r, "rename %s to %s", r->vm, run_text(r, "name"));
    return w;
}

static int run_rename(struct manage_run *r, struct err *err)
{
    return r->manage->rename(r->virt, &r->uuid, run_text(r, "name"), err);
}

/* Fields of the definition. */

static int set_sizes(struct manage_run *r, struct err *err)
{
    static const struct {
        const char *field;
        bool memory, max;
    } sizes[] = {
        {"max_vcpus", false, true},
        {"vcpus", false, false},
        {"max_memory", true, true},
        {"memory", true, false},
    };
    struct virt_size size;
    int s = r->manage->size(r->virt, &r->uuid, &size, err);
    for (size_t i = 0; s == 0 && i < ARRAY_LEN(sizes); i++) {
        int64_t n = run_number(r, sizes[i].field, -1);
        // Asking for more than the ceiling raises the ceiling, unless that is named too.
        if (n < 0 && sizes[i].max) {
            int64_t wanted = run_number(r, sizes[i + 1].field, -1);
            int64_t max = sizes[i].memory ? (int64_t)size.max_memory_bytes : size.max_vcpus;
            n = wanted > max ? wanted : -1;
        }
        if (n < 0)
            continue;
        int w = sizes[i].memory ? r->manage->set_memory(r->virt, &r->uuid, (uint64_t)n, VIRT_CONFIG,
                                                        sizes[i].max, err)
                                : r->manage->set_vcpus(r->virt, &r->uuid, (unsigned)n, VIRT_CONFIG,
                                                       sizes[i].max, err);
        if (w < 0)
            return err_wrap(err, "%s", sizes[i].field);
        json_object_set_new(r->result, sizes[i].field, json_integer(n));
    }
    return s;
}

static int set_labels(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    const char *owner = run_text(r, "owner");
    if (!owner && !json_object_get(r->body, "labels"))
        return 0;
    int w = r->manage->spec(r->virt, &r->uuid, &spec, err);
    if (w < 0)
        return w;
    if (owner)
        mem_strset(&spec.owner, owner);
    if (json_object_get(r->body, "labels")) {
        for (size_t i = 0; i < spec.n_labels; i++) {
            free(spec.labels[i].name);
            free(spec.labels[i].value);
        }
        spec.n_labels = 0;
        take_labels(r, &spec);
    }
    return r->manage->set_labels(r->virt, &r->uuid, &spec, err);
}

static int run_set(struct manage_run *r, struct err *err)
{
    const json_t *autostart = json_object_get(r->body, "autostart");
    int w = set_sizes(r, err);
    if (w == 0 && autostart)
        w = r->manage->set_autostart(r->virt, &r->uuid, json_is_true(autostart), err);
    if (w == 0)
        w = set_labels(r, err);
    return w;
}

static int check_set(struct manage_run *r, struct err *err)
{
    const char *name;
    json_t *value;
    struct virt_domain d = {0};
    int w = run_lookup(r, &d, err);
    virt_domain_done(&d);
    json_object_foreach((json_t *)r->body, name, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        run_say(r, "set %s of %s to %s", name, r->vm, text ? text : "?");
        free(text);
    }
    return w;
}

const struct handler define_handlers[DEED_MAX] = {
    [DEED_CREATE] = {check_create, run_create, mend_new},
    [DEED_CLONE] = {check_clone, run_clone, mend_new},
    [DEED_RENAME] = {check_rename, run_rename, NULL},
    [DEED_SET] = {check_set, run_set, NULL},
};
