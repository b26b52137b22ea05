// SPDX-License-Identifier: GPL-3.0-or-later
// A segment of the log, read as at a start; and the bytes behind the first two as a record whose
// CRC is right.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *arg, int64_t t_ms, const struct log_sample *s)
{
    size_t *n = arg;
    if (s->kind != TSDB_DOUBLE && s->kind != TSDB_SCALED)
        abort();
    ++*n;
}

static void read_record(const struct log_record *r)
{
    static struct log_series_record s;
    size_t n = 0, texts = 0;
    if (log_read_series(r, &s) == 0) {
        if (s.n == 0 || s.n > LABELS_MAX)
            abort();
        for (size_t i = 0; i < s.n; i++)
            texts += strlen(s.label[i].name) + strlen(s.label[i].value);
    }
    log_read_samples(r, count, &n);
    if (n > (size_t)(r->end - r->p) || texts > (size_t)(r->end - r->p))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct log_cursor c;
    struct log_record r;
    log_cursor_init(&c, data, size);
    for (size_t last = 0; log_next(&c, &r); last = c.at) {
        if (c.at <= last || c.at > size)
            abort();
        read_record(&r);
    }
    if (c.skipped_bytes > size)
        abort();
    read_record(&(struct log_record){LOG_SERIES, data, data + size, 0});
    return 0;
}
