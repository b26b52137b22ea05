// SPDX-License-Identifier: GPL-3.0-or-later
// Frames of samples. Writer: a record is complete or not there at all; a frame that is full stays
// good. Reader: every count is checked against what is left, each record takes at least one byte.
#include "net/samples.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/labels.h"
#include "model/query.h"

#define VERSION 1
#define TEXT_BYTES_MAX LABELS_BYTES_MAX
#define END_BYTES 11

struct samples_writer {
    struct buf out;
    struct map *texts; // text to its number, as a pointer
    uintptr_t n_texts;
    size_t samples, records;
    int64_t time_ms;
    struct buf last; // labels of the last sample, as written by put_key()
    struct buf key;
    size_t limit;
    bool ended;
};

struct samples_writer *samples_writer_new(size_t limit_bytes)
{
    struct samples_writer *w = mem_zalloc(sizeof(*w));
    w->limit = MIN_OF(limit_bytes, (size_t)SAMPLES_FRAME_MAX);
    buf_init(&w->out, (size_t)SAMPLES_FRAME_MAX + LABELS_MAX * 32 + 2 * LABELS_BYTES_MAX);
    buf_init(&w->last, 2 * LABELS_BYTES_MAX);
    buf_init(&w->key, 2 * LABELS_BYTES_MAX);
    samples_writer_reset(w);
    return w;
}

void samples_writer_free(struct samples_writer *w)
{
    if (!w)
        return;
    map_free(w->texts);
    buf_done(&w->out);
    buf_done(&w->last);
    buf_done(&w->key);
    free(w);
}

void samples_writer_reset(struct samples_writer *w)
{
    map_free(w->texts);
    w->texts = map_new();
    w->n_texts = w->samples = w->records = 0;
    w->time_ms = 0;
    w->ended = false;
    buf_reset(&w->last);
    buf_reset(&w->out);
    buf_putc(&w->out, VERSION);
}

static void put_varint(struct buf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_putc(out, (char)(v | 0x80));
    buf_putc(out, (char)v);
}

static void put_text(struct samples_writer *w, const char *text)
{
    size_t len = strlen(text);
    bool known = len <= UINT16_MAX;
    uintptr_t number = known ? (uintptr_t)map_get(w->texts, text, len) : 0;
    put_varint(&w->out, number);
    if (number != 0)
        return;
    put_varint(&w->out, len);
    buf_put(&w->out, text, len);
    w->n_texts++;
    if (known)
        map_put(w->texts, text, len, (void *)w->n_texts);
}

static void put_key(struct buf *key, const struct label *label, size_t n)
{
    buf_reset(key);
    for (size_t i = 0; i < n; i++) {
        buf_put(key, label[i].name, strlen(label[i].name) + 1);
        buf_put(key, label[i].value, strlen(label[i].value) + 1);
    }
}

static void put_series(struct samples_writer *w, const struct label *label, size_t n)
{
    put_key(&w->key, label, n);
    if (w->samples > 0 && !w->key.error && w->key.len == w->last.len && w->key.len > 0 &&
        memcmp(w->key.data, w->last.data, w->key.len) == 0) {
        buf_putc(&w->out, 'v');
        return;
    }
    struct buf swap = w->last;
    w->last = w->key;
    w->key = swap;
    buf_putc(&w->out, 'V');
    put_varint(&w->out, n);
    for (size_t i = 0; i < n; i++) {
        put_text(w, label[i].name);
        put_text(w, label[i].value);
    }
}

// Bytes that labels take at most, or SIZE_MAX where they are too many or too long.
static size_t worst_case(const struct label *label, size_t n)
{
    size_t bytes = 0;
    if (n > LABELS_MAX)
        return SIZE_MAX;
    for (size_t i = 0; i < n; i++)
        bytes += strlen(label[i].name) + strlen(label[i].value) + 12;
    return bytes <= LABELS_BYTES_MAX + 12 * LABELS_MAX ? bytes + 40 : SIZE_MAX;
}

