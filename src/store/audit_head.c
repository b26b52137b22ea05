// SPDX-License-Identifier: GPL-3.0-or-later
// The head of the chain in a file beside the database: "SEQ:HEX" and a newline. It is written after
// the commit that it tells of, so it may lag behind the database, and must never be ahead of it.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit_private.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#define FILE_MAX 128

static void write_file(void *arg)
{
    struct audit *a = arg;
    if (!a->appended)
        return;
    CLEANUP(buf_done) struct buf text;
    unsigned char hash[AUDIT_HASH_BYTES];
    int64_t seq = 0;
    buf_init(&text, FILE_MAX);
    if (audit_read_head(a->store, &seq, hash) < 0 || seq == 0)
        return;
    audit_anchor_format(seq, hash, &text);
    buf_putc(&text, '\n');
    // The number only grows, and so the text: one write() of a small piece leaves no half of it.
    if (pwrite(a->head_fd, text.data, text.len, 0) == (ssize_t)text.len)
        a->appended = false;
}

int audit_head_file(const struct audit *a, struct audit_anchor *ret)
{
    char text[FILE_MAX];
    ssize_t n = pread(a->head_fd, text, sizeof(text) - 1, 0);
    if (n < 0)
        return -errno;
    unsigned char hash[AUDIT_HASH_BYTES];
    int64_t seq = 0;
    if (n == 0)
        return audit_read_head(a->store, &seq, hash) == 0 && seq <= 1 ? -ENOENT : -EUCLEAN;
    text[n] = '\0';
    if (text[n - 1] != '\n')
        return -EUCLEAN;
    text[n - 1] = '\0';
    return audit_anchor_parse(text, ret) < 0 ? -EUCLEAN : 0;
}

int audit_head_open(struct audit *a)
{
    CLEANUP(freep) char *path = mem_printf("%s.head", store_path(a->store));
    a->head_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (a->head_fd < 0)
        return -errno;
    store_on_commit(a->store, write_file, a);
    return 0;
}

void audit_head_close(struct audit *a)
{
    store_on_commit(a->store, NULL, NULL);
    closep(&a->head_fd);
}
