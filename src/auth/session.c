// SPDX-License-Identifier: GPL-3.0-or-later
// Sessions: tokens that end when nobody uses them.
#include <errno.h>
#include <string.h>

#include "account_private.h"
#include "base/mem.h"

// 0 while it has been used lately; otherwise it is over, like any that never was.
static int check_idle(struct accounts *a, const struct holder *h)
{
    return accounts_now(a) - h->used_ns >= SESSION_IDLE_NS ? -EACCES : 0;
}

int session_verify(struct accounts *a, const char *text, char ret_csrf[CSRF_TEXT_SIZE],
                   struct grant *ret)
{
    struct holder h;
    struct grant g;
    char id[TOKEN_ID_DIGITS + 1];
    unsigned char secret[TOKEN_SECRET_BYTES];
    int r = token_find(a, KIND_SESSION, text, &g, &h);
    if (r < 0)
        return r;
    r = check_idle(a, &h);
    if (r < 0) {
        grant_done(&g);
        return r;
    }
    token_parse(text, id, secret);
    token_text_csrf(secret, ret_csrf);
    (void)token_note_use(a, text, &h);
    *ret = g;
    return 0;
}

int session_close(struct accounts *a, const char *text)
{
    struct holder h;
    struct grant g;
    char id[TOKEN_ID_DIGITS + 1];
    unsigned char secret[TOKEN_SECRET_BYTES];
    int r = token_find(a, KIND_SESSION, text, &g, &h);
    if (r < 0)
        return r;
    grant_done(&g);
    token_parse(text, id, secret);
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(a->store, "DELETE FROM token WHERE id = ?");
    store_bind_text(q, id);
    return store_next(q);
}
