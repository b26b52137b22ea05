// SPDX-License-Identifier: GPL-3.0-or-later
// Remote-write requests from strangers. protobuf-c allocates a structure for each message that a
// few bytes may stand for, hence an allocator with a budget.
#include <errno.h>
#include <protobuf-c/protobuf-c.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "model/labels.h"
#include "remote_write.pb-c.h"
#include "remote_write_private.h"

#define DECODED_MAX ((size_t)256 << 20)

struct budget {
    size_t left;
};

static void *budget_alloc(void *arg, size_t size)
{
    struct budget *b = arg;
    if (size > b->left)
        return NULL;
    b->left -= size;
    return malloc(size ? size : 1);
}

static void budget_free(void *arg, void *p)
{
    free(p);
}

struct decoding {
    struct samples_writer *out;
    struct rw_content *content;
    struct err *err;
};

static bool is_text(const char *s)
{
    for (size_t len = strlen(s), n; len > 0; s += n, len -= n) {
        n = esc_utf8_next(s, len, NULL);
        if (n == 0)
            return false;
    }
    return true;
}

// NULL, or why the receiver must refuse the series.
static const char *check_labels(const struct label *label, size_t n)
{
    bool named = false;
    for (size_t i = 0; i < n; i++) {
        if (!*label[i].name)
            return "a label without a name";
        if (!is_text(label[i].name) || !is_text(label[i].value))
            return "a label that is not UTF-8 text";
        if (i > 0 && strcmp(label[i - 1].name, label[i].name) >= 0)
            return strcmp(label[i - 1].name, label[i].name) == 0 ? "a label twice"
                                                                 : "labels that are not sorted";
        named |= strcmp(label[i].name, LABEL_METRIC_NAME) == 0 && *label[i].value;
    }
    return named ? NULL : "a series without a metric's name";
}

static void refuse(struct decoding *d, const char *why)
{
    if (d->content->dropped_series++ == 0)
        (void)err_set(d->err, EINVAL, "%s", why);
}

static int put_samples(struct decoding *d, const struct label *label, size_t n,
                       Remote__Sample **sample, size_t n_samples)
{
    for (size_t i = 0; i < n_samples; i++) {
        int r = samples_put(d->out, label, n, sample[i]->timestamp, sample[i]->value);
        if (r == -EINVAL) {
            refuse(d, "labels that are too long");
            return 0;
        }
        if (r < 0)
            return r;
        d->content->samples++;
    }
    return 0;
}

static int take_series_1(struct decoding *d, const Remote__Series1 *s)
{
    struct label label[LABELS_MAX];
    if (s->n_labels > LABELS_MAX) {
        refuse(d, "too many labels");
        return 0;
    }
    for (size_t i = 0; i < s->n_labels; i++)
        label[i] = (struct label){s->labels[i]->name, s->labels[i]->value};
    const char *why = check_labels(label, s->n_labels);
    if (why) {
        refuse(d, why);
        return 0;
    }
    d->content->histograms += s->n_histograms;
    d->content->exemplars += s->n_exemplars;
    return put_samples(d, label, s->n_labels, s->samples, s->n_samples);
}

static int take_family(struct decoding *d, const char *name, uint32_t type, const char *help,
                       const char *unit)
{
    struct expo_family f = {.name = name,
                            .type = type < EXPO_TYPE_MAX ? (enum expo_type)type : EXPO_UNKNOWN,
                            .help = help,
                            .unit = unit};
    if (!*name || !is_text(name) || !is_text(help) || !is_text(unit)) {
        refuse(d, "metadata without a name, or not UTF-8 text");
        return 0;
    }
    d->content->metadata++;
    int r = samples_put_family(d->out, &f);
    return r == -EINVAL ? 0 : r;
}

static int take_request_1(struct decoding *d, const Remote__Request1 *q)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < q->n_timeseries; i++)
        r = take_series_1(d, q->timeseries[i]);
    for (size_t i = 0; r == 0 && i < q->n_metadata; i++) {
        const Remote__Metadata1 *m = q->metadata[i];
        r = take_family(d, m->metric_family_name, m->type, m->help, m->unit);
    }
    return r;
}

