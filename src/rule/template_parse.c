// SPDX-License-Identifier: GPL-3.0-or-later
// Go's template syntax, by descent: depth is limited, each round takes at least one byte.
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "base/number.h"
#include "tree.h"
#include "value.h"

struct parser {
    struct rule_template *t;
    const char *at, *end;
    int line;
    unsigned depth, in_range;
    const char *variable[RUN_VARIABLES_MAX];
    size_t n_variables;
    size_t budget;
    struct err *err;
    jmp_buf failed;
};

void *chunk_alloc(struct chunk **list, size_t size, size_t *budget)
{
    size = (size + 15) & ~(size_t)15;
    struct chunk *c = *list;
    if (size > *budget)
        return NULL;
    if (!c || c->size - c->used < size) {
        size_t room = MAX_OF(size, (size_t)2000);
        c = calloc(1, sizeof(*c) + room);
        if (!c)
            return NULL;
        c->size = room;
        c->next = *list;
        *list = c;
    }
    *budget -= size;
    void *p = c->data + c->used;
    c->used += size;
    return p;
}

void chunk_free(struct chunk *list)
{
    while (list) {
        struct chunk *next = list->next;
        free(list);
        list = next;
    }
}

_Noreturn __attribute__((format(printf, 2, 3))) static void fail(struct parser *p,
                                                                 const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    err_set_at(p->err, EINVAL, p->line, 0, "template: line %d: %s", p->line, text);
    longjmp(p->failed, 1);
}

static void *alloc(struct parser *p, size_t size)
{
    void *m = chunk_alloc(&p->t->chunk, size, &p->budget);
    if (!m)
        fail(p, "it is too large");
    return m;
}

static const char *keep(struct parser *p, const char *s, size_t len)
{
    char *text = alloc(p, len + 1);
    memcpy(text, s, len);
    return text;
}

static void skip_blanks(struct parser *p)
{
    for (; p->at < p->end && strchr(" \t\r\n", *p->at) && *p->at; p->at++)
        p->line += *p->at == '\n';
}

static bool starts(const struct parser *p, const char *s)
{
    size_t n = strlen(s);
    return (size_t)(p->end - p->at) >= n && memcmp(p->at, s, n) == 0;
}

// The end of an action is next: "}}" or " -}}".
static bool at_end(struct parser *p)
{
    skip_blanks(p);
    return starts(p, "}}") || starts(p, "-}}");
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

static const char *word(struct parser *p)
{
    const char *begin = p->at;
    while (p->at < p->end && is_word(*p->at))
        p->at++;
    return keep(p, begin, (size_t)(p->at - begin));
}

static bool take_word(struct parser *p, const char *s)
{
    size_t n = strlen(s);
    if (!starts(p, s) || (p->at + n < p->end && is_word(p->at[n])))
        return false;
    p->at += n;
    return true;
}

// The character behind a backslash, as Go reads it; bytes go to `out`.
static void escape(struct parser *p, struct buf *out)
{
    static const char plain[] = "abfnrtv\\'\"", means[] = "\a\b\f\n\r\t\v\\'\"";
    char c = p->at < p->end ? *p->at++ : '\0';
    const char *hit = c ? strchr(plain, c) : NULL;
    if (hit) {
        buf_putc(out, means[hit - plain]);
        return;
    }
    int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    unsigned v = 0;
    for (int i = 0; i < digits; i++) {
        int d = p->at < p->end ? number_hex_digit(*p->at++) : -1;
        if (d < 0)
            fail(p, "a malformed escape in a text");
        v = v * 16 + (unsigned)d;
    }
    if (!digits || v > 0x10ffff)
        fail(p, "an unknown escape in a text");
    if (c == 'x' || v < 0x80) {
        buf_putc(out, (char)v);
        return;
    }
    char utf8[4];
    int n = v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, v >>= 6)
        utf8[i] = (char)(0x80 | (v & 0x3f));
    utf8[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | v);
    buf_put(out, utf8, (size_t)n);
}

