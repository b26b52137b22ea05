// SPDX-License-Identifier: GPL-3.0-or-later
// vCPUs, memory, CPU limits: asked, and what became of it. A guest may take its time or refuse;
// what it did within a while is told, never taken for granted.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

#define PATIENCE_MS 10000
#define SETTLE_STEP_MS 250
#define NEAR_BYTES (INT64_C(4) << 20)
#define PERIOD_US 100000

static int check_scope(struct manage_run *r, struct err *err)
{
    if (!run_is(r, "scope", "live", "both"))
        return 0;
    int active = run_active(r, err);
    return active == 0
               ? err_set(err, ESRCH, "the VM is not running; only its definition can change")
               : MIN_OF(active, 0);
}

static const char *scope_words(const struct manage_run *r)
{
    static const char *const words[] = {"", "of the running VM", "of its definition",
                                        "of the VM and its definition"};
    return words[run_scope(r)];
}

static bool is_live(struct manage_run *r)
{
    return (run_scope(r) & VIRT_LIVE) && run_active(r, NULL) == 1;
}

static int settle_steps(const struct manage_run *r)
{
    int ms = r->patience_ms ? r->patience_ms : PATIENCE_MS;
    return MAX_OF(ms / SETTLE_STEP_MS, 1);
}

/* vCPUs. */

static int check_vcpus(struct manage_run *r, struct err *err)
{
    struct virt_size size;
    int64_t n = run_number(r, "vcpus", 0);
    int w = check_scope(r, err);
    if (w == 0)
        w = r->manage->size(r->virt, &r->uuid, &size, err);
    if (w == 0 && n > size.max_vcpus)
        w = err_set(err, EINVAL,
                    "the VM can have %u vCPU%s at most; `max_vcpus` of set raises that "
                    "for the next start",
                    size.max_vcpus, size.max_vcpus == 1 ? "" : "s");
    if (w == 0)
        run_say(r, "set the vCPUs %s to %jd (now %u)", scope_words(r), (intmax_t)n, size.vcpus);
    return w;
}

// The guest's own count needs its agent; without one it stays unknown, which is said.
static int settle_vcpus(struct manage_run *r, unsigned asked, struct err *err)
{
    struct virt_size size = {.guest_vcpus = -1};
    int w = 0;
    for (int i = 0; w == 0 && i < settle_steps(r); i++) {
        w = r->manage->size(r->virt, &r->uuid, &size, err);
        if (w < 0 || size.guest_vcpus < 0 || (unsigned)size.guest_vcpus == asked)
            break;
        w = run_pause(r, SETTLE_STEP_MS);
    }
    json_object_set_new(r->result, "asked", json_integer(asked));
    json_object_set_new(r->result, "in_effect", json_integer(size.vcpus));
    if (size.guest_vcpus >= 0)
        json_object_set_new(r->result, "guest", json_integer(size.guest_vcpus));
    if (w == 0 && size.guest_vcpus >= 0 && (unsigned)size.guest_vcpus != asked)
        w = err_set(err, ETIMEDOUT, "the guest uses %d vCPU%s, not the %u that it was given",
                    size.guest_vcpus, size.guest_vcpus == 1 ? "" : "s", asked);
    if (w == 0 && size.vcpus != asked)
        w = err_set(err, ETIMEDOUT, "the VM has %u vCPU%s: the guest has not let the others go",
                    size.vcpus, size.vcpus == 1 ? "" : "s");
    return w;
}

static int run_vcpus(struct manage_run *r, struct err *err)
{
    unsigned n = (unsigned)run_number(r, "vcpus", 0);
    int w = r->manage->set_vcpus(r->virt, &r->uuid, n, run_scope(r), false, err);
    return w == 0 && is_live(r) ? settle_vcpus(r, n, err) : w;
}

/* Memory. */

