// SPDX-License-Identifier: GPL-3.0-or-later
// Reads an exposition line by line; a line is read once, from left to right, each step taking at
// least one byte. Texts of the present line lie in `text`, found by offsets until it is complete.
#include "net/expo.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/esc.h"
#include "base/mem.h"
#include "expo_private.h"

#define EXEMPLAR_CHARS_MAX 128
#define NUMBER_TEXT_MAX 4096
// Milliseconds that a double holds exactly.
#define TIME_MAX_MS 9007199254740992.0

const char expo_accept[] = "application/openmetrics-text;version=1.0.0;q=0.6,"
                           "application/openmetrics-text;version=0.0.1;q=0.5,"
                           "text/plain;version=0.0.4;q=0.4,*/*;q=0.2";

static const char *const type_names[EXPO_TYPE_MAX] = {
    "unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset",
};

struct piece {
    size_t name, value; // in `text`
};

struct parser {
    const char *at, *end; // the rest of the line
    const char *line_start;
    int line;
    bool open_metrics; // its syntax
    bool strict;       // and its rules
    const struct expo_events *events;
    void *arg;
    struct err *err;
    locale_t locale;

    struct buf text;
    struct piece piece[LABELS_MAX];
    struct label label[LABELS_MAX];
    size_t n;
    struct buf word; // a name, a HELP text
    struct expo_checks checks;
    bool eof; // "# EOF" was read
};

const char *expo_type_name(enum expo_type type)
{
    return type_names[type];
}

enum expo_format expo_format_of(const char *content_type)
{
    static const char open_metrics[] = "application/openmetrics-text";
    const char *t = content_type ? content_type + strspn(content_type, " \t") : "";
    size_t n = strcspn(t, "; \t,");
    return n == sizeof(open_metrics) - 1 && strncasecmp(t, open_metrics, n) == 0
               ? EXPO_OPENMETRICS_LOOSE
               : EXPO_TEXT;
}

static int wrong_at(struct parser *p, const char *at, int code, const char *what)
{
    int column = (int)(at - p->line_start) + 1;
    return err_set_at(p->err, code, p->line, column, "line %d, column %d: %s", p->line, column,
                      what);
}

static int wrong(struct parser *p, const char *what)
{
    return wrong_at(p, p->at, EINVAL, what);
}

// Blanks: free in text; exactly one in OpenMetrics, and only where it says so.

static void skip_blanks(struct parser *p)
{
    while (!p->open_metrics && p->at < p->end && (*p->at == ' ' || *p->at == '\t'))
        p->at++;
}

static bool at_end(const struct parser *p)
{
    return p->at == p->end;
}

static bool take(struct parser *p, char wanted)
{
    if (at_end(p) || *p->at != wanted)
        return false;
    p->at++;
    return true;
}

// At least one blank (exactly one in OpenMetrics).
static bool take_gap(struct parser *p)
{
    if (p->open_metrics)
        return take(p, ' ');
    const char *from = p->at;
    skip_blanks(p);
    return p->at > from;
}

// Names

static bool is_name_byte(char c, bool first, bool colon)
{
    return isalpha((unsigned char)c) || c == '_' || (colon && c == ':') ||
           (!first && isdigit((unsigned char)c));
}

static int put_plain_name(struct parser *p, bool colon, struct buf *out)
{
    const char *from = p->at;
    while (!at_end(p) && is_name_byte(*p->at, p->at == from, colon))
        p->at++;
    if (p->at == from)
        return wrong(p, at_end(p) ? "a name is missing" : "a name cannot begin like this");
    buf_put(out, from, (size_t)(p->at - from));
    return 0;
}

// The inside of quotes, unescaped. Unknown escapes stay as they are.
static int put_quoted(struct parser *p, struct buf *out, size_t *ret_chars)
{
    size_t chars = 0;
    const char *from = p->at;
    if (!take(p, '"'))
        return wrong(p, "a quote \" is missing");
    while (!at_end(p) && *p->at != '"') {
        size_t n = esc_utf8_next(p->at, (size_t)(p->end - p->at), NULL);
        if (n == 0 || !*p->at)
            return wrong(p, "this byte is not UTF-8 text");
        chars++;
        if (*p->at == '\\' && p->at + 1 < p->end && strchr("n\"\\", p->at[1]) && p->at[1]) {
            buf_putc(out, p->at[1] == 'n' ? '\n' : p->at[1]);
            p->at += 2;
        } else {
            buf_put(out, p->at, n);
            p->at += n;
        }
    }
    if (!take(p, '"'))
        return wrong_at(p, from, EINVAL, "this quote is not closed");
    if (ret_chars)
        *ret_chars += chars;
    return 0;
}

