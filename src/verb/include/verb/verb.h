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
    VERB_STORE_DELETE,
    VERB_PAGE,
    VERB_LOGIN,
    VERB_LOGOUT,
    VERB_WHOAMI,
    VERB_USER_LIST,
    VERB_USER_ADD,
    VERB_USER_SET,
    VERB_USER_REMOVE,
    VERB_USER_PASSWORD,
    VERB_TOKEN_LIST,
    VERB_TOKEN_CREATE,
    VERB_TOKEN_REVOKE,
    VERB_AUDIT_LIST,
    VERB_AUDIT_VERIFY,
    VERB_AUTO_SHOW,
    VERB_AUTO_STOP,
    VERB_AUTO_START,
    VERB_TASK_LIST,
    VERB_TASK_SHOW,
    VERB_TASK_CANCEL,
    VERB_VM_DEFINITION,
    VERB_SNAPSHOT_LIST,
    VERB_TEMPLATE_LIST,
    VERB_TEMPLATE_SHOW,
    VERB_VM_SELECT,
    VERB_SCHEDULE_LIST,
    VERB_SCHEDULE_ADD,
    VERB_SCHEDULE_REMOVE,
    VERB_SCHEDULE_RUN,
    VERB_SCHEDULE_PAUSE,
    VERB_SCHEDULE_RESUME,
    VERB_CONSOLE_OPEN,
    VERB_CONSOLE_READ,
    VERB_CONSOLE_WRITE,
    VERB_CONSOLE_CLOSE,
    VERB_OPENAPI,
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
    VERB_EVENTS,
    VERB_ALERT_LIST,
    VERB_ACK,
    VERB_SILENCE_LIST,
    VERB_SILENCE_ADD,
    VERB_SILENCE_EXPIRE,
    VERB_NOTIFY_STATUS,
    VERB_NOTIFY_TEST,
    VERB_RULES,
    VERB_ALERTS,
    VERB_ALERT_HISTORY,
    VERB_MAX,
    VERB_INVALID = -1,
};

enum verb_role {
    ROLE_NONE, /**< open to all who reach the port */
    ROLE_VIEWER,
    ROLE_OPERATOR,
    ROLE_ADMIN,
    ROLE_MAX,
    ROLE_INVALID = -1,
};

enum verb_type {
    VERB_TYPE_STRING,
    VERB_TYPE_INTEGER,
    VERB_TYPE_FLAG,
};

/** Which process answers a verb. */
enum verb_place {
    VERB_AT_CORE,
    VERB_AT_ACT, /**< core passes it on */
    VERB_AT_WEB,
};

/** What a verb is about, and so which scope it takes. */
enum verb_reach {
    VERB_REACH_ALL,  /**< the whole host: all VMs must be in the scope */
    VERB_REACH_VM,   /**< the VM that the path names */
    VERB_REACH_LIST, /**< VMs; those outside the scope are left out */
    VERB_REACH_SELF, /**< who asks */
};

struct verb_param {
    const char *name; /**< query parameter, and long option of the CLI; NULL ends the list */
    enum verb_type type;
    const char *help;
};

#define VERB_PARAMS_MAX 12

/** Longest form that a request may carry. */
#define VERB_FORM_MAX ((size_t)2 * 1024 * 1024)

struct verb {
    enum verb_id id;
    const char *method; /**< "GET" */
    const char *path;   /**< "/vherd/v1/vms/{vm}" */
    enum verb_role role;
    enum verb_reach reach;
    enum verb_place place;
    const char *command; /**< the CLI's word ("show"), NULL where it has none */
    const char *operand; /**< the CLI's operand ("VM"), fills the path's {…}; or NULL */
    const char *summary; /**< one line */
    const char *details; /**< a paragraph for manual and API description */
    const char *answers; /**< media type */
    bool takes_json;     /**< its parameters are members of a JSON object in the body */
    bool nested;         /**< of those, members may be more than texts; the handler checks them */
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
