// SPDX-License-Identifier: GPL-3.0-or-later
// Reads mapped blocks. The index is checked by its CRC when the file is opened and by bounds when
// it is used; each column by its CRC when it is decoded.
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "block.h"
#include "block_format.h"
#include "codec.h"
#include "crc32c.h"
#include "fault.h"
#include "varint.h"

DEFINE_FREEP(struct block, block_free, block_freep)

// Pages stay in the page cache, but count as ours as long as they are mapped; mapping them again
// costs a fault for each 64 KiB. All are let go of each time so much has been read of them. Behind
// each reader would cost more: columns of one chunk lie apart, and rules read the same ones again.
#define MAPPED_MAX ((size_t)4 * 1024 * 1024)
#define PAGE ((size_t)4096)

static atomic_size_t read_bytes; // since then, about

static void read_on(size_t len)
{
    size_t now = atomic_fetch_add_explicit(&read_bytes, len + PAGE, memory_order_relaxed);
    if (now + len + PAGE > MAPPED_MAX &&
        atomic_exchange_explicit(&read_bytes, 0, memory_order_relaxed) > MAPPED_MAX)
        fault_let_go();
}

static int damaged(struct err *err, const char *what)
{
    return err_set(err, EBADMSG, "%s", what);
}

static int read_footer(struct block *b, struct err *err)
{
    if (b->size < HEADER_BYTES + FOOTER_BYTES)
        return damaged(err, "too short");
    const uint8_t *f = b->data + b->size - FOOTER_BYTES;
    if (memcmp(b->data, BLOCK_MAGIC, 8) != 0 || load32(b->data + 12) != 0)
        return damaged(err, "not a block file");
    if (memcmp(f + FOOTER_MAGIC, BLOCK_END_MAGIC, 8) != 0)
        return damaged(err, "its end is missing");
    if (load32(f + FOOTER_CRC) != crc32c(0, f, FOOTER_CRC))
        return damaged(err, "its footer is damaged");
    if (load32(f + FOOTER_VERSION) != BLOCK_VERSION || load32(b->data + 8) != BLOCK_VERSION)
        return damaged(err, "a format of another version");
    struct block_meta *m = &b->meta;
    m->level = load32(f + FOOTER_LEVEL);
    m->resolution_ms = (int64_t)load64(f + FOOTER_RESOLUTION);
    m->window_start_ms = (int64_t)load64(f + FOOTER_WINDOW_START);
    m->window_end_ms = (int64_t)load64(f + FOOTER_WINDOW_END);
    m->min_ms = (int64_t)load64(f + FOOTER_MIN);
    m->max_ms = (int64_t)load64(f + FOOTER_MAX);
    m->n_samples = load64(f + FOOTER_SAMPLES);
    m->n_chunks = load64(f + FOOTER_CHUNKS);
    m->log_covered = load64(f + FOOTER_LOG_COVERED);
    m->deletions = load64(f + FOOTER_DELETIONS);
    m->serial = load64(f + FOOTER_SERIAL);
    m->n_series = load32(f + FOOTER_N_SERIES);
    b->n_symbols = load32(f + FOOTER_N_SYMBOLS);
    b->n_names = load32(f + FOOTER_N_NAMES);
    return 0;
}

static int find_sections(struct block *b, struct err *err)
{
    const uint8_t *f = b->data + b->size - FOOTER_BYTES;
    uint64_t at[] = {HEADER_BYTES, load64(f + FOOTER_SYMBOLS), load64(f + FOOTER_SERIES),
                     load64(f + FOOTER_NAMES), load64(f + FOOTER_INDEX_END)};
    for (size_t i = 1; i < ARRAY_LEN(at); i++)
        if (at[i] < at[i - 1] || at[i] > b->size - FOOTER_BYTES)
            return damaged(err, "its index is out of place");
    if (at[4] != b->size - FOOTER_BYTES ||
        crc32c(0, b->data + at[1], at[4] - at[1]) != load32(f + FOOTER_INDEX_CRC))
        return damaged(err, "its index is damaged");
    b->symbols = b->data + at[1];
    b->series = b->data + at[2];
    b->names = b->data + at[3];
    b->symbols_len = at[2] - at[1];
    b->series_len = at[3] - at[2];
    b->names_len = at[4] - at[3];
    size_t texts = ((size_t)b->n_symbols + 1) * 4;
    bool texts_end = b->symbols_len == texts || b->symbols[b->symbols_len - 1] == '\0';
    if (b->symbols_len < texts || !texts_end ||
        b->series_len < ((size_t)b->meta.n_series + 1) * 4 ||
        b->names_len < (size_t)b->n_names * NAME_ROW)
        return damaged(err, "its index contradicts itself");
    return 0;
}

