// SPDX-License-Identifier: GPL-3.0-or-later
#include "sim/trace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"

#define FILE_MAX ((size_t)16 << 20)
#define CELL_MAX 64

struct reader {
    const char *file;
    int line;
    double *sample;
    size_t n, cap;
    struct err *err;
};

static int fail(const struct reader *r, int column, const char *what)
{
    return err_set_at(r->err, EINVAL, r->line, column, "%s:%d:%d: %s", r->file, r->line, column,
                      what);
}

static int append(struct reader *r, double value)
{
    int e = mem_grow_capped(&r->sample, &r->cap, r->n, sizeof(*r->sample), TRACE_SAMPLES_MAX);
    if (e == -ENOMEM)
        return err_set(r->err, ENOMEM, "%s: not enough memory", r->file);
    if (e < 0)
        return fail(r, 1, "too many samples");
    r->sample[r->n++] = value;
    return 0;
}

// A piece of a line as a number, blanks around it apart.
static int number_of(const char *text, size_t len, double *ret)
{
    char cell[CELL_MAX];
    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t' || text[len - 1] == '\r'))
        len--;
    if (len == 0 || len >= sizeof(cell) || memchr(text, '\0', len))
        return -EINVAL;
    memcpy(cell, text, len);
    cell[len] = '\0';
    return number_parse_f64(cell, ret);
}

static int planetlab_line(struct reader *r, const char *line, size_t len, void *arg)
{
    double percent;
    if (number_of(line, len, &percent) < 0)
        return fail(r, 1, "not a number");
    if (percent < 0 || percent > 100 || percent != floor(percent))
        return fail(r, 1, "not a whole percentage between 0 and 100");
    return append(r, percent / 100.0);
}

struct csv {
    size_t column;
    double scale;
};

static int csv_line(struct reader *r, const char *line, size_t len, void *arg)
{
    const struct csv *csv = arg;
    if (len == 0 || line[0] == '#')
        return 0;
    size_t at = 0, column = 0;
    while (column < csv->column) {
        while (at < len && line[at] != ',' && line[at] != ';' && line[at] != '\t')
            at++;
        if (at == len)
            return fail(r, (int)len + 1, "a column is missing");
        at++;
        column++;
    }
    size_t end = at;
    while (end < len && line[end] != ',' && line[end] != ';' && line[end] != '\t')
        end++;
    double value;
    if (number_of(line + at, end - at, &value) < 0)
        return r->line == 1 ? 0 : fail(r, (int)at + 1, "not a number");
    value *= csv->scale;
    if (value < 0 || value > 1)
        return fail(r, (int)at + 1, "a load outside 0 to 1 after scaling");
    return append(r, value);
}

static int each_line(struct reader *r, const char *text, size_t len,
                     int (*take)(struct reader *r, const char *line, size_t len, void *arg),
                     void *arg)
{
    const char *end = text + len;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((newline ? newline : end) - text);
        r->line++;
        int e = take(r, text, n, arg);
        if (e < 0)
            return e;
        text += n + (newline != NULL);
    }
    return r->n > 0 ? 0 : err_set(r->err, EINVAL, "%s: no samples", r->file);
}

static int parse(struct reader *r, const char *text, size_t len,
                 int (*take)(struct reader *r, const char *line, size_t len, void *arg), void *arg,
                 double **ret_sample, size_t *ret_n)
{
    int e = each_line(r, text, len, take, arg);
    if (e < 0) {
        free(r->sample);
        return e;
    }
    *ret_sample = r->sample;
    *ret_n = r->n;
    return 0;
}

int trace_parse_planetlab(const char *file, const char *text, size_t len, double **ret_sample,
                          size_t *ret_n, struct err *err)
{
    struct reader r = {.file = file, .err = err};
    return parse(&r, text, len, planetlab_line, NULL, ret_sample, ret_n);
}

int trace_parse_csv(const char *file, const char *text, size_t len, size_t column, double scale,
                    double **ret_sample, size_t *ret_n, struct err *err)
{
    struct reader r = {.file = file, .err = err};
    struct csv csv = {column, scale};
    return parse(&r, text, len, csv_line, &csv, ret_sample, ret_n);
}

void trace_set_done(struct trace_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        free(set->trace[i].name);
        free(set->trace[i].sample);
    }
    free(set->trace);
    *set = (struct trace_set){0};
}

static int by_name(const void *a, const void *b)
{
    const struct trace *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static void closedirp(DIR **d)
{
    if (*d)
        closedir(*d);
}

static int load_names(DIR *dir, const char *folder, struct trace_set *set, size_t *cap,
                      struct err *err)
{
    struct dirent *entry;
    struct stat st;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        int e = mem_grow_capped(&set->trace, cap, set->n, sizeof(*set->trace), TRACE_FILES_MAX);
        if (e < 0)
            return err_set(err, -e, "%s: too many files", folder);
        set->trace[set->n++] = (struct trace){.name = mem_strdup(entry->d_name)};
    }
    return 0;
}

static int load_file(DIR *dir, const char *folder, struct trace *t, struct err *err)
{
    CLEANUP(freep) char *path = mem_printf("%s/%s", folder, t->name);
    CLEANUP(freep) char *text = NULL;
    size_t len;
    int e = fs_read_file(dirfd(dir), t->name, FILE_MAX, &text, &len);
    if (e < 0)
        return err_set(err, -e, "cannot read %s: %s", path, strerror(-e));
    return trace_parse_planetlab(path, text, len, &t->sample, &t->n, err);
}

int trace_set_load(const char *folder, struct trace_set *ret, struct err *err)
{
    CLEANUP(trace_set_done) struct trace_set set = {0};
    size_t cap = 0;
    CLEANUP(closedirp) DIR *dir = opendir(folder);
    if (!dir)
        return err_set(err, errno, "cannot open %s: %s", folder, strerror(errno));
    int e = load_names(dir, folder, &set, &cap, err);
    if (e < 0)
        return e;
    if (set.n == 0)
        return err_set(err, ENOENT, "%s: no trace files", folder);
    qsort(set.trace, set.n, sizeof(*set.trace), by_name);
    for (size_t i = 0; i < set.n; i++)
        if ((e = load_file(dir, folder, &set.trace[i], err)) < 0)
            return e;
    *ret = set;
    set = (struct trace_set){0};
    return 0;
}
