// SPDX-License-Identifier: GPL-3.0-or-later
#include "place/bitbrains.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"

enum field {
    FIELD_TIME,
    FIELD_CORES,
    FIELD_CAPACITY_MHZ,
    FIELD_USED_MHZ,
    FIELD_USED_PERCENT,
    FIELD_MEMORY_KB,
    FIELD_MEMORY_USED_KB,
    FIELDS, // what follows is not used
};

static const struct {
    const char *name;
    double most;
} fields[FIELDS] = {
    [FIELD_TIME] = {"time", 1e11},
    [FIELD_CORES] = {"cores", 4096},
    [FIELD_CAPACITY_MHZ] = {"CPU capacity", 1e9},
    [FIELD_USED_MHZ] = {"CPU used", 1e9},
    [FIELD_USED_PERCENT] = {"CPU used in percent", 1e9},
    [FIELD_MEMORY_KB] = {"memory capacity", 1e13},
    [FIELD_MEMORY_USED_KB] = {"memory used", 1e13},
};

struct place_in_text {
    const char *name;
    int line;
    const char *line_start;
    struct err *err;
};

static int bad(const struct place_in_text *p, const char *at, const char *what, const char *field)
{
    int column = (int)(at - p->line_start) + 1;
    return err_set_at(p->err, EINVAL, p->line, column, "%s:%d:%d: %s%s", p->name, p->line, column,
                      field, what);
}

// One number up to `;`, blanks around it; *at moves behind the separator.
static int read_field(const struct place_in_text *p, const char **at, const char *end,
                      enum field field, double *ret)
{
    char text[64];
    const char *begin = *at;
    while (begin < end && (*begin == ' ' || *begin == '\t'))
        begin++;
    const char *stop = memchr(begin, ';', (size_t)(end - begin));
    if (!stop)
        stop = end;
    const char *last = stop;
    while (last > begin && (last[-1] == ' ' || last[-1] == '\t' || last[-1] == '\r'))
        last--;
    size_t len = (size_t)(last - begin);
    if (len == 0 || len >= sizeof(text))
        return bad(p, begin, ": a number is expected", fields[field].name);
    memcpy(text, begin, len);
    text[len] = '\0';
    if (strlen(text) != len || number_parse_f64(text, ret) < 0)
        return bad(p, begin, " is not a number", fields[field].name);
    if (!(*ret >= 0 && *ret <= fields[field].most))
        return bad(p, begin, " is out of range", fields[field].name);
    *at = stop < end ? stop + 1 : end;
    return 0;
}

static int grow(struct bitbrains *b)
{
    if (b->n < b->cap)
        return 0;
    size_t cap = b->cap ? 2 * b->cap : 1024;
    if (b->n >= BITBRAINS_SAMPLES_MAX)
        return -E2BIG;
    int64_t *t_s = reallocarray(b->t_s, cap, sizeof(*t_s));
    b->t_s = t_s ? t_s : b->t_s;
    double *cpus = reallocarray(b->cpus, cap, sizeof(*cpus));
    b->cpus = cpus ? cpus : b->cpus;
    double *memory = reallocarray(b->memory_bytes, cap, sizeof(*memory));
    b->memory_bytes = memory ? memory : b->memory_bytes;
    if (!t_s || !cpus || !memory)
        return -ENOMEM;
    b->cap = cap;
    return 0;
}

static int take(const struct place_in_text *p, const double v[FIELDS], struct bitbrains *b)
{
    int64_t t_s = (int64_t)v[FIELD_TIME];
    if (v[FIELD_CORES] < 1 || v[FIELD_CAPACITY_MHZ] <= 0)
        return 0;
    if (b->n > 0 && t_s <= b->t_s[b->n - 1])
        return bad(p, p->line_start, "time does not go on", "");
    int r = grow(b);
    if (r < 0)
        return err_set(p->err, -r, "%s: too many samples", p->name);
    b->t_s[b->n] = t_s;
    b->cpus[b->n] = v[FIELD_USED_MHZ] / v[FIELD_CAPACITY_MHZ] * v[FIELD_CORES];
    b->memory_bytes[b->n++] = v[FIELD_MEMORY_USED_KB] * 1024;
    b->vcpus = (int)v[FIELD_CORES];
    if (v[FIELD_MEMORY_KB] > 0)
        b->provisioned_bytes = (int64_t)(v[FIELD_MEMORY_KB] * 1024);
    return 0;
}

int bitbrains_read(const char *name, const char *text, size_t len, struct bitbrains *b,
                   struct err *err)
{
    const char *end = text + len;
    struct place_in_text p = {name, 1, text, err};
    for (const char *at = text; at < end; p.line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = stop ? stop : end;
        double v[FIELDS];
        p.line_start = at;
        for (int f = 0; p.line > 1 && line_end > p.line_start && f < FIELDS; f++) {
            int r = read_field(&p, &at, line_end, f, &v[f]);
            if (r < 0)
                return r;
        }
        int r = p.line > 1 && line_end > p.line_start ? take(&p, v, b) : 0;
        if (r < 0)
            return r;
        at = stop ? stop + 1 : end;
    }
    return 0;
}

void bitbrains_done(struct bitbrains *b)
{
    free(b->t_s);
    free(b->cpus);
    free(b->memory_bytes);
    *b = (struct bitbrains){0};
}
