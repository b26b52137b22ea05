// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "promql/memory.h"
#include "rule/template.h"

static struct promql_memory *memory;

static int query(void *arg, const char *text, struct promql_result **ret, struct err *err)
{
    const struct promql_options options = {0};
    struct promql_expr *expr = NULL;
    int r = promql_parse(text, strlen(text), &expr, err);
    if (r == 0)
        r = promql_eval_instant(expr, promql_memory_source(memory), 60000, &options, ret, err);
    promql_expr_free(expr);
    return r;
}

static int expand(const char *text, double value, struct buf *out, struct err *err)
{
    const struct label label[] = {{"domain", "db-1"}, {"host", "h.example.org:9177"}};
    const struct label outside[] = {{"site", "north"}};
    struct labels *l = labels_new(label, 2), *external = labels_new(outside, 1);
    struct rule_template *t = NULL;
    const struct rule_template_env env = {.labels = l,
                                          .external_labels = external,
                                          .external_url = "http://watch.example/herd",
                                          .value = value,
                                          .now_ms = 1500,
                                          .query = query};
    int r = rule_template_parse(text, strlen(text), &t, err);
    if (r == 0)
        r = rule_template_expand(t, &env, out, err);
    rule_template_free(t);
    labels_free(l);
    labels_free(external);
    return r;
}

static void check(const char *text, double value, const char *expected)
{
    CLEANUP(buf_done) struct buf out;
    struct err err = {0};
    buf_init(&out, 1 << 20);
    if (expand(text, value, &out, &err) < 0)
        fail_msg("%s: %s", text, err.message);
    assert_string_equal(out.data ? out.data : "", expected);
}

static void check_fails(const char *text, const char *message)
{
    CLEANUP(buf_done) struct buf out;
    struct err err = {0};
    buf_init(&out, 1 << 20);
    if (expand(text, 1, &out, &err) == 0)
        fail_msg("%s: expands to %s", text, out.data);
    if (!strstr(err.message, message))
        fail_msg("%s: \"%s\" is not in \"%s\"", text, message, err.message);
}

static void test_variables(void **state)
{
    check("plain { text }", 1, "plain { text }");
    check("{{ $labels.domain }} {{.Labels.domain}} {{ $.Labels.domain }}", 1, "db-1 db-1 db-1");
    check("[{{ $labels.nothing }}]", 1, "[]");
    check("{{ $value }} {{ .Value }}", 0.25, "0.25 0.25");
    check("{{ $value }}", 1e21, "1e+21");
    check("{{ $value }}", 123456789, "1.23456789e+08");
    check("{{ $value }}", NAN, "NaN");
    check("{{ $externalLabels.site }} {{ $externalURL }} {{ externalURL }} {{ pathPrefix }}", 1,
          "north http://watch.example/herd http://watch.example/herd /herd");
    check("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", 1, "2");
    check("{{ $labels }}", 1, "map[domain:db-1 host:h.example.org:9177]");
}

static void test_control(void **state)
{
    check("{{ if gt $value 1.0 }}a{{ else if eq $value 1.0 }}b{{ else }}c{{ end }}", 1, "b");
    check("{{ with $labels.domain }}{{ . }}{{ else }}none{{ end }}", 1, "db-1");
    check("{{ with $labels.x }}{{ . }}{{ else }}none{{ end }}", 1, "none");
    check("{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}", 1,
          "domain=db-1;host=h.example.org:9177;");
    check("{{ range $i := 4 }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ if eq $i 3 }}{{ break }}"
          "{{ end }}{{ $i }}{{ end }}",
          1, "02");
    check("a {{- /* a comment */ -}} b", 1, "ab");
    check("a  {{- 1 -}}  b", 1, "a1b");
    check("{{ define \"t\" }}<{{ .arg0 }} {{ .arg1 }}>{{ end }}{{ template \"t\" (args 1 \"x\") }}",
          1, "<1 x>");
    check("{{ define \"t\" }}{{ . }}{{ end }}{{ tmpl \"t\" 5 }}{{ \"x\" | tmpl \"t\" }}", 1, "5x");
    check("{{ block \"b\" 3 }}[{{ . }}]{{ end }}", 1, "[3]");
}

static void test_go_functions(void **state)
{
    check("{{ printf \"%.2f|%5d|%-5s|%05.1f|%q|%v|%x|%t|%%\" 3.14159 42 \"ab\" 2.5 \"q\" 1.5 255 "
          "true }}",
          1, "3.14|   42|ab   |002.5|\"q\"|1.5|ff|true|%");
    check("{{ printf \"%d\" 1.5 }} {{ printf \"%d\" }} {{ printf \"x\" 1 }}", 1,
          "%!d(float64=1.5) %!d(MISSING) x%!(EXTRA int=1)");
    check("{{ and 1 0 2 }} {{ or 0 3 }} {{ not true }} {{ len \"abc\" }} {{ index $labels "
          "\"domain\" }}",
          1, "0 3 false 3 db-1");
    check("{{ print 1 2 \"a\" }} {{ slice \"abcdef\" 1 3 }} {{ html \"<a>\" }} {{ urlquery \"a "
          "b&\" }}",
          1, "1 2a bc &lt;a&gt; a+b%26");
    check("{{ 1.5 | printf \"%.1f\" | len }} {{ 'a' }} {{ 0x10 }} {{ `raw\\n` }} {{ \"\\u00e4\\t\" "
          "}}",
          1, "3 97 16 raw\\n ä\t");
}

