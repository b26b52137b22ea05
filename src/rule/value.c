// SPDX-License-Identifier: GPL-3.0-or-later
// Values of templates: what they are worth, how they print, what is in them.
#include "value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"

bool value_truth(const struct value *v)
{
    switch (v->kind) {
    case VALUE_NIL:
        return false;
    case VALUE_BOOL:
        return v->truth;
    case VALUE_INTEGER:
    case VALUE_TIME:
    case VALUE_DURATION:
        return v->kind == VALUE_TIME || v->integer != 0;
    case VALUE_FLOAT:
        return v->number != 0;
    case VALUE_TEXT:
        return v->len > 0;
    case VALUE_LABELS:
        return v->labels && v->labels->n > 0;
    case VALUE_SAMPLES:
        return v->n > 0;
    case VALUE_ARGS:
        return v->args->n > 0;
    default:
        return true;
    }
}

static void print_labels(struct buf *out, const struct labels *l)
{
    buf_puts(out, "map[");
    for (uint32_t i = 0; l && i < l->n; i++)
        buf_printf(out, "%s%s:%s", i ? " " : "", l->label[i].name, l->label[i].value);
    buf_putc(out, ']');
}

static void print_sample(struct buf *out, const struct sample *s)
{
    buf_puts(out, "&{");
    print_labels(out, s->labels);
    buf_putc(out, ' ');
    go_float(out, s->v, 'v', -1);
    buf_putc(out, '}');
}

static void print_args(struct buf *out, const struct args *a)
{
    buf_puts(out, "map[");
    for (size_t i = 0; i < a->n; i++) {
        buf_printf(out, "%sarg%zu:", i ? " " : "", i);
        value_print(out, &a->value[i]);
    }
    buf_putc(out, ']');
}

void value_print(struct buf *out, const struct value *v)
{
    switch (v->kind) {
    case VALUE_NIL:
        buf_puts(out, "<no value>");
        break;
    case VALUE_BOOL:
        buf_puts(out, v->truth ? "true" : "false");
        break;
    case VALUE_INTEGER:
        buf_i64(out, v->integer);
        break;
    case VALUE_FLOAT:
        go_float(out, v->number, 'v', -1);
        break;
    case VALUE_TEXT:
        buf_put(out, v->text, v->len);
        break;
    case VALUE_LABELS:
        print_labels(out, v->labels);
        break;
    case VALUE_SAMPLE:
        print_sample(out, v->sample);
        break;
    case VALUE_SAMPLES:
        buf_putc(out, '[');
        for (size_t i = 0; i < v->n; i++) {
            buf_puts(out, i ? " " : "");
            print_sample(out, v->samples[i]);
        }
        buf_putc(out, ']');
        break;
    case VALUE_ARGS:
        print_args(out, v->args);
        break;
    case VALUE_TIME:
        go_time(out, v->integer);
        break;
    case VALUE_DURATION:
        go_duration(out, v->integer);
        break;
    default:
        buf_puts(out, "{}");
    }
}

const char *value_type(const struct value *v)
{
    static const char *const names[VALUE_KIND_MAX] = {
        "<nil>",
        "bool",
        "int",
        "float64",
        "string",
        "map[string]string",
        "*template.sample",
        "template.queryResult",
        "map[string]interface {}",
        "*time.Time",
        "*time.Duration",
        "template.data",
    };
    return names[v->kind];
}

double value_float(struct run *r, const struct value *v)
{
    double d = 0;
    switch (v->kind) {
    case VALUE_FLOAT:
        return v->number;
    case VALUE_INTEGER:
        return (double)v->integer;
    case VALUE_DURATION:
        return (double)v->integer / 1e9;
    case VALUE_TEXT:
        if (strcmp(v->text, "NaN") == 0)
            return NAN;
        if (strcmp(v->text, "+Inf") == 0 || strcmp(v->text, "Inf") == 0)
            return INFINITY;
        if (strcmp(v->text, "-Inf") == 0)
            return -INFINITY;
        if (number_parse_f64(v->text, &d) == 0)
            return d;
        run_fail(r, "\"%s\" is no number", v->text);
    default:
        run_fail(r, "can't convert %s to float", value_type(v));
    }
}

const char *value_text(struct run *r, const struct value *v)
{
    if (v->kind != VALUE_TEXT)
        run_fail(r, "wrong type: a string is expected, not %s", value_type(v));
    return v->text;
}

static struct value text_of(const char *s)
{
    s = s ? s : "";
    return (struct value){.kind = VALUE_TEXT, .text = s, .len = strlen(s)};
}

static struct value data_field(struct run *r, const char *name)
{
    const struct rule_template_env *env = r->env;
    if (strcmp(name, "Labels") == 0)
        return (struct value){.kind = VALUE_LABELS, .labels = env->labels};
    if (strcmp(name, "ExternalLabels") == 0)
        return (struct value){.kind = VALUE_LABELS, .labels = env->external_labels};
    if (strcmp(name, "ExternalURL") == 0)
        return text_of(env->external_url);
    if (strcmp(name, "Value") == 0)
        return value_of_float(env->value);
    run_fail(r, "can't evaluate field %s", name);
}

static struct value args_field(const struct args *a, const char *name)
{
    uint64_t i;
    if (strncmp(name, "arg", 3) == 0 && number_parse_u64(name + 3, &i) == 0 && i < a->n)
        return a->value[i];
    return (struct value){.kind = VALUE_NIL};
}

struct value value_field(struct run *r, const struct value *v, const char *name)
{
    switch (v->kind) {
    case VALUE_LABELS:
        return text_of(v->labels ? labels_get(v->labels, name) : NULL);
    case VALUE_ARGS:
        return args_field(v->args, name);
    case VALUE_DATA:
        return data_field(r, name);
    case VALUE_SAMPLE:
        if (strcmp(name, "Labels") == 0)
            return (struct value){.kind = VALUE_LABELS, .labels = v->sample->labels};
        if (strcmp(name, "Value") == 0)
            return value_of_float(v->sample->v);
        break;
    case VALUE_NIL:
        run_fail(r, "nil data; no entry for key \"%s\"", name);
    default:
        break;
    }
    run_fail(r, "can't evaluate field %s in type %s", name, value_type(v));
}
