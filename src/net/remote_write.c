// SPDX-License-Identifier: GPL-3.0-or-later
// Samples to remote-write requests. A request keeps texts in one buffer and knows them by number;
// series know their labels by these numbers, which are 2.0's symbol table already.
#include "net/remote_write.h"

#include <errno.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/map.h"
#include "base/mem.h"
#include "model/labels.h"
#include "remote_write.pb-c.h"
#include "remote_write_private.h"

#define TEXTS_BYTES_MAX (64u * 1024 * 1024)

struct sample {
    int64_t t_ms;
    double v;
    uint32_t series;
    uint32_t order; // of arrival
};

struct series {
    uint32_t first_ref, n_refs; // in `refs`
    uint32_t n_samples;
};

struct rw_request {
    struct buf texts;
    size_t *text; // number to offset; 0 is ""
    size_t n_texts, cap_texts;
    struct map *numbers;
    uint32_t *refs;
    size_t n_refs, cap_refs;
    struct series *series;
    size_t n_series, cap_series;
    struct map *by_labels; // number of the series + 1
    struct sample *samples;
    size_t n_samples, cap_samples;
};

static const struct {
    const char *header, *content_type, *proto;
} versions[RW_VERSION_MAX] = {
    [RW_1_0] = {"0.1.0", "application/x-protobuf", "prometheus.WriteRequest"},
    [RW_2_0] = {"2.0.0", "application/x-protobuf;proto=io.prometheus.write.v2.Request",
                "io.prometheus.write.v2.Request"},
};

const char *rw_version_header(enum rw_version v)
{
    return versions[v].header;
}

const char *rw_content_type(enum rw_version v)
{
    return versions[v].content_type;
}

int rw_version_of(const char *content_type, enum rw_version *ret)
{
    static const char media[] = "application/x-protobuf";
    size_t n = content_type ? strcspn(content_type, "; \t") : 0;
    if (n != sizeof(media) - 1 || strncasecmp(content_type, media, n) != 0)
        return -EPROTONOSUPPORT;
    const char *proto = strcasestr(content_type + n, "proto=");
    if (!proto) {
        *ret = RW_1_0;
        return 0;
    }
    proto += strlen("proto=");
    proto += *proto == '"';
    n = strcspn(proto, "\"; \t");
    for (int v = 0; v < RW_VERSION_MAX; v++)
        if (strlen(versions[v].proto) == n && strncmp(versions[v].proto, proto, n) == 0) {
            *ret = (enum rw_version)v;
            return 0;
        }
    return -EPROTONOSUPPORT;
}

// Collecting

static uint32_t number_of(struct rw_request *r, const char *text)
{
    size_t len = strlen(text);
    bool short_enough = len <= UINT16_MAX;
    uintptr_t known = short_enough ? (uintptr_t)map_get(r->numbers, text, len) : 0;
    if (known || len == 0)
        return (uint32_t)(known ? known - 1 : 0);
    mem_grow(&r->text, &r->cap_texts, r->n_texts, sizeof(*r->text));
    r->text[r->n_texts] = r->texts.len;
    buf_put(&r->texts, text, len + 1);
    if (short_enough)
        map_put(r->numbers, text, len, (void *)(uintptr_t)(r->n_texts + 1));
    return (uint32_t)r->n_texts++;
}

static const char *text_of(const struct rw_request *r, uint32_t number)
{
    return r->texts.data + r->text[number];
}

static void empty(struct rw_request *r)
{
    map_free(r->numbers);
    map_free(r->by_labels);
    r->numbers = map_new();
    r->by_labels = map_new();
    r->n_texts = r->n_refs = r->n_series = r->n_samples = 0;
    buf_reset(&r->texts);
    mem_grow(&r->text, &r->cap_texts, 0, sizeof(*r->text));
    r->text[r->n_texts++] = 0;
    buf_putc(&r->texts, '\0');
}

struct rw_request *rw_request_new(void)
{
    struct rw_request *r = mem_zalloc(sizeof(*r));
    buf_init(&r->texts, TEXTS_BYTES_MAX);
    empty(r);
    return r;
}

void rw_request_reset(struct rw_request *r)
{
    empty(r);
}

void rw_request_free(struct rw_request *r)
{
    if (!r)
        return;
    map_free(r->numbers);
    map_free(r->by_labels);
    buf_done(&r->texts);
    free(r->text);
    free(r->refs);
    free(r->series);
    free(r->samples);
    free(r);
}

