// SPDX-License-Identifier: GPL-3.0-or-later
// Records of the log to bytes and back; any bytes may come in.
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "crc32c.h"
#include "log.h"
#include "model/labels.h"
#include "varint.h"

static void put_varint(struct buf *out, uint64_t v)
{
    uint8_t bytes[VARINT_MAX];
    buf_put(out, bytes, (size_t)(varint_put(bytes, v) - bytes));
}

size_t log_begin(struct buf *out, enum log_type type)
{
    size_t at = out->len;
    uint8_t head[LOG_RECORD_HEAD + 1] = {0};
    head[LOG_RECORD_HEAD] = (uint8_t)type;
    buf_put(out, head, sizeof(head));
    return at;
}

void log_end(struct buf *out, size_t at)
{
    if (out->error)
        return;
    uint8_t *head = (uint8_t *)out->data + at;
    size_t len = out->len - at - LOG_RECORD_HEAD;
    store32(head, LOG_MARK);
    store32(head + 4, (uint32_t)len);
    store32(head + 8, crc32c(crc32c(0, head + 4, 4), head + LOG_RECORD_HEAD, len));
}

static void put_text(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    put_varint(out, len);
    buf_put(out, text, len + 1);
}

void log_series(struct buf *out, uint32_t ref, const struct tsdb_kind_of *of,
                const struct labels *labels)
{
    size_t at = log_begin(out, LOG_SERIES);
    uint8_t fixed[8];
    put_varint(out, ref);
    buf_putc(out, (char)of->kind);
    buf_putc(out, (char)of->scale);
    buf_putc(out, (char)of->is_counter);
    uint64_t bits;
    memcpy(&bits, &of->max_rate, sizeof(bits));
    store64(fixed, bits);
    buf_put(out, fixed, sizeof(fixed));
    put_varint(out, labels->n);
    for (uint32_t i = 0; i < labels->n; i++) {
        put_text(out, labels->label[i].name);
        put_text(out, labels->label[i].value);
    }
    log_end(out, at);
}

void log_samples_begin(struct log_samples *b, struct buf *out, enum log_type type, int64_t t_ms)
{
    *b = (struct log_samples){.out = out, .type = type, .at = SIZE_MAX, .t_ms = t_ms};
}

void log_samples_put(struct log_samples *b, uint32_t ref, enum tsdb_kind kind, union tsdb_value v)
{
    if (b->at == SIZE_MAX) {
        b->at = log_begin(b->out, b->type);
        put_varint(b->out, zigzag(b->t_ms));
        b->last_ref = 0;
    }
    uint8_t bytes[2 * VARINT_MAX], *p = bytes;
    uint64_t step = zigzag((int64_t)ref - (int64_t)b->last_ref);
    p = varint_put(p, step << 1 | (kind == TSDB_SCALED));
    if (kind == TSDB_SCALED) {
        p = svarint_put(p, v.i64);
    } else {
        uint64_t bits;
        memcpy(&bits, &v.f64, sizeof(bits));
        store64(p, bits);
        p += 8;
    }
    buf_put(b->out, bytes, (size_t)(p - bytes));
    b->last_ref = ref;
    b->n++;
    if (b->out->len - b->at > LOG_BATCH_BYTES)
        log_samples_end(b);
}

void log_samples_end(struct log_samples *b)
{
    if (b->at != SIZE_MAX)
        log_end(b->out, b->at);
    b->at = SIZE_MAX;
}

void log_cursor_init(struct log_cursor *c, const uint8_t *data, size_t len)
{
    *c = (struct log_cursor){.data = data, .len = len, .at = LOG_HEADER};
    bool is_sound = len >= LOG_HEADER && memcmp(data, LOG_MAGIC, 8) == 0 &&
                    load32(data + 8) == LOG_VERSION &&
                    load32(data + 12) == crc32c(0, data + 16, LOG_HEADER - 16);
    if (is_sound)
        return;
    // Records stand for themselves: look for them all the same.
    c->skipped_bytes = MIN_OF(len, (size_t)LOG_HEADER);
    c->skips = len > 0;
    c->at = MIN_OF(len, (size_t)LOG_HEADER);
}

