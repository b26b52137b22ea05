// SPDX-License-Identifier: GPL-3.0-or-later
// Invariant: `map` and the list `oldest` hold the same entries, the list in order of last failure.
#include "auth/backoff.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

#define FREE_TRIES 5
#define FIRST_NS NS_PER_S
#define FORGET_NS (15 * 60 * NS_PER_S)
#define KEYS_MAX 4096

struct entry {
    struct entry *prev, *next;
    char *key;
    unsigned failures;
    int64_t last_ns;
};

struct backoff {
    struct map *map;
    struct entry list; // a ring; next is the oldest
    int64_t max_ns;
};

struct backoff *backoff_new(int64_t max_ns)
{
    struct backoff *b = mem_zalloc(sizeof(*b));
    b->map = map_new();
    b->list.next = b->list.prev = &b->list;
    b->max_ns = max_ns;
    return b;
}

static void detach(struct entry *e)
{
    e->prev->next = e->next;
    e->next->prev = e->prev;
}

static void attach_newest(struct backoff *b, struct entry *e)
{
    e->prev = b->list.prev;
    e->next = &b->list;
    e->prev->next = e;
    b->list.prev = e;
}

static void forget(struct backoff *b, struct entry *e)
{
    detach(e);
    map_remove(b->map, e->key, strlen(e->key));
    free(e->key);
    free(e);
}

void backoff_free(struct backoff *b)
{
    if (!b)
        return;
    while (b->list.next != &b->list)
        forget(b, b->list.next);
    map_free(b->map);
    free(b);
}

int64_t backoff_wait_ns(const struct backoff *b, const char *key, int64_t now_ns)
{
    const struct entry *e = map_get(b->map, key, strlen(key));
    if (!e || e->failures < FREE_TRIES || now_ns - e->last_ns >= FORGET_NS)
        return 0;
    int64_t pause = FIRST_NS;
    for (unsigned i = FREE_TRIES; i < e->failures && pause < b->max_ns; i++)
        pause *= 2;
    pause = MIN_OF(pause, b->max_ns);
    return MAX_OF(e->last_ns + pause - now_ns, INT64_C(0));
}

void backoff_failed(struct backoff *b, const char *key, int64_t now_ns)
{
    struct entry *e = map_get(b->map, key, strlen(key));
    if (e && now_ns - e->last_ns >= FORGET_NS)
        e->failures = 0;
    if (e) {
        detach(e);
    } else {
        if (map_count(b->map) >= KEYS_MAX)
            forget(b, b->list.next);
        e = mem_zalloc(sizeof(*e));
        e->key = mem_strdup(key);
        map_put(b->map, key, strlen(key), e);
    }
    e->failures++;
    e->last_ns = now_ns;
    attach_newest(b, e);
}

void backoff_succeeded(struct backoff *b, const char *key)
{
    struct entry *e = map_get(b->map, key, strlen(key));
    if (e)
        forget(b, e);
}

void backoff_address_key(const char *address, char ret[64])
{
    struct in6_addr v6;
    if (inet_pton(AF_INET6, address, &v6) != 1 || IN6_IS_ADDR_V4MAPPED(&v6)) {
        snprintf(ret, 64, "%.63s", address);
        return;
    }
    memset(v6.s6_addr + 8, 0, 8);
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, &v6, text, sizeof(text));
    snprintf(ret, 64, "%s/64", text);
}
