// SPDX-License-Identifier: GPL-3.0-or-later
// The canvas is a grid of dots: 2 by 4 a character in braille, 1 by 1 else. A character has the
// colour, or the mark, of the series that drew into it last.
#include "plot.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "axis.h"
#include "base/mem.h"
#include "base/width.h"

#define LEAST_WIDTH ((size_t)20)
#define LEAST_HEIGHT ((size_t)4)
#define MOST ((size_t)1000)
#define NOBODY UINT8_MAX

static const char marks[] = "*+xo#%@=";
static const char *const colors[] = {"36", "33", "32", "35", "34", "31", "37", "96"};

struct canvas {
    size_t cols, rows;         // characters
    size_t dot_cols, dot_rows; // dots of one character
    uint8_t *dots;             // of each character, a bit each
    uint8_t *owner;
    double left, right;
    struct axis axis;
};

// Seconds that the local zone is ahead of UTC.
static double zone_offset(double t)
{
    time_t seconds = (time_t)t;
    struct tm tm;
    return localtime_r(&seconds, &tm) ? (double)tm.tm_gmtoff : 0;
}

struct plot_ticks plot_time_ticks(double start, double end, size_t most)
{
    static const double steps[] = {1,      2,      5,       10,      15,      30,
                                   60,     120,    300,     600,     900,     1800,
                                   3600,   7200,   10800,   21600,   43200,   86400,
                                   172800, 604800, 1209600, 2592000, 7776000, 31536000};
    double rough = (end - start) / (double)most;
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(steps) && steps[i] < rough)
        i++;
    double step = steps[i], zone = zone_offset(start);
    double first = ceil((start + zone) / step) * step - zone;
    if (first > end)
        return (struct plot_ticks){start, step, 1};
    return (struct plot_ticks){first, step, (size_t)((end - first) / step) + 1};
}

static void range_of(const struct plot_series *series, size_t n, double *ret_low, double *ret_high)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < series[i].n; k++) {
            if (isfinite(series[i].v[k])) {
                low = fmin(low, series[i].v[k]);
                high = fmax(high, series[i].v[k]);
            }
        }
    }
    if (low > high)
        low = high = 0;
    // An axis that begins at zero shows proportions; one far from it would show nothing else.
    if (low > 0 && low < high * 0.6)
        low = 0;
    if (low == high) {
        double around = fabs(low) * 0.1;
        low = fmax(low - around, -DBL_MAX);
        high = low == 0 ? 1 : fmin(high + around, DBL_MAX);
    }
    *ret_low = low;
    *ret_high = high;
}

static void set_dot(struct canvas *c, long x, long y, uint8_t owner)
{
    static const uint8_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    if (x < 0 || y < 0)
        return;
    size_t col = (size_t)x / c->dot_cols, row = (size_t)y / c->dot_rows;
    if (col >= c->cols || row >= c->rows)
        return;
    size_t at = row * c->cols + col;
    c->dots[at] |= bits[(size_t)y % c->dot_rows][(size_t)x % c->dot_cols];
    c->owner[at] = owner;
}

static void join(struct canvas *c, long x0, long y0, long x1, long y1, uint8_t owner)
{
    long steps = MAX_OF(labs(x1 - x0), labs(y1 - y0));
    for (long i = 1; i <= steps; i++)
        set_dot(c, x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps, owner);
}

// `place` is 0 at the first dot and 1 at the last.
static long to_dot(double place, size_t dots)
{
    double dot = place * (double)(dots - 1);
    return !(dot >= -1) ? -1 : dot > (double)dots ? (long)dots : lround(dot);
}

static double time_place(const struct canvas *c, double t)
{
    return (t - c->left) / (c->right - c->left);
}

static void draw(struct canvas *c, const struct plot_series *s, double step, uint8_t owner)
{
    size_t height = c->rows * c->dot_rows;
    long last_x = 0, last_y = 0;
    double last_t = -INFINITY;
    for (size_t i = 0; i < s->n; i++) {
        if (!isfinite(s->v[i]))
            continue;
        long x = to_dot(time_place(c, s->t[i]), c->cols * c->dot_cols);
        long y = (long)height - 1 - to_dot(axis_place(&c->axis, s->v[i]), height);
        set_dot(c, x, y, owner);
        if (s->t[i] - last_t <= 2 * step)
            join(c, last_x, last_y, x, y, owner);
        last_t = s->t[i];
        last_x = x;
        last_y = y;
    }
}