static int check_memory(struct manage_run *r, struct err *err)
{
    struct virt_size size;
    uint64_t bytes = (uint64_t)run_number(r, "memory", 0);
    int w = check_scope(r, err);
    if (w == 0)
        w = r->manage->size(r->virt, &r->uuid, &size, err);
    if (w == 0 && bytes > size.max_memory_bytes)
        w = err_set(err, EINVAL,
                    "the VM can have %ju bytes at most; `max_memory` of set raises "
                    "that for the next start",
                    (uintmax_t)size.max_memory_bytes);
    if (w == 0)
        run_say(r, "set the memory %s to %ju bytes (now %ju)", scope_words(r), (uintmax_t)bytes,
                (uintmax_t)size.memory_bytes);
    return w;
}

static int settle_memory(struct manage_run *r, uint64_t before, uint64_t asked, struct err *err)
{
    struct virt_size size = {0};
    bool near = false;
    int w = 0;
    for (int i = 0; w == 0 && i < settle_steps(r) && !near; i++) {
        w = r->manage->size(r->virt, &r->uuid, &size, err);
        near = w == 0 && llabs((long long)size.balloon_bytes - (long long)asked) <= NEAR_BYTES;
        if (w == 0 && !near)
            w = run_pause(r, SETTLE_STEP_MS);
    }
    json_object_set_new(r->result, "asked", json_integer((json_int_t)asked));
    json_object_set_new(r->result, "before", json_integer((json_int_t)before));
    if (size.balloon_bytes > 0)
        json_object_set_new(r->result, "in_effect", json_integer((json_int_t)size.balloon_bytes));
    if (w == 0 && !near)
        w = err_set(err, ETIMEDOUT,
                    "the guest has not followed within %d s: its balloon leaves it "
                    "%ju bytes of the %ju asked",
                    settle_steps(r) * SETTLE_STEP_MS / 1000, (uintmax_t)size.balloon_bytes,
                    (uintmax_t)asked);
    return w;
}

static int run_memory(struct manage_run *r, struct err *err)
{
    uint64_t bytes = (uint64_t)run_number(r, "memory", 0);
    struct virt_size size = {0};
    int w = r->manage->size(r->virt, &r->uuid, &size, err);
    if (w == 0)
        w = r->manage->set_memory(r->virt, &r->uuid, bytes, run_scope(r), false, err);
    return w == 0 && is_live(r) ? settle_memory(r, size.balloon_bytes, bytes, err) : w;
}

/* CPU limits. */

static int check_cpu(struct manage_run *r, struct err *err)
{
    int64_t shares = run_number(r, "shares", -1), quota = run_number(r, "quota", -1);
    if (shares < 0 && quota < 0)
        return err_set(err, EINVAL, "neither shares nor quota is given");
    if (shares >= 0)
        run_say(r, "set the CPU shares %s to %jd", scope_words(r), (intmax_t)shares);
    if (quota == 0)
        run_say(r, "take the CPU quota %s away", scope_words(r));
    else if (quota > 0)
        run_say(r, "limit each vCPU %s to %jd %% of a CPU", scope_words(r), (intmax_t)quota);
    return check_scope(r, err);
}

static int run_cpu(struct manage_run *r, struct err *err)
{
    int64_t quota = run_number(r, "quota", -1);
    const struct virt_cpu_limits limits = {
        .shares = run_number(r, "shares", -1),
        .period_us = PERIOD_US,
        .quota_us = quota < 0 ? -1 : quota * PERIOD_US / 100,
    };
    return r->manage->cpu_limits(r->virt, &r->uuid, &limits, run_scope(r), err);
}

static int check_pin(struct manage_run *r, struct err *err)
{
    run_say(r, "pin vCPU %jd %s to the CPUs %s", (intmax_t)run_number(r, "vcpu", 0), scope_words(r),
            run_text(r, "cpus"));
    return check_scope(r, err);
}

static int run_pin(struct manage_run *r, struct err *err)
{
    return r->manage->pin(r->virt, &r->uuid, (unsigned)run_number(r, "vcpu", 0),
                          run_text(r, "cpus"), run_scope(r), err);
}

const struct handler size_handlers[DEED_MAX] = {
    [DEED_SET_VCPUS] = {check_vcpus, run_vcpus, NULL},
    [DEED_SET_MEMORY] = {check_memory, run_memory, NULL},
    [DEED_SET_CPU] = {check_cpu, run_cpu, NULL},
    [DEED_PIN] = {check_pin, run_pin, NULL},
};
