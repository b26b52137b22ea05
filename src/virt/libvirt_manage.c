// SPDX-License-Identifier: GPL-3.0-or-later
// Definitions and power through libvirt. Wherever libvirt knows a volume by its path only, the
// path is looked up here; none comes from outside.
#include <errno.h>
#include <string.h>

#include "libvirt_change.h"
#include "libvirt_priv.h"

#define XML_MAX (4u * 1024 * 1024)

int virt_change_begin(struct change *c, struct virt *v, const struct uuid *uuid, struct err *err)
{
    *c = (struct change){0};
    int r = virt_use_begin(&c->use, v, err);
    if (r < 0)
        return r;
    struct err why = {0};
    c->domain = virt_libvirt_domain(&c->use, uuid, &why);
    if (!c->domain && err)
        *err = why;
    return c->domain ? 0 : -why.code;
}

void virt_change_end(struct change *c)
{
    domain_freep(&c->domain);
    virt_use_end(&c->use);
}

int virt_change_active(const struct change *c, struct err *err)
{
    int active = virDomainIsActive(c->domain);
    return active < 0 ? virt_libvirt_error(err, "asking whether the VM runs") : active;
}

unsigned virt_change_flags(const struct change *c, unsigned scope)
{
    unsigned flags = 0;
    if ((scope & VIRT_LIVE) && virDomainIsActive(c->domain) == 1)
        flags |= VIR_DOMAIN_AFFECT_LIVE;
    if (scope & VIRT_CONFIG)
        flags |= VIR_DOMAIN_AFFECT_CONFIG;
    return flags;
}

/* The definition. */

static int libvirt_spec(struct virt *v, const struct uuid *uuid, struct virt_spec *ret,
                        struct err *err)
{
    CHANGE(c, v, uuid, err);
    char *xml CLEANUP(freep) = virDomainGetXMLDesc(c.domain, VIR_DOMAIN_XML_INACTIVE);
    if (!xml)
        return virt_libvirt_error(err, "reading a VM's definition");
    int r = virt_spec_read(xml, strlen(xml), ret, err);
    if (r < 0)
        return r;
    int autostart = 0;
    if (virDomainIsPersistent(c.domain) == 1 && virDomainGetAutostart(c.domain, &autostart) == 0)
        ret->autostart = autostart;
    for (size_t i = 0; i < ret->n_disks; i++)
        virt_volume_name(&c.use, &ret->disks[i].source);
    virt_volume_name(&c.use, &ret->kernel);
    virt_volume_name(&c.use, &ret->initrd);
    return 0;
}

static int find_paths(struct use *use, struct virt_spec *spec, struct err *err)
{
    int r = virt_volume_find(use, &spec->kernel, err);
    if (r == 0)
        r = virt_volume_find(use, &spec->initrd, err);
    for (size_t i = 0; r == 0 && i < spec->n_disks; i++)
        r = virt_volume_find(use, &spec->disks[i].source, err);
    return r;
}

static const char *domain_type(struct use *use)
{
    char *xml = virConnectGetDomainCapabilities(use->conn, NULL, "x86_64", NULL, "kvm", 0);
    bool kvm = xml != NULL;
    free(xml);
    return kvm ? "kvm" : "qemu";
}

static int define_xml(struct use *use, const char *xml, bool autostart, struct err *err)
{
    virDomainPtr d CLEANUP(domain_freep) =
        virDomainDefineXMLFlags(use->conn, xml, VIR_DOMAIN_DEFINE_VALIDATE);
    if (!d)
        return virt_libvirt_error(err, "defining the VM");
    if (!autostart || virDomainSetAutostart(d, 1) == 0)
        return 0;
    int r = virt_libvirt_error(err, "having the VM start with the host");
    virDomainUndefineFlags(d, VIR_DOMAIN_UNDEFINE_NVRAM);
    return r;
}

// libvirt would take a definition with a known name and no UUID for an error of another kind.
static int refuse_taken(struct use *use, const char *name, struct err *err)
{
    virDomainPtr d = virDomainLookupByName(use->conn, name);
    if (!d)
        return 0;
    virDomainFree(d);
    return err_set(err, EEXIST, "a VM called \"%s\" exists", name);
}

static int libvirt_define(struct virt *v, const struct virt_spec *spec, struct err *err)
{
    USE(use, v, err);
    struct virt_spec *s = (struct virt_spec *)spec; // its paths are the back end's to fill
    int r = refuse_taken(&use, spec->name, err);
    if (r == 0)
        r = find_paths(&use, s, err);
    if (r < 0)
        return r;
    struct buf xml CLEANUP(buf_done);
    buf_init(&xml, XML_MAX);
    virt_spec_write(s, domain_type(&use), &xml);
    if (xml.error)
        return err_set(err, E2BIG, "the definition is too large");
    return define_xml(&use, xml.data, spec->autostart, err);
}

