// SPDX-License-Identifier: GPL-3.0-or-later
// Templates of VMs: what is in the folder, as it is now.
#include <errno.h>
#include <stdlib.h>

#include "api.h"
#include "base/mem.h"
#include "manage/template.h"

static void answer(const struct api_call *c, json_t *owned)
{
    CLEANUP(buf_done) struct buf body;
    char *text = json_dumps(owned, JSON_COMPACT);
    buf_init(&body, STORE_VALUE_MAX);
    buf_puts(&body, text ? text : "{}");
    core_answer(c->act, c->id, 200, &body);
    free(text);
    json_decref(owned);
}

void api_template_list(const struct api_call *c)
{
    CLEANUP(freep) char *folder = conf_templates_path(c->act->conf);
    struct err err = {0};
    json_t *templates = NULL;
    int r = template_list(folder, &templates, &err);
    if (r < 0)
        api_fail(c, -r, err.message);
    else
        answer(c, json_pack("{s:o}", "templates", templates));
}

void api_template_show(const struct api_call *c)
{
    CLEANUP(freep) char *folder = conf_templates_path(c->act->conf);
    struct err err = {0};
    json_t *whole = NULL;
    int r = template_load(folder, c->object, &whole, &err);
    if (r < 0)
        api_fail(c, -r, err.message);
    else
        answer(c, whole);
}
