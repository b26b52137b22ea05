// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/esc.h"
#include "base/mem.h"

#define FFFD "\xEF\xBF\xBD"

typedef void encoder(struct buf *b, const char *s);

static void check(encoder *encode, const char *in, const char *expected)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 10000);
    encode(&b, in);
    buf_putc(&b, '|');
    assert_int_equal(b.error, 0);
    CLEANUP(freep) char *with_end = mem_printf("%s|", expected);
    assert_string_equal(b.data, with_end);
}

static void json_text(struct buf *b, const char *s)
{
    esc_json(b, s, strlen(s));
}

static void labels(void **state)
{
    check(esc_label, "", "");
    check(esc_label, "web-1", "web-1");
    check(esc_label, "a\\b\"c\nd", "a\\\\b\\\"c\\nd");
    check(esc_label, "Gerät 日本 🖥", "Gerät 日本 🖥");
    check(esc_label, "tab\tis kept\r", "tab\tis kept\r");
    check(esc_label, "\xff<\xc0\xaf>", FFFD "<" FFFD FFFD ">");
}

static void json(void **state)
{
    check(json_text, "a\"b\\c\nd\te\rf", "a\\\"b\\\\c\\nd\\te\\rf");
    check(json_text, "\x01\x1f\x7f", "\\u0001\\u001f\\u007f");
    check(json_text, "\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029");
    check(json_text, "</script>", "</script>");
    check(json_text, "\xed\xa0\x80", FFFD FFFD FFFD);
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 100);
    esc_json(&b, "a\0b", 3);
    assert_string_equal(b.data, "a\\u0000b");
}

static void roff(void **state)
{
    check(esc_roff, "", "");
    check(esc_roff, ".TH x\n'br\na.b 'c'", "\\&.TH x\n\\&'br\na.b 'c'");
    check(esc_roff, "--all \\fB `code` a…\n", "\\-\\-all \\efB code a...\n");
    check(esc_roff, "b\xc3\xbcro\xff", "b\xc3\xbcro" FFFD);
}

static void html(void **state)
{
    check(esc_html, "<script>alert('x')&\"</script>",
          "&lt;script&gt;alert(&#39;x&#39;)&amp;&quot;&lt;/script&gt;");
    check(esc_html, "&amp;", "&amp;amp;");
    check(esc_html, "\x1b\x7f\t\n", FFFD FFFD "\t\n");
    check(esc_html, "\xf5\x80", FFFD FFFD);
}

static void terminal(void **state)
{
    check(esc_terminal, "plain é 日", "plain é 日");
    check(esc_terminal, "\x1b[31m\r\n\t\x7f", "\\x1b[31m\\x0d\\x0a\\x09\\x7f");
    check(esc_terminal,
          "\xc2\x9b"
          "31m\xc2\xa0",
          "\\x9b31m\xc2\xa0");
    check(esc_terminal, "a\u202Eb\u2066c\u200Fd\uFEFFe\u061Cf",
          "a\\u{202e}b\\u{2066}c\\u{200f}d\\u{feff}e\\u{61c}f");
    check(esc_terminal, "\x9b\xff", FFFD FFFD);
}

static void terminal_copy_has_room_for_the_worst(void **state)
{
    static const char *const worst[] = {"\x1b", "\xff", "\u202e", "\xc2\x80", ""};
    for (size_t w = 0; w < ARRAY_LEN(worst); w++) {
        CLEANUP(buf_done) struct buf in;
        buf_init(&in, 100000);
        for (int i = 0; i < 255; i++)
            buf_puts(&in, worst[w]);
        CLEANUP(freep) char *text = esc_terminal_dup(in.data ? in.data : "");
        assert_non_null(text);
        assert_true(strlen(text) >= in.len);
    }
}

static void url(void **state)
{
    check(esc_url, "web-1._~Z9", "web-1._~Z9");
    check(esc_url, "a/b c?d#e%f", "a%2Fb%20c%3Fd%23e%25f");
    check(esc_url, "é\x01\xff", "%C3%A9%01%FF");
    check(esc_url, "..", "..");
}

static void check_decode(const char *in, const char *expected)
{
    CLEANUP(freep) char *s = mem_strdup(in);
    long n = esc_url_decode(s, strlen(s));
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(s, expected, strlen(expected));
}

