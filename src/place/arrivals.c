// SPDX-License-Identifier: GPL-3.0-or-later
#include "place/arrivals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BINS_MAX 256
#define SECONDS_MAX INT64_C(100000000000)

// A place in a text; every reader moves `at` on or fails.
struct reader {
    const struct place_text *text;
    size_t at;
    int line;
    size_t line_at; // where the line begins
    struct err *err;
};

struct bins {
    int64_t first_s[BINS_MAX], last_s[BINS_MAX];
    bool known[BINS_MAX];
};

static int bad(const struct reader *r, const char *what)
{
    return err_set_at(r->err, EINVAL, r->line, (int)(r->at - r->line_at) + 1, "%s:%d:%d: %s",
                      r->text->name, r->line, (int)(r->at - r->line_at) + 1, what);
}

static struct reader begin(const struct place_text *text, struct err *err)
{
    return (struct reader){.text = text, .line = 1, .err = err};
}

// The byte at hand; '\n' at the end of the text.
static char peek(const struct reader *r)
{
    return r->at < r->text->len ? r->text->data[r->at] : '\n';
}

static bool at_end(const struct reader *r)
{
    return r->at >= r->text->len;
}

static void next_line(struct reader *r)
{
    r->at++;
    r->line++;
    r->line_at = r->at;
}

static int expect(struct reader *r, char c, const char *what)
{
    if (peek(r) != c)
        return bad(r, what);
    if (c == '\n')
        next_line(r);
    else
        r->at++;
    return 0;
}

static int read_whole(struct reader *r, int64_t limit, int64_t *ret)
{
    int64_t v = 0;
    size_t from = r->at;
    for (; peek(r) >= '0' && peek(r) <= '9'; r->at++) {
        v = v * 10 + (peek(r) - '0');
        if (v > limit)
            return bad(r, "the number is too large");
    }
    if (r->at == from)
        return bad(r, "a number is expected");
    *ret = v;
    return 0;
}

// A number with at most three digits behind the point, in thousandths.
static int read_thousandths(struct reader *r, int64_t *ret)
{
    int64_t whole;
    int n = read_whole(r, 1000000, &whole);
    if (n < 0)
        return n;
    int64_t part = 0, scale = 1000;
    if (peek(r) == '.') {
        r->at++;
        while (peek(r) >= '0' && peek(r) <= '9') {
            if (scale == 1)
                return bad(r, "more than three digits behind the point");
            scale /= 10;
            part += (peek(r) - '0') * scale;
            r->at++;
        }
    }
    *ret = whole * 1000 + part;
    return 0;
}

static int read_flavours(const struct place_text *text, struct place_arrivals *a, struct err *err)
{
    struct reader r = begin(text, err);
    while (!at_end(&r)) {
        int64_t cpus, gib;
        int n = read_thousandths(&r, &cpus);
        if (n == 0)
            n = expect(&r, ',', "a comma is expected");
        if (n == 0)
            n = read_thousandths(&r, &gib);
        if (n == 0)
            n = expect(&r, ' ', "a blank and the flavour's letter are expected");
        if (n < 0)
            return n;
        unsigned char letter = (unsigned char)peek(&r);
        if (letter >= ARRIVALS_FLAVOURS || letter <= ' ' || letter == ',' || letter == '|')
            return bad(&r, "a flavour is one letter");
        a->flavours[letter].of[PLACE_CPU] = cpus * PLACE_CPU_UNIT / 1000;
        a->flavours[letter].of[PLACE_MEMORY] = gib * (INT64_C(1) << 30) / 1000;
        r.at++;
        n = expect(&r, '\n', "the line goes on behind the letter");
        if (n < 0)
            return n;
    }
    return 0;
}

static int read_bins(const struct place_text *text, struct bins *bins, struct err *err)
{
    struct reader r = begin(text, err);
    while (!at_end(&r)) {
        int64_t seconds, bin;
        int n = read_whole(&r, SECONDS_MAX, &seconds);
        if (n == 0)
            n = expect(&r, ' ', "a blank and the bin are expected");
        if (n == 0)
            n = read_whole(&r, BINS_MAX - 1, &bin);
        if (n == 0)
            n = expect(&r, '\n', "the line goes on behind the bin");
        if (n < 0)
            return n;
        if (!bins->known[bin] || seconds < bins->first_s[bin])
            bins->first_s[bin] = seconds;
        if (!bins->known[bin] || seconds > bins->last_s[bin])
            bins->last_s[bin] = seconds;
        bins->known[bin] = true;
    }
    return 0;
}

static int end_batch(struct place_arrivals *a, uint32_t size)
{
    if (size == 0)
        return 0;
    int r = mem_grow_capped(&a->batch_size, &a->cap_batches, a->n_batches, sizeof(*a->batch_size),
                            ARRIVALS_MAX);
    if (r == 0)
        a->batch_size[a->n_batches++] = size;
    return r;
}