static void quoted(struct parser *p, struct operand *o)
{
    char quote = *p->at++;
    struct buf b;
    buf_init(&b, RULE_TEMPLATE_MAX);
    o->kind = OPERAND_TEXT;
    // A failure below would leave the buffer; texts are short, so look for the end first.
    const char *end = p->at;
    while (end < p->end && *end != quote && (quote == '`' || *end != '\n'))
        end += *end == '\\' && quote != '`' ? 2 : 1;
    if (end >= p->end || *end != quote)
        fail(p, "a text without its end");
    if (quote == '`') {
        o->text = keep(p, p->at, (size_t)(end - p->at));
        for (; p->at < end; p->at++)
            p->line += *p->at == '\n';
        p->at = end + 1;
        return;
    }
    jmp_buf outer;
    memcpy(outer, p->failed, sizeof(outer));
    if (setjmp(p->failed)) {
        buf_done(&b);
        memcpy(p->failed, outer, sizeof(outer));
        longjmp(p->failed, 1);
    }
    while (*p->at != quote) {
        char c = *p->at++;
        if (c == '\\')
            escape(p, &b);
        else
            buf_putc(&b, c);
    }
    o->text = keep(p, b.data ? b.data : "", b.len);
    memcpy(p->failed, outer, sizeof(outer));
    buf_done(&b);
    p->at++;
}

static void character(struct parser *p, struct operand *o)
{
    quoted(p, o);
    unsigned cp = 0;
    size_t len = strlen(o->text);
    if (len == 0 || esc_utf8_next(o->text, len, &cp) != len)
        fail(p, "a malformed character");
    o->kind = OPERAND_INTEGER;
    o->integer = cp;
}

static void number(struct parser *p, struct operand *o)
{
    char text[80];
    size_t n = 0;
    const char *s = p->at;
    while (
        s < p->end && n < sizeof(text) - 1 &&
        (is_word(*s) || *s == '.' || (strchr("+-", *s) && (n == 0 || strchr("eEpP", text[n - 1])))))
        text[n++] = *s++;
    text[n] = '\0';
    char *end;
    errno = 0;
    o->kind = OPERAND_INTEGER;
    o->integer = strtoll(text, &end, 0);
    if (*end || errno) {
        o->kind = OPERAND_NUMBER;
        errno = 0;
        o->number = strtod(text, &end);
        if (*end || errno || !isxdigit((unsigned char)text[n - 1]))
            fail(p, "bad number syntax: \"%s\"", text);
    }
    p->at = s;
}

static void chain(struct parser *p, struct operand *o)
{
    const char *field[16];
    size_t n = 0;
    while (p->at + 1 < p->end && *p->at == '.' && is_word(p->at[1])) {
        if (n == ARRAY_LEN(field))
            fail(p, "too long a chain of fields");
        p->at++;
        field[n++] = word(p);
    }
    if (n == 0)
        return;
    o->field = alloc(p, n * sizeof(*o->field));
    memcpy(o->field, field, n * sizeof(*o->field));
    o->n_fields = n;
}

static void variable(struct parser *p, struct operand *o)
{
    p->at++;
    o->kind = OPERAND_VARIABLE;
    o->text = word(p);
    bool is_known = false;
    for (size_t i = 0; i < p->n_variables; i++)
        is_known |= strcmp(p->variable[i], o->text) == 0;
    if (!is_known)
        fail(p, "undefined variable \"$%s\"", o->text);
    chain(p, o);
}

static void identifier(struct parser *p, struct operand *o)
{
    const char *name = word(p);
    if (strcmp(name, "true") == 0 || strcmp(name, "false") == 0) {
        o->kind = OPERAND_BOOL;
        o->integer = name[0] == 't';
    } else if (strcmp(name, "nil") == 0) {
        o->kind = OPERAND_NIL;
    } else {
        o->kind = OPERAND_FUNCTION;
        o->text = name;
        o->function = template_function(name);
        if (!o->function)
            fail(p, "function \"%s\" not defined", name);
    }
}

static struct pipe *pipeline(struct parser *p, bool may_declare, unsigned most);

