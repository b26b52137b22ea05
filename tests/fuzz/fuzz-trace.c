// SPDX-License-Identifier: GPL-3.0-or-later
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "sim/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int r, double *v, size_t n, const struct err *err)
{
    if (r < 0 && (v || err->message[0] == '\0'))
        abort();
    for (size_t i = 0; r == 0 && i < n; i++)
        if (!(v[i] >= 0 && v[i] <= 1))
            abort();
    free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    double *v = NULL;
    size_t n = 0;
    struct err err = {0};
    int r = trace_parse_planetlab("fuzz", text, size, &v, &n, &err);
    check(r, v, n, &err);
    v = NULL;
    r = trace_parse_csv("fuzz", text, size, 1, 0.01, &v, &n, &err);
    check(r, v, n, &err);
    return 0;
}
