// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "scratch.h"

static const struct store_schema *const schemas[] = {&audit_schema};
static struct clock_fake fake;

struct log {
    struct store *store;
    struct audit *audit;
};

static int try_open(const char *path, struct log *l)
{
    struct err err = {0};
    *l = (struct log){0};
    int r = store_open(path, schemas, 1, &l->store, &err);
    if (r < 0)
        return r;
    r = audit_new(l->store, &fake.clock, &l->audit);
    if (r < 0)
        store_close(TAKE_PTR(l->store));
    return r;
}

static struct log open_log(const char *path)
{
    struct log l;
    assert_int_equal(try_open(path, &l), 0);
    return l;
}

static void close_log(struct log *l)
{
    audit_free(l->audit);
    store_close(l->store);
}

static bool add_line(const struct audit_record *r, void *arg)
{
    struct buf *out = arg;
    audit_record_json(r, out);
    buf_putc(out, '\n');
    return true;
}

static char *export_all(struct audit *a)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    const struct audit_filter all = {0};
    if (audit_search(a, &all, add_line, &b) < 0) {
        buf_done(&b);
        return NULL;
    }
    return b.data ? b.data : mem_strdup("");
}

static const struct audit_entry start = {"user:alice", "10.0.0.9", "vm.start",
                                         "web-1",      "{}",       AUDIT_NONE};

static void fill(struct audit *a)
{
    int64_t seq;
    for (int i = 0; i < 6; i++) {
        assert_int_equal(audit_intent(a, &start, NULL, &seq), 0);
        clock_fake_advance(&fake, NS_PER_S);
        if (i != 3)
            assert_int_equal(audit_outcome(a, seq, i % 2 ? AUDIT_FAILED : AUDIT_DONE, "running"),
                             0);
    }
    const struct audit_entry login = {
        .principal = "user:bob", .verb = "login", .result = AUDIT_REFUSED};
    assert_int_equal(audit_event(a, &login), 0);
}

static void each_deed_once(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    struct log l = open_log(path);
    int64_t seq = 0, again = 0;
    assert_int_equal(audit_intent(l.audit, &start, "task-1", &seq), 0);
    assert_int_equal(seq, 1);
    assert_int_equal(audit_intent(l.audit, &start, "task-1", &again), -EEXIST);
    assert_int_equal(again, seq);
    assert_int_equal(audit_pending(l.audit, &again, 1), 1);
    assert_int_equal(again, seq);
    assert_int_equal(audit_outcome(l.audit, seq, AUDIT_DONE, NULL), 0);
    assert_int_equal(audit_outcome(l.audit, seq, AUDIT_FAILED, NULL), -EEXIST);
    assert_int_equal(audit_outcome(l.audit, 99, AUDIT_DONE, NULL), -ENOENT);
    assert_int_equal(audit_outcome(l.audit, 2, AUDIT_DONE, NULL), -ENOENT);
    assert_int_equal(audit_pending(l.audit, &again, 1), 0);
    CLEANUP(freep) char *text = export_all(l.audit);
    assert_non_null(strstr(text, "\"seq\":2,\"time\":1000,\"kind\":\"outcome\",\"intent\":1,"
                                 "\"principal\":\"user:alice\",\"address\":\"10.0.0.9\","
                                 "\"verb\":\"vm.start\",\"object\":\"web-1\",\"detail\":\"\","
                                 "\"result\":\"done\""));
    assert_true(store_exec(l.store, "UPDATE audit SET object = 'x' WHERE seq = 1") < 0);
    assert_true(store_exec(l.store, "DELETE FROM audit WHERE seq = 2") < 0);
    close_log(&l);
}

static void a_rolled_back_record_leaves_no_gap(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    struct log l = open_log(path);
    struct audit_report report;
    int64_t seq;
    fill(l.audit);
    assert_int_equal(store_begin(l.store), 0);
    assert_int_equal(audit_intent(l.audit, &start, NULL, &seq), 0);
    store_rollback(l.store);
    assert_int_equal(audit_verify(l.audit, NULL, &report), 0);
    assert_int_equal(audit_intent(l.audit, &start, NULL, &seq), 0);
    assert_int_equal(seq, 13);
    assert_int_equal(audit_verify(l.audit, NULL, &report), 0);
    assert_int_equal(report.records, 13);
    assert_int_equal(report.open, 2);
    close_log(&l);
}

static void texts_are_made_safe(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    CLEANUP(freep) char *large = mem_zalloc(3 * AUDIT_TEXT_MAX);
    struct log l = open_log(path);
    struct audit_report report;
    for (size_t i = 0; i + 2 < 3 * AUDIT_TEXT_MAX; i += 2)
        memcpy(large + i, "\xC3\xA9", 2); // é
    const struct audit_entry odd = {.principal = "a\xFF\nb", .object = large};
    assert_int_equal(audit_event(l.audit, &odd), 0);
    CLEANUP(freep) char *text = export_all(l.audit);
    assert_non_null(strstr(text, "a\xEF\xBF\xBD\\nb"));
    assert_int_equal(audit_verify(l.audit, NULL, &report), 0);
    close_log(&l);
}

