// SPDX-License-Identifier: GPL-3.0-or-later
// Remote-write bodies, as they come and (so that damage reaches protobuf) packed here.
#include <stddef.h>
#include <stdint.h>
#include <snappy-c.h>
#include <stdlib.h>

#include "net/remote_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const char *body, size_t len)
{
    for (int v = 0; v < RW_VERSION_MAX; v++) {
        static const struct samples_events nothing = {0};
        struct rw_content content;
        struct samples_writer *w = samples_writer_new(1 << 20);
        int r = rw_decode(body, len, (enum rw_version)v, w, &content, NULL);
        size_t n = 0;
        const char *frame = samples_finish(w, &n);
        if (r == 0 && (!frame || samples_read(frame, n, &nothing, NULL) != 0 ||
                       content.samples != samples_count(w)))
            abort();
        samples_writer_free(w);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    decode((const char *)data, size);
    size_t packed = snappy_max_compressed_length(size);
    char *body = malloc(packed);
    if (!body)
        abort();
    if (snappy_compress((const char *)data, size, body, &packed) != SNAPPY_OK)
        abort();
    decode(body, packed);
    free(body);
    return 0;
}
