// SPDX-License-Identifier: GPL-3.0-or-later
// Fields of a seed for cloud-init: whatever is in their values, the files hold exactly the members
// that we write, each of one line.
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "manage/seed.h"
#include "verb/deed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const members[] = {
    "hostname",    "users",          "package_update", "packages",  "runcmd",
    "instance-id", "local-hostname", "version",        "ethernets",
};

static bool is_ours(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (strcmp(members[i], name) == 0)
            return true;
    return false;
}

static void look(const char *text, const char *head)
{
    size_t len = strlen(head);
    json_t *file = strncmp(text, head, len) == 0 ? json_loads(text + len, 0, NULL) : NULL;
    const char *name;
    json_t *value;
    if (!json_is_object(file) || strchr(text + len, '\n') != text + strlen(text) - 1)
        abort();
    json_object_foreach(file, name, value)
    {
        if (!is_ours(name))
            abort();
    }
    json_decref(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *body = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    CLEANUP(seed_done) struct seed seed = {0};
    struct err err = {0};
    if (json_is_object(body) && deed_check(&deeds[DEED_CREATE], body, &err) == 0 &&
        json_object_get(body, "seed")) {
        if (seed_write(body, "0-1", "web", &seed, &err) == 0) {
            look(seed.user_data, "#cloud-config\n");
            look(seed.meta_data, "");
            look(seed.network_config, "");
        } else if (err.message[0] == '\0' || seed.user_data) {
            abort();
        }
    }
    json_decref(body);
    return 0;
}
