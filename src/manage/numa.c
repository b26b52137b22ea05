// SPDX-License-Identifier: GPL-3.0-or-later
// VMs on NUMA nodes: where memory comes from, and which CPUs their vCPUs run on.
#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "manage/numa.h"
#include "run.h"

static bool read_range(const char **at, uint64_t *ret_first, uint64_t *ret_last)
{
    if (**at < '0' || **at > '9' || !number_scan_u64(at, ret_first))
        return false;
    *ret_last = *ret_first;
    if (**at != '-')
        return true;
    ++*at;
    return **at >= '0' && **at <= '9' && number_scan_u64(at, ret_last);
}

int numa_nodes_parse(const char *text, unsigned nodes[NUMA_NODES_MAX], struct err *err)
{
    bool chosen[NUMA_NODES_MAX] = {false};
    const char *at = text;
    int n = 0;
    for (;;) {
        uint64_t first = 0, last = 0;
        if (!read_range(&at, &first, &last) || last < first || last >= NUMA_NODES_MAX ||
            (*at != ',' && *at != '\0'))
            return err_set(err, EINVAL, "\"%.64s\" is no list of NUMA nodes such as 0 or 0-1,3",
                           text);
        for (uint64_t i = first; i <= last; i++)
            chosen[i] = true;
        if (*at == '\0')
            break;
        at++;
    }
    for (unsigned i = 0; i < NUMA_NODES_MAX; i++)
        if (chosen[i])
            nodes[n++] = i;
    return n;
}

// The cells that a text names, in order: how many, or -EINVAL.
static int choose(const char *text, const struct virt_cell *cells, size_t n_cells,
                  const struct virt_cell *ret[NUMA_NODES_MAX], struct err *err)
{
    unsigned nodes[NUMA_NODES_MAX];
    int n = numa_nodes_parse(text, nodes, err);
    for (int i = 0; i < n; i++) {
        ret[i] = NULL;
        for (size_t k = 0; k < n_cells; k++)
            if (cells[k].id == nodes[i])
                ret[i] = &cells[k];
        if (!ret[i])
            return err_set(err, EINVAL, "the host has no NUMA node %u", nodes[i]);
    }
    return n;
}

int numa_pins(const char *text, const struct virt_cell *cells, size_t n_cells, unsigned vcpus,
              struct virt_pin **ret, struct err *err)
{
    const struct virt_cell *chosen[NUMA_NODES_MAX];
    int n = choose(text, cells, n_cells, chosen, err);
    if (n < 0)
        return n;
    for (int i = 0; i < n; i++)
        if (!*chosen[i]->cpus)
            return err_set(err, EINVAL, "the NUMA node %u has no CPUs to pin to", chosen[i]->id);
    *ret = mem_zalloc((vcpus + 1) * sizeof(**ret));
    for (unsigned i = 0; i < vcpus; i++)
        (*ret)[i] = (struct virt_pin){i, mem_strdup(chosen[(size_t)i * (size_t)n / vcpus]->cpus)};
    return 0;
}

static int check_nodes(struct manage_run *r, const json_t *numa, unsigned vcpus,
                       struct virt_pin **ret_pins, struct err *err)
{
    struct virt_cell *cells = NULL;
    const struct virt_cell *chosen[NUMA_NODES_MAX];
    size_t n_cells = 0;
    *ret_pins = NULL;
    int w = r->manage->cells(r->virt, &cells, &n_cells, err);
    if (w == 0)
        w = MIN_OF(choose(run_member(numa, "nodes"), cells, n_cells, chosen, err), 0);
    if (w == 0 && json_is_true(json_object_get(numa, "pin")))
        w = numa_pins(run_member(numa, "nodes"), cells, n_cells, vcpus, ret_pins, err);
    virt_cells_free(cells, n_cells);
    return w;
}

static void pins_free(struct virt_pin *pins, size_t n)
{
    for (size_t i = 0; pins && i < n; i++)
        free(pins[i].cpus);
    free(pins);
}

static const char *mode_of(const json_t *numa)
{
    const char *mode = run_member(numa, "mode");
    return mode ? mode : virt_numa_modes[VIRT_NUMA_STRICT];
}

int run_check_numa(struct manage_run *r, const json_t *numa, unsigned vcpus, struct err *err)
{
    struct virt_pin *pins = NULL;
    int w = numa ? check_nodes(r, numa, vcpus, &pins, err) : 0;
    if (w == 0 && numa)
        run_say(r, "take memory from the NUMA nodes %s (%s)", run_member(numa, "nodes"),
                mode_of(numa));
    for (unsigned i = 0; w == 0 && pins && i < vcpus; i++)
        run_say(r, "pin vCPU %u to the CPUs %s", i, pins[i].cpus);
    pins_free(pins, vcpus);
    return w;
}

static void take(const json_t *numa, struct virt_numa *ret)
{
    ret->nodes = mem_strdup(run_member(numa, "nodes"));
    for (int i = 0; i < VIRT_NUMA_MODE_MAX; i++)
        if (strcmp(virt_numa_modes[i], mode_of(numa)) == 0)
            ret->mode = (enum virt_numa_mode)i;
}

int run_take_numa(struct manage_run *r, const json_t *numa, struct virt_spec *spec, struct err *err)
{
    if (!numa)
        return 0;
    int w = check_nodes(r, numa, spec->vcpus, &spec->pins, err);
    if (w < 0)
        return w;
    spec->n_pins = spec->pins ? spec->vcpus : 0;
    take(numa, &spec->numa);
    return 0;
}

/* Of a VM that is there. */

static int check_set_numa(struct manage_run *r, struct err *err)
{
    struct virt_size size = {0};
    int w = r->manage->size(r->virt, &r->uuid, &size, err);
    if (w == 0)
        w = run_check_numa(r, r->body, size.vcpus, err);
    if (w == 0 && run_is(r, "scope", "live", "both")) {
        int active = run_active(r, err);
        w = active == 0
                ? err_set(err, ESRCH, "the VM is not running; only its definition can change")
                : MIN_OF(active, 0);
    }
    return w;
}

static void tell(struct manage_run *r, const struct virt_pin *pins, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; pins && i < n; i++)
        json_array_append_new(list, json_string(pins[i].cpus));
    json_object_set_new(r->result, "nodes", json_string(run_text(r, "nodes")));
    json_object_set_new(r->result, "mode", json_string(mode_of(r->body)));
    json_object_set_new(r->result, "pins", list);
}

static int run_set_numa(struct manage_run *r, struct err *err)
{
    struct virt_size size = {0};
    struct virt_numa numa = {0};
    struct virt_pin *pins = NULL;
    int w = r->manage->size(r->virt, &r->uuid, &size, err);
    if (w == 0)
        w = check_nodes(r, r->body, size.vcpus, &pins, err);
    take(r->body, &numa);
    if (w == 0)
        w = r->manage->set_numa(r->virt, &r->uuid, &numa, run_scope(r), err);
    for (unsigned i = 0; w == 0 && pins && i < size.vcpus; i++)
        w = r->manage->pin(r->virt, &r->uuid, i, pins[i].cpus, run_scope(r), err);
    if (w == 0)
        tell(r, pins, size.vcpus);
    pins_free(pins, size.vcpus);
    free(numa.nodes);
    return w;
}

const struct handler numa_handlers[DEED_MAX] = {
    [DEED_SET_NUMA] = {check_set_numa, run_set_numa, NULL},
};
