// SPDX-License-Identifier: GPL-3.0-or-later
// Reads the YAML: libyaml's events against the table of keys. A file is a mapping of sections and
// lists, a section a mapping of keys; what a value may hold, the table says, so that reading goes
// no deeper than the table does. The first error ends it.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <yaml.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/similar.h"
#include "keys.h"

#define FILE_MAX (1024 * 1024)
#define DEPTH_MAX 16

struct reader {
    yaml_parser_t yaml;
    yaml_event_t event;
    const char *name;
    struct conf *conf;
    yaml_mark_t
        seen[CONF_KEYS_MAX]; /**< by key: where its value stands; line is 1-based, 0 = unset */
    int depth;               // of objects
    bool section_seen[CONF_KEYS_MAX];
    bool list_seen[CONF_KEYS_MAX];
    struct err *err;
};

static int fail_at(struct reader *r, yaml_mark_t mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail_at(struct reader *r, yaml_mark_t mark, const char *format, ...)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 8192);
    char piece[4096];
    va_list ap;
    va_start(ap, format);
    vsnprintf(piece, sizeof(piece), format, ap);
    va_end(ap);
    int line = (int)mark.line + 1, column = (int)mark.column + 1;
    return err_set_at(r->err, EINVAL, line, column, "%s:%d:%d: %s", r->name, line, column, piece);
}

#define FAIL(r, ...) fail_at(r, (r)->event.start_mark, __VA_ARGS__)

static int fail_parse(struct reader *r)
{
    const yaml_parser_t *y = &r->yaml;
    if (y->error == YAML_MEMORY_ERROR)
        return err_set(r->err, ENOMEM, "%s: not enough memory to read it", r->name);
    if (y->error != YAML_READER_ERROR)
        return fail_at(r, y->problem_mark, "not YAML: %s%s%s", y->problem ? y->problem : "",
                       y->context ? ", " : "", y->context ? y->context : "");
    return fail_at(r, y->mark, "not YAML in UTF-8: %s (byte %zu)", y->problem, y->problem_offset);
}

static const yaml_char_t *event_anchor(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return e->data.alias.anchor;
    case YAML_SCALAR_EVENT:
        return e->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

static const yaml_char_t *event_tag(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return e->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.tag;
    default:
        return NULL;
    }
}

// The next event into r->event, which refuses what no configuration needs.
static int next(struct reader *r)
{
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->yaml, &r->event))
        return fail_parse(r);
    if (event_anchor(&r->event))
        return FAIL(r, "anchors and aliases are not allowed");
    if (event_tag(&r->event))
        return FAIL(r, "tags are not allowed");
    return 0;
}

static bool is_scalar(const struct reader *r)
{
    return r->event.type == YAML_SCALAR_EVENT;
}

static struct conf_scalar scalar_of(const struct reader *r)
{
    return (struct conf_scalar){
        .text = (const char *)r->event.data.scalar.value,
        .len = r->event.data.scalar.length,
        .quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE,
    };
}

static bool is_nothing(const struct reader *r)
{
    if (!is_scalar(r))
        return false;
    struct conf_scalar s = scalar_of(r);
    return !s.quoted && (s.len == 0 || strcmp(s.text, "~") == 0 || strcmp(s.text, "null") == 0);
}

static size_t find_section(const char *name)
{
    size_t i = 0;
    while (i < conf_sections_count && strcmp(conf_sections[i].name, name) != 0)
        i++;
    return i;
}

static size_t find_key(const char *section, const char *name)
{
    size_t i = 0;
    while (i < conf_keys_count &&
           (strcmp(conf_keys[i].section, section) != 0 || strcmp(conf_keys[i].name, name) != 0))
        i++;
    return i;
}

static bool suggest_near(const char *name, const char *const *names, size_t n, struct buf *out)
{
    const char *near = similar_best(name, names, n);
    if (near)
        buf_printf(out, "; did you mean \"%s\"?", near);
    return near != NULL;
}

