// SPDX-License-Identifier: GPL-3.0-or-later
// store/snapshot: a copy of the store below its own directory, made by a worker.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "api.h"
#include "base/json.h"
#include "base/mem.h"
#include "tsdb/tsdb.h"

#define NAME_MAX_BYTES 64

struct snapshot {
    struct tsdb *db;
    char *above; // the directory of all snapshots
    char *path;
};

static void snapshot_free(void *arg)
{
    struct snapshot *s = arg;
    free(s->above);
    free(s->path);
    free(s);
}

static int snapshot_run(void *arg, const struct job_limits *limits, struct buf *out, bool *ret_more)
{
    struct snapshot *s = arg;
    struct err err = {0};
    int r = 0;
    if (mkdir(s->above, 0750) < 0 && errno != EEXIST)
        r = err_set(&err, errno, "%s: %s", s->above, strerror(errno));
    if (r == 0)
        r = tsdb_snapshot(s->db, s->path, &err);
    *ret_more = false;
    if (r < 0)
        return api_job_problem(r == -EEXIST ? 409 : 500, err.message, out);
    struct json j;
    json_init(&j, out);
    json_object_begin(&j);
    json_kv_string(&j, "path", s->path);
    json_object_end(&j);
    return 200;
}

static const struct job_ops snapshot_ops = {
    .run = snapshot_run,
    .free = snapshot_free,
};

// A name below one directory and no hidden one.
static bool is_name(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);
    return len > 0 && len <= NAME_MAX_BYTES && name[0] != '.' && strspn(name, allowed) == len;
}

static char *name_by_time(void)
{
    int64_t ms = clock_real_ns(&clock_system) / NS_PER_MS;
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[32];
    gmtime_r(&seconds, &tm);
    size_t n = strftime(text, sizeof(text), "%Y%m%dT%H%M%S", &tm);
    return mem_printf("%.*s.%03dZ", (int)n, text, (int)(ms % 1000));
}

void view_snapshot(const struct view *v)
{
    CLEANUP(freep) char *name = ipc_request_param(v->request, "name");
    if (name && !is_name(name)) {
        answer_problem(v->core, v->id, 400,
                       "a snapshot's name has letters, digits, '.', '_', '-', does not begin with "
                       "'.', and is at most %d long",
                       NAME_MAX_BYTES);
        return;
    }
    if (!v->core->db) {
        answer_problem(v->core, v->id, 503, "this daemon keeps no samples: there is no store");
        return;
    }
    CLEANUP(freep) char *store = conf_store_path(v->core->conf);
    CLEANUP(freep) char *made_up = name ? NULL : name_by_time();
    struct snapshot *s = mem_zalloc(sizeof(*s));
    s->db = v->core->db;
    s->above = mem_printf("%s/snapshots", store);
    s->path = mem_printf("%s/%s", s->above, name ? name : made_up);
    api_start(v, &snapshot_ops, s, v->core->conf->query.timeout_ns);
}
