// SPDX-License-Identifier: GPL-3.0-or-later
// Start, shutdown and the like.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "run.h"

#define SHUTDOWN_TIMEOUT_S 120
#define SHUTDOWN_STEP_MS 250
#define ASK_AGAIN_S 10 // a guest that is still booting overhears the first request

// What state a deed needs and what it leaves, for checks and for who asks what became of it.
static const struct {
    enum virt_power power;
    bool needs_active;
    const char *will; // "start %s"
} powers[DEED_MAX] = {
    [DEED_START] = {VIRT_POWER_START, false, "start"},
    [DEED_SHUTDOWN] = {VIRT_POWER_SHUTDOWN, true, "ask the guest to shut down:"},
    [DEED_REBOOT] = {VIRT_POWER_REBOOT, true, "ask the guest to reboot:"},
    [DEED_RESET] = {VIRT_POWER_RESET, true, "reset"},
    [DEED_DESTROY] = {VIRT_POWER_DESTROY, true, "switch off, without asking the guest,"},
    [DEED_PAUSE] = {VIRT_POWER_PAUSE, true, "pause"},
    [DEED_RESUME] = {VIRT_POWER_RESUME, true, "resume"},
    [DEED_SAVE] = {VIRT_POWER_SAVE, true, "save the memory of, and switch off,"},
    [DEED_RESTORE] = {VIRT_POWER_START, false, "start from its saved memory"},
};

static bool is_paused(const struct virt_domain *d)
{
    return strcmp(virt_state_name(d->state), "paused") == 0;
}

static int check_state(struct manage_run *r, const struct virt_domain *d, struct err *err)
{
    bool active = d->id >= 0;
    enum deed_id id = r->deed->id;
    if (active && !powers[id].needs_active)
        return err_set(err, ESRCH, "the VM is %s already", virt_state_name(d->state));
    if (!active && powers[id].needs_active)
        return err_set(err, ESRCH, "the VM is not running (%s)", virt_state_name(d->state));
    if (id == DEED_RESUME && !is_paused(d))
        return err_set(err, ESRCH, "the VM is not paused (%s)", virt_state_name(d->state));
    if (id == DEED_PAUSE && is_paused(d))
        return err_set(err, ESRCH, "the VM is paused already");
    if (id == DEED_SAVE && !d->persistent)
        return err_set(err, ESRCH, "the VM has no definition that its memory could wait for");
    return 0;
}

// A base that runs would change under its clones. The label only says that it is worth a look.
static int check_base(struct manage_run *r, struct err *err)
{
    CLEANUP(virt_spec_done) struct virt_spec spec = {0};
    bool marked = false;
    int w = r->manage->spec(r->virt, &r->uuid, &spec, err);
    for (size_t i = 0; i < spec.n_labels; i++)
        marked = marked || strcmp(spec.labels[i].name, LINKED_BASE) == 0;
    for (size_t i = 0; w == 0 && marked && i < spec.n_disks; i++) {
        CLEANUP(freep) char *user = NULL;
        w = run_other_user(r, &spec.disks[i], &user, err);
        if (w == 0 && user)
            w = err_set(err, ESRCH,
                        "the disk %s is the base of the linked clone %s, which would break",
                        spec.disks[i].target, user);
    }
    return w;
}

static int check_power(struct manage_run *r, struct err *err)
{
    struct virt_domain d = {0};
    int w = run_lookup(r, &d, err);
    if (w == 0)
        w = check_state(r, &d, err);
    virt_domain_done(&d);
    if (w < 0)
        return w;
    if (powers[r->deed->id].power == VIRT_POWER_START)
        w = check_base(r, err);
    if (w < 0)
        return w;
    if (r->deed->id == DEED_RESTORE) {
        w = r->manage->has_save(r->virt, &r->uuid, err);
        if (w == 0)
            return err_set(err, ESRCH, "no memory of the VM is saved; start boots it");
        if (w < 0)
            return w;
    }
    run_say(r, "%s %s", powers[r->deed->id].will, r->vm);
    return 0;
}

