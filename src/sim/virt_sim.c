// SPDX-License-Identifier: GPL-3.0-or-later
// The simulated herd as libvirt would show it, read-only.
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/esc.h"
#include "stage.h"

// libvirt's reasons: booted; failed; panicked.
#define REASON_BOOTED 1
#define REASON_FAILED 6
#define REASON_PANICKED 1

struct virt {
    struct virt *next;
    struct virt_listener listener;
    bool events, dead;
};

#define ENTER() struct stage *s CLEANUP(stage_leavep) __attribute__((unused)) = stage_enter()

void stage_tell(const struct stage *s, uint32_t guest, enum virt_event_type type, const char *event,
                const char *detail)
{
    CLEANUP(freep) char *name = NULL;
    for (struct virt *v = s->connections; v; v = v->next) {
        if (!v->events || !v->listener.event)
            continue;
        if (!name)
            name = stage_name(s, guest);
        v->listener.event(
            &(struct virt_event){type, stage_uuid(guest), name, event, detail, NULL, NAN},
            v->listener.arg);
    }
}

void stage_lose(struct stage *s)
{
    for (struct virt *v = s->connections; v; v = v->next) {
        if (!v->dead && v->listener.lost)
            v->listener.lost("the simulation has ended", v->listener.arg);
        v->dead = true;
    }
}

static int sim_open(const struct virt_params *params, struct virt **ret, struct err *err)
{
    ENTER();
    if (!s->world)
        return err_set(err, ENOENT, "no simulation is set up");
    if (params->read_write)
        return err_set(err, EACCES, "a simulation is only watched");
    struct virt *v = mem_zalloc(sizeof(*v));
    v->listener = params->listener;
    v->events = params->events;
    v->next = s->connections;
    s->connections = v;
    *ret = v;
    return 0;
}

static void sim_close(struct virt *v)
{
    if (!v)
        return;
    ENTER();
    struct virt **at = &s->connections;
    while (*at && *at != v)
        at = &(*at)->next;
    if (*at)
        *at = v->next;
    free(v);
}

static bool sim_alive(struct virt *v)
{
    ENTER();
    return !v->dead;
}

static int find(const struct stage *s, const struct virt *v, const struct uuid *uuid, uint32_t *ret,
                struct err *err)
{
    if (v->dead)
        return err_set(err, ENOTCONN, "the connection is gone");
    return stage_find(s, uuid, ret) ? 0 : err_set(err, ENOENT, "no such domain");
}

static int reason_of(int shown)
{
    return shown == SHOWN_RUNNING   ? REASON_BOOTED
           : shown == SHOWN_CRASHED ? REASON_PANICKED
                                    : REASON_FAILED;
}

static void describe(const struct stage *s, uint32_t guest, struct virt_domain *ret)
{
    int shown = s->actor[guest].shown;
    *ret = (struct virt_domain){
        .uuid = stage_uuid(guest),
        .name = stage_name(s, guest),
        .id = shown == SHOWN_RUNNING ? (int)guest + 1 : -1,
        .state = shown,
        .reason = reason_of(shown),
        .persistent = true,
    };
}

static int sim_list(struct virt *v, struct virt_domain **ret, size_t *ret_n, struct err *err)
{
    ENTER();
    if (v->dead)
        return err_set(err, ENOTCONN, "the connection is gone");
    struct virt_domain *all = calloc(s->world->guests + 1, sizeof(*all));
    size_t n = 0;
    if (!all)
        return err_set(err, ENOMEM, "not enough memory for %zu domains", s->world->guests);
    for (uint32_t i = 0; i < s->world->guests; i++)
        if (s->actor[i].shown != SHOWN_NOT)
            describe(s, i, &all[n++]);
    *ret = all;
    *ret_n = n;
    return 0;
}

static int sim_lookup(struct virt *v, const struct uuid *uuid, struct virt_domain *ret,
                      struct err *err)
{
    ENTER();
    uint32_t guest;
    int r = find(s, v, uuid, &guest, err);
    if (r == 0)
        describe(s, guest, ret);
    return r;
}

