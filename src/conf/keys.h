// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CONF_KEYS_H
#define CONF_KEYS_H

/*
 * The table of keys, and what the types of its values can do. Private to src/conf.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "conf/conf.h"

#define CONF_TEXT_MAX 4096
#define CONF_LIST_MAX 64

enum conf_type {
    CONF_TEXT,     /**< char * */
    CONF_BOOL,     /**< bool */
    CONF_INTEGER,  /**< int64_t */
    CONF_DURATION, /**< int64_t, nanoseconds */
    CONF_SIZE,     /**< int64_t, bytes */
    CONF_CHOICE,   /**< an enum, in the order of `choices` */
    CONF_LIST,     /**< struct conf_list */
    CONF_TYPE_MAX,
};

struct conf_key {
    const char *section; /**< "libvirt" */
    const char *name;    /**< "interval" */
    enum conf_type type;
    size_t offset;       /**< in struct conf */
    const char *initial; /**< the default as a scalar; of a list: items with blanks between */
    int64_t min, max;    /**< of integers, durations and sizes */
    const char *const *choices; /**< words allowed (choice, list); NULL-ended; or NULL */
    /** Further check of a text or a list's item; NULL where it is well, else what is allowed. */
    const char *(*check)(const char *text);
    bool restart; /**< a reload does not take it over: vherd must be restarted */
    const char *help;
};

struct conf_section {
    const char *name;
    const char *help;
};

/** Sections, and keys grouped by section in the same order. */
extern const struct conf_section conf_sections[];
extern const size_t conf_sections_count;
extern const struct conf_key conf_keys[];
extern const size_t conf_keys_count;

/** A scalar as it stands in the file. */
struct conf_scalar {
    const char *text; /**< NUL-terminated; may hold further NULs */
    size_t len;
    bool quoted;
};

/**
 * Set the key from a scalar; of a list: append an item. Returns 0, or -EINVAL or -ERANGE with the
 * reason appended to `why` (`"x" is not a duration; …`).
 */
int conf_value_set(const struct conf_key *key, struct conf *c, const struct conf_scalar *scalar,
                   struct buf *why);

/** Empty a list, or put the default. */
void conf_value_clear(const struct conf_key *key, struct conf *c);
void conf_value_default(const struct conf_key *key, struct conf *c);

/** Free what the key owns. */
void conf_value_done(const struct conf_key *key, struct conf *c);

/** The value as YAML. */
void conf_value_encode(const struct conf_key *key, const struct conf *c, struct buf *out);

/** What is allowed, in words: "a duration from 1s to 1h". */
void conf_value_allowed(const struct conf_key *key, struct buf *out);

/** Bytes in their largest whole unit: "512M", "1G", "1000". */
void conf_size_format(int64_t bytes, struct buf *out);

/** A duration in its largest whole unit: "90s", "5m". */
void conf_duration_format(int64_t ns, struct buf *out);

#endif
