// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NET_SAMPLES_H
#define NET_SAMPLES_H

/*
 * Samples and metadata on their way between our processes: the payload of IPC_SAMPLES and
 * IPC_BATCH frames. Compact, self-contained, little-endian:
 *
 *   0x01                                 version
 *   'V' labels time value                a sample
 *   'v' time value                       a sample of the same series
 *   'M' text u8:type text text           metadata: family, enum expo_type, help, unit
 *   'E' varint                           the end; number of records before it
 *
 *   labels  varint n, then n × (text name, text value)
 *   text    varint 0, varint length, bytes: a new text, which gets the next number from 1;
 *           or varint k: the text with number k
 *   time    zigzag varint: milliseconds since the last sample's time (at first since 1970)
 *   value   8 bytes of an IEEE 754 double
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/expo.h"

struct label;

/** Most bytes of one frame, and texts in it. */
#define SAMPLES_FRAME_MAX (64u * 1024 * 1024)
#define SAMPLES_TEXTS_MAX (1u << 20)

/** Puts records together. */
struct samples_writer;

/** The caller owns the result. `limit_bytes`: at most SAMPLES_FRAME_MAX. */
struct samples_writer *samples_writer_new(size_t limit_bytes);
void samples_writer_free(struct samples_writer *w);

/** Begin anew, keeping memory. */
void samples_writer_reset(struct samples_writer *w);

/** Add a sample. 0, or -E2BIG: full; what was added before stays good. -ENOMEM. */
int samples_put(struct samples_writer *w, const struct label *label, size_t n, int64_t t_ms,
                double v);

/** Add the marker that ends a series. The same errors. */
int samples_put_end(struct samples_writer *w, const struct label *label, size_t n, int64_t t_ms);

/** Add metadata. The same errors. */
int samples_put_family(struct samples_writer *w, const struct expo_family *f);

/** Records so far, samples among them, and bytes that the frame would have now. */
size_t samples_count(const struct samples_writer *w);
size_t samples_records(const struct samples_writer *w);
size_t samples_bytes(const struct samples_writer *w);

/** End the frame; *ret_len bytes that belong to the writer until it is reset. NULL: no memory. */
const char *samples_finish(struct samples_writer *w, size_t *ret_len);

struct samples_events {
    /** Labels in the order in which they were written; names are unchecked but not empty. `same`:
     * they are those of the sample before. Negative ends the reading. */
    int (*sample)(void *arg, const struct label *label, size_t n, int64_t t_ms, double v,
                  bool same);
    int (*family)(void *arg, const struct expo_family *f); /**< may be NULL */
};

/**
 * Read a frame. 0, -EPROTO (malformed; records before it have been given out), -ENOMEM, or what a
 * callback returned. Texts are valid UTF-8 without NUL.
 */
int samples_read(const char *frame, size_t len, const struct samples_events *events, void *arg);

/* Remote write between core and send: requests and answers that carry a place in the log. */

/** A place in the log; what the numbers mean is the log's business. */
struct samples_position {
    uint64_t a, b;
};

#define SAMPLES_POSITION_BYTES 16

void samples_position_put(struct buf *out, const struct samples_position *p);
/** Reads SAMPLES_POSITION_BYTES. */
struct samples_position samples_position_get(const char *bytes);

/** send to core, IPC_NEXT: what comes after `from`, for the remote with this name. */
struct samples_ask {
    bool from_start; /**< first question of this process: `from` is what core has kept */
    struct samples_position from;
    uint32_t max_samples;
    char name[128];
};

void samples_ask_encode(const struct samples_ask *a, struct buf *out);
/** 0 or -EPROTO. */
int samples_ask_decode(const char *payload, size_t len, struct samples_ask *ret);

/** core to send, IPC_BATCH: before the frame. */
struct samples_batch {
    struct samples_position next; /**< what to ask for after this, and to acknowledge */
    bool more;                    /**< the log holds more already */
    uint64_t lost;                /**< samples (at least) that the log no longer had */
};

void samples_batch_encode(const struct samples_batch *b, struct buf *out);
/** 0 or -EPROTO; *ret_frame and *ret_len are what follows. */
int samples_batch_decode(const char *payload, size_t len, struct samples_batch *ret,
                         const char **ret_frame, size_t *ret_len);

/** core's answer to IPC_SAMPLES, IPC_WRITTEN. */
struct samples_written {
    uint64_t samples;   /**< taken */
    uint64_t rejected;  /**< refused: out of order, malformed */
    uint64_t late;      /**< of them: older than the store takes of their series */
    uint64_t duplicate; /**< of them: there is a sample of that time already */
    char reason[200];   /**< of the first refusal, "" where there was none */
};

/** Why a sample was refused, for `reason`: -errno in words. */
const char *samples_why(int error);

void samples_written_encode(const struct samples_written *w, struct buf *out);
int samples_written_decode(const char *payload, size_t len, struct samples_written *ret);

#endif
