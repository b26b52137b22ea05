// SPDX-License-Identifier: GPL-3.0-or-later
// Role × verb × scope, every cell written down.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/grant.h"
#include "base/mem.h"

// Asked about the VM "web-1" of alice. Columns: scope all; covers it; another's; all, but by a
// token that is for another's; none. A allowed, U unknown, F forbidden, H hidden.
static const char *const scopes[][2] = {{"all", "all"},
                                        {"owner:alice", "name:web-*"},
                                        {"owner:bob", "all"},
                                        {"all", "owner:bob"},
                                        {"none", "all"}};

struct row {
    enum verb_id verb;
    const char *none, *viewer, *operator, * admin;
};

static const struct row rows[] = {
    {VERB_VM_LIST, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_VM_SHOW, "UUUUU", "AAHHH", "AAHHH", "AAHHH"},
    {VERB_HOST, "UUUUU", "AFFFF", "AFFFF", "AFFFF"},
    {VERB_STATUS, "UUUUU", "AFFFF", "AFFFF", "AFFFF"},
    {VERB_METRICS, "AAAAA", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_VM_DIRTY_RATE, "UUUUU", "FFHHH", "AAHHH", "AAHHH"},
    {VERB_PLAN, "UUUUU", "AFFFF", "AFFFF", "AFFFF"},
    {VERB_HEALTHY, "AAAAA", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_READY, "AAAAA", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_WRITE, "AAAAA", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_EXPORT, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_IMPORT, "UUUUU", "FFFFF", "FFFFF", "AFFFF"},
    {VERB_SNAPSHOT, "UUUUU", "FFFFF", "FFFFF", "AFFFF"},
    {VERB_STORE_DELETE, "UUUUU", "FFFFF", "FFFFF", "AFFFF"},
    {VERB_PAGE, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_LOGIN, "AAAAA", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_LOGOUT, "AAAAA", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_WHOAMI, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_USER_LIST, "UUUUU", "FFFFF", "FFFFF", "AFFFF"},
    {VERB_USER_ADD, "UUUUU", "FFFFF", "FFFFF", "AFFFF"},
    {VERB_USER_SET, "UUUUU", "FFFFF", "FFFFF", "AFFFF"},
    {VERB_USER_REMOVE, "UUUUU", "FFFFF", "FFFFF", "AFFFF"},
    {VERB_USER_PASSWORD, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_TOKEN_LIST, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_TOKEN_CREATE, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_TOKEN_REVOKE, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_AUDIT_LIST, "UUUUU", "FFFFF", "FFFFF", "AFFFF"},
    {VERB_AUTO_SHOW, "UUUUU", "AFFFF", "AFFFF", "AFFFF"},
    {VERB_AUTO_STOP, "UUUUU", "FFFFF", "AFFFF", "AFFFF"},
    {VERB_AUTO_START, "UUUUU", "FFFFF", "FFFFF", "AFFFF"},
    {VERB_AUDIT_VERIFY, "UUUUU", "FFFFF", "FFFFF", "AFFFF"},
    {VERB_TASK_LIST, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_TASK_SHOW, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_TASK_CANCEL, "UUUUU", "FFFFF", "AAAAA", "AAAAA"},
    {VERB_VM_DEFINITION, "UUUUU", "AAHHH", "AAHHH", "AAHHH"},
    {VERB_SNAPSHOT_LIST, "UUUUU", "AAHHH", "AAHHH", "AAHHH"},
    {VERB_TEMPLATE_LIST, "UUUUU", "FFFFF", "FFFFF", "AFFFF"},
    {VERB_TEMPLATE_SHOW, "UUUUU", "FFFFF", "FFFFF", "AFFFF"},
    {VERB_VM_SELECT, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_SCHEDULE_LIST, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_SCHEDULE_ADD, "UUUUU", "FFFFF", "AAAAA", "AAAAA"},
    {VERB_SCHEDULE_REMOVE, "UUUUU", "FFFFF", "AAAAA", "AAAAA"},
    {VERB_SCHEDULE_RUN, "UUUUU", "FFFFF", "AAAAA", "AAAAA"},
    {VERB_SCHEDULE_PAUSE, "UUUUU", "FFFFF", "AAAAA", "AAAAA"},
    {VERB_SCHEDULE_RESUME, "UUUUU", "FFFFF", "AAAAA", "AAAAA"},
    {VERB_CONSOLE_OPEN, "UUUUU", "FFHHH", "AAHHH", "AAHHH"},
    {VERB_CONSOLE_READ, "UUUUU", "FFFFF", "AAAAA", "AAAAA"},
    {VERB_CONSOLE_WRITE, "UUUUU", "FFFFF", "AAAAA", "AAAAA"},
    {VERB_CONSOLE_CLOSE, "UUUUU", "FFFFF", "AAAAA", "AAAAA"},
    {VERB_OPENAPI, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_QUERY, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_QUERY_RANGE, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_QUERY_EXEMPLARS, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_FORMAT_QUERY, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_PARSE_QUERY, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_SERIES, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_LABELS, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_LABEL_VALUES, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_METADATA, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_TARGETS, "UUUUU", "AFFFF", "AFFFF", "AFFFF"},
    {VERB_STATUS_BUILDINFO, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_STATUS_RUNTIMEINFO, "UUUUU", "AFFFF", "AFFFF", "AFFFF"},
    {VERB_STATUS_FLAGS, "UUUUU", "AFFFF", "AFFFF", "AFFFF"},
    {VERB_STATUS_TSDB, "UUUUU", "AFFFF", "AFFFF", "AFFFF"},
    {VERB_EVENTS, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_RULES, "UUUUU", "AFFFF", "AFFFF", "AFFFF"},
    {VERB_ALERTS, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_ALERT_HISTORY, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_ALERT_LIST, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_ACK, "UUUUU", "FFFFF", "AFFFF", "AFFFF"},
    {VERB_SILENCE_LIST, "UUUUU", "AAAAA", "AAAAA", "AAAAA"},
    {VERB_SILENCE_ADD, "UUUUU", "FFFFF", "AFFFF", "AFFFF"},
    {VERB_SILENCE_EXPIRE, "UUUUU", "FFFFF", "AFFFF", "AFFFF"},
    {VERB_NOTIFY_STATUS, "UUUUU", "AFFFF", "AFFFF", "AFFFF"},
    {VERB_NOTIFY_TEST, "UUUUU", "FFFFF", "AFFFF", "AFFFF"},
    {VERB_STATUS_CONFIG, "UUUUU", "FFFFF", "AFFFF", "AFFFF"},
};

