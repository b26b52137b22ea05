// SPDX-License-Identifier: GPL-3.0-or-later
// History of an OpenMetrics file, as it is or compressed with zstd. Read in pieces of whole lines;
// samples may stand in any order of series, and are sorted by time where they are not.
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/map.h"
#include "base/mem.h"
#include "history_private.h"
#include "model/query.h"
#include "net/expo.h"

#define READ_BYTES ((size_t)1 << 20)
#define WINDOW_LOG_MAX 27 // as `zstd --long`
#define KEY_MAX 65535u
#define ZSTD_MAGIC "\x28\xb5\x2f\xfd"
static const char eof_line[] = "# EOF\n";

struct point {
    int64_t t_ms;
    double v;
};

struct column {
    struct point *point;
    size_t n, cap;
    size_t at; // where the walk stands
    bool is_unsorted;
};

struct file_history {
    struct history h; // first
    struct column *column;
    const struct labels **labels;
    size_t cap_column, cap_labels;
    size_t samples;
    struct map *map; // labels as they came, to column + 1
    char **keys;
    size_t cap_keys;
};

static void file_free(struct history *h)
{
    struct file_history *f = (struct file_history *)h;
    for (size_t i = 0; i < f->h.n; i++) {
        free(f->column[i].point);
        labels_free((struct labels *)f->labels[i]);
    }
    free(f->column);
    free(f->labels);
    free(f);
}

static int file_read(struct history *h, size_t series, int64_t start_ms, int64_t end_ms,
                     struct history_stretch *out, struct err *err)
{
    struct column *c = &((struct file_history *)h)->column[series];
    if (c->at > 0 && c->point[c->at - 1].t_ms >= start_ms)
        c->at = 0; // another walk
    while (c->at < c->n && c->point[c->at].t_ms < start_ms)
        c->at++;
    for (; c->at < c->n && c->point[c->at].t_ms <= end_ms; c->at++)
        if (c->at == 0 || c->point[c->at].t_ms != c->point[c->at - 1].t_ms) // the first one counts
            history_push(out, c->point[c->at].t_ms, series, c->point[c->at].v);
    return 0;
}

static const struct history_ops file_ops = {file_read, file_free};

// Reading

struct parsing {
    struct file_history *f;
    struct err *err;
    const char *path;
    int lines; // before the piece that is being parsed
    struct buf key;
};

static int find_column(struct parsing *p, const struct expo_sample *s, size_t *ret)
{
    struct file_history *f = p->f;
    buf_reset(&p->key);
    for (size_t i = 0; i < s->n; i++) {
        buf_put(&p->key, s->label[i].name, strlen(s->label[i].name) + 1);
        buf_put(&p->key, s->label[i].value, strlen(s->label[i].value) + 1);
    }
    if (p->key.error)
        return err_set_at(p->err, E2BIG, p->lines + s->line, 0, "labels are too long");
    void *found = map_get(f->map, p->key.data, p->key.len);
    if (found) {
        *ret = (size_t)(uintptr_t)found - 1;
        return 0;
    }
    struct labels *labels = labels_new(s->label, s->n);
    if (!labels)
        return err_set_at(p->err, EINVAL, p->lines + s->line, 0, "a label twice, or too many");
    size_t cap = f->cap_column;
    mem_grow(&f->column, &f->cap_column, f->h.n, sizeof(*f->column));
    if (f->cap_column > cap)
        memset(f->column + cap, 0, (f->cap_column - cap) * sizeof(*f->column));
    mem_grow(&f->labels, &f->cap_labels, f->h.n, sizeof(*f->labels));
    mem_grow(&f->keys, &f->cap_keys, f->h.n, sizeof(*f->keys));
    f->labels[f->h.n] = labels;
    f->keys[f->h.n] = mem_zalloc(p->key.len);
    memcpy(f->keys[f->h.n], p->key.data, p->key.len);
    map_put(f->map, f->keys[f->h.n], p->key.len, (void *)(uintptr_t)(f->h.n + 1));
    *ret = f->h.n++;
    return 0;
}

static int take_sample(void *arg, const struct expo_sample *s)
{
    struct parsing *p = arg;
    struct file_history *f = p->f;
    size_t at = 0;
    if (!s->has_time)
        return err_set_at(p->err, EINVAL, p->lines + s->line, 0, "a sample without a timestamp");
    if (f->samples == HISTORY_FILE_SAMPLES_MAX)
        return err_set(p->err, E2BIG, "more than %zu samples; split the file", f->samples);
    int r = find_column(p, s, &at);
    if (r < 0)
        return r;
    struct column *c = &f->column[at];
    c->is_unsorted |= c->n > 0 && c->point[c->n - 1].t_ms > s->t_ms;
    mem_grow(&c->point, &c->cap, c->n, sizeof(*c->point));
    // In text all NaNs are one; vherd's own end a series.
    c->point[c->n++] = (struct point){s->t_ms, isnan(s->v) ? sample_stale() : s->v};
    f->samples++;
    return 0;
}

