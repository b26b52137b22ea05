// SPDX-License-Identifier: GPL-3.0-or-later
#include "manage/select.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "verb/deed.h"

#define WORDS_MAX 1000

static const struct field fields[] = {
    {"vms", FIELD_TEXTS, .max = WORDS_MAX, .help = "names"},
    {"match", FIELD_TEXTS, .max = WORDS_MAX, .help = "patterns of names"},
    {"label", FIELD_TEXTS, .max = 32, .help = "NAME=PATTERN, or NAME for any value"},
    {"all", FIELD_BOOL, .help = "every VM"},
    {NULL},
};

int select_check(json_t *select, struct err *err)
{
    int r = fields_check(fields, select, "select.", err);
    bool any = json_is_true(json_object_get(select, "all"));
    for (const struct field *f = fields; r == 0 && f->name; f++)
        any = any || json_array_size(json_object_get(select, f->name)) > 0;
    return r == 0 && !any ? err_set(err, EINVAL, "select chooses no VM: all, vms, match or label")
                          : r;
}

static bool fits_name(const json_t *select, const char *name)
{
    const json_t *vms = json_object_get(select, "vms"), *match = json_object_get(select, "match");
    const json_t *word;
    size_t i;
    json_array_foreach(vms, i, word)
    {
        if (strcmp(json_string_value(word), name) == 0)
            return true;
    }
    json_array_foreach(match, i, word)
    {
        if (fnmatch(json_string_value(word), name, 0) == 0)
            return true;
    }
    return json_array_size(vms) == 0 && json_array_size(match) == 0;
}

static bool carries(const struct virt_spec *spec, const char *wanted)
{
    size_t len = strcspn(wanted, "=");
    for (size_t i = 0; i < spec->n_labels; i++) {
        const struct virt_label *l = &spec->labels[i];
        if (strlen(l->name) == len && memcmp(l->name, wanted, len) == 0)
            return wanted[len] == '\0' || fnmatch(wanted + len + 1, l->value, 0) == 0;
    }
    return false;
}

bool select_fits(const json_t *select, const struct virt_spec *spec)
{
    const json_t *word;
    size_t i;
    json_array_foreach(json_object_get(select, "label"), i, word)
    {
        if (!carries(spec, json_string_value(word)))
            return false;
    }
    return fits_name(select, spec->name);
}

static json_t *entry(const struct virt_spec *spec, const struct uuid *uuid)
{
    char text[UUID_TEXT];
    uuid_format(uuid, text);
    return json_pack("{s:s, s:s}", "name", spec->name, "uuid", text);
}

int select_run(const struct virt_ops *ops, struct virt *virt, const json_t *select,
               bool (*allowed)(void *arg, const struct virt_spec *spec), void *arg, json_t **ret,
               struct err *err)
{
    struct virt_domain *domains = NULL;
    size_t n = 0;
    int r = ops->list(virt, &domains, &n, err);
    json_t *chosen = json_array();
    for (size_t i = 0; r == 0 && i < n; i++) {
        CLEANUP(virt_spec_done) struct virt_spec spec = {0};
        if (!fits_name(select, domains[i].name))
            continue;
        r = virt_manage_of(ops)->spec(virt, &domains[i].uuid, &spec, err);
        if (r == 0 && select_fits(select, &spec) && allowed(arg, &spec))
            json_array_append_new(chosen, entry(&spec, &domains[i].uuid));
        r = r == -ENOENT ? 0 : r;
    }
    virt_domains_free(domains, n);
    if (r < 0)
        json_decref(chosen);
    else
        *ret = chosen;
    return r;
}