static void search_finds(void **state)
{
    static const struct {
        struct audit_filter filter;
        int found;
    } cases[] = {
        {{0}, 12},
        {{.principal = "user:bob"}, 1},
        {{.principal = "user:b"}, 0},
        {{.verb = "vm.start", .result = "failed"}, 2},
        {{.result = "nonsense"}, 0},
        {{.text = "WEB-1"}, 11},
        {{.text = "%"}, 0},
        {{.since_ns = 1001 * NS_PER_S, .until_ns = 1002 * NS_PER_S}, 2},
        {{.after_seq = 10}, 2},
        {{.before_seq = 3}, 2},
        {{.limit = 5}, 5},
    };
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    clock_fake_init(&fake, 0, 1000 * NS_PER_S);
    struct log l = open_log(path);
    fill(l.audit);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) struct buf b;
        buf_init(&b, 1 << 20);
        assert_int_equal(audit_search(l.audit, &cases[i].filter, add_line, &b), 0);
        int lines = 0;
        for (size_t at = 0; at < b.len; at++)
            lines += b.data[at] == '\n';
        if (lines != cases[i].found)
            fail_msg("case %zu found %d", i, lines);
    }
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 20);
    const struct audit_filter newest = {.newest_first = true, .limit = 1};
    assert_int_equal(audit_search(l.audit, &newest, add_line, &b), 0);
    assert_non_null(strstr(b.data, "\"seq\":12,"));
    close_log(&l);
}

static void flip(const char *path, off_t at, unsigned char mask)
{
    unsigned char c;
    CLEANUP(closep) int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= mask;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
}

static off_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : 0;
}

// Either the change is found, or it touched nothing that a record says.
static int check_flipped(const char *path, const char *whole)
{
    struct log l;
    struct audit_report report;
    if (try_open(path, &l) < 0)
        return 1;
    int found = audit_verify(l.audit, NULL, &report) < 0;
    CLEANUP(freep) char *text = export_all(l.audit);
    if (!found && (!text || strcmp(text, whole) != 0))
        found = -1;
    close_log(&l);
    return found;
}

static void copy(const char *from, const char *to)
{
    CLEANUP(freep) char *data = NULL;
    size_t len;
    unlink(to);
    if (fs_read_file(AT_FDCWD, from, 1 << 20, &data, &len) < 0)
        return;
    CLEANUP(closep) int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(fs_write_all(fd, data, len), 0);
}

static const char *const parts[] = {"", ".head", "-wal"};

static void copy_all(const char *from, const char *to)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        CLEANUP(freep) char *a = mem_printf("%s%s", from, parts[i]);
        CLEANUP(freep) char *b = mem_printf("%s%s", to, parts[i]);
        copy(a, b);
    }
    CLEANUP(freep) char *shm = mem_printf("%s-shm", to);
    unlink(shm);
}

static void flip_everywhere(const char *path, const char *whole, size_t part, off_t step)
{
    CLEANUP(freep) char *victim = mem_printf("%s.victim", path);
    CLEANUP(freep) char *file = mem_printf("%s%s", victim, parts[part]);
    int found = 0;
    copy_all(path, victim);
    off_t size = size_of(file);
    assert_true(size > 0);
    for (off_t at = 0; at < size; at += step) {
        copy_all(path, victim);
        flip(file, at, (unsigned char)(1u << (at % 8)));
        int r = check_flipped(victim, whole);
        if (r < 0)
            fail_msg("byte %lld of %s was changed and not found", (long long)at, file);
        found += r;
    }
    assert_true(found > 0);
}

static void a_changed_byte_is_found(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    clock_fake_init(&fake, 0, 1000 * NS_PER_S);
    struct log l = open_log(path);
    fill(l.audit);
    CLEANUP(freep) char *whole = export_all(l.audit);
    // As kill -9 would leave it, with all in the WAL.
    CLEANUP(freep) char *crashed = mem_printf("%s/crashed.db", d.path);
    copy_all(path, crashed);
    close_log(&l);
    flip_everywhere(path, whole, 0, 7);
    flip_everywhere(path, whole, 1, 1);
    flip_everywhere(crashed, whole, 2, 211);
}