static const struct row *row_of(enum verb_id verb)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].verb == verb)
            return &rows[i];
    fail_msg("no row for %s %s", verbs[verb].method, verbs[verb].path);
    return NULL;
}

static struct grant make(enum verb_role role, const char *const scope[2])
{
    struct grant g = {.role = role};
    struct err err = {0};
    assert_int_equal(scope_parse(scope[0], &g.scope, &err), 0);
    assert_int_equal(scope_parse(scope[1], &g.limit, &err), 0);
    return g;
}

static void every_cell(void **state)
{
    static const struct auth_object vm = {.vm = "web-1", .owner = "alice"};
    for (int verb = 0; verb < VERB_MAX; verb++) {
        const struct row *row = row_of((enum verb_id)verb);
        const char *const cells[ROLE_MAX] = {row->none, row->viewer, row->operator, row->admin };
        for (int role = 0; role < ROLE_MAX; role++) {
            assert_int_equal(strlen(cells[role]), ARRAY_LEN(scopes));
            for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
                CLEANUP(grant_done) struct grant g = make((enum verb_role)role, scopes[i]);
                enum auth_verdict v = auth_may_use(&g, &verbs[verb]);
                if (verbs[verb].reach == VERB_REACH_VM && v != AUTH_UNKNOWN)
                    v = auth_allows(&g, verbs[verb].role, &vm);
                if ("AUFH"[v] != cells[role][i])
                    fail_msg("%s %s, %s, scope %s and %s: %c", verbs[verb].method, verbs[verb].path,
                             auth_role_name((enum verb_role)role), scopes[i][0], scopes[i][1],
                             "AUFH"[v]);
            }
        }
    }
}

