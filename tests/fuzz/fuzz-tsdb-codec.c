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

// Parts must read as the whole does.
static void read_parts(const uint8_t *data, size_t size, size_t n)
{
    struct codec_part part[3];
    size_t n_parts = 0;
    for (size_t from = n / 5; from < n && n_parts < 3; from += n / 3 + 1)
        part[n_parts++] = (struct codec_part){from, from + (n - from + 3) / 4};
    if (codec_get_i64_parts(data, size, again, n, part, n_parts) < 0)
        abort();
    for (size_t k = 0; k < n_parts; k++)
        if (memcmp(x + part[k].from, again + part[k].from,
                   (part[k].to - part[k].from) * sizeof(*x)) != 0)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t n = (data[0] | (size_t)data[1] << 8) % VALUES_MAX + 1;
    uint8_t *out = malloc(codec_bound(VALUES_MAX));
    if (!out)
        abort();
    if (codec_get_i64(data + 2, size - 2, x, n) == 0) {
        read_parts(data + 2, size - 2, n);
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