static void parenthesis(struct parser *p, struct operand *o)
{
    if (++p->depth > TREE_DEPTH_MAX)
        fail(p, "nested too deep");
    p->at++;
    o->kind = OPERAND_PIPE;
    o->pipe = pipeline(p, false, 0);
    skip_blanks(p);
    if (p->at >= p->end || *p->at != ')')
        fail(p, "unclosed left paren");
    p->at++;
    p->depth--;
    chain(p, o);
}

static struct operand *operand(struct parser *p)
{
    struct operand *o = alloc(p, sizeof(*o));
    char c = p->at < p->end ? *p->at : '\0';
    char next = p->at + 1 < p->end ? p->at[1] : '\0';
    if (c == '"' || c == '`')
        quoted(p, o);
    else if (c == '\'')
        character(p, o);
    else if (c == '$')
        variable(p, o);
    else if (c == '(')
        parenthesis(p, o);
    else if (isdigit((unsigned char)c) || (strchr("+-.", c) && c && isdigit((unsigned char)next)))
        number(p, o);
    else if (c == '.' && is_word(next)) {
        o->kind = OPERAND_FIELD;
        chain(p, o);
    } else if (c == '.') {
        p->at++;
        o->kind = OPERAND_DOT;
    } else if (is_word(c))
        identifier(p, o);
    else if (c)
        fail(p, "unexpected \"%c\" in a command", c);
    else
        fail(p, "unclosed action");
    return o;
}

static bool ends_command(struct parser *p)
{
    return at_end(p) || p->at >= p->end || *p->at == '|' || *p->at == ')';
}

static struct command *command(struct parser *p)
{
    struct command *c = alloc(p, sizeof(*c));
    struct operand **to = &c->arg;
    while (!ends_command(p)) {
        const char *before = p->at;
        *to = operand(p);
        to = &(*to)->next;
        c->n_args++;
        if (p->at < p->end && !strchr(" \t\r\n|)}", *p->at) && !starts(p, "-}}"))
            fail(p, "unexpected \"%c\" after \"%.*s\"", *p->at, (int)(p->at - before), before);
    }
    if (c->n_args == 0)
        fail(p, "missing value for command");
    if (c->n_args > 1 && c->arg->kind != OPERAND_FUNCTION && c->arg->kind != OPERAND_FIELD &&
        c->arg->kind != OPERAND_VARIABLE && c->arg->kind != OPERAND_PIPE)
        fail(p, "what is no function cannot have arguments");
    return c;
}

// `$x :=`, `$i, $x :=`, `$x =` at the beginning of a pipeline.
static void declaration(struct parser *p, struct pipe *pipe, unsigned most)
{
    const char *back = p->at;
    int line = p->line;
    unsigned n = 0;
    while (n < most && p->at < p->end && *p->at == '$') {
        p->at++;
        pipe->variable[n++] = word(p);
        skip_blanks(p);
        if (p->at < p->end && *p->at == ',' && n < most) {
            p->at++;
            skip_blanks(p);
            continue;
        }
        break;
    }
    if (n > 0 && starts(p, ":=")) {
        p->at += 2;
        return;
    }
    if (n > 0 && starts(p, "=")) {
        p->at++;
        pipe->is_assignment = true;
        return;
    }
    pipe->variable[0] = pipe->variable[1] = NULL;
    p->at = back;
    p->line = line;
}

static void declare(struct parser *p, const char *name)
{
    if (p->n_variables == RUN_VARIABLES_MAX / 2)
        fail(p, "too many variables");
    p->variable[p->n_variables++] = name;
}

static struct pipe *pipeline(struct parser *p, bool may_declare, unsigned most)
{
    struct pipe *pipe = alloc(p, sizeof(*pipe));
    skip_blanks(p);
    pipe->line = p->line;
    if (may_declare)
        declaration(p, pipe, most);
    struct command **to = &pipe->command;
    for (;;) {
        skip_blanks(p);
        *to = command(p);
        if (to != &pipe->command && (*to)->arg->kind != OPERAND_FUNCTION &&
            (*to)->arg->kind != OPERAND_FIELD && (*to)->arg->kind != OPERAND_VARIABLE &&
            (*to)->arg->kind != OPERAND_PIPE)
            fail(p, "what is no function cannot stand behind |");
        to = &(*to)->next;
        if (p->at >= p->end || *p->at != '|')
            break;
        p->at++;
    }
    for (int i = 0; i < 2 && pipe->variable[i] && !pipe->is_assignment; i++)
        declare(p, pipe->variable[i]);
    return pipe;
}