static int check_room(const struct samples_writer *w, size_t bytes)
{
    if (bytes == SIZE_MAX)
        return -EINVAL;
    if (w->ended || w->out.len + bytes + END_BYTES > w->limit ||
        w->n_texts + 2 * LABELS_MAX > SAMPLES_TEXTS_MAX)
        return -E2BIG;
    return 0;
}

int samples_put(struct samples_writer *w, const struct label *label, size_t n, int64_t t_ms,
                double v)
{
    int r = check_room(w, worst_case(label, n));
    if (r < 0)
        return r;
    put_series(w, label, n);
    uint64_t step = (uint64_t)t_ms - (uint64_t)w->time_ms;
    put_varint(&w->out, step << 1 ^ -(step >> 63));
    buf_put(&w->out, &v, sizeof(v));
    w->time_ms = t_ms;
    w->samples++;
    w->records++;
    return w->out.error;
}

int samples_put_end(struct samples_writer *w, const struct label *label, size_t n, int64_t t_ms)
{
    return samples_put(w, label, n, t_ms, sample_stale());
}

int samples_put_family(struct samples_writer *w, const struct expo_family *f)
{
    const char *texts[] = {f->name, f->help, f->unit};
    size_t bytes = 64;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (strlen(texts[i]) > TEXT_BYTES_MAX)
            return -EINVAL;
        bytes += strlen(texts[i]);
    }
    int r = check_room(w, bytes);
    if (r < 0)
        return r;
    buf_putc(&w->out, 'M');
    put_text(w, f->name);
    buf_putc(&w->out, (char)f->type);
    put_text(w, f->help);
    put_text(w, f->unit);
    w->records++;
    return w->out.error;
}

size_t samples_count(const struct samples_writer *w)
{
    return w->samples;
}

size_t samples_records(const struct samples_writer *w)
{
    return w->records;
}

size_t samples_bytes(const struct samples_writer *w)
{
    return w->out.len + END_BYTES;
}

const char *samples_finish(struct samples_writer *w, size_t *ret_len)
{
    if (!w->ended) {
        buf_putc(&w->out, 'E');
        put_varint(&w->out, w->records);
        w->ended = true;
    }
    *ret_len = w->out.len;
    return w->out.error ? NULL : w->out.data;
}

// Reading

struct reader {
    const char *at, *end;
    struct buf storage; // new texts, NUL-ended
    size_t *text;       // number to offset in `storage`
    size_t n_texts, cap;
    struct label label[LABELS_MAX];
    size_t at_label[LABELS_MAX][2];
    size_t n; // of the last series; 0: none yet
    int64_t time_ms;
    uint64_t records;
    const struct samples_events *events;
    void *arg;
};

static int get_varint(struct reader *r, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        unsigned char byte = (unsigned char)*r->at++;
        if (shift == 63 && byte > 1)
            return -EPROTO;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = v;
            return 0;
        }
    }
    return -EPROTO;
}

static bool is_text(const char *s, size_t len)
{
    while (len > 0) {
        size_t n = *s ? esc_utf8_next(s, len, NULL) : 0;
        if (n == 0)
            return false;
        s += n;
        len -= n;
    }
    return true;
}

static int new_text(struct reader *r, size_t *ret_offset)
{
    uint64_t len = 0;
    int e = get_varint(r, &len);
    if (e < 0)
        return e;
    if (len > (uint64_t)(r->end - r->at) || len > TEXT_BYTES_MAX || !is_text(r->at, len))
        return -EPROTO;
    e = mem_grow_capped(&r->text, &r->cap, r->n_texts, sizeof(*r->text), SAMPLES_TEXTS_MAX);
    if (e < 0)
        return e == -E2BIG ? -EPROTO : e;
    *ret_offset = r->text[r->n_texts++] = r->storage.len;
    buf_put(&r->storage, r->at, len);
    buf_putc(&r->storage, '\0');
    r->at += len;
    return r->storage.error ? -ENOMEM : 0;
}

