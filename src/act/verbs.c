// SPDX-License-Identifier: GPL-3.0-or-later
// The closed table of what act can be asked, and the reading of a request. A request that names
// anything else, lacks an argument or has one too many is refused.
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "act.h"
#include "base/mem.h"

#define SECONDS_MAX 60
#define BYTES_MAX 4096

static int64_t agent_deadline(const struct conf *conf, const struct arguments *args)
{
    return conf->agent.deadline_ns;
}

static int64_t dirty_deadline(const struct conf *conf, const struct arguments *args)
{
    return (args->seconds + 8) * NS_PER_S;
}

static int run_ping(const struct virt_ops *ops, struct virt *v, const struct arguments *args,
                    int agent_s, struct batch *out, struct err *err)
{
    return ops->agent_ping(v, &args->uuid, agent_s, out, err);
}

static int run_info(const struct virt_ops *ops, struct virt *v, const struct arguments *args,
                    int agent_s, struct batch *out, struct err *err)
{
    return ops->agent_info(v, &args->uuid, agent_s, out, err);
}

static int run_dirty(const struct virt_ops *ops, struct virt *v, const struct arguments *args,
                     int agent_s, struct batch *out, struct err *err)
{
    return ops->dirty_rate(v, &args->uuid, args->seconds, out, err);
}

const struct reading act_verbs[] = {
    {"agent_ping", false, agent_deadline, run_ping},
    {"agent_info", false, agent_deadline, run_info},
    {"dirty_rate", true, dirty_deadline, run_dirty},
};
const size_t act_verbs_count = ARRAY_LEN(act_verbs);

static const struct reading *find(const char *name, size_t len)
{
    for (size_t i = 0; i < act_verbs_count; i++) {
        if (strlen(act_verbs[i].name) == len && memcmp(act_verbs[i].name, name, len) == 0)
            return &act_verbs[i];
    }
    return NULL;
}

static int read_seconds(const json_t *root, struct arguments *ret, struct err *err)
{
    const json_t *seconds = json_object_get(root, "seconds");
    json_int_t n = json_integer_value(seconds);
    if (!json_is_integer(seconds) || n < 1 || n > SECONDS_MAX)
        return err_set(err, EINVAL, "seconds must be a whole number from 1 to %d", SECONDS_MAX);
    ret->seconds = (int)n;
    return 0;
}

static int read_arguments(const struct reading *verb, const json_t *root, struct arguments *ret,
                          struct err *err)
{
    const json_t *uuid = json_object_get(root, "uuid");
    if (!json_is_object(root))
        return err_set(err, EINVAL, "the arguments are not an object");
    if (!json_is_string(uuid) ||
        !uuid_parse(json_string_value(uuid), json_string_length(uuid), &ret->uuid))
        return err_set(err, EINVAL, "uuid must be a UUID");
    if (json_object_size(root) != (verb->has_seconds ? 2 : 1))
        return err_set(err, EINVAL, "wrong arguments for %s", verb->name);
    return verb->has_seconds ? read_seconds(root, ret, err) : 0;
}

const struct reading *verb_parse(const char *payload, size_t len, struct arguments *ret,
                                 struct err *err)
{
    const char *nul = len <= BYTES_MAX ? memchr(payload, '\0', len) : NULL;
    const struct reading *verb = nul ? find(payload, (size_t)(nul - payload)) : NULL;
    if (!verb) {
        err_set(err, EINVAL, "no such verb");
        return NULL;
    }
    json_error_t e;
    json_t *root =
        json_loadb(nul + 1, len - (size_t)(nul + 1 - payload), JSON_REJECT_DUPLICATES, &e);
    if (!root) {
        err_set(err, EINVAL, "the arguments are not JSON: %s", e.text);
        return NULL;
    }
    *ret = (struct arguments){0};
    int r = read_arguments(verb, root, ret, err);
    json_decref(root);
    return r < 0 ? NULL : verb;
}
