// SPDX-License-Identifier: GPL-3.0-or-later
// A VM that ran stays running. libvirt stops a VM while it writes its memory, and does not always
// let it go on when it was killed meanwhile. Worse: where QEMU still answers the command of before
// when libvirt is back, libvirt takes the answer for another's and ends QEMU ("unexpected type
// returned by QEMU command", libvirt 9.0).
#include <string.h>

#include "run.h"

static bool is_in(const struct virt_domain *d, const char *state, const char *const *reasons,
                  size_t n)
{
    if (strcmp(virt_state_name(d->state), state) != 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(virt_reason_name(d->state, d->reason), reasons[i]) == 0)
            return true;
    return false;
}

int run_note_running(struct manage_run *r, struct err *err)
{
    struct virt_domain d = {0};
    int w = run_lookup(r, &d, err);
    bool runs = w == 0 && strcmp(virt_state_name(d.state), "running") == 0;
    virt_domain_done(&d);
    return w < 0 || !runs ? w : run_note(r, json_pack("{s:s}", "make", "running"), err);
}

static int let_go_on(struct manage_run *r, struct err *err)
{
    int w = r->manage->power(r->virt, &r->uuid, VIRT_POWER_RESUME, err);
    if (w == 0)
        json_object_set_new(r->result, "resumed",
                            json_string("the VM had been left paused in the middle of it, and was "
                                        "let go on"));
    return w;
}

int run_go_on(struct manage_run *r, const json_t *notes, bool *ret_ended, struct err *err)
{
    static const char *const held[] = {"unknown", "saving", "dumping", "migrating",
                                       "creating snapshot"};
    static const char *const ended[] = {"unknown", "daemon", "crashed", "failed"};
    struct virt_domain d = {0};
    size_t at = 0, at_held = 0;
    *ret_ended = false;
    if (!run_notes_next(notes, "running", &at))
        return 0;
    int w = run_lookup(r, &d, err);
    bool by_us = run_notes_next(notes, "held", &at_held) != NULL;
    bool paused = strcmp(virt_state_name(d.state), "paused") == 0;
    if (w == 0 && ((by_us && paused) || is_in(&d, "paused", held, ARRAY_LEN(held))))
        w = let_go_on(r, err);
    else if (w == 0)
        *ret_ended = is_in(&d, "shut off", ended, ARRAY_LEN(ended));
    virt_domain_done(&d);
    return w;
}

int run_start_again(struct manage_run *r, bool ended, struct err *err)
{
    int w = ended ? run_power_on(r, &r->uuid, VIRT_POWER_START, err) : 0;
    if (ended && w == 0)
        json_object_set_new(r->result, "restarted",
                            json_string("libvirt ended the VM in the middle of it; what its memory "
                                        "held is lost, and it was started again"));
    return w;
}
