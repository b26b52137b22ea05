// SPDX-License-Identifier: GPL-3.0-or-later
// Eight numbers take as many bytes as one has bits, so that each eighth begins at a whole byte.
// With AVX2 four are taken at once: bytes brought to where each begins, then shifted by what is
// left.
#include "bits.h"

#include <stdbool.h>

#include "base/mem.h"
#include "varint.h"

// Of a word read at a whole byte so many bits are there, whatever the number's shift.
#define WORD_WIDTH_MAX 56

// Two numbers fit into that, and the upper sum of 2^8 of them does not overflow.
#define PAIR_WIDTH_MAX 28
#define PAIRS_MAX 256

static uint64_t mask_of(unsigned width)
{
    return width == 64 ? ~UINT64_C(0) : (UINT64_C(1) << width) - 1;
}

static inline uint64_t narrow(const uint8_t *p, size_t i, unsigned width, uint64_t mask)
{
    size_t bit = i * width;
    return load64(p + bit / 8) >> bit % 8 & mask;
}

static uint64_t wide(const uint8_t *p, size_t i, unsigned width, uint64_t mask)
{
    size_t bit = i * width;
    unsigned shift = bit % 8;
    uint64_t high = shift ? (uint64_t)p[bit / 8 + 8] << (64 - shift) : 0;
    return (load64(p + bit / 8) >> shift | high) & mask;
}

void bits_get_portable(const uint8_t *p, size_t from, size_t to, unsigned width, uint64_t *d)
{
    uint64_t mask = mask_of(width);
    if (width <= WORD_WIDTH_MAX)
        for (size_t i = from; i < to; i++)
            d[i - from] = narrow(p, i, width, mask);
    else
        for (size_t i = from; i < to; i++)
            d[i - from] = wide(p, i, width, mask);
}

// Two numbers at once: the upper one stays where it is and is added there.
static uint64_t sum_pairs(const uint8_t *p, size_t from, size_t to, unsigned width)
{
    uint64_t mask = mask_of(width), low = 0, high = 0;
    size_t i = from, bit = from * width;
    for (; i + 2 <= to; i += 2, bit += 2 * (size_t)width) {
        uint64_t word = load64(p + bit / 8) >> bit % 8;
        low += word & mask;
        high += word & mask << width;
    }
    if (i < to)
        low += narrow(p, i, width, mask);
    return low + (high >> width);
}

uint64_t bits_sum_portable(const uint8_t *p, size_t from, size_t to, unsigned width)
{
    uint64_t mask = mask_of(width), sum = 0;
    if (width <= PAIR_WIDTH_MAX)
        for (size_t end; from < to; from = end) {
            end = MIN_OF(to, from + 2 * PAIRS_MAX);
            sum += sum_pairs(p, from, end, width);
        }
    else if (width <= WORD_WIDTH_MAX)
        for (size_t i = from; i < to; i++)
            sum += narrow(p, i, width, mask);
    else
        for (size_t i = from; i < to; i++)
            sum += wide(p, i, width, mask);
    return sum;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

/** How four neighbours lie in their eighth: 16 bytes from `low` hold two of them, and so on. */
struct four {
    __m256i shuffle, shift;
    size_t low, high;
};

AVX2 static inline struct four lay_out(size_t first, unsigned width)
{
    const uint64_t each_byte = UINT64_C(0x0101010101010101);
    size_t bit[4];
    for (size_t k = 0; k < 4; k++)
        bit[k] = (first + k) * width;
    size_t low = bit[0] / 8, high = bit[2] / 8;
    const __m256i order = _mm256_set1_epi64x(0x0706050403020100);
    const __m256i begin = _mm256_set_epi64x((long long)((bit[3] / 8 - high) * each_byte), 0,
                                            (long long)((bit[1] / 8 - low) * each_byte), 0);
    return (struct four){_mm256_add_epi8(order, begin),
                         _mm256_set_epi64x(bit[3] % 8, bit[2] % 8, bit[1] % 8, bit[0] % 8), low,
                         high};
}

AVX2 static inline __m256i take(const uint8_t *p, const struct four *f, __m256i mask)
{
    __m128i low = _mm_loadu_si128((const __m128i *)(p + f->low));
    __m128i high = _mm_loadu_si128((const __m128i *)(p + f->high));
    __m256i bytes = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    __m256i words = _mm256_shuffle_epi8(bytes, f->shuffle);
    return _mm256_and_si256(_mm256_srlv_epi64(words, f->shift), mask);
}

/** Eights that lie in [from, to) whole: from is the first's index, n how many. */
struct eights {
    size_t from, n;
};

static struct eights eights_in(size_t from, size_t to)
{
    size_t begin = (from + 7) / 8 * 8;
    return (struct eights){begin, begin < to ? (to - begin) / 8 : 0};
}

AVX2 static void get_by_four(const uint8_t *p, struct eights e, unsigned width, uint64_t *d)
{
    const struct four even = lay_out(0, width), odd = lay_out(4, width);
    const __m256i mask = _mm256_set1_epi64x((long long)mask_of(width));
    p += e.from / 8 * width;
    for (size_t i = 0; i < e.n; i++, p += width, d += 8) {
        _mm256_storeu_si256((__m256i *)d, take(p, &even, mask));
        _mm256_storeu_si256((__m256i *)(d + 4), take(p, &odd, mask));
    }
}

AVX2 static uint64_t sum_by_four(const uint8_t *p, struct eights e, unsigned width)
{
    const struct four even = lay_out(0, width), odd = lay_out(4, width);
    const __m256i mask = _mm256_set1_epi64x((long long)mask_of(width));
    __m256i first = _mm256_setzero_si256(), second = first;
    p += e.from / 8 * width;
    for (size_t i = 0; i < e.n; i++, p += width) {
        first = _mm256_add_epi64(first, take(p, &even, mask));
        second = _mm256_add_epi64(second, take(p, &odd, mask));
    }
    uint64_t sum[4];
    _mm256_storeu_si256((__m256i *)sum, _mm256_add_epi64(first, second));
    return sum[0] + sum[1] + sum[2] + sum[3];
}

static bool is_by_four(unsigned width, struct eights e)
{
    return e.n > 0 && width <= WORD_WIDTH_MAX && __builtin_cpu_supports("avx2");
}

void bits_get(const uint8_t *p, size_t from, size_t to, unsigned width, uint64_t *d)
{
    struct eights e = eights_in(from, to);
    if (!is_by_four(width, e)) {
        bits_get_portable(p, from, to, width, d);
        return;
    }
    size_t end = e.from + 8 * e.n;
    bits_get_portable(p, from, e.from, width, d);
    get_by_four(p, e, width, d + (e.from - from));
    bits_get_portable(p, end, to, width, d + (end - from));
}

uint64_t bits_sum(const uint8_t *p, size_t from, size_t to, unsigned width)
{
    struct eights e = eights_in(from, to);
    if (!is_by_four(width, e))
        return bits_sum_portable(p, from, to, width);
    return bits_sum_portable(p, from, e.from, width) + sum_by_four(p, e, width) +
           bits_sum_portable(p, e.from + 8 * e.n, to, width);
}
#else
void bits_get(const uint8_t *p, size_t from, size_t to, unsigned width, uint64_t *d)
{
    bits_get_portable(p, from, to, width, d);
}

uint64_t bits_sum(const uint8_t *p, size_t from, size_t to, unsigned width)
{
    return bits_sum_portable(p, from, to, width);
}
#endif
