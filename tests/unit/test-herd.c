// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/batch.h"
#include "model/render.h"

static struct uuid uuid_of(unsigned n)
{
    struct uuid u = {{0}};
    memcpy(u.b, &n, sizeof(n));
    return u;
}

static struct vm *add(struct herd *h, unsigned n, const char *name)
{
    struct uuid u = uuid_of(n);
    struct vm *vm = herd_vm_add(h, &u);
    if (name)
        herd_vm_rename(h, vm, name);
    return vm;
}

static void test_vms_stay_sorted(void **state)
{
    struct herd *h = herd_new();
    srandom(7);
    for (unsigned i = 1; i <= 300; i++) {
        char name[32];
        snprintf(name, sizeof(name), "vm%ld", random() % 100);
        add(h, i, name);
        if (i % 3 == 0) {
            struct uuid u = uuid_of(1 + (unsigned)random() % i);
            struct vm *vm = herd_vm(h, &u);
            if (vm && i % 2)
                herd_vm_remove(h, vm);
            else if (vm)
                herd_vm_rename(h, vm, "renamed");
        }
        for (size_t k = 1; k < h->n_vms; k++) {
            const char *a = object_attr(&h->vms[k - 1]->obj, ATTR_VM_NAME);
            const char *b = object_attr(&h->vms[k]->obj, ATTR_VM_NAME);
            int r = strverscmp(a, b);
            assert_true(r < 0 || (r == 0 && memcmp(h->vms[k - 1]->uuid.b, h->vms[k]->uuid.b,
                                                   UUID_BYTES) < 0));
        }
    }
    herd_free(h);
}

static void test_numbers_in_names_count(void **state)
{
    static const char *const sorted[] = {"VM",  "db-1.2", "db-1.10", "vm",
                                         "vm1", "vm2",    "vm10",    "vm10a"};
    struct herd *h = herd_new();
    for (unsigned i = 0; i < ARRAY_LEN(sorted); i++)
        add(h, i + 1, sorted[(i * 5 + 3) % ARRAY_LEN(sorted)]);
    for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
        assert_string_equal(object_attr(&h->vms[i]->obj, ATTR_VM_NAME), sorted[i]);
    herd_free(h);
}

static void test_find_by_name_and_uuid(void **state)
{
    struct herd *h = herd_new();
    struct vm *a = add(h, 1, "a");
    struct vm *b = add(h, 2, NULL);
    assert_ptr_equal(herd_vm_find(h, "a"), a);
    assert_ptr_equal(herd_vm_find(h, object_attr(&b->obj, ATTR_VM_UUID)), b);
    assert_null(herd_vm_find(h, "b"));
    struct vm *poser = add(h, 3, object_attr(&b->obj, ATTR_VM_UUID));
    assert_ptr_equal(herd_vm_find(h, object_attr(&b->obj, ATTR_VM_UUID)), b);
    assert_ptr_equal(herd_vm_find(h, object_attr(&poser->obj, ATTR_VM_UUID)), poser);
    assert_ptr_equal(add(h, 1, NULL), a);
    assert_int_equal(h->n_vms, 3);
    herd_free(h);
}

static void test_children(void **state)
{
    struct herd *h = herd_new();
    struct object *vm = &add(h, 1, "a")->obj;
    struct object *vda = object_child(vm, KIND_DISK, "vda");
    struct object *vdb = object_child(vm, KIND_DISK, "vdb");
    assert_ptr_equal(object_child(vm, KIND_DISK, "vda"), vda);
    assert_ptr_equal(object_find(vm, KIND_DISK, "vdb"), vdb);
    assert_null(object_find(vm, KIND_NIC, "vda"));
    object_set_fact(vda, FACT_DISK_READS, 1, 10);
    object_set_fact(vdb, FACT_DISK_READS, 1, 20);
    object_sweep(vm, KIND_DISK, LANE_LIBVIRT, 20);
    assert_null(object_find(vm, KIND_DISK, "vda"));
    object_child(vm, KIND_DISK, "vdc"); // never written by that lane: stays
    object_sweep(vm, KIND_DISK, LANE_LIBVIRT, 30);
    assert_null(object_find(vm, KIND_DISK, "vdb"));
    assert_non_null(object_find(vm, KIND_DISK, "vdc"));
    herd_free(h);
}

