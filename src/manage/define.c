// SPDX-License-Identifier: GPL-3.0-or-later
// What changes of a definition: name and fields.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "run.h"

/* Rename. */

// libvirt calls the file of a VM's UEFI variables by the VM's name, and does not rename it: the VM
// would start with fresh ones, and who has the old name next with these.
static int refuse_uefi(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    int w = r->manage->spec(r->virt, &r->uuid, &spec, err);
    return w == 0 && spec.uefi ? err_set(err, EINVAL,
                                         "a VM with UEFI cannot be renamed: libvirt would leave "
                                         "its UEFI variables behind")
                               : w;
}

static int check_rename(struct manage_run *r, struct err *err)
{
    int w = run_need_off(r, "to be renamed", err);
    if (w == 0)
        w = run_check_name_free(r, run_text(r, "name"), err);
    if (w == 0)
        w = refuse_uefi(r, err);
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
        run_take_labels(r, &spec);
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
    [DEED_RENAME] = {check_rename, run_rename, NULL},
    [DEED_SET] = {check_set, run_set, NULL},
};
