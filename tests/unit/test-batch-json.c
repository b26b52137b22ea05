// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/batch_json.h"

static char *encode(const struct batch *b)
{
    struct buf out;
    struct json j;
    buf_init(&out, 1024 * 1024);
    json_init(&j, &out);
    batch_encode_json(b, &j);
    return buf_take(&out, NULL);
}

static void rows_become_json(void **state)
{
    struct batch *b = batch_new();
    batch_fact(b, 0, FACT_VM_AGENT_UP, 1);
    batch_fact(b, 0, FACT_VM_TIME_OFFSET, NAN);
    uint32_t key = batch_key(b, "/\"x\"");
    batch_fact(b, key, FACT_FS_USED, 4096);
    batch_attr(b, key, ATTR_FS_TYPE, "ext4\n");
    batch_attr(b, 0, ATTR_VM_GUEST_OS, NULL);
    char *text CLEANUP(freep) = encode(b);
    assert_string_equal(text, "{\"rows\":[{\"fact\":\"VM_AGENT_UP\",\"value\":1},"
                              "{\"fact\":\"VM_TIME_OFFSET\",\"value\":null},"
                              "{\"key\":\"/\\\"x\\\"\",\"fact\":\"FS_USED\",\"value\":4096},"
                              "{\"key\":\"/\\\"x\\\"\",\"attr\":\"FS_TYPE\",\"text\":\"ext4\\n\"},"
                              "{\"attr\":\"VM_GUEST_OS\",\"text\":null}]}");
    batch_free(b);
}

static void every_name_reads_back(void **state)
{
    struct batch *b = batch_new(), *back = batch_new();
    uint32_t key = batch_key(b, "k");
    for (int i = 0; i < FACT_MAX; i++) {
        if (model_facts[i].kind >= KIND_VM)
            batch_fact(b, model_facts[i].kind == KIND_VM ? 0 : key, i, i + 0.5);
    }
    for (int i = 0; i < ATTR_MAX; i++) {
        if (model_attrs[i].kind >= KIND_VM)
            batch_attr(b, model_attrs[i].kind == KIND_VM ? 0 : key, i, model_attrs[i].json);
    }
    assert_true(b->n_rows > 150);
    char *text CLEANUP(freep) = encode(b);
    struct err err = {0};
    assert_int_equal(batch_decode_json(text, strlen(text), back, &err), 0);
    assert_int_equal(back->n_rows, b->n_rows);
    for (uint32_t i = 0; i < b->n_rows; i++) {
        const struct batch_row *want = &b->rows[i], *got = &back->rows[i];
        assert_int_equal(got->fact, want->fact);
        assert_int_equal(got->attr, want->attr);
        assert_string_equal(back->text + got->key, b->text + want->key);
        assert_string_equal(back->text + got->text, b->text + want->text);
        assert_true(got->fact < 0 || got->value == want->value);
    }
    batch_free(b);
    batch_free(back);
}

static void absence_reads_back(void **state)
{
    static const char text[] = "{\"rows\":[{\"fact\":\"VM_AGENT_UP\",\"value\":null},"
                               "{\"attr\":\"VM_GUEST_OS\",\"text\":null},"
                               "{\"attr\":\"VM_GUEST_OS\",\"text\":\"\"}]}";
    struct err err = {0};
    struct batch *b = batch_new();
    assert_int_equal(batch_decode_json(text, strlen(text), b, &err), 0);
    assert_int_equal(b->n_rows, 3);
    assert_true(isnan(b->rows[0].value));
    assert_int_equal(b->rows[1].text, 0);
    assert_true(b->rows[2].text > 0);
    assert_string_equal(b->text + b->rows[2].text, "");
    batch_free(b);
}

static void refuse(const char *text, bool host)
{
    struct err err = {0};
    struct batch *b = batch_new();
    b->host = host;
    assert_int_equal(batch_decode_json(text, strlen(text), b, &err), -EPROTO);
    assert_int_equal(err.code, EPROTO);
    assert_true(err.message[0] != '\0');
    batch_free(b);
}

static void what_we_never_write_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"rows\":{}}",
        "{\"rows\":[],\"more\":1}",
        "{\"rows\":[],\"rows\":[]}",
        "{\"rows\":[1]}",
        "{\"rows\":[{}]}",
        "{\"rows\":[{\"fact\":\"VM_AGENT_UP\"}]}",
        "{\"rows\":[{\"fact\":\"VM_NO_SUCH\",\"value\":1}]}",
        "{\"rows\":[{\"fact\":3,\"value\":1}]}",
        "{\"rows\":[{\"fact\":\"VM_AGENT_UP\",\"value\":\"1\"}]}",
        "{\"rows\":[{\"fact\":\"VM_AGENT_UP\",\"value\":1e999}]}",
        "{\"rows\":[{\"fact\":\"VM_AGENT_UP\",\"text\":\"x\"}]}",
        "{\"rows\":[{\"fact\":\"VM_AGENT_UP\",\"value\":1,\"more\":1}]}",
        "{\"rows\":[{\"key\":\"/\",\"fact\":\"VM_AGENT_UP\",\"value\":1}]}",
        "{\"rows\":[{\"fact\":\"FS_USED\",\"value\":1}]}",
        "{\"rows\":[{\"key\":\"\",\"fact\":\"FS_USED\",\"value\":1}]}",
        "{\"rows\":[{\"key\":1,\"fact\":\"FS_USED\",\"value\":1}]}",
        "{\"rows\":[{\"key\":\"a\\u0000b\",\"fact\":\"FS_USED\",\"value\":1}]}",
        "{\"rows\":[{\"key\":\"0\",\"fact\":\"CPU_IDLE\",\"value\":1}]}",
        "{\"rows\":[{\"fact\":\"HOST_LOAD1\",\"value\":1}]}",
        "{\"rows\":[{\"attr\":\"VM_GUEST_OS\",\"text\":1}]}",
        "{\"rows\":[]} x",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        refuse(bad[i], false);
    refuse("{\"rows\":[{\"fact\":\"VM_AGENT_UP\",\"value\":1}]}", true);
}

static void too_much_is_refused(void **state)
{
    struct batch *b = batch_new();
    for (int i = 0; i < 16385; i++)
        batch_fact(b, 0, FACT_VM_AGENT_UP, 1);
    char *text CLEANUP(freep) = encode(b);
    refuse(text, false);
    batch_reset(b);
    char long_text[4098];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    batch_attr(b, 0, ATTR_VM_GUEST_OS, long_text);
    char *second CLEANUP(freep) = encode(b);
    refuse(second, false);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_json),    cmocka_unit_test(every_name_reads_back),
        cmocka_unit_test(absence_reads_back),  cmocka_unit_test(what_we_never_write_is_refused),
        cmocka_unit_test(too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
