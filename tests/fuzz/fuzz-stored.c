// SPDX-License-Identifier: GPL-3.0-or-later
// Two definitions of a domain, with a NUL between them: a definition differs from itself in
// nothing.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "virt/stored.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *now, const char *stored)
{
    struct batch *out = batch_new();
    struct err err = {0};
    if (virt_stored_read(now, stored, out, &err) < 0 && err.message[0] == '\0')
        abort();
    for (uint32_t i = 0; now == stored && i < out->n_rows; i++)
        if (out->rows[i].fact == FACT_VM_CONFIG_DIFFERS && out->rows[i].value != 0)
            abort();
    batch_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    const char *nul = memchr(data, '\0', size);
    CLEANUP(freep)
    char *stored = nul ? mem_strndup(nul + 1, size - (size_t)(nul + 1 - (const char *)data)) : NULL;
    check(text, stored);
    check(text, text);
    return 0;
}
