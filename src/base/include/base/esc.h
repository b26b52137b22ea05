// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_ESC_H
#define BASE_ESC_H

#include "base/buf.h"

/*
 * One encoder for each sink; text from guests, libvirt or files passes exactly one of them.
 * All accept any bytes; bytes that are not UTF-8 become U+FFFD.
 */

/** Inside a Prometheus label value's quotes: escapes backslash, double quote and newline. */
void esc_label(struct buf *b, const char *s);

/** Inside a JSON string's quotes. */
void esc_json(struct buf *b, const char *s, size_t len);

/** HTML text or a double-quoted attribute. */
void esc_html(struct buf *b, const char *s);

/** One line of a terminal or a log: control characters, C1, bidi overrides shown as \xNN or \u{N}.
 */
void esc_terminal(struct buf *b, const char *s);

/** The same into fresh memory; the caller owns it. */
char *esc_terminal_dup(const char *s);

/**
 * Running text of a manual page (roff): minus signs, backslashes, a dot or quote at the beginning
 * of a line, "…" as three dots; backquotes, our mark of code, are left out.
 */
void esc_roff(struct buf *b, const char *s);

/**
 * One path segment of a URL: everything outside RFC 3986's unreserved set as %XX.
 */
void esc_url(struct buf *b, const char *s);

/**
 * Undo %XX in place for `len` bytes; returns the new length or -EINVAL (bad escape, NUL).
 */
long esc_url_decode(char *s, size_t len);

/**
 * Length in bytes of the valid UTF-8 sequence at `s` (at most `len` bytes), 0 where it is none.
 * `ret_cp` (may be NULL) gets the code point.
 */
size_t esc_utf8_next(const char *s, size_t len, unsigned *ret_cp);

#endif
