// SPDX-License-Identifier: GPL-3.0-or-later
// All formats; what is handed out is UTF-8 text whose first label is the metric's name.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "model/labels.h"
#include "net/expo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *s)
{
    for (size_t len = strlen(s), n; len > 0; s += n, len -= n) {
        n = esc_utf8_next(s, len, NULL);
        if (n == 0)
            abort();
    }
}

static int on_sample(void *arg, const struct expo_sample *s)
{
    if (s->n == 0 || strcmp(s->label[0].name, LABEL_METRIC_NAME) != 0 || !*s->label[0].value)
        abort();
    for (size_t i = 0; i < s->n; i++) {
        check_text(s->label[i].name);
        check_text(s->label[i].value);
    }
    return 0;
}

static int on_family(void *arg, const struct expo_family *f)
{
    check_text(f->help);
    check_text(f->name);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct expo_events events = {on_sample, on_family};
    static const enum expo_format formats[] = {EXPO_TEXT, EXPO_OPENMETRICS, EXPO_OPENMETRICS_LOOSE};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct err err = {0};
        int r = expo_parse((const char *)data, size, formats[i], &events, NULL, &err);
        if (r < 0 && (err.line < 1 || err.column < 1))
            abort();
    }
    return 0;
}