static void test_old_facts_do_not_count(void **state)
{
    struct herd *h = herd_new();
    struct object *vm = &add(h, 1, "a")->obj;
    h->max_age_ns[LANE_KERNEL] = 100;
    assert_true(isnan(herd_fact(h, vm, FACT_VM_RSS, 5)));
    object_set_fact(vm, FACT_VM_RSS, 42, 1000);
    assert_true(herd_fact(h, vm, FACT_VM_RSS, 1100) == 42);
    assert_true(isnan(herd_fact(h, vm, FACT_VM_RSS, 1101)));
    object_set_fact(vm, FACT_VM_STATE, 1, 1000);
    assert_true(isnan(herd_fact(h, vm, FACT_VM_STATE, 1000)));
    h->libvirt_up = true;
    assert_true(herd_fact(h, vm, FACT_VM_STATE, 1000) == 1);
    herd_free(h);
}

static void test_batch_reaches_children_and_attributes(void **state)
{
    struct herd *h = herd_new();
    struct object *vm = &add(h, 1, "a")->obj;
    struct batch *b = batch_new();
    b->lane = LANE_KERNEL;
    b->mono_ns = 50;
    batch_fact(b, 0, FACT_VM_RSS, 7);
    uint32_t cpu0 = batch_key(b, "0");
    batch_fact(b, cpu0, FACT_VCPU_RUN, 1e9);
    batch_attr(b, cpu0, ATTR_VCPU_PROCESS_STATE, "R");
    batch_fact(b, batch_key(b, "1"), FACT_VCPU_RUN, NAN);
    batch_unavailable(b, "psi", "the kernel has none");
    batch_apply(b, vm);
    assert_true(object_fact(vm, FACT_VM_RSS) == 7);
    struct object *vcpu = object_find(vm, KIND_VCPU, "0");
    assert_true(object_fact(vcpu, FACT_VCPU_RUN) == 1e9);
    assert_string_equal(object_attr(vcpu, ATTR_VCPU_PROCESS_STATE), "R");
    assert_true(isnan(object_fact(object_find(vm, KIND_VCPU, "1"), FACT_VCPU_RUN)));
    struct object *miss = object_find(vm, KIND_MISS, "psi");
    assert_string_equal(object_attr(miss, ATTR_MISS_REASON), "the kernel has none");

    // The next batch of that lane no longer misses it.
    batch_reset(b);
    b->lane = LANE_KERNEL;
    b->mono_ns = 60;
    batch_fact(b, batch_key(b, "0"), FACT_VCPU_RUN, 2e9);
    batch_apply(b, vm);
    object_sweep(vm, KIND_MISS, LANE_LIBVIRT, 60);
    assert_non_null(object_find(vm, KIND_MISS, "psi"));
    object_sweep(vm, KIND_MISS, LANE_KERNEL, 60);
    assert_null(object_find(vm, KIND_MISS, "psi"));
    batch_sweep(b, vm, KIND_VCPU);
    assert_null(object_find(vm, KIND_VCPU, "1"));
    assert_non_null(object_find(vm, KIND_VCPU, "0"));
    batch_free(b);
    herd_free(h);
}

static char *metrics(const struct herd *h, unsigned sets, bool misnamed, size_t *ret_series)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    size_t series = render_metrics(h, sets, misnamed, 1000, &out);
    if (ret_series)
        *ret_series = series;
    if (!out.data)
        return mem_strdup("");
    return buf_take(&out, NULL);
}

