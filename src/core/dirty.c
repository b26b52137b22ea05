// SPDX-License-Identifier: GPL-3.0-or-later
// The dirty page rate: asked of act, answered when it has been measured.
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "core.h"

#define SECONDS_MAX 60

static void unlink_waiting(struct waiting *w)
{
    for (struct waiting **at = &w->core->waiting; *at; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            return;
        }
    }
}

static void on_measured(void *arg, int status, const char *act_body, size_t act_len)
{
    struct waiting *w = arg;
    struct core *c = w->core;
    unlink_waiting(w);
    const struct vm *vm = herd_vm(c->herd, &w->uuid);
    double rate = vm ? object_fact(&vm->obj, FACT_VM_DIRTY_RATE) : NAN;
    if (!vm) {
        answer_problem(c, w->id, 404, "the VM is gone");
    } else if (status != 200) {
        answer(c, w->id, status, PROBLEM_TYPE, act_body, act_len);
    } else if (isnan(rate)) {
        answer_problem(c, w->id, 502, "libvirt measured no dirty page rate");
    } else {
        CLEANUP(buf_done) struct buf body;
        buf_init(&body, 64 * 1024);
        struct json j;
        json_init(&j, &body);
        json_object_begin(&j);
        json_kv_string(&j, "uuid", object_attr(&vm->obj, ATTR_VM_UUID));
        json_kv_string(&j, "name", object_attr(&vm->obj, ATTR_VM_NAME));
        json_kv_f64(&j, "dirty_bytes_per_second", rate);
        json_object_end(&j);
        answer(c, w->id, 200, "application/json", body.data, body.len);
    }
    free(w);
}

void view_dirty_rate(const struct view *v)
{
    struct core *c = v->core;
    const struct vm *vm = herd_vm_find(c->herd, v->object);
    CLEANUP(freep) char *text = ipc_query_param(v->request->query, "seconds");
    uint64_t seconds = 1;
    if (!vm) {
        answer_problem(c, v->id, 404, "no VM is called \"%s\"", v->object);
        return;
    }
    if (text && (number_parse_u64(text, &seconds) < 0 || seconds < 1 || seconds > SECONDS_MAX)) {
        answer_problem(c, v->id, 400, "seconds must be a whole number from 1 to %d", SECONDS_MAX);
        return;
    }
    if (!vm->active || !vm->in_libvirt) {
        answer_problem(c, v->id, 409, "the VM is not running");
        return;
    }
    struct waiting *w = mem_zalloc(sizeof(*w));
    *w = (struct waiting){c->waiting, c, v->id, vm->uuid};
    c->waiting = w;
    if (collector_ask_vm(c->collector, &vm->uuid, "dirty_rate", (int)seconds, on_measured, w) < 0) {
        unlink_waiting(w);
        free(w);
        answer_problem(c, v->id, 503, "the process that may ask libvirt for this is not there");
    }
}

void dirty_forget(struct core *c, uint32_t id)
{
    for (struct waiting *w = c->waiting; w; w = w->next) {
        if (w->id == id) {
            collector_forget(c->collector, w);
            unlink_waiting(w);
            free(w);
            return;
        }
    }
}
