// SPDX-License-Identifier: GPL-3.0-or-later
// Templates of VMs: what is taken, put under a request, is a request that create takes, and never
// says a name or a key.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "manage/template.h"
#include "verb/deed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    json_t *whole = NULL;
    if (template_parse("t", (const char *)data, size, &whole, &err) < 0) {
        if (err.message[0] == '\0' || whole)
            abort();
        return 0;
    }
    const json_t *fields = json_object_get(whole, "fields");
    if (json_object_get(fields, "name") || json_object_get(fields, "key"))
        abort();
    json_t *body =
        json_pack("{s:s, s:i, s:{s:s}}", "name", "vm", "memory", 64 << 20, "labels", "env", "mine");
    template_apply(fields, body);
    if (deed_check(&deeds[DEED_CREATE], body, &err) < 0)
        abort();
    json_decref(body);
    json_decref(whole);
    return 0;
}
