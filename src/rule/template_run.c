// SPDX-License-Identifier: GPL-3.0-or-later
// Walks a template's tree. Steps, depth, memory and output are bounded.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "value.h"

#define STEPS_MAX 200000
#define DEPTH_MAX 40
#define MEMORY_MAX ((size_t)8 << 20)
#define RESULTS_MAX 100

void run_fail(struct run *r, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    err_set_at(r->err, EINVAL, r->line, 0, "template: line %d: %s", r->line, text);
    r->code = -EINVAL;
    longjmp(r->failed, 1);
}

void *run_alloc(struct run *r, size_t size)
{
    void *p = chunk_alloc(&r->chunk, size, &r->budget);
    if (!p)
        run_fail(r, "takes too much memory");
    return p;
}

struct value run_text(struct run *r, const char *text, size_t len)
{
    char *copy = run_alloc(r, len + 1);
    memcpy(copy, text, len);
    return (struct value){.kind = VALUE_TEXT, .text = copy, .len = len};
}

struct value run_take(struct run *r, struct buf *b)
{
    size_t len = b->len;
    char *copy = b->error ? NULL : chunk_alloc(&r->chunk, len + 1, &r->budget);
    if (copy && len > 0)
        memcpy(copy, b->data, len);
    buf_done(b);
    if (!copy)
        run_fail(r, "a text becomes too long");
    return (struct value){.kind = VALUE_TEXT, .text = copy, .len = len};
}

static void step(struct run *r)
{
    if (r->steps-- == 0)
        run_fail(r, "takes too many steps");
    if (r->out->error || r->out->len - r->out_begin > RULE_EXPANDED_MAX)
        run_fail(r, "expands to more than %u bytes", RULE_EXPANDED_MAX);
}

static struct variable *find(struct run *r, const char *name)
{
    for (size_t i = r->n_variables; i-- > 0;)
        if (strcmp(r->variable[i].name, name) == 0)
            return &r->variable[i];
    run_fail(r, "undefined variable \"$%s\"", name);
}

static void push(struct run *r, const char *name, struct value v)
{
    if (r->n_variables == RUN_VARIABLES_MAX)
        run_fail(r, "too many variables");
    r->variable[r->n_variables++] = (struct variable){name, v};
}

static struct value run_pipe(struct run *r, const struct pipe *pipe, const struct value *dot);

static struct value fields(struct run *r, struct value v, const struct operand *o)
{
    for (size_t i = 0; i < o->n_fields; i++)
        v = value_field(r, &v, o->field[i]);
    return v;
}

static struct value run_operand(struct run *r, const struct operand *o, const struct value *dot)
{
    switch (o->kind) {
    case OPERAND_DOT:
        return *dot;
    case OPERAND_FIELD:
        return fields(r, *dot, o);
    case OPERAND_VARIABLE:
        return fields(r, find(r, o->text)->value, o);
    case OPERAND_TEXT:
        return (struct value){.kind = VALUE_TEXT, .text = o->text, .len = strlen(o->text)};
    case OPERAND_INTEGER:
        return value_of_int(o->integer);
    case OPERAND_NUMBER:
        return value_of_float(o->number);
    case OPERAND_BOOL:
        return value_of_bool(o->integer);
    case OPERAND_PIPE:
        return fields(r, run_pipe(r, o->pipe, dot), o);
    default:
        return (struct value){.kind = VALUE_NIL};
    }
}

// A function as an argument stands for its result, as `{{ print externalURL }}`.
static struct value run_argument(struct run *r, const struct operand *o, const struct value *dot)
{
    if (o->kind != OPERAND_FUNCTION)
        return run_operand(r, o, dot);
    if (o->function->min > 0)
        run_fail(r, "wrong number of args for %s: want %d got 0", o->text, o->function->min);
    return o->function->call(r, NULL, 0);
}

