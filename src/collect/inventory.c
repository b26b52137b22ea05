// SPDX-License-Identifier: GPL-3.0-or-later
// Which VMs there are and in what state: from events, a listing at each (re)connect and each
// minute, and the answer to a look at one VM. What is older than a VM's last event does not count.
#include <stdio.h>
#include <string.h>

#include "private.h"

// So long libvirt may take to notice that a process is gone.
#define DIED_NS (60 * NS_PER_S)

void vm_clear_lane(struct vm *vm, enum lane lane)
{
    struct object *o = &vm->obj;
    const struct kind_desc *kind = &model_kinds[KIND_VM];
    for (int i = 0; i < kind->n_facts; i++)
        if (model_facts[kind->first_fact + (enum fact)i].lane == lane)
            o->facts[i] = NAN;
    for (enum kind k = 0; k < KIND_MAX; k++) {
        if (model_kinds[k].parent != KIND_VM)
            continue;
        OBJECT_FOREACH_CHILD (child, o, k)
            for (int i = 0; i < model_kinds[k].n_facts; i++)
                if (model_facts[model_kinds[k].first_fact + (enum fact)i].lane == lane)
                    child->facts[i] = NAN;
    }
}

static void vm_stopped(struct collector *c, struct vm *vm)
{
    // What each sample judges of a running VM.
    static const enum fact flags[] = {FACT_VM_STALLED, FACT_VM_TIMED_OUT, FACT_VM_LIBVIRT_AGE};
    static const enum lane lanes[] = {LANE_KERNEL, LANE_TURN, LANE_SLOW,  LANE_LIBVIRT,
                                      LANE_MEMORY, LANE_JOB,  LANE_AGENT, LANE_RATE};
    static const enum kind kinds[] = {KIND_VCPU, KIND_FS, KIND_PERF, KIND_MISS};
    static const enum attr attrs[] = {
        ATTR_VM_GUEST_HOSTNAME, ATTR_VM_GUEST_OS,    ATTR_VM_GUEST_OS_ID, ATTR_VM_GUEST_KERNEL,
        ATTR_VM_GUEST_TIMEZONE, ATTR_VM_GUEST_USERS, ATTR_VM_FLAG,
    };
    for (size_t i = 0; i < ARRAY_LEN(lanes); i++)
        vm_clear_lane(vm, lanes[i]);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        object_clear(&vm->obj, kinds[i]);
    for (size_t i = 0; i < ARRAY_LEN(attrs); i++)
        object_set_attr(&vm->obj, attrs[i], NULL);
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        object_set_fact(&vm->obj, flags[i], NAN, mono(c));
    object_set_attr(&vm->obj, ATTR_VM_DIFFERENCES, NULL);
    vm->obj.facts[FACT_VM_CONFIG_DIFFERS - model_kinds[KIND_VM].first_fact] = NAN;
    vm->obj.updated_ns[LANE_LIBVIRT] = 0;
    rec_of(vm)->vcpus = 0;
    rec_of(vm)->pace = (struct pace){0};
    rec_of(vm)->agent_info_ns = 0; // another guest may boot
    vm->obj.before_ns = 0;
    lane_remove(c->stats_lane, vm->uuid.b, UUID_BYTES);
    lane_remove(c->agent_lane, vm->uuid.b, UUID_BYTES);
}

static void vm_started(struct collector *c, struct vm *vm)
{
    lane_add(c->stats_lane, vm->uuid.b, UUID_BYTES, mono(c));
    // Also where a process is known: of one that was started again at once, that is the last one.
    if (c->sampler)
        sampler_scan_soon(c->sampler);
}

static void set_active(struct collector *c, struct vm *vm, bool active)
{
    if (active && (!vm->active || !lane_has(c->stats_lane, vm->uuid.b, UUID_BYTES)))
        vm_started(c, vm);
    else if (!active && vm->active)
        vm_stopped(c, vm);
    vm->active = active;
}

