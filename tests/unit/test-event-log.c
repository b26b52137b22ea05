// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/event_log.h"

static struct store *open_log(char *directory, char **ret_path)
{
    static const struct store_schema *const schemas[] = {&event_log_schema};
    struct err err = {0};
    struct store *s = NULL;
    assert_non_null(mkdtemp(directory));
    *ret_path = mem_printf("%s/state.db", directory);
    assert_int_equal(store_open(*ret_path, schemas, 1, &s, &err), 0);
    return s;
}

static void remove_log(struct store *s, const char *directory, char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    store_close(s);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        CLEANUP(freep) char *file = mem_printf("%s%s", path, ends[i]);
        unlink(file);
    }
    rmdir(directory);
    free(path);
}

struct seen {
    char text[512];
};

static bool see(const struct event *e, void *arg)
{
    struct seen *s = arg;
    size_t n = strlen(s->text);
    snprintf(s->text + n, sizeof(s->text) - n, "%lld:%s:%s:%s ", (long long)e->seq,
             event_kind_name(e->kind), e->name, e->vm ? e->vm : "-");
    return true;
}

static void expect(struct store *s, struct event_filter f, const char *text)
{
    struct seen seen = {""};
    assert_int_equal(event_log_search(s, &f, see, &seen), 0);
    assert_string_equal(seen.text, text);
}

static void test_search(void **state)
{
    char directory[] = "/tmp/test-event-log-XXXXXX", *path;
    struct store *s = open_log(directory, &path);
    const struct event events[] = {
        {0, 100, EVENT_LIFECYCLE, "started", "booted", "db", "u-1", NULL, "db: started", NULL},
        {0, 200, EVENT_LIBVIRT, "lost", NULL, NULL, NULL, NULL, "gone", "{\"a\":1}"},
        {0, 300, EVENT_LIFECYCLE, "stopped", "crashed", "web", "u-2", NULL, NULL, NULL},
    };
    int64_t seq = 0;
    assert_int_equal(event_log_last(s), 0);
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        assert_int_equal(event_log_add(s, &events[i], &seq), 0);
        assert_int_equal(seq, i + 1);
    }
    const enum event_kind any = EVENT_KIND_INVALID;
    expect(s, (struct event_filter){.kind = any},
           "1:lifecycle:started:db 2:libvirt:lost:- 3:lifecycle:stopped:web ");
    expect(s, (struct event_filter){.kind = any, .newest_first = true, .limit = 1},
           "3:lifecycle:stopped:web ");
    expect(s, (struct event_filter){.kind = EVENT_LIFECYCLE, .vm = "u-1"},
           "1:lifecycle:started:db ");
    expect(s, (struct event_filter){.kind = any, .vm = "web"}, "3:lifecycle:stopped:web ");
    expect(s, (struct event_filter){.kind = any, .since_ns = 200, .until_ns = 300},
           "2:libvirt:lost:- ");
    expect(s, (struct event_filter){.kind = any, .after_seq = 2}, "3:lifecycle:stopped:web ");
    // The same question, asked of an event at hand.
    struct event crash = events[2];
    crash.seq = 3;
    assert_true(event_matches(&(struct event_filter){.kind = any, .vm = "u-2"}, &crash));
    assert_false(event_matches(&(struct event_filter){.kind = EVENT_LIBVIRT}, &crash));
    assert_false(event_matches(&(struct event_filter){.kind = any, .until_ns = 300}, &crash));
    remove_log(s, directory, path);
}

static void test_retention_gives_no_number_twice(void **state)
{
    char directory[] = "/tmp/test-event-log-XXXXXX", *path;
    struct store *s = open_log(directory, &path);
    int64_t seq = 0;
    for (int i = 1; i <= 10; i++)
        assert_int_equal(
            event_log_add(s, &(struct event){.real_ns = i, .kind = EVENT_JOB, .name = "x"}, &seq),
            0);
    assert_int_equal(event_log_retain(s, 4, 0), 0);
    expect(s, (struct event_filter){.kind = EVENT_KIND_INVALID, .limit = 1}, "4:job:x:- ");
    // A row of one byte of text counts 65 bytes: two fit into 130.
    assert_int_equal(event_log_retain(s, 0, 130), 0);
    expect(s, (struct event_filter){.kind = EVENT_KIND_INVALID}, "9:job:x:- 10:job:x:- ");
    assert_int_equal(event_log_retain(s, INT64_MAX, 0), 0);
    expect(s, (struct event_filter){.kind = EVENT_KIND_INVALID}, "");
    assert_int_equal(event_log_last(s), 10);
    assert_int_equal(
        event_log_add(s, &(struct event){.real_ns = 1, .kind = EVENT_JOB, .name = "x"}, &seq), 0);
    assert_int_equal(seq, 11);
    remove_log(s, directory, path);
}

static void test_foreign_texts(void **state)
{
    char directory[] = "/tmp/test-event-log-XXXXXX", *path;
    struct store *s = open_log(directory, &path);
    struct seen seen = {""};
    int64_t seq = 0;
    char *longest = mem_zalloc(3 * EVENT_TEXT_MAX);
    memset(longest, 'x', 3 * EVENT_TEXT_MAX - 1);
    struct event e = {.kind = EVENT_FAULT, .name = "io_error", .vm = "\xff|", .text = longest};
    assert_int_equal(event_log_add(s, &e, &seq), 0);
    struct event_filter f = {.kind = EVENT_KIND_INVALID};
    assert_int_equal(event_log_search(s, &f, see, &seen), 0);
    assert_string_equal(seen.text, "1:fault:io_error:\xEF\xBF\xBD| ");
    free(longest);
    remove_log(s, directory, path);
}

static void test_words(void **state)
{
    static const struct {
        const char *name, *reason, *device, *words;
        enum event_kind kind;
        bool is_fault;
    } rows[] = {
        {"stopped", "crashed", NULL, "crashed: its QEMU process ended unexpectedly",
         EVENT_LIFECYCLE, true},
        {"crashed", "panicked", NULL, "panicked: the guest's kernel gave up", EVENT_LIFECYCLE,
         true},
        {"stopped", "destroyed", NULL, "was destroyed: somebody forced it off", EVENT_LIFECYCLE,
         false},
        {"io_error", "enospc", "virtio-disk0",
         "I/O error: no space is left on its storage; device virtio-disk0", EVENT_FAULT, true},
        {"watchdog", "reset", NULL, "its watchdog fired (reset)", EVENT_FAULT, true},
        {"block_job", "failed", "vda", "a block job failed; device vda", EVENT_FAULT, true},
        {"newer_than_us", "why", NULL, "newer_than_us (why)", EVENT_CONFIG, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 4096);
        event_words(rows[i].name, rows[i].reason, rows[i].device, &b);
        assert_string_equal(b.data, rows[i].words);
        assert_int_equal(event_kind_of(rows[i].name, rows[i].reason), rows[i].kind);
        struct event e = {.name = rows[i].name, .reason = rows[i].reason};
        assert_int_equal(event_is_fault(&e), rows[i].is_fault);
        buf_done(&b);
    }
    for (int k = 0; k < EVENT_KIND_MAX; k++)
        assert_int_equal(event_kind_parse(event_kind_name((enum event_kind)k)), k);
    assert_int_equal(event_kind_parse("x"), EVENT_KIND_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_retention_gives_no_number_twice),
        cmocka_unit_test(test_foreign_texts),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