static void close_action(struct parser *p)
{
    skip_blanks(p);
    bool trims = starts(p, "-}}");
    p->at += trims;
    if (!starts(p, "}}"))
        fail(p, "unclosed action");
    p->at += 2;
    if (trims)
        skip_blanks(p);
}

// What ended a list of nodes.
enum ended {
    ENDED_TEXT, // of the whole template
    ENDED_END,
    ENDED_ELSE,
};

static enum ended list(struct parser *p, struct node **ret, bool is_top);

static struct node *new_node(struct parser *p, enum node_kind kind)
{
    struct node *n = alloc(p, sizeof(*n));
    n->kind = kind;
    n->line = p->line;
    return n;
}

static void branch(struct parser *p, struct node *n, unsigned most)
{
    if (++p->depth > TREE_DEPTH_MAX)
        fail(p, "nested too deep");
    size_t variables = p->n_variables;
    n->pipe = pipeline(p, true, most);
    close_action(p);
    p->in_range += n->kind == NODE_RANGE;
    enum ended how = list(p, &n->list, false);
    p->in_range -= n->kind == NODE_RANGE;
    if (how == ENDED_ELSE) {
        skip_blanks(p);
        bool is_if = take_word(p, "if");
        if (is_if || take_word(p, "with")) {
            n->other = new_node(p, is_if ? NODE_IF : NODE_WITH);
            branch(p, n->other, 1);
            how = ENDED_END;
        } else {
            close_action(p);
            how = list(p, &n->other, false);
        }
    }
    if (how != ENDED_END)
        fail(p, "unexpected %s",
             how == ENDED_ELSE ? "{{else}}" : "end of the text: {{end}} missing");
    p->n_variables = variables;
    p->depth--;
}

static const char *template_name(struct parser *p)
{
    struct operand o = {0};
    skip_blanks(p);
    if (p->at >= p->end || (*p->at != '"' && *p->at != '`'))
        fail(p, "a template's name in quotes is expected");
    quoted(p, &o);
    return o.text;
}

static void define(struct parser *p, const char *name, struct node **ret)
{
    struct definition *d = alloc(p, sizeof(*d));
    static const char *const top[] = {""};
    const char *kept[RUN_VARIABLES_MAX];
    size_t n_kept = p->n_variables;
    unsigned in_range = p->in_range;
    memcpy(kept, p->variable, sizeof(kept));
    d->name = name;
    p->n_variables = ARRAY_LEN(top); // `$` alone
    p->in_range = 0;
    p->variable[0] = top[0];
    close_action(p);
    if (++p->depth > TREE_DEPTH_MAX)
        fail(p, "nested too deep");
    if (list(p, &d->list, false) != ENDED_END)
        fail(p, "{{end}} missing");
    p->depth--;
    memcpy(p->variable, kept, sizeof(kept));
    p->n_variables = n_kept;
    p->in_range = in_range;
    d->next = p->t->definition;
    p->t->definition = d;
    if (ret)
        *ret = d->list;
}

static struct node *call_template(struct parser *p, bool is_block)
{
    struct node *n = new_node(p, NODE_TEMPLATE);
    n->text = template_name(p);
    if (!at_end(p))
        n->pipe = pipeline(p, false, 0);
    if (is_block)
        define(p, n->text, NULL);
    else
        close_action(p);
    return n;
}

static struct node *loop_word(struct parser *p, enum node_kind kind)
{
    if (p->in_range == 0)
        fail(p, "{{break}} or {{continue}} outside of {{range}}");
    struct node *n = new_node(p, kind);
    close_action(p);
    return n;
}

