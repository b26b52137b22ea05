// SPDX-License-Identifier: GPL-3.0-or-later
// Tries a back end by hand:  virt-probe URI [COMMAND [NAME [NUMBER]]]
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "net/batch_json.h"
#include "virt/virt.h"

struct probe {
    const struct virt_ops *ops;
    struct virt *v;
    struct uuid uuid;
    uint64_t number;
};

static int complain(const struct err *err)
{
    fprintf(stderr, "%s: %s\n", strerror(err->code), err->message);
    return 1;
}

static int print_batch(struct batch *b, int r, const struct err *err)
{
    CLEANUP(buf_done) struct buf out;
    struct json j;
    buf_init(&out, 64u * 1024 * 1024);
    json_init(&j, &out);
    batch_encode_json(b, &j);
    for (size_t i = 0; i < out.len; i++) {
        putchar(out.data[i]);
        if (out.data[i] == '}')
            putchar('\n');
    }
    putchar('\n');
    batch_free(b);
    return r < 0 ? complain(err) : 0;
}

static void print_domain(const struct virt_domain *d)
{
    char uuid[UUID_TEXT];
    uuid_format(&d->uuid, uuid);
    printf("%s id %d, %s (%s)%s%s  %s\n", uuid, d->id, virt_state_name(d->state),
           virt_reason_name(d->state, d->reason), d->persistent ? "" : ", transient",
           d->autostart ? ", autostart" : "", d->name);
}

static int list(struct probe *p)
{
    struct virt_domain *domains;
    size_t n;
    struct err err;
    if (p->ops->list(p->v, &domains, &n, &err) < 0)
        return complain(&err);
    for (size_t i = 0; i < n; i++)
        print_domain(&domains[i]);
    virt_domains_free(domains, n);
    return 0;
}

static int lookup(struct probe *p)
{
    struct virt_domain d;
    struct err err;
    if (p->ops->lookup(p->v, &p->uuid, &d, &err) < 0)
        return complain(&err);
    print_domain(&d);
    virt_domain_done(&d);
    return 0;
}

static int xml(struct probe *p)
{
    CLEANUP(freep) char *text = NULL;
    struct err err = {0};
    struct batch *b = batch_new();
    int r = p->ops->xml(p->v, &p->uuid, &text, &err);
    if (r == 0)
        r = virt_xml_read(text, strlen(text), b, &err);
    return print_batch(b, r, &err);
}

static int stats(struct probe *p)
{
    struct err err = {0};
    struct batch *b = batch_new();
    return print_batch(b, p->ops->stats(p->v, &p->uuid, VIRT_PARTS_ALL, b, &err), &err);
}

static int agent(struct probe *p)
{
    struct err err = {0};
    struct batch *b = batch_new();
    int r = p->ops->agent_ping(p->v, &p->uuid, (int)p->number, b, &err);
    if (r == 0)
        r = p->ops->agent_info(p->v, &p->uuid, (int)p->number, b, &err);
    return print_batch(b, r, &err);
}

static int dirty(struct probe *p)
{
    struct err err = {0};
    struct batch *b = batch_new();
    return print_batch(b, p->ops->dirty_rate(p->v, &p->uuid, (int)p->number, b, &err), &err);
}

static int host(struct probe *p)
{
    struct err err = {0};
    struct batch *b = batch_new();
    char **names = NULL;
    size_t n = 0;
    b->host = true;
    int r = p->ops->versions(p->v, b, &err);
    if (r == 0)
        r = p->ops->networks(p->v, b, &err);
    if (r == 0)
        r = p->ops->pools(p->v, &names, &n, &err);
    for (size_t i = 0; i < n && r == 0; i++)
        r = p->ops->pool(p->v, names[i], b, &err);
    virt_names_free(names, n);
    return print_batch(b, r, &err);
}