static void every_byte_of_a_record_counts(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    CLEANUP(freep) char *data = NULL;
    size_t len;
    struct log l = open_log(path);
    const struct audit_entry e = {"principal-", "address-", "verb-", "object-", "detail-", 0};
    int64_t seq;
    assert_int_equal(audit_intent(l.audit, &e, NULL, &seq), 0);
    close_log(&l);
    assert_int_equal(fs_read_file(AT_FDCWD, path, 1 << 20, &data, &len), 0);
    const char *at = memmem(data, len, "principal-address-verb-object-detail-", 37);
    assert_non_null(at);
    for (off_t i = 0; i < 37; i++) {
        flip(path, at - data + i, 0x20);
        assert_int_equal(check_flipped(path, "never equal"), 1);
        flip(path, at - data + i, 0x20);
    }
}

static void a_cut_end_is_found(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    struct log l = open_log(path);
    struct audit_report report;
    struct audit_anchor anchor;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 256);
    fill(l.audit);
    assert_int_equal(audit_verify(l.audit, NULL, &report), 0);
    audit_anchor_format(report.head_seq, report.head, &text);
    assert_int_equal(audit_anchor_parse(text.data, &anchor), 0);
    assert_int_equal(audit_verify(l.audit, &anchor, &report), 0);
    // Whoever owns the file can do this, and write down a new head.
    assert_int_equal(store_exec(l.store, "DROP TRIGGER audit_no_delete"), 0);
    assert_int_equal(store_exec(l.store, "DELETE FROM audit WHERE seq = 12"), 0);
    assert_int_equal(audit_verify(l.audit, NULL, &report), -EUCLEAN);
    assert_int_equal(report.bad_seq, 12);
    assert_int_equal(store_exec(l.store, "UPDATE audit_head SET seq = 11, hash = (SELECT hash FROM "
                                         "audit WHERE seq = 11)"),
                     0);
    assert_int_equal(audit_verify(l.audit, NULL, &report), -EUCLEAN);
    CLEANUP(freep) char *head = mem_printf("%s.head", path);
    buf_reset(&text);
    audit_anchor_format(11, report.head, &text);
    buf_putc(&text, '\n');
    scratch_write(head, text.data);
    assert_int_equal(audit_verify(l.audit, NULL, &report), 0);
    assert_int_equal(audit_verify(l.audit, &anchor, &report), -EUCLEAN);
    close_log(&l);
}

static void anchors_are_read_strictly(void **state)
{
    static const char *const bad[] = {"", ":", "1", "1:", "0:00", "1:zz", "-1:", "x:1"};
    struct audit_anchor anchor;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(audit_anchor_parse(bad[i], &anchor), -EINVAL);
}

// A child does deeds; whatever it said to have written is there, once, when it was killed.
static void do_deeds(const char *path, int out)
{
    struct log l;
    struct audit_report report;
    if (try_open(path, &l) < 0 || audit_verify(l.audit, NULL, &report) < 0)
        _exit(2);
    for (int64_t n = report.records;; n++) {
        CLEANUP(freep) char *key = mem_printf("%lld", (long long)n);
        int64_t seq;
        if (audit_intent(l.audit, &start, key, &seq) < 0 || write(out, &seq, sizeof(seq)) < 0 ||
            audit_outcome(l.audit, seq, AUDIT_DONE, key) < 0)
            _exit(3);
    }
}

static void kill_leaves_each_record_once(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    int64_t told = 0;
    const char *rounds = getenv("VHERD_TEST_LONG");
    for (int round = 0; round < (rounds ? 1000 : 40); round++) {
        int fds[2], status;
        struct audit_report report;
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(fds[0]);
            do_deeds(path, fds[1]);
        }
        close(fds[1]);
        for (int i = 0; i < 1 + round % 3; i++)
            assert_int_equal(read(fds[0], &told, sizeof(told)), sizeof(told));
        usleep((useconds_t)(round * 211 % 3000));
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        while (read(fds[0], &told, sizeof(told)) == sizeof(told))
            ;
        close(fds[0]);
        struct log l = open_log(path);
        if (audit_verify(l.audit, NULL, &report) < 0)
            fail_msg("round %d: %s", round, report.message);
        // The last told is an intent; its outcome may have followed, and another intent.
        assert_in_range(report.records, told, told + 2);
        int64_t open[4];
        int n = audit_pending(l.audit, open, ARRAY_LEN(open));
        assert_in_range(n, 0, 1);
        if (n == 1)
            assert_int_equal(audit_outcome(l.audit, open[0], AUDIT_UNKNOWN, "killed"), 0);
        close_log(&l);
    }
}

int main(void)
{
    clock_fake_init(&fake, 0, 1000 * NS_PER_S);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_deed_once),
        cmocka_unit_test(a_rolled_back_record_leaves_no_gap),
        cmocka_unit_test(texts_are_made_safe),
        cmocka_unit_test(search_finds),
        cmocka_unit_test(a_changed_byte_is_found),
        cmocka_unit_test(every_byte_of_a_record_counts),
        cmocka_unit_test(a_cut_end_is_found),
        cmocka_unit_test(anchors_are_read_strictly),
        cmocka_unit_test(kill_leaves_each_record_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
