// SPDX-License-Identifier: GPL-3.0-or-later
// A table of a fixed size, so that nobody can make it grow: an address has eight places that its
// hash names.
#include "limit.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"

#define PLACES 4096u
#define WAYS 8u

struct bucket {
    unsigned char address[16];
    int64_t empty_ns; // when the next request may come, less what may come at once
    int64_t used_ns;  // 0: free
};

struct limit {
    uint64_t seed;
    struct bucket bucket[PLACES];
};

struct limit *limit_new(void)
{
    struct limit *l = mem_zalloc(sizeof(*l));
    (void)!getrandom(&l->seed, sizeof(l->seed), 0);
    return l;
}

void limit_free(struct limit *l)
{
    free(l);
}

static void key_of(const struct sockaddr *addr, unsigned char key[16])
{
    memset(key, 0, 16);
    if (addr->sa_family == AF_INET) {
        key[10] = key[11] = 0xFF;
        memcpy(key + 12, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
    } else if (addr->sa_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
        memcpy(key, v6, IN6_IS_ADDR_V4MAPPED(v6) ? 16 : 8);
    }
}

static struct bucket *find(struct limit *l, const unsigned char key[16])
{
    uint64_t hash = l->seed;
    for (size_t i = 0; i < 16; i++)
        hash = (hash ^ key[i]) * UINT64_C(0x100000001B3);
    size_t first = (size_t)((hash >> 20) % (PLACES / WAYS)) * WAYS;
    struct bucket *oldest = &l->bucket[first];
    for (size_t i = first; i < first + WAYS; i++) {
        struct bucket *b = &l->bucket[i];
        if (b->used_ns != 0 && memcmp(b->address, key, 16) == 0)
            return b;
        if (b->used_ns < oldest->used_ns)
            oldest = b;
    }
    *oldest = (struct bucket){0};
    memcpy(oldest->address, key, 16);
    return oldest;
}

bool limit_take(struct limit *l, const struct sockaddr *addr, int64_t per_s, int64_t now_ns)
{
    unsigned char key[16];
    if (per_s <= 0)
        return true;
    key_of(addr, key);
    struct bucket *b = find(l, key);
    int64_t step = MAX_OF(NS_PER_S / per_s, INT64_C(1));
    b->used_ns = MAX_OF(now_ns, INT64_C(1));
    b->empty_ns = MAX_OF(b->empty_ns, now_ns - 2 * NS_PER_S);
    if (b->empty_ns + step > now_ns)
        return false;
    b->empty_ns += step;
    return true;
}
