// SPDX-License-Identifier: GPL-3.0-or-later
#include "net/rules.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "model/relabel.h"

#define REMOTE_NAME_MAX 100
#define REMOTES_MAX 16
#define TARGETS_MAX 10000

DEFINE_FREEP(struct relabel, relabel_free, relabel_freep)

static struct relabel_spec spec_of(const struct conf_relabel *r)
{
    return (struct relabel_spec){
        .action = (enum relabel_action)r->action,
        .source_labels = (const char *const *)r->source_labels.items,
        .n_source_labels = r->source_labels.n,
        .separator = r->separator,
        .regex = r->regex,
        .modulus = (uint64_t)r->modulus,
        .target_label = r->target_label,
        .replacement = r->replacement,
    };
}

int rules_compile(const struct conf_array *rules, struct relabel **ret, struct err *err)
{
    const struct conf_relabel *list = rules->items;
    CLEANUP(freep) struct relabel_spec *specs = mem_zalloc((rules->n + 1) * sizeof(*specs));
    for (size_t i = 0; i < rules->n; i++) {
        // One by one, to tell which is wrong.
        CLEANUP(relabel_freep) struct relabel *one = NULL;
        struct err why = {0};
        specs[i] = spec_of(&list[i]);
        if (relabel_new(&specs[i], 1, &one, &why) < 0)
            return err_set_at(err, EINVAL, list[i].line, 0, "line %d: %s", list[i].line,
                              why.message);
    }
    return relabel_new(specs, rules->n, ret, err);
}

static int check_rules(const struct conf_array *rules, struct err *err)
{
    CLEANUP(relabel_freep) struct relabel *r = NULL;
    return rules_compile(rules, &r, err);
}

char *rules_remote_name(const struct conf_remote_write *r)
{
    const char *name = *r->name ? r->name : r->url;
    return mem_strndup(name, MIN_OF(strlen(name), (size_t)REMOTE_NAME_MAX));
}

static int check_scrapes(const struct conf *c, struct err *err)
{
    const struct conf_scrape *s = c->scrape.items;
    size_t targets = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->scrape.n; i++) {
        for (size_t k = 0; k < i; k++)
            if (strcmp(s[k].job_name, s[i].job_name) == 0)
                return err_set_at(err, EINVAL, s[i].line, 0,
                                  "line %d: scrape.job_name \"%s\" is given twice, first in line "
                                  "%d",
                                  s[i].line, s[i].job_name, s[k].line);
        const struct conf_static *t = s[i].static_configs.items;
        for (size_t k = 0; k < s[i].static_configs.n; k++)
            targets += t[k].targets.n;
        r = check_rules(&s[i].relabel_configs, err);
        if (r == 0)
            r = check_rules(&s[i].metric_relabel_configs, err);
    }
    if (r == 0 && targets > TARGETS_MAX)
        return err_set(err, EINVAL, "scrape: more than %d targets", TARGETS_MAX);
    return r;
}

static int check_remotes(const struct conf *c, struct err *err)
{
    const struct conf_remote_write *w = c->remote_write.items;
    int r = 0;
    if (c->remote_write.n > REMOTES_MAX)
        return err_set(err, EINVAL, "remote_write: more than %d receivers", REMOTES_MAX);
    for (size_t i = 0; r == 0 && i < c->remote_write.n; i++) {
        CLEANUP(freep) char *name = rules_remote_name(&w[i]);
        for (size_t k = 0; k < i; k++) {
            CLEANUP(freep) char *other = rules_remote_name(&w[k]);
            if (strcmp(name, other) == 0)
                return err_set_at(err, EINVAL, w[i].line, 0,
                                  "line %d: two receivers are called \"%s\" (the first in line "
                                  "%d); give one a remote_write.name",
                                  w[i].line, name, w[k].line);
        }
        r = check_rules(&w[i].write_relabel_configs, err);
    }
    return r;
}

int rules_check(const struct conf *c, struct err *err)
{
    int r = check_scrapes(c, err);
    if (r == 0)
        r = check_remotes(c, err);
    if (r == 0 && c->receive.enabled && !*c->receive.token_file)
        r = err_set(err, EINVAL, "receive.enabled needs receive.token_file");
    if (r < 0)
        (void)err_wrap(err, "%s", *c->path ? c->path : "configuration");
    return r;
}
