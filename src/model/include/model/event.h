// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

/*
 * A thing that happened: to a VM, to the connection to libvirt, to an alert, to vherd. What the
 * event log keeps (store/event_log.h), the API streams and commands show.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

enum event_kind {
    EVENT_LIFECYCLE, /**< a VM's state: started, stopped, crashed, paused, … */
    EVENT_FAULT,     /**< I/O error, watchdog, memory failure, a block job that failed */
    EVENT_CONFIG,    /**< defined, undefined, devices, tunables */
    EVENT_GUEST,     /**< reboot, guest agent, balloon */
    EVENT_JOB,       /**< a job of libvirt ended: migration, save, backup */
    EVENT_LIBVIRT,   /**< the connection to libvirt: lost, found */
    EVENT_ALERT,     /**< an alert changed its state */
    EVENT_NOTIFY,    /**< a notification: delivered, failed for good; silences, acknowledgements */
    EVENT_VHERD,     /**< started, stopped, configuration reloaded */
    EVENT_KIND_MAX,
    EVENT_KIND_INVALID = -1,
};

/** "lifecycle", "fault", "config", … */
const char *event_kind_name(enum event_kind kind);
enum event_kind event_kind_parse(const char *name);

/** Longest text of one, in bytes; longer ones are cut at a character when they are stored. */
#define EVENT_TEXT_MAX 4096

/** Texts are borrowed; NULL where there is none. */
struct event {
    int64_t seq; /**< 1, 2, …, never given twice; 0: not stored yet */
    int64_t real_ns;
    enum event_kind kind;
    const char *name;   /**< snake_case, as in vherd_event_total: "stopped", "io_error", "lost" */
    const char *reason; /**< libvirt's word: "crashed", "enospc" */
    const char *vm;     /**< its name at that time */
    const char *uuid;
    const char *device; /**< disk or other device that it is about */
    const char *text;   /**< a sentence for a person */
    const char *detail; /**< further facts as one JSON object */
};

/** How a VM's event is classed: by the name, and reason where that decides. */
enum event_kind event_kind_of(const char *name, const char *reason);

/** True where a person should look at it: a crash, a panic, an I/O error, libvirt lost. */
bool event_is_fault(const struct event *e);

/**
 * The sentence for a VM's event, from tables: "crashed: its QEMU process ended unexpectedly";
 * without the VM's name. Unknown names and reasons are given as they are.
 */
void event_words(const char *name, const char *reason, const char *device, struct buf *out);

/**
 * As a JSON object: seq, time (Unix seconds), kind, event, reason, vm, uuid, device, text, detail.
 */
void event_put(const struct event *e, struct json *j);

#endif
