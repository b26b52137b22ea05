// SPDX-License-Identifier: GPL-3.0-or-later
// Files of wanted state: a refusal has words and leaves nothing, what is read can be written.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "conf/yaml_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    json_t *value = NULL;
    if (yaml_json((const char *)data, size, &value, &err) < 0) {
        if (err.message[0] == '\0' || value)
            abort();
        return 0;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    if (!text)
        abort();
    free(text);
    json_decref(value);
    return 0;
}
