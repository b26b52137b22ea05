// SPDX-License-Identifier: GPL-3.0-or-later
#include "xml_node.h"

#include <errno.h>
#include <string.h>

#define TEXT_MAX 4096

xmlDoc *xml_node_parse(const char *xml, size_t len, const char *root, struct err *err)
{
    if (len > XML_BYTES_MAX) {
        err_set(err, EINVAL, "%s XML: %zu bytes are more than %u", root, len, XML_BYTES_MAX);
        return NULL;
    }
    CLEANUP(xml_doc_freep)
    xmlDoc *doc = xmlReadMemory(xml, (int)len, NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    const xmlNode *top = doc ? xmlDocGetRootElement(doc) : NULL;
    if (!top || xmlGetIntSubset(doc) || !xml_node_named(top, root)) {
        err_set(err, EINVAL, "what libvirt said is not %s XML", root);
        return NULL;
    }
    return TAKE_PTR(doc);
}

bool xml_node_named(const xmlNode *n, const char *name)
{
    return n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0;
}

xmlNode *xml_node_child(const xmlNode *n, const char *name)
{
    for (xmlNode *c = n ? n->children : NULL; c; c = c->next)
        if (xml_node_named(c, name))
            return c;
    return NULL;
}

static char *copy_text(xmlChar *text)
{
    char *copy = text && strlen((char *)text) <= TEXT_MAX ? mem_strdup((char *)text) : NULL;
    xmlFree(text);
    return copy;
}

char *xml_node_attribute(const xmlNode *n, const char *name)
{
    return n ? copy_text(xmlGetProp(n, (const xmlChar *)name)) : NULL;
}

char *xml_node_content(const xmlNode *n)
{
    return n ? copy_text(xmlNodeGetContent(n)) : NULL;
}

bool xml_node_attribute_is(const xmlNode *n, const char *name, const char *value)
{
    CLEANUP(freep) char *text = xml_node_attribute(n, name);
    return text && strcmp(text, value) == 0;
}

void xml_node_set(xmlNode *n, const char *name, const char *value)
{
    xmlSetProp(n, (const xmlChar *)name, (const xmlChar *)value);
}

void xml_node_drop(xmlNode *n)
{
    if (!n)
        return;
    xmlUnlinkNode(n);
    xmlFreeNode(n);
}

int xml_node_dump(xmlDoc *doc, char **ret, struct err *err)
{
    xmlChar *text = NULL;
    int size = 0;
    xmlDocDumpMemory(doc, &text, &size);
    if (!text)
        return err_set(err, ENOMEM, "out of memory");
    *ret = mem_strndup((char *)text, (size_t)size);
    xmlFree(text);
    return 0;
}
