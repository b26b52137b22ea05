// SPDX-License-Identifier: GPL-3.0-or-later
// Herds as JSON, and plans out of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <jansson.h>
#include <math.h>

#include <cmocka.h>

#include "base/mem.h"
#include "near.h"
#include "place/herd_file.h"
#include "place/plan.h"

static const char herd[] =
    "{\"now\": 1700000000,"
    " \"hosts\": ["
    "  {\"name\": \"a\", \"cpus\": 32, \"memory_bytes\": \"128G\", \"overcommit\": {\"cpu\": 2},"
    "   \"networks\": [\"lan\"], \"storage_pools\": [\"ceph\"], \"labels\": {\"zone\": \"1\"},"
    "   \"domain\": \"rack1\", \"cpu_models\": [\"EPYC\"], \"watts_idle\": 90.5},"
    "  {\"name\": \"b\", \"cpus\": 16.5, \"memory_bytes\": 1024, \"maintenance\": true,"
    "   \"numa_nodes\": [{\"cpus\": 8, \"memory_bytes\": \"1K\"}]},"
    "  {\"name\": \"c\", \"cpus\": 32, \"memory_bytes\": \"64G\", \"networks\": [\"lan\"]}],"
    " \"groups\": [{\"name\": \"db\", \"kind\": \"apart\", \"most\": 2, \"per_domain\": true}],"
    " \"vms\": ["
    "  {\"name\": \"v\", \"host\": \"a\", \"vcpus\": 4, \"memory_bytes\": \"8G\","
    "   \"anti_affinity\": \"db\", \"networks\": \"lan\", \"avoid_labels\": {\"zone\": \"2\"},"
    "   \"ends\": 1700003600, \"tenant\": \"t\", \"cpu_usage\": {\"mean\": 1.5},"
    "   \"cpu_history\": [[1, 0.5], [2, 1]], \"memory_history\": [[1, 100]]},"
    "  {\"name\": \"w\", \"vcpus\": 2, \"memory_bytes\": \"4G\"},"
    "  {\"name\": \"huge\", \"vcpus\": 100, \"memory_bytes\": \"4G\"}]}";

static void test_everything_arrives(void **state)
{
    struct herd_file f;
    struct err err = {0};
    if (herd_file_read(herd, strlen(herd), &f, &err) < 0)
        fail_msg("%s", err.message);
    const struct place_snapshot *s = f.snapshot;
    assert_int_equal(s->n_hosts, 3);
    assert_int_equal(s->n_vms, 3);
    assert_near(s->now_s, 1.7e9, 0);
    const struct place_host *a = &s->hosts[0], *b = &s->hosts[1];
    assert_int_equal(a->capacity.of[PLACE_CPU], 32000);
    assert_int_equal(a->capacity.of[PLACE_MEMORY], INT64_C(128) << 30);
    assert_near(a->overcommit_ratio[PLACE_CPU], 2, 0);
    assert_near(a->watts_idle, 90.5, 0);
    assert_true(isnan(a->mtbf_seconds));
    assert_string_equal(s->domains[a->domain], "rack1");
    assert_int_equal(b->capacity.of[PLACE_CPU], 16500);
    assert_int_equal(b->numa[0].memory, 1024);
    assert_true(b->maintenance);
    const struct place_vm *v = &s->vms[0];
    assert_int_equal(v->host, 0);
    assert_int_equal(s->groups[v->anti_affinity].most, 2);
    assert_true(s->groups[v->anti_affinity].per_domain);
    assert_near(v->usage[PLACE_CPU].mean, 1500, 1e-9);
    assert_near(v->ends_s, 1700003600, 0);
    int32_t lan = place_snapshot_trait(f.snapshot, PLACE_TRAIT_NETWORK, "lan");
    assert_true(place_traits_have(&v->needs, lan));
    assert_true(place_traits_have(&a->provides, lan));
    int32_t zone = place_snapshot_trait(f.snapshot, PLACE_TRAIT_LABEL, "zone=2");
    assert_true(place_traits_have(&v->avoids, zone));
    assert_int_equal(f.history[0].n_cpu, 2);
    assert_near(f.history[0].cpu[1], 1, 0);
    assert_int_equal(f.history[0].n_memory, 1);
    assert_int_equal(s->vms[1].host, -1);
    herd_file_done(&f);
}