static struct value call(struct run *r, const struct command *c, const struct value *dot,
                         const struct value *final)
{
    const struct function *f = c->arg->function;
    size_t n = c->n_args - 1 + (final ? 1 : 0), at = 0;
    struct value *arg = run_alloc(r, (n + 1) * sizeof(*arg));
    if (n < (size_t)f->min || (f->max >= 0 && n > (size_t)f->max))
        run_fail(r, "wrong number of args for %s: want %d got %zu", f->name, f->min, n);
    for (const struct operand *o = c->arg->next; o; o = o->next) {
        arg[at] = run_argument(r, o, dot);
        bool ends = (template_is_and(f) && !value_truth(&arg[at])) ||
                    (template_is_or(f) && value_truth(&arg[at]));
        if (ends)
            return arg[at];
        at++;
    }
    if (final)
        arg[at++] = *final;
    return f->call(r, arg, n);
}

static struct value run_command(struct run *r, const struct command *c, const struct value *dot,
                                const struct value *final)
{
    step(r);
    if (c->arg->kind == OPERAND_FUNCTION)
        return call(r, c, dot, final);
    if (c->n_args > 1 || final)
        run_fail(r, "can't give argument to what is no function");
    return run_operand(r, c->arg, dot);
}

static struct value run_pipe(struct run *r, const struct pipe *pipe, const struct value *dot)
{
    struct value v = {.kind = VALUE_NIL};
    if (++r->depth > DEPTH_MAX)
        run_fail(r, "nested too deep");
    r->line = pipe->line;
    for (const struct command *c = pipe->command; c; c = c->next)
        v = run_command(r, c, dot, c == pipe->command ? NULL : &v);
    r->depth--;
    return v;
}

static void bind(struct run *r, const struct pipe *pipe, int i, struct value v)
{
    if (!pipe->variable[i])
        return;
    if (pipe->is_assignment)
        find(r, pipe->variable[i])->value = v;
    else
        push(r, pipe->variable[i], v);
}

enum flow {
    FLOW_ON,
    FLOW_BREAK,
    FLOW_CONTINUE,
};

static enum flow run_list(struct run *r, const struct node *n, const struct value *dot);

struct element {
    struct value key, value;
};

static size_t count_of(struct run *r, const struct value *v)
{
    switch (v->kind) {
    case VALUE_SAMPLES:
        return v->n;
    case VALUE_LABELS:
        return v->labels ? v->labels->n : 0;
    case VALUE_ARGS:
        return v->args->n;
    case VALUE_INTEGER:
        return v->integer > 0 ? (size_t)v->integer : 0;
    case VALUE_NIL:
        return 0;
    default:
        run_fail(r, "range can't iterate over %s", value_type(v));
    }
}

static struct element element_of(struct run *r, const struct value *v, size_t i)
{
    struct element e = {.key = value_of_int((int64_t)i)};
    if (v->kind == VALUE_SAMPLES) {
        e.value = (struct value){.kind = VALUE_SAMPLE, .sample = v->samples[i]};
    } else if (v->kind == VALUE_LABELS) {
        const struct label *l = &v->labels->label[i];
        e.key = (struct value){.kind = VALUE_TEXT, .text = l->name, .len = strlen(l->name)};
        e.value = (struct value){.kind = VALUE_TEXT, .text = l->value, .len = strlen(l->value)};
    } else if (v->kind == VALUE_ARGS) {
        CLEANUP(freep) char *name = mem_printf("arg%zu", i);
        e.key = run_text(r, name, strlen(name));
        e.value = v->args->value[i];
    } else {
        e.value = e.key;
    }
    return e;
}

static void run_range(struct run *r, const struct node *n, const struct value *dot)
{
    size_t variables = r->n_variables;
    struct value over = run_pipe(r, n->pipe, dot);
    size_t count = count_of(r, &over);
    enum flow flow = FLOW_ON;
    if (count == 0 && n->other)
        run_list(r, n->other, dot);
    for (size_t i = 0; i < count && flow != FLOW_BREAK; i++) {
        struct element e = element_of(r, &over, i);
        bool both = n->pipe->variable[1] != NULL;
        step(r);
        bind(r, n->pipe, 0, both ? e.key : e.value);
        bind(r, n->pipe, 1, e.value);
        flow = run_list(r, n->list, &e.value);
        r->n_variables = variables;
    }
}