static void put_braille(uint8_t dots, struct buf *out)
{
    // U+2800 and the dots as bits.
    char text[] = {(char)0xE2, (char)(0xA0 | dots >> 6), (char)(0x80 | (dots & 0x3F)), '\0'};
    buf_puts(out, text);
}

// *owner is whose colour the terminal has now; NOBODY: its own.
static void put_color(const struct plot_params *p, uint8_t wanted, uint8_t *owner, struct buf *out)
{
    if (!p->color || wanted == *owner)
        return;
    buf_printf(out, "\x1b[%sm", wanted == NOBODY ? "0" : colors[wanted]);
    *owner = wanted;
}

static void put_cells(const struct plot_params *p, const struct canvas *c, size_t row,
                      struct buf *out)
{
    uint8_t owner = NOBODY;
    size_t end = c->cols;
    while (end > 0 && c->owner[row * c->cols + end - 1] == NOBODY)
        end--;
    for (size_t col = 0; col < end; col++) {
        size_t at = row * c->cols + col;
        if (c->owner[at] == NOBODY) {
            buf_putc(out, ' ');
            continue;
        }
        put_color(p, c->owner[at], &owner, out);
        if (c->dot_cols == 2)
            put_braille(c->dots[at], out);
        else
            buf_putc(out, marks[c->owner[at]]);
    }
    put_color(p, NOBODY, &owner, out);
}

static char *label_of(const struct axis *axis, size_t i)
{
    struct buf text;
    buf_init(&text, 512);
    axis_label(axis, i, &text);
    return buf_take(&text, NULL);
}

static size_t label_width(const struct axis *axis)
{
    size_t most = 1;
    for (size_t i = 0; i < axis->n; i++) {
        CLEANUP(freep) char *label = label_of(axis, i);
        most = MAX_OF(most, width_text(label ? label : ""));
    }
    return most;
}

// The tick that falls into this row, -1 for none.
static long tick_in_row(const struct canvas *c, size_t row)
{
    for (size_t i = 0; i < c->axis.n; i++)
        if (to_dot(axis_place(&c->axis, axis_tick(&c->axis, i)), c->rows) ==
            (long)(c->rows - 1 - row))
            return (long)i;
    return -1;
}

static void put_rows(const struct plot_params *p, const struct canvas *c, size_t label_cols,
                     struct buf *out)
{
    for (size_t row = 0; row < c->rows; row++) {
        long tick = tick_in_row(c, row);
        CLEANUP(freep) char *label = tick < 0 ? NULL : label_of(&c->axis, (size_t)tick);
        width_put(out, label ? label : "", label_cols, WIDTH_RIGHT, "~");
        buf_puts(out, tick < 0 ? (p->utf8 ? " │" : " |") : (p->utf8 ? " ┤" : " +"));
        put_cells(p, c, row, out);
        buf_putc(out, '\n');
    }
}

static void format_tick(double t, const struct plot_ticks *ticks, double span, char *out,
                        size_t size)
{
    time_t seconds = (time_t)floor(t + 0.5);
    struct tm tm;
    size_t n = 0;
    if (!localtime_r(&seconds, &tm))
        n = 0;
    else if (ticks->step >= 86400)
        n = strftime(out, size, "%Y-%m-%d", &tm);
    else if (span > 20 * 3600)
        n = strftime(out, size, "%m-%d %H:%M", &tm);
    else if (ticks->step < 60)
        n = strftime(out, size, "%H:%M:%S", &tm);
    else
        n = strftime(out, size, "%H:%M", &tm);
    if (n == 0)
        out[0] = '\0';
}

