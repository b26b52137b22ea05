// SPDX-License-Identifier: GPL-3.0-or-later
#include "certificates.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "certificate_file.h"
#include "core.h"

#define EVERY_NS (3600 * NS_PER_S)
#define WHAT "certificate "

// What a worker has to itself while it looks.
struct look {
    uv_work_t work;
    struct certificates *certificates; // NULL: nobody asks any more
    char *root;
    char *own; // vherd's; NULL: it has none
    struct certificate_files found;
};

struct certificates {
    struct core *core;
    struct look *look; // under way
    int64_t due_ns;
};

// vherd's own: of the configuration, or made by the supervisor beside act's directory.
static char *own_certificate(const struct conf *conf)
{
    if (conf->web.tls_listen.n == 0)
        return NULL;
    if (*conf->web.tls_certificate)
        return mem_strdup(conf->web.tls_certificate);
    CLEANUP(freep) char *state = conf_act_state(conf);
    char *slash = strrchr(state, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    return mem_printf("%s/tls/certificate.pem", state);
}

static void look_free(struct look *l)
{
    certificate_files_done(&l->found);
    free(l->root);
    free(l->own);
    free(l);
}

static void look_run(uv_work_t *work)
{
    struct look *l = (struct look *)work;
    pthread_setname_np(pthread_self(), "pool");
    if (l->own)
        certificate_files_add("/", l->own, &l->found);
    certificate_files_find(l->root, &l->found);
}

static void show_one(struct object *host, const struct certificate_file *f, int64_t now)
{
    CLEANUP(freep) char *what = mem_printf(WHAT "%s", f->path);
    if (!f->error) {
        struct object *o = object_child(host, KIND_CERT, f->path);
        object_set_fact(o, FACT_CERT_NOT_AFTER, (double)f->not_after_s, now);
        return;
    }
    struct object *miss = object_child(host, KIND_HMISS, what);
    object_set_attr(miss, ATTR_HMISS_REASON, f->error);
    object_set_fact(miss, FACT_HMISS_ONE, 1, now);
}

static void forget_misses(struct object *host)
{
    for (struct object *o = host->children[KIND_HMISS], *next; o; o = next) {
        next = o->next;
        if (strncmp(object_attr(o, ATTR_HMISS_WHAT), WHAT, strlen(WHAT)) == 0)
            object_remove(o);
    }
}

static void look_done(uv_work_t *work, int status)
{
    struct look *l = (struct look *)work;
    struct certificates *s = l->certificates;
    if (s) {
        struct object *host = s->core->herd->host;
        int64_t now = clock_mono_ns(&clock_system);
        s->look = NULL;
        forget_misses(host);
        for (size_t i = 0; i < l->found.n; i++)
            show_one(host, &l->found.item[i], now);
        object_sweep(host, KIND_CERT, LANE_SELF, now);
    }
    look_free(l);
}

struct certificates *certificates_new(struct core *c)
{
    struct certificates *s = mem_zalloc(sizeof(*s));
    s->core = c;
    return s;
}

void certificates_free(struct certificates *s)
{
    if (s && s->look)
        s->look->certificates = NULL;
    free(s);
}

void certificates_step(struct certificates *s)
{
    int64_t now = clock_mono_ns(&clock_system);
    if (s->look || now < s->due_ns)
        return;
    struct look *l = mem_zalloc(sizeof(*l));
    l->certificates = s;
    l->root = mem_strdup(s->core->conf->kernel.root);
    l->own = own_certificate(s->core->conf);
    if (uv_queue_work(&s->core->loop, &l->work, look_run, look_done) < 0) {
        look_free(l);
        return;
    }
    s->look = l;
    s->due_ns = now + EVERY_NS;
}

void certificates_reload(struct certificates *s)
{
    s->due_ns = 0;
}
