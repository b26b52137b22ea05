// SPDX-License-Identifier: GPL-3.0-or-later
// VMs that are made from fields.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "run.h"

// "vda", "vdb", … unless the body says otherwise. Caller frees.
static char *target_of(const json_t *wanted, size_t i)
{
    const char *target = run_member(wanted, "target");
    return target ? mem_strdup(target) : mem_printf("vd%c", (char)('a' + i));
}

static int check_links(struct manage_run *r, struct err *err)
{
    size_t i;
    const json_t *nic;
    json_array_foreach(json_object_get(r->body, "nics"), i, nic)
    {
        if (!run_member(nic, "network") == !run_member(nic, "bridge"))
            return err_set(err, EINVAL, "nics[%zu] needs a network or a bridge, and not both", i);
    }
    return 0;
}

static int check_boot(struct manage_run *r, const char *field, struct err *err)
{
    const json_t *v = json_object_get(r->body, field);
    struct virt_volume_info info = {0};
    int w =
        v ? r->manage->volume(r->virt, run_member(v, "pool"), run_member(v, "volume"), &info, err)
          : 0;
    virt_volume_info_done(&info);
    return w;
}

static int check_create(struct manage_run *r, struct err *err)
{
    const char *name = run_text(r, "name");
    size_t i;
    const json_t *disk;
    int w = run_check_name_free(r, name, err);
    if (w == 0)
        w = check_links(r, err);
    if (w == 0)
        w = check_boot(r, "kernel", err);
    if (w == 0)
        w = check_boot(r, "initrd", err);
    json_array_foreach(json_object_get(r->body, "disks"), i, disk)
    {
        CLEANUP(freep) char *target = target_of(disk, i);
        CLEANUP(freep) char *volume = run_volume_name(name, target, run_disk_format(disk));
        if (w == 0)
            w = run_check_disk(r, disk, volume, err);
    }
    if (w == 0)
        w = run_check_seed(r, err);
    if (w == 0)
        w = run_check_numa(r, json_object_get(r->body, "numa"), (unsigned)run_number(r, "vcpus", 1),
                           err);
    if (w == 0 && run_number(r, "plug_memory", 0) % (int64_t)VIRT_DIMM_BYTES != 0)
        w = err_set(err, EINVAL, "plug_memory: DIMMs come in whole 128 MiB");
    if (w < 0)
        return w;
    intmax_t vcpus = (intmax_t)run_number(r, "vcpus", 1);
    run_say(r, "define the VM %s with %jd vCPU%s and %jd bytes of memory", name, vcpus,
            vcpus == 1 ? "" : "s", (intmax_t)run_number(r, "memory", 0));
    if (run_flag(r, "start"))
        run_say(r, "start %s", name);
    return 0;
}

static void take_volume(const struct manage_run *r, const char *field, struct virt_volume *ret)
{
    const json_t *v = json_object_get(r->body, field);
    ret->pool = mem_strdup(run_member(v, "pool"));
    ret->volume = mem_strdup(run_member(v, "volume"));
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
    spec->plug_bytes = (uint64_t)run_number(r, "plug_memory", 0);
    spec->cmdline = mem_strdup(run_text(r, "cmdline"));
    spec->uefi = run_is(r, "firmware", "uefi", "bios");
    spec->autostart = run_flag(r, "autostart");
    spec->owner = mem_strdup(owner ? owner : r->principal);
    take_volume(r, "kernel", &spec->kernel);
    take_volume(r, "initrd", &spec->initrd);
    run_take_labels(r, spec);
    json_array_foreach(json_object_get(r->body, "nics"), i, nic)
    {
        spec->nics[spec->n_nics++] = (struct virt_nic){
            .network = mem_strdup(run_member(nic, "network")),
            .bridge = mem_strdup(run_member(nic, "bridge")),
            .mac = mem_strdup(run_member(nic, "mac")),
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
        CLEANUP(freep)
        char *volume = run_volume_name(spec->name, disk->target, run_disk_format(wanted));
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
    run_draw_uuid(&spec.uuid);
    int w = run_check_name_free(r, spec.name, err);
    if (w == 0)
        w = run_take_numa(r, json_object_get(r->body, "numa"), &spec, err);
    if (w == 0)
        w = make_disks(r, &spec, err);
    if (w == 0)
        w = run_make_seed(r, &spec, err);
    if (w == 0)
        w = run_note_vm(r, spec.name, &spec.uuid, err);
    if (w == 0)
        w = r->manage->define(r->virt, &spec, err);
    return w < 0 ? w : run_start_new(r, &spec.uuid, err);
}

const struct handler create_handlers[DEED_MAX] = {
    [DEED_CREATE] = {check_create, run_create, run_mend_new},
};
