// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

#include "base/buf.h"

/** Append bytes as base64 (RFC 4648, section 4, with padding). */
void base64_encode(const void *data, size_t len, struct buf *out);

/**
 * Append the bytes that a text stands for: digits and padding only, a multiple of four, unused bits
 * zero. 0, or -EINVAL (what was appended until then stays).
 */
int base64_decode(const char *text, size_t len, struct buf *out);

#endif