static void list_known(const char *const *names, size_t n, struct buf *out)
{
    buf_puts(out, "; known: ");
    for (size_t i = 0, listed = 0; i < n; i++)
        if (names[i])
            buf_printf(out, "%s%s", listed++ ? ", " : "", names[i]);
}

// A key under the wrong section, or one that is spelt nearly like it.
static void suggest_key(const char *section, const char *name, struct buf *out)
{
    const char *names[CONF_KEYS_MAX] = {NULL};
    for (size_t i = 0; i < conf_keys_count; i++)
        if (strcmp(conf_keys[i].section, section) == 0)
            names[i] = conf_keys[i].name;
    if (suggest_near(name, names, conf_keys_count, out))
        return;
    for (size_t i = 0; i < conf_keys_count; i++)
        if (strcmp(conf_keys[i].name, name) == 0) {
            buf_printf(out, "; \"%s\" belongs under \"%s\"", name, conf_keys[i].section);
            return;
        }
    list_known(names, conf_keys_count, out);
}

static void suggest_section(const char *name, struct buf *out)
{
    const char *names[CONF_KEYS_MAX] = {NULL};
    size_t n = 0;
    for (size_t i = 0; i < conf_sections_count; i++)
        names[n++] = conf_sections[i].name;
    for (size_t i = 0; i < conf_lists_count; i++)
        names[n++] = conf_lists[i].name;
    if (suggest_near(name, names, n, out))
        return;
    const char *key = strrchr(name, '.') ? strrchr(name, '.') + 1 : name;
    for (size_t i = 0; i < conf_keys_count; i++)
        if (strcmp(conf_keys[i].name, key) == 0) {
            buf_printf(out, "; \"%s\" belongs under \"%s:\"", key, conf_keys[i].section);
            return;
        }
    list_known(names, n, out);
}

static int fail_unknown(struct reader *r, const char *section)
{
    CLEANUP(buf_done) struct buf hint;
    buf_init(&hint, 4096);
    const char *name = scalar_of(r).text;
    if (section)
        suggest_key(section, name, &hint);
    else
        suggest_section(name, &hint);
    return FAIL(r, "unknown %s \"%.60s\"%s%s%s", section ? "key" : "section", name,
                section ? " under " : "", section ? section : "", hint.data ? hint.data : "");
}

// "section.key: " before what is wrong.
static int fail_key(struct reader *r, const struct conf_key *key, const char *why)
{
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 256);
    conf_key_path(key, &path);
    return FAIL(r, "%s: %s", path.data, why ? why : "not enough memory");
}

static int set_value(struct reader *r, const struct conf_key *key, void *base)
{
    CLEANUP(buf_done) struct buf why;
    buf_init(&why, 4096);
    struct conf_scalar scalar = scalar_of(r);
    return conf_value_set(key, base, &scalar, &why) == 0 ? 0 : fail_key(r, key, why.data);
}

static int fail_type(struct reader *r, const struct conf_key *key, const char *is)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 4096);
    conf_key_path(key, &text);
    buf_printf(&text, " is %s; allowed: ", is);
    conf_value_allowed(key, &text);
    return FAIL(r, "%s", text.data);
}

static const char *kind_of_event(const struct reader *r)
{
    if (is_scalar(r))
        return "a single value";
    return r->event.type == YAML_SEQUENCE_START_EVENT ? "a list" : "a mapping";
}

static int read_list(struct reader *r, const struct conf_key *key, void *base)
{
    if (r->event.type != YAML_SEQUENCE_START_EVENT)
        return fail_type(r, key, kind_of_event(r));
    conf_value_clear(key, base);
    int rc;
    while ((rc = next(r)) == 0 && r->event.type != YAML_SEQUENCE_END_EVENT) {
        if (!is_scalar(r) || is_nothing(r))
            return fail_key(r, key, "its items must be single values");
        rc = set_value(r, key, base);
        if (rc < 0)
            return rc;
    }
    return rc;
}

