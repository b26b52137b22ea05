// SPDX-License-Identifier: GPL-3.0-or-later
// The textfile collector: *.prom files of some directories, each by itself, so that a bad one costs
// no other. Metrics about them are named as node_exporter's.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "digest.h"
#include "send.h"

#define FILE_BYTES_MAX ((size_t)16 << 20)
#define FILES_MAX 1000

struct textfile {
    struct textfile *next;
    char *path;
    struct digest *digest;
    bool present, bad;
    double mtime;
};

struct textfiles {
    const struct conf *conf;
    struct outlet *outlet;
    struct labels *labels; // of all series
    struct textfile *files;
    size_t n_files;
    int64_t interval_ms, due_ms;
};

struct textfiles *textfiles_new(const struct conf *conf, struct outlet *outlet)
{
    struct textfiles *t = mem_zalloc(sizeof(*t));
    char host[256] = "";
    if (gethostname(host, sizeof(host) - 1) < 0 || !*host)
        host[0] = '-';
    const struct label label[] = {{"instance", host}, {"job", "textfile"}};
    t->conf = conf;
    t->outlet = outlet;
    t->labels = labels_new(label, ARRAY_LEN(label));
    if (!t->labels)
        abort();
    t->interval_ms = MAX_OF(conf->textfile.interval_ns / NS_PER_MS, INT64_C(1));
    return t;
}

static void file_free(struct textfile *f)
{
    digest_free(f->digest);
    free(f->path);
    free(f);
}

void textfiles_free(struct textfiles *t)
{
    if (!t)
        return;
    while (t->files) {
        struct textfile *f = t->files;
        t->files = f->next;
        file_free(f);
    }
    labels_free(t->labels);
    free(t);
}

static struct textfile *find_file(struct textfiles *t, const char *path)
{
    for (struct textfile *f = t->files; f; f = f->next)
        if (strcmp(f->path, path) == 0)
            return f;
    if (t->n_files == FILES_MAX)
        return NULL;
    struct digest_rules rules = {
        .target = t->labels, .honor_labels = true, .refuse_timestamps = true};
    struct textfile *f = mem_zalloc(sizeof(*f));
    f->path = mem_strdup(path);
    f->digest = digest_new(&rules);
    f->next = t->files;
    t->files = f;
    t->n_files++;
    return f;
}

static void tell_person(struct textfile *f, bool bad, const char *why)
{
    if (bad && !f->bad)
        log_warning("textfile %s: %s", f->path, why);
    else if (!bad && f->bad)
        log_info("textfile %s: well again", f->path);
    f->bad = bad;
}

static int read_page(struct textfile *f, int dir, const char *name, char **ret, size_t *ret_len,
                     struct err *err)
{
    struct stat st;
    if (fstatat(dir, name, &st, 0) < 0)
        return err_set(err, errno, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "is no file");
    f->mtime = (double)st.st_mtim.tv_sec + (double)st.st_mtim.tv_nsec / 1e9;
    int r = fs_read_file(dir, name, FILE_BYTES_MAX, ret, ret_len);
    return r < 0 ? err_set(err, -r, "%s", strerror(-r)) : 0;
}

static void read_file(struct textfiles *t, int dir, const char *path, const char *name,
                      int64_t t_ms)
{
    struct textfile *f = find_file(t, path);
    CLEANUP(freep) char *text = NULL;
    size_t len = 0;
    struct err err = {0};
    struct digest_result result = {0};
    if (!f)
        return;
    f->present = true;
    int r = read_page(f, dir, name, &text, &len, &err);
    if (r == 0)
        r = digest_page(f->digest, text, len, EXPO_TEXT, t_ms, t->outlet->out, &result, &err);
    else
        digest_end(f->digest, t_ms, t->outlet->out);
    outlet_flush(t->outlet);
    tell_person(f, r < 0, err.message);
}

static bool is_page(const char *name)
{
    size_t n = strlen(name);
    return *name != '.' && n > 5 && strcmp(name + n - 5, ".prom") == 0;
}

static int read_directory(struct textfiles *t, const char *path, int64_t t_ms)
{
    DIR *d = opendir(path);
    if (!d)
        return -errno;
    struct dirent *entry;
    while ((entry = readdir(d))) {
        if (!is_page(entry->d_name))
            continue;
        CLEANUP(freep) char *file = mem_printf("%s/%s", path, entry->d_name);
        read_file(t, dirfd(d), file, entry->d_name, t_ms);
    }
    closedir(d);
    return 0;
}

static void put_report(struct textfiles *t, const char *name, const char *file, double v,
                       int64_t t_ms)
{
    const struct label label[] = {{LABEL_METRIC_NAME, name},
                                  {"file", file},
                                  {t->labels->label[0].name, t->labels->label[0].value},
                                  {t->labels->label[1].name, t->labels->label[1].value}};
    // An empty label is none.
    size_t skip = !*file;
    struct label kept[ARRAY_LEN(label)];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(label); i++)
        if (!(i == 1 && skip))
            kept[n++] = label[i];
    (void)samples_put(t->outlet->out, kept, n, t_ms, v);
}

static const struct expo_family families[] = {
    {"node_textfile_mtime_seconds", EXPO_GAUGE, "When a file with metrics was last changed.", ""},
    {"node_textfile_scrape_error", EXPO_GAUGE, "1 where some file or directory was bad.", ""},
    {"vherd_textfile_error", EXPO_GAUGE, "1 where this file was bad.", ""},
};

static void report(struct textfiles *t, bool error, int64_t t_ms)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        (void)samples_put_family(t->outlet->out, &families[i]);
    for (struct textfile **at = &t->files; *at;) {
        struct textfile *f = *at;
        if (!f->present) {
            digest_end(f->digest, t_ms, t->outlet->out);
            *at = f->next;
            t->n_files--;
            file_free(f);
            continue;
        }
        put_report(t, "node_textfile_mtime_seconds", f->path, f->mtime, t_ms);
        put_report(t, "vherd_textfile_error", f->path, f->bad, t_ms);
        error |= f->bad;
        f->present = false;
        at = &f->next;
    }
    put_report(t, "node_textfile_scrape_error", "", error, t_ms);
    outlet_flush(t->outlet);
}

int64_t textfiles_turn(struct textfiles *t, int64_t real_ms)
{
    const struct conf_list *directories = &t->conf->textfile.directories;
    if (directories->n == 0)
        return INT64_MAX;
    if (t->due_ms - real_ms > t->interval_ms)
        t->due_ms = real_ms;
    if (t->due_ms <= real_ms) {
        bool error = false;
        int64_t t_ms = real_ms / t->interval_ms * t->interval_ms;
        for (size_t i = 0; i < directories->n; i++)
            error |= read_directory(t, directories->items[i], t_ms) < 0;
        report(t, error, t_ms);
        t->due_ms = t_ms + t->interval_ms;
    }
    return t->due_ms - real_ms;
}
