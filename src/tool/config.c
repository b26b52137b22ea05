// SPDX-License-Identifier: GPL-3.0-or-later
#include "tool/config.h"

#include "base/esc.h"
#include "base/json.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "net/rules.h"
#include "notify/notify.h"

DEFINE_FREEP(struct conf, conf_free, conf_freep)

static int load(const char *path, struct conf **ret, struct err *err)
{
    if (!path) {
        *ret = conf_new();
        return 0;
    }
    CLEANUP(conf_freep) struct conf *conf = NULL;
    int r = conf_load(path, &conf, err);
    if (r == 0)
        r = rules_check(conf, err);
    if (r == 0)
        r = notify_check(conf, err);
    if (r == 0)
        *ret = TAKE_PTR(conf);
    return r;
}

int tool_config_check(const char *path, bool json, struct buf *out, struct err *err)
{
    CLEANUP(conf_freep) struct conf *conf = NULL;
    int r = load(path, &conf, err);
    if (r < 0)
        return r;
    if (json) {
        struct json j;
        json_init(&j, out);
        json_object_begin(&j);
        json_kv_string(&j, "path", path);
        json_kv_bool(&j, "ok", true);
        json_object_end(&j);
    } else if (path) {
        esc_terminal(out, path);
        buf_puts(out, ": well\n");
    } else {
        buf_puts(out, "There is no configuration file; the defaults apply.\n");
    }
    return out->error;
}

int tool_config_show(const char *path, bool json, struct buf *out, struct err *err)
{
    CLEANUP(conf_freep) struct conf *conf = NULL;
    int r = load(path, &conf, err);
    if (r < 0)
        return r;
    if (json)
        conf_encode_json(conf, out);
    else
        conf_encode(conf, out);
    return out->error;
}
