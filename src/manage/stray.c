// SPDX-License-Identifier: GPL-3.0-or-later
// A VM whose process libvirt has lost. A libvirtd that comes back and cannot read what it had
// written of a running VM, or cannot get at its monitor and fails to end it, calls the VM off
// (libvirt 9.0, qemuProcessReconnect()): its QEMU runs on, holds the images' locks, and every start
// fails on these. libvirt cannot take such a process over, so that ending it is the way on; its
// memory is lost. That is done only by the deed in whose middle it came about.
#include <errno.h>

#include "run.h"

#define PATIENCE_MS 4000
#define STEP_MS 250
#define BUSY_TRIES 40

enum stray_next stray_next(int process, bool active, bool owned, int waited_ms)
{
    if (process <= 0 || active)
        return STRAY_NONE;
    if (waited_ms < PATIENCE_MS)
        return STRAY_WAIT;
    return owned ? STRAY_END : STRAY_REFUSE;
}

// -EAGAIN: too many ask at once.
static int ask(struct manage_run *r, const struct uuid *uuid, bool end)
{
    int process = r->process(r->arg, uuid, end);
    for (int i = 0; process == -EAGAIN && i < BUSY_TRIES; i++) {
        if (run_pause(r, STEP_MS) < 0)
            return -ECANCELED;
        process = r->process(r->arg, uuid, end);
    }
    return process;
}

static int end_it(struct manage_run *r, const struct uuid *uuid, int process, struct err *err)
{
    int ended = ask(r, uuid, true);
    if (ended < 0)
        return err_set(
            err, -ended,
            "libvirt calls the VM off, but its process %d runs on and could not be ended", process);
    json_object_set_new(r->result, "ended_process", json_integer(process));
    return 0;
}

static int refuse(int process, struct err *err)
{
    return err_set(
        err, EBUSY,
        "libvirt calls the VM off, but its process %d still runs and holds its images, as "
        "libvirt has lost it: shut the guest down from inside, or end the process (kill "
        "%d), then ask again",
        process, process);
}

int run_clear_stray(struct manage_run *r, const struct uuid *uuid, struct err *err)
{
    for (int waited_ms = 0; r->process; waited_ms += STEP_MS) {
        struct virt_domain d = {0};
        int w = r->ops->lookup(r->virt, uuid, &d, err);
        bool active = w == 0 && d.id >= 0;
        virt_domain_done(&d);
        if (w == -ENOENT || active)
            return 0;
        if (w < 0)
            return w;
        int process = ask(r, uuid, false);
        switch (stray_next(process, active, r->mending, waited_ms)) {
        case STRAY_END:
            return end_it(r, uuid, process, err);
        case STRAY_REFUSE:
            return refuse(process, err);
        case STRAY_NONE:
            return 0;
        case STRAY_WAIT:
            break;
        }
        if (run_pause(r, STEP_MS) < 0)
            return err_set(err, ECANCELED, "cancelled");
    }
    return 0;
}

int run_power_on(struct manage_run *r, const struct uuid *uuid, enum virt_power power,
                 struct err *err)
{
    int w = run_clear_stray(r, uuid, err);
    return w < 0 ? w : r->manage->power(r->virt, uuid, power, err);
}
