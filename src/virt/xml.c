// SPDX-License-Identifier: GPL-3.0-or-later
// Domain XML into attributes and facts. Tables say which path of the document is which fact.
// A document with a DTD is refused, so that there are no entities; the network is off, depth is
// bounded by libxml2 (256), size and the length of each text here. Everything a table names is
// set each time, to unknown where the document lacks it. Callable from any thread.
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/esc.h"
#include "base/mem.h"
#include "base/number.h"
#include "virt/virt.h"

#define XML_BYTES_MAX (4u * 1024 * 1024)
#define XML_TEXT_MAX 4096
#define OWN_NAMESPACE "urn:vherd:vm:1"
#define LABELS_MAX 64

// A text: the attribute `name` (NULL: the content) of the element at `path` ("" = this one).
struct text_at {
    const char *path;
    const char *name;
    enum attr attr;
};

static const struct text_at domain_texts[] = {
    {"", "type", ATTR_VM_DOMAIN_TYPE},          {"title", NULL, ATTR_VM_TITLE},
    {"os/type", NULL, ATTR_VM_OS_TYPE},         {"os/type", "arch", ATTR_VM_OS_ARCH},
    {"os/type", "machine", ATTR_VM_OS_MACHINE},
};

static const struct text_at nova_texts[] = {
    {"name", NULL, ATTR_VM_NOVA_NAME},
    {"flavor", "name", ATTR_VM_NOVA_FLAVOR},
    {"owner/user", NULL, ATTR_VM_NOVA_USER},
    {"owner/user", "uuid", ATTR_VM_NOVA_USER_ID},
    {"owner/project", NULL, ATTR_VM_NOVA_PROJECT},
    {"owner/project", "uuid", ATTR_VM_NOVA_PROJECT_ID},
    {"root", "type", ATTR_VM_NOVA_ROOT_TYPE},
    {"root", "uuid", ATTR_VM_NOVA_ROOT_ID},
};

static const struct text_at disk_texts[] = {
    {"source", "protocol", ATTR_DISK_SOURCE_PROTOCOL},
    {"serial", NULL, ATTR_DISK_SERIAL},
    {"target", "bus", ATTR_DISK_BUS},
    {"", "type", ATTR_DISK_TYPE},
    {"", "device", ATTR_DISK_DEVICE},
    {"driver", "name", ATTR_DISK_DRIVER},
    {"driver", "type", ATTR_DISK_FORMAT},
    {"driver", "cache", ATTR_DISK_CACHE},
    {"driver", "discard", ATTR_DISK_DISCARD},
    {"driver", "io", ATTR_DISK_IO},
};

static const struct text_at nic_texts[] = {
    {"", "type", ATTR_NIC_TYPE},
    {"source", "bridge", ATTR_NIC_BRIDGE},
    {"mac", "address", ATTR_NIC_MAC},
    {"model", "type", ATTR_NIC_MODEL},
    {"mtu", "size", ATTR_NIC_MTU},
    {"virtualport/parameters", "interfaceid", ATTR_NIC_VIRTUAL_INTERFACE},
};

// Of images that a disk's own stands on, or copies itself to; what is none of these is "other".
static const char *const image_elements[] = {"backingStore", "dataStore", "mirror"};
static const char *const image_types[] = {"file", "block",     "dir",       "network", "volume",
                                          "nvme", "vhostuser", "vhostvdpa", "other"};

// Attributes of <source>, the first that is there names what is behind a device.
static const char *const disk_sources[] = {"file", "dev", "dir", "name", "volume", "path"};
static const char *const nic_sources[] = {"network", "bridge", "dev", "path"};

#define SECONDS 1e9

