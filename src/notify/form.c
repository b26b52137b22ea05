// SPDX-License-Identifier: GPL-3.0-or-later
// The forms in which receivers of other kinds take a message.
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/esc.h"
#include "private.h"

#define WORD_MAX_BYTES 60 // of text in one encoded word
#define NAGIOS_TEXT_MAX 1000
#define ENTRY_MAX ((size_t)256 << 10)
#define ENDS_AFTER_MS (4 * 60 * MS_PER_S) // where an alert does not say

static const char *text_of(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s ? s : "";
}

static bool is_firing(const json_t *alert)
{
    return strcmp(text_of(alert, "status"), "firing") == 0;
}

// Alertmanager

static void put_ms(struct json *j, const char *key, int64_t ms)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 64);
    alert_put_time(&b, ms);
    json_kv_string(j, key, b.data);
}

static void put_texts(struct json *j, const char *key, const json_t *object)
{
    const char *name;
    json_t *value;
    json_key(j, key);
    json_object_begin(j);
    json_object_foreach((json_t *)object, name, value)
        json_kv_string(j, name, json_string_value(value));
    json_object_end(j);
}

static int64_t believed_ms(const json_t *alert)
{
    json_int_t ms = json_integer_value(json_object_get(alert, "endsAfterMs"));
    return ms > 0 ? (int64_t)ms : ENDS_AFTER_MS;
}

int notify_form_alertmanager(const json_t *message, int64_t now_ms, struct buf *out)
{
    struct json j;
    size_t i;
    json_t *a;
    json_init(&j, out);
    json_array_begin(&j);
    json_array_foreach(json_object_get(message, "alerts"), i, a)
    {
        json_object_begin(&j);
        put_texts(&j, "labels", json_object_get(a, "labels"));
        put_texts(&j, "annotations", json_object_get(a, "annotations"));
        json_kv_string(&j, "startsAt", text_of(a, "startsAt"));
        if (is_firing(a))
            put_ms(&j, "endsAt", now_ms + believed_ms(a));
        else
            json_kv_string(&j, "endsAt", text_of(a, "endsAt"));
        if (*text_of(a, "generatorURL"))
            json_kv_string(&j, "generatorURL", text_of(a, "generatorURL"));
        json_object_end(&j);
    }
    json_array_end(&j);
    return out->error;
}

// Mail

static void put_base64(struct buf *out, const char *data, size_t len)
{
    size_t size = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
    CLEANUP(freep) char *text = mem_zalloc(size);
    sodium_bin2base64(text, size, (const unsigned char *)data, len, sodium_base64_VARIANT_ORIGINAL);
    buf_puts(out, text);
}

static bool is_plain(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c < ' ' || *c > '~')
            return false;
    return strlen(text) < 900 && !strstr(text, "=?");
}

// RFC 2047: words of whole characters, each folded onto a line of its own.
static void put_header_text(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    if (is_plain(text)) {
        buf_puts(out, text);
        return;
    }
    for (size_t at = 0, words = 0; at < len; words++) {
        size_t n = 0;
        while (at + n < len) {
            size_t c = MAX_OF(esc_utf8_next(text + at + n, len - at - n, NULL), (size_t)1);
            if (n + c > WORD_MAX_BYTES / 2 + 12)
                break;
            n += c;
        }
        buf_puts(out, words ? "\r\n =?UTF-8?B?" : "=?UTF-8?B?");
        put_base64(out, text + at, n);
        buf_puts(out, "?=");
        at += n;
    }
}

static void put_date(struct buf *out, int64_t now_ms)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm;
    time_t seconds = (time_t)(now_ms / MS_PER_S);
    if (gmtime_r(&seconds, &tm))
        buf_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday,
                   months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void put_to(struct buf *out, const struct conf_list *to)
{
    buf_puts(out, "To: ");
    for (size_t i = 0; i < to->n; i++)
        buf_printf(out, "%s%s", i ? ",\r\n " : "", to->items[i]);
    buf_puts(out, "\r\n");
}

