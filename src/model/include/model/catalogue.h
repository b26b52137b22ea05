// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MODEL_CATALOGUE_H
#define MODEL_CATALOGUE_H

/*
 * The one table of what vherd knows: kinds of objects, their attributes (text) and facts
 * (numbers), and the metric names under which facts are exposed. HELP and TYPE lines, the JSON
 * fields, docs/metrics.md and the clients' columns all come from here.
 */

#include <stdbool.h>
#include <stddef.h>

#include "model/facts.h"

/** Kinds of objects; each object but the host and the VMs hangs below another. */
enum kind {
#define X(kind, json, parent) KIND_##kind,
    MODEL_KINDS(X)
#undef X
        KIND_MAX,
    KIND_INVALID = -1,
};

/** Who delivers a fact, which decides how long it counts as fresh. */
enum lane {
    LANE_KERNEL,  /**< the one-second lane of VMs */
    LANE_TURN,    /**< kernel sources that are read in turns, every few seconds */
    LANE_SLOW,    /**< costly kernel sources: PSS, swap, KVM statistics */
    LANE_HOST,    /**< the host's kernel sources, each second */
    LANE_STATE,   /**< state and inventory; fresh while the connection to libvirt stands */
    LANE_CONFIG,  /**< the domain XML; kept while libvirt is away */
    LANE_STORED,  /**< what libvirt keeps of a VM: stored definition, snapshots, chains; as STATE */
    LANE_LIBVIRT, /**< per-VM statistics through libvirt: disks, perf events */
    LANE_MEMORY,  /**< balloon and guest memory, through libvirt */
    LANE_JOB,     /**< a VM's job, through libvirt */
    LANE_AGENT,   /**< the guest agent */
    LANE_POOL,    /**< storage pools and networks */
    LANE_SELF,    /**< about vherd itself */
    LANE_RATE,    /**< computed by core out of two samples */
    LANE_MAX,
    LANE_INVALID = -1,
};

/** How a fact's number is kept in memory and what it is in base units. */
enum fact_store {
    STORE_PLAIN, /**< in its base unit */
    STORE_NS,    /**< whole nanoseconds; exposed as seconds */
};

enum fact {
#define X(kind, id, lane, store, brief, json, help) FACT_##kind##_##id,
    MODEL_FACTS(X)
#undef X
        FACT_MAX,
    FACT_INVALID = -1,
};

enum attr {
#define X(kind, id, brief, json, help) ATTR_##kind##_##id,
    MODEL_ATTRS(X)
#undef X
        ATTR_MAX,
    ATTR_INVALID = -1,
};

struct kind_desc {
    const char *name; /**< "vcpu" */
    const char *json; /**< the member that lists such objects in their parent: "vcpus" */
    enum kind parent; /**< KIND_INVALID: stands by itself */
    enum fact first_fact;
    int n_facts;
    enum attr first_attr; /**< the first attribute is the object's key among its siblings */
    int n_attrs;
};

struct fact_desc {
    enum kind kind;
    enum lane lane;
    enum fact_store store;
    bool brief; /**< also in lists, not only where one object is shown */
    const char *json;
    const char *help;
};

struct attr_desc {
    enum kind kind;
    bool brief;
    const char *json;
    const char *help;
};

/** Metric sets that the configuration selects; bits. */
enum metric_set {
    SET_VHERD = 1,
    SET_TINKOFF = 2,
    SET_INOVEX = 4,
    SET_ALL = 7,
};

enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
};

#define METRIC_LABELS_MAX 12

struct label_desc {
    const char *name;
    enum attr attr;       /**< of the object or one of its ancestors; or ATTR_INVALID: */
    const char *constant; /**< a fixed value */
};

/** One exposed series shape: rows of one family (same name) stand together. */
struct metric_desc {
    const char *name;
    enum metric_type type;
    unsigned sets;
    enum kind kind;
    enum fact fact;  /**< FACT_INVALID: an info metric, 1 while `needs` is known */
    enum attr needs; /**< of an info metric */
    bool misnamed;   /**< upstream's name breaks Prometheus' naming rules (promtool says so) */
    const char *help;
    struct label_desc labels[METRIC_LABELS_MAX]; /**< ends at name == NULL */
};

extern const struct kind_desc model_kinds[KIND_MAX];
extern const struct fact_desc model_facts[FACT_MAX];
extern const struct attr_desc model_attrs[ATTR_MAX];
extern const struct metric_desc model_metrics[];
extern const size_t model_metrics_count;

/** "kernel", "libvirt", …; NULL outside the enum. */
const char *lane_name(enum lane lane);

/** Whether a lane's facts count only while the connection to libvirt stands. */
bool lane_needs_libvirt(enum lane lane);

/** "vherd", "tinkoff", "inovex" to its bit; 0 where it is none of them. */
unsigned metric_set_from_name(const char *name);

/** "counter" or "gauge". */
const char *metric_type_name(enum metric_type type);

#endif