int block_open(int dirfd, const char *name, struct block **ret, struct err *err)
{
    CLEANUP(closep) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(err, errno, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "not a file");
    if (st.st_size < HEADER_BYTES + FOOTER_BYTES)
        return damaged(err, "too short");
    CLEANUP(block_freep) struct block *b = mem_zalloc(sizeof(*b));
    b->guard = -1;
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
        return err_set(err, errno, "%s", strerror(errno));
    b->data = data;
    b->size = (size_t)st.st_size;
    b->guard = fault_guard(data, b->size);
    b->name = mem_strdup(name);
    int r = read_footer(b, err);
    if (r == 0)
        r = find_sections(b, err);
    if (fault_is_hit(b->guard))
        r = err_set(err, EIO, "%s", strerror(EIO));
    if (r == 0) {
        (void)madvise(data, b->size, MADV_DONTNEED); // all of the index was read for its CRC
        *ret = TAKE_PTR(b);
    }
    return r;
}

void block_free(struct block *b)
{
    if (!b)
        return;
    if (b->data) {
        fault_release(b->guard);
        munmap((void *)b->data, b->size);
    }
    free(b->name);
    free(b);
}

int block_sound(const struct block *b)
{
    return fault_is_hit(b->guard) ? -EBADMSG : 0;
}

// NULL where there is no such symbol.
static const char *symbol(const struct block *b, uint64_t i)
{
    if (i >= b->n_symbols)
        return NULL;
    size_t texts = ((size_t)b->n_symbols + 1) * 4;
    uint32_t at = load32(b->symbols + 4 * i);
    return at < b->symbols_len - texts ? (const char *)b->symbols + texts + at : NULL;
}

static uint32_t find_symbol(const struct block *b, const char *text)
{
    uint32_t low = 0, high = b->n_symbols;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *at = symbol(b, middle);
        int order = at ? strcmp(at, text) : 1;
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return UINT32_MAX;
}

int block_series(const struct block *b, uint32_t i, struct block_series *ret)
{
    if (i >= b->meta.n_series)
        return -EBADMSG;
    size_t head = ((size_t)b->meta.n_series + 1) * 4;
    uint32_t from = load32(b->series + 4 * (size_t)i), to = load32(b->series + 4 * (size_t)i + 4);
    if (from > to || to > b->series_len - head || to - from < 10)
        return -EBADMSG;
    const uint8_t *p = b->series + head + from, *end = b->series + head + to;
    *ret = (struct block_series){.hash = load64(p), .kind = p[8], .scale = p[9], .end = end};
    p += 10;
    uint64_t n = varint_get(&p, end);
    ret->labels = p;
    for (uint64_t k = 0; p && k < 2 * n; k++)
        if (n > LABELS_MAX || !symbol(b, varint_get(&p, end)))
            return -EBADMSG;
    uint64_t n_chunks = varint_get(&p, end);
    if (!p || n_chunks > UINT32_MAX || ret->kind > TSDB_SCALED || ret->scale > TSDB_SCALE_MAX)
        return -EBADMSG;
    ret->n_labels = (uint32_t)n;
    ret->n_chunks = (uint32_t)n_chunks;
    ret->chunks = p;
    return block_sound(b);
}

static void get_label(const struct block *b, const struct block_series *s, const uint8_t **p,
                      struct label *ret)
{
    ret->name = symbol(b, varint_get(p, s->end));
    ret->value = symbol(b, varint_get(p, s->end));
}

struct labels *block_labels(const struct block *b, const struct block_series *s)
{
    struct label label[LABELS_MAX];
    const uint8_t *p = s->labels;
    for (uint32_t i = 0; i < s->n_labels; i++)
        get_label(b, s, &p, &label[i]);
    struct labels *labels = labels_new(label, s->n_labels);
    if (block_sound(b) < 0) {
        labels_free(labels);
        return NULL;
    }
    return labels;
}

