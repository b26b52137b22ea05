// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SEND_DIGEST_H
#define SEND_DIGEST_H

#include "base/err.h"
#include "model/labels.h"
#include "model/relabel.h"
#include "net/expo.h"
#include "net/samples.h"

/** What makes samples of a page; all of it borrowed for as long as the digest lives. */
struct digest_rules {
    const struct labels *target;   /**< labels of all its series */
    const struct relabel *relabel; /**< NULL: none */
    bool honor_labels;             /**< the page's labels win over the target's */
    bool honor_timestamps;
    bool refuse_timestamps; /**< a page with any fails (textfiles) */
    int64_t sample_limit;   /**< 0: none */
};

/** Remembers a target's series, so that relabelling is done once and vanished series are ended. */
struct digest;

struct digest *digest_new(const struct digest_rules *rules);
void digest_free(struct digest *d);

struct digest_result {
    size_t scraped; /**< samples on the page */
    size_t kept;    /**< after relabelling */
    size_t added;   /**< series that the last page did not have */
};

/**
 * A page of time t_ms: its samples, metadata, and staleness markers of series that it has no more,
 * are added to `out`. 0; or -errno with the reason, and all series that were live are ended:
 * nothing of a page with an error is kept. `out` must be empty and large.
 */
int digest_page(struct digest *d, const char *text, size_t len, enum expo_format format,
                int64_t t_ms, struct samples_writer *out, struct digest_result *ret,
                struct err *err);

/** There is no page: end all series that were live. */
void digest_end(struct digest *d, int64_t t_ms, struct samples_writer *out);

/** Series that are live. */
size_t digest_series(const struct digest *d);

/** A series of the target itself, such as `up`. The same errors as samples_put(). */
int digest_report(const struct digest *d, const char *name, int64_t t_ms, double v,
                  struct samples_writer *out);

#endif
