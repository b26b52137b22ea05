// SPDX-License-Identifier: GPL-3.0-or-later
// Frames of samples from and to the processes that speak with the network. Positions of remotes are
// kept in one small text file, a line each ("SEGMENT OFFSET NAME"), replaced as a whole.
#include "flow.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"

#define FILE_NAME "remote-write"
#define FILE_BYTES_MAX (64u * 1024)
#define REMOTES_MAX 64
#define BATCH_SAMPLES_MAX 100000u

struct place {
    char *name;
    struct samples_position position;
    uint64_t used; // by `uses` of the flow; 0: read from the file, not asked for since
};

struct flow {
    struct flow_params p;
    char *directory; // of p
    struct place places[REMOTES_MAX];
    size_t n_places;
    uint64_t uses;
    bool changed;
    struct samples_writer *out;
};

// Positions

static struct place *find(const struct flow *f, const char *name)
{
    for (size_t i = 0; i < f->n_places; i++)
        if (strcmp(f->places[i].name, name) == 0)
            return (struct place *)&f->places[i];
    return NULL;
}

// A free one; where there is none, that of the remote that has not come for longest, as it was
// most likely taken out of the configuration.
static struct place *take_place(struct flow *f)
{
    if (f->n_places < REMOTES_MAX)
        return &f->places[f->n_places++];
    struct place *oldest = &f->places[0];
    for (size_t i = 1; i < f->n_places; i++)
        if (f->places[i].used < oldest->used)
            oldest = &f->places[i];
    free(oldest->name);
    return oldest;
}

static int put_place(struct flow *f, const char *name, const struct samples_position *position)
{
    struct place *p = find(f, name);
    if (!p) {
        if (!*name || strchr(name, '\n'))
            return -EPROTO;
        p = take_place(f);
        *p = (struct place){.name = mem_strdup(name)};
    }
    p->position = *position;
    return 0;
}

static void read_line(struct flow *f, const char *line, size_t len)
{
    CLEANUP(freep) char *text = mem_strndup(line, len);
    const char *at = text;
    struct samples_position position;
    if (number_scan_u64(&at, &position.a) && number_scan_u64(&at, &position.b) && *at == ' ')
        (void)put_place(f, at + 1, &position);
    else
        log_warning("%s/" FILE_NAME ": a line is malformed; its receiver begins anew",
                    f->p.directory);
}

static void load(struct flow *f)
{
    CLEANUP(freep) char *path = mem_printf("%s/" FILE_NAME, f->p.directory);
    CLEANUP(freep) char *text = NULL;
    size_t len = 0;
    int r = fs_read_file(AT_FDCWD, path, FILE_BYTES_MAX, &text, &len);
    if (r == -ENOENT)
        return;
    if (r < 0) {
        log_warning("%s: %s; receivers of remote write begin anew", path, strerror(-r));
        return;
    }
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        read_line(f, line, n);
        line += n + (line[n] == '\n');
    }
}

