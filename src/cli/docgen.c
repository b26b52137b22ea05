// SPDX-License-Identifier: GPL-3.0-or-later
// Developer's tool: writes the documents that come out of the program's tables, or checks that the
// committed ones are what it would write. `docgen [--update] SOURCE_ROOT`; speaks TAP.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "command.h"
#include "conf/conf.h"
#include "model/render.h"
#include "verb/verb.h"
#include "version.h"

#define DOCUMENT_MAX ((size_t)16 * 1024 * 1024)

static void write_config_manual(const char *before, struct buf *out)
{
    buf_puts(out, ".\\\" Written by docgen out of the program's tables.\n"
                  ".TH VHERD.YAML 5 \"\" \"vherd " VHERD_VERSION "\" \"File formats\"\n"
                  ".SH NAME\nvherd.yaml \\- configuration of vherd\n.SH DESCRIPTION\n"
                  "One YAML file of sections with keys; every key has a default.\n"
                  "An unknown key, a wrong type or a value out of range is one error with line "
                  "and column.\n"
                  ".B vherd config check\nchecks a file,\n.B vherd config show\nprints what is in "
                  "force.\nSIGHUP makes the daemon read its file again.\n.SH KEYS\n");
    conf_manual(out);
    buf_puts(out, ".SH FILES\n.TP\n.I /etc/vherd/vherd.yaml\nof the machine's daemon.\n.TP\n"
                  ".I ~/.config/vherd/vherd.yaml\nof a user's own daemon.\n"
                  ".SH SEE ALSO\n.BR vherd (1)\n");
}

static const char *role_name(enum verb_role role)
{
    static const char *const names[] = {[ROLE_NONE] = "none",
                                        [ROLE_VIEWER] = "viewer",
                                        [ROLE_OPERATOR] = "operator",
                                        [ROLE_ADMIN] = "admin"};
    return names[role];
}

static void write_verbs(struct buf *out)
{
    buf_puts(out, "| request | parameters | role | command | what it does |\n"
                  "| --- | --- | --- | --- | --- |\n");
    for (int i = 0; i < VERB_MAX; i++) {
        const struct verb *v = &verbs[i];
        buf_printf(out, "| `%s %s`%s | ", v->method, v->path, v->form ? ", POST" : "");
        for (int p = 0; v->params[p].name; p++)
            buf_printf(out, "%s`%s`: %s", p ? "; " : "", v->params[p].name, v->params[p].help);
        buf_printf(out, " | %s | ", role_name(v->role));
        if (v->command)
            buf_printf(out, "`vherd %s%s%s`", v->command, v->operand ? " " : "",
                       v->operand ? v->operand : "");
        buf_printf(out, " | %s |\n", v->summary);
    }
}

static void write_fields(const struct field *f, bool required, struct buf *out)
{
    for (bool first = true; f->name; f++) {
        if (f->required != required)
            continue;
        buf_printf(out, "%s`%s`: %s", first ? "" : "; ", f->name, f->help);
        first = false;
    }
}

static void write_deeds(const char *before, struct buf *out)
{
    buf_puts(
        out,
        "# Deeds\n\nWritten by docgen out of the table that requests are checked by. Each is "
        "POSTed "
        "as a JSON object and\nanswered with 202 and the task that does it, or with problem "
        "details. "
        "`vherd vm WORD --help` shows the same\nas options. The machine-readable form is "
        "`/vherd/v1/openapi.json`.\n\nStorage is named by pool and volume only; XML, paths and "
        "shell commands are not taken. Sizes are bytes or\ntexts such as `\"20G\"`, durations "
        "seconds "
        "or texts such as `\"90s\"`.\n\nEvery deed also takes: ");
    write_fields(deed_common_fields, false, out);
    buf_puts(out, ".\n\n| deed | path | role | required | optional | what it does |\n"
                  "| --- | --- | --- | --- | --- | --- |\n");
    for (int i = 0; i < DEED_MAX; i++) {
        const struct deed *d = &deeds[i];
        buf_printf(out, "| `%s` | `%s` | %s | ", d->name, d->path, role_name(d->role));
        write_fields(d->fields, true, out);
        buf_puts(out, " | ");
        write_fields(d->fields, false, out);
        buf_printf(out, " | %s.%s%s |\n", d->summary, *d->details ? " " : "", d->details);
    }
}