// Absent from the document, a limit is 0: libvirt's own word for none; but a burst lasts 1 s.
static const struct {
    const char *element;
    enum fact fact;
    double scale;
    const char *burst; // whose length it is
} iotune[] = {
    {"total_bytes_sec", FACT_DISK_LIMIT_TOTAL_BYTES, 1},
    {"read_bytes_sec", FACT_DISK_LIMIT_READ_BYTES, 1},
    {"write_bytes_sec", FACT_DISK_LIMIT_WRITE_BYTES, 1},
    {"total_iops_sec", FACT_DISK_LIMIT_TOTAL_REQS, 1},
    {"read_iops_sec", FACT_DISK_LIMIT_READ_REQS, 1},
    {"write_iops_sec", FACT_DISK_LIMIT_WRITE_REQS, 1},
    {"total_bytes_sec_max", FACT_DISK_BURST_TOTAL_BYTES, 1},
    {"read_bytes_sec_max", FACT_DISK_BURST_READ_BYTES, 1},
    {"write_bytes_sec_max", FACT_DISK_BURST_WRITE_BYTES, 1},
    {"total_iops_sec_max", FACT_DISK_BURST_TOTAL_REQS, 1},
    {"read_iops_sec_max", FACT_DISK_BURST_READ_REQS, 1},
    {"write_iops_sec_max", FACT_DISK_BURST_WRITE_REQS, 1},
    {"total_bytes_sec_max_length", FACT_DISK_BURST_TOTAL_BYTES_LEN, SECONDS, "total_bytes_sec_max"},
    {"read_bytes_sec_max_length", FACT_DISK_BURST_READ_BYTES_LEN, SECONDS, "read_bytes_sec_max"},
    {"write_bytes_sec_max_length", FACT_DISK_BURST_WRITE_BYTES_LEN, SECONDS, "write_bytes_sec_max"},
    {"total_iops_sec_max_length", FACT_DISK_BURST_TOTAL_REQS_LEN, SECONDS, "total_iops_sec_max"},
    {"read_iops_sec_max_length", FACT_DISK_BURST_READ_REQS_LEN, SECONDS, "read_iops_sec_max"},
    {"write_iops_sec_max_length", FACT_DISK_BURST_WRITE_REQS_LEN, SECONDS, "write_iops_sec_max"},
    {"size_iops_sec", FACT_DISK_SIZE_IOPS, 1},
};

static const struct {
    const char *unit;
    double bytes;
} memory_units[] = {
    {"KiB", 1024.0},
    {"k", 1024.0},
    {"b", 1},
    {"bytes", 1},
    {"KB", 1e3},
    {"MB", 1e6},
    {"M", 1048576.0},
    {"MiB", 1048576.0},
    {"GB", 1e9},
    {"G", 1073741824.0},
    {"GiB", 1073741824.0},
    {"TB", 1e12},
    {"T", 1099511627776.0},
    {"TiB", 1099511627776.0},
};

static const char *const nova_namespaces[] = {
    "http://openstack.org/xmlns/libvirt/nova/1.0",
    "http://openstack.org/xmlns/libvirt/nova/1.1",
};

// What is being read, and where it goes.
struct reader {
    struct batch *out;
    bool live; // the document describes a running domain
};

static bool is_element(const xmlNode *n, const char *name, size_t len)
{
    return n->type == XML_ELEMENT_NODE && strlen((const char *)n->name) == len &&
           memcmp(n->name, name, len) == 0;
}

static const xmlNode *child(const xmlNode *n, const char *name, size_t len)
{
    for (const xmlNode *c = n->children; c; c = c->next) {
        if (is_element(c, name, len))
            return c;
    }
    return NULL;
}

static const xmlNode *element_at(const xmlNode *n, const char *path)
{
    while (n && *path) {
        size_t len = strcspn(path, "/");
        n = child(n, path, len);
        path += len + (path[len] == '/');
    }
    return n;
}

static void cut(char *text)
{
    size_t len = strlen(text);
    if (len <= XML_TEXT_MAX)
        return;
    len = XML_TEXT_MAX;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    text[len] = '\0';
}

// The caller frees with free(); NULL where there is none. Empty is none, too.
static char *text_of(const xmlNode *n, const char *name)
{
    if (!n)
        return NULL;
    xmlChar *raw = name ? xmlGetNoNsProp(n, (const xmlChar *)name) : xmlNodeGetContent(n);
    if (!raw)
        return NULL;
    cut((char *)raw);
    char *copy = *raw ? mem_strdup((const char *)raw) : NULL;
    xmlFree(raw);
    return copy;
}

