// SPDX-License-Identifier: GPL-3.0-or-later
// Batches as JSON. Members are checked by hand against one table of the forms a row may have;
// anything else is refused, as both ends are the same version.
#include "net/batch_json.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

#define BYTES_MAX (16u * 1024 * 1024)
#define ROWS_MAX 16384
#define TEXT_MAX 4096

static const char *const fact_names[FACT_MAX] = {
#define X(kind, id, ...) [FACT_##kind##_##id] = #kind "_" #id,
    MODEL_FACTS(X)
#undef X
};

static const char *const attr_names[ATTR_MAX] = {
#define X(kind, id, ...) [ATTR_##kind##_##id] = #kind "_" #id,
    MODEL_ATTRS(X)
#undef X
};

static void encode_row(const struct batch *b, const struct batch_row *row, struct json *j)
{
    json_object_begin(j);
    if (row->key)
        json_kv_string(j, "key", b->text + row->key);
    if (row->fact >= 0) {
        json_kv_string(j, "fact", fact_names[row->fact]);
        json_kv_f64(j, "value", row->value);
    } else {
        json_kv_string(j, "attr", attr_names[row->attr]);
        json_kv_string(j, "text", row->text ? b->text + row->text : NULL);
    }
    json_object_end(j);
}

void batch_encode_json(const struct batch *b, struct json *j)
{
    json_object_begin(j);
    json_key(j, "rows");
    json_array_begin(j);
    for (uint32_t i = 0; i < b->n_rows; i++)
        encode_row(b, &b->rows[i], j);
    json_array_end(j);
    json_object_end(j);
}

static int name_index(const char *const *names, int n, const json_t *name)
{
    const char *s = json_string_value(name);
    for (int i = 0; s && i < n; i++) {
        if (strcmp(names[i], s) == 0)
            return i;
    }
    return -1;
}

static bool text_fits(const json_t *text)
{
    return json_string_length(text) <= TEXT_MAX;
}

// A row without a key is about the host or VM itself, one with a key about a child of it.
static bool belongs(const struct batch *b, enum kind kind, uint32_t key)
{
    enum kind whole = b->host ? KIND_HOST : KIND_VM;
    return key ? model_kinds[kind].parent == whole : kind == whole;
}

static int decode_fact(const json_t *row, uint32_t key, struct batch *b)
{
    int fact = name_index(fact_names, FACT_MAX, json_object_get(row, "fact"));
    const json_t *value = json_object_get(row, "value");
    if (fact < 0 || !belongs(b, model_facts[fact].kind, key))
        return -EPROTO;
    if (!json_is_number(value) && !json_is_null(value))
        return -EPROTO;
    batch_fact(b, key, fact, json_is_null(value) ? NAN : json_number_value(value));
    return 0;
}

static int decode_attr(const json_t *row, uint32_t key, struct batch *b)
{
    int attr = name_index(attr_names, ATTR_MAX, json_object_get(row, "attr"));
    const json_t *text = json_object_get(row, "text");
    if (attr < 0 || !belongs(b, model_attrs[attr].kind, key))
        return -EPROTO;
    if (!json_is_null(text) && !(json_is_string(text) && text_fits(text)))
        return -EPROTO;
    batch_attr(b, key, attr, json_string_value(text));
    return 0;
}

static int decode_row(const json_t *row, struct batch *b)
{
    const json_t *name = json_object_get(row, "key");
    if (name && (!json_string_length(name) || !text_fits(name)))
        return -EPROTO;
    if (json_object_size(row) != (name ? 3 : 2))
        return -EPROTO;
    uint32_t key = name ? batch_key(b, json_string_value(name)) : 0;
    return json_object_get(row, "fact") ? decode_fact(row, key, b) : decode_attr(row, key, b);
}

static int decode_rows(const json_t *root, struct batch *b, struct err *err)
{
    const json_t *rows = json_object_get(root, "rows");
    if (json_object_size(root) != 1 || !json_is_array(rows))
        return err_set(err, EPROTO, "not an object with rows");
    if (json_array_size(rows) > ROWS_MAX)
        return err_set(err, EPROTO, "more than %d rows", ROWS_MAX);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (decode_row(json_array_get(rows, i), b) < 0)
            return err_set(err, EPROTO, "row %zu is malformed", i);
    }
    return 0;
}

int batch_decode_json(const char *text, size_t len, struct batch *b, struct err *err)
{
    json_error_t e;
    if (len > BYTES_MAX)
        return err_set(err, EPROTO, "more than %u bytes", BYTES_MAX);
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    if (!root)
        return err_set_at(err, EPROTO, e.line, e.column, "%s", e.text);
    int r = decode_rows(root, b, err);
    json_decref(root);
    return r;
}
