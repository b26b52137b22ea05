// SPDX-License-Identifier: GPL-3.0-or-later
#include "sight.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/map.h"
#include "base/mem.h"
#include "core.h"
#include "notify/matcher.h"

struct sight {
    unsigned refs;
    pthread_mutex_t lock; // of the maps
    struct grant grant;   // its scopes only
    struct map *names, *uuids;
    char *job, *instance; // labels of this host's own series, "" for none; NULL: not known
    bool has_others;      // samples of other hosts are taken in
};

static char present; // what the maps hold

static void put(struct map *m, const char *key, bool is_there)
{
    if (is_there)
        (void)map_put(m, key, strlen(key), &present);
    else
        (void)map_remove(m, key, strlen(key));
}

static bool has(const struct sight *s, const struct map *m, const char *key)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&s->lock;
    if (!key)
        return false;
    pthread_mutex_lock(lock);
    bool is_there = map_get(m, key, strlen(key)) != NULL;
    pthread_mutex_unlock(lock);
    return is_there;
}

static int scope_copy(const struct scope *from, struct scope *to)
{
    CLEANUP(buf_done) struct buf text;
    struct err err = {0};
    buf_init(&text, SCOPE_TEXT_MAX);
    scope_format(from, &text);
    return text.error ? text.error : scope_parse(text.data, to, &err);
}

static void set_vm(struct sight *s, const struct vm *vm, bool is_seen)
{
    char uuid[UUID_TEXT];
    const char *name = object_attr(&vm->obj, ATTR_VM_NAME);
    uuid_format(&vm->uuid, uuid);
    pthread_mutex_lock(&s->lock);
    put(s->uuids, uuid, is_seen);
    if (name)
        put(s->names, name, is_seen);
    pthread_mutex_unlock(&s->lock);
}

struct sight *sight_new(const struct view *v)
{
    const struct herd *h = v->core->herd;
    if (auth_covers_all(v->grant))
        return NULL;
    struct sight *s = mem_zalloc(sizeof(*s));
    s->refs = 1;
    pthread_mutex_init(&s->lock, NULL);
    s->names = map_new();
    s->uuids = map_new();
    s->has_others = v->core->conf->receive.enabled;
    if (v->core->keep) {
        s->job = mem_strdup(keep_job(v->core->keep));
        s->instance = mem_strdup(keep_instance(v->core->keep));
    }
    // A scope that cannot be copied shows nothing.
    bool is_whole = scope_copy(&v->grant->scope, &s->grant.scope) == 0 &&
                    scope_copy(&v->grant->limit, &s->grant.limit) == 0;
    for (size_t i = 0; is_whole && i < h->n_vms; i++)
        if (!herd_vm_is_double(h, i) && view_grant_covers(&s->grant, h->vms[i]))
            set_vm(s, h->vms[i], true);
    return s;
}

struct sight *sight_ref(struct sight *s)
{
    if (s)
        s->refs++;
    return s;
}

void sight_free(struct sight *s)
{
    if (!s || --s->refs > 0)
        return;
    pthread_mutex_destroy(&s->lock);
    map_free(s->names);
    map_free(s->uuids);
    grant_done(&s->grant);
    free(s->job);
    free(s->instance);
    free(s);
}

void sight_renew(struct sight *s, const struct core *c, const struct event *e)
{
    const struct vm *vm = e->uuid ? herd_vm_find(c->herd, e->uuid) : NULL;
    if (s && vm)
        set_vm(s, vm, view_grant_covers(&s->grant, vm));
}

bool sight_of_event(const void *sight, const struct event *e)
{
    const struct sight *s = sight;
    return !s || (e->uuid && *e->uuid ? has(s, s->uuids, e->uuid) : has(s, s->names, e->vm));
}

// Aggregations may have lost the label, which says nothing where all samples are this host's.
static bool is_own(const struct sight *s, const char *value, const char *own)
{
    return value ? !own || strcmp(value, own) == 0 : !s->has_others;
}

bool sight_of_alert(const void *sight, const struct labels *l)
{
    const struct sight *s = sight;
    if (!s)
        return true;
    const char *uuid = labels_get(l, "uuid");
    return is_own(s, labels_get(l, "job"), s->job) &&
           is_own(s, labels_get(l, "instance"), s->instance) &&
           has(s, s->names, labels_get(l, "domain")) && (!uuid || has(s, s->uuids, uuid));
}

bool sight_of_silence(const void *sight, const struct matchers *m)
{
    const struct sight *s = sight;
    bool is_seen = !s;
    for (size_t i = 0; i < m->n && !is_seen; i++)
        is_seen = m->item[i].op == MATCHER_EQUAL &&
                  ((strcmp(m->item[i].name, "domain") == 0 && has(s, s->names, m->item[i].value)) ||
                   (strcmp(m->item[i].name, "uuid") == 0 && has(s, s->uuids, m->item[i].value)));
    return is_seen;
}
