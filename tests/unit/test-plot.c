// SPDX-License-Identifier: GPL-3.0-or-later
#include "axis.h"
#include "plot.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/width.h"

#define POINTS 41

static void check_ticks(struct plot_ticks t, double first, double step, size_t n)
{
    assert_true(fabs(t.first - first) < 1e-9 * fmax(1, fabs(first)));
    assert_true(fabs(t.step - step) < 1e-9 * step);
    assert_int_equal(t.n, n);
}

static void check_axis(double low, double high, enum unit unit, const char *labels)
{
    struct axis a;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    axis_init(&a, low, high, AXIS_TICKS_MAX, unit, true);
    for (size_t i = 0; i < a.n; i++) {
        if (i > 0)
            buf_puts(&out, ", ");
        axis_label(&a, i, &out);
    }
    if (strcmp(out.data, labels) != 0)
        fail_msg("[%g, %g]: %s", low, high, out.data);
}

static void ticks_are_round(void **state)
{
    check_axis(0, 10, UNIT_NONE, "0, 2, 4, 6, 8, 10");
    check_axis(0, 14, UNIT_NONE, "0, 2.5, 5.0, 7.5, 10.0, 12.5, 15.0");
    check_axis(0.3, 0.97, UNIT_NONE, "0.2, 0.4, 0.6, 0.8, 1.0");
    check_axis(-7, 13, UNIT_NONE, "-10, -5, 0, 5, 10, 15");
    check_axis(100.02, 100.05, UNIT_NONE,
               "100.020, 100.025, 100.030, 100.035, 100.040, 100.045, 100.050");
    check_axis(0, 3e9, UNIT_BYTES, "0 GiB, 0.5 GiB, 1.0 GiB, 1.5 GiB, 2.0 GiB, 2.5 GiB, 3.0 GiB");
    check_axis(0, 100, UNIT_BYTES, "0 B, 32 B, 64 B, 96 B, 128 B");
    check_axis(0, 0.7, UNIT_BYTES_PER_SECOND, "0 B/s, 0.2 B/s, 0.4 B/s, 0.6 B/s, 0.8 B/s");
    check_axis(0, 700e6, UNIT_BYTES, "0 MiB, 128 MiB, 256 MiB, 384 MiB, 512 MiB, 640 MiB, 768 MiB");
    check_axis(0x1p33, 0x1p33 + 700000, UNIT_BYTES,
               "8192.000 MiB, 8192.125 MiB, 8192.250 MiB, 8192.375 MiB, 8192.500 MiB, 8192.625 "
               "MiB, 8192.750 MiB");
    check_axis(0, 0.0012, UNIT_SECONDS, "0 ms, 0.2 ms, 0.4 ms, 0.6 ms, 0.8 ms, 1.0 ms, 1.2 ms");
    check_axis(0, 5400, UNIT_SECONDS, "0 h, 0.25 h, 0.50 h, 0.75 h, 1.00 h, 1.25 h, 1.50 h");
    check_axis(0.113, 0.118, UNIT_RATIO, "11.3%, 11.4%, 11.5%, 11.6%, 11.7%, 11.8%");
    check_axis(0, 12345, UNIT_PER_SECOND, "0/s, 2.5k/s, 5.0k/s, 7.5k/s, 10.0k/s, 12.5k/s");
    check_axis(0, 1.2e-5, UNIT_NONE, "0, 0.2e-5, 0.4e-5, 0.6e-5, 0.8e-5, 1.0e-5, 1.2e-5");
    check_axis(0, 6e24, UNIT_NONE, "0, 1e24, 2e24, 3e24, 4e24, 5e24, 6e24");
    check_axis(-1e308, 1e308, UNIT_NONE, "-1.0e308, -0.5e308, 0, 0.5e308, 1.0e308");
}

// Of any range in any unit: enough of them, told apart, with the range between.
static void ticks_are_few_and_distinct(void **state)
{
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 40000; i++) {
        double part[3];
        for (size_t k = 0; k < 3; k++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            part[k] = (double)(random >> 11) * 0x1p-53;
        }
        double size = pow(10, part[0] * 30 - 12), low = size * (part[1] - 0.5) * (i % 3);
        double high = low + size * pow(10, -part[2] * 4);
        struct axis a;
        CLEANUP(freep) char *before = NULL;
        axis_init(&a, low, high, AXIS_TICKS_MAX, (enum unit)(i % UNIT_MAX), true);
        if (a.n < 4 || a.n > 7 || a.low > low + 1e-8 * a.step || a.high < high - 1e-8 * a.step)
            fail_msg("[%g, %g]: %zu ticks, %g to %g", low, high, a.n, a.low, a.high);
        for (size_t k = 0; k < a.n; k++) {
            struct buf out;
            buf_init(&out, 1000);
            axis_label(&a, k, &out);
            if (before && strcmp(before, out.data) == 0)
                fail_msg("[%g, %g]: %s twice", low, high, before);
            free(before);
            before = buf_take(&out, NULL);
        }
    }
}

static void ticks_of_time_fall_on_the_clock(void **state)
{
    check_ticks(plot_time_ticks(1700000007, 1700000607, 5), 1700000040, 120, 5);
    check_ticks(plot_time_ticks(1700000000, 1700000003, 5), 1700000000, 1, 4);
    struct plot_ticks days = plot_time_ticks(1700000000, 1700000000 + 30 * 86400, 6);
    assert_true(fmod(days.first, 86400) == 0);
}

struct sample {
    double t[POINTS], v[POINTS];
};

