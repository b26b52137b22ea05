// SPDX-License-Identifier: GPL-3.0-or-later
// Matchers of labels, local time of zones against the C library's, forms of messages.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>

#include "base/mem.h"
#include "notify/matcher.h"
#include "notify/message.h"
#include "zone.h"

static void test_matchers(void **state)
{
    static const struct {
        const char *text;
        bool matches; // {alertname="A", domain="db-1", note="x\"y"}
        const char *formatted;
    } rows[] = {
        {"alertname=A", true, "alertname=\"A\""},
        {" alertname = \"A\" ", true, "alertname=\"A\""},
        {"{alertname=\"A\",domain=~\"db-.*\"}", true, "alertname=\"A\",domain=~\"db-.*\""},
        {"domain=~\"db\"", false, "domain=~\"db\""},
        {"domain!~\"db\"", true, "domain!~\"db\""},
        {"missing=\"\"", true, "missing=\"\""},
        {"missing!=\"\"", false, "missing!=\"\""},
        {"note=\"x\\\"y\"", true, "note=\"x\\\"y\""},
        {"alertname!=B,domain=web", false, "alertname!=\"B\",domain=\"web\""},
        {"{}", true, NULL},
    };
    struct label label[] = {{"alertname", "A"}, {"domain", "db-1"}, {"note", "x\"y"}};
    struct labels *labels = labels_new(label, ARRAY_LEN(label));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct matchers m = {0};
        struct err err = {0};
        struct buf b;
        buf_init(&b, 4096);
        if (matchers_add(&m, rows[i].text, &err) < 0)
            fail_msg("%s", err.message);
        if (matchers_match(&m, labels) != rows[i].matches)
            fail_msg("%s", rows[i].text);
        matchers_format(&m, &b);
        if (rows[i].formatted)
            assert_string_equal(b.data, rows[i].formatted);
        matchers_done(&m);
        buf_done(&b);
    }
    labels_free(labels);
}

static void test_matchers_that_are_none(void **state)
{
    static const struct {
        const char *text;
        int column;
    } rows[] = {{"", 1},      {"a", 2},     {"a~b", 2},  {"=b", 1},
                {"a=\"b", 5}, {"a=b c", 5}, {"{a=b", 5}, {"a=~\"(\"", 7}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct matchers m = {0};
        struct err err = {0};
        assert_int_equal(matchers_add(&m, rows[i].text, &err), -EINVAL);
        if (err.column != rows[i].column)
            fail_msg("\"%s\": column %d", rows[i].text, err.column);
        assert_int_equal(m.n, 0);
        matchers_done(&m);
    }
}

static void test_zones(void **state)
{
    static const char *const names[] = {"UTC",          "Europe/Berlin",    "America/New_York",
                                        "Asia/Kolkata", "Australia/Sydney", "America/Sao_Paulo",
                                        "Africa/Cairo", "Pacific/Auckland", "Europe/Dublin",
                                        "America/Nuuk", "Asia/Tehran",      "Pacific/Apia"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct zone *z = NULL;
        struct err err = {0};
        if (zone_new(names[i], &z, &err) < 0)
            fail_msg("%s", err.message);
        setenv("TZ", names[i], 1);
        tzset();
        // Every 5 h 13 min from 1990 to 2060.
        for (time_t t = 631152000; t < 2840140800; t += 18780) {
            struct tm tm;
            localtime_r(&t, &tm);
            if (zone_offset(z, t) != tm.tm_gmtoff)
                fail_msg("%s at %lld: %d, not %ld", names[i], (long long)t, zone_offset(z, t),
                         tm.tm_gmtoff);
        }
        zone_free(z);
    }
    setenv("TZ", "UTC", 1);
    struct zone *z = NULL;
    struct err err = {0};
    assert_int_equal(zone_read("TZif2", 5, &z, &err), -EINVAL);
}

static const char message_text[] =
    "{\"id\":\"i-1\",\"host\":\"h1\",\"groupKey\":\"k\",\"subject\":\"[FIRING] A: d\xC3\xB6 on "
    "h1\","
    "\"text\":\"line 1\\n.\\n\",\"alerts\":["
    "{\"status\":\"firing\",\"labels\":{\"alertname\":\"A\",\"domain\":\"db;|x\",\"severity\":"
    "\"warning\"},\"annotations\":{\"summary\":\"s1\"},\"startsAt\":\"2025-01-01T00:00:00Z\","
    "\"endsAt\":\"0001-01-01T00:00:00Z\",\"fingerprint\":\"1\"},"
    "{\"status\":\"resolved\",\"labels\":{\"alertname\":\"B\",\"severity\":\"critical\"},"
    "\"annotations\":{},\"startsAt\":\"2025-01-01T00:00:00Z\",\"endsAt\":\"2025-01-02T00:00:00Z\","
    "\"fingerprint\":\"2\"}]}";

static void test_forms(void **state)
{
    json_t *j = json_loads(message_text, 0, NULL);
    struct buf b;
    buf_init(&b, 1 << 20);
    struct conf_receiver r = {
        .nagios = {.command_file = (char *)"/x", .host = (char *)"", .service = (char *)""}};
    assert_int_equal(notify_form_nagios(j, &r, 7000, false, &b), 0);
    assert_string_equal(b.data, "[7] PROCESS_SERVICE_CHECK_RESULT;h1;A;1;WARNING - A db  x: s1\n"
                                "[7] PROCESS_SERVICE_CHECK_RESULT;h1;B;0;OK\n");
    buf_reset(&b);
    r.nagios.service = (char *)"VMs";
    assert_int_equal(notify_form_nagios(j, &r, 7000, true, &b), 0);
    assert_string_equal(b.data, "h1\tVMs\t1\tWARNING - A db  x: s1\n");
    buf_reset(&b);
    assert_int_equal(notify_form_alertmanager(j, 1000, &b), 0);
    assert_non_null(strstr(b.data, "\"endsAt\":\"1970-01-01T00:04:01Z\""));
    assert_non_null(strstr(b.data, "\"endsAt\":\"2025-01-02T00:00:00Z\""));
    buf_reset(&b);
    char *to[] = {(char *)"a@x.org", (char *)"b@x.org"};
    struct conf_list list = {to, 2};
    assert_int_equal(notify_form_mail(j, "v@y.org", &list, 0, &b), 0);
    assert_non_null(strstr(b.data, "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n"));
    assert_non_null(strstr(b.data, "Subject: =?UTF-8?B?W0ZJUklOR10gQTogZMO2IG9uIGgx?=\r\n"));
    assert_non_null(strstr(b.data, "Message-ID: <i-1@y.org>\r\n"));
    assert_non_null(strstr(b.data, "\r\n\r\nbGluZSAxDQouDQo=\r\n"));
    assert_null(strstr(b.data, "\n."));
    buf_reset(&b);
    // RFC 4231, test case 2, with our time in front: computed by Python's hmac.
    notify_sign("Jefe", 5, "what do ya want for nothing?", 28, &b);
    assert_string_equal(b.data, "t=5,v1="
                                "da64fe9169c3da540d53d6c26071fda4fb814ff6cb086bb8462fc941dc745fcd");
    buf_done(&b);
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matchers),
        cmocka_unit_test(test_matchers_that_are_none),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