static int libvirt_define_copy(struct virt *v, const struct uuid *uuid, const char *name,
                               const struct uuid *fresh, const struct virt_disk *disks, size_t n,
                               struct err *err)
{
    CHANGE(c, v, uuid, err);
    int r = refuse_taken(&c.use, name, err);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = virt_volume_find(&c.use, (struct virt_volume *)&disks[i].source, err);
    if (r < 0)
        return r;
    char *xml CLEANUP(freep) = virDomainGetXMLDesc(
        c.domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_MIGRATABLE);
    char *copy CLEANUP(freep) = NULL;
    if (!xml)
        return virt_libvirt_error(err, "reading a VM's definition");
    r = virt_spec_copy(xml, strlen(xml), name, fresh, disks, n, &copy, err);
    return r < 0 ? r : define_xml(&c.use, copy, false, err);
}

static int libvirt_undefine(struct virt *v, const struct uuid *uuid, unsigned with, struct err *err)
{
    static const struct {
        unsigned with, flag;
    } flags[] = {
        {VIRT_UNDEFINE_SAVED, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE},
        {VIRT_UNDEFINE_SNAPSHOTS, VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA},
        {VIRT_UNDEFINE_CHECKPOINTS, VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA},
    };
    CHANGE(c, v, uuid, err);
    unsigned chosen =
        with & VIRT_UNDEFINE_NVRAM ? VIR_DOMAIN_UNDEFINE_NVRAM : VIR_DOMAIN_UNDEFINE_KEEP_NVRAM;
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (with & flags[i].with)
            chosen |= flags[i].flag;
    // A running VM would go on as a transient one.
    int active = virt_change_active(&c, err);
    if (active != 0)
        return active < 0 ? active : err_set(err, EBUSY, "the VM is running");
    if (virDomainUndefineFlags(c.domain, chosen) < 0)
        return virt_libvirt_error(err, "removing the VM's definition");
    virt_libvirt_forget(&c.use, uuid);
    return 0;
}

/* Power. */

static int start(virDomainPtr d)
{
    return virDomainCreateWithFlags(d, 0);
}

static int reset(virDomainPtr d)
{
    return virDomainReset(d, 0);
}

static int power_off(virDomainPtr d)
{
    return virDomainDestroyFlags(d, VIR_DOMAIN_DESTROY_DEFAULT);
}

static int request_shutdown(virDomainPtr d)
{
    return virDomainShutdownFlags(d, VIR_DOMAIN_SHUTDOWN_DEFAULT);
}

static int request_reboot(virDomainPtr d)
{
    return virDomainReboot(d, VIR_DOMAIN_REBOOT_DEFAULT);
}

static int start_paused(virDomainPtr d)
{
    return virDomainCreateWithFlags(d, VIR_DOMAIN_START_PAUSED);
}

static int save(virDomainPtr d)
{
    return virDomainManagedSave(d, 0);
}

static const struct {
    int (*call)(virDomainPtr d);
    const char *what;
} powers[VIRT_POWER_MAX] = {
    [VIRT_POWER_START] = {start, "starting the VM"},
    [VIRT_POWER_SHUTDOWN] = {request_shutdown, "asking the guest to shut down"},
    [VIRT_POWER_REBOOT] = {request_reboot, "asking the guest to reboot"},
    [VIRT_POWER_RESET] = {reset, "resetting the VM"},
    [VIRT_POWER_DESTROY] = {power_off, "switching the VM off"},
    [VIRT_POWER_PAUSE] = {virDomainSuspend, "pausing the VM"},
    [VIRT_POWER_RESUME] = {virDomainResume, "resuming the VM"},
    [VIRT_POWER_SAVE] = {save, "saving the VM's memory"},
    [VIRT_POWER_START_PAUSED] = {start_paused, "opening the VM's images"},
};

static int libvirt_power(struct virt *v, const struct uuid *uuid, enum virt_power power,
                         struct err *err)
{
    CHANGE(c, v, uuid, err);
    return powers[power].call(c.domain) < 0 ? virt_libvirt_error(err, powers[power].what) : 0;
}

static int libvirt_has_save(struct virt *v, const struct uuid *uuid, struct err *err)
{
    CHANGE(c, v, uuid, err);
    int has = virDomainHasManagedSaveImage(c.domain, 0);
    return has < 0 ? virt_libvirt_error(err, "asking for saved memory") : has;
}

static int libvirt_set_autostart(struct virt *v, const struct uuid *uuid, bool on, struct err *err)
{
    CHANGE(c, v, uuid, err);
    return virDomainSetAutostart(c.domain, on) < 0 ? virt_libvirt_error(err, "setting autostart")
                                                   : 0;
}

