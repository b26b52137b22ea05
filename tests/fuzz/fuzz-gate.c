// SPDX-License-Identifier: GPL-3.0-or-later
// Questions and answers about credentials: what is read is written the same.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gate_question q;
    struct gate_answer a;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    if (gate_question_decode((const char *)data, size, &q) == 0) {
        gate_question_encode(&q, &out);
        if (out.error || out.len != size || memcmp(out.data, data, size) != 0)
            abort();
        gate_question_done(&q);
    }
    buf_reset(&out);
    if (gate_answer_decode((const char *)data, size, &a) == 0) {
        gate_answer_encode(&a, &out);
        if (out.error || out.len > size)
            abort();
        gate_answer_done(&a);
    }
    return 0;
}
