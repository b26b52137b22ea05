// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/event_log.h"

#include <errno.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "store/row.h"

// What a row takes besides its texts, roughly.
#define ROW_BYTES 64

static const char *const steps[] = {
    "CREATE TABLE event (seq INTEGER PRIMARY KEY AUTOINCREMENT, real_ns INTEGER NOT NULL,"
    " kind TEXT NOT NULL, name TEXT NOT NULL, reason TEXT, vm TEXT, uuid TEXT, device TEXT,"
    " text TEXT, detail TEXT, bytes INTEGER NOT NULL);"
    "CREATE INDEX event_time ON event (real_ns);"
    "CREATE INDEX event_vm ON event (vm)",
};

const struct store_schema event_log_schema = {"event_log", steps, ARRAY_LEN(steps)};

// A copy that is UTF-8 and not too long, NULL for none.
static char *clean(const char *text)
{
    if (!text)
        return NULL;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, EVENT_TEXT_MAX + 8);
    size_t len = strlen(text);
    for (size_t i = 0; i < len && b.len < EVENT_TEXT_MAX;) {
        size_t n = esc_utf8_next(text + i, len - i, NULL);
        if (n > 0)
            buf_put(&b, text + i, n);
        else
            buf_puts(&b, "\xEF\xBF\xBD");
        i += MAX_OF(n, (size_t)1);
    }
    return mem_strdup(b.len ? b.data : "");
}

int event_log_add(struct store *s, const struct event *e, int64_t *ret_seq)
{
    bool has_detail = e->detail && strlen(e->detail) <= EVENT_TEXT_MAX;
    const char *const texts[] = {e->name, e->reason, e->vm, e->uuid, e->device, e->text};
    CLEANUP(store_query_donep)
    struct store_query *q =
        store_query(s, "INSERT INTO event (real_ns, kind, name, reason, vm, uuid, device, text,"
                       " detail, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    int64_t bytes = ROW_BYTES + (int64_t)(has_detail ? strlen(e->detail) : 0);
    store_bind_i64(q, e->real_ns);
    store_bind_text(q, event_kind_name(e->kind));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(freep) char *text = clean(texts[i]);
        bytes += text ? (int64_t)strlen(text) : 0;
        store_bind_text(q, text);
    }
    store_bind_text(q, has_detail ? e->detail : NULL);
    store_bind_i64(q, bytes);
    int r = store_run(q);
    if (r == 0)
        *ret_seq = store_last_id(s);
    return r;
}

bool event_matches(const struct event_filter *f, const struct event *e)
{
    if ((f->since_ns && e->real_ns < f->since_ns) || (f->until_ns && e->real_ns >= f->until_ns) ||
        e->seq <= f->after_seq || (f->kind != EVENT_KIND_INVALID && f->kind != e->kind))
        return false;
    if (f->may && !f->may(f->arg, e))
        return false;
    return !f->vm || (e->vm && strcmp(f->vm, e->vm) == 0) ||
           (e->uuid && strcmp(f->vm, e->uuid) == 0);
}

#define SEARCH                                                                                     \
    "SELECT seq, real_ns, kind, name, reason, vm, uuid, device, text, detail FROM event WHERE "    \
    "seq > ?1 AND real_ns >= ?2 AND (?3 = 0 OR real_ns < ?3) AND (?4 IS NULL OR kind = ?4) AND "   \
    "(?5 IS NULL OR vm = ?5 OR uuid = ?5) ORDER BY seq "

static struct event read_row(struct store_query *q)
{
    return (struct event){
        .seq = store_i64(q, 0),
        .real_ns = store_i64(q, 1),
        .kind = event_kind_parse(store_text(q, 2)),
        .name = store_text(q, 3),
        .reason = store_text(q, 4),
        .vm = store_text(q, 5),
        .uuid = store_text(q, 6),
        .device = store_text(q, 7),
        .text = store_text(q, 8),
        .detail = store_text(q, 9),
    };
}

int event_log_search(struct store *s, const struct event_filter *f,
                     bool (*each)(const struct event *, void *), void *arg)
{
    CLEANUP(store_query_donep)
    struct store_query *q = f->newest_first ? store_query(s, SEARCH "DESC LIMIT ?6")
                                            : store_query(s, SEARCH "LIMIT ?6");
    store_bind_i64(q, f->after_seq);
    store_bind_i64(q, f->since_ns);
    store_bind_i64(q, f->until_ns);
    store_bind_text(q, f->kind == EVENT_KIND_INVALID ? NULL : event_kind_name(f->kind));
    store_bind_text(q, f->vm);
    store_bind_i64(q, f->limit && !f->may ? (int64_t)f->limit : -1);
    size_t found = 0;
    int r;
    while ((r = store_next(q)) == 1) {
        struct event e = read_row(q);
        if (f->may && !f->may(f->arg, &e))
            continue;
        if (!each(&e, arg) || ++found == f->limit)
            return 0;
    }
    return r;
}

int64_t event_log_last(struct store *s)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(s, "SELECT seq FROM sqlite_sequence WHERE name = 'event'");
    int r = store_next(q);
    return r == 1 ? store_i64(q, 0) : r;
}

static int drop_to(struct store *s, int64_t seq)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(s, "DELETE FROM event WHERE seq <= ?");
    store_bind_i64(q, seq);
    return store_run(q);
}

// The newest event that no longer fits.
static int64_t first_too_many(struct store *s, int64_t max_bytes)
{
    CLEANUP(store_query_donep)
    struct store_query *q =
        store_query(s, "SELECT MAX(seq) FROM (SELECT seq, SUM(bytes) OVER (ORDER BY seq DESC) AS "
                       "above FROM event) WHERE above > ?");
    store_bind_i64(q, max_bytes);
    int r = store_next(q);
    return r == 1 ? store_i64(q, 0) : r;
}

int event_log_retain(struct store *s, int64_t before_ns, int64_t max_bytes)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(s, "DELETE FROM event WHERE real_ns < ?");
    store_bind_i64(q, before_ns);
    int r = store_run(q);
    int64_t seq = r == 0 && max_bytes > 0 ? first_too_many(s, max_bytes) : 0;
    if (r < 0 || seq < 0)
        return r < 0 ? r : (int)seq;
    return seq > 0 ? drop_to(s, seq) : 0;
}