static struct node *control(struct parser *p)
{
    static const struct {
        const char *word;
        enum node_kind kind;
        unsigned most;
    } branches[] = {{"if", NODE_IF, 1}, {"with", NODE_WITH, 1}, {"range", NODE_RANGE, 2}};
    for (size_t i = 0; i < ARRAY_LEN(branches); i++) {
        if (!take_word(p, branches[i].word))
            continue;
        struct node *n = new_node(p, branches[i].kind);
        branch(p, n, branches[i].most);
        return n;
    }
    if (take_word(p, "template"))
        return call_template(p, false);
    if (take_word(p, "block"))
        return call_template(p, true);
    if (take_word(p, "break"))
        return loop_word(p, NODE_BREAK);
    if (take_word(p, "continue"))
        return loop_word(p, NODE_CONTINUE);
    struct node *n = new_node(p, NODE_ACTION);
    n->pipe = pipeline(p, true, 1);
    close_action(p);
    return n;
}

static void comment(struct parser *p)
{
    const char *end = memmem(p->at, (size_t)(p->end - p->at), "*/", 2);
    if (!end)
        fail(p, "unclosed comment");
    for (; p->at < end + 2; p->at++)
        p->line += *p->at == '\n';
    close_action(p);
}

// Text up to the next action, less the blanks that its "{{- " takes.
static struct node *plain(struct parser *p)
{
    const char *open = memmem(p->at, (size_t)(p->end - p->at), "{{", 2);
    const char *end = open ? open : p->end;
    const char *stop = end;
    if (open && open + 3 < p->end && open[2] == '-' && strchr(" \t\r\n", open[3]) && open[3])
        while (stop > p->at && strchr(" \t\r\n", stop[-1]))
            stop--;
    struct node *n = NULL;
    if (stop > p->at) {
        n = new_node(p, NODE_TEXT);
        n->text = p->at;
        n->len = (size_t)(stop - p->at);
    }
    for (; p->at < end; p->at++)
        p->line += *p->at == '\n';
    return n;
}

static void open_action(struct parser *p)
{
    p->at += 2;
    if (p->at + 1 < p->end && *p->at == '-' && strchr(" \t\r\n", p->at[1]) && p->at[1])
        p->at++;
    skip_blanks(p);
}

static enum ended list(struct parser *p, struct node **ret, bool is_top)
{
    struct node **to = ret;
    while (p->at < p->end) {
        struct node *n = starts(p, "{{") ? NULL : plain(p);
        if (n) {
            *to = n;
            to = &n->next;
        }
        if (p->at >= p->end)
            break;
        open_action(p);
        if (starts(p, "/*")) {
            comment(p);
        } else if (take_word(p, "end")) {
            if (is_top)
                fail(p, "unexpected {{end}}");
            close_action(p);
            return ENDED_END;
        } else if (take_word(p, "else")) {
            if (is_top)
                fail(p, "unexpected {{else}}");
            return ENDED_ELSE;
        } else if (take_word(p, "define")) {
            define(p, template_name(p), NULL);
        } else {
            *to = control(p);
            to = &(*to)->next;
        }
    }
    return ENDED_TEXT;
}

int rule_template_parse(const char *text, size_t len, struct rule_template **ret, struct err *err)
{
    if (len > RULE_TEMPLATE_MAX)
        return err_set(err, E2BIG, "a template of more than %u bytes", RULE_TEMPLATE_MAX);
    struct rule_template *t = mem_zalloc(sizeof(*t));
    t->text = mem_strndup(text, len);
    struct parser p = {
        .t = t,
        .at = t->text,
        .end = t->text + len,
        .line = 1,
        .budget = TREE_NODES_MAX * sizeof(struct node),
        .err = err,
    };
    static const char *const first[] = {"", "labels", "externalLabels", "externalURL", "value"};
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        p.variable[p.n_variables++] = first[i];
    if (setjmp(p.failed)) {
        rule_template_free(t);
        return -EINVAL;
    }
    list(&p, &t->list, true);
    *ret = t;
    return 0;
}

void rule_template_free(struct rule_template *t)
{
    if (!t)
        return;
    chunk_free(t->chunk);
    free(t->text);
    free(t);
}

bool rule_template_is_constant(const struct rule_template *t)
{
    return !t->list ||
           (t->list->kind == NODE_TEXT && !t->list->next && t->list->len == strlen(t->text));
}
