// SPDX-License-Identifier: GPL-3.0-or-later
// Imports into the store that core has open; without one nothing is taken.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "core.h"
#include "import.h"
#include "tsdb/tsdb.h"

// History that comes series by series makes a block of each window over and over: at so many it
// waits until they are merged.
#define BLOCKS_MAX 1000

static void wait_for_room(void *arg)
{
    struct core *c = arg;
    struct tsdb_status s;
    struct err err = {0};
    tsdb_status(c->db, &s);
    if (s.blocks[0] > BLOCKS_MAX && tsdb_settle(c->db, &err) < 0)
        log_warning("import: %s", err.message);
}

static int append(void *arg, const struct label *label, size_t n, int64_t t_ms, double v)
{
    struct core *c = arg;
    return store_flow_import(c->store_flow, label, n, t_ms, v);
}

static int may_append(void *arg, int64_t t_ms)
{
    const struct core *c = arg;
    return store_flow_may_import(c->store_flow, t_ms);
}

static void tell(void *arg, uint32_t id, const struct samples_written *written)
{
    struct core *c = arg;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1024);
    samples_written_encode(written, &b);
    peer_send(&c->web, IPC_WRITTEN, id, 0, b.data, b.len, NULL, 0);
}

void imports_begin(struct core *c)
{
    struct imports_params params = {.loop = &c->loop,
                                    .db = c->db,
                                    .wait = wait_for_room,
                                    .append = append,
                                    .may_append = may_append,
                                    .answer = tell,
                                    .arg = c};
    if (c->db)
        c->imports = imports_new(&params);
}

static int count_sample(void *arg, const struct label *label, size_t n, int64_t t_ms, double v,
                        bool same)
{
    ++*(uint64_t *)arg;
    return 0;
}

void import_frame(struct core *c, const struct ipc_frame *f)
{
    static const struct samples_events events = {.sample = count_sample};
    if (c->imports && imports_have_room(c->imports)) {
        imports_add(c->imports, f->id, ipc_take_payload(c->web.ipc), f->len,
                    f->type == IPC_IMPORT_TRY);
        return;
    }
    struct samples_written none = {0};
    if (samples_read(f->payload, f->len, &events, &none.rejected) < 0)
        none.rejected++;
    snprintf(none.reason, sizeof(none.reason), "%s",
             c->imports ? "too many imports wait; try again" : "samples are not kept here");
    tell(c, f->id, &none);
}
