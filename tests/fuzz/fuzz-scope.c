// SPDX-License-Identifier: GPL-3.0-or-later
// Scopes that are read are written so that they read the same, and cover the same VM.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/scope.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    const char *vm = strrchr(text, '\n');
    CLEANUP(freep) char *scope = mem_strndup(text, vm ? (size_t)(vm - text) : strlen(text));
    const struct auth_label label = {"env", vm ? vm + 1 : ""};
    const struct auth_object o = {vm ? vm + 1 : "x", vm ? vm + 1 : NULL, &label, 1};
    struct scope s, again;
    struct err err;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4 * SCOPE_TEXT_MAX);
    if (scope_parse(scope, &s, &err) == 0) {
        scope_format(&s, &out);
        if (out.error || scope_parse(out.data, &again, &err) < 0 ||
            scope_covers(&s, &o) != scope_covers(&again, &o))
            abort();
        scope_done(&again);
    }
    scope_done(&s);
    return 0;
}
