// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "keys.h"

DEFINE_FREEP(struct conf, conf_free, conf_freep)

static struct conf *parse(const char *text)
{
    struct conf *c = NULL;
    struct err err = {0};
    if (conf_parse("f", text, strlen(text), &c, &err) < 0)
        fail_msg("%s", err.message);
    return c;
}

static void test_defaults(void **state)
{
    CLEANUP(conf_freep) struct conf *c = conf_new();
    assert_string_equal(c->path, "");
    assert_string_equal(c->libvirt.uri, "");
    assert_int_equal(c->libvirt.interval_ns, 10 * NS_PER_S);
    assert_int_equal(c->libvirt.deadline_ns, 3 * NS_PER_S);
    assert_int_equal(c->libvirt.max_in_flight, 3);
    assert_int_equal(c->libvirt.quarantine_max_ns, 300 * NS_PER_S);
    assert_string_equal(c->kernel.root, "/");
    assert_true(c->agent.enabled);
    assert_int_equal(c->metrics.sets.n, 3);
    assert_string_equal(c->metrics.sets.items[2], "inovex");
    assert_false(c->metrics.misnamed);
    assert_int_equal(c->web.listen.n, 1);
    assert_string_equal(c->web.listen.items[0], "127.0.0.1:9177");
    assert_true(c->web.sandbox);
    assert_int_equal(c->log.level, LOG_LEVEL_INFO);
}

static void test_table_agrees_with_the_levels(void **state)
{
    for (size_t i = 0; i < conf_keys_count; i++)
        if (strcmp(conf_keys[i].name, "level") == 0)
            for (int l = 0; l < LOG_LEVEL_MAX; l++)
                assert_string_equal(conf_keys[i].choices[l], log_level_name((enum log_level)l));
}

static void test_nothing_means_defaults(void **state)
{
    static const char *const texts[] = {
        "", "\n", "# only a comment\n", "---\n", "~\n", "{}\n", "web:\n", "web: {}\nlog:\n  # x\n",
    };
    CLEANUP(buf_done) struct buf want;
    buf_init(&want, 65536);
    CLEANUP(conf_freep) struct conf *defaults = conf_new();
    conf_encode(defaults, &want);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(conf_freep) struct conf *c = parse(texts[i]);
        CLEANUP(buf_done) struct buf got;
        buf_init(&got, 65536);
        conf_encode(c, &got);
        assert_string_equal(got.data, want.data);
    }
}

static void test_values(void **state)
{
    CLEANUP(conf_freep)
    struct conf *c = parse("libvirt:\n"
                           "  uri: memory:///?vms=5&disks=2\n"
                           "  interval: 2m\n"
                           "  max_in_flight: 8\n"
                           "kernel: {interval: 100ms, root: \"/tmp/a b\"}\n"
                           "agent:\n"
                           "  enabled: false\n"
                           "metrics:\n"
                           "  sets:\n"
                           "    - inovex\n"
                           "web:\n"
                           "  listen: [\"[::1]:9177\", 0.0.0.0:1]\n"
                           "  socket_group: libvirt\n"
                           "log:\n"
                           "  level: debug\n");
    assert_string_equal(c->path, "f");
    assert_string_equal(c->libvirt.uri, "memory:///?vms=5&disks=2");
    assert_int_equal(c->libvirt.interval_ns, 120 * NS_PER_S);
    assert_int_equal(c->libvirt.max_in_flight, 8);
    assert_int_equal(c->kernel.interval_ns, 100 * NS_PER_MS);
    assert_string_equal(c->kernel.root, "/tmp/a b");
    assert_false(c->agent.enabled);
    assert_int_equal(c->metrics.sets.n, 1);
    assert_string_equal(c->metrics.sets.items[0], "inovex");
    assert_int_equal(c->web.listen.n, 2);
    assert_string_equal(c->web.listen.items[0], "[::1]:9177");
    assert_string_equal(c->web.socket_group, "libvirt");
    assert_int_equal(c->log.level, LOG_LEVEL_DEBUG);
    assert_int_equal(c->libvirt.deadline_ns, 3 * NS_PER_S);
}

static void test_empty_list(void **state)
{
    CLEANUP(conf_freep) struct conf *c = parse("web:\n  listen: []\n");
    assert_int_equal(c->web.listen.n, 0);
}

