// SPDX-License-Identifier: GPL-3.0-or-later
#include "exposition.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/labels.h"
#include "net/expo.h"

static void write_value(struct json *j, double v)
{
    json_key(j, "value");
    if (isfinite(v))
        json_f64(j, v);
    else
        json_text(j, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
}

static int write_sample(void *arg, const struct expo_sample *s)
{
    struct json *j = arg;
    json_object_begin(j);
    json_kv_string(j, "name", s->label[0].value);
    json_key(j, "labels");
    json_object_begin(j);
    for (size_t i = 1; i < s->n; i++)
        json_kv_string(j, s->label[i].name, s->label[i].value);
    json_object_end(j);
    write_value(j, s->v);
    json_object_end(j);
    return 0;
}

int exposition_to_json(const char *text, size_t len, struct buf *out, struct err *err)
{
    static const struct expo_events events = {.sample = write_sample};
    struct err why = {0};
    struct json j;
    json_init(&j, out);
    json_array_begin(&j);
    if (expo_parse(text, len, EXPO_TEXT, &events, &j, &why) < 0)
        return err_set_at(err, EPROTO, why.line, why.column, "the metrics cannot be read: %s",
                          why.message);
    json_array_end(&j);
    return out->error;
}
