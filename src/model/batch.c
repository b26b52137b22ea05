// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct batch *batch_new(void)
{
    struct batch *b = mem_zalloc(sizeof(*b));
    b->text_cap = 64;
    b->text = mem_zalloc(b->text_cap);
    b->text_len = 1;
    return b;
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    free(b->rows);
    free(b->text);
    free(b);
}

void batch_reset(struct batch *b)
{
    struct batch kept = *b;
    *b = (struct batch){.rows = kept.rows,
                        .cap_rows = kept.cap_rows,
                        .text = kept.text,
                        .text_cap = kept.text_cap,
                        .text_len = 1};
    b->text[0] = '\0';
}

static uint32_t add_text(struct batch *b, const char *text)
{
    size_t n = strlen(text) + 1;
    if (b->text_len + n > b->text_cap) {
        size_t cap = b->text_cap;
        while (cap < b->text_len + n)
            cap *= 2;
        char *bigger = realloc(b->text, cap);
        if (!bigger)
            abort();
        b->text = bigger;
        b->text_cap = (uint32_t)cap;
    }
    uint32_t at = b->text_len;
    memcpy(b->text + at, text, n);
    b->text_len += (uint32_t)n;
    return at;
}

static struct batch_row *add_row(struct batch *b)
{
    size_t cap = b->cap_rows;
    mem_grow(&b->rows, &cap, b->n_rows, sizeof(*b->rows));
    b->cap_rows = (uint32_t)cap;
    struct batch_row *row = &b->rows[b->n_rows++];
    *row = (struct batch_row){.fact = -1, .attr = -1};
    return row;
}

uint32_t batch_key(struct batch *b, const char *key)
{
    return key[0] ? add_text(b, key) : 0;
}

void batch_fact(struct batch *b, uint32_t key, enum fact fact, double value)
{
    struct batch_row *row = add_row(b);
    row->fact = (int16_t)fact;
    row->key = key;
    row->value = value;
}

void batch_attr(struct batch *b, uint32_t key, enum attr attr, const char *text)
{
    uint32_t at = text ? add_text(b, text) : 0;
    struct batch_row *row = add_row(b);
    row->attr = (int16_t)attr;
    row->key = key;
    row->text = at;
}

void batch_unavailable(struct batch *b, const char *what, const char *reason)
{
    uint32_t key = batch_key(b, what);
    batch_fact(b, key, b->host ? FACT_HMISS_ONE : FACT_MISS_ONE, 1);
    batch_attr(b, key, b->host ? ATTR_HMISS_REASON : ATTR_MISS_REASON, reason);
}

void batch_apply(const struct batch *b, struct object *o)
{
    struct object *child = o;
    uint32_t child_key = 0;
    enum kind child_kind = o->kind;
    for (uint32_t i = 0; i < b->n_rows; i++) {
        const struct batch_row *row = &b->rows[i];
        enum kind kind = row->fact >= 0 ? model_facts[row->fact].kind : model_attrs[row->attr].kind;
        if (row->key != child_key || kind != child_kind) {
            child = kind == o->kind ? o : object_child(o, kind, b->text + row->key);
            child_key = row->key;
            child_kind = kind;
        }
        // What is unavailable carries the stamp of the lane that says so, for object_sweep().
        if (kind == KIND_MISS || kind == KIND_HMISS)
            child->updated_ns[b->lane] = b->mono_ns;
        if (row->fact >= 0)
            object_set_fact(child, (enum fact)row->fact, row->value, b->mono_ns);
        else
            object_set_attr(child, (enum attr)row->attr, row->text ? b->text + row->text : NULL);
    }
}

static bool mentions(const struct batch *b, enum kind kind, const char *key)
{
    for (uint32_t i = 0; i < b->n_rows; i++) {
        const struct batch_row *row = &b->rows[i];
        enum kind of = row->fact >= 0 ? model_facts[row->fact].kind : model_attrs[row->attr].kind;
        if (of == kind && strcmp(b->text + row->key, key) == 0)
            return true;
    }
    return false;
}

void batch_sweep(const struct batch *b, struct object *o, enum kind kind)
{
    for (struct object *child = o->children[kind], *next; child; child = next) {
        next = child->next;
        const char *key = child->attrs[0] ? child->attrs[0] : "";
        if (!mentions(b, kind, key))
            object_remove(child);
    }
}
