// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_CRC32C_H
#define TSDB_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/** CRC-32C (Castagnoli, RFC 3720) of `len` bytes, going on from `crc` (0 at the beginning). */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/** The same without the processor's instruction; for the test of both. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif
