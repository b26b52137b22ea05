// SPDX-License-Identifier: GPL-3.0-or-later
// Two definitions of one domain, compared field by field, and how many images its disks stand on.
// libvirt words the same thing differently in a running VM: where one document leaves a field out
// that libvirt fills in for a running VM (an expanded CPU, a firmware's file), it is not compared.
#include "virt/stored.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/number.h"
#include "xml_node.h"

#define DEVICES_MAX 1024
// libvirt rounds a running VM's memory up to this.
#define MEMORY_STEP_KIB 1024

// The difference that is being looked for, and where it is written down.
struct comparison {
    const xmlNode *now, *stored;
    struct buf *out;
};

static void differ(const struct comparison *c, const char *what, const char *which)
{
    buf_printf(c->out, "%s%s%s%s", c->out->len ? ", " : "", what, which ? " " : "",
               which ? which : "");
}

static const xmlNode *node_at(const xmlNode *n, const char *path)
{
    char name[64];
    while (n && *path) {
        size_t len = strcspn(path, "/");
        if (len >= sizeof(name))
            return NULL;
        memcpy(name, path, len);
        name[len] = '\0';
        n = xml_node_child(n, name);
        path += len + (path[len] == '/');
    }
    return n;
}

// An attribute, or with no name the content; NULL where there is none, or it is empty.
static char *text_at(const xmlNode *n, const char *path, const char *name)
{
    n = node_at(n, path);
    char *text = name ? xml_node_attribute(n, name) : xml_node_content(n);
    if (text && *text == '\0') {
        free(text);
        return NULL;
    }
    return text;
}

enum missing {
    MISSING_DIFFERS,  // a text in one document only is a difference
    MISSING_IS_FILLED // libvirt fills it in for a running VM
};

static bool texts_differ(const xmlNode *now, const xmlNode *stored, const char *path,
                         const char *name, enum missing missing)
{
    CLEANUP(freep) char *a = text_at(now, path, name);
    CLEANUP(freep) char *b = text_at(stored, path, name);
    if (!a || !b)
        return missing == MISSING_DIFFERS && (a || b);
    return strcmp(a, b) != 0;
}

/* The whole machine. */

static const struct {
    const char *what, *path, *name;
    enum missing missing;
} texts[] = {
    {"machine", "os/type", "machine", MISSING_DIFFERS},
    {"architecture", "os/type", "arch", MISSING_DIFFERS},
    {"firmware", "os/loader", NULL, MISSING_IS_FILLED},
    {"kernel", "os/kernel", NULL, MISSING_DIFFERS},
    {"kernel", "os/initrd", NULL, MISSING_DIFFERS},
    {"kernel", "os/cmdline", NULL, MISSING_DIFFERS},
    {"boot order", "os/boot", "dev", MISSING_DIFFERS},
    {"CPU topology", "cpu/topology", "sockets", MISSING_IS_FILLED},
    {"CPU topology", "cpu/topology", "dies", MISSING_IS_FILLED},
    {"CPU topology", "cpu/topology", "cores", MISSING_IS_FILLED},
    {"CPU topology", "cpu/topology", "threads", MISSING_IS_FILLED},
    {"NUMA nodes", "numatune/memory", "nodeset", MISSING_DIFFERS},
};

static void compare_texts(const struct comparison *c)
{
    const char *last = "";
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (strcmp(last, texts[i].what) == 0 ||
            !texts_differ(c->now, c->stored, texts[i].path, texts[i].name, texts[i].missing))
            continue;
        last = texts[i].what;
        differ(c, last, NULL);
    }
}

static double number_at(const xmlNode *root, const char *path, const char *name)
{
    CLEANUP(freep) char *text = text_at(root, path, name);
    double v;
    return text && number_parse_f64(text, &v) == 0 ? v : NAN;
}

static double vcpus_of(const xmlNode *root)
{
    double current = number_at(root, "vcpu", "current");
    return isnan(current) ? number_at(root, "vcpu", NULL) : current;
}

static double memory_of(const xmlNode *root)
{
    return ceil(number_at(root, "memory", NULL) / MEMORY_STEP_KIB);
}

static bool numbers_differ(double a, double b)
{
    return !(isnan(a) && isnan(b)) && a != b;
}

static void compare_sizes(const struct comparison *c)
{
    if (numbers_differ(vcpus_of(c->now), vcpus_of(c->stored)))
        differ(c, "vCPUs", NULL);
    if (numbers_differ(number_at(c->now, "vcpu", NULL), number_at(c->stored, "vcpu", NULL)))
        differ(c, "maximum vCPUs", NULL);
    if (numbers_differ(memory_of(c->now), memory_of(c->stored)))
        differ(c, "memory", NULL);
}

// A model of the host's ("host-model") is spelled out in a running VM: what it would be after a
// restart cannot be told from here.
static void compare_cpu(const struct comparison *c)
{
    CLEANUP(freep) char *now = text_at(c->now, "cpu", "mode");
    CLEANUP(freep) char *stored = text_at(c->stored, "cpu", "mode");
    if (!now || !stored)
        return;
    bool is_expanded = strcmp(stored, "host-model") == 0 && strcmp(now, "custom") == 0;
    bool is_other = !is_expanded && strcmp(now, stored) != 0;
    if (!is_expanded && !is_other)
        is_other = texts_differ(c->now, c->stored, "cpu/model", NULL, MISSING_IS_FILLED);
    if (is_other)
        differ(c, "CPU model", NULL);
}

static bool has_uefi(const xmlNode *root)
{
    CLEANUP(freep) char *firmware = text_at(root, "os", "firmware");
    return (firmware && strcmp(firmware, "efi") == 0) || node_at(root, "os/loader");
}

static void compare_firmware(const struct comparison *c)
{
    if (has_uefi(c->now) != has_uefi(c->stored))
        differ(c, "firmware", NULL);
}

/* Devices that are known by a key. */

// What stands behind a disk: the first of these that is there.
static const char *const sources[] = {"file", "dev", "dir", "volume", "name", "path"};

static char *source_of(const xmlNode *device)
{
    char *text = NULL;
    for (size_t i = 0; !text && i < ARRAY_LEN(sources); i++)
        text = text_at(device, "source", sources[i]);
    return text;
}

static bool disks_differ(const xmlNode *now, const xmlNode *stored)
{
    CLEANUP(freep) char *a = source_of(now);
    CLEANUP(freep) char *b = source_of(stored);
    CLEANUP(freep) char *policy = text_at(stored, "source", "startupPolicy");
    // libvirt takes out media that it may do without, and puts a layer over disks that forget.
    bool is_free = policy || xml_node_child(stored, "transient");
    if (!is_free && (!a != !b || (a && strcmp(a, b) != 0)))
        return true;
    return texts_differ(now, stored, "target", "bus", MISSING_IS_FILLED) ||
           texts_differ(now, stored, "driver", "type", MISSING_IS_FILLED) ||
           texts_differ(now, stored, "driver", "cache", MISSING_DIFFERS) ||
           texts_differ(now, stored, "", "device", MISSING_IS_FILLED) ||
           !xml_node_child(now, "readonly") != !xml_node_child(stored, "readonly");
}

// A running VM's interface may be of another type than its network's, and names its bridge.
static bool nics_differ(const xmlNode *now, const xmlNode *stored)
{
    CLEANUP(freep) char *network = text_at(stored, "source", "network");
    return texts_differ(now, stored, "source", network ? "network" : "bridge", MISSING_IS_FILLED) ||
           texts_differ(now, stored, "model", "type", MISSING_IS_FILLED) ||
           texts_differ(now, stored, "link", "state", MISSING_DIFFERS);
}

static const struct keyed {
    const char *what, *element, *key_path, *key_name;
    bool (*differ)(const xmlNode *now, const xmlNode *stored);
} keyed[] = {
    {"disk", "disk", "target", "dev", disks_differ},
    {"NIC", "interface", "mac", "address", nics_differ},
};

static const xmlNode *first_device(const xmlNode *root)
{
    const xmlNode *devices = xml_node_child(root, "devices");
    return devices ? devices->children : NULL;
}

// The devices of a kind that one document has.
struct keyed_device {
    const xmlNode *node;
    char *key;
    bool is_paired;
};

struct keyed_devices {
    struct keyed_device *items;
    size_t n, cap;
};

static void keyed_devices_done(struct keyed_devices *d)
{
    for (size_t i = 0; i < d->n; i++)
        free(d->items[i].key);
    free(d->items);
}

static void list_keyed(const xmlNode *root, const struct keyed *kind, struct keyed_devices *ret)
{
    for (const xmlNode *n = first_device(root); n && ret->n < DEVICES_MAX; n = n->next) {
        char *key =
            xml_node_named(n, kind->element) ? text_at(n, kind->key_path, kind->key_name) : NULL;
        if (!key)
            continue;
        mem_grow(&ret->items, &ret->cap, ret->n, sizeof(*ret->items));
        ret->items[ret->n++] = (struct keyed_device){n, key, false};
    }
}

// Keys may be given twice (MAC addresses): the first of one goes with the first of the other.
static struct keyed_device *pair_of(const struct keyed_devices *d, const char *key)
{
    for (size_t i = 0; i < d->n; i++)
        if (!d->items[i].is_paired && strcmp(d->items[i].key, key) == 0)
            return &d->items[i];
    return NULL;
}

static void compare_keyed(const struct comparison *c, const struct keyed *kind)
{
    CLEANUP(keyed_devices_done) struct keyed_devices now = {0}, stored = {0};
    list_keyed(c->now, kind, &now);
    list_keyed(c->stored, kind, &stored);
    for (size_t i = 0; i < now.n; i++) {
        struct keyed_device *other = pair_of(&stored, now.items[i].key);
        if (other)
            other->is_paired = true;
        if (!other || kind->differ(now.items[i].node, other->node))
            differ(c, kind->what, now.items[i].key);
    }
    for (size_t i = 0; i < stored.n; i++)
        if (!stored.items[i].is_paired)
            differ(c, kind->what, stored.items[i].key);
}

/* Devices that are counted. */

static const struct {
    const char *element, *what;
} counted[] = {
    {"hostdev", "host devices"}, {"memory", "memory modules"}, {"filesystem", "file systems"},
    {"graphics", "displays"},    {"video", "video cards"},     {"sound", "sound cards"},
    {"watchdog", "watchdogs"},   {"rng", "random sources"},    {"tpm", "TPM"},
    {"panic", "panic devices"},  {"channel", "channels"},      {"serial", "serial ports"},
};

static size_t count_devices(const xmlNode *root, const char *element)
{
    size_t n = 0;
    for (const xmlNode *d = first_device(root); d; d = d->next)
        n += xml_node_named(d, element);
    return n;
}

static void compare_counts(const struct comparison *c)
{
    for (size_t i = 0; i < ARRAY_LEN(counted); i++)
        if (count_devices(c->now, counted[i].element) !=
            count_devices(c->stored, counted[i].element))
            differ(c, counted[i].what, NULL);
}

static void compare(const xmlNode *now, const xmlNode *stored, struct batch *out)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, VIRT_DIFFERENCES_MAX);
    const struct comparison c = {now, stored, &text};
    compare_sizes(&c);
    compare_cpu(&c);
    compare_firmware(&c);
    compare_texts(&c);
    for (size_t i = 0; i < ARRAY_LEN(keyed); i++)
        compare_keyed(&c, &keyed[i]);
    compare_counts(&c);
    batch_fact(out, 0, FACT_VM_CONFIG_DIFFERS, text.len > 0 || text.error);
    batch_attr(out, 0, ATTR_VM_DIFFERENCES,
               text.error      ? "very much"
               : text.len == 0 ? NULL
                               : text.data);
}

/* Chains of images. */

// NaN where the document says nothing of what is below.
static double depth_of_running(const xmlNode *disk)
{
    const xmlNode *below = xml_node_child(disk, "backingStore");
    if (!below)
        return NAN;
    double depth = 0;
    // The last one is empty.
    for (; below && xml_node_child(below, "source"); below = xml_node_child(below, "backingStore"))
        depth++;
    return depth;
}

static double depth_of_idle(const xmlNode *disk)
{
    CLEANUP(freep) char *file = text_at(disk, "source", "file");
    CLEANUP(freep) char *format = text_at(disk, "driver", "type");
    if (format && strcmp(format, "raw") == 0)
        return 0;
    if (!file || !format || strcmp(format, "qcow2") != 0)
        return NAN;
    int depth = virt_chain_depth(file, NULL);
    return depth < 0 ? NAN : depth;
}

static void read_chains(const xmlNode *root, struct batch *out)
{
    bool is_running = xmlHasProp(root, (const xmlChar *)"id") != NULL;
    for (const xmlNode *n = first_device(root); n; n = n->next) {
        CLEANUP(freep)
        char *target = xml_node_named(n, "disk") ? text_at(n, "target", "dev") : NULL;
        if (target)
            batch_fact(out, batch_key(out, target), FACT_DISK_CHAIN_DEPTH,
                       is_running ? depth_of_running(n) : depth_of_idle(n));
    }
}

bool virt_stored_is_running(const char *xml)
{
    const char *root = strstr(xml, "<domain"), *end = root ? strchr(root, '>') : NULL;
    const char *id = root ? strstr(root, " id=") : NULL;
    return id && end && id < end;
}

int virt_stored_read(const char *now, const char *stored, struct batch *out, struct err *err)
{
    CLEANUP(xml_doc_freep) xmlDoc *doc = xml_node_parse(now, strlen(now), "domain", err);
    if (!doc)
        return -EINVAL;
    CLEANUP(xml_doc_freep)
    xmlDoc *other = stored ? xml_node_parse(stored, strlen(stored), "domain", err) : NULL;
    if (stored && !other)
        return -EINVAL;
    read_chains(xmlDocGetRootElement(doc), out);
    if (other) {
        compare(xmlDocGetRootElement(doc), xmlDocGetRootElement(other), out);
    } else {
        batch_fact(out, 0, FACT_VM_CONFIG_DIFFERS, NAN);
        batch_attr(out, 0, ATTR_VM_DIFFERENCES, NULL);
    }
    return 0;
}
