// SPDX-License-Identifier: GPL-3.0-or-later
// Columns: the first two bytes say how many values they should have. What decodes is encoded again
// and must read the same.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"

#define VALUES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t x[VALUES_MAX], again[VALUES_MAX];
static double d[VALUES_MAX], d_again[VALUES_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t n = (data[0] | (size_t)data[1] << 8) % VALUES_MAX + 1;
    uint8_t *out = malloc(codec_bound(VALUES_MAX));
    if (!out)
        abort();
    if (codec_get_i64(data + 2, size - 2, x, n) == 0) {
        size_t len = codec_put_i64(x, n, out);
        if (codec_get_i64(out, len, again, n) < 0 || memcmp(x, again, n * sizeof(*x)) != 0)
            abort();
    }
    if (codec_get_f64(data + 2, size - 2, d, n) == 0) {
        size_t len = codec_put_f64(d, n, out);
        if (codec_get_f64(out, len, d_again, n) < 0 || memcmp(d, d_again, n * sizeof(*d)) != 0)
            abort();
    }
    free(out);
    return 0;
}
