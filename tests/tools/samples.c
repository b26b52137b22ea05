// SPDX-License-Identifier: GPL-3.0-or-later
#include "samples.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "promql/notation.h"

// The end of the labels in a line: behind the last brace outside quotes, or the first blank.
static size_t labels_length(const char *line)
{
    size_t i = 0;
    bool quoted = false;
    while (line[i] && line[i] != '{' && line[i] != ' ')
        i++;
    if (line[i] != '{')
        return i;
    for (; line[i] && (quoted || line[i] != '}'); i++) {
        if (line[i] == '\\' && line[i + 1])
            i++;
        else if (line[i] == '"')
            quoted = !quoted;
    }
    return i + 1;
}

static void free_copies(struct labels **copy, size_t n)
{
    for (size_t i = 0; i < n; i++)
        labels_free(copy[i]);
}

void samples_copies(const struct labels *labels, struct labels **copy, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct label label[LABELS_MAX + 1];
        char *number = mem_printf("%zu", i);
        memcpy(label, labels->label, labels->n * sizeof(*label));
        label[labels->n] = (struct label){"copy", n > 1 ? number : ""};
        copy[i] = labels_new(label, labels->n + 1);
        free(number);
    }
}

void samples_load(struct promql_memory *m, const char *path, size_t copies)
{
    struct labels *copy[SAMPLES_COPIES_MAX] = {0};
    FILE *f = fopen(path, "re");
    char *line = NULL, *last = NULL;
    size_t size = 0;
    struct labels *labels = NULL;
    struct err err = {0};
    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(2);
    }
    while (getline(&line, &size, f) >= 0) {
        size_t n = labels_length(line);
        double v, seconds;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (!last || strlen(last) != n || memcmp(last, line, n) != 0) {
            labels_free(labels);
            free(last);
            last = mem_strndup(line, n);
            if (promql_labels_parse(line, n, &labels, &err) < 0) {
                fprintf(stderr, "%s: %s\n", line, err.message);
                exit(2);
            }
            free_copies(copy, copies);
            samples_copies(labels, copy, copies);
        }
        char *end;
        v = strtod(line + n, &end);
        seconds = strtod(end, &end);
        for (size_t i = 0; i < copies; i++)
            (void)promql_memory_append(m, copy[i], (int64_t)(seconds * 1000 + 0.5), v);
    }
    free_copies(copy, copies);
    labels_free(labels);
    free(last);
    free(line);
    fclose(f);
}
