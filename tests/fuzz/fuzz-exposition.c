// SPDX-License-Identifier: GPL-3.0-or-later
// Whatever is taken as an exposition becomes JSON that a parser takes, also once indented.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

#include "command.h"
#include "exposition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(const struct buf *text)
{
    json_t *json = json_loadb(text->data, text->len, 0, NULL);
    if (!json)
        abort();
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out, indented;
    buf_init(&out, 1 << 24);
    buf_init(&indented, 1 << 24);
    json_indent((const char *)data, size, &indented);
    buf_reset(&indented);
    if (exposition_to_json((const char *)data, size, &out, NULL) == 0) {
        check_json(&out);
        json_indent(out.data, out.len, &indented);
        check_json(&indented);
    }
    buf_done(&out);
    buf_done(&indented);
    return 0;
}
