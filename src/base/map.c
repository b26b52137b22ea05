// SPDX-License-Identifier: GPL-3.0-or-later
// Linear probing over a power-of-two table, at most 3/4 full; removal shifts entries back.
// Hash: SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012).
#include "base/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

struct entry {
    void *value; // NULL = free
    char *key;
    size_t len;
    uint64_t hash;
};

struct map {
    struct entry *entries;
    size_t size;
    size_t count;
    uint64_t k0, k1;
};

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static uint64_t hash_bytes(const struct map *m, const unsigned char *p, size_t len)
{
    struct sip s = {m->k0 ^ 0x736f6d6570736575, m->k1 ^ 0x646f72616e646f6d,
                    m->k0 ^ 0x6c7967656e657261, m->k1 ^ 0x7465646279746573};
    uint64_t last = (uint64_t)len << 56;
    while (len >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        s.v3 ^= word;
        sip_round(&s);
        s.v0 ^= word;
        p += 8;
        len -= 8;
    }
    uint64_t tail = 0;
    memcpy(&tail, p, len);
    last |= tail;
    s.v3 ^= last;
    sip_round(&s);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

struct map *map_new(void)
{
    struct map *m = mem_zalloc(sizeof(*m));
    uint64_t keys[2];
    if (getrandom(keys, sizeof(keys), GRND_NONBLOCK) != (ssize_t)sizeof(keys)) {
        // Before the kernel's pool is ready, an address is the best there is.
        keys[0] = (uint64_t)(uintptr_t)m;
        keys[1] = ~keys[0];
    }
    m->k0 = keys[0];
    m->k1 = keys[1];
    return m;
}

void map_free(struct map *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->size; i++)
        free(m->entries[i].key);
    free(m->entries);
    free(m);
}

static struct entry *find(const struct map *m, const void *key, size_t len, uint64_t hash)
{
    for (size_t i = hash & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
        struct entry *e = &m->entries[i];
        if (!e->value || (e->hash == hash && e->len == len && memcmp(e->key, key, len) == 0))
            return e;
    }
}

void *map_get(const struct map *m, const void *key, size_t len)
{
    if (m->count == 0)
        return NULL;
    return find(m, key, len, hash_bytes(m, key, len))->value;
}

static void resize(struct map *m)
{
    struct entry *old = m->entries;
    size_t old_size = m->size;
    m->size = old_size ? old_size * 2 : 16;
    m->entries = mem_zalloc(m->size * sizeof(*m->entries));
    for (size_t i = 0; i < old_size; i++)
        if (old[i].value)
            *find(m, old[i].key, old[i].len, old[i].hash) = old[i];
    free(old);
}

void *map_put(struct map *m, const void *key, size_t len, void *value)
{
    if ((m->count + 1) * 4 > m->size * 3)
        resize(m);
    uint64_t hash = hash_bytes(m, key, len);
    struct entry *e = find(m, key, len, hash);
    void *before = e->value;
    if (!before) {
        e->key = mem_strndup(key, len);
        e->len = len;
        e->hash = hash;
        m->count++;
    }
    e->value = value;
    return before;
}

void *map_remove(struct map *m, const void *key, size_t len)
{
    if (m->count == 0)
        return NULL;
    struct entry *e = find(m, key, len, hash_bytes(m, key, len));
    if (!e->value)
        return NULL;
    void *value = e->value;
    free(e->key);
    m->count--;
    size_t hole = (size_t)(e - m->entries);
    for (size_t i = (hole + 1) & (m->size - 1); m->entries[i].value; i = (i + 1) & (m->size - 1)) {
        size_t home = m->entries[i].hash & (m->size - 1);
        // An entry may fill the hole unless its home lies cyclically behind the hole.
        if (((i - home) & (m->size - 1)) >= ((i - hole) & (m->size - 1))) {
            m->entries[hole] = m->entries[i];
            hole = i;
        }
    }
    m->entries[hole] = (struct entry){0};
    return value;
}

size_t map_count(const struct map *m)
{
    return m->count;
}

void *map_next(const struct map *m, size_t *cursor)
{
    while (*cursor < m->size) {
        void *value = m->entries[(*cursor)++].value;
        if (value)
            return value;
    }
    return NULL;
}
