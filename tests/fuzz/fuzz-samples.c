// SPDX-License-Identifier: GPL-3.0-or-later
// Frames of samples: what is read, written again, reads the same.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/labels.h"
#include "net/samples.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int again_sample(void *arg, const struct label *label, size_t n, int64_t t_ms, double v,
                        bool same)
{
    if (n == 0 || n > LABELS_MAX)
        abort();
    for (size_t i = 0; i < n; i++)
        if (!*label[i].name || strlen(label[i].value) > LABELS_BYTES_MAX)
            abort();
    return samples_put(arg, label, n, t_ms, v);
}

static int again_family(void *arg, const struct expo_family *f)
{
    return samples_put_family(arg, f);
}

static int count_sample(void *arg, const struct label *label, size_t n, int64_t t_ms, double v,
                        bool same)
{
    ++*(size_t *)arg;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct samples_events again = {again_sample, again_family};
    static const struct samples_events count = {.sample = count_sample};
    struct samples_ask ask;
    struct samples_batch batch;
    struct samples_written written;
    const char *frame;
    size_t len = 0, n = 0;
    (void)samples_ask_decode((const char *)data, size, &ask);
    (void)samples_batch_decode((const char *)data, size, &batch, &frame, &len);
    (void)samples_written_decode((const char *)data, size, &written);
    struct samples_writer *w = samples_writer_new(1 << 20);
    if (samples_read((const char *)data, size, &again, w) == 0) {
        size_t want = samples_count(w);
        frame = samples_finish(w, &len);
        if (!frame || samples_read(frame, len, &count, &n) != 0 || n != want)
            abort();
    }
    samples_writer_free(w);
    return 0;
}
