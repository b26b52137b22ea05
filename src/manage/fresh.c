// SPDX-License-Identifier: GPL-3.0-or-later
// What create and clone share: a VM that comes into being, and what becomes of one that broke off.
// Order: note, volume, note, volume, …, note, definition, start; so that from the notes alone all
// can be undone until the definition stands.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "run.h"

int run_check_name_free(struct manage_run *r, const char *name, struct err *err)
{
    struct uuid uuid;
    int w = run_find(r, name, &uuid, err);
    return w == 1 ? err_set(err, EEXIST, "a VM called \"%s\" exists", name) : w;
}

void run_draw_uuid(struct uuid *ret)
{
    // 16 bytes come whole, without a signal in between (getrandom(2)).
    if (getrandom(ret->b, UUID_BYTES, 0) != UUID_BYTES)
        abort();
    ret->b[6] = (ret->b[6] & 0x0f) | 0x40;
    ret->b[8] = (ret->b[8] & 0x3f) | 0x80;
}

int run_note_vm(struct manage_run *r, const char *name, const struct uuid *uuid, struct err *err)
{
    char text[UUID_TEXT];
    uuid_format(uuid, text);
    json_object_set_new(r->result, "uuid", json_string(text));
    return run_note(r, json_pack("{s:s, s:s, s:s}", "make", "vm", "name", name, "uuid", text), err);
}

int run_start_new(struct manage_run *r, const struct uuid *uuid, struct err *err)
{
    return run_flag(r, "start") ? run_power_on(r, uuid, VIRT_POWER_START, err) : 0;
}

int run_mend_new(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                 struct err *err)
{
    size_t at = 0, n = 0;
    const json_t *note = run_notes_next(notes, "vm", &at);
    const char *text = note ? json_string_value(json_object_get(note, "uuid")) : NULL;
    struct uuid uuid;
    struct virt_domain d = {0};
    int w = -ENOENT;
    if (text && uuid_parse(text, strlen(text), &uuid))
        w = r->ops->lookup(r->virt, &uuid, &d, err);
    bool active = w == 0 && d.id >= 0;
    virt_domain_done(&d);
    if (w == 0 && !active && run_flag(r, "start") && run_clear_stray(r, &uuid, err) < 0)
        return -EBUSY;
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

void run_take_labels(const struct manage_run *r, struct virt_spec *spec)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(r->body, "labels"), name, value)
    {
        spec->labels[spec->n_labels++] =
            (struct virt_label){mem_strdup(name), mem_strdup(json_string_value(value))};
    }
}