// The words of inovex' exporter for virDomainState, for its label state_desc.
static const char *const inovex_words[] = {
    "no state",
    "the domain is running",
    "the domain is blocked on resource",
    "the domain is paused by user",
    "the domain is being shut down",
    "the domain is shut off",
    "the domain is crashed",
    "the domain is suspended by guest power management",
};

static void set_state(struct vm *vm, int state, int reason, int64_t now)
{
    struct object *o = &vm->obj;
    object_set_fact(o, FACT_VM_STATE, state, now);
    object_set_fact(o, FACT_VM_REASON, reason, now);
    object_set_attr(o, ATTR_VM_STATE, virt_state_name(state));
    object_set_attr(o, ATTR_VM_REASON, virt_reason_name(state, reason));
    bool has_word = state >= 0 && state < (int)ARRAY_LEN(inovex_words);
    object_set_attr(o, ATTR_VM_STATE_DESC, has_word ? inovex_words[state] : "unknown");
}

static struct vm *add_vm(struct collector *c, const struct uuid *uuid, const char *name)
{
    struct vm *vm = herd_vm_add(c->herd, uuid);
    vm->in_libvirt = true;
    if (name)
        herd_vm_rename(c->herd, vm, name);
    lane_add(c->config_lane, uuid->b, UUID_BYTES, mono(c));
    return vm;
}

static void apply_domain(struct collector *c, const struct virt_domain *d, int64_t now)
{
    struct vm *vm = add_vm(c, &d->uuid, d->name);
    struct object *o = &vm->obj;
    bool was_active = vm->active;
    // libvirt does not know yet that it crashed.
    if (d->id >= 0 && rec_of(vm)->died_ns && now - rec_of(vm)->died_ns < DIED_NS)
        return;
    rec_of(vm)->died_ns = 0;
    set_active(c, vm, d->id >= 0);
    set_state(vm, d->state, d->reason, now);
    object_set_fact(o, FACT_VM_ID, d->id >= 0 ? d->id : NAN, now);
    object_set_fact(o, FACT_VM_PERSISTENT, d->persistent, now);
    object_set_fact(o, FACT_VM_AUTOSTART, d->autostart, now);
    if (d->is_listed)
        stored_listed(c, vm, d->has_snapshots);
    if (was_active != vm->active)
        lane_hasten(c->config_lane, vm->uuid.b, UUID_BYTES, now);
}

void inventory_domain(struct collector *c, const struct virt_domain *d)
{
    apply_domain(c, d, mono(c));
    inventory_count(c);
}

void inventory_drop_unknown(struct collector *c, struct vm *vm)
{
    vm->in_libvirt = false;
    lane_remove(c->config_lane, vm->uuid.b, UUID_BYTES);
    lane_remove(c->stored_lane, vm->uuid.b, UUID_BYTES);
    if (rec_of(vm)->pid) {
        vm->active = true;
        return;
    }
    vm_stopped(c, vm);
    herd_vm_remove(c->herd, vm);
}

// VMs that a listing does not name are gone, unless an event told of them since it began.
static void drop_unlisted(struct collector *c, const struct virt_domain *domains, size_t n,
                          int64_t started_ns)
{
    CLEANUP(freep) struct vm **gone = mem_zalloc(c->herd->n_vms * sizeof(struct vm *));
    struct map *listed = map_new();
    for (size_t i = 0; i < n; i++)
        map_put(listed, domains[i].uuid.b, UUID_BYTES, c);
    size_t n_gone = 0;
    for (size_t i = 0; i < c->herd->n_vms; i++) {
        struct vm *vm = c->herd->vms[i];
        if (vm->in_libvirt && !map_get(listed, vm->uuid.b, UUID_BYTES) &&
            rec_of(vm)->event_ns < started_ns)
            gone[n_gone++] = vm;
    }
    map_free(listed);
    for (size_t i = 0; i < n_gone; i++)
        inventory_drop_unknown(c, gone[i]);
}

void inventory_domains(struct collector *c, struct virt_domain *domains, size_t n,
                       int64_t started_ns)
{
    int64_t now = mono(c);
    drop_unlisted(c, domains, n, started_ns);
    for (size_t i = 0; i < n; i++) {
        const struct vm *vm = herd_vm(c->herd, &domains[i].uuid);
        if (!vm || rec_of(vm)->event_ns < started_ns)
            apply_domain(c, &domains[i], now);
    }
    inventory_count(c);
}