static const struct {
    const char *text;
    const char *message;
} wrong[] = {
    {"webb:\n  listen: []\n", "f:1:1: unknown section \"webb\"; did you mean \"web\"?"},
    {"disks:\n",
     "f:1:1: unknown section \"disks\"; known: libvirt, kernel, agent, metrics, "
     "store, web, act, query, plan, log, global, textfile, rules, events, notify, receive, "
     "scrape, remote_write"},
    {"listen: []\n", "f:1:1: unknown section \"listen\"; \"listen\" belongs under \"web:\""},
    {"web.listen: []\n", "f:1:1: unknown section \"web.listen\"; \"listen\" belongs under "
                         "\"web:\""},
    {"web:\n  lisen: []\n", "f:2:3: unknown key \"lisen\" under web; did you mean \"listen\"?"},
    {"web:\n  level: info\n", "f:2:3: unknown key \"level\" under web; \"level\" belongs under "
                              "\"log\""},
    {"log:\n  zzzzzz: 1\n", "f:2:3: unknown key \"zzzzzz\" under log; known: level"},
    {"log:\n  level: info\n  level: info\n", "f:3:3: log.level is given twice, first in line 2"},
    {"log:\n  level: info\nlog:\n", "f:3:1: section \"log\" is given twice"},
    {"log:\n  level: loud\n", "f:2:10: log.level: \"loud\" is not known; allowed: error, warning, "
                              "info or debug"},
    {"log:\n  level: [info]\n", "f:2:10: log.level is a list; allowed: error, warning, info or "
                                "debug"},
    {"log:\n  level: {a: b}\n", "f:2:10: log.level is a mapping; allowed: error, warning, info or "
                                "debug"},
    {"log:\n  level:\n", "f:2:9: log.level is empty (leave the key out for its default); allowed: "
                         "error, warning, info or debug"},
    {"libvirt:\n  interval: 10\n",
     "f:2:13: libvirt.interval: \"10\" is not a duration; allowed: a whole number with a unit (ms, "
     "s, m, h or d), from 1s to 1h"},
    {"libvirt:\n  interval: 999ms\n",
     "f:2:13: libvirt.interval: \"999ms\" is out of range; allowed: a whole number with a unit "
     "(ms, s, m, h or d), from 1s to 1h"},
    {"libvirt:\n  interval: 99999999999999999999s\n",
     "f:2:13: libvirt.interval: \"99999999999999999999s\" is out of range; allowed: a whole number "
     "with a unit (ms, s, m, h or d), from 1s to 1h"},
    {"libvirt:\n  max_in_flight: 9\n", "f:2:18: libvirt.max_in_flight: \"9\" is out of range; "
                                       "allowed: a whole number from 1 to 8"},
    {"libvirt:\n  max_in_flight: three\n", "f:2:18: libvirt.max_in_flight: \"three\" is not a "
                                           "whole number; allowed: a whole number from 1 to 8"},
    {"libvirt:\n  max_in_flight: \"3\"\n", "f:2:18: libvirt.max_in_flight: \"3\" is not a whole "
                                           "number; allowed: a whole number from 1 to 8"},
    {"agent:\n  enabled: yes\n", "f:2:12: agent.enabled: \"yes\" is neither true nor false; "
                                 "allowed: true or false"},
    {"metrics:\n  sets: vherd\n", "f:2:9: metrics.sets is a single value; allowed: a list of "
                                  "vherd, tinkoff or inovex"},
    {"metrics:\n  sets: [vherd, tinkof]\n", "f:2:17: metrics.sets: \"tinkof\" is not known; "
                                            "allowed: a list of vherd, tinkoff or inovex"},
    {"metrics:\n  sets: [vherd, vherd]\n", "f:2:17: metrics.sets: \"vherd\" is given twice; "
                                           "allowed: a list of vherd, tinkoff or inovex"},
    {"metrics:\n  sets: [[vherd]]\n", "f:2:10: metrics.sets: its items must be single values"},
    {"web:\n  listen: [localhost:9177]\n",
     "f:2:12: web.listen: \"localhost:9177\" does not fit; allowed: numeric addresses with a port: "
     "127.0.0.1:9177, 0.0.0.0:9177, \"[::1]:9177\""},
    {"web:\n  user: -root\n", "f:2:9: web.user: \"-root\" does not fit; allowed: a name of at most "
                              "32 letters, digits, '_', '.' and '-', or \"\""},
    {"web:\n  listen: 127.0.0.1:9177\n",
     "f:2:11: web.listen is a single value; allowed: a list of numeric addresses with a port: "
     "127.0.0.1:9177, 0.0.0.0:9177, \"[::1]:9177\""},
    {"web:\n  user:\n", "f:2:8: web.user is empty (leave the key out for its default); allowed: a "
                        "name of at most 32 letters, digits, '_', '.' and '-', or \"\""},
    {"kernel:\n  root: proc\n", "f:2:9: kernel.root: \"proc\" does not fit; allowed: a path that "
                                "begins with /"},
    {"libvirt:\n  uri: \"a\\nb\"\n", "f:2:8: libvirt.uri: \"a\nb\" holds control characters; "
                                     "allowed: one line of UTF-8"},
    {"libvirt:\n  uri: \"test:///x\\0y\"\n", "f:2:8: libvirt.uri: \"test:///x\" holds control "
                                             "characters; allowed: one line of UTF-8"},
    {"libvirt:\n  deadline: 10s\n", "f:2:13: libvirt.deadline (10s) must be shorter than "
                                    "libvirt.interval (10s)"},
    {"libvirt:\n  quarantine_min: 10m\n", "f:2:19: libvirt.quarantine_min (10m) must be at most "
                                          "libvirt.quarantine_max (5m)"},
    {"agent:\n  interval: 1s\n", "f:2:13: agent.deadline (5s) must be shorter than agent.interval "
                                 "(1s)"},
    {"log: &x b\n", "f:1:6: anchors and aliases are not allowed"},
    {"log: *x\n", "f:1:6: anchors and aliases are not allowed"},
    {"log: !!map {}\n", "f:1:6: tags are not allowed"},
    {"---\nlog: {}\n---\nlog: {}\n", "f:3:1: a second document: only one is allowed"},
    {"- a\n", "f:1:1: the file must hold sections with keys and values"},
    {"just words\n", "f:1:1: the file must hold sections with keys and values"},
    {"log: info\n", "f:1:6: section \"log\" must hold keys and values"},
    {"[a]: b\n", "f:1:1: a section's name must be a word"},
    {"? [a]\n: b\n", "f:1:3: a section's name must be a word"},
    {"log:\n  level: \"info\n", "f:3:1: not YAML: found unexpected end of stream, while scanning a "
                                "quoted scalar"},
    {"log:\n\tlevel: info\n", "f:2:1: not YAML: found character that cannot start any token, while "
                              "scanning for the next token"},
};

