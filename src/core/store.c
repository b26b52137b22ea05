// SPDX-License-Identifier: GPL-3.0-or-later
// The time-series store inside core: opened before the first sample, closed after the last. A
// store that cannot be opened keeps nobody from watching: vherd goes on without it and says so,
// unless another process has it, which is a mistake that a person has to undo.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "base/mem.h"
#include "core.h"
#include "sim/stage.h"
#include "tsdb/tsdb.h"

#define FLOW_EVERY_MS 3000
#define REMOTES_KEPT_NS (3600 * NS_PER_S) // one that has not asked by then was taken out

// Parents of a path, with the usual rights; the last element is the store's own affair.
static int make_parents(const char *path)
{
    CLEANUP(freep) char *copy = mem_strdup(path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return 0;
}

static struct tsdb_options options_of(const struct conf *conf)
{
    struct tsdb_options o;
    tsdb_options_init(&o);
    o.clock = &clock_system;
    o.late_ms = KEEP_LATE_MS;
    o.flush_ms = conf->store.flush_ns / NS_PER_MS;
    o.fsync_ms = conf->store.fsync_ns / NS_PER_MS;
    o.log_max_bytes = (uint64_t)conf->store.log_size;
    o.raw =
        (struct tsdb_retention){conf->store.keep_ns / NS_PER_MS, (uint64_t)conf->store.keep_size};
    o.minute = (struct tsdb_retention){conf->store.keep_minute_ns / NS_PER_MS,
                                       (uint64_t)conf->store.keep_minute_size};
    o.hour = (struct tsdb_retention){conf->store.keep_hour_ns / NS_PER_MS,
                                     (uint64_t)conf->store.keep_hour_size};
    return o;
}

// What is new of the store, into the log.
static void tell_news(struct core *c)
{
    struct query_texts news = {0};
    struct tsdb_status s;
    tsdb_news(c->db, &c->news_seen, &news);
    for (size_t i = 0; i < news.n; i++)
        log_warning("store: %s", news.text[i]);
    query_texts_done(&news);
    tsdb_status(c->db, &s);
    if (s.disk_error && s.disk_error != c->told_disk_error)
        log_warning("store: writing failed: %s; samples wait in memory, it is tried again",
                    strerror(s.disk_error));
    else if (!s.disk_error && c->told_disk_error)
        log_warning("store: writing goes on");
    c->told_disk_error = s.disk_error;
}

static void send_flow(void *peer, enum ipc_type type, uint32_t id, int status, const void *a,
                      size_t a_len, const void *b, size_t b_len)
{
    peer_send(peer, type, id, status, a, a_len, b, b_len);
}

static void write_flow(uv_work_t *work)
{
    struct flow_saving *s = work->data;
    pthread_setname_np(pthread_self(), "pool");
    s->result = flow_write(s->directory, &s->text, &s->err);
    uv_sem_post(&s->written);
}

static void flow_written(struct core *c)
{
    struct flow_saving *s = &c->saving;
    uv_sem_wait(&s->written);
    s->is_under_way = false;
    buf_done(&s->text);
    if (s->result < 0) {
        log_warning("%s", s->err.message);
        flow_untake(c->flow);
    }
}

static void after_write_flow(uv_work_t *work, int status)
{
    struct core *c = work->loop->data;
    if (c->saving.is_under_way)
        flow_written(c);
}

// A slow disk holds up a worker, not the loop.
void store_flow_timer(uv_timer_t *handle)
{
    struct core *c = handle->data;
    struct flow_saving *s = &c->saving;
    if (c->db)
        tell_news(c);
    if (c->store_flow)
        store_flow_let_go(c->store_flow, clock_mono_ns(&clock_system));
    if (s->is_under_way || !flow_take(c->flow, &s->text))
        return;
    s->is_under_way = true;
    s->work.data = s;
    uv_queue_work(&c->loop, &s->work, write_flow, after_write_flow);
}

// The loop does not run any more.
static void end_flow(struct core *c)
{
    struct err err = {0};
    if (c->saving.is_under_way)
        flow_written(c);
    if (flow_save(c->flow, &err) < 0)
        log_warning("%s", err.message);
    flow_free(TAKE_PTR(c->flow));
    uv_sem_destroy(&c->saving.written);
    free(TAKE_PTR(c->saving.directory));
}

// From the start on, before the first of them asks: the store may write its first block any time.
static void keep_for_remotes(struct core *c)
{
    int64_t until_ns = clock_mono_ns(&clock_system) + REMOTES_KEPT_NS;
    struct samples_position place;
    const char *name;
    for (size_t i = 0; c->store_flow && (name = flow_remote(c->flow, i, &place)); i++)
        store_flow_keep(c->store_flow, name, &place, until_ns);
}

static void open_flow(struct core *c, const char *path)
{
    struct flow_params params = {.send = send_flow};
    if (c->db) {
        c->store_flow = store_flow_new(c->db);
        params.sink = &store_flow_sink;
        params.source = &store_flow_source;
        params.arg = c->store_flow;
        params.directory = path;
    }
    c->flow = flow_new(&params);
    keep_for_remotes(c);
    c->saving.directory = mem_strdup(path);
    uv_sem_init(&c->saving.written, 0);
    uv_timer_init(&c->loop, &c->flow_timer);
    c->flow_timer.data = c;
    uv_timer_start(&c->flow_timer, store_flow_timer, FLOW_EVERY_MS, FLOW_EVERY_MS);
}

static int open_db(struct core *c, const char *path, struct err *err)
{
    CLEANUP(freep) char *uri = conf_libvirt_uri(c->conf);
    // What is made up goes into the store of real hosts only where somebody wants it.
    if (!c->conf->store.enabled || (stage_is_uri(uri) && !*c->conf->store.path))
        return 0;
    struct tsdb_options options = options_of(c->conf);
    struct err why = {0};
    int r = make_parents(path);
    if (r < 0)
        err_set(&why, -r, "%s: %s", path, strerror(-r));
    else
        r = tsdb_open(path, &options, &c->db, &why);
    if (r == -EBUSY)
        return err_set(err, EBUSY, "store: %s", why.message);
    if (r < 0) {
        c->store_error = mem_strdup(why.message);
        log_error("store: %s; samples are not kept", why.message);
        return 0;
    }
    const char *instance = *c->conf->store.instance ? c->conf->store.instance
                                                    : object_attr(c->herd->host, ATTR_HOST_NAME);
    struct keep_params params = {
        .db = c->db,
        .herd = c->herd,
        .sets = sets_of_conf(c->conf),
        .misnamed = c->conf->metrics.misnamed,
        .job = c->conf->store.job,
        .instance = instance,
        .interval_ns = c->conf->kernel.interval_ns,
    };
    c->keep = keep_new(&params);
    c->source = tsdb_source(c->db);
    tell_news(c);
    return 0;
}

int samples_open(struct core *c, struct err *err)
{
    CLEANUP(freep) char *path = conf_store_path(c->conf);
    int r = open_db(c, path, err);
    if (r == 0) {
        open_flow(c, path);
        imports_begin(c);
    }
    return r;
}

void store_reload(struct core *c)
{
    if (c->keep)
        keep_configure(c->keep, sets_of_conf(c->conf), c->conf->metrics.misnamed,
                       c->conf->kernel.interval_ns);
}

void samples_close(struct core *c)
{
    if (c->flow)
        end_flow(c);
    store_flow_free(TAKE_PTR(c->store_flow));
    keep_free(TAKE_PTR(c->keep));
    c->source = NULL;
    tsdb_close(TAKE_PTR(c->db));
    free(TAKE_PTR(c->store_error));
}

void store_sampled(int64_t mono_ns, void *arg)
{
    struct core *c = arg;
    if (!c->keep)
        return;
    int64_t age = clock_mono_ns(&clock_system) - mono_ns;
    (void)keep_sample(c->keep, mono_ns, clock_real_ns(&clock_system) - age); // the store counts
}

static void put_blocks(const struct tsdb_status *s, struct json *j)
{
    static const char *const names[TSDB_RESOLUTIONS] = {"samples", "minutes", "hours"};
    json_key(j, "resolutions");
    json_array_begin(j);
    for (int i = 0; i < TSDB_RESOLUTIONS; i++) {
        json_object_begin(j);
        json_kv_string(j, "resolution", names[i]);
        json_kv_u64(j, "blocks", s->blocks[i]);
        json_kv_u64(j, "bytes", s->block_bytes[i]);
        json_kv_u64(j, "points", s->block_samples[i]);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_notes(const struct core *c, struct json *j)
{
    struct query_texts notes = {0};
    (void)tsdb_notes(c->db, &notes); // without memory for them there are none
    json_key(j, "notes");
    json_array_begin(j);
    for (size_t i = 0; i < notes.n; i++)
        json_text(j, notes.text[i]);
    json_array_end(j);
    query_texts_done(&notes);
}

void store_measure(struct core *c)
{
    struct tsdb_status status;
    struct statvfs fs = {0};
    int64_t now = clock_mono_ns(&clock_system);
    if (!c->db)
        return;
    tsdb_status(c->db, &status);
    object_set_fact(c->herd->host, FACT_HOST_STORE_SET_ASIDE, (double)status.unreadable, now);
    CLEANUP(freep) char *path = conf_store_path(c->conf);
    bool is_read = statvfs(path, &fs) == 0;
    double unit = is_read ? (double)fs.f_frsize : NAN;
    object_set_fact(c->herd->host, FACT_HOST_STORE_DISK_SIZE, unit * (double)fs.f_blocks, now);
    object_set_fact(c->herd->host, FACT_HOST_STORE_DISK_FREE, unit * (double)fs.f_bavail, now);
}

void store_view(const struct core *c, struct json *j)
{
    json_key(j, "store");
    json_object_begin(j);
    json_kv_bool(j, "enabled", c->conf->store.enabled);
    if (c->store_error)
        json_kv_string(j, "error", c->store_error);
    if (c->db) {
        struct tsdb_status s;
        tsdb_status(c->db, &s);
        struct keep_stats kept = keep_stats(c->keep);
        CLEANUP(freep) char *path = conf_store_path(c->conf);
        json_kv_string(j, "path", path);
        json_kv_u64(j, "series", s.series);
        json_kv_u64(j, "kept_samples", kept.samples);
        json_kv_u64(j, "refused_samples", kept.refused);
        json_kv_f64(j, "clock_ahead_seconds", (double)kept.ahead_ms / 1000);
        if (s.newest_ms) {
            json_kv_f64(j, "oldest", (double)s.oldest_ms / 1000);
            json_kv_f64(j, "newest", (double)s.newest_ms / 1000);
        }
        json_kv_u64(j, "head_samples", s.head_samples);
        json_kv_u64(j, "head_bytes", s.head_bytes);
        json_kv_u64(j, "log_bytes", s.log_bytes);
        json_kv_u64(j, "unwritten_bytes", s.log_unwritten_bytes);
        json_kv_u64(j, "dropped_bytes", s.log_dropped_bytes);
        json_kv_u64(j, "set_aside", s.unreadable);
        if (s.disk_error)
            json_kv_string(j, "disk_error", strerror(s.disk_error));
        put_blocks(&s, j);
        put_notes(c, j);
    }
    json_object_end(j);
}

// Lanes that deliver at a pace of their own, so that what is missing can be counted.
static int64_t pace_of(const struct conf *conf, enum lane lane)
{
    switch (lane) {
    case LANE_KERNEL:
        return conf->kernel.interval_ns;
    case LANE_LIBVIRT:
        return conf->libvirt.interval_ns;
    default:
        return 0;
    }
}

static void put_lane(const struct core *c, const struct object *o, enum lane lane, int64_t now,
                     struct json *j)
{
    struct keep_lane kept;
    bool is_kept = keep_lane(c->keep, o, lane, &kept);
    // Some lanes speak of its disks only.
    for (enum kind kind = 0; kind < KIND_MAX && !is_kept; kind++)
        if (model_kinds[kind].parent == o->kind && o->children[kind])
            is_kept = keep_lane(c->keep, o->children[kind], lane, &kept);
    if (!is_kept)
        return;
    json_object_begin(j);
    json_kv_string(j, "lane", lane_name(lane));
    json_kv_u64(j, "readings", kept.delivered);
    json_kv_f64(j, "age_seconds", (double)(now - kept.last_ns) / (double)NS_PER_S);
    int64_t pace = pace_of(c->conf, lane);
    if (pace) {
        // The last reading may be one interval old without anything missing.
        double due = 1 + (double)((now - kept.first_ns) / pace);
        double missing = due - 1 - (double)kept.delivered;
        json_kv_f64(j, "completeness_ratio", missing > 0 ? 1 - missing / due : 1);
    }
    json_object_end(j);
}

static void put_quality(const struct tsdb_quality *q, struct json *j)
{
    json_kv_u64(j, "series", q->series);
    json_kv_u64(j, "samples", q->samples);
    json_kv_u64(j, "gaps", q->gaps);
    json_kv_u64(j, "missing", q->missing);
    json_kv_u64(j, "late", q->late);
    json_kv_u64(j, "out_of_order", q->out_of_order);
    json_kv_u64(j, "duplicates", q->duplicates);
    json_kv_u64(j, "resets", q->resets);
    json_kv_u64(j, "impossible", q->impossible);
    if (q->newest_ms)
        json_kv_f64(j, "newest", (double)q->newest_ms / 1000);
}

static const struct object *object_of(const struct core *c, const char *domain)
{
    const struct vm *vm = *domain ? herd_vm_find(c->herd, domain) : NULL;
    return vm ? &vm->obj : *domain ? NULL : c->herd->host;
}

void store_view_data(const struct core *c, struct json *j)
{
    json_key(j, "data");
    json_array_begin(j);
    struct tsdb_quality *quality = NULL;
    size_t n = 0;
    if (c->db)
        (void)tsdb_quality(c->db, "domain", &quality, &n); // without memory the list is empty
    int64_t now = clock_mono_ns(&clock_system);
    for (size_t i = 0; i < n; i++) {
        json_object_begin(j);
        json_kv_string(j, "name", quality[i].value);
        put_quality(&quality[i], j);
        json_key(j, "lanes");
        json_array_begin(j);
        const struct object *o = object_of(c, quality[i].value);
        for (enum lane lane = 0; o && lane < LANE_MAX; lane++)
            put_lane(c, o, lane, now, j);
        json_array_end(j);
        json_object_end(j);
    }
    json_array_end(j);
    free(quality);
}
