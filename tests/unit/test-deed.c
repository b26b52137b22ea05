// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "verb/deed.h"

static int check(enum deed_id id, const char *text, json_t **ret, struct err *err)
{
    json_t *body = json_loads(text, 0, NULL);
    assert_non_null(body);
    int r = deed_check(&deeds[id], body, err);
    if (ret)
        *ret = body;
    else
        json_decref(body);
    return r;
}

static void test_every_row_is_whole(void **state)
{
    for (int i = 0; i < DEED_MAX; i++) {
        const struct deed *d = &deeds[i];
        CLEANUP(freep) char *vm = NULL;
        assert_int_equal(d->id, i);
        assert_true(d->role >= ROLE_OPERATOR);
        assert_ptr_equal(deed_by_name(d->name), d);
        assert_non_null(strchr(d->name, '.'));
        assert_true((strstr(d->path, "{vm}") != NULL) == (d->object == DEED_ON_VM));
        for (const struct field *f = d->fields; f->name; f++) {
            assert_non_null(f->help);
            assert_true(f->type != FIELD_CHOICE || f->choices);
            assert_true((f->type != FIELD_LIST && f->type != FIELD_OBJECT) || f->fields);
            for (const struct field *c = deed_common_fields; c->name; c++)
                assert_string_not_equal(c->name, f->name);
        }
        CLEANUP(freep) char *path = mem_strdup(d->path);
        assert_ptr_equal(deed_match(path, &vm), d);
    }
}

static void test_match(void **state)
{
    CLEANUP(freep) char *vm = NULL;
    assert_int_equal(deed_match("/vherd/v1/vms/a b/start", &vm)->id, DEED_START);
    assert_string_equal(vm, "a b");
    free(TAKE_PTR(vm));
    assert_int_equal(deed_match("/vherd/v1/vms", &vm)->id, DEED_CREATE);
    assert_null(vm);
    assert_null(deed_match("/vherd/v1/vms//start", &vm));
    assert_null(deed_match("/vherd/v1/vms/a/b/start", &vm));
    assert_null(deed_match("/vherd/v1/vms/a/start/", &vm));
    assert_null(deed_match("/vherd/v1/vms/a", &vm));
}

static void test_refusals(void **state)
{
    static const struct {
        enum deed_id id;
        const char *body, *says;
    } cases[] = {
        {DEED_START, "[]", "the body must be an object"},
        {DEED_START, "{\"xml\":\"<domain/>\"}", "there is no field xml"},
        {DEED_CREATE, "{\"memory\":\"1G\"}", "name is missing"},
        {DEED_CREATE, "{\"name\":\"a\"}", "memory is missing"},
        {DEED_CREATE, "{\"name\":\"a\",\"memroy\":1}", "did you mean memory?"},
        {DEED_CREATE, "{\"name\":\"--help\",\"memory\":\"1G\"}", "name must be a name"},
        {DEED_CREATE, "{\"name\":\"../a\",\"memory\":\"1G\"}", "name must be a name"},
        {DEED_CREATE, "{\"name\":\"a/b\",\"memory\":\"1G\"}", "name must be a name"},
        {DEED_CREATE, "{\"name\":\"a\\nb\",\"memory\":\"1G\"}", "name must be a name"},
        {DEED_CREATE, "{\"name\":7,\"memory\":\"1G\"}", "name must be a name"},
        {DEED_CREATE, "{\"name\":\"a\",\"memory\":\"1\"}", "memory must be bytes from 16777216"},
        {DEED_CREATE, "{\"name\":\"a\",\"memory\":-5}", "memory must be bytes from"},
        {DEED_CREATE, "{\"name\":\"a\",\"memory\":\"lots\"}", "memory must be a size"},
        {DEED_CREATE, "{\"name\":\"a\",\"memory\":\"1G\",\"vcpus\":0}", "vcpus must be a whole"},
        {DEED_CREATE, "{\"name\":\"a\",\"memory\":\"1G\",\"vcpus\":1.5}", "vcpus must be a whole"},
        {DEED_CREATE, "{\"name\":\"a\",\"memory\":\"1G\",\"firmware\":\"coreboot\"}",
         "firmware must be bios or uefi"},
        {DEED_CREATE, "{\"name\":\"a\",\"memory\":\"1G\",\"disks\":{}}", "disks must be a list"},
        {DEED_CREATE, "{\"name\":\"a\",\"memory\":\"1G\",\"disks\":[{\"path\":\"/etc/shadow\"}]}",
         "there is no field disks[0].path"},
        {DEED_CREATE,
         "{\"name\":\"a\",\"memory\":\"1G\",\"disks\":[{\"pool\":\"p\",\"volume\":\"../x\"}]}",
         "disks[0].volume must be a name"},
        {DEED_CREATE, "{\"name\":\"a\",\"memory\":\"1G\",\"kernel\":{\"pool\":\"p\"}}",
         "kernel.volume is missing"},
        {DEED_CREATE, "{\"name\":\"a\",\"memory\":\"1G\",\"labels\":{\"a b\":\"c\"}}",
         "a label's name"},
        {DEED_CREATE, "{\"name\":\"a\",\"memory\":\"1G\",\"labels\":{\"a\":1}}",
         "a must be a text"},
        {DEED_DELETE, "{}", "disks is missing"},
        {DEED_SHUTDOWN, "{\"timeout\":\"0s\"}", "timeout must be seconds from 1"},
        {DEED_SHUTDOWN, "{\"fallback\":true}", "fallback must be fail or destroy"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        assert_int_equal(check(cases[i].id, cases[i].body, NULL, &err), -EINVAL);
        if (!strstr(err.message, cases[i].says))
            fail_msg("%s: \"%s\"", cases[i].body, err.message);
    }
}

static void test_texts_become_numbers(void **state)
{
    struct err err = {0};
    json_t *body;
    assert_int_equal(check(DEED_CREATE,
                           "{\"name\":\"a\",\"memory\":\"1G\",\"disks\":[{\"pool\":\"p\","
                           "\"size\":\"10M\"}],\"dry_run\":true}",
                           &body, &err),
                     0);
    assert_int_equal(json_integer_value(json_object_get(body, "memory")), 1 << 30);
    const json_t *disk = json_array_get(json_object_get(body, "disks"), 0);
    assert_int_equal(json_integer_value(json_object_get(disk, "size")), 10 << 20);
    json_decref(body);
    assert_int_equal(check(DEED_SHUTDOWN, "{\"timeout\":\"5m\"}", &body, &err), 0);
    assert_int_equal(json_integer_value(json_object_get(body, "timeout")), 300);
    json_decref(body);
}

static void test_openapi_has_every_deed(void **state)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 4 << 20);
    deed_openapi("1.2.3", &text);
    json_t *root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    const json_t *paths = json_object_get(root, "paths");
    for (int i = 0; i < DEED_MAX; i++) {
        const json_t *post = json_object_get(json_object_get(paths, deeds[i].path), "post");
        assert_string_equal(json_string_value(json_object_get(post, "operationId")), deeds[i].name);
        assert_non_null(json_object_get(post, "requestBody"));
    }
    for (int i = 0; i < VERB_MAX; i++)
        assert_non_null(json_object_get(paths, verbs[i].path));
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_whole),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_texts_become_numbers),
        cmocka_unit_test(test_openapi_has_every_deed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