static void test_wrong(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct conf *c = NULL;
        struct err err = {0};
        int r = conf_parse("f", wrong[i].text, strlen(wrong[i].text), &c, &err);
        assert_true(r < 0);
        assert_null(c);
        assert_string_equal(err.message, wrong[i].message);
        int line = 0, column = 0;
        assert_int_equal(sscanf(err.message, "f:%d:%d:", &line, &column), 2);
        assert_int_equal(err.line, line);
        assert_int_equal(err.column, column);
    }
}

static void test_not_utf8(void **state)
{
    struct conf *c = NULL;
    struct err err = {0};
    assert_true(conf_parse("f", "log:\n  level: \xff\n", 16, &c, &err) < 0);
    assert_non_null(strstr(err.message, "not YAML in UTF-8"));
}

static void test_deep_nesting_ends_early(void **state)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    buf_puts(&text, "web: {listen: ");
    for (int i = 0; i < 100000; i++)
        buf_putc(&text, '[');
    struct conf *c = NULL;
    struct err err = {0};
    assert_true(conf_parse("f", text.data, text.len, &c, &err) < 0);
    assert_string_equal(err.message, "f:1:16: web.listen: its items must be single values");
}

static void test_encode_reads_back(void **state)
{
    CLEANUP(conf_freep)
    struct conf *a = parse("libvirt:\n"
                           "  uri: \"test:///a\\\"b\\\\c \xc3\xa4 # x\"\n"
                           "  interval: 90s\n"
                           "kernel: {interval: 1500ms}\n"
                           "web: {listen: [\"[::1]:9177\", 127.0.0.1:1]}\n"
                           "metrics: {sets: []}\n");
    CLEANUP(buf_done) struct buf first;
    CLEANUP(buf_done) struct buf second;
    buf_init(&first, 65536);
    buf_init(&second, 65536);
    conf_encode(a, &first);
    CLEANUP(conf_freep) struct conf *b = parse(first.data);
    conf_encode(b, &second);
    assert_string_equal(first.data, second.data);
    assert_string_equal(b->libvirt.uri, "test:///a\"b\\c \xc3\xa4 # x");
    assert_int_equal(b->kernel.interval_ns, 1500 * NS_PER_MS);
    assert_int_equal(b->metrics.sets.n, 0);
    assert_non_null(strstr(first.data, "interval: 90s\n"));
    assert_non_null(strstr(first.data, "interval: 1500ms\n"));
    assert_non_null(strstr(first.data, "listen: [\"[::1]:9177\", \"127.0.0.1:1\"]\n"));
}

