// SPDX-License-Identifier: GPL-3.0-or-later
// The table of handlers, and what they share.
#include "run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define DELETE_TRIES 600 // libvirt goes on writing a volume after who asked for it is gone
#define DELETE_PAUSE_MS 500
#define REFRESH_TRIES 8

static const struct handler *const families[] = {
    power_handlers, create_handlers, clone_handlers, define_handlers, delete_handlers,
    size_handlers,  numa_handlers,   dimm_handlers,  device_handlers, snapshot_handlers,
};

static const struct handler *handler_of(enum deed_id id)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (families[i][id].run)
            return &families[i][id];
    return NULL;
}

int manage_check(struct manage_run *r, struct err *err)
{
    const struct handler *h = handler_of(r->deed->id);
    int w = run_clear_stray(r, &r->uuid, err);
    if (w < 0)
        return w;
    if (h->check)
        return h->check(r, err);
    run_say(r, "%s: %s", r->vm, r->deed->summary);
    return 0;
}

int manage_do(struct manage_run *r, struct err *err)
{
    return handler_of(r->deed->id)->run(r, err);
}

// Deeds that start a VM, or hold it up, and so see to it that it runs again.
static bool has_power(enum deed_id id)
{
    static const enum deed_id ids[] = {
        DEED_START,           DEED_RESTORE,         DEED_CREATE,         DEED_CLONE,
        DEED_SNAPSHOT_CREATE, DEED_SNAPSHOT_REVERT, DEED_SNAPSHOT_DELETE};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        if (ids[i] == id)
            return true;
    return false;
}

int manage_mend(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                struct err *err)
{
    const struct handler *h = handler_of(r->deed->id);
    r->mending = json_array_size(notes) > 0 && has_power(r->deed->id);
    int w = r->mending ? run_clear_stray(r, &r->uuid, err) : 0;
    if (w < 0)
        return w;
    if (h->mend)
        return h->mend(r, notes, ret_now, size, err);
    struct virt_domain d = {0};
    int lost = run_lookup(r, &d, err);
    int process = lost == 0 && d.id < 0 && r->process ? r->process(r->arg, &r->uuid, false) : 0;
    if (lost == -ENOENT)
        snprintf(ret_now, size, "the VM is not there any more");
    else if (lost < 0)
        return lost;
    else if (process > 0)
        snprintf(ret_now, size, "libvirt calls the VM %s, but its process %d still runs",
                 virt_state_name(d.state), process);
    else
        snprintf(ret_now, size, "the VM is now %s", virt_state_name(d.state));
    virt_domain_done(&d);
    return 0;
}

void manage_left(const json_t *notes, char *ret, size_t size)
{
    CLEANUP(buf_done) struct buf text;
    const json_t *note;
    size_t i;
    buf_init(&text, size);
    json_array_foreach(notes, i, note)
    {
        const char *make = json_string_value(json_object_get(note, "make"));
        const char *pool = json_string_value(json_object_get(note, "pool"));
        const char *name = json_string_value(json_object_get(note, pool ? "volume" : "name"));
        if (!make || !name)
            continue;
        buf_printf(&text, "%s%s %s%s%s", text.len ? ", " : "", make, pool ? pool : "",
                   pool ? "/" : "", name);
    }
    snprintf(ret, size, "%s", text.len ? text.data : "");
}

const char *manage_other_name(const struct deed *deed, const json_t *body)
{
    switch (deed->id) {
    case DEED_CREATE:
    case DEED_CLONE:
    case DEED_RENAME:
        return json_string_value(json_object_get(body, "name"));
    default:
        return NULL;
    }
}

void run_say(struct manage_run *r, const char *format, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    json_array_append_new(r->steps, json_string_nocheck(text));
}

int run_note(struct manage_run *r, json_t *note, struct err *err)
{
    int w = r->note(r->arg, note);
    json_decref(note);
    return w < 0 ? err_set(err, -w, "the task's journal cannot be written: %s", strerror(-w)) : 0;
}

const char *run_text(const struct manage_run *r, const char *field)
{
    return json_string_value(json_object_get(r->body, field));
}

