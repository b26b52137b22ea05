// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Invariants:
 * 1. A file under its final name is complete and on the disk: it is written as NAME.tmp, fsynced,
 *    renamed, and the directory fsynced.
 * 2. Each column stands in the file once: before writing, an equal one is looked for by its CRC and
 *    compared byte by byte.
 * 3. Series are in the order of labels_compare(), chunks of a series in that of time, and chunks of
 *    one series do not overlap.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "block.h"
#include "block_format.h"
#include "block_index.h"
#include "codec.h"
#include "crc32c.h"
#include "varint.h"

#define OUT_BYTES (1u << 20)

struct known {
    uint64_t at; // 0: free
    uint32_t crc, len;
};

struct block_writer {
    int dirfd, fd;
    struct block_meta meta;
    char name[96], temporary[104];
    struct buf out; // not yet written
    uint64_t written;
    struct known *known; // columns by CRC, open addressing
    size_t n_known, known_size;
    struct index_build index;
    uint8_t *scratch;
    size_t scratch_size;
};

void block_name(const struct block_meta *meta, char *out, size_t size)
{
    int n = snprintf(out, size, "%" PRId64 "s-%" PRId64 "-%" PRId64 "-%08" PRIu64 BLOCK_SUFFIX,
                     meta->resolution_ms / 1000, meta->window_start_ms / 1000,
                     meta->window_end_ms / 1000, meta->serial);
    assert(n > 0 && (size_t)n < size);
}

static int flush(struct block_writer *w)
{
    if (w->out.error)
        return w->out.error;
    int r = fs_write_all(w->fd, w->out.data, w->out.len);
    if (r < 0)
        return r;
    w->written += w->out.len;
    buf_reset(&w->out);
    return 0;
}

static void writer_free(struct block_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    buf_done(&w->out);
    index_done(&w->index);
    free(w->known);
    free(w->scratch);
    free(w);
}

void block_writer_abort(struct block_writer *w)
{
    if (!w)
        return;
    unlinkat(w->dirfd, w->temporary, 0);
    writer_free(w);
}