static void test_ranges_are_inclusive(void **state)
{
    for (size_t i = 0; i < conf_keys_count; i++) {
        const struct conf_key *key = &conf_keys[i];
        if (key->type != CONF_INTEGER && key->type != CONF_DURATION && key->type != CONF_SIZE)
            continue;
        const int64_t tries[] = {key->min - 1, key->min, key->max, key->max + 1};
        for (size_t t = 0; t < ARRAY_LEN(tries); t++) {
            CLEANUP(conf_freep) struct conf *c = conf_new();
            CLEANUP(buf_done) struct buf text, why;
            buf_init(&text, 64);
            buf_init(&why, 4096);
            if (key->type != CONF_INTEGER && tries[t] < 0)
                continue; // neither a duration nor a size
            if (key->type == CONF_INTEGER || key->type == CONF_SIZE)
                buf_i64(&text, tries[t]);
            else if (tries[t] % 1000 == 0)
                conf_duration_format(tries[t], &text);
            else
                continue;
            struct conf_scalar s = {.text = text.data, .len = text.len};
            int r = conf_value_set(key, c, &s, &why);
            assert_int_equal(r, t == 1 || t == 2 ? 0 : -ERANGE);
        }
    }
}

static void test_durations_are_shown_in_documented_units(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0s"}, {90 * NS_PER_S, "90s"}, {7200 * NS_PER_S, "2h"}, {1500 * NS_PER_MS, "1500ms"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) struct buf text;
        buf_init(&text, 64);
        conf_duration_format(cases[i].ns, &text);
        assert_string_equal(text.data, cases[i].text);
    }
}

static void test_addresses(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"127.0.0.1:9177", true},
        {"[::1]:9177", true},
        {"[::]:65535", true},
        {"0.0.0.0:1", true},
        {"127.0.0.1", false},
        {"127.0.0.1:", false},
        {"127.0.0.1:0", false},
        {":9177", false},
        {"*:9177", false},
        {"127.0.0.1:65536", false},
        {"127.0.0.1:+1", false},
        {"::1:9177", false},
        {"[::1]9177", false},
        {"[::1]", false},
        {"[127.0.0.1]:1", false},
        {"[::1:9177", false},
        {"1.2.3:80", false},
        {"127.0.0.1:80:80", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) char *text = mem_printf("web: {listen: ['%s']}", cases[i].text);
        struct conf *c = NULL;
        struct err err = {0};
        int r = conf_parse("f", text, strlen(text), &c, &err);
        conf_free(c);
        if ((r == 0) != cases[i].ok)
            fail_msg("%s: %s", cases[i].text, err.message);
    }
}

static void test_load(void **state)
{
    char path[] = "/tmp/vherd-test-conf-XXXXXX";
    CLEANUP(closep) int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "log: {level: error}\n", 20), 20);
    struct conf *c = NULL;
    struct err err = {0};
    assert_int_equal(conf_load(path, &c, &err), 0);
    assert_string_equal(c->path, path);
    assert_int_equal(c->log.level, LOG_LEVEL_ERROR);
    conf_free(c);
    assert_int_equal(ftruncate(fd, 2 * 1024 * 1024), 0);
    assert_int_equal(conf_load(path, &c, &err), -EFBIG);
    assert_non_null(strstr(err.message, "1 MiB"));
    unlink(path);
    assert_int_equal(conf_load(path, &c, &err), -ENOENT);
    assert_non_null(strstr(err.message, "No such file"));
    assert_int_equal(conf_load("/tmp", &c, &err), -EISDIR);
}

