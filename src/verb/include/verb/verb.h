// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VERB_VERB_H
#define VERB_VERB_H

/*
 * The one table of what can be asked of the daemon. Routing in core, the CLI's commands and help,
 * shell completion, man pages and docs/api.md come from it.
 */

#include <stdbool.h>
#include <stddef.h>

enum verb_id {
    VERB_VM_LIST,
    VERB_VM_SHOW,
    VERB_HOST,
    VERB_STATUS,
    VERB_METRICS,
    VERB_VM_DIRTY_RATE,
    VERB_PLAN,
    VERB_HEALTHY,
    VERB_READY,
    VERB_WRITE,
    VERB_EXPORT,
    VERB_IMPORT,
    VERB_SNAPSHOT,
    VERB_PAGE,
    VERB_QUERY,
    VERB_QUERY_RANGE,
    VERB_QUERY_EXEMPLARS,
    VERB_FORMAT_QUERY,
    VERB_PARSE_QUERY,
    VERB_SERIES,
    VERB_LABELS,
    VERB_LABEL_VALUES,
    VERB_METADATA,
    VERB_TARGETS,
    VERB_STATUS_BUILDINFO,
    VERB_STATUS_RUNTIMEINFO,
    VERB_STATUS_CONFIG,
    VERB_STATUS_FLAGS,
    VERB_STATUS_TSDB,
    VERB_MAX,
    VERB_INVALID = -1,
};

enum verb_role {
    ROLE_NONE, /**< open to all who reach the port */
    ROLE_VIEWER,
    ROLE_OPERATOR,
    ROLE_ADMIN,
};

enum verb_type {
    VERB_TYPE_STRING,
    VERB_TYPE_INTEGER,
    VERB_TYPE_FLAG,
};

struct verb_param {
    const char *name; /**< query parameter, and long option of the CLI; NULL ends the list */
    enum verb_type type;
    const char *help;
};

#define VERB_PARAMS_MAX 8

/** Longest form that a request may carry. */
#define VERB_FORM_MAX ((size_t)2 * 1024 * 1024)

struct verb {
    enum verb_id id;
    const char *method; /**< "GET" */
    const char *path;   /**< "/vherd/v1/vms/{vm}" */
    enum verb_role role;
    const char *command; /**< the CLI's word ("show"), NULL where it has none */
    const char *operand; /**< the CLI's operand ("VM"), fills the path's {…}; or NULL */
    const char *summary; /**< one line */
    const char *details; /**< a paragraph for manual and API description */
    const char *answers; /**< media type */
    bool form;           /**< POST with the parameters as a form in its body does the same */
    bool is_query;       /**< runs on core's workers, for as long as query.timeout allows */
    size_t body_max;     /**< bytes that a request's body may have; 0: it has none */
    struct verb_param params[VERB_PARAMS_MAX + 1];
};

extern const struct verb verbs[VERB_MAX];

/**
 * The verb for a method (HEAD counts as GET) and decoded path; the text in place of {…} goes to
 * *ret_object (caller frees; NULL where the path has none). VERB_INVALID: no such path; *ret_allow
 * then is NULL, or names the method(s) that the path does have.
 */
enum verb_id verb_match(const char *method, const char *path, char **ret_object,
                        const char **ret_allow);

/** The verb of a CLI command, NULL where it is none. */
const struct verb *verb_by_command(const char *command);

#endif
