// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_FLOW_H
#define CORE_FLOW_H

// Samples in from send (scrapes, textfiles) and web (remote write), samples out of the log to
// send (remote write). What stores and what is the log are two tables, so that this file knows
// neither.

#include "base/err.h"
#include "net/ipc.h"
#include "net/samples.h"

// Takes samples.
struct flow_sink {
    // One sample; labels in any order. 0, or why it was refused (-ERANGE: too old or of the future,
    // -EEXIST: another value at this time, -EINVAL: no label set, -ENOSPC …), which is counted and
    // told.
    int (*append)(void *arg, const struct label *label, size_t n, int64_t t_ms, double v);
    void (*family)(void *arg, const struct expo_family *f); // may be NULL
    // After each frame: what was appended may be made durable in one go. 0 or -errno: nothing of it
    // is kept.
    int (*commit)(void *arg);
};

// The log, read from a place on; {0, 0} is its oldest. Each remote reads under its own name.
struct flow_source {
    // Put at most about `max_samples` samples after `from` into `out` (fewer once it is full, none
    // where there are none), *ret: what follows them. 0 or -errno.
    int (*read)(void *arg, const char *name, const struct samples_position *from,
                size_t max_samples, struct samples_writer *out, struct samples_batch *ret);
    // All before this place is delivered; may be NULL.
    void (*done)(void *arg, const char *name, const struct samples_position *place);
    // Metadata of what vherd itself measures, told to send once for each connection; may be NULL.
    int (*families)(void *arg, struct samples_writer *out);
};

struct flow_params {
    const struct flow_sink *sink;     // NULL: what comes is counted and dropped
    const struct flow_source *source; // NULL: there is no log yet
    void *arg;
    const char *directory; // where positions are kept, NULL: nowhere; copied
    // How answers go out: as peer_send().
    void (*send)(void *peer, enum ipc_type type, uint32_t id, int status, const void *a,
                 size_t a_len, const void *b, size_t b_len);
};

struct flow;

// The caller owns the result; what `p` points to is borrowed.
struct flow *flow_new(const struct flow_params *p);
void flow_free(struct flow *f);

// A frame from send or web. 1: taken; 0: not of ours; -EPROTO: malformed, drop the connection.
int flow_frame(struct flow *f, void *peer, const struct ipc_frame *frame);

// Positions that were acknowledged since the last time, as text for flow_write(); the caller frees
// it. False: there are none, or there is no directory.
bool flow_take(struct flow *f, struct buf *ret);

// Put the text of flow_take() into the file (atomic, fsync). Waits for the disk: any thread but the
// loop's, one at a time. 0 or -errno; after a failure flow_untake() has it written the next time.
int flow_write(const char *directory, const struct buf *text, struct err *err);
void flow_untake(struct flow *f);

// All of that at once, at the end. 0 or -errno.
int flow_save(struct flow *f, struct err *err);

// The place that is kept for a remote. False: none.
bool flow_position(const struct flow *f, const char *name, struct samples_position *ret);

// The i-th remote that has a place, in no order; NULL: there are no more.
const char *flow_remote(const struct flow *f, size_t i, struct samples_position *ret);

#endif
