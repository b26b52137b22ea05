// SPDX-License-Identifier: GPL-3.0-or-later
#include "tool/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "place/herd_file.h"
#include "place/plan.h"
#include "sim/history_store.h"
#include "sim/replay.h"
#include "tsdb/tsdb.h"

DEFINE_FREEP(struct tsdb, tsdb_close, tsdb_closep)

static int get_count(const char *name, const char *text, uint64_t most, uint64_t *ret,
                     struct err *err)
{
    *ret = 0;
    if (!text || (number_parse_u64(text, ret) == 0 && *ret <= most))
        return 0;
    return err_set(err, EINVAL, "--%s must be a whole number up to %d, not \"%.100s\"", name,
                   (int)most, text);
}

static int read_request(const struct tool_plan *asked, struct plan_request *ret, struct err *err)
{
    uint64_t candidates, moves;
    ret->kind = plan_kind_parse(asked->kind);
    if (ret->kind == PLAN_INVALID)
        return err_set(err, EINVAL,
                       "plans are place, balance, consolidate, evacuate and rightsize, not "
                       "\"%.100s\"",
                       asked->kind);
    ret->score = asked->score ? place_score_parse(asked->score) : PLACE_SCORE_BEST_FIT;
    if (ret->score == PLACE_SCORE_INVALID)
        return err_set(err, EINVAL,
                       "--score must be first-fit, best-fit, worst-fit, dot-product, "
                       "fragmentation or departure, not \"%.100s\"",
                       asked->score);
    int r = get_count("candidates", asked->candidates, 100000, &candidates, err);
    if (r == 0)
        r = get_count("moves", asked->moves, 1000000, &moves, err);
    if (r < 0)
        return r;
    ret->candidates = candidates;
    ret->moves_max = moves;
    ret->object = asked->name;
    return 0;
}

static int add_new(const struct tool_plan *asked, struct place_snapshot *s,
                   struct plan_request *request, struct err *err)
{
    uint64_t vcpus = 0, bytes = 0;
    if (!asked->vcpus && !asked->memory)
        return 0;
    if (!asked->vcpus || number_parse_u64(asked->vcpus, &vcpus) < 0 || vcpus == 0 ||
        vcpus > 1000000 || !asked->memory || number_parse_size(asked->memory, &bytes) < 0 ||
        bytes > (uint64_t)PLACE_AMOUNT_MAX)
        return err_set(err, EINVAL,
                       "a new VM needs --vcpus, a whole number, and --memory, such as "
                       "8G");
    const char *name = asked->name ? asked->name : "new";
    int32_t i = place_snapshot_find_vm(s, name) < 0 ? place_snapshot_add_vm(s, name) : -1;
    if (i < 0)
        return err_set(err, EINVAL, "a VM cannot be called \"%.100s\": that name is taken or long",
                       name);
    s->vms[i].request.of[PLACE_CPU] = (int64_t)vcpus * PLACE_CPU_UNIT;
    s->vms[i].request.of[PLACE_MEMORY] = (int64_t)bytes;
    request->object = s->vms[i].name;
    request->is_new = true;
    return 0;
}

static int history_of(void *arg, int32_t i, struct rightsize_vm *ret, struct err *err)
{
    const struct herd_file *f = arg;
    if ((size_t)i >= f->snapshot->n_vms)
        return -ENODATA;
    const struct place_vm *v = &f->snapshot->vms[i];
    const struct herd_history *h = &f->history[i];
    *ret = (struct rightsize_vm){v->name,
                                 (int)(v->request.of[PLACE_CPU] / PLACE_CPU_UNIT),
                                 v->request.of[PLACE_MEMORY],
                                 {h->cpu_t_s, h->cpu, h->n_cpu},
                                 {h->memory_t_s, h->memory_bytes, h->n_memory}};
    return h->n_cpu > 0 && h->n_memory > 0 ? 0 : -ENODATA;
}

static int read_days(const char *text, double *ret, struct err *err)
{
    uint64_t days = REPLAY_DAYS;
    if (text && (number_parse_u64(text, &days) < 0 || days == 0 || days > SIM_HISTORY_DAYS_MAX))
        return err_set(err, EINVAL, "--days must be a whole number from 1 to %d, not \"%.100s\"",
                       SIM_HISTORY_DAYS_MAX, text);
    *ret = (double)days;
    return 0;
}

static int open_history(const struct tool_plan *asked, struct replay *ret, struct tsdb **ret_db,
                        struct err *err)
{
    int r = read_days(asked->days, &ret->days, err);
    if (r == 0 && !asked->history)
        return err_set(err, EINVAL,
                       "--simulate on a herd file needs --history with the directory of a store or "
                       "snapshot");
    if (r == 0)
        r = sim_store_open(asked->history, ret_db, err);
    if (r == 0)
        *ret = (struct replay){.source = tsdb_source(*ret_db), .days = ret->days, .to_end = true};
    return r;
}

int tool_plan_file(const char *path, const struct tool_plan *asked, struct buf *out,
                   struct err *err)
{
    struct plan_request request = {0};
    CLEANUP(herd_file_done) struct herd_file file = {0};
    CLEANUP(freep) char *text = NULL;
    CLEANUP(tsdb_closep) struct tsdb *db = NULL;
    struct replay replay = {0};
    const struct plan_trial trial = {replay_write, &replay};
    size_t len;
    int r = read_request(asked, &request, err);
    if (r == 0 && asked->simulate && request.kind == PLAN_PLACE)
        return err_set(err, EINVAL, "place cannot be simulated: a new VM has no history");
    if (r == 0 && asked->simulate)
        r = open_history(asked, &replay, &db, err);
    if (r < 0)
        return r;
    request.trial = asked->simulate ? &trial : NULL;
    r = fs_read_file(AT_FDCWD, path, HERD_FILE_BYTES_MAX, &text, &len);
    if (r < 0)
        return err_set(err, -r, "cannot read %s: %s", path, strerror(-r));
    r = herd_file_read(text, len, &file, err);
    if (r < 0)
        return err_wrap(err, "%s", path);
    struct plan_history history = {history_of, &file};
    struct json j;
    json_init(&j, out);
    if (request.kind == PLAN_PLACE)
        r = add_new(asked, file.snapshot, &request, err);
    if (r == 0)
        r = plan_write(file.snapshot, &request, &history, &j, err);
    if (r == 0 && out->error)
        return err_set(err, -out->error, "the plan is too long");
    return r;
}