static void test_default_paths(void **state)
{
    bool exists = true;
    setenv("VHERD_CONFIG", "/nowhere/x.yaml", 1);
    CLEANUP(freep) char *path = conf_default_path(&exists);
    assert_string_equal(path, "/nowhere/x.yaml");
    assert_false(exists);
    unsetenv("VHERD_CONFIG");
    CLEANUP(conf_freep) struct conf *c = parse("web: {socket: /a/b}\nlibvirt: {uri: 'test:///d'}");
    CLEANUP(freep) char *socket = conf_socket_path(c);
    CLEANUP(freep) char *uri = conf_libvirt_uri(c);
    assert_string_equal(socket, "/a/b");
    assert_string_equal(uri, "test:///d");
}

static void test_reference_names_every_key(void **state)
{
    CLEANUP(buf_done) struct buf text;
    CLEANUP(buf_done) struct buf manual;
    buf_init(&text, 1 << 20);
    buf_init(&manual, 1 << 20);
    conf_reference(&text);
    conf_manual(&manual);
    assert_int_equal(text.error, 0);
    for (size_t i = 0; i < conf_keys_count; i++) {
        CLEANUP(freep)
        char *name = mem_printf("| `%s.%s` |", conf_keys[i].section, conf_keys[i].name);
        assert_non_null(strstr(text.data, name));
        CLEANUP(freep) char *term = mem_printf("\n.B %s\n", conf_keys[i].name);
        assert_non_null(strstr(manual.data, term));
    }
}

static const char lists[] =
    "global: {external_labels: {host: h1}}\n"
    "receive: {max_body: 2MB}\n"
    "scrape:\n"
    "  - job_name: node\n"
    "    scrape_interval: 5s\n"
    "    params: {\"collect[]\": [cpu, mem], x: y}\n"
    "    static_configs:\n"
    "      - targets: [\"127.0.0.1:9100\", \"[::1]:9100\"]\n"
    "        labels: {rack: \"a \\\"b\\\"\"}\n"
    "    basic_auth: {username: u, password_file: /p}\n"
    "    metric_relabel_configs:\n"
    "      - {source_labels: [__name__, a], regex: \"go_.*\", action: drop}\n"
    "  - job_name: empty\n"
    "remote_write:\n"
    "  - url: http://127.0.0.1:9090/api/v1/write\n"
    "    protobuf_message: io.prometheus.write.v2.Request\n"
    "    queue_config: {max_samples_per_send: 500, retry_on_http_429: true}\n"
    "    headers: {X-Scope-OrgID: t}\n";

static void check_lists(const struct conf *c)
{
    assert_string_equal(c->global.external_labels.items[0].value, "h1");
    assert_int_equal(c->receive.max_body_bytes, 2 << 20);
    assert_int_equal(c->scrape.n, 2);
    const struct conf_scrape *s = c->scrape.items;
    assert_string_equal(s->job_name, "node");
    assert_int_equal(s->interval_ns, 5 * NS_PER_S);
    assert_int_equal(s->timeout_ns, 5 * NS_PER_S); // follows the interval
    assert_string_equal(s->metrics_path, "/metrics");
    assert_int_equal(s->params.n, 3);
    assert_string_equal(s->params.items[1].name, "collect[]");
    assert_string_equal(s->params.items[1].value, "mem");
    const struct conf_static *t = s->static_configs.items;
    assert_int_equal(t->targets.n, 2);
    assert_string_equal(t->labels.items[0].value, "a \"b\"");
    assert_string_equal(s->http.basic_auth.username, "u");
    const struct conf_relabel *r = s->metric_relabel_configs.items;
    assert_int_equal(r->source_labels.n, 2);
    assert_string_equal(r->replacement, "$1");
    assert_int_equal(r->action, 2);
    assert_string_equal(s[1].job_name, "empty");
    assert_int_equal(s[1].timeout_ns, 10 * NS_PER_S);
    const struct conf_remote_write *w = c->remote_write.items;
    assert_int_equal(w->message, CONF_RW_2_0);
    assert_int_equal(w->queue.max_samples_per_send, 500);
    assert_true(w->queue.retry_on_http_429);
    assert_true(w->metadata.send);
    assert_string_equal(w->http.headers.items[0].name, "X-Scope-OrgID");
}