static int libvirt_rename(struct virt *v, const struct uuid *uuid, const char *name,
                          struct err *err)
{
    CHANGE(c, v, uuid, err);
    int r = refuse_taken(&c.use, name, err);
    if (r == 0 && virDomainRename(c.domain, name, 0) < 0)
        r = virt_libvirt_error(err, "renaming the VM");
    virt_libvirt_forget(&c.use, uuid);
    return r;
}

static int libvirt_set_labels(struct virt *v, const struct uuid *uuid, const struct virt_spec *from,
                              struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct buf xml CLEANUP(buf_done);
    buf_init(&xml, XML_MAX);
    virt_labels_write(from, &xml);
    unsigned flags = virt_change_flags(&c, VIRT_LIVE | VIRT_CONFIG);
    if (virDomainSetMetadata(c.domain, VIR_DOMAIN_METADATA_ELEMENT, xml.data, "vherd",
                             VIRT_LABELS_URI, flags) < 0)
        return virt_libvirt_error(err, "writing labels");
    return 0;
}

static int libvirt_job(struct virt *v, const struct uuid *uuid, struct virt_job *ret,
                       struct err *err)
{
    CHANGE(c, v, uuid, err);
    virDomainJobInfo info = {0};
    if (virDomainGetJobInfo(c.domain, &info) < 0)
        return virt_libvirt_error(err, "asking for the VM's job");
    *ret = (struct virt_job){
        .active = info.type == VIR_DOMAIN_JOB_BOUNDED || info.type == VIR_DOMAIN_JOB_UNBOUNDED,
        .done = info.dataProcessed,
        .total = info.dataTotal,
    };
    return 0;
}

static int libvirt_abort_job(struct virt *v, const struct uuid *uuid, struct err *err)
{
    CHANGE(c, v, uuid, err);
    return virDomainAbortJob(c.domain) < 0 ? virt_libvirt_error(err, "aborting the VM's job") : 0;
}

const struct virt_manage virt_libvirt_manage = {
    .spec = libvirt_spec,
    .define = libvirt_define,
    .define_copy = libvirt_define_copy,
    .undefine = libvirt_undefine,
    .power = libvirt_power,
    .has_save = libvirt_has_save,
    .set_autostart = libvirt_set_autostart,
    .rename = libvirt_rename,
    .set_labels = libvirt_set_labels,
    .size = virt_libvirt_size,
    .set_vcpus = virt_libvirt_set_vcpus,
    .set_memory = virt_libvirt_set_memory,
    .plug_memory = virt_libvirt_plug_memory,
    .unplug_memory = virt_libvirt_unplug_memory,
    .cpu_limits = virt_libvirt_cpu_limits,
    .pin = virt_libvirt_pin,
    .cells = virt_libvirt_cells,
    .set_numa = virt_libvirt_set_numa,
    .attach_disk = virt_libvirt_attach_disk,
    .detach_disk = virt_libvirt_detach_disk,
    .attach_nic = virt_libvirt_attach_nic,
    .detach_nic = virt_libvirt_detach_nic,
    .disk_limits = virt_libvirt_disk_limits,
    .nic_limits = virt_libvirt_nic_limits,
    .grow_disk = virt_libvirt_grow_disk,
    .volume = virt_libvirt_volume,
    .create_volume = virt_libvirt_create_volume,
    .copy_volume = virt_libvirt_copy_volume,
    .fill_volume = virt_libvirt_fill_volume,
    .grow_volume = virt_libvirt_grow_volume,
    .delete_volume = virt_libvirt_delete_volume,
    .snapshots = virt_libvirt_snapshots,
    .create_snapshot = virt_libvirt_create_snapshot,
    .revert = virt_libvirt_revert,
    .delete_snapshot = virt_libvirt_delete_snapshot,
    .redirect_snapshot = virt_libvirt_redirect_snapshot,
    .definition = virt_libvirt_definition,
    .redefine = virt_libvirt_redefine,
    .redefine_as = virt_libvirt_redefine_as,
    .restore_memory = virt_libvirt_restore_memory,
    .drop_save = virt_libvirt_drop_save,
    .chain = virt_libvirt_chain,
    .merge = virt_libvirt_merge,
    .merge_end = virt_libvirt_merge_end,
    .agent = virt_libvirt_agent,
    .thaw = virt_libvirt_thaw,
    .volume_head = virt_libvirt_volume_head,
    .refresh = virt_libvirt_refresh,
    .name_volume = virt_libvirt_name_volume,
    .place_volume = virt_libvirt_place_volume,
    .checkpoints = virt_libvirt_checkpoints,
    .console = virt_libvirt_console,
    .job = libvirt_job,
    .abort_job = libvirt_abort_job,
};