// NULL, or why the references are none.
static const char *resolve(const Remote__Request2 *q, const Remote__Series2 *s, struct label *label)
{
    if (s->n_labels_refs % 2 != 0)
        return "an odd number of label references";
    if (s->n_labels_refs / 2 > LABELS_MAX)
        return "too many labels";
    for (size_t i = 0; i < s->n_labels_refs; i++) {
        if (s->labels_refs[i] >= q->n_symbols)
            return "a label reference outside of the symbol table";
        const char **text = (const char **)(i % 2 ? &label[i / 2].value : &label[i / 2].name);
        *text = q->symbols[s->labels_refs[i]];
    }
    return check_labels(label, s->n_labels_refs / 2);
}

static const char *metric_of(const struct label *label, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(label[i].name, LABEL_METRIC_NAME) == 0)
            return label[i].value;
    return "";
}

static int take_series_2(struct decoding *d, const Remote__Request2 *q, const Remote__Series2 *s)
{
    struct label label[LABELS_MAX];
    const Remote__Metadata2 *m = s->metadata;
    const char *why = resolve(q, s, label);
    if (!why && m && (m->help_ref >= q->n_symbols || m->unit_ref >= q->n_symbols) &&
        (m->help_ref || m->unit_ref))
        why = "a reference of metadata outside of the symbol table";
    if (why) {
        refuse(d, why);
        return 0;
    }
    size_t n = s->n_labels_refs / 2;
    d->content->histograms += s->n_histograms;
    d->content->exemplars += s->n_exemplars;
    int r = put_samples(d, label, n, s->samples, s->n_samples);
    if (r == 0 && m && (m->type || m->help_ref || m->unit_ref))
        r = take_family(d, metric_of(label, n), m->type, q->symbols[m->help_ref],
                        q->symbols[m->unit_ref]);
    return r;
}

static int take_request_2(struct decoding *d, const Remote__Request2 *q)
{
    int r = 0;
    if (q->n_symbols == 0 || *q->symbols[0])
        return q->n_timeseries == 0 && q->n_symbols == 0
                   ? 0
                   : err_set(d->err, EINVAL, "the symbol table does not begin with \"\"");
    for (size_t i = 0; r == 0 && i < q->n_timeseries; i++)
        r = take_series_2(d, q, q->timeseries[i]);
    return r;
}

static int unpack_block(const char *body, size_t len, char **ret, size_t *ret_len, struct err *err)
{
    size_t size = 0;
    if (snappy_uncompressed_length(body, len, &size) != SNAPPY_OK)
        return err_set(err, EINVAL, "the body is no snappy block");
    if (size > RW_UNPACKED_MAX)
        return err_set(err, E2BIG, "the request is larger than %u MiB once unpacked",
                       RW_UNPACKED_MAX >> 20);
    CLEANUP(freep) char *data = malloc(size + 1);
    if (!data)
        return -ENOMEM;
    if (snappy_uncompress(body, len, data, &size) != SNAPPY_OK)
        return err_set(err, EINVAL, "the body is no snappy block");
    *ret = TAKE_PTR(data);
    *ret_len = size;
    return 0;
}

int rw_decode(const char *body, size_t len, enum rw_version v, struct samples_writer *out,
              struct rw_content *ret, struct err *err)
{
    static const ProtobufCMessageDescriptor *const messages[RW_VERSION_MAX] = {
        [RW_1_0] = &remote__request1__descriptor, [RW_2_0] = &remote__request2__descriptor};
    struct budget budget = {DECODED_MAX};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
    struct decoding d = {out, ret, err};
    CLEANUP(freep) char *data = NULL;
    size_t size = 0;
    *ret = (struct rw_content){0};
    int r = unpack_block(body, len, &data, &size, err);
    if (r < 0)
        return r;
    ProtobufCMessage *m =
        protobuf_c_message_unpack(messages[v], &allocator, size, (const uint8_t *)data);
    if (!m)
        return err_set(err, EINVAL, "the body is no %s message",
                       v == RW_1_0 ? "prometheus.WriteRequest" : "io.prometheus.write.v2.Request");
    r = v == RW_1_0 ? take_request_1(&d, (const Remote__Request1 *)m)
                    : take_request_2(&d, (const Remote__Request2 *)m);
    protobuf_c_message_free_unpacked(m, &allocator);
    return r;
}
