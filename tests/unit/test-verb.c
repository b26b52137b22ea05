// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "verb/verb.h"

static void test_rows_are_complete(void **state)
{
    for (int i = 0; i < VERB_MAX; i++) {
        const struct verb *v = &verbs[i];
        assert_int_equal(v->id, i);
        assert_non_null(v->summary);
        assert_non_null(v->details);
        assert_non_null(v->answers);
        assert_int_equal(v->path[0], '/');
        // An operand fills the path, or a member of the body.
        if (v->command && strchr(v->path, '{'))
            assert_non_null(v->operand);
        if (v->operand && !strchr(v->path, '{'))
            assert_true(v->takes_json);
        for (int k = 0; k < i; k++) {
            assert_true(strcmp(v->path, verbs[k].path) != 0 ||
                        strcmp(v->method, verbs[k].method) != 0);
            if (v->command && verbs[k].command)
                assert_string_not_equal(v->command, verbs[k].command);
        }
        for (int p = 0; v->params[p].name; p++) {
            assert_true(p < VERB_PARAMS_MAX);
            assert_non_null(v->params[p].help);
        }
    }
}

static void check(const char *method, const char *path, enum verb_id id, const char *object,
                  const char *allow)
{
    char *got_object = NULL;
    const char *got_allow = "untouched";
    assert_int_equal(verb_match(method, path, &got_object, &got_allow), id);
    if (object)
        assert_string_equal(got_object, object);
    else
        assert_null(got_object);
    if (allow)
        assert_string_equal(got_allow, allow);
    else
        assert_null(got_allow);
    free(got_object);
}

static void test_match(void **state)
{
    check("GET", "/", VERB_PAGE, NULL, NULL);
    check("GET", "/metrics", VERB_METRICS, NULL, NULL);
    check("HEAD", "/metrics", VERB_METRICS, NULL, NULL);
    check("GET", "/vherd/v1/vms", VERB_VM_LIST, NULL, NULL);
    check("GET", "/vherd/v1/vms/web1", VERB_VM_SHOW, "web1", NULL);
    check("GET", "/vherd/v1/vms/web1/dirty-rate", VERB_VM_DIRTY_RATE, "web1", NULL);
    check("GET", "/vherd/v1/vms/dirty-rate", VERB_VM_SHOW, "dirty-rate", NULL);
    check("GET", "/vherd/v1/vms/dirty-rate/dirty-rate", VERB_VM_DIRTY_RATE, "dirty-rate", NULL);
    check("GET", "/vherd/v1/vms/--option", VERB_VM_SHOW, "--option", NULL);
    check("GET", "/vherd/v1/vms/a\n\"<b>{vm}\xff", VERB_VM_SHOW, "a\n\"<b>{vm}\xff", NULL);
}

static void test_no_match(void **state)
{
    check("GET", "", VERB_INVALID, NULL, NULL);
    check("GET", "//", VERB_INVALID, NULL, NULL);
    check("GET", "/vherd/v1/vms/", VERB_INVALID, NULL, NULL);
    check("GET", "/vherd/v1/vms//dirty-rate", VERB_INVALID, NULL, NULL);
    check("GET", "/vherd/v1/vms/web1/", VERB_INVALID, NULL, NULL);
    check("GET", "/vherd/v1/vms/web1/dirty-rates", VERB_INVALID, NULL, NULL);
    check("GET", "/vherd/v1/vmsx", VERB_INVALID, NULL, NULL);
    check("GET", "/METRICS", VERB_INVALID, NULL, NULL);
    check("POST", "/metrics", VERB_INVALID, NULL, "GET");
    check("get", "/metrics", VERB_INVALID, NULL, "GET");
    check("DELETE", "/vherd/v1/vms/web1", VERB_INVALID, NULL, "GET");
    check("DELETE", "/nowhere", VERB_INVALID, NULL, NULL);
}

static void test_commands(void **state)
{
    assert_ptr_equal(verb_by_command("show"), &verbs[VERB_VM_SHOW]);
    assert_ptr_equal(verb_by_command("dirty-rate"), &verbs[VERB_VM_DIRTY_RATE]);
    assert_null(verb_by_command("sho"));
    assert_null(verb_by_command(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_complete),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_no_match),
        cmocka_unit_test(test_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
