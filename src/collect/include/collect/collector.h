// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef COLLECT_COLLECTOR_H
#define COLLECT_COLLECTOR_H

/*
 * All lanes together, keeping a herd true. The collector belongs to one thread (core's loop) and
 * never blocks it: what may hang runs on workers, the kernel lane on the sampler's thread, and
 * both hand over through an inbox that collector_step() empties.
 */

#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "collect/lane.h"
#include "collect/sampler.h"
#include "conf/conf.h"
#include "model/herd.h"
#include "virt/host.h"
#include "virt/virt.h"

struct collector_params {
    const struct conf *conf; /**< borrowed for the calls that take it */
    const char *uri;         /**< of libvirt; copied */
    const struct virt_ops *virt;
    const struct host_ops *host;
    const struct clock *clock;
    struct herd *herd; /**< owned by the caller, outlives the collector */
    /** From any thread: collector_step() has something to do. Must not block. */
    void (*wake)(void *arg);
    /**
     * Send a request to act: number, verb, JSON arguments. 0 or -errno (act is not there); the
     * answer comes through collector_answer(). NULL: no act.
     */
    int (*ask)(uint32_t id, const char *verb, const char *json, void *arg);
    /** A sample is complete in the herd; its time on the monotonic clock. May be NULL. */
    void (*sampled)(int64_t mono_ns, void *arg);
    /**
     * Something happened to a VM, and the herd knows of it; `vm` is NULL where it is not shown yet
     * or any more. May be NULL.
     */
    void (*event)(const struct virt_event *e, const struct vm *vm, void *arg);
    /** A VM's hypervisor process was found, or another in its place. May be NULL. */
    void (*process)(const struct vm *vm, int pid, void *arg);
    void *arg;
    bool no_sampler; /**< tests: batches come through collector_sink() alone */
    /** Calls to `virt` are made within collector_step(): only where none of them can hang. */
    bool no_threads;
};

struct collector;

/** Start. Fails only where the kernel's sources cannot be read at all. */
int collector_new(const struct collector_params *params, struct collector **ret, struct err *err);

/** Stop the sampler and the workers; calls that hang are left behind. Accepts NULL. */
void collector_free(struct collector *c);

/** Take over what changed in the configuration. */
void collector_reload(struct collector *c, const struct conf *conf);

/**
 * Handle all that has come in, start the calls that are due. Returns when to call again at the
 * latest, on the monotonic clock.
 */
int64_t collector_step(struct collector *c);

/** Step until nothing more follows from what is now; with `no_threads`, else that has no end. */
void collector_settle(struct collector *c);

/** Where kernel batches go; callable from any thread. */
struct host_sink collector_sink(struct collector *c);

/** act's answer to request `id`: HTTP status and payload (media type, NUL, body). */
void collector_answer(struct collector *c, uint32_t id, int status, const char *payload,
                      size_t len);

/**
 * The kernel says that a VM's process was ended by a signal. The VM counts as crashed from now on,
 * until libvirt has noticed as well.
 */
void collector_process_died(struct collector *c, const struct uuid *uuid, int pid, int signal);

/** act is gone: all requests under way fail. */
void collector_act_lost(struct collector *c);

/** What a deed of collector_ask_vm() came to; `body` is act's JSON, valid during the call. */
typedef void collector_asked(void *arg, int status, const char *body, size_t len);

/**
 * Ask act for `verb` on a VM; facts in a good answer are applied to the herd before `done` is
 * called. Returns 0 or -errno (done is then not called).
 */
int collector_ask_vm(struct collector *c, const struct uuid *uuid, const char *verb, int seconds,
                     collector_asked *done, void *arg);

/** The caller no longer waits: `done` will not be called for this `arg`. */
void collector_forget(struct collector *c, const void *arg);

/** libvirt as a person reads it. */
struct collector_libvirt {
    const char *uri;
    const char *status;  /**< see docs/api.md */
    const char *message; /**< "" where all is well */
    bool up;
    bool tried;            /**< the first attempt has ended, one way or the other */
    int64_t since_real_ns; /**< of the status */
};

struct collector_libvirt collector_libvirt(const struct collector *c);

/** Grows whenever something came into the herd. */
uint64_t collector_changes(const struct collector *c);

/** True once the first one-second sample is in. */
bool collector_sampled(const struct collector *c);

/** Since when (real time) a VM has carried its flag; 0 where it carries none. */
int64_t collector_flag_since(const struct collector *c, const struct vm *vm);

#endif
