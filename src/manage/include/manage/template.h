// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_TEMPLATE_H
#define MANAGE_TEMPLATE_H

/*
 * Templates: files NAME.yaml in one folder, each a mapping of fields of vm.create without `name`,
 * and perhaps `summary`, a text for people. Whoever can write there decides what is in them; a
 * client names a template, never a path.
 */

#include <jansson.h>

#include "base/err.h"

#define TEMPLATE_BYTES_MAX ((size_t)256 * 1024)
#define TEMPLATES_MAX 1000

/**
 * Read and check one. *ret: {"name", "summary"?, "fields"}, sizes as numbers; the caller owns it.
 * -ENOENT: there is none of that name; -EINVAL with file, line or field.
 */
int template_load(const char *folder, const char *name, json_t **ret, struct err *err);

/** The same from the text of a file that would be called so. */
int template_parse(const char *name, const char *text, size_t len, json_t **ret, struct err *err);

/**
 * All of them by name, as template_load() gives them; one that cannot be read has "error" in place
 * of "fields". No folder: none. The caller owns *ret.
 */
int template_list(const char *folder, json_t **ret, struct err *err);

/**
 * Put what a template gives under what a body asks for: the body's members win; those of objects
 * (labels, seed, numa) one by one. Pure.
 */
void template_apply(const json_t *fields, json_t *body);

#endif
