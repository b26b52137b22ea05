// SPDX-License-Identifier: GPL-3.0-or-later
// A schedule as it is asked for: {"fields": {…}, "select": {…}}. What is taken gives a name that a
// snapshot may have, and a selection that can be held against any VM.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "manage/schedule.h"
#include "manage/select.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expand(json_t *fields)
{
    const struct schedule s = {.deed = &deeds[DEED_SNAPSHOT_CREATE], .fields = fields};
    const time_t at = 1767225600;
    struct tm when;
    struct err err = {0};
    json_t *expanded = NULL;
    if (!gmtime_r(&at, &when) || schedule_fields(&s, &when, &expanded, &err) < 0) {
        if (err.message[0] == '\0' || expanded)
            abort();
        return;
    }
    const json_t *name = json_object_get(expanded, "name");
    if (json_is_string(name) && json_string_length(name) > 0 &&
        deed_check(s.deed, expanded, &err) == 0 &&
        !deed_name(json_string_value(name), json_string_length(name)))
        abort();
    json_decref(expanded);
}

static void choose(json_t *select)
{
    char vm[] = "web-1", label[] = "env", value[] = "test";
    struct virt_label labels[] = {{.name = label, .value = value}};
    struct virt_spec spec = {.name = vm, .n_labels = 1};
    struct err err = {0};
    spec.labels[0] = labels[0];
    if (select_check(select, &err) == 0)
        (void)select_fits(select, &spec);
    else if (err.message[0] == '\0')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *body = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    json_t *fields = json_object_get(body, "fields"), *select = json_object_get(body, "select");
    if (json_is_object(fields))
        expand(fields);
    if (json_is_object(select))
        choose(select);
    json_decref(body);
    return 0;
}
