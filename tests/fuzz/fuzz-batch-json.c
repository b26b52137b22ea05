// SPDX-License-Identifier: GPL-3.0-or-later
// What decodes must encode to something that decodes to the same rows.
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "net/batch_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct batch *first = batch_new(), *second = batch_new();
    if (batch_decode_json((const char *)data, size, first, &err) == 0) {
        struct buf out;
        struct json j;
        buf_init(&out, 256u * 1024 * 1024);
        json_init(&j, &out);
        batch_encode_json(first, &j);
        if (out.error || batch_decode_json(out.data, out.len, second, &err) < 0 ||
            first->n_rows != second->n_rows)
            abort();
        buf_done(&out);
    }
    batch_free(first);
    batch_free(second);
    return 0;
}