int block_writer_new(int dirfd, const struct block_meta *meta, struct block_writer **ret)
{
    struct block_writer *w = mem_zalloc(sizeof(*w));
    w->dirfd = dirfd;
    w->meta = *meta;
    w->meta.min_ms = INT64_MAX;
    w->meta.max_ms = INT64_MIN;
    w->meta.n_samples = w->meta.n_chunks = 0;
    buf_init(&w->out, UINT32_MAX);
    index_init(&w->index);
    block_name(meta, w->name, sizeof(w->name));
    int n = snprintf(w->temporary, sizeof(w->temporary), "%s.tmp", w->name);
    assert(n > 0 && (size_t)n < sizeof(w->temporary));
    w->fd = openat(dirfd, w->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (w->fd < 0) {
        int r = -errno;
        writer_free(w);
        return r;
    }
    uint8_t header[HEADER_BYTES] = {0};
    memcpy(header, BLOCK_MAGIC, 8);
    store32(header + 8, BLOCK_VERSION);
    buf_put(&w->out, header, sizeof(header));
    *ret = w;
    return 0;
}

static bool grow_known(struct block_writer *w)
{
    size_t size = w->known_size ? w->known_size * 2 : 1024;
    struct known *table = calloc(size, sizeof(*table));
    if (!table)
        return false;
    for (size_t i = 0; i < w->known_size; i++) {
        if (!w->known[i].at)
            continue;
        size_t k = w->known[i].crc & (size - 1);
        while (table[k].at)
            k = (k + 1) & (size - 1);
        table[k] = w->known[i];
    }
    free(w->known);
    w->known = table;
    w->known_size = size;
    return true;
}

static bool is_same(struct block_writer *w, const struct known *k, const uint8_t *data, size_t len)
{
    if (k->at >= w->written)
        return memcmp(w->out.data + (k->at - w->written) + BLOB_HEAD, data, len) == 0;
    uint8_t piece[4096];
    for (size_t done = 0; done < len;) {
        size_t n = MIN_OF(sizeof(piece), len - done);
        ssize_t r = pread(w->fd, piece, n, (off_t)(k->at + BLOB_HEAD + done));
        if (r != (ssize_t)n || memcmp(piece, data + done, n) != 0)
            return false;
        done += n;
    }
    return true;
}

// Where the column stands in the file.
static int put_column(struct block_writer *w, const uint8_t *data, size_t len, uint64_t *ret)
{
    if ((w->n_known + 1) * 4 > w->known_size * 3 && !grow_known(w))
        return -ENOMEM;
    uint8_t head[BLOB_HEAD];
    store32(head + 4, (uint32_t)len);
    uint32_t crc = crc32c(crc32c(0, head + 4, 4), data, len);
    store32(head, crc);
    size_t i = crc & (w->known_size - 1);
    for (; w->known[i].at; i = (i + 1) & (w->known_size - 1)) {
        const struct known *k = &w->known[i];
        if (k->crc == crc && k->len == len && is_same(w, k, data, len)) {
            *ret = k->at;
            return 0;
        }
    }
    *ret = w->written + w->out.len;
    w->known[i] = (struct known){*ret, crc, (uint32_t)len};
    w->n_known++;
    buf_put(&w->out, head, sizeof(head));
    buf_put(&w->out, data, len);
    return w->out.len > OUT_BYTES ? flush(w) : w->out.error;
}

int block_writer_series(struct block_writer *w, const struct labels *labels, enum tsdb_kind kind,
                        int scale)
{
    return index_add(&w->index, labels, (uint8_t)kind, (uint8_t)scale);
}

static int reserve_scratch(struct block_writer *w, size_t n)
{
    size_t size = codec_bound(n);
    if (size <= w->scratch_size)
        return 0;
    free(w->scratch);
    w->scratch = malloc(size);
    w->scratch_size = w->scratch ? size : 0;
    return w->scratch ? 0 : -ENOMEM;
}

static int put_i64(struct block_writer *w, const int64_t *x, size_t n, uint64_t *ret)
{
    return put_column(w, w->scratch, codec_put_i64(x, n, w->scratch), ret);
}

static int put_f64(struct block_writer *w, const double *x, size_t n, uint64_t *ret)
{
    return put_column(w, w->scratch, codec_put_f64(x, n, w->scratch), ret);
}

static int put_row(struct block_writer *w, const int64_t *t_ms, size_t n, uint64_t times,
                   const uint64_t *column, size_t columns)
{
    uint8_t row[(4 + BLOCK_COLUMNS_MAX) * VARINT_MAX], *p = row;
    int64_t first = t_ms[0], last = t_ms[n - 1];
    p = varint_put(p, (uint64_t)(first - w->meta.window_start_ms));
    p = varint_put(p, (uint64_t)(last - first));
    p = varint_put(p, n);
    p = varint_put(p, times);
    for (size_t i = 0; i < columns; i++)
        p = varint_put(p, column[i]);
    buf_put(&w->index.rows, row, (size_t)(p - row));
    struct index_series *s = &w->index.series[w->index.n_series - 1];
    s->n_chunks++;
    w->meta.n_chunks++;
    w->meta.n_samples += n;
    w->meta.min_ms = MIN_OF(w->meta.min_ms, first);
    w->meta.max_ms = MAX_OF(w->meta.max_ms, last);
    assert(first > w->meta.window_start_ms && last <= w->meta.window_end_ms);
    return w->index.rows.error;
}

static int put_samples(struct block_writer *w, const int64_t *t_ms, const int64_t *i64,
                       const double *f64, size_t n)
{
    int r = reserve_scratch(w, BLOCK_CHUNK_VALUES);
    for (size_t from = 0; from < n && r == 0; from += BLOCK_CHUNK_VALUES) {
        size_t m = MIN_OF((size_t)BLOCK_CHUNK_VALUES, n - from);
        uint64_t times, values;
        r = put_i64(w, t_ms + from, m, &times);
        if (r == 0)
            r = i64 ? put_i64(w, i64 + from, m, &values) : put_f64(w, f64 + from, m, &values);
        if (r == 0)
            r = put_row(w, t_ms + from, m, times, &values, 1);
    }
    return r;
}

int block_writer_i64(struct block_writer *w, const int64_t *t_ms, const int64_t *v, size_t n)
{
    return put_samples(w, t_ms, v, NULL, n);
}

int block_writer_f64(struct block_writer *w, const int64_t *t_ms, const double *v, size_t n)
{
    return put_samples(w, t_ms, NULL, v, n);
}

static int put_bucket_chunk(struct block_writer *w, const struct query_bucket *b, size_t n,
                            int64_t *end_ms, int64_t *i64)
{
    double *f64 = (double *)i64;
    uint64_t times, column[BUCKET_COLUMNS];
    int r = reserve_scratch(w, n);
    for (size_t i = 0; i < n; i++)
        end_ms[i] = b[i].end_ms;
    if (r == 0)
        r = put_i64(w, end_ms, n, &times);
#define WHOLE(column_, expression)                                                                 \
    for (size_t i = 0; i < n; i++)                                                                 \
        i64[i] = (int64_t)(expression);                                                            \
    if (r == 0)                                                                                    \
        r = put_i64(w, i64, n, &column[column_]);
#define REAL(column_, field_)                                                                      \
    for (size_t i = 0; i < n; i++)                                                                 \
        f64[i] = b[i].field_;                                                                      \
    if (r == 0)                                                                                    \
        r = put_f64(w, f64, n, &column[column_]);
    WHOLE(COLUMN_FIRST_MS, b[i].end_ms - b[i].first_ms)
    WHOLE(COLUMN_LAST_MS, b[i].end_ms - b[i].last_ms)
    REAL(COLUMN_FIRST, first)
    REAL(COLUMN_LAST, last)
    REAL(COLUMN_MIN, min)
    REAL(COLUMN_MAX, max)
    REAL(COLUMN_SUM, sum)
    REAL(COLUMN_INCREASE, increase)
    WHOLE(COLUMN_COUNT, b[i].count)
    WHOLE(COLUMN_RESETS, (uint64_t)b[i].resets << 1 | b[i].stale)
#undef WHOLE
#undef REAL
    return r < 0 ? r : put_row(w, end_ms, n, times, column, BUCKET_COLUMNS);
}

int block_writer_buckets(struct block_writer *w, const struct query_bucket *b, size_t n)
{
    size_t most = MIN_OF(n, (size_t)BLOCK_CHUNK_VALUES);
    CLEANUP(freep) int64_t *memory = malloc(2 * most * sizeof(*memory) + 1);
    int r = memory ? 0 : -ENOMEM;
    for (size_t from = 0; from < n && r == 0; from += BLOCK_CHUNK_VALUES)
        r = put_bucket_chunk(w, b + from, MIN_OF(most, n - from), memory, memory + most);
    return r;
}

uint64_t block_writer_samples(const struct block_writer *w)
{
    return w->meta.n_samples;
}

static void put_footer(struct block_writer *w, const struct index_sections *x, uint32_t index_crc)
{
    uint8_t f[FOOTER_BYTES] = {0};
    const struct block_meta *m = &w->meta;
    const struct {
        int at;
        uint64_t value;
    } words[] = {
        {FOOTER_RESOLUTION, (uint64_t)m->resolution_ms},
        {FOOTER_WINDOW_START, (uint64_t)m->window_start_ms},
        {FOOTER_WINDOW_END, (uint64_t)m->window_end_ms},
        {FOOTER_MIN, (uint64_t)m->min_ms},
        {FOOTER_MAX, (uint64_t)m->max_ms},
        {FOOTER_SAMPLES, m->n_samples},
        {FOOTER_CHUNKS, m->n_chunks},
        {FOOTER_LOG_COVERED, m->log_covered},
        {FOOTER_DELETIONS, m->deletions},
        {FOOTER_SERIAL, m->serial},
        {FOOTER_SYMBOLS, x->symbols},
        {FOOTER_SERIES, x->series},
        {FOOTER_NAMES, x->names},
        {FOOTER_INDEX_END, x->end},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        store64(f + words[i].at, words[i].value);
    store32(f + FOOTER_VERSION, BLOCK_VERSION);
    store32(f + FOOTER_LEVEL, m->level);
    store32(f + FOOTER_N_SERIES, (uint32_t)w->index.n_series);
    store32(f + FOOTER_N_SYMBOLS, x->n_symbols);
    store32(f + FOOTER_N_NAMES, x->n_names);
    store32(f + FOOTER_INDEX_CRC, index_crc);
    store32(f + FOOTER_CRC, crc32c(0, f, FOOTER_CRC));
    memcpy(f + FOOTER_MAGIC, BLOCK_END_MAGIC, 8);
    buf_put(&w->out, f, sizeof(f));
}

static int finish(struct block_writer *w)
{
    struct index_sections sections = {0};
    int r = flush(w);
    if (r < 0)
        return r;
    r = index_put(&w->index, w->written, &w->out, &sections);
    if (r < 0)
        return r;
    put_footer(w, &sections, crc32c(0, w->out.data, w->out.len));
    r = flush(w);
    if (r < 0)
        return r;
    if (fsync(w->fd) < 0 || renameat(w->dirfd, w->temporary, w->dirfd, w->name) < 0 ||
        fsync(w->dirfd) < 0)
        return -errno;
    return 0;
}

int block_writer_finish(struct block_writer *w, uint64_t log_covered)
{
    w->meta.log_covered = log_covered;
    int r = finish(w);
    if (r < 0)
        block_writer_abort(w);
    else
        writer_free(w);
    return r;
}