static int run_power(struct manage_run *r, struct err *err)
{
    return r->manage->power(r->virt, &r->uuid, powers[r->deed->id].power, err);
}

/* Start, in whose middle libvirt may lose the process. */

static int run_start(struct manage_run *r, struct err *err)
{
    int w = run_note(r, json_pack("{s:s}", "make", "start"), err);
    return w < 0 ? w : run_power_on(r, &r->uuid, VIRT_POWER_START, err);
}

static int mend_start(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                      struct err *err)
{
    struct virt_domain d = {0};
    int w = run_lookup(r, &d, err);
    if (w == 0)
        snprintf(ret_now, size, "the VM is now %s", virt_state_name(d.state));
    else if (w == -ENOENT)
        snprintf(ret_now, size, "the VM is not there any more");
    bool started = w == 0 && r->interrupted && json_array_size(notes) > 0 &&
                   strcmp(virt_state_name(d.state), "running") == 0;
    virt_domain_done(&d);
    return w == -ENOENT ? 0 : w < 0 ? w : started;
}

/* Shutdown, which waits. */

static int check_shutdown(struct manage_run *r, struct err *err)
{
    int w = check_power(r, err);
    if (w < 0)
        return w;
    run_say(r, "wait up to %jd s for it to end; then %s",
            (intmax_t)run_number(r, "timeout", SHUTDOWN_TIMEOUT_S),
            run_is(r, "fallback", "destroy", "fail") ? "switch it off"
                                                     : "fail, leaving it running");
    return 0;
}

// 0: it ended; -ETIMEDOUT; -ECANCELED; or libvirt's error. A transient VM is gone when it ends.
static int wait_off(struct manage_run *r, int64_t timeout_s, struct err *err)
{
    int64_t start = clock_mono_ns(&clock_system), asked = start;
    for (;;) {
        int active = run_active(r, err);
        if (active == 0 || active == -ENOENT)
            return 0;
        if (active < 0)
            return active;
        int64_t now = clock_mono_ns(&clock_system);
        if (now - start >= timeout_s * NS_PER_S)
            return -ETIMEDOUT;
        r->progress(r->arg, (double)(now - start) / (double)(timeout_s * NS_PER_S),
                    "waiting for the guest to end");
        if (now - asked >= ASK_AGAIN_S * NS_PER_S) {
            (void)r->manage->power(r->virt, &r->uuid, VIRT_POWER_SHUTDOWN, NULL);
            asked = now;
        }
        if (run_pause(r, SHUTDOWN_STEP_MS) < 0)
            return err_set(err, ECANCELED, "cancelled; the guest was asked and may still end");
    }
}

static int run_shutdown(struct manage_run *r, struct err *err)
{
    int64_t timeout_s = run_number(r, "timeout", SHUTDOWN_TIMEOUT_S);
    int w = run_power(r, err);
    if (w == 0)
        w = wait_off(r, timeout_s, err);
    bool late = w == -ETIMEDOUT && (!err || err->code == 0);
    if (late && run_is(r, "fallback", "destroy", "fail")) {
        w = r->manage->power(r->virt, &r->uuid, VIRT_POWER_DESTROY, err);
        json_object_set_new(r->result, "fallback", json_string("destroy"));
    } else if (late) {
        w = err_set(err, ETIMEDOUT, "the guest did not end within %jd s", (intmax_t)timeout_s);
    }
    return w;
}

const struct handler power_handlers[DEED_MAX] = {
    [DEED_START] = {check_power, run_start, mend_start},
    [DEED_SHUTDOWN] = {check_shutdown, run_shutdown, NULL},
    [DEED_REBOOT] = {check_power, run_power, NULL},
    [DEED_RESET] = {check_power, run_power, NULL},
    [DEED_DESTROY] = {check_power, run_power, NULL},
    [DEED_PAUSE] = {check_power, run_power, NULL},
    [DEED_RESUME] = {check_power, run_power, NULL},
    [DEED_SAVE] = {check_power, run_power, NULL},
    [DEED_RESTORE] = {check_power, run_start, mend_start},
};