static const struct {
    const char *text, *message;
} wrong[] = {
    {"{\"hosts\": [}", "1:12: unexpected token near '}'"},
    {"[]", "a herd is a JSON object"},
    {"{\"host\": []}", "host: there is no such member"},
    {"{\"hosts\": [{\"cpus\": 1}]}", "hosts[0]: name: must be a text of 1 to 256 bytes"},
    {"{\"hosts\": [{\"name\": \"a\", \"cpu\": 1}]}",
     "hosts[0] \"a\": cpu: there is no such member"},
    {"{\"hosts\": [{\"name\": \"a\", \"cpus\": -1}]}", "hosts[0] \"a\": cpus: is out of range"},
    {"{\"hosts\": [{\"name\": \"a\", \"memory_bytes\": \"lots\"}]}",
     "hosts[0] \"a\": memory_bytes: must be a size such as 64G"},
    {"{\"hosts\": [{\"name\": \"a\"}, {\"name\": \"a\"}]}",
     "hosts[1] \"a\": name: another host has it too"},
    {"{\"vms\": [{\"name\": \"v\", \"host\": \"x\"}]}",
     "vms[0] \"v\": host: there is no such host"},
    {"{\"vms\": [{\"name\": \"v\", \"pinned\": 1}]}",
     "vms[0] \"v\": pinned: must be true or false"},
    {"{\"groups\": [{\"name\": \"g\", \"kind\": \"odd\"}]}",
     "groups[0] \"g\": kind: must be together or apart"},
    {"{\"groups\": [{\"name\": \"g\", \"kind\": \"apart\", \"most\": 0}]}",
     "group \"g\": at least 1 has to be allowed"},
    {"{\"vms\": [{\"name\": \"v\", \"cpu_history\": [[2, 1], [1, 1]]}]}",
     "vms[0] \"v\": cpu_history: time does not go on"},
    {"{\"vms\": [{\"name\": \"v\", \"numa_node\": 99}]}", "VM \"v\": no such NUMA node"},
};

static void test_wrong(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct herd_file f;
        struct err err = {0};
        assert_true(herd_file_read(wrong[i].text, strlen(wrong[i].text), &f, &err) < 0);
        assert_string_equal(err.message, wrong[i].message);
        assert_null(f.snapshot);
    }
}

static int history_of(void *arg, int32_t vm, struct rightsize_vm *ret, struct err *err)
{
    static int64_t t_s[2000];
    static double cpu[2000], memory[2000];
    if (vm != 0)
        return -ENODATA;
    for (int i = 0; i < 2000; i++) {
        t_s[i] = 1690000000 + i * 600;
        cpu[i] = 0.5 + i % 3 * 0.2;
        memory[i] = 1e9;
    }
    *ret = (struct rightsize_vm){"v", 4, INT64_C(8) << 30, {t_s, cpu, 2000}, {t_s, memory, 2000}};
    return 0;
}

static json_t *planned(enum plan_kind kind, const char *object, bool has_history, int expected,
                       struct err *err)
{
    struct herd_file f;
    struct plan_request request = {.kind = kind, .object = object, .score = PLACE_SCORE_BEST_FIT};
    struct plan_history history = {history_of, NULL};
    CLEANUP(buf_done) struct buf out;
    struct json j;
    buf_init(&out, 1 << 20);
    json_init(&j, &out);
    assert_int_equal(herd_file_read(herd, strlen(herd), &f, err), 0);
    int r = plan_write(f.snapshot, &request, has_history ? &history : NULL, &j, err);
    herd_file_done(&f);
    assert_int_equal(r, expected);
    json_t *plan = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_true(r < 0 || plan);
    return plan;
}

static const char *text_at(const json_t *plan, const char *list, size_t i, const char *member)
{
    return json_string_value(
        json_object_get(json_array_get(json_object_get(plan, list), i), member));
}

