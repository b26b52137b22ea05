// SPDX-License-Identifier: GPL-3.0-or-later
// Telling: the state database, and what comes from the collector for the event log.
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "core.h"
#include "sim/stage.h"
#include "rule/keep.h"
#include "store/event_log.h"
#include "store/keyed.h"
#include "version.h"

#define FILE_NAME "state.db"

// NULL where nothing is to be kept: what is made up is kept only where somebody wants it.
static char *path_of(const struct core *c)
{
    CLEANUP(freep) char *uri = conf_libvirt_uri(c->conf);
    CLEANUP(freep) char *directory = conf_store_path(c->conf);
    if (stage_is_uri(uri) && !*c->conf->store.path)
        return NULL;
    return mem_printf("%s/" FILE_NAME, directory);
}

static void opened(void *arg)
{
    struct core *c = arg;
    if (c->notices)
        notices_load(c->notices);
}

void tell_open(struct core *c)
{
    static const struct store_schema *const schemas[] = {&event_log_schema, &keyed_schema,
                                                         &rule_schema};
    struct err err = {0};
    CLEANUP(freep) char *path = path_of(c);
    c->statedb = statedb_new(&c->loop, path, schemas, ARRAY_LEN(schemas), opened, c, &err);
    if (err.code)
        log_error("%s; events wait in memory and alerts are not kept, it is tried again",
                  err.message);
    c->events = events_new(c);
    c->exits = exits_new(c);
    // Reads the file itself, before anything is handed to its thread.
    c->notices = notices_new(c);
    events_say(c->events, EVENT_VHERD, "started", "vherd " VHERD_VERSION " started");
    events_retain(c->events);
}

static void take_transitions(void *arg, const struct alert_transition *t, size_t n,
                             const struct alert *send, size_t n_send)
{
    struct core *c = arg;
    for (size_t i = 0; i < n; i++)
        (void)notices_take(c->notices, &t[i]);
    for (size_t i = 0; i < n_send; i++)
        notify_alert_heard(notices_notify(c->notices), &send[i],
                           clock_real_ns(&clock_system) / NS_PER_MS);
    notices_step(c->notices);
}

void tell_join(struct core *c)
{
    if (c->notices)
        rules_on_transitions(c, NULL, take_transitions, c);
}

void tell_close(struct core *c)
{
    if (!c->events)
        return;
    exits_free(TAKE_PTR(c->exits));
    events_say(c->events, EVENT_VHERD, "ended", "vherd ends");
    if (c->notices)
        notices_end(c->notices);
    statedb_free(TAKE_PTR(c->statedb));
    notices_free(TAKE_PTR(c->notices));
    events_free(TAKE_PTR(c->events));
}

void tell_libvirt(struct core *c, bool is_up, const char *message)
{
    if (c->libvirt_told == (is_up ? TOLD_UP : TOLD_DOWN))
        return;
    c->libvirt_told = is_up ? TOLD_UP : TOLD_DOWN;
    CLEANUP(freep)
    char *text = is_up ? mem_strdup("libvirt answers")
                       : mem_printf("libvirt does not answer: %s; VMs may well run on", message);
    events_note(
        c->events,
        &(struct event){.kind = EVENT_LIBVIRT, .name = is_up ? "found" : "lost", .text = text});
}

void tell_vm_event(const struct virt_event *e, const struct vm *vm, void *arg)
{
    struct core *c = arg;
    char uuid[UUID_TEXT];
    CLEANUP(buf_done) struct buf text;
    if (!c->events)
        return;
    buf_init(&text, EVENT_TEXT_MAX);
    uuid_format(&e->uuid, uuid);
    if (e->name)
        buf_printf(&text, "%s: ", e->name);
    event_words(e->event, e->detail, e->device, &text);
    events_note(c->events, &(struct event){.kind = event_kind_of(e->event, e->detail),
                                           .name = e->event,
                                           .reason = e->detail,
                                           .vm = e->name,
                                           .uuid = uuid,
                                           .device = e->device,
                                           .text = text.data});
}

void tell_vm_process(const struct vm *vm, int pid, void *arg)
{
    struct core *c = arg;
    // A recorded tree's processes are none of this machine.
    if (c->exits && strcmp(c->conf->kernel.root, "/") == 0)
        exits_watch(c->exits, vm, pid);
}