bool block_labels_equal(const struct block *b, const struct block_series *s,
                        const struct labels *labels)
{
    if (labels->n != s->n_labels || labels->hash != s->hash)
        return false;
    const uint8_t *p = s->labels;
    for (uint32_t i = 0; i < s->n_labels; i++) {
        struct label label;
        get_label(b, s, &p, &label);
        if (strcmp(label.name, labels->label[i].name) != 0 ||
            strcmp(label.value, labels->label[i].value) != 0)
            return false;
    }
    return block_sound(b) == 0;
}

// As labels_compare().
static int compare(const struct block *b, const struct block_series *s, const struct labels *labels)
{
    const uint8_t *p = s->labels;
    for (uint32_t i = 0; i < s->n_labels && i < labels->n; i++) {
        struct label label;
        get_label(b, s, &p, &label);
        int order = strcmp(label.name, labels->label[i].name);
        if (order == 0)
            order = strcmp(label.value, labels->label[i].value);
        if (order != 0)
            return order;
    }
    return (s->n_labels > labels->n) - (s->n_labels < labels->n);
}

int block_find(const struct block *b, const struct labels *labels, struct block_series *ret)
{
    uint32_t low = 0, high = b->meta.n_series;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int r = block_series(b, middle, ret);
        if (r < 0)
            return r;
        int order = compare(b, ret, labels);
        if (block_sound(b) < 0)
            return -EBADMSG;
        if (order == 0)
            return 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -ENOENT;
}

int block_next_chunk(const struct block *b, struct block_series *s, struct block_chunk *ret)
{
    const uint8_t **p = &s->chunks;
    size_t columns = b->meta.resolution_ms == 0 ? 1 : BUCKET_COLUMNS;
    uint64_t first = varint_get(p, s->end), span = varint_get(p, s->end);
    uint64_t n = varint_get(p, s->end);
    ret->times = varint_get(p, s->end);
    for (size_t i = 0; i < columns; i++)
        ret->column[i] = varint_get(p, s->end);
    uint64_t room = (uint64_t)b->meta.window_end_ms - (uint64_t)b->meta.window_start_ms;
    if (!*p || n == 0 || n > BLOCK_CHUNK_VALUES || first > room || span > room - first)
        return -EBADMSG;
    ret->min_ms = (int64_t)((uint64_t)b->meta.window_start_ms + first);
    ret->max_ms = (int64_t)((uint64_t)ret->min_ms + span);
    ret->n = (uint32_t)n;
    return block_sound(b);
}

const uint8_t *block_column(const struct block *b, uint64_t at, size_t *ret_len)
{
    size_t end = (size_t)(b->symbols - b->data);
    if (at < HEADER_BYTES || at > end || end - at < BLOB_HEAD)
        return NULL;
    const uint8_t *p = b->data + at;
    uint32_t len = load32(p + 4);
    if (len > end - at - BLOB_HEAD || load32(p) != crc32c(0, p + 4, (size_t)len + 4))
        return NULL;
    read_on(len);
    *ret_len = len;
    return p + BLOB_HEAD;
}

int block_times(const struct block *b, const struct block_chunk *c, int64_t *t_ms)
{
    size_t len = 0;
    const uint8_t *p = block_column(b, c->times, &len);
    int r = p ? codec_get_i64(p, len, t_ms, c->n) : -EBADMSG;
    if (r < 0 || t_ms[0] != c->min_ms || t_ms[c->n - 1] != c->max_ms)
        return -EBADMSG;
    return block_sound(b);
}

int block_i64_parts(const struct block *b, const struct block_chunk *c,
                    const struct codec_part *part, size_t n_parts, int64_t *v)
{
    size_t len = 0;
    const uint8_t *p = block_column(b, c->column[0], &len);
    int r = p ? codec_get_i64_parts(p, len, v, c->n, part, n_parts) : -EBADMSG;
    return r < 0 ? r : block_sound(b);
}