void inventory_count(struct collector *c)
{
    int known = 0, running = 0;
    for (size_t i = 0; i < c->herd->n_vms; i++) {
        const struct vm *vm = c->herd->vms[i];
        known += vm->in_libvirt;
        running += vm->in_libvirt && object_fact(&vm->obj, FACT_VM_STATE) == 1;
    }
    object_set_fact(c->herd->host, FACT_HOST_DOMAINS, known, mono(c));
    object_set_fact(c->herd->host, FACT_HOST_DOMAINS_RUNNING, running, mono(c));
}

// What an event says of the state, until the VM itself has been asked a moment later.
static const struct {
    const char *event;
    int state; // virDomainState
    bool active;
} event_states[] = {
    {"started", 1, true},     {"resumed", 1, true}, {"suspended", 3, true}, {"stopped", 5, false},
    {"pmsuspended", 7, true}, {"crashed", 6, true}, {"shutdown", 4, true},
};

// libvirt's reasons that say the same as an event's detail.
static const struct {
    const char *event, *detail;
    int reason;
} event_reasons[] = {
    {"stopped", "shutdown", 1},   {"stopped", "destroyed", 2},       {"stopped", "crashed", 3},
    {"stopped", "migrated", 4},   {"stopped", "saved", 5},           {"stopped", "failed", 6},
    {"suspended", "paused", 1},   {"suspended", "migrated", 2},      {"suspended", "ioerror", 5},
    {"suspended", "watchdog", 6}, {"suspended", "from_snapshot", 7}, {"crashed", "panicked", 1},
    {"started", "booted", 1},     {"started", "migrated", 2},        {"started", "restored", 3},
    {"resumed", "unpaused", 5},
};

static int reason_of(const struct virt_event *e)
{
    for (size_t i = 0; e->detail && i < ARRAY_LEN(event_reasons); i++)
        if (strcmp(e->event, event_reasons[i].event) == 0 &&
            strcmp(e->detail, event_reasons[i].detail) == 0)
            return event_reasons[i].reason;
    return -1;
}

static void state_event(struct collector *c, struct vm *vm, const struct virt_event *e)
{
    for (size_t i = 0; i < ARRAY_LEN(event_states); i++) {
        if (strcmp(e->event, event_states[i].event) != 0)
            continue;
        int reason = reason_of(e);
        set_active(c, vm, event_states[i].active);
        set_state(vm, event_states[i].state, MAX_OF(reason, 0), mono(c));
        if (reason >= 0)
            continue;
        object_set_attr(&vm->obj, ATTR_VM_REASON, e->detail);
        object_set_fact(&vm->obj, FACT_VM_REASON, NAN, mono(c));
    }
}

static void count_event(struct vm *vm, const char *name, int64_t now)
{
    struct object *counter = object_child(&vm->obj, KIND_EVENT, name);
    double before = object_fact(counter, FACT_EVENT_COUNT);
    if (isnan(before))
        counter->before_ns = now; // keep.c begins its series with 0
    object_set_fact(counter, FACT_EVENT_COUNT, isnan(before) ? 1 : before + 1, now);
}

static void tell(struct collector *c, const struct virt_event *e)
{
    if (c->p.event)
        c->p.event(e, herd_vm(c->herd, &e->uuid), c->p.arg);
}

// Of what libvirt keeps of a VM most changes come with an event; the others are found in time.
static bool may_change_stored(const struct virt_event *e)
{
    return e->type == VIRT_EVENT_DEFINED || e->type == VIRT_EVENT_UNDEFINED ||
           e->type == VIRT_EVENT_STATE || e->type == VIRT_EVENT_JOB ||
           strcmp(e->event, "block_job") == 0;
}