// Base64 in lines, so that no line is too long and none is taken for the end.
static void put_body(struct buf *out, const char *text)
{
    CLEANUP(buf_done) struct buf lines, coded;
    buf_init(&lines, BODY_MAX);
    buf_init(&coded, 2 * BODY_MAX);
    for (const char *c = text; *c; c++)
        buf_printf(&lines, *c == '\n' ? "\r\n" : "%c", *c);
    if (lines.len)
        put_base64(&coded, lines.data, lines.len);
    for (size_t at = 0; at < coded.len; at += 76) {
        buf_put(out, coded.data + at, MIN_OF(coded.len - at, (size_t)76));
        buf_puts(out, "\r\n");
    }
}

int notify_form_mail(const json_t *message, const char *from, const struct conf_list *to,
                     int64_t now_ms, struct buf *out)
{
    const char *domain = strchr(from, '@');
    put_date(out, now_ms);
    buf_printf(out, "From: vherd <%s>\r\n", from);
    put_to(out, to);
    buf_puts(out, "Subject: ");
    put_header_text(out, text_of(message, "subject"));
    buf_printf(out, "\r\nMessage-ID: <%s%s>\r\n", text_of(message, "id"),
               domain ? domain : "@vherd");
    // One thread a group, in readers that thread.
    unsigned char hash[16];
    char hex[2 * sizeof(hash) + 1];
    const char *key = text_of(message, "groupKey");
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)key, strlen(key), NULL, 0);
    sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    buf_printf(out, "References: <group-%s%s>\r\n", hex, domain ? domain : "@vherd");
    buf_puts(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                  "Content-Type: text/plain; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: base64\r\n\r\n");
    put_body(out, text_of(message, "text"));
    return out->error;
}

// Nagios

enum { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };

static int code_of(const json_t *alert)
{
    static const struct {
        const char *severity;
        int code;
    } codes[] = {
        {"critical", NAGIOS_CRITICAL}, {"page", NAGIOS_CRITICAL}, {"error", NAGIOS_CRITICAL},
        {"warning", NAGIOS_WARNING},   {"info", NAGIOS_OK},       {"none", NAGIOS_OK},
    };
    const char *severity = text_of(json_object_get(alert, "labels"), "severity");
    if (!is_firing(alert))
        return NAGIOS_OK;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (strcmp(codes[i].severity, severity) == 0)
            return codes[i].code;
    return NAGIOS_CRITICAL;
}

// One line; ';' would end a field, '|' begins performance data.
static void put_nagios_text(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++)
        buf_putc(out, (unsigned char)*c < ' ' || strchr(";|", *c) ? ' ' : *c);
}

static void put_alert_words(const json_t *a, struct buf *out)
{
    const json_t *labels = json_object_get(a, "labels");
    const char *vm = text_of(labels, *text_of(labels, "domain") ? "domain" : "vm");
    const char *summary = text_of(json_object_get(a, "annotations"), "summary");
    buf_puts(out, text_of(labels, "alertname"));
    if (*vm)
        buf_printf(out, " %s", vm);
    if (*summary)
        buf_printf(out, ": %s", summary);
}

struct result {
    const char *service;
    int code;
    struct buf text;
};

static void put_result(const struct result *r, const struct conf_receiver *conf, const char *host,
                       int64_t now_ms, bool nsca, struct buf *out)
{
    if (nsca)
        buf_printf(out, "%s\t", host);
    else
        buf_printf(out, "[%lld] PROCESS_SERVICE_CHECK_RESULT;%s;", (long long)(now_ms / MS_PER_S),
                   host);
    put_nagios_text(out, r->service);
    buf_printf(out, nsca ? "\t%d\t" : ";%d;", r->code);
    put_nagios_text(out, r->code == NAGIOS_OK        ? "OK"
                         : r->code == NAGIOS_WARNING ? "WARNING"
                                                     : "CRITICAL");
    if (r->text.len) {
        buf_puts(out, " - ");
        put_nagios_text(out, r->text.data);
    }
    buf_putc(out, '\n');
}

// All alerts of one service in one result, the worst of them telling its state.
static void collect(const json_t *message, const char *service, bool is_fixed, struct result *ret)
{
    size_t i;
    json_t *a;
    ret->service = service;
    json_array_foreach(json_object_get(message, "alerts"), i, a)
    {
        const char *name = text_of(json_object_get(a, "labels"), "alertname");
        if (!is_fixed && strcmp(name, service) != 0)
            continue;
        ret->code = MAX_OF(ret->code, code_of(a));
        if (!is_firing(a) || ret->text.len > NAGIOS_TEXT_MAX)
            continue;
        buf_puts(&ret->text, ret->text.len ? ", " : "");
        put_alert_words(a, &ret->text);
    }
}

