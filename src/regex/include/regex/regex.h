// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef REGEX_REGEX_H
#define REGEX_REGEX_H

/*
 * Regular expressions in RE2's dialect, which is Prometheus': no look-around, no back-references,
 * time linear in the text. `.` matches a newline too, as in Prometheus 3.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/buf.h"
#include "base/err.h"

/** Memory that one compiled expression may take, automata included. */
#define REGEX_MEMORY_MAX (8u << 20)

/** A compiled expression; immutable, may be used by several threads. */
struct regex;

/**
 * Compile. `anchored`: it must match the whole text, as in matchers and relabelling. 0, -EINVAL
 * (malformed, `err` says why in RE2's words), -E2BIG (takes more than REGEX_MEMORY_MAX).
 */
int regex_new(const char *pattern, bool anchored, struct regex **ret, struct err *err);
void regex_free(struct regex *re);

/** Whether the text matches. */
bool regex_match(const struct regex *re, const char *text, size_t len);

/**
 * Find the first match and expand `replacement` ($1, ${1}, $name, ${name}, $$) with its
 * groups into `out`, by Go's rules for Regexp.Expand. False, and nothing written, where it does not
 * match.
 */
bool regex_expand(const struct regex *re, const char *text, size_t len, const char *replacement,
                  struct buf *out);

/** All matches replaced, as Go's Regexp.ReplaceAllString. */
void regex_replace_all(const struct regex *re, const char *text, size_t len,
                       const char *replacement, struct buf *out);

/**
 * The texts that an anchored expression can match, where they are few and known: "a|b|c" gives
 * three. Returns how many (0: not such an expression) and hands out an array that lives as long as
 * the expression.
 */
size_t regex_set(const struct regex *re, const char *const **ret);

/** A literal that every matching text begins with; "" where none is known. */
const char *regex_prefix(const struct regex *re);

#ifdef __cplusplus
}
#endif

#endif
