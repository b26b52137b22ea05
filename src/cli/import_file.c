// SPDX-License-Identifier: GPL-3.0-or-later
// A history as requests to the daemon.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "import.h"
#include "net/expo_write.h"

#define SLACK_BYTES ((size_t)1 << 20) // what one time's samples may add before a body is sent

struct sending {
    struct history *h;
    char **name; // of each series, as it begins its lines; made when first needed
    struct buf body;
    size_t most_bytes;
    import_send_fn *send;
    void *arg;
    struct err *err;
};

static char *name_of(const struct labels *l)
{
    struct buf out;
    buf_init(&out, 4 * LABELS_BYTES_MAX);
    expo_put_series(l, &out);
    return buf_take(&out, NULL);
}

static void put_sample(struct sending *s, uint32_t series, double v, int64_t t_ms)
{
    if (!s->name[series])
        s->name[series] = name_of(history_labels(s->h, series));
    buf_puts(&s->body, s->name[series]);
    expo_put_sample(v, t_ms, &s->body);
}

static int send_body(struct sending *s)
{
    buf_puts(&s->body, "# EOF\n");
    if (s->body.error)
        return err_set(s->err, -s->body.error, "a request does not fit into memory");
    int r = s->send(s->arg, &s->body, s->err);
    buf_reset(&s->body);
    return r;
}

static int take_time(void *arg, int64_t t_ms, const struct history_sample *sample, size_t n)
{
    struct sending *s = arg;
    for (size_t i = 0; i < n; i++) {
        put_sample(s, sample[i].series, sample[i].v, t_ms);
        if (s->body.len >= s->most_bytes) {
            int r = send_body(s);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

int import_send_history(struct history *h, size_t most_bytes, import_send_fn *send, void *arg,
                        struct err *err)
{
    struct sending s = {.h = h, .most_bytes = most_bytes, .send = send, .arg = arg, .err = err};
    s.name = mem_zalloc((history_count(h) + 1) * sizeof(char *));
    buf_init(&s.body, most_bytes + SLACK_BYTES);
    int r = history_walk(h, history_start_ms(h), history_end_ms(h), take_time, &s, err);
    if (r == 0 && s.body.len > 0)
        r = send_body(&s);
    for (size_t i = 0; i < history_count(h); i++)
        free(s.name[i]);
    free(s.name);
    buf_done(&s.body);
    return r;
}