static bool record_at(const struct log_cursor *c, size_t at, struct log_record *ret)
{
    if (c->len - at < LOG_RECORD_HEAD + 1 || load32(c->data + at) != LOG_MARK)
        return false;
    uint32_t len = load32(c->data + at + 4);
    if (len < 1 || len > LOG_PAYLOAD_MAX || len > c->len - at - LOG_RECORD_HEAD)
        return false;
    const uint8_t *payload = c->data + at + LOG_RECORD_HEAD;
    if (load32(payload - 4) != crc32c(crc32c(0, payload - 8, 4), payload, len))
        return false;
    *ret = (struct log_record){payload[0], payload + 1, payload + len, at};
    return true;
}

bool log_next(struct log_cursor *c, struct log_record *ret)
{
    size_t from = c->at;
    for (size_t at = from; at + LOG_RECORD_HEAD < c->len; at++) {
        const uint8_t *mark = memchr(c->data + at, LOG_MARK & 0xFF, c->len - at);
        if (!mark)
            break;
        at = (size_t)(mark - c->data);
        if (!record_at(c, at, ret))
            continue;
        c->skips += at > from;
        c->skipped_bytes += at - from;
        c->at = (size_t)(ret->end - c->data);
        return true;
    }
    return false;
}

static const char *get_text(const uint8_t **p, const uint8_t *end)
{
    uint64_t len = varint_get(p, end);
    if (!*p || len >= (uint64_t)(end - *p) || (*p)[len] != '\0' ||
        memchr(*p, '\0', (size_t)len) != NULL) {
        *p = NULL;
        return NULL;
    }
    const char *text = (const char *)*p;
    *p += len + 1;
    return text;
}

int log_read_series(const struct log_record *r, struct log_series_record *ret)
{
    const uint8_t *p = r->p;
    uint64_t ref = varint_get(&p, r->end);
    if (!p || r->end - p < 11 || ref > UINT32_MAX)
        return -EBADMSG;
    uint64_t bits = load64(p + 3);
    ret->ref = (uint32_t)ref;
    ret->of = (struct tsdb_kind_of){p[0], p[1], p[2] != 0, 0};
    if (p[0] > TSDB_SCALED || p[1] > TSDB_SCALE_MAX)
        return -EBADMSG;
    memcpy(&ret->of.max_rate, &bits, sizeof(bits));
    p += 11;
    uint64_t n = varint_get(&p, r->end);
    if (!p || n == 0 || n > LABELS_MAX)
        return -EBADMSG;
    ret->n = (size_t)n;
    for (size_t i = 0; i < n; i++) {
        ret->label[i].name = get_text(&p, r->end);
        ret->label[i].value = get_text(&p, r->end);
    }
    return p == r->end ? 0 : -EBADMSG;
}

int log_read_samples(const struct log_record *r,
                     void (*each)(void *arg, int64_t t_ms, const struct log_sample *s), void *arg)
{
    const uint8_t *p = r->p;
    int64_t t_ms = svarint_get(&p, r->end), ref = 0;
    while (p && p < r->end) {
        uint64_t step = varint_get(&p, r->end);
        if (!p)
            return -EBADMSG;
        struct log_sample s = {.kind = step & 1 ? TSDB_SCALED : TSDB_DOUBLE};
        ref = (int64_t)((uint64_t)ref + (uint64_t)unzigzag(step >> 1));
        if (s.kind == TSDB_SCALED) {
            s.v.i64 = svarint_get(&p, r->end);
        } else if (r->end - p >= 8) {
            uint64_t bits = load64(p);
            memcpy(&s.v.f64, &bits, sizeof(bits));
            p += 8;
        } else {
            return -EBADMSG;
        }
        if (!p || ref < 0 || ref > UINT32_MAX)
            return -EBADMSG;
        s.ref = (uint32_t)ref;
        each(arg, t_ms, &s);
    }
    return p ? 0 : -EBADMSG;
}
