// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VERB_DEED_H
#define VERB_DEED_H

/*
 * The table of deeds: what can be asked to be done, to which object, by whom, with which fields.
 * Routing, act's checks, the CLI's subcommands, completion, manual and the OpenAPI document come
 * from its rows. A deed is POSTed to its path with a JSON object of fields and becomes a task.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "verb/verb.h"

/** What a field holds. */
enum field_type {
    FIELD_NAME,     /**< a VM's, snapshot's, pool's, volume's or device's name: see deed_name() */
    FIELD_TEXT,     /**< text without control characters, at most `max` bytes */
    FIELD_INTEGER,  /**< a whole number from min to max */
    FIELD_SIZE,     /**< bytes: a number, or a text such as "2G"; from min to max */
    FIELD_DURATION, /**< seconds: a number, or a text such as "90s"; from min to max */
    FIELD_BOOL,
    FIELD_CHOICE, /**< one of `choices` */
    FIELD_TEXTS,  /**< a list of at most `max` texts, as FIELD_TEXT, of FIELD_TEXTS_BYTES each */
    FIELD_LABELS, /**< an object of texts */
    FIELD_OBJECT, /**< an object of `fields` */
    FIELD_LIST,   /**< a list of such objects, at most `max` */
    FIELD_TYPE_MAX,
};

/** Longest text of a FIELD_TEXTS. */
#define FIELD_TEXTS_BYTES 4096

struct field {
    const char *name; /**< member, and long option of the CLI with '-' for '_'; NULL ends a list */
    enum field_type type;
    bool required;
    int64_t min, max;
    const char *const *choices; /**< of FIELD_CHOICE, NULL-ended */
    const struct field *fields; /**< of FIELD_OBJECT and FIELD_LIST */
    const char *help;           /**< a phrase */
};

enum deed_object {
    DEED_ON_VM,  /**< an existing VM, named by the path */
    DEED_ON_NEW, /**< a VM that does not exist yet, named by the field `name` */
};

enum deed_id {
    DEED_CREATE,
    DEED_CLONE,
    DEED_START,
    DEED_SHUTDOWN,
    DEED_REBOOT,
    DEED_RESET,
    DEED_DESTROY,
    DEED_PAUSE,
    DEED_RESUME,
    DEED_SAVE,
    DEED_RESTORE,
    DEED_RENAME,
    DEED_SET,
    DEED_DELETE,
    DEED_SET_VCPUS,
    DEED_SET_MEMORY,
    DEED_PLUG_MEMORY,
    DEED_UNPLUG_MEMORY,
    DEED_SET_CPU,
    DEED_PIN,
    DEED_SET_NUMA,
    DEED_ATTACH_DISK,
    DEED_DETACH_DISK,
    DEED_GROW_DISK,
    DEED_LIMIT_DISK,
    DEED_ATTACH_NIC,
    DEED_DETACH_NIC,
    DEED_LIMIT_NIC,
    DEED_SNAPSHOT_CREATE,
    DEED_SNAPSHOT_REVERT,
    DEED_SNAPSHOT_DELETE,
    DEED_MAX,
    DEED_INVALID = -1,
};

struct deed {
    enum deed_id id;
    const char *name; /**< "vm.start": in tasks and the audit log; group, dot, word of the CLI */
    const char *path; /**< "/vherd/v1/vms/{vm}/start" */
    enum verb_role role;
    enum deed_object object;
    const struct field *fields;
    const char *summary;
    const char *details;
};

extern const struct deed deeds[DEED_MAX];

/** Principals of deeds that nobody has asked for begin with this: "vherd:plan". */
#define DEED_BY_ITSELF "vherd:"

/** Fields that every deed takes besides its own: dry_run, key, after. */
extern const struct field deed_common_fields[];

/**
 * The deed for a POST to a decoded path; the VM's name goes to *ret_vm (caller frees; NULL where
 * the path has none). NULL: no such path.
 */
const struct deed *deed_match(const char *path, char **ret_vm);

/** The deed called `name` ("vm.start"); NULL where there is none. */
const struct deed *deed_by_name(const char *name);

/**
 * May this be a name from a client? 1 to 255 bytes of UTF-8, none of them a control character, '/'
 * or NUL, not beginning with '-' or '.', and neither "." nor "..": nothing that an option parser, a
 * path or a shell could take for something else.
 */
bool deed_name(const char *text, size_t len);

/**
 * Check a body against the deed's fields: unknown members, types, ranges, names. Sizes and
 * durations given as texts are replaced by numbers (bytes, seconds). 0, or -EINVAL with the
 * field in the message.
 */
int deed_check(const struct deed *deed, json_t *body, struct err *err);

/** The same for any object and list of fields; `where` ("select.") stands before names. */
int fields_check(const struct field *fields, json_t *object, const char *where, struct err *err);

/** The whole OpenAPI 3.1 document of the verbs and deeds, as JSON. */
void deed_openapi(const char *version, struct buf *out);

#endif
