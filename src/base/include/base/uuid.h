// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>

#define UUID_BYTES 16
#define UUID_TEXT 37 /**< with the NUL */

struct uuid {
    unsigned char b[UUID_BYTES];
};

/** Read "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" (hyphens optional) of exactly `len` bytes. */
bool uuid_parse(const char *s, unsigned long len, struct uuid *ret);

/** Write it in lower case with hyphens. */
void uuid_format(const struct uuid *u, char out[UUID_TEXT]);

bool uuid_equal(const struct uuid *a, const struct uuid *b);

#endif
