// SPDX-License-Identifier: GPL-3.0-or-later
// Reads expositions from files and says of each whether it parses: "ok FILE SAMPLES" or
// "bad FILE MESSAGE". --text, --loose: another format than strict OpenMetrics; --dump: each sample
// as it was read. Used by tests/openmetrics.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "model/labels.h"
#include "net/expo.h"

struct count {
    size_t samples;
    bool dump;
};

static int on_sample(void *arg, const struct expo_sample *s)
{
    struct count *c = arg;
    c->samples++;
    if (!c->dump)
        return 0;
    for (size_t i = 0; i < s->n; i++)
        printf("%s=\"%s\" ", s->label[i].name, s->label[i].value);
    printf("%.17g", s->v);
    if (s->has_time)
        printf(" @%lld", (long long)s->t_ms);
    putchar('\n');
    return 0;
}

static int on_family(void *arg, const struct expo_family *f)
{
    if (((struct count *)arg)->dump)
        printf("family %s %s unit=\"%s\" help=\"%s\"\n", f->name, expo_type_name(f->type), f->unit,
               f->help);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct expo_events events = {on_sample, on_family};
    enum expo_format format = EXPO_OPENMETRICS;
    struct count count = {0};
    for (int i = 1; i < argc; i++) {
        bool option = strncmp(argv[i], "--", 2) == 0;
        if (strcmp(argv[i], "--text") == 0)
            format = EXPO_TEXT;
        else if (strcmp(argv[i], "--loose") == 0)
            format = EXPO_OPENMETRICS_LOOSE;
        count.dump |= strcmp(argv[i], "--dump") == 0;
        if (option)
            continue;
        CLEANUP(freep) char *text = NULL;
        size_t len = 0;
        struct err err = {0};
        count.samples = 0;
        int r = fs_read_file(AT_FDCWD, argv[i], 256u << 20, &text, &len);
        if (r == 0)
            r = expo_parse(text, len, format, &events, &count, &err);
        if (r == 0)
            printf("ok %s %zu\n", argv[i], count.samples);
        else
            printf("bad %s %s\n", argv[i], err.code ? err.message : strerror(-r));
    }
    return 0;
}
