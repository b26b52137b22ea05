// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NET_EXPO_PRIVATE_H
#define NET_EXPO_PRIVATE_H

// What the two halves of the exposition parser share: expo.c reads lines, expo_check.c knows what
// OpenMetrics demands of the samples of one family.

#include <locale.h>

#include "base/buf.h"
#include "base/map.h"
#include "model/labels.h"
#include "net/expo.h"

/** The histogram (or gauge histogram) that is being read: one group of labels at one time. */
struct expo_histogram {
    bool any, has_bucket, has_count, has_sum, has_gsum, negative_bucket, negative_gsum;
    double bucket, value, count;
};

struct expo_family_state {
    struct buf name, help, unit; /**< NUL-ended; `name` empty: no family yet */
    enum expo_type type;
    bool has_type, has_help, has_unit;
    bool samples; /**< one was seen */
    bool told;    /**< the callback had it as it stands */
    // OpenMetrics only:
    struct map *groups;    /**< label sets of groups seen in this family */
    struct buf group, key; /**< the present one's, and the one of the sample at hand */
    bool has_group, group_has_time;
    double group_time;
    struct expo_histogram histogram;
};

struct expo_checks {
    struct map *names; /**< that families have taken */
    struct expo_family_state family;
};

void expo_family_begin(struct expo_family_state *f, const char *name);
void expo_family_done(struct expo_family_state *f);

/** Does the sample's name belong to the family? */
bool expo_family_has(const struct expo_family_state *f, const char *sample);

/** A sample of the family against the rules: NULL, or what is wrong. */
const char *expo_check_sample(struct expo_family_state *f, const struct expo_sample *s,
                              double seconds, bool exemplar);

/** The family is complete: NULL, or what is wrong with it. */
const char *expo_check_family(struct expo_checks *c);

/** Where a name and its value begin in `text` of the parser. */
struct expo_piece {
    size_t name, value; // in `text`
};

struct expo_parser {
    const char *at, *end; // the rest of the line
    const char *line_start;
    int line;
    bool open_metrics; // its syntax
    bool strict;       // and its rules
    const struct expo_events *events;
    void *arg;
    struct err *err;
    locale_t locale;

    struct buf text;
    struct expo_piece piece[LABELS_MAX];
    struct label label[LABELS_MAX];
    size_t n;
    struct buf word; // a name, a HELP text
    struct expo_checks checks;
    bool eof; // "# EOF" was read
};

/** Fail at a place of the line, or where the parser stands. Returns -code, -EINVAL. */
int expo_wrong_at(struct expo_parser *p, const char *at, int code, const char *what);
int expo_wrong(struct expo_parser *p, const char *what);

/** Blanks are free in text; OpenMetrics has exactly one, and only where it says so. */
void expo_skip_blanks(struct expo_parser *p);
/** At least one blank (exactly one in OpenMetrics). */
bool expo_take_gap(struct expo_parser *p);
bool expo_at_end(const struct expo_parser *p);
bool expo_take(struct expo_parser *p, char wanted);

bool expo_is_name_byte(char c, bool first, bool colon);
/** A name without quotes, onto `out`. */
int expo_put_plain_name(struct expo_parser *p, bool colon, struct buf *out);
/** The inside of quotes, unescaped, onto `out`; *ret_chars (may be NULL) grows by its characters.
 */
int expo_put_quoted(struct expo_parser *p, struct buf *out, size_t *ret_chars);
/** The next word as a number; its text stays in `word`. `special`: NaN and infinities too. */
int expo_read_number(struct expo_parser *p, bool special, const char *what, double *ret);

#endif