static int repeat(struct probe *p)
{
    struct batch *b = batch_new();
    struct err err;
    int failed = 0;
    for (uint64_t i = 0; i < p->number; i++) {
        batch_reset(b);
        failed += p->ops->stats(p->v, &p->uuid, VIRT_PARTS_ALL, b, &err) < 0;
    }
    batch_free(b);
    printf("%d of %ju calls failed\n", failed, (uintmax_t)p->number);
    return failed ? complain(&err) : 0;
}

static int stored(struct probe *p)
{
    struct err err = {0};
    struct batch *b = batch_new();
    return print_batch(b, p->ops->stored(p->v, &p->uuid, -1, true, b, &err), &err);
}

static int repeat_stored_with(struct probe *p, int known)
{
    struct batch *b = batch_new();
    struct err err;
    int failed = 0;
    for (uint64_t i = 0; i < p->number; i++) {
        batch_reset(b);
        failed += p->ops->stored(p->v, &p->uuid, known, true, b, &err) < 0;
    }
    batch_free(b);
    printf("%d of %ju calls failed\n", failed, (uintmax_t)p->number);
    return failed ? complain(&err) : 0;
}

static int repeat_stored(struct probe *p)
{
    return repeat_stored_with(p, -1);
}

// Of a VM without snapshots.
static int repeat_count(struct probe *p)
{
    return repeat_stored_with(p, 0);
}

static int events(struct probe *p)
{
    sleep((unsigned)p->number);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(struct probe *p);
    bool of_vm, read_write;
} commands[] = {
    {"list", list, false, false},
    {"host", host, false, false},
    {"events", events, false, false},
    {"lookup", lookup, true, false},
    {"xml", xml, true, false},
    {"stats", stats, true, false},
    {"repeat", repeat, true, false},
    {"agent", agent, true, true},
    {"dirty", dirty, true, true},
    {"stored", stored, true, false},
    {"repeat-stored", repeat_stored, true, false},
    {"repeat-count", repeat_count, true, false},
};

static void on_event(const struct virt_event *e, void *arg)
{
    printf("%s: %s", e->name, e->event);
    if (e->detail)
        printf(" %s", e->detail);
    if (e->device)
        printf(" on %s", e->device);
    if (e->value == e->value)
        printf(" = %g", e->value);
    putchar('\n');
}

static void on_lost(const char *reason, void *arg)
{
    printf("lost: %s\n", reason);
}

static int find_vm(struct probe *p, const char *name)
{
    struct virt_domain *domains;
    size_t n;
    struct err err = {0};
    if (p->ops->list(p->v, &domains, &n, &err) < 0)
        return complain(&err);
    int r = 1;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(domains[i].name, name) == 0) {
            p->uuid = domains[i].uuid;
            r = 0;
        }
    }
    virt_domains_free(domains, n);
    if (r)
        fprintf(stderr, "no such VM\n");
    return r;
}

int main(int argc, char **argv)
{
    const char *command = argc > 2 ? argv[2] : "list";
    size_t at = 0;
    while (at < ARRAY_LEN(commands) && strcmp(commands[at].name, command) != 0)
        at++;
    struct probe p = {.number = 1};
    if (argc < 2 || at == ARRAY_LEN(commands) || (commands[at].of_vm && argc < 4) ||
        (argc > 4 && number_parse_u64(argv[4], &p.number) < 0)) {
        fprintf(stderr, "usage: virt-probe URI [COMMAND [NAME [NUMBER]]]\n");
        return 2;
    }
    setlinebuf(stdout);
    struct err err;
    struct virt_params params = {
        .uri = argv[1],
        .read_write = commands[at].read_write,
        .events = true,
        .keepalive_s = 2,
        .listener = {on_event, on_lost, NULL},
        .clock = &clock_system,
    };
    p.ops = virt_ops_for_uri(argv[1]);
    if (p.ops->open(&params, &p.v, &err) < 0)
        return complain(&err);
    int r = commands[at].of_vm ? find_vm(&p, argv[3]) : 0;
    if (r == 0)
        r = commands[at].run(&p);
    p.ops->close(p.v);
    return r;
}
