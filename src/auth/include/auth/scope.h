// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef AUTH_SCOPE_H
#define AUTH_SCOPE_H

/*
 * Which VMs somebody may see and touch. As text: "all", "none", or terms with commas between, of
 * which one must fit:
 *
 *     name:web-*            the VM's name fits a pattern: * any text, ? any character, \ takes the
 *                           next character as it is (so \, is a comma)
 *     label:env=test        the VM carries this label with this value (pattern allowed in the
 *                           value); label:env any value
 *     owner:alice           the VM's owner has exactly this name
 *
 * An empty scope is "none": nothing is allowed by being left out.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define SCOPE_TEXT_MAX 1024
#define SCOPE_TERMS_MAX 32

/** One label of a VM. */
struct auth_label {
    const char *name;
    const char *value;
};

/** A VM as far as rights go. All texts borrowed. */
struct auth_object {
    const char *vm;    /**< its name */
    const char *owner; /**< NULL or "": nobody's */
    const struct auth_label *labels;
    size_t n_labels;
};

enum scope_kind {
    SCOPE_NAME,
    SCOPE_LABEL,
    SCOPE_OWNER,
    SCOPE_KIND_MAX,
};

struct scope_term {
    enum scope_kind kind;
    char *key;     /**< of a label, else NULL */
    char *pattern; /**< of a name or label's value; NULL: any value. An owner's name as it is */
};

struct scope {
    bool all;
    size_t n;
    struct scope_term term[SCOPE_TERMS_MAX];
};

/** Read a scope; -EINVAL or -E2BIG with a sentence. Free with scope_done(), also after failure. */
int scope_parse(const char *text, struct scope *ret, struct err *err);
void scope_done(struct scope *s);

/** Write it so that scope_parse() reads the same. */
void scope_format(const struct scope *s, struct buf *out);

/** Does it cover the VM? */
bool scope_covers(const struct scope *s, const struct auth_object *o);

/** Does a pattern (*, ?, \) fit the whole text? Time is at most the product of both lengths. */
bool scope_glob(const char *pattern, const char *text);

#endif