static void test_place_explains(void **state)
{
    struct err err = {0};
    json_t *plan = planned(PLAN_PLACE, NULL, false, 0, &err);
    assert_string_equal(text_at(plan, "vms", 0, "outcome"), "impossible");
    assert_string_equal(text_at(plan, "vms", 0, "reason"),
                        "cpu: asks 100 CPUs, the largest host allows 64 CPUs");
    assert_string_equal(text_at(plan, "vms", 1, "vm"), "w");
    assert_string_equal(text_at(plan, "vms", 1, "host"), "a");
    const json_t *candidates =
        json_object_get(json_array_get(json_object_get(plan, "vms"), 1), "candidates");
    assert_int_equal(json_array_size(candidates), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(candidates, 2), "reason")),
                        "is in maintenance");
    json_decref(plan);
    json_decref(planned(PLAN_PLACE, "nobody", false, -ENOENT, &err));
    assert_string_equal(err.message, "no VM is called \"nobody\"");
}

static void test_evacuation_and_others(void **state)
{
    struct err err = {0};
    json_t *plan = planned(PLAN_EVACUATE, "a", false, 0, &err);
    assert_string_equal(text_at(plan, "moves", 0, "to"), "c");
    assert_string_equal(text_at(plan, "moves", 0, "risk"), "low");
    json_decref(plan);
    json_decref(planned(PLAN_EVACUATE, "zz", false, -ENOENT, &err));
    json_decref(planned(PLAN_BALANCE, NULL, false, 0, &err));
    json_decref(planned(PLAN_CONSOLIDATE, NULL, false, 0, &err));
    for (int k = 0; k < PLAN_KINDS; k++)
        assert_int_equal(plan_kind_parse(plan_kind_name(k)), k);
    assert_int_equal(plan_kind_parse("x"), PLAN_INVALID);
}

static void test_rightsize(void **state)
{
    struct err err = {0};
    json_decref(planned(PLAN_RIGHTSIZE, NULL, false, -ENODATA, &err));
    assert_non_null(strstr(err.message, "cpu_history"));
    json_t *plan = planned(PLAN_RIGHTSIZE, NULL, true, 0, &err);
    const json_t *vm = json_array_get(json_object_get(plan, "vms"), 0);
    assert_int_equal(json_integer_value(json_object_get(vm, "advised_vcpus")), 2);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(plan, "total"), "saved_vcpus")), 2);
    json_decref(plan);
}

static void test_shares_of_an_overcommitted_host(void **state)
{
    static const char two[] =
        "{\"hosts\": [{\"name\": \"h\", \"cpus\": 4, \"memory_bytes\": \"64G\","
        "  \"overcommit\": {\"cpu\": 4}}],"
        " \"vms\": [{\"name\": \"v\", \"host\": \"h\", \"vcpus\": 4,"
        "  \"memory_bytes\": \"1G\", \"cpu_usage\": {\"mean\": 1, \"p50\": 3}},"
        "  {\"name\": \"w\", \"host\": \"h\", \"vcpus\": 4, \"memory_bytes\": \"1G\"}]}";
    struct herd_file f;
    struct err err = {0};
    struct plan_request request = {.kind = PLAN_RIGHTSIZE};
    struct plan_history history = {history_of, NULL};
    CLEANUP(buf_done) struct buf out;
    struct json j;
    buf_init(&out, 1 << 20);
    json_init(&j, &out);
    assert_int_equal(herd_file_read(two, strlen(two), &f, &err), 0);
    assert_int_equal(plan_write(f.snapshot, &request, &history, &j, &err), 0);
    herd_file_done(&f);
    json_t *plan = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *host = json_array_get(json_object_get(plan, "overcommitted_hosts"), 0);
    assert_string_equal(json_string_value(json_object_get(host, "host")), "h");
    // The guarantee is what is used half of the time; the other gets the rest.
    const json_t *v = json_array_get(json_object_get(host, "vms"), 0);
    const json_t *w = json_array_get(json_object_get(host, "vms"), 1);
    assert_near(json_number_value(json_object_get(v, "cpus")), 3, 1e-6);
    assert_near(json_number_value(json_object_get(w, "cpus")), 1, 1e-6);
    assert_int_equal(json_integer_value(json_object_get(w, "cpu_shares")), 1024);
    json_decref(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_arrives),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_place_explains),
        cmocka_unit_test(test_evacuation_and_others),
        cmocka_unit_test(test_rightsize),
        cmocka_unit_test(test_shares_of_an_overcommitted_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