static int find_series(struct rw_request *r, const struct label *label, size_t n, uint32_t *ret)
{
    uint32_t refs[2 * LABELS_MAX];
    if (n > LABELS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        refs[2 * i] = number_of(r, label[i].name);
        refs[2 * i + 1] = number_of(r, label[i].value);
    }
    if (r->texts.error)
        return r->texts.error;
    size_t bytes = 2 * n * sizeof(refs[0]);
    uintptr_t known = (uintptr_t)map_get(r->by_labels, refs, bytes);
    if (known == 0) {
        mem_grow(&r->series, &r->cap_series, r->n_series, sizeof(*r->series));
        r->series[r->n_series++] =
            (struct series){.first_ref = (uint32_t)r->n_refs, .n_refs = (uint32_t)(2 * n)};
        for (size_t i = 0; i < 2 * n; i++) {
            mem_grow(&r->refs, &r->cap_refs, r->n_refs, sizeof(*r->refs));
            r->refs[r->n_refs++] = refs[i];
        }
        known = r->n_series;
        map_put(r->by_labels, refs, bytes, (void *)known);
    }
    *ret = (uint32_t)(known - 1);
    return 0;
}

int rw_request_put(struct rw_request *r, const struct label *label, size_t n, int64_t t_ms,
                   double v)
{
    uint32_t series = 0;
    if (r->n_samples >= RW_SAMPLES_MAX)
        return -E2BIG;
    int e = find_series(r, label, n, &series);
    if (e < 0)
        return e;
    mem_grow(&r->samples, &r->cap_samples, r->n_samples, sizeof(*r->samples));
    r->samples[r->n_samples] = (struct sample){t_ms, v, series, (uint32_t)r->n_samples};
    r->n_samples++;
    r->series[series].n_samples++;
    return 0;
}

size_t rw_request_samples(const struct rw_request *r)
{
    return r->n_samples;
}

size_t rw_request_series(const struct rw_request *r)
{
    return r->n_series;
}

