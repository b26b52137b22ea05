// SPDX-License-Identifier: GPL-3.0-or-later
// Templates of VMs from YAML files.
#include "manage/template.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "conf/yaml_json.h"
#include "verb/deed.h"

#define TAIL ".yaml"
#define SUMMARY_MAX 200

// What a template may not decide: those are each VM's own, or the request's.
static int check_owned(const json_t *fields, struct err *err)
{
    static const char *const own[] = {"name", "template"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (json_object_get(fields, own[i]))
            return err_set(err, EINVAL, "a template has no field %s", own[i]);
    for (const struct field *f = deed_common_fields; f->name; f++)
        if (json_object_get(fields, f->name))
            return err_set(err, EINVAL, "a template has no field %s", f->name);
    return 0;
}

// The fields are checked as create checks them, with what each VM has to give put in.
static int check_fields(json_t *fields, struct err *err)
{
    bool memory = json_object_get(fields, "memory") != NULL;
    int r = check_owned(fields, err);
    if (r < 0)
        return r;
    json_object_set_new(fields, "name", json_string("x"));
    if (!memory)
        json_object_set_new(fields, "memory", json_string("1G"));
    r = deed_check(&deeds[DEED_CREATE], fields, err);
    json_object_del(fields, "name");
    if (!memory)
        json_object_del(fields, "memory");
    return r;
}

static int take_summary(json_t *fields, json_t *whole, struct err *err)
{
    const json_t *summary = json_object_get(fields, "summary");
    if (!summary)
        return 0;
    if (!json_is_string(summary) || json_string_length(summary) > SUMMARY_MAX)
        return err_set(err, EINVAL, "summary must be a text of at most %d bytes", SUMMARY_MAX);
    json_object_set(whole, "summary", (json_t *)summary);
    return json_object_del(fields, "summary");
}

static int read_fields(const char *text, size_t len, json_t **ret, struct err *err)
{
    int r = yaml_json(text, len, ret, err);
    if (r == 0 && !json_is_object(*ret)) {
        json_decref(*ret);
        r = err_set(err, EINVAL, "a template is a mapping of fields");
    }
    return r;
}

int template_parse(const char *name, const char *text, size_t len, json_t **ret, struct err *err)
{
    json_t *fields = NULL;
    int r = read_fields(text, len, &fields, err);
    if (r < 0)
        return r;
    json_t *whole = json_pack("{s:s}", "name", name);
    r = take_summary(fields, whole, err);
    if (r == 0)
        r = check_fields(fields, err);
    json_object_set_new(whole, "fields", fields);
    if (r < 0)
        json_decref(whole);
    else
        *ret = whole;
    return r;
}

int template_load(const char *folder, const char *name, json_t **ret, struct err *err)
{
    CLEANUP(freep) char *text = NULL;
    size_t len = 0;
    if (!deed_name(name, strlen(name)))
        return err_set(err, EINVAL, "this cannot be the name of a template");
    CLEANUP(freep) char *path = mem_printf("%s/%s" TAIL, folder, name);
    int r = fs_read_file(AT_FDCWD, path, TEMPLATE_BYTES_MAX, &text, &len);
    if (r == -ENOENT)
        return err_set(err, ENOENT, "there is no template \"%s\"", name);
    if (r == -EACCES)
        return err_set(err, EACCES,
                       "%s may not be read; a folder of templates that is made while "
                       "vherd runs is seen after a restart",
                       path);
    r = r < 0 ? err_set(err, -r, "%s", strerror(-r)) : template_parse(name, text, len, ret, err);
    return r < 0 ? err_wrap(err, "the template %s", name) : 0;
}

static int is_template(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name), tail = strlen(TAIL);
    return len > tail && strcmp(entry->d_name + len - tail, TAIL) == 0 &&
           deed_name(entry->d_name, len - tail);
}

int template_list(const char *folder, json_t **ret, struct err *err)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_template, alphasort);
    if (n < 0 && errno != ENOENT)
        return err_set(err, errno, "the folder of templates, %s: %s", folder, strerror(errno));
    *ret = json_array();
    for (int i = 0; i < n; i++) {
        const char *file = entries[i]->d_name;
        CLEANUP(freep) char *name = mem_strndup(file, strlen(file) - strlen(TAIL));
        json_t *one = NULL;
        struct err why = {0};
        if (i < TEMPLATES_MAX && template_load(folder, name, &one, &why) < 0)
            one = json_pack("{s:s, s:s}", "name", name, "error", why.message);
        if (one)
            json_array_append_new(*ret, one);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

void template_apply(const json_t *fields, json_t *body)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)fields, name, value)
    {
        json_t *given = json_object_get(body, name);
        if (!given)
            json_object_set_new(body, name, json_deep_copy(value));
        else if (json_is_object(given) && json_is_object(value))
            json_object_update_missing(given, value);
    }
}
