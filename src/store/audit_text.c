// SPDX-License-Identifier: GPL-3.0-or-later
// The audit log's words: names of kinds and results, JSON, anchors.
#include <errno.h>
#include <string.h>

#include "audit_private.h"
#include "base/esc.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"

static const char *const kinds[AUDIT_KIND_MAX] = {
    [AUDIT_INTENT] = "intent", [AUDIT_OUTCOME] = "outcome", [AUDIT_EVENT] = "event"};
static const char *const results[AUDIT_RESULT_MAX] = {
    [AUDIT_NONE] = "",         [AUDIT_DONE] = "done",           [AUDIT_REFUSED] = "refused",
    [AUDIT_FAILED] = "failed", [AUDIT_CANCELLED] = "cancelled", [AUDIT_UNKNOWN] = "unknown"};

const char *audit_kind_name(enum audit_kind kind)
{
    return kind >= 0 && kind < AUDIT_KIND_MAX ? kinds[kind] : "?";
}

const char *audit_result_name(enum audit_result result)
{
    return result >= 0 && result < AUDIT_RESULT_MAX ? results[result] : "?";
}

static int find(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

enum audit_kind audit_kind_parse(const char *name)
{
    return (enum audit_kind)find(kinds, ARRAY_LEN(kinds), name);
}

enum audit_result audit_result_parse(const char *name)
{
    return (enum audit_result)find(results, ARRAY_LEN(results), name);
}

char *audit_clean(const char *text)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, AUDIT_TEXT_MAX + 1);
    size_t len = text ? strnlen(text, AUDIT_TEXT_MAX * 2) : 0;
    for (size_t at = 0; at < len;) {
        size_t n = esc_utf8_next(text + at, len - at, NULL);
        const char *piece = n > 0 ? text + at : "\xEF\xBF\xBD";
        size_t piece_len = n > 0 ? n : 3;
        if (b.len + piece_len > AUDIT_TEXT_MAX)
            break;
        buf_put(&b, piece, piece_len);
        at += n > 0 ? n : 1;
    }
    return mem_strndup(b.data ? b.data : "", b.len);
}

static void put_hex(const unsigned char *data, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%02x", data[i]);
}

void audit_record_json(const struct audit_record *r, struct buf *out)
{
    struct json j;
    CLEANUP(buf_done) struct buf hash;
    buf_init(&hash, 2 * AUDIT_HASH_BYTES + 1);
    put_hex(r->hash, AUDIT_HASH_BYTES, &hash);
    json_init(&j, out);
    json_object_begin(&j);
    json_kv_i64(&j, "seq", r->seq);
    json_key(&j, "time");
    json_ns_as_s(&j, r->real_ns);
    json_kv_string(&j, "kind", audit_kind_name(r->kind));
    if (r->ref != 0)
        json_kv_i64(&j, "intent", r->ref);
    json_kv_string(&j, "principal", r->entry.principal);
    json_kv_string(&j, "address", r->entry.address);
    json_kv_string(&j, "verb", r->entry.verb);
    json_kv_string(&j, "object", r->entry.object);
    json_kv_string(&j, "detail", r->entry.detail);
    json_kv_string(&j, "result", audit_result_name(r->entry.result));
    json_kv_i64(&j, "time_ns", r->real_ns); // exactly, as the hash has it
    json_kv_string(&j, "hash", hash.data);
    json_object_end(&j);
}

void audit_anchor_format(int64_t seq, const unsigned char hash[AUDIT_HASH_BYTES], struct buf *out)
{
    buf_i64(out, seq);
    buf_putc(out, ':');
    put_hex(hash, AUDIT_HASH_BYTES, out);
}

int audit_anchor_parse(const char *text, struct audit_anchor *ret)
{
    struct audit_anchor a = {0};
    uint64_t seq;
    if (!number_scan_u64(&text, &seq) || seq == 0 || seq > INT64_MAX || *text != ':' ||
        strlen(text + 1) != 2 * sizeof(a.hash))
        return -EINVAL;
    a.seq = (int64_t)seq;
    for (size_t i = 0; i < sizeof(a.hash); i++) {
        int high = number_hex_digit(text[1 + 2 * i]), low = number_hex_digit(text[2 + 2 * i]);
        if (high < 0 || low < 0)
            return -EINVAL;
        a.hash[i] = (unsigned char)(high << 4 | low);
    }
    *ret = a;
    return 0;
}
