// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TUI_FORMAT_H
#define TUI_FORMAT_H

/*
 * Fields of the daemon's objects as a person reads them. Each writes nothing where the field is
 * absent, so that the caller shows a dash. Texts are written as they came: whoever puts them on a
 * terminal makes them safe, once.
 */

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

/** `utf8`: characters outside ASCII may be used. */
typedef void format_fn(const json_t *object, const char *field, bool utf8, struct buf *out);

format_fn format_text;
format_fn format_state;         /**< a VM's state, with the reason where it matters */
format_fn format_state_whole;   /**< a VM's state with its reason: "running (booted)" */
format_fn format_bytes;         /**< "1.50 MiB" */
format_fn format_bytes_short;   /**< "1.5M" */
format_fn format_size;          /**< bytes that come as a text: "2.00 MiB" */
format_fn format_rate;          /**< "1.50 MiB/s" */
format_fn format_percent;       /**< a ratio: "12.3%" */
format_fn format_count;         /**< "12.3k" */
format_fn format_whole;         /**< all digits */
format_fn format_vcpus;         /**< "1 vCPU", "2 vCPUs" */
format_fn format_domains;       /**< a host's: "20, all running", "20, 3 running" */
format_fn format_latency;       /**< "1.25 ms" */
format_fn format_latency_short; /**< "1.25ms" */
format_fn format_age;           /**< seconds as "3m 10s" */
format_fn format_since;         /**< Unix time, against the object's "time": "12:03:10 (5s)" */
format_fn format_yes_no;        /**< 0 or 1 */
format_fn format_used;          /**< used_bytes of total_bytes, in percent */

/** A time of day ("12:03:10"), with the date where it is not of the last 20 hours. */
void format_time(double unix_time, double now, struct buf *out);

/**
 * One line on what is wrong with libvirt ("libvirt: not running since 12:03:10 – kernel data
 * only"), out of the member `libvirt` of an answer; nothing where it is connected or not told.
 */
void format_libvirt_hint(const json_t *answer, bool utf8, struct buf *out);

/** What to say where an answer has no VMs: without libvirt none is known, which is not none. */
const char *format_no_vms(const json_t *answer);

#endif
