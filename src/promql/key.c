// SPDX-License-Identifier: GPL-3.0-or-later
#include "key.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct key key_new(struct query *q, const struct names *names, bool keep)
{
    struct key key = {.keep = keep};
    key.name = arena_array(&q->arena, names->n + 1, sizeof(char *));
    for (size_t i = 0; i < names->n; i++)
        key.name[key.n++] = names->name[i];
    if (!keep)
        key.name[key.n++] = LABEL_METRIC_NAME;
    qsort(key.name, key.n, sizeof(char *), by_text);
    return key;
}

// Whether label i of l remains; *at walks along the key's names, since both are sorted.
static bool remains(const struct key *key, const char *name, size_t *at)
{
    int order = 1;
    while (*at < key->n && (order = strcmp(key->name[*at], name)) < 0)
        ++*at;
    bool is_named = *at < key->n && order == 0;
    return is_named == key->keep;
}

static uint64_t hash_of(const struct key *key, const struct labels *l)
{
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15);
    size_t at = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        if (!remains(key, l->label[i].name, &at))
            continue;
        for (const char *p = l->label[i].name; *p; p++)
            h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
        h = (h ^ 0xFF) * UINT64_C(0x100000001b3);
        for (const char *p = l->label[i].value; *p; p++)
            h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
        h = (h ^ 0xFF) * UINT64_C(0x100000001b3);
    }
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

static uint32_t next_remaining(const struct key *key, const struct labels *l, uint32_t i,
                               size_t *at)
{
    while (i < l->n && !remains(key, l->label[i].name, at))
        i++;
    return i;
}

static bool is_same(const struct key *key, const struct labels *a, const struct labels *b)
{
    size_t at_a = 0, at_b = 0;
    for (uint32_t i = 0, k = 0;; i++, k++) {
        i = next_remaining(key, a, i, &at_a);
        k = next_remaining(key, b, k, &at_b);
        if (i == a->n || k == b->n)
            return i == a->n && k == b->n;
        if (strcmp(a->label[i].name, b->label[k].name) != 0 ||
            strcmp(a->label[i].value, b->label[k].value) != 0)
            return false;
    }
}

const struct labels *key_labels(struct query *q, const struct key *key, const struct labels *l)
{
    struct label kept[LABELS_MAX];
    size_t n = 0, at = 0;
    for (uint32_t i = 0; i < l->n; i++)
        if (remains(key, l->label[i].name, &at))
            kept[n++] = l->label[i];
    return query_labels(q, kept, n);
}

struct key_table key_table_new(struct query *q, const struct key *key, size_t expected)
{
    size_t cap = 16;
    while (cap < expected * 2)
        cap *= 2;
    return (struct key_table){
        .key = key, .slot = arena_zalloc(&q->arena, cap, sizeof(uint32_t)), .cap = cap};
}

static void grow(struct query *q, struct key_table *table)
{
    size_t cap = table->cap * 2;
    table->slot = arena_zalloc(&q->arena, cap, sizeof(uint32_t));
    table->cap = cap;
    for (size_t i = 0; i < table->n; i++) {
        size_t at = table->hash[i] & (cap - 1);
        while (table->slot[at])
            at = (at + 1) & (cap - 1);
        table->slot[at] = (uint32_t)i + 1;
    }
}

uint32_t key_number(struct query *q, struct key_table *table, const struct labels *l)
{
    uint64_t hash = hash_of(table->key, l);
    if (table->n * 2 >= table->cap)
        grow(q, table);
    size_t at = hash & (table->cap - 1);
    for (; table->slot[at]; at = (at + 1) & (table->cap - 1)) {
        uint32_t number = table->slot[at] - 1;
        if (table->hash[number] == hash && is_same(table->key, table->labels[number], l))
            return number;
    }
    size_t cap = table->cap_labels;
    table->hash = arena_grow(&q->arena, table->hash, &cap, table->n, sizeof(uint64_t));
    table->labels = arena_grow(&q->arena, (void *)table->labels, &table->cap_labels, table->n,
                               sizeof(*table->labels));
    table->hash[table->n] = hash;
    table->labels[table->n] = l;
    table->slot[at] = (uint32_t)++table->n;
    return (uint32_t)table->n - 1;
}
