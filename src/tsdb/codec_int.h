// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_CODEC_INT_H
#define TSDB_CODEC_INT_H

/* What writing and reading of whole numbers share; docs/store-format.md has the bytes. */

#include <stddef.h>

#define PACK 128

enum form {
    FORM_LINE,
    FORM_RUNS,
    FORM_PACKS,
};

enum order {
    ORDER_0,
    ORDER_1,
    ORDER_2,
    ORDER_XOR,
    ORDER_MAX,
};

/** Values that come before the first residual. */
static const size_t heads_of[ORDER_MAX] = {0, 1, 2, 1};

#endif
