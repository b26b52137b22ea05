// SPDX-License-Identifier: GPL-3.0-or-later
// Hypervisor processes that libvirt does not know of: only the supervisor sees and ends them. A
// worker's question waits in a list under the inbox's lock, the loop passes it on.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "act.h"
#include "base/mem.h"
#include "base/number.h"

#define ANSWER_NS (30 * NS_PER_S) // more than the supervisor's child has

static void take_out(struct deeds *d, const struct stray_wish *wish)
{
    struct stray_wish **at = &d->strays;
    while (*at != wish)
        at = &(*at)->next;
    *at = wish->next;
}

int strays_ask(struct act *a, const struct uuid *uuid, bool end)
{
    struct deeds *d = &a->deeds;
    struct stray_wish wish = {.uuid = *uuid, .end = end, .result = -ETIMEDOUT};
    int64_t until = act_now() + ANSWER_NS;
    uv_mutex_lock(&a->inbox.lock);
    wish.id = ++d->last_stray;
    wish.next = d->strays;
    d->strays = &wish;
    uv_async_send(&a->wake);
    for (int64_t now; !wish.answered && (now = act_now()) < until;)
        (void)uv_cond_timedwait(&d->note_written, &a->inbox.lock, (uint64_t)(until - now));
    take_out(d, &wish);
    uv_mutex_unlock(&a->inbox.lock);
    return wish.result;
}

static void pass_on(struct stray_wish *wish)
{
    char uuid[UUID_TEXT], text[80];
    uuid_format(&wish->uuid, uuid);
    snprintf(text, sizeof(text), "%u %s %s", wish->id, uuid, wish->end ? "end" : "look");
    int r = control_send(IPC_CONTROL_FD, CONTROL_STRAY, text, -1);
    wish->sent = true;
    if (r == 0)
        return;
    wish->result = r;
    wish->answered = true;
}

void strays_send(struct act *a)
{
    uv_mutex_lock(&a->inbox.lock);
    for (struct stray_wish *w = a->deeds.strays; w; w = w->next)
        if (!w->sent)
            pass_on(w);
    uv_cond_broadcast(&a->deeds.note_written);
    uv_mutex_unlock(&a->inbox.lock);
}

void strays_answer(struct act *a, const char *text)
{
    size_t len = strcspn(text, " ");
    uint64_t id = 0;
    int result = 0;
    char word[16];
    snprintf(word, sizeof(word), "%.*s", (int)MIN_OF(len, sizeof(word) - 1), text);
    if (number_parse_u64(word, &id) < 0 || sscanf(text + len, "%d", &result) != 1)
        return;
    uv_mutex_lock(&a->inbox.lock);
    for (struct stray_wish *w = a->deeds.strays; w; w = w->next) {
        if (w->id != id || w->answered)
            continue;
        w->result = result;
        w->answered = true;
    }
    uv_cond_broadcast(&a->deeds.note_written);
    uv_mutex_unlock(&a->inbox.lock);
}
