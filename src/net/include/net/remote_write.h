// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NET_REMOTE_WRITE_H
#define NET_REMOTE_WRITE_H

/*
 * Prometheus' remote write, 1.0 (prometheus.WriteRequest) and 2.0 (io.prometheus.write.v2.Request):
 * protobuf in a snappy block. Encoded from samples, decoded into the frames of net/samples.h.
 * Sources: prometheus.io/docs/specs/prw/remote_write_spec and …_2_0.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/samples.h"

struct label;

enum rw_version {
    RW_1_0,
    RW_2_0,
    RW_VERSION_MAX,
};

/** "0.1.0", "2.0.0": X-Prometheus-Remote-Write-Version. */
const char *rw_version_header(enum rw_version v);

/** "application/x-protobuf" with a proto parameter for 2.0. */
const char *rw_content_type(enum rw_version v);

/** Which message a Content-Type names: 0 with *ret set, or -EPROTONOSUPPORT. */
int rw_version_of(const char *content_type, enum rw_version *ret);

/** Metadata by family, for 2.0 and for 1.0's separate messages. */
struct rw_metadata;
struct rw_metadata *rw_metadata_new(size_t limit);
void rw_metadata_free(struct rw_metadata *m);
/** Keep or replace; copies. False: as it was, or over the limit. */
bool rw_metadata_put(struct rw_metadata *m, const struct expo_family *f);
size_t rw_metadata_count(const struct rw_metadata *m);

/** Collects one request. Samples of a series lie together, oldest first, however they came. */
struct rw_request;
struct rw_request *rw_request_new(void);
void rw_request_free(struct rw_request *r);
void rw_request_reset(struct rw_request *r);
/** Add a sample; labels sorted by name. 0, -E2BIG (over RW_SAMPLES_MAX), -ENOMEM. */
int rw_request_put(struct rw_request *r, const struct label *label, size_t n, int64_t t_ms,
                   double v);
size_t rw_request_samples(const struct rw_request *r);
size_t rw_request_series(const struct rw_request *r);

#define RW_SAMPLES_MAX 100000u

/**
 * The compressed body of the request in this version. `metadata` (may be NULL) adds type, help and
 * unit to each series of 2.0. 0, -ENOMEM.
 */
int rw_encode(const struct rw_request *r, enum rw_version v, const struct rw_metadata *metadata,
              struct buf *out);

/** A 1.0 request with `n` families' metadata from number `at` on, and nothing else. */
int rw_encode_metadata(const struct rw_metadata *metadata, size_t at, size_t n, struct buf *out);

/** What a received request holds. */
struct rw_content {
    uint64_t samples;
    uint64_t histograms; /**< native ones, which are not taken */
    uint64_t exemplars;  /**< not taken */
    uint64_t metadata;
    uint64_t dropped_series; /**< refused: no name, a label twice, … ; see `err` */
};

/** Most bytes of a request once unpacked. */
#define RW_UNPACKED_MAX (32u * 1024 * 1024)

/**
 * Decode a body and add what is good to `out`. 0 (also where single series were refused: then
 * `dropped_series` > 0 and `err` tells of the first); -EINVAL: no snappy block or no such message;
 * -E2BIG: would unpack to more than RW_UNPACKED_MAX (decided before anything is unpacked), or fills
 * `out`; -ENOMEM.
 */
int rw_decode(const char *body, size_t len, enum rw_version v, struct samples_writer *out,
              struct rw_content *ret, struct err *err);

#endif