static int read_arrival(struct reader *r, int64_t at_s, struct place_arrivals *a)
{
    unsigned char letter = (unsigned char)peek(r);
    if (letter >= ARRIVALS_FLAVOURS || a->flavours[letter].of[PLACE_CPU] == 0)
        return bad(r, "no such flavour");
    if (mem_grow_capped(&a->vms, &a->cap, a->n, sizeof(*a->vms), ARRIVALS_MAX) < 0)
        return bad(r, "too many VMs");
    a->vms[a->n++] = (struct place_arrival){at_s, 0, (uint32_t)a->n_batches, letter};
    r->at++;
    return 0;
}

static int read_arrival_line(struct reader *r, int64_t at_s, struct place_arrivals *a)
{
    uint32_t size = 0;
    int n = 0;
    while (n == 0 && peek(r) != '\n') {
        if (peek(r) == '|') {
            n = end_batch(a, size);
            size = 0;
            r->at++;
        } else {
            n = read_arrival(r, at_s, a);
            size++;
        }
        if (n == 0 && peek(r) != '\n')
            n = expect(r, ',', "a comma is expected");
    }
    return n < 0 ? n : end_batch(a, size);
}

static int read_arrivals(const struct place_text *text, struct place_arrivals *a, struct err *err)
{
    struct reader r = begin(text, err);
    int64_t at_s = 0, before_s = 0;
    a->step_s = 1;
    for (bool first = true; !at_end(&r); first = false, before_s = at_s) {
        int n = read_whole(&r, SECONDS_MAX, &at_s);
        if (n == 0 && !first && at_s <= before_s)
            n = bad(&r, "time does not go on");
        if (n == 0 && peek(&r) == ' ')
            r.at++;
        if (n == 0)
            n = read_arrival_line(&r, at_s, a);
        if (n == 0)
            n = expect(&r, '\n', "the line does not end here");
        if (n < 0)
            return n;
        if (first)
            a->start_s = at_s;
        else if (before_s == a->start_s)
            a->step_s = at_s - before_s;
        a->end_s = at_s + (first ? 0 : at_s - before_s);
    }
    return 0;
}

static int read_lifetime(struct reader *r, const struct bins *bins, int64_t step_s,
                         struct place_arrival *vm)
{
    char kind = peek(r);
    if (kind != 'U' && kind != 'C')
        return bad(r, "U or C is expected");
    r->at++;
    int64_t bin;
    int n = read_whole(r, BINS_MAX - 1, &bin);
    if (n < 0)
        return n;
    if (!bins->known[bin])
        return bad(r, "no such bin");
    int64_t middle_s = (bins->first_s[bin] + bins->last_s[bin]) / 2;
    vm->leaves_s = kind == 'C' ? INT64_MAX : vm->at_s + middle_s / step_s * step_s;
    return 0;
}

static int read_lifetime_line(struct reader *r, const struct bins *bins, int64_t at_s,
                              struct place_arrivals *a, size_t *i)
{
    int n = 0;
    while (n == 0 && peek(r) != '\n') {
        if (peek(r) == '|')
            r->at++;
        else if (*i == a->n || a->vms[*i].at_s != at_s)
            n = bad(r, "more lifetimes than arrivals");
        else
            n = read_lifetime(r, bins, a->step_s, &a->vms[(*i)++]);
        if (n == 0 && peek(r) != '\n')
            n = expect(r, ',', "a comma is expected");
    }
    return n;
}

static int read_lifetimes(const struct place_text *text, const struct bins *bins,
                          struct place_arrivals *a, struct err *err)
{
    struct reader r = begin(text, err);
    size_t i = 0;
    while (!at_end(&r)) {
        int64_t at_s;
        int n = read_whole(&r, SECONDS_MAX, &at_s);
        if (n == 0 && i < a->n && a->vms[i].at_s < at_s)
            n = bad(&r, "a VM of the arrivals has no lifetime");
        if (n == 0 && peek(&r) == ' ')
            r.at++;
        if (n == 0)
            n = read_lifetime_line(&r, bins, at_s, a, &i);
        if (n == 0)
            n = expect(&r, '\n', "the line does not end here");
        if (n < 0)
            return n;
    }
    return i < a->n ? bad(&r, "fewer lifetimes than arrivals") : 0;
}

int place_arrivals_read(const struct place_text texts[ARRIVALS_TEXTS], struct place_arrivals *ret,
                        struct err *err)
{
    *ret = (struct place_arrivals){0};
    CLEANUP(freep) struct bins *bins = mem_zalloc(sizeof(*bins));
    int r = read_flavours(&texts[ARRIVALS_FLAVOUR_TEXT], ret, err);
    if (r == 0)
        r = read_bins(&texts[ARRIVALS_INTERVAL_TEXT], bins, err);
    if (r == 0)
        r = read_arrivals(&texts[ARRIVALS_ARRIVAL_TEXT], ret, err);
    if (r == 0)
        r = read_lifetimes(&texts[ARRIVALS_LIFETIME_TEXT], bins, ret, err);
    if (r < 0)
        place_arrivals_done(ret);
    return r;
}

void place_arrivals_done(struct place_arrivals *a)
{
    free(a->vms);
    free(a->batch_size);
    *a = (struct place_arrivals){0};
}