static void test_lists_read_back(void **state)
{
    CLEANUP(conf_freep) struct conf *c = parse(lists);
    check_lists(c);
    assert_int_equal(((struct conf_scrape *)c->scrape.items)->line, 4);
    CLEANUP(buf_done) struct buf text, again;
    buf_init(&text, 65536);
    buf_init(&again, 65536);
    conf_encode(c, &text);
    CLEANUP(conf_freep) struct conf *copy = parse(text.data);
    check_lists(copy);
    conf_encode(copy, &again);
    assert_string_equal(again.data, text.data);
    assert_non_null(
        strstr(text.data, "params: {\"collect[]\": [\"cpu\", \"mem\"], \"x\": [\"y\"]}"));
}

static void test_lists_wrong(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"scrape: {}\n", "f:1:9: scrape is a mapping; allowed: a list of mappings"},
        {"scrape: [a]\n", "f:1:10: scrape: its items must be mappings"},
        {"scrape:\n  - scheme: http\n", "f:2:5: scrape.job_name must be given"},
        {"scrape:\n  - job_name: a\n    scrap_interval: 1s\n",
         "f:3:5: unknown key \"scrap_interval\" under scrape; did you mean \"scrape_interval\"?"},
        {"scrape:\n  - job_name: a\n    job_name: b\n",
         "f:3:5: scrape.job_name is given twice, first in line 2"},
        {"scrape:\n  - job_name: a\n    scrape_interval: 5s\n    scrape_timeout: 6s\n",
         "f:2:5: scrape: scrape_timeout must be at most scrape_interval"},
        {"scrape:\n  - job_name: a\n    static_configs: [{targets: [http://x]}]\n",
         "f:3:33: static_configs.targets: \"http://x\" does not fit; allowed: "},
        {"scrape:\n  - job_name: a\n    params: {x: {y: z}}\n",
         "f:3:17: scrape.params: a value must be a single one"},
        {"scrape:\n  - job_name: a\n    basic_auth: x\n",
         "f:3:17: scrape.basic_auth is a single value; allowed: a mapping"},
        {"scrape:\n  - job_name: a\n    relabel_configs: [{action: smash}]\n",
         "f:3:32: relabel_configs.action: \"smash\" is not known; allowed: replace, "},
        {"scrape:\n  - job_name: a\n    basic_auth: {username: u}\n"
         "    authorization: {credentials_file: /f}\n",
         "f:2:5: scrape: either basic_auth or authorization, not both"},
        {"remote_write:\n  - url: ftp://x\n", "f:2:10: remote_write.url: \"ftp://x\" does not fit"},
        {"remote_write:\n  - url: http://x\n    headers: {Host: x}\n",
         "f:3:21: remote_write.headers: \"Host\" does not fit"},
        {"global: {external_labels: {a: 1, a: 2}}\n",
         "f:1:37: global.external_labels: \"a\" is given twice"},
        {"global: {external_labels: {a-b: 1}}\n",
         "f:1:33: global.external_labels: \"a-b\" does not fit"},
        {"receive: {max_body: 1}\n", "f:1:21: receive.max_body: \"1\" is out of range; allowed: "},
        {"scrape: []\nscrape: []\n", "f:2:1: \"scrape\" is given twice"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf *c = NULL;
        struct err err = {0};
        assert_int_equal(conf_parse("f", rows[i].text, strlen(rows[i].text), &c, &err), -EINVAL);
        if (strncmp(err.message, rows[i].want, strlen(rows[i].want)) != 0)
            fail_msg("%s\ninstead of %s", err.message, rows[i].want);
    }
}

static void test_lists_as_json(void **state)
{
    CLEANUP(conf_freep) struct conf *c = parse("scrape: [{job_name: a}]\n");
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 65536);
    conf_encode_json(c, &text);
    assert_non_null(strstr(text.data, ",\"scrape\":[{\"job_name\": \"a\"}],\"remote_write\":[]}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_table_agrees_with_the_levels),
        cmocka_unit_test(test_nothing_means_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_empty_list),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_deep_nesting_ends_early),
        cmocka_unit_test(test_encode_reads_back),
        cmocka_unit_test(test_ranges_are_inclusive),
        cmocka_unit_test(test_durations_are_shown_in_documented_units),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_default_paths),
        cmocka_unit_test(test_reference_names_every_key),
        cmocka_unit_test(test_lists_read_back),
        cmocka_unit_test(test_lists_wrong),
        cmocka_unit_test(test_lists_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