static double number_of(const xmlNode *n, const char *name)
{
    char *text CLEANUP(freep) = text_of(n, name);
    double v;
    const char *start = text ? text + strspn(text, " \t\r\n") : "";
    size_t len = strcspn(start, " \t\r\n");
    char *word CLEANUP(freep) = mem_strndup(start, len);
    return number_parse_f64(word, &v) == 0 && v >= 0 ? v : NAN;
}

static void put_texts(struct reader *r, uint32_t key, const xmlNode *n, const struct text_at *table,
                      size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char *text CLEANUP(freep) = text_of(n ? element_at(n, table[i].path) : NULL, table[i].name);
        batch_attr(r->out, key, table[i].attr, text);
    }
}

static char *first_source(const xmlNode *device, const char *const *names, size_t n)
{
    const xmlNode *source = element_at(device, "source");
    for (size_t i = 0; source && i < n; i++) {
        char *text = text_of(source, names[i]);
        if (text)
            return text;
    }
    return NULL;
}

static double bytes_of(const xmlNode *n)
{
    double v = number_of(n, NULL);
    char *unit CLEANUP(freep) = text_of(n, "unit");
    if (!unit)
        return v * 1024;
    for (size_t i = 0; i < ARRAY_LEN(memory_units); i++) {
        if (strcmp(unit, memory_units[i].unit) == 0)
            return v * memory_units[i].bytes;
    }
    return NAN;
}

static void read_sizes(struct reader *r, const xmlNode *domain)
{
    const xmlNode *vcpu = element_at(domain, "vcpu");
    double max = vcpu ? number_of(vcpu, NULL) : NAN;
    double current = vcpu ? number_of(vcpu, "current") : NAN;
    batch_fact(r->out, 0, FACT_VM_VCPUS_MAX, max);
    batch_fact(r->out, 0, FACT_VM_VCPUS, isnan(current) ? max : current);

    const xmlNode *memory = element_at(domain, "memory");
    const xmlNode *now = element_at(domain, "currentMemory");
    batch_fact(r->out, 0, FACT_VM_MEM_MAX, memory ? bytes_of(memory) : NAN);
    batch_fact(r->out, 0, FACT_VM_MEM_CURRENT,
               now      ? bytes_of(now)
               : memory ? bytes_of(memory)
                        : NAN);
}

static void read_balloon(struct reader *r, const xmlNode *domain)
{
    const xmlNode *balloon = element_at(domain, "devices/memballoon");
    char *model CLEANUP(freep) = text_of(balloon, "model");
    double period = NAN;
    if (model && strcmp(model, "none") != 0) {
        period = number_of(element_at(balloon, "stats"), "period");
        if (isnan(period))
            period = 0;
    }
    batch_fact(r->out, 0, FACT_VM_BALLOON_PERIOD, period * SECONDS);
}

static bool is_agent_channel(const xmlNode *channel)
{
    char *name CLEANUP(freep) = text_of(element_at(channel, "target"), "name");
    return name && strcmp(name, "org.qemu.guest_agent.0") == 0;
}

static void read_agent(struct reader *r, const xmlNode *devices)
{
    const xmlNode *channel = devices ? devices->children : NULL;
    while (channel && !(is_element(channel, "channel", 7) && is_agent_channel(channel)))
        channel = channel->next;
    char *state CLEANUP(freep) = text_of(channel ? element_at(channel, "target") : NULL, "state");
    bool connected = state && strcmp(state, "connected") == 0;
    batch_attr(r->out, 0, ATTR_VM_AGENT,
               !channel    ? "none"
               : connected ? "connected"
                           : "disconnected");
    batch_fact(r->out, 0, FACT_VM_AGENT_CONNECTED, channel ? connected : NAN);
}

static bool is_nova(const xmlNode *n)
{
    if (!is_element(n, "instance", 8) || !n->ns || !n->ns->href)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(nova_namespaces); i++) {
        if (strcmp((const char *)n->ns->href, nova_namespaces[i]) == 0)
            return true;
    }
    return false;
}