static void refuse_decode(const char *in)
{
    size_t len = strlen(in);
    char *s = malloc(len + 1);
    memcpy(s, in, len);
    assert_int_equal(esc_url_decode(s, len), -EINVAL);
    free(s);
}

static void url_decode(void **state)
{
    check_decode("", "");
    check_decode("%41", "A");
    check_decode("a%2fb%2Fc", "a/b/c");
    check_decode("%25%32%35", "%25");
    check_decode("+", "+");
    refuse_decode("%");
    refuse_decode("%4");
    refuse_decode("abc%");
    refuse_decode("%g0");
    refuse_decode("%0g");
    refuse_decode("%00");
    refuse_decode("a%00b");
    refuse_decode("%%41");
}

static void url_round_trip_of_all_bytes(void **state)
{
    char all[256];
    for (int i = 1; i < 256; i++)
        all[i - 1] = (char)i;
    all[255] = '\0';
    struct buf b;
    buf_init(&b, 1000);
    esc_url(&b, all);
    assert_int_equal(esc_url_decode(b.data, b.len), 255);
    assert_memory_equal(b.data, all, 255);
    buf_done(&b);
}

static size_t encode_utf8(unsigned cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3F));
    out[0] = (char)((0xF00 >> n & 0xFF) | cp);
    return n;
}

static void every_code_point_is_read(void **state)
{
    for (unsigned cp = 0; cp <= 0x10FFFF; cp++) {
        char text[4];
        size_t n = encode_utf8(cp, text);
        bool surrogate = cp >= 0xD800 && cp <= 0xDFFF;
        unsigned seen = 0;
        assert_int_equal(esc_utf8_next(text, n, &seen), surrogate ? 0 : n);
        if (!surrogate)
            assert_int_equal(seen, cp);
        if (n > 1)
            assert_int_equal(esc_utf8_next(text, n - 1, &seen), 0);
    }
}

static void what_is_not_utf8_is_refused(void **state)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",
        "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80",
        "\xfe",
        "\xff",
        "\xc3(",
        "\xe2\x82(",
        "\xf0\x9f\x96(",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(esc_utf8_next(bad[i], strlen(bad[i]), NULL), 0);
    assert_int_equal(esc_utf8_next("a", 0, NULL), 0);
}

// Random bytes through every encoder give valid UTF-8 without what the sink cannot bear.
static void random_bytes_are_safe_everywhere(void **state)
{
    static const struct {
        encoder *encode;
        const char *forbidden;
    } sinks[] = {
        {esc_label, "\n"},
        {json_text, "\n\r\t\x01\x1b\x7f"},
        {esc_html, "<>\"'\x1b"},
        {esc_terminal, "\n\r\t\x01\x1b\x7f"},
    };
    srand(11);
    for (int round = 0; round < 4000; round++) {
        char in[64];
        size_t len = (size_t)rand() % sizeof(in);
        for (size_t i = 0; i < len; i++)
            in[i] = (char)(rand() % 4 ? 1 + rand() % 255 : 0xC0 + rand() % 0x40);
        in[len ? len - 1 : 0] = '\0';
        for (size_t s = 0; s < ARRAY_LEN(sinks); s++) {
            CLEANUP(buf_done) struct buf b;
            buf_init(&b, 1000);
            sinks[s].encode(&b, in);
            assert_int_equal(b.error, 0);
            for (size_t at = 0; at < b.len;) {
                unsigned cp = 0;
                size_t n = esc_utf8_next(b.data + at, b.len - at, &cp);
                assert_true(n > 0);
                assert_true(cp >= 0x80 || !strchr(sinks[s].forbidden, (int)cp));
                at += n;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels),
        cmocka_unit_test(json),
        cmocka_unit_test(html),
        cmocka_unit_test(roff),
        cmocka_unit_test(terminal),
        cmocka_unit_test(terminal_copy_has_room_for_the_worst),
        cmocka_unit_test(url),
        cmocka_unit_test(url_decode),
        cmocka_unit_test(url_round_trip_of_all_bytes),
        cmocka_unit_test(every_code_point_is_read),
        cmocka_unit_test(what_is_not_utf8_is_refused),
        cmocka_unit_test(random_bytes_are_safe_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
