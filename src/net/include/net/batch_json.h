// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NET_BATCH_JSON_H
#define NET_BATCH_JSON_H

/*
 * A batch's rows on their way between our processes:
 *
 *     {"rows": [{"fact": "VM_AGENT_UP", "value": 1},
 *               {"key": "/", "fact": "FS_USED", "value": 4096},
 *               {"key": "/", "attr": "FS_TYPE", "text": "ext4"}]}
 *
 * Names are those of model/facts.h with the kind in front. `value` null is "known to be absent",
 * `text` null "unknown"; a row without `key` is about the object itself. What the batch is about
 * (`host`, which must be right before decoding), its lane and its time stay with who asked.
 */

#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "model/batch.h"

/** Write all rows as one JSON object. Text that is not UTF-8 is mended as esc_json() does. */
void batch_encode_json(const struct batch *b, struct json *j);

/**
 * Add the rows of such an object to `b`. Refuses what batch_encode_json() does not write: unknown
 * members or names, more than 16384 rows, texts over 4096 bytes. 0 or -EPROTO; `b` may then
 * hold a part.
 */
int batch_decode_json(const char *text, size_t len, struct batch *b, struct err *err);

#endif