// Labels

static int new_piece(struct parser *p)
{
    if (p->n == LABELS_MAX)
        return wrong_at(p, p->at, E2BIG, "too many labels");
    p->piece[p->n].name = p->text.len;
    return 0;
}

static void end_text(struct parser *p)
{
    buf_putc(&p->text, '\0');
}

// `__name__` with the metric's name, which is always the first.
static void begin_sample(struct parser *p)
{
    buf_reset(&p->text);
    buf_puts(&p->text, LABEL_METRIC_NAME);
    end_text(p);
    p->piece[0] = (struct piece){.value = p->text.len};
    p->n = 1;
}

static int read_label_value(struct parser *p)
{
    skip_blanks(p);
    if (!take(p, '='))
        return wrong(p, "= is missing after a label's name");
    skip_blanks(p);
    p->piece[p->n].value = p->text.len;
    int r = put_quoted(p, &p->text, NULL);
    end_text(p);
    p->n++;
    return r;
}

// One entry between the braces: a label, or the metric's name in quotes.
static int read_entry(struct parser *p, bool *named)
{
    int r = new_piece(p);
    if (r < 0)
        return r;
    bool quoted = !at_end(p) && *p->at == '"';
    const char *from = p->at;
    r = quoted ? put_quoted(p, &p->text, NULL) : put_plain_name(p, false, &p->text);
    if (r < 0)
        return r;
    end_text(p);
    const char *name = p->text.data + p->piece[p->n].name;
    if (!*name)
        return wrong_at(p, from, EINVAL, "a name must not be empty");
    skip_blanks(p);
    if (quoted && !at_end(p) && *p->at != '=') {
        if (*named)
            return wrong_at(p, from, EINVAL, "a second name of the metric");
        *named = true;
        p->piece[0].value = p->piece[p->n].name;
        return 0;
    }
    return read_label_value(p);
}

static int read_labels(struct parser *p, bool *named)
{
    skip_blanks(p);
    while (!take(p, '}')) {
        if (at_end(p))
            return wrong(p, "the labels' } is missing");
        int r = read_entry(p, named);
        if (r < 0)
            return r;
        skip_blanks(p);
        bool comma = take(p, ',');
        skip_blanks(p);
        if (!comma && (at_end(p) || *p->at != '}'))
            return wrong(p, "a comma or } is missing after a label");
        if (comma && p->open_metrics && !at_end(p) && *p->at == '}')
            return wrong(p, "a comma before }");
    }
    return 0;
}

// Texts are complete: offsets become pointers.
static int settle_labels(struct parser *p)
{
    if (p->text.error)
        return wrong_at(p, p->line_start, -p->text.error, "the labels are too long");
    for (size_t i = 0; i < p->n; i++) {
        p->label[i] =
            (struct label){p->text.data + p->piece[i].name, p->text.data + p->piece[i].value};
        for (size_t k = 0; k < i; k++)
            if (strcmp(p->label[i].name, p->label[k].name) == 0)
                return wrong_at(p, p->line_start, EINVAL, "a label is given twice");
    }
    return 0;
}

static int read_series(struct parser *p)
{
    bool named = false;
    int r = 0;
    begin_sample(p);
    if (at_end(p) || *p->at != '{') {
        r = put_plain_name(p, true, &p->text);
        named = true;
    }
    end_text(p);
    if (r < 0)
        return r;
    skip_blanks(p);
    if (take(p, '{'))
        r = read_labels(p, &named);
    if (r == 0 && !named)
        return wrong_at(p, p->line_start, EINVAL, "a sample without a metric's name");
    return r < 0 ? r : settle_labels(p);
}

// Numbers

static size_t skip_digits(const char *s)
{
    return strspn(s, "0123456789");
}

// [sign] digits [. digits] [e [sign] digits], with a digit before or behind the point.
static bool is_real(const char *s)
{
    s += *s == '+' || *s == '-';
    size_t whole = skip_digits(s), part = 0;
    s += whole;
    if (*s == '.') {
        part = skip_digits(++s);
        s += part;
    }
    if (whole + part == 0)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '+' || *s == '-';
        size_t n = skip_digits(s);
        if (n == 0)
            return false;
        s += n;
    }
    return !*s;
}