// Only the part between the two marks of docs/api.md is ours.
static void write_api(const char *before, struct buf *out)
{
    static const char begin[] = "<!-- verbs: written by docgen -->\n", end[] = "<!-- end -->\n";
    const char *from = strstr(before, begin), *to = from ? strstr(from, end) : NULL;
    if (!to) {
        out->error = -EINVAL;
        return;
    }
    buf_put(out, before, (size_t)(from - before) + strlen(begin));
    write_verbs(out);
    buf_puts(out, to);
}

static void write_metrics(const char *before, struct buf *out)
{
    render_reference(out);
}

static void write_configuration(const char *before, struct buf *out)
{
    conf_reference(out);
}

static void write_manual(const char *before, struct buf *out)
{
    help_manual(out);
}

static void write_bash(const char *before, struct buf *out)
{
    completion_script("bash", out);
}

static void write_zsh(const char *before, struct buf *out)
{
    completion_script("zsh", out);
}

static void write_fish(const char *before, struct buf *out)
{
    completion_script("fish", out);
}

static const struct document {
    const char *path;
    void (*write)(const char *before, struct buf *out); /**< `before`: the file as it is */
} documents[] = {
    {"docs/api.md", write_api},
    {"docs/deeds.md", write_deeds},
    {"docs/configuration.md", write_configuration},
    {"docs/metrics.md", write_metrics},
    {"man/vherd.1", write_manual},
    {"man/vherd.yaml.5", write_config_manual},
    {"packaging/completion/vherd.bash", write_bash},
    {"packaging/completion/_vherd", write_zsh},
    {"packaging/completion/vherd.fish", write_fish},
};

static int replace(int root, const char *path, const struct buf *text)
{
    CLEANUP(closep) int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    return fs_write_all(fd, text->data, text->len);
}

// 0: it is as it should be (now); else a reason.
static const char *take_care_of(int root, const struct document *d, bool update)
{
    CLEANUP(freep) char *before = NULL;
    CLEANUP(buf_done) struct buf text;
    size_t len = 0;
    buf_init(&text, DOCUMENT_MAX);
    int r = fs_read_file(root, d->path, DOCUMENT_MAX, &before, &len);
    if (r < 0 && r != -ENOENT)
        return strerror(-r);
    d->write(before ? before : "", &text);
    if (text.error)
        return strerror(-text.error);
    if (before && len == text.len && memcmp(before, text.data, len) == 0)
        return NULL;
    if (!update)
        return "is not what the tables say: run `ninja docs` in the build folder";
    r = replace(root, d->path, &text);
    return r < 0 ? strerror(-r) : NULL;
}

int main(int argc, char **argv)
{
    bool update = argc == 3 && strcmp(argv[1], "--update") == 0;
    if (argc != 2 + update) {
        fprintf(stderr, "usage: docgen [--update] SOURCE_ROOT\n");
        return 2;
    }
    CLEANUP(closep) int root = open(argv[1 + update], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        fprintf(stderr, "docgen: %s: %s\n", argv[1 + update], strerror(errno));
        return 2;
    }
    int status = 0;
    for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
        const char *trouble = take_care_of(root, &documents[i], update);
        printf("%sok %zu - %s%s%s\n", trouble ? "not " : "", i + 1, documents[i].path,
               trouble ? " " : "", trouble ? trouble : "");
        status |= trouble != NULL;
    }
    printf("1..%zu\n", ARRAY_LEN(documents));
    return status;
}