int64_t run_number(const struct manage_run *r, const char *field, int64_t otherwise)
{
    const json_t *v = json_object_get(r->body, field);
    return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

bool run_flag(const struct manage_run *r, const char *field)
{
    return json_is_true(json_object_get(r->body, field));
}

bool run_is(const struct manage_run *r, const char *field, const char *word, const char *otherwise)
{
    const char *text = run_text(r, field);
    return strcmp(text ? text : otherwise, word) == 0;
}

unsigned run_scope(const struct manage_run *r)
{
    unsigned scope = VIRT_LIVE | VIRT_CONFIG;
    if (run_is(r, "scope", "live", "both"))
        scope = VIRT_LIVE;
    else if (run_is(r, "scope", "config", "both"))
        scope = VIRT_CONFIG;
    return scope;
}

int run_lookup(struct manage_run *r, struct virt_domain *ret, struct err *err)
{
    return r->ops->lookup(r->virt, &r->uuid, ret, err);
}

int run_active(struct manage_run *r, struct err *err)
{
    struct virt_domain d = {0};
    int w = run_lookup(r, &d, err);
    virt_domain_done(&d);
    return w < 0 ? w : d.id >= 0;
}

unsigned run_whole_scope(struct manage_run *r)
{
    struct virt_domain d = {0};
    unsigned scope = VIRT_LIVE | VIRT_CONFIG;
    if (run_lookup(r, &d, NULL) == 0 && !d.persistent)
        scope = VIRT_LIVE;
    virt_domain_done(&d);
    return scope;
}

int run_need_off(struct manage_run *r, const char *why, struct err *err)
{
    int active = run_active(r, err);
    if (active < 0)
        return active;
    return active ? err_set(err, ESRCH, "the VM is running; it must be off %s", why) : 0;
}

int run_find(struct manage_run *r, const char *name, struct uuid *ret, struct err *err)
{
    struct virt_domain *domains = NULL;
    size_t n = 0;
    int w = r->ops->list(r->virt, &domains, &n, err);
    for (size_t i = 0; w == 0 && i < n; i++) {
        if (strcmp(domains[i].name, name) != 0)
            continue;
        *ret = domains[i].uuid;
        w = 1;
    }
    virt_domains_free(domains, n);
    return w;
}

int run_pause(struct manage_run *r, int ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * NS_PER_MS};
    if (r->cancelled(r->arg))
        return -ECANCELED;
    nanosleep(&t, NULL);
    return 0;
}

const json_t *run_notes_next(const json_t *notes, const char *make, size_t *at)
{
    while (*at < json_array_size(notes)) {
        const json_t *note = json_array_get(notes, (*at)++);
        const char *is = json_string_value(json_object_get(note, "make"));
        if (is && strcmp(is, make) == 0)
            return note;
    }
    return NULL;
}

void run_refresh(struct manage_run *r, const char *pool)
{
    const struct timespec pause = {0, DELETE_PAUSE_MS * NS_PER_MS};
    for (int i = 0; i < REFRESH_TRIES && r->manage->refresh(r->virt, pool, NULL) < 0; i++)
        nanosleep(&pause, NULL);
}

static int unmake_volume(struct manage_run *r, const char *pool, const char *volume,
                         struct err *err)
{
    int w = -EBUSY;
    for (int i = 0; i < DELETE_TRIES; i++) {
        w = r->manage->delete_volume(r->virt, pool, volume, err);
        if (w == 0 || w == -ENOENT || !r->ops->alive(r->virt))
            break;
        struct virt_volume_info info = {0};
        int there = r->manage->volume(r->virt, pool, volume, &info, NULL);
        virt_volume_info_done(&info);
        if (there == -ENOENT)
            return 0;
        const struct timespec pause = {0, DELETE_PAUSE_MS * NS_PER_MS};
        nanosleep(&pause, NULL);
    }
    return w == -ENOENT ? 0 : w;
}

int run_unmake_volumes(struct manage_run *r, const json_t *notes, size_t *ret_n, struct err *err)
{
    size_t at = 0;
    const json_t *note;
    *ret_n = 0;
    while ((note = run_notes_next(notes, "volume", &at))) {
        int w = unmake_volume(r, json_string_value(json_object_get(note, "pool")),
                              json_string_value(json_object_get(note, "volume")), err);
        if (w < 0)
            return w;
        ++*ret_n;
    }
    return 0;
}