static void ramp(struct sample *s, double low, double high)
{
    for (int i = 0; i < POINTS; i++) {
        s->t[i] = 1700000000 + 15.0 * i;
        s->v[i] = low + (high - low) * i / (POINTS - 1);
    }
}

static struct plot_params params(bool utf8, bool color)
{
    return (struct plot_params){.width = 80,
                                .height = 20,
                                .utf8 = utf8,
                                .color = color,
                                .unit = UNIT_BYTES,
                                .start = 1700000000,
                                .end = 1700000600,
                                .step = 15};
}

// Every line fits; *ret_lines of them.
static void check_fits(char *text, size_t width, size_t *ret_lines)
{
    *ret_lines = 0;
    for (char *line = text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        if (width_text(line) > width)
            fail_msg("%zu columns: %s", width_text(line), line);
        *end = '\n';
        ++*ret_lines;
    }
}

static void a_curve_has_axes_with_units_and_times(void **state)
{
    struct sample s;
    size_t lines;
    ramp(&s, 0, 4.0 * (1 << 30));
    struct plot_series series = {"a", POINTS, s.t, s.v};
    struct plot_params p = params(true, false);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    plot_put(&p, &series, 1, &out);
    check_fits(out.data, 80, &lines);
    assert_int_equal(lines, 20);
    assert_non_null(strstr(out.data, "4 GiB ┤"));
    assert_non_null(strstr(out.data, "0 GiB ┤"));
    assert_non_null(strstr(out.data, "22:16"));
    assert_null(strchr(out.data, '\x1b'));
    assert_null(strstr(out.data, "  a\n")); // no legend of one
}

// The character at a column of a line that is ASCII.
static char at(const char *text, size_t line, size_t column)
{
    while (line-- > 0)
        text = strchr(text, '\n') + 1;
    return strcspn(text, "\n") > column ? text[column] : ' ';
}

static void without_colours_each_series_has_a_mark(void **state)
{
    struct sample up, down;
    size_t lines;
    ramp(&up, 0, 100);
    ramp(&down, 100, 0);
    struct plot_series series[] = {{"up", POINTS, up.t, up.v}, {"down", POINTS, down.t, down.v}};
    struct plot_params p = params(false, false);
    p.unit = UNIT_NONE;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    plot_put(&p, series, 2, &out);
    check_fits(out.data, 80, &lines);
    assert_int_equal(lines, 22);
    for (const char *c = out.data; *c; c++)
        assert_true((unsigned char)*c < 0x80);
    // Corners: the first series rises from the lower left, the second falls from the upper left.
    size_t left = strcspn(out.data, "+") + 1;
    assert_int_equal(at(out.data, 17, left), '*');
    assert_int_equal(at(out.data, 0, left), '+');
    assert_int_equal(at(out.data, 0, 79), '*');
    assert_int_equal(at(out.data, 17, 79), '+');
    assert_non_null(strstr(out.data, "* up\n"));
    assert_non_null(strstr(out.data, "+ down\n"));
}

static void gaps_stay_gaps(void **state)
{
    struct sample s;
    ramp(&s, 5, 5);
    for (int i = 10; i < 30; i++)
        s.v[i] = NAN;
    struct plot_series series = {"a", POINTS, s.t, s.v};
    struct plot_params p = params(false, false);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    plot_put(&p, &series, 1, &out);
    size_t dots = 0;
    for (const char *c = out.data; *c; c++)
        dots += *c == '*';
    // 21 of 41 points: a good half of 70 columns, not all of them.
    assert_in_range(dots, 30, 45);
}

static void anything_can_be_drawn(void **state)
{
    static const double values[] = {NAN, INFINITY, -INFINITY, 0, -0.0, 1e308, -1e308, 5e-324};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        for (size_t k = 0; k < ARRAY_LEN(values); k++) {
            double t[] = {1700000000, 1700000600}, v[] = {values[i], values[k]};
            struct plot_series series = {"x", 2, t, v};
            for (size_t width = 0; width < 100; width += 33) {
                size_t lines;
                struct plot_params p = params(width % 2, false);
                p.width = width;
                p.height = width / 4;
                p.step = 1000;
                CLEANUP(buf_done) struct buf out;
                buf_init(&out, 1 << 20);
                plot_put(&p, &series, 1, &out);
                check_fits(out.data, MAX_OF(width, (size_t)20), &lines);
            }
        }
    }
    struct plot_params p = params(true, true);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    plot_put(&p, NULL, 0, &out);
    assert_int_equal(out.error, 0);
}

static void only_so_many_series(void **state)
{
    struct sample s;
    struct plot_series series[12];
    ramp(&s, 0, 1);
    for (size_t i = 0; i < ARRAY_LEN(series); i++)
        series[i] = (struct plot_series){"long long long long long long long long long long long "
                                         "long long long long long long name",
                                         POINTS, s.t, s.v};
    struct plot_params p = params(true, true);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    plot_put(&p, series, ARRAY_LEN(series), &out);
    assert_non_null(strstr(out.data, "and 4 series more"));
    assert_non_null(strstr(out.data, "…"));
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_round),
        cmocka_unit_test(ticks_are_few_and_distinct),
        cmocka_unit_test(ticks_of_time_fall_on_the_clock),
        cmocka_unit_test(a_curve_has_axes_with_units_and_times),
        cmocka_unit_test(without_colours_each_series_has_a_mark),
        cmocka_unit_test(gaps_stay_gaps),
        cmocka_unit_test(anything_can_be_drawn),
        cmocka_unit_test(only_so_many_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
