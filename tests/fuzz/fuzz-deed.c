// SPDX-License-Identifier: GPL-3.0-or-later
// A body of any JSON against the deed that its first byte picks: a refusal has words, what is
// taken is taken again, and nothing in it can be mistaken for an option or a path.
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "verb/deed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct deed *deed = &deeds[data[0] % DEED_MAX];
    json_t *body = json_loadb((const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES, NULL);
    struct err err = {0};
    if (!body)
        return 0;
    if (deed_check(deed, body, &err) < 0) {
        if (err.message[0] == '\0')
            abort();
    } else {
        const json_t *name = json_object_get(body, "name");
        if (deed_check(deed, body, &err) < 0)
            abort();
        if (name && !deed_name(json_string_value(name), json_string_length(name)))
            abort();
    }
    json_decref(body);
    return 0;
}
