// SPDX-License-Identifier: GPL-3.0-or-later
// Several rule files, found by patterns.
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reader.h"
#include "rule/file.h"

static int load(struct rule_files *files, const char *path, struct rule_errors *errors)
{
    struct rule_file *f = NULL;
    int r = rule_file_load(path, &f, errors);
    if (r < 0)
        return r;
    mem_grow(&files->file, &files->cap, files->n, sizeof(struct rule_file *));
    files->file[files->n++] = f;
    return 0;
}

int rule_files_glob(struct rule_files *files, const char *directory, const char *pattern,
                    struct rule_errors *errors)
{
    CLEANUP(freep)
    char *path = *pattern == '/' || !directory || !*directory
                     ? mem_strdup(pattern)
                     : mem_printf("%s/%s", directory, pattern);
    if (!strpbrk(path, "*?["))
        return load(files, path, errors);
    glob_t found = {0};
    int r = 0;
    if (glob(path, GLOB_ERR, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) {
            int e = load(files, found.gl_pathv[i], errors);
            r = r < 0 ? r : e;
        }
    globfree(&found);
    return r;
}

void rule_files_done(struct rule_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        rule_file_free(files->file[i]);
    free(files->file);
    *files = (struct rule_files){0};
}

size_t rule_files_count(const struct rule_files *files)
{
    size_t n = 0;
    for (size_t i = 0; i < files->n; i++)
        for (size_t k = 0; k < files->file[i]->n_groups; k++)
            n += files->file[i]->group[k].n_rules;
    return n;
}