static int get_text(struct reader *r, size_t *ret_offset)
{
    uint64_t number = 0;
    int e = get_varint(r, &number);
    if (e < 0)
        return e;
    if (number == 0)
        return new_text(r, ret_offset);
    if (number > r->n_texts)
        return -EPROTO;
    *ret_offset = r->text[number - 1];
    return 0;
}

static int get_labels(struct reader *r)
{
    uint64_t n = 0;
    int e = get_varint(r, &n);
    if (e < 0 || n == 0 || n > LABELS_MAX)
        return -EPROTO;
    r->n = 0;
    for (size_t i = 0; i < n; i++) {
        e = get_text(r, &r->at_label[i][0]);
        if (e == 0)
            e = get_text(r, &r->at_label[i][1]);
        if (e < 0)
            return e;
        if (r->storage.data[r->at_label[i][0]] == '\0')
            return -EPROTO;
    }
    r->n = n;
    for (size_t i = 0; i < n; i++)
        r->label[i] = (struct label){r->storage.data + r->at_label[i][0],
                                     r->storage.data + r->at_label[i][1]};
    return 0;
}

static int get_sample(struct reader *r, bool same)
{
    uint64_t step = 0;
    double v;
    int e = same ? 0 : get_labels(r);
    if (e == 0)
        e = get_varint(r, &step);
    if (e < 0)
        return e;
    if (r->n == 0 || r->end - r->at < (ptrdiff_t)sizeof(v))
        return -EPROTO;
    memcpy(&v, r->at, sizeof(v));
    r->at += sizeof(v);
    r->time_ms = (int64_t)((uint64_t)r->time_ms + (step >> 1 ^ -(step & 1)));
    return r->events->sample ? r->events->sample(r->arg, r->label, r->n, r->time_ms, v, same) : 0;
}

static int get_family(struct reader *r)
{
    size_t at[3];
    int e = get_text(r, &at[0]);
    if (e < 0 || r->at == r->end || (unsigned char)*r->at >= EXPO_TYPE_MAX)
        return e < 0 ? e : -EPROTO;
    enum expo_type type = (enum expo_type) * r->at++;
    e = get_text(r, &at[1]);
    if (e == 0)
        e = get_text(r, &at[2]);
    if (e < 0)
        return e;
    const char *base = r->storage.data;
    // Storage may have moved under the labels of the last series.
    for (size_t i = 0; i < r->n; i++)
        r->label[i] = (struct label){base + r->at_label[i][0], base + r->at_label[i][1]};
    struct expo_family f = {
        .name = base + at[0], .type = type, .help = base + at[1], .unit = base + at[2]};
    if (!*f.name)
        return -EPROTO;
    return r->events->family ? r->events->family(r->arg, &f) : 0;
}

static int get_end(struct reader *r)
{
    uint64_t n = 0;
    int e = get_varint(r, &n);
    return e < 0 || n != r->records || r->at != r->end ? -EPROTO : 1;
}

// 0: another record may follow; 1: the end.
static int get_record(struct reader *r)
{
    if (r->at == r->end)
        return -EPROTO;
    char tag = *r->at++;
    if (tag == 'E')
        return get_end(r);
    r->records++;
    if (tag == 'V' || tag == 'v')
        return get_sample(r, tag == 'v');
    return tag == 'M' ? get_family(r) : -EPROTO;
}

int samples_read(const char *frame, size_t len, const struct samples_events *events, void *arg)
{
    if (len < 1 || frame[0] != VERSION)
        return -EPROTO;
    struct reader *r = mem_zalloc(sizeof(*r));
    r->at = frame + 1;
    r->end = frame + len;
    r->events = events;
    r->arg = arg;
    // Each text is at least two bytes of the frame and one more here.
    buf_init(&r->storage, 2 * len + 16);
    int e;
    do
        e = get_record(r);
    while (e == 0);
    buf_done(&r->storage);
    free(r->text);
    free(r);
    return e == 1 ? 0 : e;
}