// An admin of owner:alice's web-* who renames, clones or hands over web-1. Columns as above.
static void what_a_vm_becomes(void **state)
{
    static const struct auth_label test = {"env", "test"};
    static const struct auth_object is = {"web-1", "alice", &test, 1};
    static const struct {
        struct auth_object becomes;
        const char *scope[2];
        char verdict;
    } cases[] = {
        {{"web-2", "alice", NULL, 0}, {"name:web-*", "all"}, 'A'},
        {{"db-1", "alice", NULL, 0}, {"name:web-*", "all"}, 'F'},
        {{"db-1", "alice", NULL, 0}, {"all", "name:web-*"}, 'F'},
        {{"db-1", "alice", NULL, 0}, {"all", "all"}, 'A'},
        {{"db-1", "alice", NULL, 0}, {"owner:alice", "all"}, 'A'},
        {{"web-1", "bob", NULL, 0}, {"owner:alice", "all"}, 'F'},
        {{"web-1", "bob", NULL, 0}, {"owner:alice,owner:bob", "all"}, 'A'},
        {{"web-1", "alice", &test, 1}, {"label:env=test", "all"}, 'A'},
        {{"web-1", "alice", NULL, 0}, {"label:env=test", "all"}, 'F'},
        {{"web-1", "alice", NULL, 0}, {"owner:bob", "all"}, 'H'},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(grant_done) struct grant g = make(ROLE_ADMIN, cases[i].scope);
        enum auth_verdict v = auth_allows_change(&g, ROLE_ADMIN, &is, &cases[i].becomes);
        if ("AUFH"[v] != cases[i].verdict)
            fail_msg("case %zu: %c", i, "AUFH"[v]);
        g.role = ROLE_OPERATOR;
        assert_int_not_equal(auth_allows_change(&g, ROLE_ADMIN, &is, &is), AUTH_ALLOWED);
    }
}

static void lists_leave_out(void **state)
{
    static const bool covered[] = {true, true, false, false, false};
    static const struct auth_object vm = {.vm = "web-1", .owner = "alice"};
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        CLEANUP(grant_done) struct grant g = make(ROLE_VIEWER, scopes[i]);
        assert_int_equal(auth_covers(&g, &vm), covered[i]);
        assert_int_equal(auth_covers_all(&g), i == 0);
    }
}

static void nobody_may_do_nothing(void **state)
{
    CLEANUP(grant_done) struct grant g;
    static const struct auth_object vm = {.vm = "web-1", .owner = "anonymous"};
    grant_anonymous(&g);
    assert_int_equal(auth_allows(&g, ROLE_NONE, NULL), AUTH_ALLOWED);
    assert_int_equal(auth_allows(&g, ROLE_VIEWER, NULL), AUTH_UNKNOWN);
    assert_int_equal(auth_allows(&g, ROLE_VIEWER, &vm), AUTH_UNKNOWN);
    assert_false(auth_covers(&g, &vm));
}

static void role_names(void **state)
{
    for (int role = 0; role < ROLE_MAX; role++)
        assert_int_equal(auth_role_parse(auth_role_name((enum verb_role)role)), role);
    assert_int_equal(auth_role_parse("Admin"), ROLE_INVALID);
    assert_int_equal(auth_role_parse(""), ROLE_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell),      cmocka_unit_test(what_a_vm_becomes),
        cmocka_unit_test(lists_leave_out), cmocka_unit_test(nobody_may_do_nothing),
        cmocka_unit_test(role_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