// Mappings of texts

static int add_pair(struct reader *r, const struct conf_key *key, void *base, const char *name,
                    bool again)
{
    CLEANUP(buf_done) struct buf why;
    buf_init(&why, 4096);
    struct conf_scalar name_scalar = {.text = name, .len = strlen(name), .quoted = true};
    struct conf_scalar value = scalar_of(r);
    return conf_pairs_add(key, base, &name_scalar, &value, again, &why) == 0
               ? 0
               : fail_key(r, key, why.data);
}

static int read_pair_list(struct reader *r, const struct conf_key *key, void *base,
                          const char *name)
{
    int rc;
    for (bool again = false; (rc = next(r)) == 0 && r->event.type != YAML_SEQUENCE_END_EVENT;
         again = true) {
        if (!is_scalar(r))
            return fail_key(r, key, "its items must be single values");
        rc = add_pair(r, key, base, name, again);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int read_pairs(struct reader *r, const struct conf_key *key, void *base)
{
    if (r->event.type != YAML_MAPPING_START_EVENT)
        return fail_type(r, key, kind_of_event(r));
    conf_value_clear(key, base);
    int rc;
    while ((rc = next(r)) == 0 && r->event.type != YAML_MAPPING_END_EVENT) {
        if (!is_scalar(r))
            return fail_key(r, key, "a name must be a word");
        CLEANUP(freep) char *name = mem_strdup(scalar_of(r).text);
        rc = next(r);
        if (rc == 0 && key->multi && r->event.type == YAML_SEQUENCE_START_EVENT)
            rc = read_pair_list(r, key, base, name);
        else if (rc == 0 && !is_scalar(r))
            return fail_key(r, key, "a value must be a single one");
        else if (rc == 0)
            rc = add_pair(r, key, base, name, false);
        if (rc < 0)
            return rc;
    }
    return rc;
}

// Mappings whose keys the table knows

static int read_value(struct reader *r, const struct conf_key *key, void *base);

static int fail_unknown_in(struct reader *r, const struct conf_object *object)
{
    const char *names[CONF_OBJECT_KEYS_MAX] = {NULL};
    CLEANUP(buf_done) struct buf hint;
    buf_init(&hint, 4096);
    const char *name = scalar_of(r).text;
    for (size_t i = 0; i < object->n_keys; i++)
        names[i] = object->keys[i].name;
    if (!suggest_near(name, names, object->n_keys, &hint))
        list_known(names, object->n_keys, &hint);
    return FAIL(r, "unknown key \"%.60s\" under %s%s", name, object->name, hint.data);
}

static int read_object_key(struct reader *r, const struct conf_object *object, void *base,
                           size_t *seen)
{
    if (!is_scalar(r))
        return FAIL(r, "a key must be a word");
    size_t i = 0;
    while (i < object->n_keys && strcmp(object->keys[i].name, scalar_of(r).text) != 0)
        i++;
    if (i == object->n_keys)
        return fail_unknown_in(r, object);
    if (seen[i])
        return FAIL(r, "%s.%s is given twice, first in line %zu", object->name,
                    object->keys[i].name, seen[i]);
    seen[i] = r->event.start_mark.line + 1;
    int rc = next(r);
    return rc < 0 ? rc : read_value(r, &object->keys[i], base);
}

static int read_object(struct reader *r, const struct conf_key *key, void *base)
{
    const struct conf_object *object = key->object;
    size_t seen[CONF_OBJECT_KEYS_MAX] = {0};
    yaml_mark_t start = r->event.start_mark;
    if (r->event.type != YAML_MAPPING_START_EVENT)
        return fail_type(r, key, kind_of_event(r));
    if (r->depth == DEPTH_MAX)
        return fail_key(r, key, "nested too deeply");
    r->depth++;
    int rc;
    while ((rc = next(r)) == 0 && r->event.type != YAML_MAPPING_END_EVENT) {
        rc = read_object_key(r, object, base, seen);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; rc == 0 && i < object->n_keys; i++)
        if (object->keys[i].required && !seen[i])
            return fail_at(r, start, "%s.%s must be given", object->name, object->keys[i].name);
    r->depth--;
    const char *wrong = rc == 0 && object->check ? object->check(base) : NULL;
    if (object->line_offset)
        *(int *)((char *)base + object->line_offset) = (int)start.line + 1;
    return wrong ? fail_at(r, start, "%s: %s", object->name, wrong) : rc;
}

static int read_objects(struct reader *r, const struct conf_key *key, void *base)
{
    if (r->event.type != YAML_SEQUENCE_START_EVENT)
        return fail_type(r, key, kind_of_event(r));
    conf_value_clear(key, base);
    int rc;
    while ((rc = next(r)) == 0 && r->event.type != YAML_SEQUENCE_END_EVENT) {
        if (r->event.type != YAML_MAPPING_START_EVENT)
            return fail_key(r, key, "its items must be mappings");
        void *item = conf_array_add(key, base);
        if (!item)
            return fail_key(r, key, "too many items");
        rc = read_object(r, key, item);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int read_nested(struct reader *r, const struct conf_key *key, void *base)
{
    return read_object(r, key, (char *)base + key->offset);
}

static int read_scalar(struct reader *r, const struct conf_key *key, void *base)
{
    return is_scalar(r) ? set_value(r, key, base) : fail_type(r, key, kind_of_event(r));
}

static int read_value(struct reader *r, const struct conf_key *key, void *base)
{
    static int (*const readers[CONF_TYPE_MAX])(struct reader *, const struct conf_key *, void *) = {
        [CONF_LIST] = read_list,
        [CONF_PAIRS] = read_pairs,
        [CONF_OBJECT] = read_nested,
        [CONF_OBJECTS] = read_objects,
    };
    if (is_nothing(r))
        return fail_type(r, key, "empty (leave the key out for its default)");
    return (readers[key->type] ? readers[key->type] : read_scalar)(r, key, base);
}

static int read_key(struct reader *r, const char *section)
{
    if (!is_scalar(r))
        return FAIL(r, "a key must be a word");
    size_t i = find_key(section, scalar_of(r).text);
    if (i == conf_keys_count)
        return fail_unknown(r, section);
    if (r->seen[i].line)
        return FAIL(r, "%s.%s is given twice, first in line %zu", section, conf_keys[i].name,
                    r->seen[i].line);
    int rc = next(r);
    if (rc < 0)
        return rc;
    r->seen[i] = r->event.start_mark;
    r->seen[i].line++;
    return read_value(r, &conf_keys[i], r->conf);
}

// A list at the top of the file.
static int read_top_list(struct reader *r)
{
    size_t i = 0;
    while (i < conf_lists_count && strcmp(conf_lists[i].name, scalar_of(r).text) != 0)
        i++;
    if (i == conf_lists_count)
        return fail_unknown(r, NULL);
    if (r->list_seen[i])
        return FAIL(r, "\"%s\" is given twice", conf_lists[i].name);
    r->list_seen[i] = true;
    int rc = next(r);
    return rc < 0 || is_nothing(r) ? rc : read_value(r, &conf_lists[i], r->conf);
}

static int read_section(struct reader *r)
{
    if (!is_scalar(r))
        return FAIL(r, "a section's name must be a word");
    size_t i = find_section(scalar_of(r).text);
    if (i == conf_sections_count)
        return read_top_list(r);
    const char *name = conf_sections[i].name;
    if (r->section_seen[i])
        return FAIL(r, "section \"%s\" is given twice", name);
    r->section_seen[i] = true;
    int rc = next(r);
    if (rc < 0 || is_nothing(r))
        return rc;
    if (r->event.type != YAML_MAPPING_START_EVENT)
        return FAIL(r, "section \"%s\" must hold keys and values", name);
    while ((rc = next(r)) == 0 && r->event.type != YAML_MAPPING_END_EVENT) {
        rc = read_key(r, name);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int read_document(struct reader *r)
{
    int rc = next(r);
    if (rc < 0 || is_nothing(r))
        return rc;
    if (r->event.type != YAML_MAPPING_START_EVENT)
        return FAIL(r, "the file must hold sections with keys and values");
    while ((rc = next(r)) == 0 && r->event.type != YAML_MAPPING_END_EVENT) {
        rc = read_section(r);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int read_stream(struct reader *r)
{
    int rc = next(r); // the stream's start
    if (rc == 0)
        rc = next(r);
    if (rc < 0 || r->event.type == YAML_STREAM_END_EVENT)
        return rc;
    rc = read_document(r);
    if (rc == 0)
        rc = next(r); // the document's end
    if (rc == 0)
        rc = next(r);
    if (rc == 0 && r->event.type != YAML_STREAM_END_EVENT)
        return FAIL(r, "a second document: only one is allowed");
    return rc;
}

// Two durations of which the first must be below the second (or not above it).
struct order {
    const char *section;
    const char *low, *high;
    bool may_equal;
};

static const struct order orders[] = {
    {"libvirt", "deadline", "interval", false},
    {"libvirt", "quarantine_min", "quarantine_max", true},
    {"kernel", "interval", "scan_interval", true},
    {"kernel", "interval", "slow_interval", true},
    {"agent", "deadline", "interval", false},
    {"agent", "interval", "info_interval", true},
};

static int check_order(struct reader *r, const struct order *o)
{
    size_t low = find_key(o->section, o->low), high = find_key(o->section, o->high);
    int64_t a = 0, b = 0;
    memcpy(&a, (const char *)r->conf + conf_keys[low].offset, sizeof(a));
    memcpy(&b, (const char *)r->conf + conf_keys[high].offset, sizeof(b));
    if (a < b || (o->may_equal && a == b))
        return 0;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 256);
    buf_printf(&text, "%s.%s (", o->section, o->low);
    conf_duration_format(a, &text);
    buf_printf(&text, ") must be %s %s.%s (", o->may_equal ? "at most" : "shorter than", o->section,
               o->high);
    conf_duration_format(b, &text);
    yaml_mark_t at = r->seen[low].line > r->seen[high].line ? r->seen[low] : r->seen[high];
    at.line -= at.line > 0;
    return fail_at(r, at, "%s)", text.data);
}

static int check_orders(struct reader *r)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(orders); i++)
        rc = check_order(r, &orders[i]);
    return rc;
}

DEFINE_FREEP(struct conf, conf_free, conf_freep)

int conf_parse(const char *name, const char *text, size_t len, struct conf **ret, struct err *err)
{
    CLEANUP(conf_freep) struct conf *conf = conf_new();
    struct reader r = {.name = name, .conf = conf, .err = err};
    if (!yaml_parser_initialize(&r.yaml))
        return err_set(err, ENOMEM, "%s: not enough memory to read it", name);
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, len);
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    int rc = read_stream(&r);
    if (rc == 0)
        rc = check_orders(&r);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.yaml);
    if (rc < 0)
        return rc;
    mem_strset(&conf->path, name);
    *ret = TAKE_PTR(conf);
    return 0;
}

int conf_load(const char *path, struct conf **ret, struct err *err)
{
    CLEANUP(freep) char *text = NULL;
    size_t len = 0;
    int rc = fs_read_file(AT_FDCWD, path, FILE_MAX, &text, &len);
    if (rc == -EFBIG)
        return err_set(err, EFBIG, "%s: larger than 1 MiB, which no configuration is", path);
    if (rc < 0)
        return err_set(err, -rc, "%s: %s", path, strerror(-rc));
    return conf_parse(path, text, len, ret, err);
}