static bool is_special(const char *s)
{
    bool sign = *s == '+' || *s == '-';
    return strcasecmp(s + sign, "inf") == 0 || strcasecmp(s + sign, "infinity") == 0 ||
           strcasecmp(s, "nan") == 0;
}

static bool read_word(struct parser *p)
{
    const char *from = p->at;
    while (!at_end(p) && *p->at != ' ' && *p->at != '\t')
        p->at++;
    buf_reset(&p->word);
    buf_put(&p->word, from, (size_t)(p->at - from));
    return p->word.len > 0 && p->word.len < NUMBER_TEXT_MAX && !p->word.error &&
           strlen(p->word.data) == p->word.len;
}

static int read_number(struct parser *p, bool special, const char *what, double *ret)
{
    const char *from = p->at;
    if (!read_word(p) || (!is_real(p->word.data) && !(special && is_special(p->word.data))))
        return wrong_at(p, from, EINVAL, what);
    *ret = strtod_l(p->word.data, NULL, p->locale);
    return 0;
}

static int read_time(struct parser *p, struct expo_sample *s, double *ret_seconds)
{
    const char *from = p->at;
    double v = 0;
    int r = read_number(p, false, "this is no timestamp", &v);
    if (r < 0)
        return r;
    if (!p->open_metrics && strpbrk(p->word.data, ".eE"))
        return wrong_at(p, from, EINVAL, "a timestamp is whole milliseconds");
    double ms = p->open_metrics ? v * 1000 : v;
    if (!(fabs(ms) <= TIME_MAX_MS))
        return wrong_at(p, from, EINVAL, "this timestamp is out of range");
    *ret_seconds = v;
    s->has_time = true;
    s->t_ms = llround(ms);
    return 0;
}

// Behind " # ": labels, a value, perhaps a time; all of it is checked and dropped.
static int read_exemplar(struct parser *p)
{
    struct expo_sample unused = {0};
    double v = 0;
    size_t chars = 0;
    if (!take(p, ' ') || !take(p, '{'))
        return wrong(p, "an exemplar begins with a blank and {");
    while (!take(p, '}')) {
        buf_reset(&p->word);
        int r = put_plain_name(p, false, &p->word);
        chars += p->word.len;
        if (r == 0 && !take(p, '='))
            r = wrong(p, "= is missing after a label's name");
        if (r == 0)
            r = put_quoted(p, &p->word, &chars);
        if (r < 0)
            return r;
        bool comma = take(p, ',');
        if (at_end(p) || comma == (*p->at == '}'))
            return wrong(p, "a comma or } is missing after a label");
    }
    if (chars > EXEMPLAR_CHARS_MAX)
        return wrong(p, "an exemplar's labels have at most 128 characters");
    if (!take(p, ' '))
        return wrong(p, "a blank is missing before the exemplar's value");
    int r = read_number(p, true, "this is no value of an exemplar", &v);
    if (r == 0 && take(p, ' '))
        r = read_time(p, &unused, &v);
    return r;
}

// Families

static int tell_family(struct parser *p)
{
    struct expo_family_state *f = &p->checks.family;
    bool any = f->has_type || f->has_help || f->has_unit;
    if (f->name.len == 0 || !any || f->told)
        return 0;
    f->told = true;
    if (f->name.error || f->help.error || f->unit.error)
        return wrong_at(p, p->line_start, E2BIG, "metadata are too long");
    struct expo_family family = {.name = f->name.data,
                                 .type = f->type,
                                 .help = f->help.len ? f->help.data : "",
                                 .unit = f->unit.len ? f->unit.data : ""};
    return p->events->family ? p->events->family(p->arg, &family) : 0;
}

static int end_family(struct parser *p)
{
    const char *what = p->strict ? expo_check_family(&p->checks) : NULL;
    if (what)
        return wrong_at(p, p->line_start, EINVAL, what);
    return tell_family(p);
}

static int change_family(struct parser *p, const char *name)
{
    int r = end_family(p);
    if (r == 0)
        expo_family_begin(&p->checks.family, name);
    return r;
}

static int enter_family(struct parser *p, const struct expo_sample *s, double seconds,
                        bool exemplar)
{
    struct expo_family_state *f = &p->checks.family;
    if (!expo_family_has(f, s->label[0].value)) {
        int r = change_family(p, s->label[0].value);
        if (r < 0)
            return r;
    }
    int r = tell_family(p);
    if (r < 0)
        return r;
    f->samples = true;
    const char *what = p->strict ? expo_check_sample(f, s, seconds, exemplar) : NULL;
    return what ? wrong_at(p, p->line_start, EINVAL, what) : 0;
}