int block_f64_parts(const struct block *b, const struct block_series *s,
                    const struct block_chunk *c, const struct codec_part *part, size_t n_parts,
                    double *v)
{
    size_t len = 0;
    if (s->kind == TSDB_DOUBLE) {
        const uint8_t *p = block_column(b, c->column[0], &len);
        int r = p ? codec_get_f64_parts(p, len, v, c->n, part, n_parts) : -EBADMSG;
        return r < 0 ? r : block_sound(b);
    }
    int64_t *whole = (int64_t *)v;
    int r = block_i64_parts(b, c, part, n_parts, whole);
    for (size_t i = 0; r == 0 && i < n_parts; i++)
        codec_scale(whole + part[i].from, part[i].to - part[i].from, s->scale, v + part[i].from);
    return r;
}

int block_values_f64(const struct block *b, const struct block_series *s,
                     const struct block_chunk *c, double *v)
{
    const struct codec_part all = {0, c->n};
    return block_f64_parts(b, s, c, &all, 1, v);
}

static void all_series(const void *arg, uint64_t *bits)
{
    const struct block *b = arg;
    for (uint32_t i = 0; i < b->meta.n_series; i++)
        match_set(bits, i);
}

static int add_postings(const struct block *b, const uint8_t *value_row, uint64_t *bits)
{
    uint32_t at = load32(value_row + 4);
    if (at > b->names_len)
        return -EBADMSG;
    const uint8_t *p = b->names + at, *end = b->names + b->names_len;
    uint64_t n = varint_get(&p, end), series = 0;
    for (uint64_t i = 0; i < n; i++) {
        series += varint_get(&p, end);
        if (!p || series >= b->meta.n_series)
            return -EBADMSG;
        match_set(bits, (uint32_t)series);
    }
    return p ? 0 : -EBADMSG;
}

// The rows of a name's values; 0 rows where no series has the label.
static const uint8_t *values_of(const struct block *b, const char *name, uint32_t *ret_n)
{
    uint32_t wanted = find_symbol(b, name), low = 0, high = b->n_names;
    *ret_n = 0;
    while (wanted != UINT32_MAX && low < high) {
        uint32_t middle = low + (high - low) / 2;
        const uint8_t *row = b->names + (size_t)middle * NAME_ROW;
        uint32_t n = load32(row + 4), at = load32(row + 8);
        if (load32(row) == wanted) {
            bool fits = at <= b->names_len && (b->names_len - at) / VALUE_ROW >= n;
            *ret_n = fits ? n : 0;
            return fits ? b->names + at : NULL;
        }
        if (load32(row) < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

// The first value that is not below `text`.
static uint32_t lower_bound(const struct block *b, const uint8_t *rows, uint32_t n,
                            const char *text)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *value = symbol(b, load32(rows + (size_t)middle * VALUE_ROW));
        if (value && strcmp(value, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int find_label(const void *arg, const char *name, const char *value, uint64_t *bits)
{
    const struct block *b = arg;
    uint32_t n;
    const uint8_t *rows = values_of(b, name, &n);
    uint32_t i = lower_bound(b, rows, n, value);
    if (i == n)
        return block_sound(b);
    const uint8_t *row = rows + (size_t)i * VALUE_ROW;
    const char *at = symbol(b, load32(row));
    int r = at && strcmp(at, value) == 0 ? add_postings(b, row, bits) : 0;
    return r < 0 ? r : block_sound(b);
}

static int scan_labels(const void *arg, const char *name, const char *prefix,
                       bool (*want)(const struct query_matcher *m, const char *value),
                       const struct query_matcher *m, uint64_t *bits)
{
    const struct block *b = arg;
    uint32_t n;
    const uint8_t *rows = values_of(b, name, &n);
    size_t len = strlen(prefix);
    for (uint32_t i = lower_bound(b, rows, n, prefix); i < n; i++) {
        const uint8_t *row = rows + (size_t)i * VALUE_ROW;
        const char *value = symbol(b, load32(row));
        if (!value || strncmp(value, prefix, len) != 0)
            break;
        int r = want(m, value) ? add_postings(b, row, bits) : 0;
        if (r < 0)
            return r;
    }
    return block_sound(b);
}

struct match_index block_index(const struct block *b)
{
    return (struct match_index){b, b->meta.n_series, all_series, find_label, scan_labels};
}
