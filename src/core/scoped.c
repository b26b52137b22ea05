// SPDX-License-Identifier: GPL-3.0-or-later
#include "scoped.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "regex/regex.h"

#define DOMAIN "domain"
#define PATTERN_MAX ((size_t)16 << 20)
#define OWN_MAX 4 // conditions of ours

struct scoped {
    struct query_source source; // first
    struct query_source *inner;
    struct query_matcher own[OWN_MAX];
    size_t n_own;
    char *pattern, *job, *instance;
    struct regex *regex;
};

static void add(struct scoped *s, enum query_match match, const char *name, const char *value)
{
    s->own[s->n_own++] = (struct query_matcher){match, name, value, s->regex};
}

// The caller's conditions and ours; to be freed.
static struct query_matcher *join(const struct scoped *s, const struct query_matcher *matcher,
                                  size_t n)
{
    struct query_matcher *all = mem_zalloc((n + s->n_own) * sizeof(*all));
    memcpy(all, s->own, s->n_own * sizeof(*all));
    if (n > 0)
        memcpy(all + s->n_own, matcher, n * sizeof(*all));
    return all;
}

static int scoped_select(struct query_source *source, const struct query_matcher *matcher, size_t n,
                         const struct query_hints *hints, size_t max_series, struct query_set **ret,
                         struct err *err)
{
    struct scoped *s = (struct scoped *)source;
    CLEANUP(freep) struct query_matcher *all = join(s, matcher, n);
    return s->inner->ops->select(s->inner, all, n + s->n_own, hints, max_series, ret, err);
}

static int scoped_names(struct query_source *source, const struct query_matcher *matcher, size_t n,
                        int64_t start_ms, int64_t end_ms, struct query_texts *ret, struct err *err)
{
    struct scoped *s = (struct scoped *)source;
    CLEANUP(freep) struct query_matcher *all = join(s, matcher, n);
    return s->inner->ops->label_names(s->inner, all, n + s->n_own, start_ms, end_ms, ret, err);
}

static int scoped_values(struct query_source *source, const char *name,
                         const struct query_matcher *matcher, size_t n, int64_t start_ms,
                         int64_t end_ms, struct query_texts *ret, struct err *err)
{
    struct scoped *s = (struct scoped *)source;
    CLEANUP(freep) struct query_matcher *all = join(s, matcher, n);
    return s->inner->ops->label_values(s->inner, name, all, n + s->n_own, start_ms, end_ms, ret,
                                       err);
}

// Selections are the inner source's own; read and free_set are never asked of this one.
static const struct query_source_ops scoped_ops = {
    .select = scoped_select, .label_names = scoped_names, .label_values = scoped_values};

static int make_pattern(const struct scoped_params *p, char **ret)
{
    struct buf out;
    buf_init(&out, PATTERN_MAX);
    for (size_t i = 0; i < p->n; i++) {
        if (i > 0)
            buf_putc(&out, '|');
        for (const char *c = p->vm[i]; *c; c++) {
            if (ispunct((unsigned char)*c))
                buf_putc(&out, '\\');
            buf_putc(&out, *c);
        }
    }
    if (out.error) {
        buf_done(&out);
        return -E2BIG;
    }
    *ret = buf_take(&out, NULL);
    return 0;
}

static int add_domains(struct scoped *s, const struct scoped_params *p, struct err *err)
{
    if (p->n == 0) { // what no series fulfils
        add(s, QUERY_EQUAL, DOMAIN, "");
        add(s, QUERY_NOT_EQUAL, DOMAIN, "");
        return 0;
    }
    int r = make_pattern(p, &s->pattern);
    if (r == 0)
        r = regex_new(s->pattern, true, &s->regex, err);
    if (r < 0)
        return err_set(err, -r, "the scope holds too many VMs to look for");
    add(s, QUERY_REGEX, DOMAIN, s->pattern);
    return 0;
}

int scoped_source_new(const struct scoped_params *p, struct query_source **ret, struct err *err)
{
    struct scoped *s = mem_zalloc(sizeof(*s));
    s->source.ops = &scoped_ops;
    s->inner = p->inner;
    int r = add_domains(s, p, err);
    if (r < 0) {
        scoped_source_free(&s->source);
        return r;
    }
    if (p->job)
        add(s, QUERY_EQUAL, "job", s->job = mem_strdup(p->job));
    if (p->instance)
        add(s, QUERY_EQUAL, "instance", s->instance = mem_strdup(p->instance));
    *ret = &s->source;
    return 0;
}

void scoped_source_free(struct query_source *source)
{
    if (!source || source->ops != &scoped_ops)
        return;
    struct scoped *s = (struct scoped *)source;
    regex_free(s->regex);
    free(s->pattern);
    free(s->job);
    free(s->instance);
    free(s);
}
