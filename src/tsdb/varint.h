// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_VARINT_H
#define TSDB_VARINT_H

/*
 * LEB128 numbers, zigzag for signed ones, and little-endian words. Readers move *p and stop at
 * `end`; past it, or where a number is longer than ten bytes, they set *p to NULL, which every
 * reader passes on: check once at the end.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VARINT_MAX 10

static inline uint8_t *varint_put(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

static inline size_t varint_size(uint64_t v)
{
    return v < 0x80 ? 1 : (size_t)(70 - __builtin_clzll(v)) / 7;
}

static inline uint64_t varint_get(const uint8_t **p, const uint8_t *end)
{
    const uint8_t *at = *p;
    if (!at)
        return 0;
    uint64_t v = 0;
    for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
        uint8_t byte = *at++;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *p = at;
            return v;
        }
    }
    *p = NULL;
    return 0;
}

static inline uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static inline int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

static inline uint8_t *svarint_put(uint8_t *p, int64_t v)
{
    return varint_put(p, zigzag(v));
}

static inline int64_t svarint_get(const uint8_t **p, const uint8_t *end)
{
    return unzigzag(varint_get(p, end));
}

static inline uint64_t le64(uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(v);
#else
    return v;
#endif
}

static inline uint32_t le32(uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap32(v);
#else
    return v;
#endif
}

static inline uint64_t load64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return le64(v);
}

static inline uint32_t load32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return le32(v);
}

static inline void store64(void *p, uint64_t v)
{
    v = le64(v);
    memcpy(p, &v, sizeof(v));
}

static inline void store32(void *p, uint32_t v)
{
    v = le32(v);
    memcpy(p, &v, sizeof(v));
}

#endif
