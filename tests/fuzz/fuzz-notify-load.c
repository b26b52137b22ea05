// SPDX-License-Identifier: GPL-3.0-or-later
// Stored state, a record a line: KIND KEY JSON. Whatever it holds, deciding goes on.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "notify/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char config[] = "notify:\n  receivers: [{name: ops, webhook: {url: 'http://x/'}}]\n"
                             "  route: {receiver: ops}\n";

static void load_line(struct notify *n, char *line)
{
    char *key = strchr(line, ' '), *value = key ? strchr(key + 1, ' ') : NULL;
    if (!value)
        return;
    *key++ = '\0';
    *value++ = '\0';
    (void)notify_load(n, line, key, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf *conf = NULL;
    struct notify *n = NULL;
    struct err err = {0};
    struct notify_send m;
    struct notify_changes changes;
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    if (conf_parse("fuzz", config, sizeof(config) - 1, &conf, &err) < 0 ||
        notify_new(conf, "h", "i", &n, &err) < 0)
        abort();
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        load_line(n, line);
    }
    notify_loaded(n, 1000000);
    notify_step(n, 2000000);
    while (notify_next(n, 2000000, UINT64_MAX, &m)) {
        CLEANUP(freep) char *id = mem_strdup(m.id);
        (void)notify_result(n, id, NOTIFY_DELIVERED, "", -1, 2000000);
    }
    notify_changes_take(n, &changes);
    notify_changes_done(&changes);
    notify_free(n);
    conf_free(conf);
    return 0;
}