static int parse_lines(struct parsing *p, struct buf *text, size_t len)
{
    static const struct expo_events events = {.sample = take_sample};
    CLEANUP(buf_done) struct buf piece;
    struct err why = {0};
    buf_init(&piece, len + sizeof(eof_line));
    buf_put(&piece, text->data, len);
    bool ends = len >= 6 && memcmp(text->data + len - 6, eof_line, 6) == 0 &&
                (len == 6 || text->data[len - 7] == '\n');
    if (!ends)
        buf_puts(&piece, eof_line);
    int r = expo_parse(piece.data, piece.len, EXPO_OPENMETRICS_LOOSE, &events, p, &why);
    if (r < 0 && p->err->code == 0)
        *p->err = (struct err){.code = -r, .line = why.line + p->lines, .column = why.column};
    // The parser's own "line L, column C: " counts from where the piece begins.
    const char *what = strstr(why.message, ": ");
    if (r < 0 && !*p->err->message)
        snprintf(p->err->message, sizeof(p->err->message), "%s", what ? what + 2 : why.message);
    if (r < 0) {
        struct err whole = *p->err;
        return err_set_at(p->err, whole.code, whole.line, whole.column, "%s: line %d: %s", p->path,
                          whole.line, whole.message);
    }
    for (size_t i = 0; i < len; i++)
        p->lines += text->data[i] == '\n';
    buf_consume(text, len);
    return 0;
}

// What has come of a text; whole lines are parsed at once.
static int take_text(struct parsing *p, struct buf *text, bool is_last)
{
    if (text->error)
        return err_set(p->err, -text->error, "%s: a line is too long", p->path);
    size_t len = text->len;
    if (is_last && len > 0 && text->data[len - 1] != '\n') {
        buf_putc(text, '\n');
        len = text->len;
    }
    while (len > 0 && text->data[len - 1] != '\n')
        len--;
    return len > 0 ? parse_lines(p, text, len) : 0;
}

static int take_bytes(struct parsing *p, ZSTD_DStream *zstd, const char *data, size_t len,
                      struct buf *text)
{
    if (!zstd) {
        buf_put(text, data, len);
        return take_text(p, text, false);
    }
    CLEANUP(freep) char *room = mem_zalloc(READ_BYTES);
    ZSTD_inBuffer in = {data, len, 0};
    int r = 0;
    bool was_full = true;
    // A full room means that the decoder may hold more.
    while (r == 0 && (in.pos < in.size || was_full)) {
        ZSTD_outBuffer out = {room, READ_BYTES, 0};
        size_t left = ZSTD_decompressStream(zstd, &out, &in);
        if (ZSTD_isError(left))
            return err_set(p->err, EINVAL, "%s: %s", p->path, ZSTD_getErrorName(left));
        was_full = out.pos == out.size;
        buf_put(text, room, out.pos);
        r = take_text(p, text, false);
    }
    return r;
}

static int read_all(struct parsing *p, int fd)
{
    CLEANUP(freep) char *data = mem_zalloc(READ_BYTES);
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, EXPO_LINE_MAX + 4 * READ_BYTES);
    ZSTD_DStream *zstd = NULL;
    bool is_first = true;
    int r = 0;
    while (r == 0) {
        ssize_t n = read(fd, data, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = err_set(p->err, errno, "%s: %s", p->path, strerror(errno));
        if (n <= 0)
            break;
        if (is_first && n >= 4 && memcmp(data, ZSTD_MAGIC, 4) == 0) {
            zstd = ZSTD_createDStream();
            ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
        }
        is_first = false;
        r = take_bytes(p, zstd, data, (size_t)n, &text);
    }
    if (r == 0)
        r = take_text(p, &text, true);
    ZSTD_freeDStream(zstd);
    return r;
}

static int by_time(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    return (x->t_ms > y->t_ms) - (x->t_ms < y->t_ms);
}

static void finish(struct file_history *f)
{
    f->h.labels = f->labels;
    for (size_t i = 0; i < f->h.n; i++) {
        struct column *c = &f->column[i];
        if (c->is_unsorted)
            qsort(c->point, c->n, sizeof(*c->point), by_time);
        int64_t first = c->point[0].t_ms, last = c->point[c->n - 1].t_ms;
        f->h.start_ms = i == 0 ? first : MIN_OF(f->h.start_ms, first);
        f->h.end_ms = i == 0 ? last : MAX_OF(f->h.end_ms, last);
    }
}

int history_open_file(const char *path, struct history **ret, struct err *err)
{
    bool is_input = strcmp(path, "-") == 0;
    CLEANUP(closep) int fd = is_input ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno, "%s: %s", path, strerror(errno));
    struct err why = {0};
    struct file_history *f = mem_zalloc(sizeof(*f));
    f->h.ops = &file_ops;
    f->map = map_new();
    struct parsing p = {.f = f, .err = &why, .path = is_input ? "standard input" : path};
    buf_init(&p.key, KEY_MAX);
    int r = read_all(&p, fd);
    buf_done(&p.key);
    map_free(TAKE_PTR(f->map));
    for (size_t i = 0; i < f->h.n; i++)
        free(f->keys[i]);
    free(TAKE_PTR(f->keys));
    if (r < 0) {
        file_free(&f->h);
        return err_set_at(err, -r, why.line, why.column, "%s", why.message);
    }
    finish(f);
    *ret = &f->h;
    return 0;
}
