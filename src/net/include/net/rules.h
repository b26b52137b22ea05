// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NET_RULES_H
#define NET_RULES_H

#include "base/err.h"
#include "conf/conf.h"

struct relabel;

/**
 * Compile relabelling rules of the configuration (an array of struct conf_relabel). 0, or -EINVAL
 * with the line in the file. The caller frees *ret (relabel_free()).
 */
int rules_compile(const struct conf_array *rules, struct relabel **ret, struct err *err);

/**
 * What the configuration's table cannot see: regular expressions, names given twice, what one key
 * asks of another. 0, or -EINVAL with the line in the file.
 */
int rules_check(const struct conf *c, struct err *err);

/** The name under which a receiver's place in the log is kept. The caller owns the result. */
char *rules_remote_name(const struct conf_remote_write *r);

#endif
