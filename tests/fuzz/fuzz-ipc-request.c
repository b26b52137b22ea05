// SPDX-License-Identifier: GPL-3.0-or-later
// Decoding a request and encoding it again gives the same bytes; queries are searched.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void search_query(const char *query)
{
    const char *at = query, *end = query + strlen(query);
    char *value;
    while ((value = ipc_query_param_next(&at, "set"))) {
        free(value);
        if (at > end)
            abort();
    }
    if (at != end)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ipc_request r;
    if (ipc_request_decode((const char *)data, size, &r) == 0) {
        CLEANUP(buf_done) struct buf b;
        buf_init(&b, size + 1);
        ipc_request_encode(&r, &b);
        if (b.error || b.len != size || memcmp(b.data, data, size) != 0)
            abort();
        search_query(r.query);
        ipc_request_done(&r);
    }
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    search_query(text);
    return 0;
}
