// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_READER_H
#define RULE_READER_H

// How files of rules and of tests are read: tables of fields over a tree, errors collected.

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doc.h"
#include "rule/file.h"

struct reader {
    const char *name; // of the file
    struct rule_errors *errors;
    size_t count; // rules
};

// A field of a mapping; `read` gets base + offset, and complains through reader_fail().
struct reader_field {
    const char *name;
    void (*read)(struct reader *r, const struct doc_node *n, void *to, const char *name);
    size_t offset;
    bool takes_null; // else null leaves what is there
};

// Reads a mapping's members by the table; others are errors. Null is an empty mapping.
void reader_object(struct reader *r, const struct doc_node *map, const struct reader_field *field,
                   size_t n_fields, void *base, const char *what);

void reader_fail(struct reader *r, const struct doc_node *n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Room for one more; NULL where there are enough.
struct err *reader_new_error(struct rule_errors *e);

// Any scalar as an owned text; replaces *ret. False: an error is noted.
bool reader_text(struct reader *r, const struct doc_node *n, const char *what, char **ret);

// "5m" or "0"; false: an error is noted.
bool reader_duration(struct reader *r, const struct doc_node *n, const char *what, int64_t *ret_ms);

// The same as fields.
void reader_take_text(struct reader *r, const struct doc_node *n, void *to, const char *name);
void reader_take_duration(struct reader *r, const struct doc_node *n, void *to, const char *name);

#endif
