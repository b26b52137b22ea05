// SPDX-License-Identifier: GPL-3.0-or-later
#include "histogram_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/number.h"

#define BUCKETS_MAX 64

enum part {
    PART_SCHEMA,
    PART_SUM,
    PART_COUNT,
    PART_ZERO,
    PART_ZERO_WIDTH,
    PART_OFFSET,
    PART_NEGATIVE_OFFSET,
    PART_MAX,
};

static const char *const part_names[PART_MAX] = {
    "schema", "sum", "count", "z_bucket", "z_bucket_w", "offset", "n_offset",
};

enum list {
    LIST_BUCKETS,
    LIST_NEGATIVE,
    LIST_CUSTOM,
    LIST_MAX,
};

static const char *const list_names[LIST_MAX] = {"buckets", "n_buckets", "custom_values"};

struct histogram {
    double part[PART_MAX];
    double list[LIST_MAX][BUCKETS_MAX];
    size_t n[LIST_MAX];
    char hint[16]; // "": unknown
};

static int fail(struct err *err, const char *at)
{
    return err_set(err, EINVAL, "a malformed histogram at \"%.30s\"", at);
}

static void skip(const char **p)
{
    while (isspace((unsigned char)**p))
        (*p)++;
}

static bool scan_number(const char **p, double *ret)
{
    char *end;
    *ret = strtod(*p, &end);
    bool ok = end > *p;
    *p = end;
    return ok;
}

static bool scan_list(const char **p, struct histogram *h, enum list list)
{
    if (**p != '[')
        return false;
    (*p)++;
    for (skip(p); **p != ']'; skip(p)) {
        if (h->n[list] == BUCKETS_MAX || !scan_number(p, &h->list[list][h->n[list]++]))
            return false;
    }
    (*p)++;
    return true;
}

static bool scan_hint(const char **p, struct histogram *h)
{
    size_t n = strspn(*p, "abcdefghijklmnopqrstuvwxyz_");
    if (n == 0 || n >= sizeof(h->hint))
        return false;
    memcpy(h->hint, *p, n);
    h->hint[n] = '\0';
    if (strcmp(h->hint, "unknown") == 0)
        h->hint[0] = '\0';
    *p += n;
    return true;
}

static bool scan_part(const char **p, struct histogram *h)
{
    const char *colon = strchr(*p, ':');
    size_t n = colon ? (size_t)(colon - *p) : 0;
    const char *name = *p;
    if (!colon)
        return false;
    *p = colon + 1;
    for (int i = 0; i < PART_MAX; i++)
        if (strlen(part_names[i]) == n && memcmp(part_names[i], name, n) == 0)
            return scan_number(p, &h->part[i]);
    for (int i = 0; i < LIST_MAX; i++)
        if (strlen(list_names[i]) == n && memcmp(list_names[i], name, n) == 0)
            return scan_list(p, h, (enum list)i);
    return n == 18 && memcmp(name, "counter_reset_hint", n) == 0 && scan_hint(p, h);
}

// "{{…}}" at *p, which moves behind it.
static int scan(const char **p, struct histogram *ret, struct err *err)
{
    *ret = (struct histogram){0};
    if (strncmp(*p, "{{", 2) != 0)
        return fail(err, *p);
    *p += 2;
    for (skip(p); strncmp(*p, "}}", 2) != 0; skip(p)) {
        const char *at = *p;
        if (!scan_part(p, ret) || *p == at)
            return fail(err, at);
    }
    *p += 2;
    return 0;
}

static char *put(const struct histogram *h)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "{{");
    for (int i = 0; i < PART_MAX; i++)
        if (h->part[i] != 0) {
            buf_printf(&b, "%s:", part_names[i]);
            buf_f64(&b, h->part[i]);
            buf_putc(&b, ' ');
        }
    for (int i = 0; i < LIST_MAX; i++) {
        for (size_t k = 0; k < h->n[i]; k++) {
            if (k == 0)
                buf_printf(&b, "%s:[", list_names[i]);
            buf_puts(&b, k ? " " : "");
            buf_f64(&b, h->list[i][k]);
        }
        buf_puts(&b, h->n[i] ? "] " : "");
    }
    if (h->hint[0])
        buf_printf(&b, "counter_reset_hint:%s", h->hint);
    buf_puts(&b, "}}");
    return buf_take(&b, NULL);
}

int histogram_normalize(const char *text, char **ret, struct err *err)
{
    struct histogram h;
    skip(&text);
    int r = scan(&text, &h, err);
    if (r < 0)
        return r;
    *ret = put(&h);
    return 0;
}

// h += sign·by; of the same schema, as rising series in tests are.
static bool add(struct histogram *h, const struct histogram *by, double sign)
{
    static const enum part sums[] = {PART_SUM, PART_COUNT, PART_ZERO};
    bool same = h->part[PART_SCHEMA] == by->part[PART_SCHEMA];
    for (size_t i = 0; i < ARRAY_LEN(sums); i++)
        h->part[sums[i]] += sign * by->part[sums[i]];
    for (int i = 0; i <= LIST_NEGATIVE; i++) {
        enum part where = i == LIST_BUCKETS ? PART_OFFSET : PART_NEGATIVE_OFFSET;
        double shift = by->part[where] - h->part[where];
        if (shift < 0 || (double)by->n[i] + shift > BUCKETS_MAX)
            return false;
        for (size_t k = 0; k < by->n[i]; k++) {
            size_t to = k + (size_t)shift;
            h->list[i][to] += sign * by->list[i][k];
            h->n[i] = MAX_OF(h->n[i], to + 1);
        }
    }
    memcpy(h->hint, sign > 0 ? "not_reset" : "gauge", sign > 0 ? 10 : 6);
    return same;
}

static size_t scan_count(const char **p)
{
    uint64_t n = 0;
    if (**p != 'x')
        return 0;
    (*p)++;
    (void)number_scan_u64(p, &n);
    return (size_t)n;
}

// An item that is no histogram, as "1+2x3", "_x4", "stale": how many values it stands for.
static size_t other_values(const char **p)
{
    size_t n = strcspn(*p, " \t\n"), values = 1;
    const char *times = memchr(*p, 'x', n);
    if (times) {
        const char *digits = times + 1;
        uint64_t count = 0;
        if (number_scan_u64(&digits, &count))
            values = (size_t)count + (**p != '_');
    }
    *p += n;
    return values;
}

int histogram_at(const char *values, size_t at, char **ret, struct err *err)
{
    const char *p = values;
    for (skip(&p); *p; skip(&p)) {
        struct histogram h, by = {0};
        if (*p != '{') {
            size_t n = other_values(&p);
            if (at < n)
                return err_set(err, EINVAL, "no histogram");
            at -= n;
            continue;
        }
        int r = scan(&p, &h, err);
        double sign = *p == '+' ? 1 : *p == '-' ? -1 : 0;
        if (r == 0 && sign != 0) {
            p++;
            r = scan(&p, &by, err);
        }
        if (r < 0)
            return r;
        size_t more = scan_count(&p);
        if (at > more) {
            at -= more + 1;
            continue;
        }
        for (size_t i = 0; i < at && sign != 0; i++)
            if (!add(&h, &by, sign))
                return err_set(err, EINVAL, "histograms that do not fit together");
        if (at > 0 && sign == 0)
            memcpy(h.hint, "not_reset", 10);
        *ret = put(&h);
        return 0;
    }
    return err_set(err, EINVAL, "no value at this place");
}

bool histogram_same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}
