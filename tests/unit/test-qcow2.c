// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "virt/qcow2.h"

static uint8_t head[512];

static void put32(size_t at, uint32_t v)
{
    for (size_t i = 0; i < 4; i++)
        head[at + i] = (uint8_t)(v >> (24 - 8 * i));
}

static void make(uint32_t version, const char *backing)
{
    memset(head, 0, sizeof(head));
    memcpy(head, "QFI\xfb", 4);
    put32(4, version);
    if (!backing)
        return;
    put32(12, 200);
    put32(16, (uint32_t)strlen(backing));
    memcpy(head + 200, backing, strlen(backing));
}

static void test_references(void **state)
{
    struct virt_qcow2 q;
    struct err err = {0};
    make(3, NULL);
    assert_int_equal(virt_qcow2_read(head, sizeof(head), &q, &err), 0);
    assert_true(q.qcow2 && !q.data_file && q.backing[0] == '\0');
    make(2, "/etc/shadow");
    assert_int_equal(virt_qcow2_read(head, sizeof(head), &q, &err), 0);
    assert_string_equal(q.backing, "/etc/shadow");
    make(3, NULL);
    put32(76, 4);
    assert_int_equal(virt_qcow2_read(head, sizeof(head), &q, &err), 0);
    assert_true(q.data_file);
    memset(head, 7, sizeof(head));
    assert_int_equal(virt_qcow2_read(head, sizeof(head), &q, &err), 0);
    assert_false(q.qcow2);
    assert_int_equal(virt_qcow2_read(head, 0, &q, &err), 0);
}

static void test_nonsense(void **state)
{
    struct virt_qcow2 q;
    struct err err = {0};
    make(4, NULL);
    assert_int_equal(virt_qcow2_read(head, sizeof(head), &q, &err), -EINVAL);
    make(1, NULL);
    assert_int_equal(virt_qcow2_read(head, sizeof(head), &q, &err), -EINVAL);
    make(3, NULL);
    assert_int_equal(virt_qcow2_read(head, 71, &q, &err), -EINVAL);
    make(3, "/etc/shadow");
    put32(12, 508); // it would end behind what there is
    assert_int_equal(virt_qcow2_read(head, sizeof(head), &q, &err), -EINVAL);
    make(3, "/etc/shadow");
    put32(8, 1);
    assert_int_equal(virt_qcow2_read(head, sizeof(head), &q, &err), -EINVAL);
    make(3, "/etc/shadow");
    put32(16, 12); // a NUL would hide the rest
    assert_int_equal(virt_qcow2_read(head, sizeof(head), &q, &err), -EINVAL);
    memset(head, 0, sizeof(head));
    memcpy(head, "KDMV", 4);
    assert_int_equal(virt_qcow2_read(head, sizeof(head), &q, &err), -EINVAL);
    assert_non_null(strstr(err.message, "VMDK"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