static void read_nova(struct reader *r, const xmlNode *domain)
{
    const xmlNode *metadata = element_at(domain, "metadata");
    const xmlNode *n = metadata ? metadata->children : NULL;
    while (n && !is_nova(n))
        n = n->next;
    put_texts(r, 0, n, nova_texts, ARRAY_LEN(nova_texts));
}

static double limit_of(const xmlNode *limits, const char *element)
{
    const xmlNode *n = limits && element ? element_at(limits, element) : NULL;
    return n ? number_of(n, NULL) : NAN;
}

static void read_limits(struct reader *r, uint32_t key, const xmlNode *disk)
{
    const xmlNode *limits = element_at(disk, "iotune");
    for (size_t i = 0; i < ARRAY_LEN(iotune); i++) {
        double v = limit_of(limits, iotune[i].element);
        if (isnan(v) && r->live)
            v = limit_of(limits, iotune[i].burst) > 0 ? 1 : 0;
        batch_fact(r->out, key, iotune[i].fact, v * iotune[i].scale);
    }
}

// What follows in the document, within `top`.
static const xmlNode *node_after(const xmlNode *n, const xmlNode *top)
{
    if (n->children && n->type == XML_ELEMENT_NODE)
        return n->children;
    while (n != top && !n->next)
        n = n->parent;
    return n == top ? NULL : n->next;
}

static bool is_image(const xmlNode *n)
{
    for (size_t i = 0; i < ARRAY_LEN(image_elements); i++)
        if (is_element(n, image_elements[i], strlen(image_elements[i])))
            return true;
    return false;
}

static size_t image_type(const char *type)
{
    size_t i = 0;
    while (i < ARRAY_LEN(image_types) - 1 && strcmp(type, image_types[i]) != 0)
        i++;
    return i;
}

// Each type once, with commas between them.
static void read_images(struct reader *r, uint32_t key, const xmlNode *disk)
{
    bool found[ARRAY_LEN(image_types)] = {false};
    for (const xmlNode *n = disk; n; n = node_after(n, disk)) {
        char *type CLEANUP(freep) = is_image(n) ? text_of(n, "type") : NULL;
        if (type)
            found[image_type(type)] = true;
    }
    CLEANUP(buf_done) struct buf types;
    buf_init(&types, XML_TEXT_MAX);
    for (size_t i = 0; i < ARRAY_LEN(image_types); i++)
        if (found[i])
            buf_printf(&types, "%s%s", types.len > 0 ? "," : "", image_types[i]);
    batch_attr(r->out, key, ATTR_DISK_BACKING, types.len > 0 ? types.data : NULL);
}

static void read_disk(struct reader *r, const xmlNode *disk)
{
    char *target CLEANUP(freep) = text_of(element_at(disk, "target"), "dev");
    if (!target)
        return;
    uint32_t key = batch_key(r->out, target);
    char *source CLEANUP(freep) = first_source(disk, disk_sources, ARRAY_LEN(disk_sources));
    batch_attr(r->out, key, ATTR_DISK_SOURCE, source);
    put_texts(r, key, disk, disk_texts, ARRAY_LEN(disk_texts));
    read_images(r, key, disk);
    read_limits(r, key, disk);
}

static void read_nic(struct reader *r, const xmlNode *nic)
{
    char *target CLEANUP(freep) = r->live ? text_of(element_at(nic, "target"), "dev") : NULL;
    char *mac CLEANUP(freep) = text_of(element_at(nic, "mac"), "address");
    if (!target && !mac)
        return;
    uint32_t key = batch_key(r->out, target ? target : mac);
    char *source CLEANUP(freep) = first_source(nic, nic_sources, ARRAY_LEN(nic_sources));
    batch_attr(r->out, key, ATTR_NIC_SOURCE, source);
    put_texts(r, key, nic, nic_texts, ARRAY_LEN(nic_texts));
}