static int read_tail(struct parser *p, struct expo_sample *s)
{
    double seconds = 0;
    bool exemplar = false;
    int r = 0;
    if (!at_end(p) && !take_gap(p))
        return wrong(p, "a blank is missing");
    if (!at_end(p) && !(p->open_metrics && *p->at == '#')) {
        r = read_time(p, s, &seconds);
        if (r < 0)
            return r;
        if (p->open_metrics && !at_end(p) && !take(p, ' '))
            return wrong(p, "a blank is missing");
        if (p->open_metrics && at_end(p) && p->at[-1] == ' ')
            return wrong(p, "a blank at the end of the line");
    }
    if (p->open_metrics && take(p, '#')) {
        exemplar = true;
        r = read_exemplar(p);
    }
    skip_blanks(p);
    if (r == 0 && !at_end(p))
        return wrong(p, "something follows the sample");
    if (r == 0 && p->open_metrics)
        r = enter_family(p, s, seconds, exemplar);
    else if (r == 0)
        r = tell_family(p);
    return r;
}

static int read_sample(struct parser *p)
{
    struct expo_sample s = {.line = p->line};
    int r = read_series(p);
    if (r < 0)
        return r;
    // Text needs no blank behind a brace, and lets one stand before it.
    if (!take_gap(p) && (p->open_metrics || !strchr("} \t", p->at[-1])))
        return wrong(p, "a blank is missing before the value");
    r = read_number(p, true, "this is no value", &s.v);
    if (r < 0)
        return r;
    if (p->open_metrics && !at_end(p) && p->at + 1 == p->end)
        return wrong(p, "a blank at the end of the line");
    s.label = p->label;
    s.n = p->n;
    r = read_tail(p, &s);
    return r < 0 ? r : p->events->sample(p->arg, &s);
}

// Lines that begin with #

static int set_type(struct parser *p, struct expo_family_state *f)
{
    if (p->strict && f->has_type)
        return wrong(p, "a second TYPE of this family");
    const char *name = p->word.len ? p->word.data : "";
    if (!p->open_metrics && strcmp(name, "untyped") == 0)
        name = type_names[EXPO_UNKNOWN];
    for (int i = 0; i < EXPO_TYPE_MAX; i++)
        if (strcmp(type_names[i], name) == 0) {
            f->type = (enum expo_type)i;
            f->has_type = true;
            f->told = false;
            return 0;
        }
    return wrong(p, "no such type");
}

// HELP: \\ and \n (and, in OpenMetrics, \") are undone.
static int set_help(struct parser *p, struct expo_family_state *f)
{
    if (p->strict && f->has_help)
        return wrong(p, "a second HELP of this family");
    f->has_help = true;
    f->told = false;
    buf_reset(&f->help);
    const char *s = p->word.len ? p->word.data : "", *end = s + p->word.len;
    while (s < end) {
        size_t n = esc_utf8_next(s, (size_t)(end - s), NULL);
        if (n == 0 || !*s)
            return wrong(p, "HELP is not UTF-8 text");
        bool escape = *s == '\\' && s + 1 < end &&
                      (s[1] == 'n' || s[1] == '\\' || (p->open_metrics && s[1] == '"'));
        if (escape)
            buf_putc(&f->help, s[1] == 'n' ? '\n' : s[1]);
        else
            buf_put(&f->help, s, n);
        s += escape ? 2 : n;
    }
    return 0;
}

static int set_unit(struct parser *p, struct expo_family_state *f)
{
    if (p->strict && f->has_unit)
        return wrong(p, "a second UNIT of this family");
    f->has_unit = true;
    f->told = false;
    buf_reset(&f->unit);
    for (size_t i = 0; i < p->word.len; i++)
        if (!is_name_byte(p->word.data[i], false, true))
            return wrong(p, "this is no unit");
    buf_put(&f->unit, p->word.data, p->word.len);
    return 0;
}

static const struct {
    const char *word;
    int (*set)(struct parser *p, struct expo_family_state *f);
    bool open_metrics_only;
} descriptors[] = {{"HELP", set_help, false}, {"TYPE", set_type, false}, {"UNIT", set_unit, true}};