static bool came_before(const json_t *alerts, size_t i, const char *name)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(text_of(json_object_get(json_array_get(alerts, k), "labels"), "alertname"),
                   name) == 0)
            return true;
    return false;
}

int notify_form_nagios(const json_t *message, const struct conf_receiver *r, int64_t now_ms,
                       bool nsca, struct buf *out)
{
    const json_t *alerts = json_object_get(message, "alerts");
    const char *host = *r->nagios.host ? r->nagios.host : text_of(message, "host");
    bool is_fixed = *r->nagios.service != '\0';
    for (size_t i = 0; i < json_array_size(alerts); i++) {
        const json_t *labels = json_object_get(json_array_get(alerts, i), "labels");
        const char *service = is_fixed ? r->nagios.service : text_of(labels, "alertname");
        if (is_fixed ? i > 0 : came_before(alerts, i, service))
            continue;
        struct result result = {0};
        buf_init(&result.text, 64 * 1024);
        collect(message, service, is_fixed, &result);
        put_result(&result, r, host, now_ms, nsca, out);
        buf_done(&result.text);
    }
    return out->error;
}

// The journal: NAME=value lines; a value with a newline is given with its length.
static void put_field(struct buf *out, const char *name, const char *value)
{
    size_t n = strlen(value);
    if (!strchr(value, '\n')) {
        buf_printf(out, "%s=%s\n", name, value);
        return;
    }
    buf_printf(out, "%s\n", name);
    for (int i = 0; i < 8; i++)
        buf_putc(out, (char)((uint64_t)n >> (8 * i) & 0xff));
    buf_puts(out, value);
    buf_putc(out, '\n');
}

static void put_label_fields(struct buf *out, const json_t *labels)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)labels, name, value)
    {
        char field[65] = "VHERD_LABEL_";
        size_t n = strlen(field);
        for (const char *c = name; *c && n < sizeof(field) - 1; c++) {
            bool lower = *c >= 'a' && *c <= 'z';
            bool other = (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
            field[n++] = lower ? (char)(*c - 'a' + 'A') : other ? *c : '_';
        }
        field[n] = '\0';
        put_field(out, field, json_string_value(value));
    }
}

int notify_form_journal(const json_t *message, void (*each)(void *arg, const char *entry, size_t n),
                        void *arg)
{
    static const char *const priorities[] = {"6", "4", "2", "4"}; // info, warning, critical
    size_t i;
    json_t *a;
    json_array_foreach(json_object_get(message, "alerts"), i, a)
    {
        CLEANUP(buf_done) struct buf entry, words;
        buf_init(&entry, ENTRY_MAX);
        buf_init(&words, ENTRY_MAX);
        buf_puts(&words, is_firing(a) ? "FIRING " : "RESOLVED ");
        put_alert_words(a, &words);
        put_field(&entry, "MESSAGE", words.data);
        put_field(&entry, "PRIORITY", priorities[code_of(a)]);
        put_field(&entry, "SYSLOG_IDENTIFIER", "vherd");
        put_field(&entry, "VHERD_MESSAGE", text_of(message, "id"));
        put_field(&entry, "VHERD_STATUS", text_of(a, "status"));
        put_field(&entry, "VHERD_FINGERPRINT", text_of(a, "fingerprint"));
        put_label_fields(&entry, json_object_get(a, "labels"));
        if (entry.error)
            return entry.error;
        each(arg, entry.data, entry.len);
    }
    return 0;
}

void notify_sign(const char *key, int64_t now_s, const char *body, size_t len, struct buf *out)
{
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    char hex[2 * sizeof(mac) + 1], time_text[32];
    crypto_auth_hmacsha256_state state;
    int n = snprintf(time_text, sizeof(time_text), "%lld.", (long long)now_s);
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)key, strlen(key));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)time_text, (size_t)n);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)body, len);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_bin2hex(hex, sizeof(hex), mac, sizeof(mac));
    buf_printf(out, "t=%lld,v1=%s", (long long)now_s, hex);
}
