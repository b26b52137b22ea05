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
    CONF_CHOICE,   /**< an enum, in the order of `choices` */
    CONF_LIST,     /**< struct conf_list */
    CONF_SIZE,     /**< int64_t, bytes */
    CONF_PAIRS,    /**< struct conf_pairs: a mapping of texts */
    CONF_OBJECT,   /**< a mapping: the structure of `object`, in place */
    CONF_OBJECTS,  /**< struct conf_array: a list of such mappings */
    CONF_TYPE_MAX,
};

struct conf_object;

struct conf_key {
    const char *section; /**< "libvirt"; "" for a list at the top */
    const char *name;    /**< "interval" */
    enum conf_type type;
    size_t offset;       /**< in struct conf, or in the object's structure */
    const char *initial; /**< the default as a scalar; of a list: items with blanks between */
    int64_t min, max;    /**< of integers, durations and sizes */
    const char *const *choices; /**< words allowed (choice, list); NULL-ended; or NULL */
    /** Further check of a text or a list's item; NULL where it is well, else what is allowed. */
    const char *(*check)(const char *text);
    const struct conf_object *object; /**< of CONF_OBJECT and CONF_OBJECTS */
    bool multi;    /**< pairs: a value may be a list, which gives the name several times */
    bool required; /**< in an object: must be given */
    bool restart;  /**< a reload does not take it over: vherd must be restarted */
    const char *help;
};

/** What a mapping within a list, or within another mapping, may hold. */
struct conf_object {
    const char *name; /**< "scrape", the `section` of its keys */
    size_t size;
    const struct conf_key *keys;
    size_t n_keys;
    size_t line_offset; /**< of an int for the line it begins in; 0 = none is kept */
    /** What is wrong with it as a whole, or NULL; may settle what depends on others. */
    const char *(*check)(void *object);
    const char *help;
};

#define CONF_OBJECT_KEYS_MAX 32
/** As many keys, sections and lists the tables may have. */
#define CONF_KEYS_MAX 128

struct conf_section {
    const char *name;
    const char *help;
};

/** Sections, and keys grouped by section in the same order. */
extern const struct conf_section conf_sections[];
extern const size_t conf_sections_count;
extern const struct conf_key conf_keys[];
extern const size_t conf_keys_count;

/** The lists at the top, and every object, each before those that it holds. */
extern const struct conf_key conf_lists[];
extern const size_t conf_lists_count;
extern const struct conf_object *const conf_objects[];
extern const size_t conf_objects_count;

/** "section.name", or the name alone at the top. */
void conf_key_path(const struct conf_key *key, struct buf *out);

/** Checks of texts that several tables use; NULL where it is well, else what is allowed. */
const char *conf_check_label(const char *name);
const char *conf_check_file(const char *path);
const char *conf_check_secret(const char *place);
const char *conf_check_url(const char *text);
const char *conf_check_header(const char *text);
const char *conf_check_http(const struct conf_http *http);

/** Mappings within others: how a server is spoken to (objects.c). */
extern const struct conf_object conf_basic_object, conf_authorization_object, conf_tls_object;

/** Notifications (tell.c). */
extern const struct conf_object conf_receiver_object, conf_webhook_object, conf_alertmanager_object,
    conf_email_object, conf_exec_object, conf_journal_object, conf_nagios_object, conf_route_object,
    conf_inhibit_object, conf_quiet_object;

#define CONF_HTTP(member) offsetof(struct conf_http, member)

/** Rows for a struct conf_http that lies at `base`. */
#define CONF_HTTP_KEYS(section, base)                                                              \
    {section,                                                                                      \
     "basic_auth",                                                                                 \
     CONF_OBJECT,                                                                                  \
     (base) + CONF_HTTP(basic_auth),                                                               \
     .object = &conf_basic_object,                                                                 \
     .help = "User and password."},                                                                \
        {section,                                                                                  \
         "authorization",                                                                          \
         CONF_OBJECT,                                                                              \
         (base) + CONF_HTTP(authorization),                                                        \
         .object = &conf_authorization_object,                                                     \
         .help = "A token."},                                                                      \
        {section,                                                                                  \
         "tls_config",                                                                             \
         CONF_OBJECT,                                                                              \
         (base) + CONF_HTTP(tls),                                                                  \
         .object = &conf_tls_object,                                                               \
         .help = "Certificates."},                                                                 \
        {section,                                                                                  \
         "headers",                                                                                \
         CONF_PAIRS,                                                                               \
         (base) + CONF_HTTP(headers),                                                              \
         .check = conf_check_header,                                                               \
         .help = "Further headers of each request."},                                              \
    {                                                                                              \
        section, "follow_redirects", CONF_BOOL, (base) + CONF_HTTP(follow_redirects), "true",      \
            .help = "Whether redirects are followed."                                              \
    }

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
int conf_value_set(const struct conf_key *key, void *base, const struct conf_scalar *scalar,
                   struct buf *why);

/** Add to pairs; a name twice is refused unless `multi`, and `name` must be one line of text. */
int conf_pairs_add(const struct conf_key *key, void *base, const struct conf_scalar *name,
                   const struct conf_scalar *value, bool again, struct buf *why);

/** Append an object with defaults to a list; NULL: one too many. */
void *conf_array_add(const struct conf_key *key, void *base);

/** The value of an object as a whole: defaults, and what it owns. */
void conf_object_default(const struct conf_object *object, void *base);
void conf_object_done(const struct conf_object *object, void *base);

/** Empty a list, or put the default. */
void conf_value_clear(const struct conf_key *key, void *base);
void conf_value_default(const struct conf_key *key, void *base);

/** Free what the key owns. */
void conf_value_done(const struct conf_key *key, void *base);

/** The value as YAML. */
void conf_value_encode(const struct conf_key *key, const void *base, struct buf *out);

/** The value as JSON. */
void conf_value_encode_json(const struct conf_key *key, const void *base, struct buf *out);

/** What is allowed, in words: "a duration from 1s to 1h". */
void conf_value_allowed(const struct conf_key *key, struct buf *out);

/** A duration in its largest whole unit: "90s", "5m". */
void conf_duration_format(int64_t ns, struct buf *out);

#endif
