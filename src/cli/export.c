// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd export`: stored samples as text, to a file or standard output.
#include <errno.h>
#include <math.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/esc.h"
#include "base/fs.h"
#include "base/mem.h"
#include "command.h"
#include "query.h"

#define IDLE_MS 120000

struct writing {
    int fd;
    char end[6]; // the last bytes of the text
    size_t n_end;
};

static int take(void *arg, const char *data, size_t len)
{
    struct writing *w = arg;
    size_t fresh = MIN_OF(len, sizeof(w->end));
    size_t kept = MIN_OF(w->n_end, sizeof(w->end) - fresh);
    memmove(w->end, w->end + w->n_end - kept, kept);
    memcpy(w->end + kept, data + len - fresh, fresh);
    w->n_end = kept + fresh;
    return fs_write_all(w->fd, data, len);
}

static int put_time(const struct cli *cli, const char *option, char *before, struct buf *path,
                    struct err *err)
{
    double seconds = NAN;
    int r = query_option_time(cli, option, &seconds, err);
    if (r < 0 || isnan(seconds))
        return r;
    buf_printf(path, "%c%s=%.3f", *before, option, seconds);
    *before = '&';
    return 0;
}

static int make_path(const struct cli *cli, struct buf *path, struct err *err)
{
    char before = '?';
    buf_puts(path, verbs[VERB_EXPORT].path);
    for (size_t i = 0; i < cli->n_given; i++) {
        if (strcmp(cli->given[i].name, "match") != 0)
            continue;
        buf_printf(path, "%cmatch%%5B%%5D=", before);
        esc_url(path, cli->given[i].value);
        before = '&';
    }
    int r = put_time(cli, "start", &before, path, err);
    return r < 0 ? r : put_time(cli, "end", &before, path, err);
}

static int fetch(struct cli *cli, const char *path, int fd, struct err *err)
{
    struct http_client *client = cli_client(cli, err);
    struct writing w = {.fd = fd};
    if (!client)
        return -err->code;
    int r = api_get_stream(client, path, IDLE_MS, take, &w, err);
    if (r == 0 && (w.n_end != sizeof(w.end) || memcmp(w.end, "# EOF\n", sizeof(w.end)) != 0))
        r = err_set(err, EIO, "the answer broke off: the store could not be read to its end");
    return r;
}

// The file appears under its name once it is whole.
static int fetch_file(struct cli *cli, const char *path, const char *file, struct err *err)
{
    CLEANUP(freep) char *fresh = mem_printf("%s.part", file);
    CLEANUP(closep) int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_set(err, errno, "%s: %s", fresh, strerror(errno));
    int r = fetch(cli, path, fd, err);
    if (r == 0 && (fsync(fd) < 0 || rename(fresh, file) < 0))
        r = err_set(err, errno, "%s: %s", file, strerror(errno));
    if (r < 0)
        unlink(fresh);
    return r;
}

int cmd_export(struct cli *cli)
{
    struct err err = {0};
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 1 << 16);
    if (make_path(cli, &path, &err) < 0)
        return cli_fail(&err, EXIT_USAGE);
    const char *file = cli->n_operands > 0 ? cli->operands[0] : "-";
    int r = strcmp(file, "-") == 0 ? fetch(cli, path.data, STDOUT_FILENO, &err)
                                   : fetch_file(cli, path.data, file, &err);
    return r < 0 ? cli_fail(&err, EXIT_FAILED) : EXIT_WELL;
}
