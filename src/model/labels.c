// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/labels.h"

#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"

// FNV-1a with a final mix (the constants of MurmurHash3's finaliser): stable across machines, not
// meant against an adversary; tables that hold foreign keys hash on their own.
static uint64_t hash_text(uint64_t h, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text;; p++) {
        h = (h ^ *p) * UINT64_C(0x100000001b3);
        if (!*p)
            return h;
    }
}

static uint64_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 33;
    h *= UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static const char *put(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

static size_t measure(const struct label *label, size_t n, size_t *ret_bytes)
{
    size_t kept = 0, bytes = 0;
    for (size_t i = 0; i < n && bytes <= LABELS_BYTES_MAX; i++) {
        if (!label[i].value[0])
            continue;
        bytes += strlen(label[i].name) + strlen(label[i].value) + 2;
        kept++;
    }
    *ret_bytes = bytes;
    return kept;
}

size_t labels_size(const struct label *label, size_t n)
{
    size_t bytes, kept = measure(label, n, &bytes);
    if (kept > LABELS_MAX || bytes > LABELS_BYTES_MAX)
        return 0;
    return sizeof(struct labels) + kept * sizeof(struct label) + bytes;
}

struct labels *labels_write(void *memory, size_t size, const struct label *label, size_t n)
{
    struct labels *l = memory;
    *l = (struct labels){.bytes = (uint32_t)size};
    for (size_t i = 0; i < n; i++)
        if (label[i].value[0])
            l->label[l->n++] = label[i];
    for (uint32_t i = 1; i < l->n; i++)
        if (strcmp(l->label[i - 1].name, l->label[i].name) > 0) {
            qsort(l->label, l->n, sizeof(l->label[0]), by_name);
            break;
        }
    char *at = (char *)&l->label[l->n];
    l->hash = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < l->n; i++) {
        if (i > 0 && strcmp(l->label[i - 1].name, l->label[i].name) == 0)
            return NULL;
        l->label[i] = (struct label){put(&at, l->label[i].name), put(&at, l->label[i].value)};
        l->hash = hash_text(hash_text(l->hash, l->label[i].name), l->label[i].value);
    }
    l->hash = mix(l->hash);
    return l;
}

struct labels *labels_new(const struct label *label, size_t n)
{
    size_t size = labels_size(label, n);
    void *memory = size ? malloc(size) : NULL;
    if (!memory)
        return NULL;
    struct labels *l = labels_write(memory, size, label, n);
    if (!l)
        free(memory);
    return l;
}

void labels_free(struct labels *l)
{
    free(l);
}

const char *labels_get(const struct labels *l, const char *name)
{
    for (uint32_t i = 0; i < l->n; i++) {
        int order = strcmp(l->label[i].name, name);
        if (order == 0)
            return l->label[i].value;
        if (order > 0)
            return NULL;
    }
    return NULL;
}

int labels_compare(const struct labels *a, const struct labels *b)
{
    for (uint32_t i = 0; i < a->n && i < b->n; i++) {
        int order = strcmp(a->label[i].name, b->label[i].name);
        if (order == 0)
            order = strcmp(a->label[i].value, b->label[i].value);
        if (order != 0)
            return order;
    }
    return (a->n > b->n) - (a->n < b->n);
}

bool labels_equal(const struct labels *a, const struct labels *b)
{
    return a->hash == b->hash && labels_compare(a, b) == 0;
}

static bool is_word(const char *text, bool with_colon)
{
    for (const char *p = text; *p; p++) {
        bool is_letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' ||
                         (with_colon && *p == ':');
        if (!is_letter && (p == text || *p < '0' || *p > '9'))
            return false;
    }
    return text[0] != '\0';
}

bool labels_is_plain_metric(const char *name)
{
    return is_word(name, true);
}

bool labels_is_plain_name(const char *name)
{
    return is_word(name, false);
}

static void put_quoted(struct buf *out, const char *text)
{
    buf_putc(out, '"');
    for (const char *p = text; *p; p++) {
        if (*p == '\n')
            buf_puts(out, "\\n");
        else if (*p == '"' || *p == '\\')
            buf_printf(out, "\\%c", *p);
        else
            buf_putc(out, *p);
    }
    buf_putc(out, '"');
}

void labels_format(const struct labels *l, struct buf *out)
{
    const char *metric = labels_get(l, LABEL_METRIC_NAME);
    bool is_plain = metric && labels_is_plain_metric(metric);
    if (is_plain)
        buf_puts(out, metric);
    if (is_plain && l->n == 1)
        return;
    buf_putc(out, '{');
    const char *between = "";
    if (metric && !is_plain) {
        put_quoted(out, metric);
        between = ", ";
    }
    for (uint32_t i = 0; i < l->n; i++) {
        if (strcmp(l->label[i].name, LABEL_METRIC_NAME) == 0)
            continue;
        buf_puts(out, between);
        between = ", ";
        if (labels_is_plain_name(l->label[i].name))
            buf_puts(out, l->label[i].name);
        else
            put_quoted(out, l->label[i].name);
        buf_putc(out, '=');
        put_quoted(out, l->label[i].value);
    }
    buf_putc(out, '}');
}
