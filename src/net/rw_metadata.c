// SPDX-License-Identifier: GPL-3.0-or-later
// Metadata of metric families, in the order in which they became known.
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "remote_write_private.h"

#define NAME_BYTES_MAX 4096
#define HELP_BYTES_MAX (16u * 1024)

struct rw_metadata {
    struct map *by_name;         // to the entries of `family`
    struct expo_family **family; // each owned, with its texts
    size_t n, cap, limit;
};

struct rw_metadata *rw_metadata_new(size_t limit)
{
    struct rw_metadata *m = mem_zalloc(sizeof(*m));
    m->by_name = map_new();
    m->limit = limit;
    return m;
}

static void clear_texts(struct expo_family *f)
{
    free((char *)f->name);
    free((char *)f->help);
    free((char *)f->unit);
}

void rw_metadata_free(struct rw_metadata *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n; i++) {
        clear_texts(m->family[i]);
        free(m->family[i]);
    }
    free(m->family);
    map_free(m->by_name);
    free(m);
}

static bool same(const struct expo_family *a, const struct expo_family *b)
{
    return a->type == b->type && strcmp(a->help, b->help) == 0 && strcmp(a->unit, b->unit) == 0;
}

bool rw_metadata_put(struct rw_metadata *m, const struct expo_family *f)
{
    size_t len = strlen(f->name);
    if (len == 0 || len > NAME_BYTES_MAX || strlen(f->help) > HELP_BYTES_MAX ||
        strlen(f->unit) > NAME_BYTES_MAX)
        return false;
    struct expo_family *have = map_get(m->by_name, f->name, len);
    if (have && same(have, f))
        return false;
    if (!have && m->n == m->limit)
        return false;
    if (!have) {
        have = mem_zalloc(sizeof(*have));
        mem_grow(&m->family, &m->cap, m->n, sizeof(struct expo_family *));
        m->family[m->n++] = have;
        map_put(m->by_name, f->name, len, have);
    }
    struct expo_family copy = {.name = mem_strdup(f->name),
                               .type = f->type,
                               .help = mem_strdup(f->help),
                               .unit = mem_strdup(f->unit)};
    clear_texts(have);
    *have = copy;
    return true;
}

size_t rw_metadata_count(const struct rw_metadata *m)
{
    return m->n;
}

const struct expo_family *rw_metadata_at(const struct rw_metadata *m, size_t i)
{
    return m->family[i];
}

const struct expo_family *rw_metadata_of(const struct rw_metadata *m, const char *metric)
{
    static const char *const suffixes[] = {"_bucket", "_count",  "_sum",  "_total",
                                           "_info",   "_gcount", "_gsum", "_created"};
    size_t len = strlen(metric);
    const struct expo_family *f = map_get(m->by_name, metric, len);
    for (size_t i = 0; !f && i < ARRAY_LEN(suffixes); i++) {
        size_t n = strlen(suffixes[i]);
        if (len > n && strcmp(metric + len - n, suffixes[i]) == 0)
            f = map_get(m->by_name, metric, len - n);
    }
    return f;
}
