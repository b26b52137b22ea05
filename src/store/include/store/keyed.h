// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef STORE_KEYED_H
#define STORE_KEYED_H

/* Texts under a kind and a key: state of modules that are pure and say what is to be kept. */

#include "store/store.h"

/** The table, for store_open(). */
extern const struct store_schema keyed_schema;

/** Put or replace; `value` NULL removes. 0 or -errno. */
int keyed_put(struct store *s, const char *kind, const char *key, const char *value);

/** The value; the caller frees. 0, -ENOENT or -errno. */
int keyed_get(struct store *s, const char *kind, const char *key, char **ret);

/** All, by kind and key; negative from `each` ends the walk and is returned. */
int keyed_each(struct store *s,
               int (*each)(void *arg, const char *kind, const char *key, const char *value),
               void *arg);

#endif