static void take_event(struct collector *c, const struct virt_event *e)
{
    int64_t now = mono(c);
    bool is_new = !herd_vm(c->herd, &e->uuid);
    if (is_new && e->type != VIRT_EVENT_STATE) {
        // Nothing is known of it yet but its name: it is shown once libvirt has told its state.
        if (e->type == VIRT_EVENT_DEFINED)
            lane_add(c->config_lane, e->uuid.b, UUID_BYTES, now);
        return;
    }
    struct vm *vm = add_vm(c, &e->uuid, e->name);
    rec_of(vm)->event_ns = now;
    rec_of(vm)->pace.slow_ns = 0; // due again
    count_event(vm, e->event, now);
    // The state that follows says only "I/O error".
    if (e->type == VIRT_EVENT_IO_ERROR && e->detail && strcmp(e->detail, "enospc") == 0)
        count_event(vm, "io_error_enospc", now);
    switch (e->type) {
    case VIRT_EVENT_STATE:
        state_event(c, vm, e);
        break;
    case VIRT_EVENT_BALLOON:
        object_set_fact(&vm->obj, FACT_VM_MEM_CURRENT, e->value, now);
        return; // nothing else changed
    case VIRT_EVENT_AGENT:
        object_set_fact(&vm->obj, FACT_VM_AGENT_CONNECTED, e->value, now);
        object_set_attr(&vm->obj, ATTR_VM_AGENT, e->value > 0 ? "connected" : "disconnected");
        break;
    default:
        break;
    }
    lane_hasten(c->config_lane, e->uuid.b, UUID_BYTES, now);
    if (may_change_stored(e))
        stored_soon(c, vm);
    inventory_count(c);
}

// libvirt calls it "failed" when QEMU is gone without a word, and says "crashed" only of the state
// that follows. A VM that was just coming into being has failed to.
static const char *detail_of(struct collector *c, const struct virt_event *e)
{
    static const char *const beginnings[] = {"starting up", "migrating", "post-copy"};
    const struct vm *vm = herd_vm(c->herd, &e->uuid);
    if (strcmp(e->event, "stopped") != 0 || !e->detail || strcmp(e->detail, "failed") != 0 || !vm ||
        !vm->active)
        return e->detail;
    const char *reason = object_attr(&vm->obj, ATTR_VM_REASON);
    bool was_running = object_fact(&vm->obj, FACT_VM_STATE) == 1;
    for (size_t i = 0; !was_running && reason && i < ARRAY_LEN(beginnings); i++)
        if (strcmp(reason, beginnings[i]) == 0)
            return e->detail;
    return "crashed";
}

void inventory_event(struct collector *c, const struct virt_event *e)
{
    struct virt_event known = *e;
    struct vm *vm = herd_vm(c->herd, &e->uuid);
    bool was_told = vm && rec_of(vm)->died_ns && strcmp(e->event, "stopped") == 0 && e->detail &&
                    (strcmp(e->detail, "failed") == 0 || strcmp(e->detail, "crashed") == 0);
    if (vm && e->type == VIRT_EVENT_STATE)
        rec_of(vm)->died_ns = 0;
    if (was_told) {
        // The kernel was quicker.
        rec_of(vm)->event_ns = mono(c);
        lane_hasten(c->config_lane, e->uuid.b, UUID_BYTES, mono(c));
        return;
    }
    known.detail = detail_of(c, e);
    take_event(c, &known);
    tell(c, &known);
}

void collector_process_died(struct collector *c, const struct uuid *uuid, int pid, int signal)
{
    struct vm *vm = herd_vm(c->herd, uuid);
    // What is shutting down may end as it likes.
    if (!vm || !vm->active || rec_of(vm)->pid != pid || object_fact(&vm->obj, FACT_VM_STATE) == 4)
        return;
    CLEANUP(freep) char *name = mem_strdup(object_attr(&vm->obj, ATTR_VM_NAME));
    const struct virt_event e = {.type = VIRT_EVENT_STATE,
                                 .uuid = *uuid,
                                 .name = name,
                                 .event = "stopped",
                                 .detail = "crashed",
                                 .value = signal};
    take_event(c, &e);
    rec_of(vm)->died_ns = mono(c);
    tell(c, &e);
}