static void test_numbers(void **state)
{
    check("{{ humanize 1048576 }} {{ humanize 0.0015 }} {{ humanize 0 }} {{ humanize -1234.5 }}", 1,
          "1.049M 1.5m 0 -1.234k");
    check("{{ humanize1024 1048576 }} {{ humanize1024 1500 }} {{ humanize1024 1 }}", 1,
          "1Mi 1.465ki 1");
    check(
        "{{ humanizeDuration 135.3563 }} {{ humanizeDuration 0.25 }} {{ humanizeDuration 90061 }} "
        "{{ humanizeDuration 59.5 }} {{ humanizeDuration \"3700\" }} {{ humanizeDuration -61 }}",
        1, "2m 15s 250ms 1d 1h 1m 1s 59.5s 1h 1m 40s -1m 1s");
    check("{{ humanizePercentage 0.959 }} {{ humanizePercentage 1e-5 }}", 1, "95.9% 0.001%");
    check("{{ humanizeTimestamp 1643114203 }} {{ humanizeTimestamp 1.25 }}", 1,
          "2022-01-25 12:36:43 +0000 UTC 1970-01-01 00:00:01.25 +0000 UTC");
    check("{{ humanize $value }}", INFINITY, "+Inf");
    check("{{ parseDuration \"2h10m15s\" }} {{ toDuration 90 }} {{ toTime 60 }} {{ now }}", 1,
          "7815 1m30s 1970-01-01 00:01:00 +0000 UTC 1.5");
}

static void test_texts(void **state)
{
    check("{{ title \"this part\" }} {{ toUpper \"is testing\" }} {{ toLower \"THE STRINGS\" }}", 1,
          "This Part IS TESTING the strings");
    check("{{ toUpper \"grün\" }}", 1, "GRÜN");
    check("{{ stripPort \"[::1]:6006\" }} {{ stripPort \"127.0.0.1:4004\" }} {{ stripPort \"x\" }}",
          1, "::1 127.0.0.1 x");
    check(
        "{{ stripDomain $labels.host }} {{ stripDomain \"1.2.3.4:5\" }} {{ stripDomain \"a.b\" }}",
        1, "h:9177 1.2.3.4:5 a");
    check("{{ match \"[0-9]+\" \"1234\" }} {{ match \"[0-9]+$\" \"1234a\" }} "
          "{{ reReplaceAll \"r.*d\" \"replaced\" \"rpld text\" }}",
          1, "true false replaced text");
    check("{{ reReplaceAll \"(a)(b)\" \"$2$1\" \"abab\" }} {{ safeHtml \"<b>\" }}", 1, "baba <b>");
    check("{{ graphLink \"a b\" }} {{ tableLink \"up\" }}", 1,
          "/graph?g0.expr=a+b&g0.tab=0 /graph?g0.expr=up&g0.tab=1");
}

static void test_queries(void **state)
{
    check("{{ query \"up\" | first | value }}", 1, "2");
    check("{{ range query \"up\" | sortByLabel \"id\" }}{{ .Labels.id }}:{{ .Value }},{{ end }}", 1,
          "a:2,b:1,");
    check("{{ with query \"up\" }}{{ . | sortByLabel \"id\" | first | label \"id\" }}{{ end }}", 1,
          "a");
    check(
        "{{ query \"nothing\" | len }} {{ with query \"1 + 1\" }}{{ . | first | value }}{{ end }}",
        1, "0 2");
    check_fails("{{ query \"nothing\" | first }}", "first() called on vector with no elements");
    check_fails("{{ query \"up[\" }}", "parse error");
}

static void test_failures(void **state)
{
    check_fails("{{ nothing 1 }}", "function \"nothing\" not defined");
    check_fails("{{ $x }}", "undefined variable \"$x\"");
    check_fails("{{ if true }}", "{{end}} missing");
    check_fails("{{ end }}", "unexpected {{end}}");
    check_fails("{{ 1 ", "unclosed action");
    check_fails("\n\n{{ (1 }}", "line 3");
    check_fails("{{ humanize \"x\" }}", "\"x\" is no number");
    check_fails("{{ eq 1 1.0 }}", "incompatible types");
    check_fails("{{ template \"none\" }}", "not defined");
    check_fails("{{ $.labels.x }}", "can't evaluate field labels");
    check_fails("{{ len 1 }}", "len of type int");
    check_fails("{{ define \"r\" }}{{ template \"r\" }}{{ end }}{{ template \"r\" }}", "too deep");
    check_fails("{{ range 99999999 }}{{ end }}", "too many steps");
    check_fails("{{ range 99999 }}aaaaaaaaaaaaaaaa{{ end }}", "expands to more than");
}

static int setup(void **state)
{
    memory = promql_memory_new();
    for (int i = 0; i < 2; i++) {
        const struct label label[] = {{LABEL_METRIC_NAME, "up"}, {"id", i ? "a" : "b"}};
        struct labels *l = labels_new(label, 2);
        promql_memory_append(memory, l, 60000, i + 1);
        labels_free(l);
    }
    return 0;
}

static int teardown(void **state)
{
    promql_memory_free(memory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variables),    cmocka_unit_test(test_control),
        cmocka_unit_test(test_go_functions), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_texts),        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
