// SPDX-License-Identifier: GPL-3.0-or-later
// A grant's text. The MAC covers the bytes as they stand, so that nothing is read of a text that
// was not made with the key.
#include "auth/grant.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "base/number.h"

#define MAC_BYTES 32
#define FIELDS 6 // version, role, expiry, principal, two scopes

_Static_assert(MAC_BYTES >= crypto_generichash_BYTES_MIN, "BLAKE2b gives that many");

void grant_done(struct grant *g)
{
    scope_done(&g->scope);
    scope_done(&g->limit);
}

void grant_anonymous(struct grant *ret)
{
    *ret = (struct grant){.principal = "anonymous", .role = ROLE_NONE, .expires_ns = INT64_MAX};
}

static void put_hex(const unsigned char *data, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%02x", data[i]);
}

static bool read_hex(const char *text, unsigned char *ret, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = number_hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : number_hex_digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        ret[i] = (unsigned char)(high << 4 | low);
    }
    return text[2 * n] == '\0';
}

void grant_key_new(struct grant_key *ret)
{
    if (sodium_init() < 0)
        abort();
    randombytes_buf(ret->b, sizeof(ret->b));
}

void grant_key_format(const struct grant_key *k, struct buf *out)
{
    put_hex(k->b, sizeof(k->b), out);
}

int grant_key_parse(const char *text, struct grant_key *ret)
{
    return read_hex(text, ret->b, sizeof(ret->b)) ? 0 : -EINVAL;
}

static void mac(const struct grant_key *k, const char *text, size_t len,
                unsigned char ret[MAC_BYTES])
{
    crypto_generichash(ret, MAC_BYTES, (const unsigned char *)text, len, k->b, sizeof(k->b));
}

static void put_scope(const struct scope *s, struct buf *out)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, SCOPE_TEXT_MAX + 1);
    scope_format(s, &text);
    if (text.error)
        out->error = text.error;
    else
        esc_url(out, text.data);
}

void grant_encode(const struct grant *g, const struct grant_key *k, struct buf *out)
{
    unsigned char sum[MAC_BYTES];
    size_t from = out->len;
    buf_printf(out, "1 %s %lld ", auth_role_name(g->role), (long long)g->expires_ns);
    esc_url(out, g->principal);
    buf_putc(out, ' ');
    put_scope(&g->scope, out);
    buf_putc(out, ' ');
    put_scope(&g->limit, out);
    if (out->error)
        return;
    mac(k, out->data + from, out->len - from, sum);
    buf_putc(out, ' ');
    put_hex(sum, sizeof(sum), out);
}

// The text in front of the MAC's blank, or NULL where it does not fit.
static char *authentic(const char *text, const struct grant_key *k)
{
    unsigned char told[MAC_BYTES], sum[MAC_BYTES];
    if (strnlen(text, GRANT_TEXT_MAX + 1) > GRANT_TEXT_MAX)
        return NULL;
    const char *blank = strrchr(text, ' ');
    if (!blank || !read_hex(blank + 1, told, sizeof(told)))
        return NULL;
    mac(k, text, (size_t)(blank - text), sum);
    if (sodium_memcmp(told, sum, sizeof(sum)) != 0)
        return NULL;
    return mem_strndup(text, (size_t)(blank - text));
}

static bool split(char *text, char *field[FIELDS])
{
    for (size_t i = 0; i < FIELDS; i++) {
        field[i] = text;
        char *end = strchr(text, ' ');
        if ((end == NULL) != (i == FIELDS - 1))
            return false;
        if (!end)
            break;
        *end = '\0';
        text = end + 1;
    }
    for (size_t i = 3; i < FIELDS; i++) {
        long len = esc_url_decode(field[i], strlen(field[i]));
        if (len < 0)
            return false;
        field[i][len] = '\0';
    }
    return strcmp(field[0], "1") == 0;
}

static bool fill(char *const field[FIELDS], struct grant *g)
{
    struct err err;
    size_t len = strlen(field[3]);
    g->role = auth_role_parse(field[1]);
    if (g->role == ROLE_INVALID || number_parse_i64(field[2], &g->expires_ns) < 0 || len == 0 ||
        len > GRANT_PRINCIPAL_MAX)
        return false;
    memcpy(g->principal, field[3], len + 1);
    return scope_parse(field[4], &g->scope, &err) == 0 &&
           scope_parse(field[5], &g->limit, &err) == 0;
}

int grant_decode(const char *text, const struct grant_key *k, int64_t now_ns, struct grant *ret)
{
    char *field[FIELDS];
    CLEANUP(freep) char *copy = authentic(text, k);
    if (!copy || !split(copy, field))
        return -EKEYREJECTED;
    struct grant g = {0};
    bool whole = fill(field, &g);
    if (!whole || now_ns >= g.expires_ns) {
        grant_done(&g);
        return whole ? -EKEYEXPIRED : -EKEYREJECTED;
    }
    *ret = g;
    return 0;
}