static int read_family_name(struct parser *p, struct buf *out)
{
    buf_reset(out);
    bool quoted = !at_end(p) && *p->at == '"';
    int r = quoted ? put_quoted(p, out, NULL) : put_plain_name(p, true, out);
    if (r == 0 && out->len == 0)
        return wrong(p, "a name must not be empty");
    return r < 0 || !out->error ? r : wrong_at(p, p->line_start, E2BIG, "the name is too long");
}

static int read_descriptor(struct parser *p, size_t which)
{
    struct expo_family_state *f = &p->checks.family;
    int r = read_family_name(p, &p->word);
    if (r < 0)
        return r;
    if (f->name.len == 0 || strcmp(f->name.data, p->word.data) != 0)
        r = change_family(p, p->word.data);
    else if (p->strict && f->samples)
        return wrong_at(p, p->line_start, EINVAL, "metadata after samples of the family");
    if (r < 0)
        return r;
    if (!take_gap(p) && (p->open_metrics || !at_end(p)))
        return wrong(p, "a blank is missing after the name");
    const char *end = p->end;
    if (!p->open_metrics && descriptors[which].set == set_type)
        while (end > p->at && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
    buf_reset(&p->word);
    buf_put(&p->word, p->at, (size_t)(end - p->at));
    if (p->word.error)
        return wrong_at(p, p->line_start, E2BIG, "metadata are too long");
    return descriptors[which].set(p, f);
}

static int read_comment(struct parser *p)
{
    if (p->open_metrics && p->end - p->line_start == 5 && memcmp(p->line_start, "# EOF", 5) == 0) {
        p->eof = true;
        return end_family(p);
    }
    p->at++;
    bool gap = take_gap(p);
    for (size_t i = 0; gap && i < ARRAY_LEN(descriptors); i++) {
        size_t n = strlen(descriptors[i].word);
        if ((size_t)(p->end - p->at) <= n || memcmp(p->at, descriptors[i].word, n) != 0 ||
            (descriptors[i].open_metrics_only && !p->open_metrics))
            continue;
        const char *before = p->at;
        p->at += n;
        if (take_gap(p))
            return read_descriptor(p, i);
        p->at = before;
    }
    return p->open_metrics ? wrong_at(p, p->line_start, EINVAL,
                                      "neither HELP, TYPE, UNIT nor EOF; there are no comments")
                           : 0;
}

static int read_line(struct parser *p)
{
    if (p->eof)
        return wrong(p, "something follows # EOF");
    if (p->end - p->at > (ptrdiff_t)EXPO_LINE_MAX)
        return wrong_at(p, p->at, E2BIG, "a line of more than 1 MiB");
    skip_blanks(p);
    if (at_end(p))
        return p->open_metrics ? wrong(p, "an empty line") : 0;
    return *p->at == '#' ? read_comment(p) : read_sample(p);
}

static int read_lines(struct parser *p, const char *text, size_t len)
{
    const char *end = text + len;
    int r = 0;
    while (r == 0 && text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        p->line_start = p->at = text;
        p->end = newline ? newline : end;
        p->line++;
        r = read_line(p);
        text = newline ? newline + 1 : end;
    }
    p->line_start = p->at = p->end = end;
    p->line++;
    if (r == 0 && p->open_metrics && !p->eof)
        return wrong(p, "the end, # EOF, is missing");
    return r < 0 || p->open_metrics ? r : end_family(p);
}

int expo_parse(const char *text, size_t len, enum expo_format format,
               const struct expo_events *events, void *arg, struct err *err)
{
    static locale_t c_locale; // one per process, never freed
    if (!c_locale)
        c_locale = newlocale(LC_ALL_MASK, "C", NULL);
    struct parser *p = mem_zalloc(sizeof(*p));
    struct expo_family_state *f = &p->checks.family;
    struct buf *bufs[] = {&p->text, &p->word, &f->name, &f->help, &f->unit, &f->group, &f->key};
    p->open_metrics = format != EXPO_TEXT;
    p->strict = format == EXPO_OPENMETRICS;
    p->events = events;
    p->arg = arg;
    p->err = err;
    p->locale = c_locale;
    p->checks.names = map_new();
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        buf_init(bufs[i], 2 * EXPO_LINE_MAX);
    int r = read_lines(p, text, len);
    expo_family_done(f);
    map_free(p->checks.names);
    buf_done(&p->text);
    buf_done(&p->word);
    free(p);
    return r;
}
