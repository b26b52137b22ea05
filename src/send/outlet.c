// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "send.h"

// Beyond this core is too slow: frames are dropped, and counted, rather than kept.
#define QUEUED_MAX ((size_t)64 << 20)
#define KEEP_BYTES (1u << 20)

static int learn_family(void *arg, const struct expo_family *f)
{
    rw_metadata_put(((struct outlet *)arg)->families, f);
    return 0;
}

int outlet_learn(struct outlet *o, const char *frame, size_t len)
{
    static const struct samples_events events = {.family = learn_family};
    return samples_read(frame, len, &events, o);
}

void outlet_flush(struct outlet *o)
{
    size_t len = 0;
    if (samples_records(o->out) == 0)
        return;
    const char *frame = samples_finish(o->out, &len);
    if (frame && samples_records(o->out) > samples_count(o->out))
        (void)outlet_learn(o, frame, len);
    if (frame && o->core && ipc_queued(o->core) + len <= QUEUED_MAX)
        (void)ipc_send(o->core, IPC_SAMPLES, 0, 0, frame, len, NULL, 0);
    else if (o->frames_lost++ == 0)
        log_warning("core does not take samples; some are lost");
    if (len > KEEP_BYTES) {
        samples_writer_free(o->out);
        o->out = samples_writer_new(SAMPLES_FRAME_MAX);
    } else {
        samples_writer_reset(o->out);
    }
}

uint32_t outlet_random(struct outlet *o)
{
    // Xorshift (Marsaglia 2003).
    o->random ^= o->random << 13;
    o->random ^= o->random >> 17;
    o->random ^= o->random << 5;
    return o->random;
}