static int write_file(const char *path, const struct buf *text)
{
    CLEANUP(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    int r = fs_write_all(fd, text->data, text->len);
    return r == 0 && fsync(fd) < 0 ? -errno : r;
}

static int sync_directory(const char *path)
{
    CLEANUP(closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

bool flow_take(struct flow *f, struct buf *ret)
{
    if (!f->changed || !f->p.directory)
        return false;
    f->changed = false;
    buf_init(ret, FILE_BYTES_MAX);
    for (size_t i = 0; i < f->n_places; i++)
        buf_printf(ret, "%" PRIu64 " %" PRIu64 " %s\n", f->places[i].position.a,
                   f->places[i].position.b, f->places[i].name);
    return true;
}

void flow_untake(struct flow *f)
{
    f->changed = true;
}

int flow_write(const char *directory, const struct buf *text, struct err *err)
{
    CLEANUP(freep) char *path = mem_printf("%s/" FILE_NAME, directory);
    CLEANUP(freep) char *fresh = mem_printf("%s.new", path);
    int r = text->error ? text->error : write_file(fresh, text);
    if (r == 0 && rename(fresh, path) < 0)
        r = -errno;
    if (r == 0)
        r = sync_directory(directory);
    return r < 0 ? err_set(err, -r, "%s: %s", path, strerror(-r)) : 0;
}

int flow_save(struct flow *f, struct err *err)
{
    struct buf text;
    if (!flow_take(f, &text))
        return 0;
    int r = flow_write(f->p.directory, &text, err);
    buf_done(&text);
    if (r < 0)
        flow_untake(f);
    return r;
}

bool flow_position(const struct flow *f, const char *name, struct samples_position *ret)
{
    const struct place *p = find(f, name);
    if (p)
        *ret = p->position;
    return p != NULL;
}

const char *flow_remote(const struct flow *f, size_t i, struct samples_position *ret)
{
    if (i >= f->n_places)
        return NULL;
    *ret = f->places[i].position;
    return f->places[i].name;
}

// Samples in

struct taking {
    struct flow *f;
    struct samples_written written;
};

static int take_sample(void *arg, const struct label *label, size_t n, int64_t t_ms, double v,
                       bool same)
{
    struct taking *t = arg;
    const struct flow_sink *sink = t->f->p.sink;
    int r = sink ? sink->append(t->f->p.arg, label, n, t_ms, v) : -ENOSYS;
    if (r == 0) {
        t->written.samples++;
        return 0;
    }
    t->written.late += r == -ERANGE;
    t->written.duplicate += r == -EEXIST;
    if (t->written.rejected++ == 0)
        snprintf(t->written.reason, sizeof(t->written.reason), "%s", samples_why(r));
    return 0;
}

static int take_family(void *arg, const struct expo_family *family)
{
    struct taking *t = arg;
    if (t->f->p.sink && t->f->p.sink->family)
        t->f->p.sink->family(t->f->p.arg, family);
    return 0;
}

static int take_samples(struct flow *f, void *peer, const struct ipc_frame *frame)
{
    static const struct samples_events events = {take_sample, take_family};
    struct taking t = {.f = f};
    int r = samples_read(frame->payload, frame->len, &events, &t);
    // What came before an error stays: a frame is not a transaction, its samples are.
    int committed = f->p.sink ? f->p.sink->commit(f->p.arg) : 0;
    if (committed < 0) {
        t.written.rejected += t.written.samples;
        t.written.samples = 0;
        snprintf(t.written.reason, sizeof(t.written.reason), "%s", strerror(-committed));
    }
    if (r < 0)
        return -EPROTO;
    if (frame->id == 0)
        return 1;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1024);
    samples_written_encode(&t.written, &b);
    f->p.send(peer, IPC_WRITTEN, frame->id, 0, b.data, b.len, NULL, 0);
    return 1;
}

// Samples out

static void tell_families(struct flow *f, void *peer)
{
    size_t len = 0;
    samples_writer_reset(f->out);
    if (!f->p.source || !f->p.source->families || f->p.source->families(f->p.arg, f->out) < 0)
        return;
    const char *frame = samples_finish(f->out, &len);
    if (frame)
        f->p.send(peer, IPC_FAMILIES, 0, 0, frame, len, NULL, 0);
}

static int answer_ask(struct flow *f, void *peer, const struct ipc_frame *frame)
{
    struct samples_ask ask;
    struct samples_batch batch = {{0}};
    if (samples_ask_decode(frame->payload, frame->len, &ask) < 0)
        return -EPROTO;
    if (ask.from_start) {
        tell_families(f, peer);
        ask.from = (struct samples_position){0, 0};
        (void)flow_position(f, ask.name, &ask.from);
    }
    struct place *place = find(f, ask.name);
    if (place)
        place->used = ++f->uses;
    batch.next = ask.from;
    samples_writer_reset(f->out);
    size_t max = MIN_OF(MAX_OF(ask.max_samples, 1u), BATCH_SAMPLES_MAX);
    if (f->p.source && f->p.source->read(f->p.arg, ask.name, &ask.from, max, f->out, &batch) < 0) {
        // Nothing now; it will be asked again.
        samples_writer_reset(f->out);
        batch = (struct samples_batch){.next = ask.from};
    }
    CLEANUP(buf_done) struct buf head;
    size_t len = 0;
    buf_init(&head, 1024);
    samples_batch_encode(&batch, &head);
    const char *body = samples_finish(f->out, &len);
    if (body)
        f->p.send(peer, IPC_BATCH, frame->id, 0, head.data, head.len, body, len);
    return 1;
}

static int take_done(struct flow *f, void *peer, const struct ipc_frame *frame)
{
    if (frame->len <= SAMPLES_POSITION_BYTES)
        return -EPROTO;
    struct samples_position position = samples_position_get(frame->payload);
    size_t n = frame->len - SAMPLES_POSITION_BYTES;
    CLEANUP(freep) char *name = mem_strndup(frame->payload + SAMPLES_POSITION_BYTES, n);
    if (strlen(name) != n || put_place(f, name, &position) < 0)
        return -EPROTO;
    find(f, name)->used = ++f->uses;
    f->changed = true;
    if (f->p.source && f->p.source->done)
        f->p.source->done(f->p.arg, name, &position);
    return 1;
}

int flow_frame(struct flow *f, void *peer, const struct ipc_frame *frame)
{
    static int (*const takers[IPC_TYPE_END])(struct flow *, void *, const struct ipc_frame *) = {
        [IPC_SAMPLES] = take_samples,
        [IPC_NEXT] = answer_ask,
        [IPC_DONE] = take_done,
    };
    return takers[frame->type] ? takers[frame->type](f, peer, frame) : 0;
}

// Life

struct flow *flow_new(const struct flow_params *p)
{
    struct flow *f = mem_zalloc(sizeof(*f));
    f->p = *p;
    if (p->directory)
        f->p.directory = f->directory = mem_strdup(p->directory);
    f->out = samples_writer_new(SAMPLES_FRAME_MAX);
    if (p->directory)
        load(f);
    return f;
}

void flow_free(struct flow *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n_places; i++)
        free(f->places[i].name);
    samples_writer_free(f->out);
    free(f->directory);
    free(f);
}