// The title says where the VM runs.
static int sim_xml(struct virt *v, const struct uuid *uuid, char **ret_xml, struct err *err)
{
    ENTER();
    uint32_t guest;
    int r = find(s, v, uuid, &guest, err);
    if (r < 0)
        return r;
    const struct guest *g = &s->world->guest[guest];
    CLEANUP(freep) char *name = stage_name(s, guest);
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 65536);
    buf_puts(&b, "<domain type='kvm'");
    if (stage_is_active(s, guest))
        buf_printf(&b, " id='%u'", guest + 1);
    buf_puts(&b, "><name>");
    esc_html(&b, name);
    buf_puts(&b, "</name><title>");
    if (g->host != NOWHERE) {
        const struct node *n = &s->world->node[g->host];
        buf_puts(&b, "on ");
        esc_html(&b, n->kind->name);
        buf_printf(&b, "-%u", n->number);
    }
    buf_printf(&b,
               "</title><memory unit='KiB'>%llu</memory><vcpu>%llu</vcpu><os><type arch='x86_64' "
               "machine='simulated'>hvm</type></os><devices/></domain>",
               (unsigned long long)(g->kind->memory_bytes / 1024),
               (unsigned long long)g->kind->vcpus);
    *ret_xml = buf_take(&b, NULL);
    return *ret_xml ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int sim_stats(struct virt *v, const struct uuid *uuid, unsigned parts, struct batch *out,
                     struct err *err)
{
    ENTER();
    uint32_t guest;
    int r = find(s, v, uuid, &guest, err);
    if (r < 0)
        return r;
    if (!stage_is_active(s, guest))
        return err_set(err, ENOENT, "the domain does not run");
    const struct guest *g = &s->world->guest[guest];
    double size = (double)g->kind->memory_bytes, used = size * g->kind->working_set;
    const struct {
        enum fact fact;
        double value;
    } facts[] = {
        {FACT_VM_STATE, SHOWN_RUNNING},
        {FACT_VM_REASON, REASON_BOOTED},
        {FACT_VM_MEM_CURRENT, size},
        {FACT_VM_BALLOON_CURRENT, size},
        {FACT_VM_BALLOON_MAXIMUM, size},
        {FACT_VM_GUEST_AVAILABLE, size},
        {FACT_VM_GUEST_USABLE, floor(size - used)},
        {FACT_VM_USED_PERCENT, g->kind->working_set * 100},
    };
    const size_t of_state = 2;
    size_t n = parts & VIRT_PART_MEMORY ? ARRAY_LEN(facts) : of_state;
    for (size_t i = 0; i < n; i++)
        batch_fact(out, 0, facts[i].fact, facts[i].value);
    batch_attr(out, 0, ATTR_VM_STATE, virt_state_name(SHOWN_RUNNING));
    batch_attr(out, 0, ATTR_VM_REASON, virt_reason_name(SHOWN_RUNNING, REASON_BOOTED));
    // libvirt's number for a migration that is still going on.
    if (parts & VIRT_PART_JOB)
        batch_fact(out, 0, FACT_VM_JOB_TYPE, g->to != NOWHERE ? 2 : 0);
    return 0;
}

static int sim_pools(struct virt *v, char ***ret_names, size_t *ret_n, struct err *err)
{
    *ret_names = mem_zalloc(sizeof(char *));
    *ret_n = 0;
    return 0;
}

static int sim_pool(struct virt *v, const char *name, struct batch *out, struct err *err)
{
    return err_set(err, ENOENT, "no such pool");
}

static int sim_networks(struct virt *v, struct batch *out, struct err *err)
{
    return 0;
}

static int sim_versions(struct virt *v, struct batch *out, struct err *err)
{
    batch_attr(out, 0, ATTR_HOST_HYPERVISOR_VERSION, "simulated");
    return 0;
}

static int sim_act(struct virt *v, const struct uuid *uuid, int seconds, struct batch *out,
                   struct err *err)
{
    return err_set(err, EACCES, "a simulation is only watched");
}

const struct virt_ops virt_simulated = {
    .name = "simulated",
    .open = sim_open,
    .close = sim_close,
    .alive = sim_alive,
    .list = sim_list,
    .lookup = sim_lookup,
    .xml = sim_xml,
    .stats = sim_stats,
    .pools = sim_pools,
    .pool = sim_pool,
    .networks = sim_networks,
    .versions = sim_versions,
    .agent_ping = sim_act,
    .agent_info = sim_act,
    .dirty_rate = sim_act,
};
