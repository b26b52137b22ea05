// SPDX-License-Identifier: GPL-3.0-or-later
// A block file as given, and once more with the CRCs of footer, index and columns put right, so
// that what is behind them is reached.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "block.h"
#include "block_format.h"
#include "crc32c.h"
#include "varint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_windows(const struct block *b, const struct block_series *s,
                         const struct block_chunk *c, int64_t *t)
{
    const struct query_hints hints = {.align_ms = c->min_ms, .step_ms = 7000, .window_ms = 3000};
    CLEANUP(freep) struct codec_part *part = malloc(c->n * sizeof(*part));
    size_t n = 0;
    if (!part)
        abort();
    // Times may be far apart in a damaged block, with any number of windows between.
    bool is_near = (uint64_t)c->max_ms - (uint64_t)c->min_ms < 86400000;
    if (is_near && block_samples_needed(b, c, c->min_ms, c->max_ms, &hints, t, part, &n) == 0 &&
        n > 0) {
        block_i64_parts(b, c, part, n, t);
        block_f64_parts(b, s, c, part, n, (double *)t);
    }
}

static void read_chunk(const struct block *b, const struct block_series *s,
                       const struct block_chunk *c)
{
    CLEANUP(freep) int64_t *t = malloc(c->n * sizeof(*t));
    CLEANUP(freep) struct query_bucket *bucket = malloc(c->n * sizeof(*bucket));
    if (!t || !bucket)
        abort();
    block_times(b, c, t);
    if (b->meta.resolution_ms == 0) {
        block_values_f64(b, s, c, (double *)t);
        read_windows(b, s, c, t);
    } else {
        block_buckets(b, c, bucket);
    }
}

static void read_series(const struct block *b, uint32_t i)
{
    struct block_series s, found;
    if (block_series(b, i, &s) < 0)
        return;
    struct labels *labels = block_labels(b, &s);
    if (labels) {
        block_find(b, labels, &found);
        block_labels_equal(b, &s, labels);
        labels_free(labels);
    }
    struct block_chunk c;
    for (uint32_t k = 0; k < s.n_chunks && block_next_chunk(b, &s, &c) == 0; k++)
        read_chunk(b, &s, &c);
}

static void read_block(const uint8_t *data, size_t size)
{
    char path[64];
    struct block *b = NULL;
    CLEANUP(closep) int fd = memfd_create("block", MFD_CLOEXEC);
    if (fd < 0 || fs_write_all(fd, data, size) < 0)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (block_open(AT_FDCWD, path, &b, NULL) < 0)
        return;
    for (uint32_t i = 0; i < b->meta.n_series && i < 64; i++)
        read_series(b, i);
    struct match_index index = block_index(b);
    struct query_matcher m[] = {{QUERY_EQUAL, "__name__", "up", NULL},
                                {QUERY_NOT_EQUAL, "job", "", NULL}};
    uint64_t *bits = NULL;
    if (b->meta.n_series < 1000000 && match_bits(&index, m, 2, &bits) == 0)
        free(bits);
    block_free(b);
}

static void put_right(uint8_t *data, size_t size)
{
    uint8_t *f = data + size - FOOTER_BYTES;
    uint64_t from = load64(f + FOOTER_SYMBOLS), to = size - FOOTER_BYTES;
    if (from <= to) {
        store64(f + FOOTER_INDEX_END, to);
        store32(f + FOOTER_INDEX_CRC, crc32c(0, data + from, to - from));
    }
    store32(f + FOOTER_CRC, crc32c(0, f, FOOTER_CRC));
    for (uint64_t at = HEADER_BYTES; at + BLOB_HEAD <= from && from <= to;) {
        uint64_t len = load32(data + at + 4);
        if (len > from - at - BLOB_HEAD)
            break;
        store32(data + at, crc32c(0, data + at + 4, len + 4));
        at += BLOB_HEAD + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_block(data, size);
    if (size < HEADER_BYTES + FOOTER_BYTES)
        return 0;
    uint8_t *copy = malloc(size);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    put_right(copy, size);
    read_block(copy, size);
    free(copy);
    return 0;
}
