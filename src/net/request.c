// SPDX-License-Identifier: GPL-3.0-or-later
// The payload of web's requests to core: seven NUL-ended texts; and raw query strings.
#include "net/ipc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"

void ipc_request_encode(const struct ipc_request *r, struct buf *out)
{
    const char *texts[] = {r->method, r->path,      r->query,  r->form,
                           r->accept, r->principal, r->address};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        buf_put(out, texts[i], strlen(texts[i]) + 1);
}

int ipc_request_decode(const char *payload, size_t len, struct ipc_request *ret)
{
    struct ipc_request r = {0};
    const char **texts[] = {&r.method, &r.path,      &r.query,  &r.form,
                            &r.accept, &r.principal, &r.address};
    CLEANUP(freep) char *copy = malloc(len ? len : 1);
    if (!copy)
        return -ENOMEM;
    if (len > 0)
        memcpy(copy, payload, len);
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const char *end = memchr(copy + at, '\0', len - at);
        if (!end)
            return -EPROTO;
        *texts[i] = copy + at;
        at = (size_t)(end - copy) + 1;
    }
    if (at != len || r.method[0] == '\0' || r.path[0] != '/')
        return -EPROTO;
    r.storage = TAKE_PTR(copy);
    *ret = r;
    return 0;
}

void ipc_request_done(struct ipc_request *r)
{
    free(r->storage);
    *r = (struct ipc_request){0};
}

// One name or value of a query, as forms write them; NULL where an escape is broken.
static char *decode_part(const char *s, size_t len)
{
    CLEANUP(freep) char *text = mem_strndup(s, len);
    for (size_t i = 0; i < len; i++)
        if (text[i] == '+')
            text[i] = ' ';
    long n = esc_url_decode(text, len);
    if (n < 0)
        return NULL;
    text[n] = '\0';
    return TAKE_PTR(text);
}

char *ipc_query_param_next(const char **query, const char *name)
{
    while (**query != '\0') {
        const char *pair = *query;
        size_t len = strcspn(pair, "&");
        *query += len + (pair[len] == '&');
        const char *equals = memchr(pair, '=', len);
        size_t name_len = equals ? (size_t)(equals - pair) : len;
        CLEANUP(freep) char *found = decode_part(pair, name_len);
        if (!found || strcmp(found, name) != 0)
            continue;
        char *value = equals ? decode_part(equals + 1, len - name_len - 1) : mem_strdup("");
        if (value)
            return value;
    }
    return NULL;
}

char *ipc_query_param(const char *query, const char *name)
{
    return ipc_query_param_next(&query, name);
}

char *ipc_request_param(const struct ipc_request *r, const char *name)
{
    char *value = ipc_query_param(r->form, name);
    return value ? value : ipc_query_param(r->query, name);
}