// What vherd itself writes down about a VM.
static const xmlNode *own_metadata(const xmlNode *domain)
{
    const xmlNode *n = element_at(domain, "metadata");
    for (n = n ? n->children : NULL; n; n = n->next)
        if (is_element(n, "vm", 2) && n->ns && n->ns->href &&
            strcmp((const char *)n->ns->href, OWN_NAMESPACE) == 0)
            return n;
    return NULL;
}

static void read_own(struct reader *r, const xmlNode *domain)
{
    const xmlNode *own = own_metadata(domain);
    char *owner CLEANUP(freep) = own ? text_of(element_at(own, "owner"), NULL) : NULL;
    size_t labels = 0;
    batch_attr(r->out, 0, ATTR_VM_OWNER, owner);
    for (const xmlNode *n = own ? own->children : NULL; n && labels < LABELS_MAX; n = n->next) {
        char *name CLEANUP(freep) = is_element(n, "label", 5) ? text_of(n, "name") : NULL;
        char *value CLEANUP(freep) = name ? text_of(n, "value") : NULL;
        if (!name || !value)
            continue;
        uint32_t key = batch_key(r->out, name);
        batch_attr(r->out, key, ATTR_LABEL_VALUE, value);
        batch_fact(r->out, key, FACT_LABEL_ONE, 1);
        labels++;
    }
}

static const struct {
    const char *element;
    void (*read)(struct reader *r, const xmlNode *device);
} devices_read[] = {
    {"disk", read_disk},
    {"interface", read_nic},
};

static void read_devices(struct reader *r, const xmlNode *devices)
{
    for (const xmlNode *n = devices ? devices->children : NULL; n; n = n->next) {
        for (size_t i = 0; i < ARRAY_LEN(devices_read); i++) {
            const char *name = devices_read[i].element;
            if (is_element(n, name, strlen(name)))
                devices_read[i].read(r, n);
        }
    }
}

static void read_domain(struct reader *r, const xmlNode *domain)
{
    const xmlNode *devices = element_at(domain, "devices");
    put_texts(r, 0, domain, domain_texts, ARRAY_LEN(domain_texts));
    read_sizes(r, domain);
    read_balloon(r, domain);
    read_agent(r, devices);
    read_nova(r, domain);
    read_own(r, domain);
    read_devices(r, devices);
}

static int complain(xmlParserCtxt *parser, struct err *err)
{
    const xmlError *e = xmlCtxtGetLastError(parser);
    const char *message = e && e->message ? e->message : "not XML";
    return err_set_at(err, EINVAL, e ? e->line : 0, e ? e->int2 : 0, "domain XML: %.*s",
                      (int)strcspn(message, "\n"), message);
}

int virt_xml_read(const char *xml, size_t len, struct batch *out, struct err *err)
{
    if (len > XML_BYTES_MAX)
        return err_set(err, EINVAL, "domain XML: %zu bytes are more than %u", len, XML_BYTES_MAX);
    xmlParserCtxt *parser = xmlNewParserCtxt();
    if (!parser)
        return err_set(err, ENOMEM, "out of memory");
    xmlDoc *doc = xmlCtxtReadMemory(parser, xml, (int)len, NULL, NULL,
                                    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                        XML_PARSE_COMPACT | XML_PARSE_NOCDATA);
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    int r = 0;
    if (!root)
        r = complain(parser, err);
    else if (xmlGetIntSubset(doc))
        r = err_set_at(err, EINVAL, 1, 0, "domain XML: a document type is not allowed");
    else if (!is_element(root, "domain", 6))
        r = err_set_at(err, EINVAL, 1, 0, "domain XML: the root element is not <domain>");
    if (r == 0) {
        struct reader reader = {out, xmlHasProp(root, (const xmlChar *)"id") != NULL};
        read_domain(&reader, root);
    }
    xmlFreeDoc(doc);
    xmlFreeParserCtxt(parser);
    return r;
}

bool virt_nic_swapped(const char *xml_type)
{
    static const char *const taps[] = {"bridge", "network", "ethernet"};
    for (size_t i = 0; i < ARRAY_LEN(taps); i++) {
        if (strcmp(xml_type, taps[i]) == 0)
            return true;
    }
    return false;
}
