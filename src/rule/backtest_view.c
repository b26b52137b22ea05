// SPDX-License-Identifier: GPL-3.0-or-later
// What a backtest found, as a table with a line of time for each rule, and as JSON.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/human.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/width.h"
#include "rule/backtest.h"

#define NAME_COLUMNS 28
#define CELLS_MAX 400
#define VMS_SHOWN 8

static const char *vm_of(const struct rule_firing *f)
{
    static const char *const names[] = {"domain", "vm", "instance"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *v = labels_get(f->labels, names[i]);
        if (v)
            return v;
    }
    return "";
}

struct share {
    const char *vm;
    unsigned n;
    int64_t ms;
};

static int by_time(const void *a, const void *b)
{
    const struct share *x = a, *y = b;
    if (x->ms != y->ms)
        return x->ms < y->ms ? 1 : -1;
    return strcmp(x->vm, y->vm);
}

// By VM, the longest first. The caller frees *ret.
static size_t shares(const struct rule_backtest_rule *r, struct share **ret)
{
    struct map *map = map_new();
    struct share *share = mem_zalloc((r->n + 1) * sizeof(*share));
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        const char *vm = vm_of(&r->firing[i]);
        struct share *s = map_get(map, vm, strlen(vm));
        if (!s) {
            s = &share[n++];
            s->vm = vm;
            map_put(map, vm, strlen(vm), s);
        }
        s->n++;
        s->ms += r->firing[i].end_ms - r->firing[i].start_ms;
    }
    map_free(map);
    if (n > 1)
        qsort(share, n, sizeof(*share), by_time);
    *ret = share;
    return n;
}

// How much of each cell's time anything was firing: the union, so that two VMs count once.
static void put_timeline(const struct rule_backtest *b, const struct rule_backtest_rule *r,
                         size_t cells, bool utf8, struct buf *out)
{
    static const char *const blocks[] = {"·", "░", "▒", "▓", "█"};
    static const char *const plain[] = {".", "-", "+", "*", "#"};
    double width = (double)(b->end_ms - b->start_ms) / (double)cells;
    for (size_t c = 0; c < cells; c++) {
        int64_t from = b->start_ms + (int64_t)(width * (double)c);
        int64_t to = b->start_ms + (int64_t)(width * (double)(c + 1));
        int64_t covered = 0, until = from;
        for (size_t i = 0; i < r->n; i++) { // by start
            int64_t start = MAX_OF(r->firing[i].start_ms, until);
            int64_t end = MIN_OF(r->firing[i].end_ms, to);
            if (end > start) {
                covered += end - start;
                until = end;
            }
        }
        double part = (double)covered / MAX_OF((double)(to - from), 1.0);
        int level = covered == 0 ? 0 : part < 0.25 ? 1 : part < 0.5 ? 2 : part < 0.75 ? 3 : 4;
        buf_puts(out, utf8 ? blocks[level] : plain[level]);
    }
}

static void put_age(struct buf *out, int64_t ms, size_t columns)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 64);
    human_age((double)ms / 1000, &text);
    width_put(out, text.data ? text.data : "", columns, WIDTH_RIGHT, "~");
}

static void put_vms(const struct share *share, size_t n, struct buf *out)
{
    buf_puts(out, "    ");
    for (size_t i = 0; i < MIN_OF(n, (size_t)VMS_SHOWN); i++) {
        CLEANUP(buf_done) struct buf text;
        buf_init(&text, 64);
        human_age((double)share[i].ms / 1000, &text);
        buf_puts(out, i ? ", " : "");
        esc_terminal(out, *share[i].vm ? share[i].vm : "(no VM)");
        buf_printf(out, " %u× %s", share[i].n, text.data ? text.data : "");
    }
    if (n > VMS_SHOWN)
        buf_printf(out, " and %zu more", n - VMS_SHOWN);
    buf_putc(out, '\n');
}

static void put_rule(const struct rule_backtest *b, const struct rule_backtest_rule *r,
                     size_t cells, bool utf8, struct buf *out)
{
    int64_t all = 0, longest = 0;
    struct share *share = NULL;
    size_t vms = shares(r, &share);
    CLEANUP(freep) char *name = esc_terminal_dup(r->rule->name);
    for (size_t i = 0; i < r->n; i++) {
        int64_t ms = r->firing[i].end_ms - r->firing[i].start_ms;
        all += ms;
        longest = MAX_OF(longest, ms);
    }
    width_put(out, name, NAME_COLUMNS, WIDTH_LEFT, utf8 ? "…" : "~");
    buf_printf(out, " %6zu %5zu ", r->n, vms);
    put_age(out, all, 8);
    buf_putc(out, ' ');
    put_age(out, longest, 8);
    buf_putc(out, ' ');
    put_timeline(b, r, cells, utf8, out);
    buf_putc(out, '\n');
    if (r->error) {
        buf_puts(out, "    ");
        esc_terminal(out, r->error);
        buf_putc(out, '\n');
    }
    if (r->n > 0)
        put_vms(share, vms, out);
    free(share);
}

void rule_backtest_print(const struct rule_backtest *b, size_t columns, bool utf8, struct buf *out)
{
    size_t taken = NAME_COLUMNS + 33;
    size_t cells = columns > taken + 20 ? MIN_OF(columns - taken, (size_t)CELLS_MAX) : 20;
    CLEANUP(buf_done) struct buf from;
    CLEANUP(buf_done) struct buf to;
    buf_init(&from, 64);
    buf_init(&to, 64);
    alert_put_time(&from, b->start_ms / 1000 * 1000);
    alert_put_time(&to, b->end_ms / 1000 * 1000);
    width_put(out, "ALERT", NAME_COLUMNS, WIDTH_LEFT, "~");
    buf_printf(out, "  FIRED   VMS    TOTAL  LONGEST %s … %s\n", from.data, to.data);
    for (size_t i = 0; i < b->n; i++)
        put_rule(b, &b->rule[i], cells, utf8, out);
}

static void put_time(struct json *j, const char *key, int64_t ms)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 64);
    alert_put_time(&text, ms);
    json_kv_string(j, key, text.data);
}

void rule_backtest_json(const struct rule_backtest *b, struct json *j)
{
    json_object_begin(j);
    put_time(j, "start", b->start_ms);
    put_time(j, "end", b->end_ms);
    json_key(j, "rules");
    json_array_begin(j);
    for (size_t i = 0; i < b->n; i++) {
        const struct rule_backtest_rule *r = &b->rule[i];
        json_object_begin(j);
        json_kv_string(j, "group", r->group->name);
        json_kv_string(j, "alert", r->rule->name);
        if (r->error)
            json_kv_string(j, "error", r->error);
        json_kv_f64(j, "interval", (double)r->step_ms / 1000);
        json_kv_u64(j, "pending_only", r->pendings);
        json_key(j, "firings");
        json_array_begin(j);
        for (size_t k = 0; k < r->n; k++) {
            const struct rule_firing *f = &r->firing[k];
            json_object_begin(j);
            put_time(j, "start", f->start_ms);
            put_time(j, "end", f->end_ms);
            json_kv_bool(j, "still_firing", f->is_open);
            json_kv_f64(j, "seconds", (double)(f->end_ms - f->start_ms) / 1000);
            json_kv_f64(j, "value", f->value);
            json_key(j, "labels");
            alert_put_labels(f->labels, j);
            json_object_end(j);
        }
        json_array_end(j);
        json_object_end(j);
    }
    json_array_end(j);
    json_object_end(j);
}