static void put_time_axis(const struct plot_params *p, const struct canvas *c, size_t label_cols,
                          struct buf *out)
{
    struct plot_ticks ticks = plot_time_ticks(c->left, c->right, MAX_OF(c->cols / 13, (size_t)1));
    CLEANUP(freep) char *line = mem_zalloc(label_cols + 2 + c->cols + 1);
    CLEANUP(freep) bool *marked = mem_zalloc(c->cols);
    size_t width = label_cols + 2 + c->cols, used = 0;
    memset(line, ' ', width);
    for (size_t i = 0; i < ticks.n; i++) {
        double t = ticks.first + (double)i * ticks.step;
        char text[32];
        long col = to_dot(time_place(c, t), c->cols);
        if (col < 0 || col >= (long)c->cols)
            continue;
        marked[col] = true;
        format_tick(t, &ticks, c->right - c->left, text, sizeof(text));
        size_t len = strlen(text), center = label_cols + 2 + (size_t)col;
        size_t at = center > len / 2 ? center - len / 2 : 0;
        at = MIN_OF(at, width > len ? width - len : 0);
        if (len > width || (used > 0 && at < used + 1))
            continue;
        memcpy(line + at, text, len);
        used = at + len;
    }
    width_put(out, "", label_cols, WIDTH_LEFT, "~");
    buf_puts(out, p->utf8 ? " └" : " +");
    for (size_t i = 0; i < c->cols; i++)
        buf_puts(out, p->utf8 ? (marked[i] ? "┬" : "─") : (marked[i] ? "+" : "-"));
    buf_putc(out, '\n');
    buf_put(out, line, used);
    buf_putc(out, '\n');
}

static void put_legend(const struct plot_params *p, const struct canvas *c,
                       const struct plot_series *series, size_t n, size_t width, struct buf *out)
{
    for (size_t i = 0; i < MIN_OF(n, (size_t)PLOT_SERIES_MAX); i++) {
        size_t columns = MIN_OF(width_text(series[i].label), width - 4);
        buf_puts(out, "  ");
        if (p->color)
            buf_printf(out, "\x1b[%sm", colors[i]);
        if (c->dot_cols == 2)
            buf_puts(out, "━");
        else
            buf_putc(out, marks[i]);
        if (p->color)
            buf_puts(out, "\x1b[0m");
        buf_putc(out, ' ');
        width_put(out, series[i].label, columns, WIDTH_LEFT, p->utf8 ? "…" : "~");
        buf_putc(out, '\n');
    }
    if (n > PLOT_SERIES_MAX)
        buf_printf(out, "  and %zu series more\n", n - PLOT_SERIES_MAX);
}

void plot_put(const struct plot_params *p, const struct plot_series *series, size_t n,
              struct buf *out)
{
    size_t width = MIN_OF(MAX_OF(p->width, LEAST_WIDTH), MOST);
    size_t height = MIN_OF(MAX_OF(p->height, LEAST_HEIGHT), MOST);
    size_t drawn = MIN_OF(n, (size_t)PLOT_SERIES_MAX);
    // Without colours, dots of several series could not be told apart.
    bool braille = p->utf8 && (p->color || drawn <= 1);
    struct canvas c = {.dot_cols = braille ? 2 : 1, .dot_rows = braille ? 4 : 1};
    double low, high;
    range_of(series, drawn, &low, &high);
    c.rows = height - 2;
    axis_init(&c.axis, low, high, c.rows / 2, p->unit, p->utf8);
    c.left = p->start;
    c.right = p->end > p->start ? p->end : p->start + 1;
    size_t label_cols = MIN_OF(label_width(&c.axis), width - 12);
    c.cols = width - label_cols - 2;
    c.dots = mem_zalloc(c.rows * c.cols);
    c.owner = mem_zalloc(c.rows * c.cols);
    memset(c.owner, NOBODY, c.rows * c.cols);
    for (size_t i = 0; i < drawn; i++)
        draw(&c, &series[i], p->step, (uint8_t)i);
    put_rows(p, &c, label_cols, out);
    put_time_axis(p, &c, label_cols, out);
    if (n > 1)
        put_legend(p, &c, series, n, width, out);
    free(c.dots);
    free(c.owner);
}