static void test_exposition(void **state)
{
    struct herd *h = herd_new();
    struct vm *vm = add(h, 1, "we\"ird\\na\nme");
    vm->in_libvirt = true;
    struct object *vcpu = object_child(&vm->obj, KIND_VCPU, "3");
    object_set_fact(vcpu, FACT_VCPU_RUN, 1234567890, 1000);
    object_set_fact(&vm->obj, FACT_VM_GUEST_HUGE_ALLOC, 5, 1000);
    CLEANUP(freep) char *text = metrics(h, SET_TINKOFF, false, NULL);
    assert_non_null(strstr(text, "# TYPE libvirt_domain_vcpu_time_seconds_total counter\n"
                                 "libvirt_domain_vcpu_time_seconds_total{domain=\"we\\\"ird\\\\na"
                                 "\\nme\",vcpu=\"3\"} 1.23456789\n"));
    assert_null(strstr(text, "libvirt_domain_vcpu_wait_seconds_total{"));
    assert_null(strstr(text, "vherd_"));
    CLEANUP(freep) char *strict = metrics(h, SET_INOVEX, false, NULL);
    assert_null(strstr(strict, "hugetlb_pgalloc_total"));
    CLEANUP(freep) char *all = metrics(h, SET_INOVEX, true, NULL);
    assert_non_null(strstr(all, "hugetlb_pgalloc_total{"));
    herd_free(h);
}

static void test_one_series_for_one_name(void **state)
{
    struct herd *h = herd_new();
    struct vm *process = add(h, 1, "same");
    struct vm *known = add(h, 2, "same");
    known->in_libvirt = true;
    object_set_fact(&process->obj, FACT_VM_RSS, 1, 1000);
    object_set_fact(&known->obj, FACT_VM_RSS, 2, 1000);
    CLEANUP(freep) char *text = metrics(h, SET_VHERD, false, NULL);
    assert_non_null(strstr(text, "vherd_vm_resident_bytes{domain=\"same\"} 2\n"));
    assert_null(strstr(text, "vherd_vm_resident_bytes{domain=\"same\"} 1\n"));
    herd_free(h);
}

static void test_history_is_oldest_first(void **state)
{
    struct herd *h = herd_new();
    struct vm *vm = add(h, 1, "a");
    struct buf out;
    buf_init(&out, 1 << 20);
    struct json j;
    json_init(&j, &out);
    render_history(h, vm, &j);
    assert_non_null(strstr(out.data, "\"cpu\":[]"));
    herd_history_step(h);
    vm_history_put(h, vm, HISTORY_CPU, 0.25);
    herd_history_step(h);
    herd_history_step(h);
    vm_history_put(h, vm, HISTORY_CPU, 0.5);
    buf_reset(&out);
    json_init(&j, &out);
    render_history(h, vm, &j);
    assert_non_null(strstr(out.data, "null,0.25,null,0.5]"));
    for (int i = 0; i < VM_HISTORY; i++)
        herd_history_step(h);
    buf_reset(&out);
    json_init(&j, &out);
    render_history(h, vm, &j);
    assert_null(strstr(out.data, "0.5"));
    buf_done(&out);
    herd_free(h);
}

static void test_state_is_left_out_while_libvirt_is_away(void **state)
{
    struct herd *h = herd_new();
    struct vm *vm = add(h, 1, "web");
    object_set_attr(&vm->obj, ATTR_VM_STATE, "running");
    object_set_attr(&vm->obj, ATTR_VM_OS_TYPE, "hvm");
    for (int up = 0; up < 2; up++) {
        struct buf out;
        struct json j;
        h->libvirt_up = up;
        buf_init(&out, 1 << 16);
        json_init(&j, &out);
        render_object(h, &vm->obj, RENDER_FULL, 1000, &j);
        assert_int_equal(strstr(out.data, "\"state\":\"running\"") != NULL, up);
        assert_non_null(strstr(out.data, "\"os_type\":\"hvm\""));
        buf_done(&out);
    }
    herd_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vms_stay_sorted),
        cmocka_unit_test(test_numbers_in_names_count),
        cmocka_unit_test(test_find_by_name_and_uuid),
        cmocka_unit_test(test_children),
        cmocka_unit_test(test_old_facts_do_not_count),
        cmocka_unit_test(test_batch_reaches_children_and_attributes),
        cmocka_unit_test(test_exposition),
        cmocka_unit_test(test_one_series_for_one_name),
        cmocka_unit_test(test_history_is_oldest_first),
        cmocka_unit_test(test_state_is_left_out_while_libvirt_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