static enum flow run_branch(struct run *r, const struct node *n, const struct value *dot)
{
    size_t variables = r->n_variables;
    struct value v = run_pipe(r, n->pipe, dot);
    bind(r, n->pipe, 0, v);
    bool truth = value_truth(&v);
    enum flow flow =
        run_list(r, truth ? n->list : n->other, truth && n->kind == NODE_WITH ? &v : dot);
    r->n_variables = variables;
    return flow;
}

static void call_template(struct run *r, const char *name, const struct value *data)
{
    const struct definition *d = r->template->definition;
    while (d && strcmp(d->name, name) != 0)
        d = d->next;
    if (!d)
        run_fail(r, "template \"%s\" not defined", name);
    if (++r->depth > DEPTH_MAX)
        run_fail(r, "templates call each other too deep");
    size_t variables = r->n_variables;
    push(r, "", *data);
    run_list(r, d->list, data);
    r->n_variables = variables;
    r->depth--;
}

struct value run_template(struct run *r, const char *name, struct value data)
{
    // The output goes into the same buffer and is then taken out of it, so that its cap holds.
    size_t begin = r->out->len;
    call_template(r, name, &data);
    struct value v = run_text(r, r->out->data ? r->out->data + begin : "", r->out->len - begin);
    r->out->len = begin;
    return v;
}

static enum flow run_node(struct run *r, const struct node *n, const struct value *dot)
{
    struct value v = {.kind = VALUE_NIL};
    r->line = n->line;
    step(r);
    switch (n->kind) {
    case NODE_TEXT:
        buf_put(r->out, n->text, n->len);
        return FLOW_ON;
    case NODE_ACTION:
        v = run_pipe(r, n->pipe, dot);
        bind(r, n->pipe, 0, v);
        if (!n->pipe->variable[0])
            value_print(r->out, &v);
        return FLOW_ON;
    case NODE_IF:
    case NODE_WITH:
        return run_branch(r, n, dot);
    case NODE_RANGE:
        run_range(r, n, dot);
        return FLOW_ON;
    case NODE_TEMPLATE:
        if (n->pipe)
            v = run_pipe(r, n->pipe, dot);
        call_template(r, n->text, &v);
        return FLOW_ON;
    case NODE_BREAK:
        return FLOW_BREAK;
    default:
        return FLOW_CONTINUE;
    }
}

static enum flow run_list(struct run *r, const struct node *n, const struct value *dot)
{
    enum flow flow = FLOW_ON;
    if (++r->depth > DEPTH_MAX * 2)
        run_fail(r, "nested too deep");
    for (; n && flow == FLOW_ON; n = n->next)
        flow = run_node(r, n, dot);
    r->depth--;
    return flow;
}

static void run_done(struct run *r)
{
    for (size_t i = 0; i < r->n_results; i++)
        promql_result_free(r->result[i]);
    free(r->result);
    chunk_free(r->chunk);
}

int rule_template_expand(const struct rule_template *t, const struct rule_template_env *env,
                         struct buf *out, struct err *err)
{
    if (rule_template_is_constant(t)) {
        buf_puts(out, t->text);
        return 0;
    }
    struct run *r = mem_zalloc(sizeof(*r));
    *r = (struct run){.template = t,
                      .env = env,
                      .out = out,
                      .out_begin = out->len,
                      .budget = MEMORY_MAX,
                      .steps = STEPS_MAX,
                      .line = 1,
                      .err = err};
    const char *url = env->external_url ? env->external_url : "";
    struct value data = {.kind = VALUE_DATA};
    push(r, "", data);
    push(r, "labels", (struct value){.kind = VALUE_LABELS, .labels = env->labels});
    push(r, "externalLabels", (struct value){.kind = VALUE_LABELS, .labels = env->external_labels});
    push(r, "externalURL", (struct value){.kind = VALUE_TEXT, .text = url, .len = strlen(url)});
    push(r, "value", value_of_float(env->value));
    if (setjmp(r->failed) == 0) {
        run_list(r, t->list, &data);
        step(r);
    }
    run_done(r);
    int code = r->code;
    free(r);
    return code;
}
