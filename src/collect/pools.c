// SPDX-License-Identifier: GPL-3.0-or-later
// Storage pools and networks. libvirtd holds a pool while it waits for its storage: whoever asks
// for that one, or for the list, waits as well. The others, and the networks, answer.
#include <string.h>

#include "base/mem.h"
#include "private.h"

void pools_begin(struct collector *c, int64_t now)
{
    lane_add(c->pool_lane, POOLS_KEY, strlen(POOLS_KEY), now);
    lane_add(c->pool_lane, NETWORKS_KEY, strlen(NETWORKS_KEY), now);
}

static bool is_silent(const struct collector *c, const char *key)
{
    return lane_quarantined(c->pool_lane, key, strlen(key));
}

void pools_note(struct collector *c, int64_t now)
{
    struct object *host = c->herd->host;
    const struct object *silent = NULL;
    size_t others = 0;
    OBJECT_FOREACH_CHILD (pool, host, KIND_POOL) {
        if (object_fact(pool, FACT_POOL_TIMED_OUT) != 1)
            continue;
        others += silent != NULL;
        silent = silent ? silent : pool;
    }
    CLEANUP(freep) char *reason = NULL;
    if (silent && others)
        reason = mem_printf("libvirt does not answer for the storage pool %s and %zu more",
                            object_attr(silent, ATTR_POOL_NAME), others);
    else if (silent)
        reason = mem_printf("libvirt does not answer for the storage pool %s",
                            object_attr(silent, ATTR_POOL_NAME));
    else if (is_silent(c, POOLS_KEY))
        reason = mem_strdup("libvirt does not list its storage pools");
    host_miss(host, "storage_pools", reason, now);
    host_miss(host, "networks",
              is_silent(c, NETWORKS_KEY) ? "libvirt does not list its networks" : NULL, now);
}

void pools_listed(struct collector *c, char **names, size_t n, int64_t now)
{
    struct object *host = c->herd->host;
    for (struct object *pool = host->children[KIND_POOL], *next; pool; pool = next) {
        next = pool->next;
        const char *name = object_attr(pool, ATTR_POOL_NAME);
        bool is_listed = false;
        for (size_t i = 0; i < n; i++)
            is_listed |= strcmp(names[i], name) == 0;
        if (!is_listed) {
            lane_remove(c->pool_lane, name, strlen(name));
            object_remove(pool);
        }
    }
    for (size_t i = 0; i < n; i++) {
        object_child(host, KIND_POOL, names[i]);
        lane_add(c->pool_lane, names[i], strlen(names[i]), now);
    }
}

void pools_answered(struct collector *c, const char *name, struct batch *told, int64_t now)
{
    struct object *pool = object_find(c->herd->host, KIND_POOL, name);
    if (!pool)
        return;
    if (told)
        batch_apply(told, c->herd->host);
    object_set_fact(pool, FACT_POOL_TIMED_OUT, 0, now);
}

void pools_unanswered(struct collector *c, const void *key, size_t len, int64_t now)
{
    CLEANUP(freep) char *name = mem_strndup(key, len);
    struct object *pool = object_find(c->herd->host, KIND_POOL, name);
    if (pool)
        object_set_fact(pool, FACT_POOL_TIMED_OUT, 1, now);
    pools_note(c, now);
}
