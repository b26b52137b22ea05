// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "api.h"
#include "base/mem.h"

// Threads of libuv for what is no query: its own work, remote write's places, automatic plans.
#define OTHER_THREADS 3

// So many times what one query may take, all answers on their way may take together.
#define HELD_MAX 4

static void send_piece(void *arg, int type, uint32_t id, int status, const void *a, size_t a_len,
                       const void *b, size_t b_len)
{
    peer_send(&((struct core *)arg)->web, (enum ipc_type)type, id, status, a, a_len, b, b_len);
}

void queries_begin(struct core *c)
{
    // libuv reads this when its first work is queued.
    CLEANUP(freep)
    char *threads = mem_printf("%d", (int)c->conf->query.concurrency + OTHER_THREADS);
    setenv("UV_THREADPOOL_SIZE", threads, 1);
    struct jobs_params params = {&c->loop, API_TYPE, send_piece, c};
    c->jobs = jobs_new(&params);
    queries_limit(c);
}

void queries_limit(struct core *c)
{
    jobs_limit(c->jobs, (size_t)c->conf->query.concurrency, (size_t)c->conf->query.queue,
               HELD_MAX * ((size_t)c->conf->query.max_memory_mib << 20));
}

void queries_end(struct core *c)
{
    // Requests may still come meanwhile, and are refused.
    jobs_free(c->jobs);
    c->jobs = NULL;
    imports_free(c->imports);
    c->imports = NULL;
}
