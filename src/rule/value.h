// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_VALUE_H
#define RULE_VALUE_H

// Values inside a template, and the functions on them. What fails jumps out of the expansion.

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "tree.h"

enum value_kind {
    VALUE_NIL,
    VALUE_BOOL,
    VALUE_INTEGER,
    VALUE_FLOAT,
    VALUE_TEXT,
    VALUE_LABELS,
    VALUE_SAMPLE,
    VALUE_SAMPLES,
    VALUE_ARGS,
    VALUE_TIME,     // ms
    VALUE_DURATION, // ns
    VALUE_DATA,     // what the template begins with
    VALUE_KIND_MAX,
};

struct sample {
    const struct labels *labels;
    double v;
};

struct value;
struct args {
    size_t n;
    struct value *value;
};

struct value {
    enum value_kind kind;
    union {
        bool truth;
        int64_t integer;
        double number;
        struct {
            const char *text;
            size_t len;
        };
        const struct labels *labels;
        const struct sample *sample;
        struct {
            const struct sample **samples;
            size_t n;
        };
        const struct args *args;
    };
};

#define RUN_VARIABLES_MAX 64

struct variable {
    const char *name;
    struct value value;
};

// One expansion.
struct run {
    const struct rule_template *template;
    const struct rule_template_env *env;
    struct buf *out;
    size_t out_begin;
    struct chunk *chunk; // all memory of the expansion
    size_t budget;       // bytes left
    unsigned steps;      // left
    unsigned depth;
    struct variable variable[RUN_VARIABLES_MAX];
    size_t n_variables;
    struct promql_result **result; // of `query`, kept to the end
    size_t n_results, cap_results;
    int line;
    struct err *err;
    int code;
    jmp_buf failed;
};

_Noreturn void run_fail(struct run *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void *run_alloc(struct run *r, size_t size);
struct value run_text(struct run *r, const char *text, size_t len);
// What the buffer holds, which is then freed.
struct value run_take(struct run *r, struct buf *b);

// Expand a defined template into a text.
struct value run_template(struct run *r, const char *name, struct value data);

struct function {
    const char *name;
    int min, max; // arguments; max -1: any number
    struct value (*call)(struct run *r, const struct value *arg, size_t n);
};
const struct function *template_function(const char *name);

// Operators that do not evaluate all their arguments.
bool template_is_and(const struct function *f);
bool template_is_or(const struct function *f);

// value.c
bool value_truth(const struct value *v);
void value_print(struct buf *out, const struct value *v); // as Go's %v
const char *value_type(const struct value *v);            // as Go's %T
double value_float(struct run *r, const struct value *v);
const char *value_text(struct run *r, const struct value *v);
struct value value_field(struct run *r, const struct value *v, const char *name);

static inline struct value value_of_float(double v)
{
    return (struct value){.kind = VALUE_FLOAT, .number = v};
}
static inline struct value value_of_int(int64_t v)
{
    return (struct value){.kind = VALUE_INTEGER, .integer = v};
}
static inline struct value value_of_bool(bool v)
{
    return (struct value){.kind = VALUE_BOOL, .truth = v};
}

// go_format.c: Go's fmt
void go_float(struct buf *out, double v, char verb, int precision); // precision -1: shortest
void go_quote(struct buf *out, const char *s, size_t len);
void go_printf(struct run *r, struct buf *out, const char *format, const struct value *arg,
               size_t n);
void go_time(struct buf *out, int64_t ms);     // Time.String() in UTC
void go_duration(struct buf *out, int64_t ns); // Duration.String()

// human.c
void human_si(struct buf *out, double v);
void human_1024(struct buf *out, double v);
void human_duration(struct buf *out, double seconds);
void human_percentage(struct buf *out, double ratio);

#endif