static int by_series_and_time(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;
    if (x->series != y->series)
        return x->series < y->series ? -1 : 1;
    if (x->t_ms != y->t_ms)
        return x->t_ms < y->t_ms ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

// Encoding

// Everything that protobuf-c wants pointers to, for one request.
struct parts {
    struct sample *sorted;
    Remote__Sample *sample;
    Remote__Sample **sample_at;
    Remote__Label *label;
    Remote__Label **label_at;
};

static void parts_done(struct parts *p)
{
    free(p->sorted);
    free(p->sample);
    free(p->sample_at);
    free(p->label);
    free(p->label_at);
}

static bool parts_init(struct parts *p, const struct rw_request *r)
{
    size_t n = r->n_samples + 1, labels = r->n_refs / 2 + 1;
    *p = (struct parts){
        .sorted = malloc(n * sizeof(*p->sorted)),
        .sample = malloc(n * sizeof(*p->sample)),
        .sample_at = malloc(n * sizeof(*p->sample_at)),
        .label = malloc(labels * sizeof(*p->label)),
        .label_at = malloc(labels * sizeof(*p->label_at)),
    };
    if (!p->sorted || !p->sample || !p->sample_at || !p->label || !p->label_at)
        return false;
    if (r->n_samples > 0)
        memcpy(p->sorted, r->samples, r->n_samples * sizeof(*p->sorted));
    qsort(p->sorted, r->n_samples, sizeof(*p->sorted), by_series_and_time);
    for (size_t i = 0; i < r->n_samples; i++) {
        remote__sample__init(&p->sample[i]);
        p->sample[i].value = p->sorted[i].v;
        p->sample[i].timestamp = p->sorted[i].t_ms;
        p->sample_at[i] = &p->sample[i];
    }
    for (size_t i = 0; i < r->n_refs / 2; i++) {
        remote__label__init(&p->label[i]);
        p->label[i].name = (char *)text_of(r, r->refs[2 * i]);
        p->label[i].value = (char *)text_of(r, r->refs[2 * i + 1]);
        p->label_at[i] = &p->label[i];
    }
    return true;
}

static int compress_message(const ProtobufCMessage *message, struct buf *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    CLEANUP(freep) uint8_t *packed = malloc(size + 1);
    if (!packed)
        return -ENOMEM;
    protobuf_c_message_pack(message, packed);
    size_t room = snappy_max_compressed_length(size);
    int r = buf_reserve(out, room);
    if (r < 0)
        return r;
    if (snappy_compress((const char *)packed, size, out->data + out->len, &room) != SNAPPY_OK)
        return -ENOMEM;
    out->len += room;
    out->data[out->len] = '\0';
    return 0;
}

static int encode_1(const struct rw_request *r, const struct parts *p, struct buf *out)
{
    CLEANUP(freep) Remote__Series1 *series = calloc(r->n_series + 1, sizeof(*series));
    CLEANUP(freep) Remote__Series1 **at = calloc(r->n_series + 1, sizeof(Remote__Series1 *));
    if (!series || !at)
        return -ENOMEM;
    size_t sample = 0;
    for (size_t i = 0; i < r->n_series; i++) {
        remote__series1__init(&series[i]);
        series[i].n_labels = r->series[i].n_refs / 2;
        series[i].labels = p->label_at + r->series[i].first_ref / 2;
        series[i].n_samples = r->series[i].n_samples;
        series[i].samples = p->sample_at + sample;
        sample += r->series[i].n_samples;
        at[i] = &series[i];
    }
    Remote__Request1 request = REMOTE__REQUEST1__INIT;
    request.n_timeseries = r->n_series;
    request.timeseries = at;
    return compress_message(&request.base, out);
}

// Texts of metadata come behind those of the labels.
struct extra {
    const char **text;
    size_t n, cap;
    struct map *numbers;
};

static uint32_t extra_number(struct extra *x, size_t base, const char *text)
{
    size_t len = MIN_OF(strlen(text), (size_t)UINT16_MAX);
    if (len == 0)
        return 0;
    uintptr_t known = (uintptr_t)map_get(x->numbers, text, len);
    if (known == 0) {
        mem_grow(&x->text, &x->cap, x->n, sizeof(char *));
        x->text[x->n++] = text;
        known = x->n;
        map_put(x->numbers, text, len, (void *)known);
    }
    return (uint32_t)(base + known - 1);
}

static const char *metric_of(const struct rw_request *r, const struct series *s)
{
    for (uint32_t i = 0; i + 1 < s->n_refs; i += 2)
        if (strcmp(text_of(r, r->refs[s->first_ref + i]), LABEL_METRIC_NAME) == 0)
            return text_of(r, r->refs[s->first_ref + i + 1]);
    return "";
}

static void describe(const struct rw_request *r, const struct series *s,
                     const struct rw_metadata *metadata, struct extra *x, Remote__Metadata2 *ret)
{
    remote__metadata2__init(ret);
    const struct expo_family *f = metadata ? rw_metadata_of(metadata, metric_of(r, s)) : NULL;
    if (!f)
        return;
    ret->type = (uint32_t)f->type;
    ret->help_ref = extra_number(x, r->n_texts, f->help);
    ret->unit_ref = extra_number(x, r->n_texts, f->unit);
}

static int encode_2(const struct rw_request *r, const struct parts *p,
                    const struct rw_metadata *metadata, struct buf *out)
{
    CLEANUP(freep) Remote__Series2 *series = calloc(r->n_series + 1, sizeof(*series));
    CLEANUP(freep) Remote__Series2 **at = calloc(r->n_series + 1, sizeof(Remote__Series2 *));
    CLEANUP(freep) Remote__Metadata2 *meta = calloc(r->n_series + 1, sizeof(*meta));
    if (!series || !at || !meta)
        return -ENOMEM;
    struct extra extra = {.numbers = map_new()};
    size_t sample = 0;
    for (size_t i = 0; i < r->n_series; i++) {
        remote__series2__init(&series[i]);
        describe(r, &r->series[i], metadata, &extra, &meta[i]);
        series[i].n_labels_refs = r->series[i].n_refs;
        series[i].labels_refs = r->refs + r->series[i].first_ref;
        series[i].n_samples = r->series[i].n_samples;
        series[i].samples = p->sample_at + sample;
        series[i].metadata = &meta[i];
        sample += r->series[i].n_samples;
        at[i] = &series[i];
    }
    size_t n = r->n_texts + extra.n;
    CLEANUP(freep) char **symbols = calloc(n, sizeof(char *));
    for (size_t i = 0; symbols && i < n; i++)
        symbols[i] =
            (char *)(i < r->n_texts ? text_of(r, (uint32_t)i) : extra.text[i - r->n_texts]);
    Remote__Request2 request = REMOTE__REQUEST2__INIT;
    request.n_symbols = n;
    request.symbols = symbols;
    request.n_timeseries = r->n_series;
    request.timeseries = at;
    int e = symbols ? compress_message(&request.base, out) : -ENOMEM;
    map_free(extra.numbers);
    free(extra.text);
    return e;
}

int rw_encode(const struct rw_request *r, enum rw_version v, const struct rw_metadata *metadata,
              struct buf *out)
{
    struct parts p;
    int e = -ENOMEM;
    if (parts_init(&p, r))
        e = v == RW_1_0 ? encode_1(r, &p, out) : encode_2(r, &p, metadata, out);
    parts_done(&p);
    return e;
}

int rw_encode_metadata(const struct rw_metadata *metadata, size_t at, size_t n, struct buf *out)
{
    size_t end = MIN_OF(at + n, rw_metadata_count(metadata));
    CLEANUP(freep) Remote__Metadata1 *meta = calloc(n + 1, sizeof(*meta));
    CLEANUP(freep) Remote__Metadata1 **pointer = calloc(n + 1, sizeof(Remote__Metadata1 *));
    if (!meta || !pointer)
        return -ENOMEM;
    Remote__Request1 request = REMOTE__REQUEST1__INIT;
    for (size_t i = at; i < end; i++) {
        const struct expo_family *f = rw_metadata_at(metadata, i);
        Remote__Metadata1 *m = &meta[i - at];
        remote__metadata1__init(m);
        m->type = (uint32_t)f->type;
        m->metric_family_name = (char *)f->name;
        m->help = (char *)f->help;
        m->unit = (char *)f->unit;
        pointer[i - at] = m;
        request.n_metadata++;
    }
    request.metadata = pointer;
    return compress_message(&request.base, out);
}
