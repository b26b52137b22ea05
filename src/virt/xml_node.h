// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_XML_NODE_H
#define VIRT_XML_NODE_H

/*
 * Reading libvirt's documents node by node. Layer: private to src/virt.
 */

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

/** Longest document that is taken from libvirt. */
#define XML_BYTES_MAX (4u * 1024 * 1024)

DEFINE_FREEP(xmlDoc, xmlFreeDoc, xml_doc_freep)

/**
 * A document whose root is called `root`; NULL with the reason in `err`. One with a DTD is refused,
 * so that there are no entities; depth is bounded by libxml2 (256). Free with xml_doc_freep().
 */
xmlDoc *xml_node_parse(const char *xml, size_t len, const char *root, struct err *err);

bool xml_node_named(const xmlNode *n, const char *name);

/** The first child element of that name; NULL also for no node. */
xmlNode *xml_node_child(const xmlNode *n, const char *name);

/** The caller owns these; NULL where there is none or it is longer than 4 KiB. */
char *xml_node_attribute(const xmlNode *n, const char *name);
char *xml_node_content(const xmlNode *n);

bool xml_node_attribute_is(const xmlNode *n, const char *name, const char *value);
void xml_node_set(xmlNode *n, const char *name, const char *value);

/** Take a node, or none, out of its document. */
void xml_node_drop(xmlNode *n);

/** The whole document as text; the caller owns *ret. */
int xml_node_dump(xmlDoc *doc, char **ret, struct err *err);

#endif