// Around the frames

void samples_position_put(struct buf *out, const struct samples_position *p)
{
    buf_put(out, &p->a, sizeof(p->a));
    buf_put(out, &p->b, sizeof(p->b));
}

struct samples_position samples_position_get(const char *bytes)
{
    struct samples_position p;
    memcpy(&p.a, bytes, sizeof(p.a));
    memcpy(&p.b, bytes + sizeof(p.a), sizeof(p.b));
    return p;
}

void samples_ask_encode(const struct samples_ask *a, struct buf *out)
{
    buf_putc(out, (char)a->from_start);
    samples_position_put(out, &a->from);
    buf_put(out, &a->max_samples, sizeof(a->max_samples));
    buf_puts(out, a->name);
}

#define ASK_HEAD (1 + SAMPLES_POSITION_BYTES + sizeof(uint32_t))

int samples_ask_decode(const char *payload, size_t len, struct samples_ask *ret)
{
    struct samples_ask a = {0};
    if (len <= ASK_HEAD || len - ASK_HEAD >= sizeof(a.name) ||
        !is_text(payload + ASK_HEAD, len - ASK_HEAD))
        return -EPROTO;
    a.from_start = payload[0] != 0;
    a.from = samples_position_get(payload + 1);
    memcpy(&a.max_samples, payload + 1 + SAMPLES_POSITION_BYTES, sizeof(a.max_samples));
    memcpy(a.name, payload + ASK_HEAD, len - ASK_HEAD);
    *ret = a;
    return 0;
}

#define BATCH_HEAD (SAMPLES_POSITION_BYTES + 1 + sizeof(uint64_t))

void samples_batch_encode(const struct samples_batch *b, struct buf *out)
{
    samples_position_put(out, &b->next);
    buf_putc(out, (char)b->more);
    buf_put(out, &b->lost, sizeof(b->lost));
}

int samples_batch_decode(const char *payload, size_t len, struct samples_batch *ret,
                         const char **ret_frame, size_t *ret_len)
{
    if (len < BATCH_HEAD)
        return -EPROTO;
    ret->next = samples_position_get(payload);
    ret->more = payload[SAMPLES_POSITION_BYTES] != 0;
    memcpy(&ret->lost, payload + SAMPLES_POSITION_BYTES + 1, sizeof(ret->lost));
    *ret_frame = payload + BATCH_HEAD;
    *ret_len = len - BATCH_HEAD;
    return 0;
}

const char *samples_why(int error)
{
    return error == -EAGAIN ? "a deletion of that time is not carried out yet; try again later"
                            : strerror(-error);
}

#define WRITTEN_HEAD (4 * sizeof(uint64_t))

void samples_written_encode(const struct samples_written *w, struct buf *out)
{
    buf_put(out, &w->samples, sizeof(w->samples));
    buf_put(out, &w->rejected, sizeof(w->rejected));
    buf_put(out, &w->late, sizeof(w->late));
    buf_put(out, &w->duplicate, sizeof(w->duplicate));
    buf_puts(out, w->reason);
}

int samples_written_decode(const char *payload, size_t len, struct samples_written *ret)
{
    struct samples_written w = {0};
    if (len < WRITTEN_HEAD || len - WRITTEN_HEAD >= sizeof(w.reason))
        return -EPROTO;
    memcpy(&w.samples, payload, sizeof(w.samples));
    memcpy(&w.rejected, payload + 8, sizeof(w.rejected));
    memcpy(&w.late, payload + 16, sizeof(w.late));
    memcpy(&w.duplicate, payload + 24, sizeof(w.duplicate));
    if (len > WRITTEN_HEAD)
        memcpy(w.reason, payload + WRITTEN_HEAD, len - WRITTEN_HEAD);
    *ret = w;
    return 0;
}
