// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CONF_YAML_JSON_H
#define CONF_YAML_JSON_H

#include <jansson.h>

#include "base/err.h"

/**
 * One YAML document as JSON: plain true, false, null and whole numbers are what they look like,
 * every other scalar is a text. No anchors, aliases, tags or merge keys; at most 16 levels, 64 KiB
 * a scalar, 100000 values. 0, or -EINVAL with line and column. The caller owns *ret.
 */
int yaml_json(const char *text, size_t len, json_t **ret, struct err *err);

#endif
