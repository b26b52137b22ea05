// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_BITS_H
#define TSDB_BITS_H

/*
 * Whole numbers of one width, 0 to 64 bits, one after the other, the lowest bit first. Up to
 * BITS_READ_AHEAD bytes behind the last of them are read and must be there.
 */

#include <stddef.h>
#include <stdint.h>

#define BITS_READ_AHEAD 16

/** Numbers [from, to) into d[0 …]. */
void bits_get(const uint8_t *p, size_t from, size_t to, unsigned width, uint64_t *d);

/** Their sum, modulo 2^64. */
uint64_t bits_sum(const uint8_t *p, size_t from, size_t to, unsigned width);

/** The same without instructions that not every CPU has. */
void bits_get_portable(const uint8_t *p, size_t from, size_t to, unsigned width, uint64_t *d);
uint64_t bits_sum_portable(const uint8_t *p, size_t from, size_t to, unsigned width);

#endif
