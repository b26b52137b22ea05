// SPDX-License-Identifier: GPL-3.0-or-later
// The OpenAPI 3.1 document, out of the tables of verbs and deeds.
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "verb/deed.h"

static void set(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, json_string(text));
}

static json_t *schema_of(const struct field *fields, const struct field *more);

static json_t *range(const char *type, const struct field *f)
{
    return json_pack("{s:s, s:I, s:I}", "type", type, "minimum", (json_int_t)f->min, "maximum",
                     (json_int_t)f->max);
}

static json_t *number_or_text(const struct field *f)
{
    return json_pack("{s:[o, {s:s}]}", "anyOf", range("integer", f), "type", "string");
}

static json_t *choices(const struct field *f)
{
    json_t *words = json_array();
    for (size_t i = 0; f->choices[i]; i++)
        json_array_append_new(words, json_string(f->choices[i]));
    return json_pack("{s:s, s:o}", "type", "string", "enum", words);
}

static json_t *field_schema(const struct field *f)
{
    switch (f->type) {
    case FIELD_NAME:
        return json_pack("{s:s, s:i, s:i}", "type", "string", "minLength", 1, "maxLength", 255);
    case FIELD_TEXT:
        return json_pack("{s:s, s:I}", "type", "string", "maxLength", (json_int_t)f->max);
    case FIELD_INTEGER:
        return range("integer", f);
    case FIELD_SIZE:
    case FIELD_DURATION:
        return number_or_text(f);
    case FIELD_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case FIELD_CHOICE:
        return choices(f);
    case FIELD_TEXTS:
        return json_pack("{s:s, s:I, s:{s:s, s:i}}", "type", "array", "maxItems",
                         (json_int_t)f->max, "items", "type", "string", "maxLength",
                         FIELD_TEXTS_BYTES);
    case FIELD_LABELS:
        return json_pack("{s:s, s:I, s:{s:s}}", "type", "object", "maxProperties",
                         (json_int_t)f->max, "additionalProperties", "type", "string");
    case FIELD_OBJECT:
        return schema_of(f->fields, NULL);
    case FIELD_LIST:
        return json_pack("{s:s, s:I, s:o}", "type", "array", "maxItems", (json_int_t)f->max,
                         "items", schema_of(f->fields, NULL));
    case FIELD_TYPE_MAX:
        break;
    }
    return json_object();
}

static void add_fields(const struct field *fields, json_t *properties, json_t *required)
{
    for (const struct field *f = fields; f && f->name; f++) {
        json_t *schema = field_schema(f);
        set(schema, "description", f->help);
        json_object_set_new(properties, f->name, schema);
        if (f->required)
            json_array_append_new(required, json_string(f->name));
    }
}

static json_t *schema_of(const struct field *fields, const struct field *more)
{
    json_t *properties = json_object(), *required = json_array();
    add_fields(fields, properties, required);
    add_fields(more, properties, required);
    json_t *schema = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties,
                               "additionalProperties", 0);
    if (json_array_size(required) > 0)
        json_object_set_new(schema, "required", required);
    else
        json_decref(required);
    return schema;
}

static json_t *problem(const char *description)
{
    return json_pack("{s:s, s:{s:{}}}", "description", description, "content",
                     "application/problem+json");
}

// What is in the path's {…}, and whether it is there at all.
static void add_path_parameter(const char *path, json_t *parameters)
{
    const char *open = strchr(path, '{');
    if (!open)
        return;
    CLEANUP(freep) char *name = mem_strndup(open + 1, strcspn(open + 1, "}"));
    json_array_append_new(parameters, json_pack("{s:s, s:s, s:b, s:{s:s}}", "name", name, "in",
                                                "path", "required", 1, "schema", "type", "string"));
}

static json_t *operation(const char *id, const char *summary, const char *details, const char *path)
{
    json_t *parameters = json_array();
    add_path_parameter(path, parameters);
    json_t *op = json_pack("{s:s, s:s, s:o}", "operationId", id, "summary", summary, "parameters",
                           parameters);
    if (*details)
        set(op, "description", details);
    return op;
}

static json_t *path_item(json_t *paths, const char *path)
{
    json_t *item = json_object_get(paths, path);
    if (item)
        return item;
    item = json_object();
    json_object_set_new(paths, path, item);
    return item;
}

static void add_deed(const struct deed *d, json_t *paths)
{
    json_t *op = operation(d->name, d->summary, d->details, d->path);
    json_t *body = json_pack("{s:b, s:{s:{s:o}}}", "required", 1, "content", "application/json",
                             "schema", schema_of(d->fields, deed_common_fields));
    json_t *responses =
        json_pack("{s:{s:s}, s:{s:s}, s:o, s:o, s:o, s:o}", "200", "description",
                  "What a dry run found", "202", "description", "The task that does it", "400",
                  problem("The body is wrong"), "403", problem("Not allowed"), "404",
                  problem("There is no such VM"), "409", problem("Not in this state"));
    json_object_set_new(op, "requestBody", body);
    json_object_set_new(op, "responses", responses);
    json_object_set_new(path_item(paths, d->path), "post", op);
}

static void add_query(const struct verb *v, json_t *parameters)
{
    static const char *const types[] = {[VERB_TYPE_STRING] = "string",
                                        [VERB_TYPE_INTEGER] = "integer",
                                        [VERB_TYPE_FLAG] = "boolean"};
    for (const struct verb_param *p = v->params; p->name; p++)
        json_array_append_new(parameters,
                              json_pack("{s:s, s:s, s:s, s:{s:s}}", "name", p->name, "in", "query",
                                        "description", p->help, "schema", "type", types[p->type]));
}

static void add_verb(const struct verb *v, json_t *paths)
{
    char method[16] = "";
    for (size_t i = 0; v->method[i] && i + 1 < sizeof(method); i++)
        method[i] = (char)tolower((unsigned char)v->method[i]);
    CLEANUP(freep) char *id = mem_printf("%s %s", method, v->path);
    json_t *op = operation(id, v->summary, v->details, v->path);
    add_query(v, json_object_get(op, "parameters"));
    CLEANUP(freep) char *type = mem_strndup(v->answers, strcspn(v->answers, ";"));
    json_object_set_new(
        op, "responses",
        json_pack("{s:{s:s, s:{s:{}}}}", "200", "description", v->summary, "content", type));
    json_object_set_new(path_item(paths, v->path), method, op);
}

void deed_openapi(const char *version, struct buf *out)
{
    json_t *paths = json_object();
    for (int i = 0; i < VERB_MAX; i++)
        add_verb(&verbs[i], paths);
    for (int i = 0; i < DEED_MAX; i++)
        add_deed(&deeds[i], paths);
    json_t *root = json_pack("{s:s, s:{s:s, s:s, s:{s:s, s:s}}, s:o}", "openapi", "3.1.0", "info",
                             "title", "vherd", "version", version, "license", "name",
                             "GPL-3.0-or-later", "identifier", "GPL-3.0-or-later", "paths", paths);
    char *text = json_dumps(root, JSON_COMPACT);
    buf_puts(out, text ? text : "{}");
    free(text);
    json_decref(root);
}
