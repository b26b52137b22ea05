// SPDX-License-Identifier: GPL-3.0-or-later
// Chains of images that nobody uses, by their headers. A header may have been written by a
// stranger: it decides which file is looked at next, so only files that have a length are opened
// (devices, pipes and the kernel's own files have none), and nothing of them is told but a number.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "virt/qcow2.h"
#include "virt/stored.h"

#define PATH_BYTES_MAX 4096

static int check_file(int r, const struct stat *st, const char *path, struct err *err)
{
    if (r < 0)
        return err_set(err, errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st->st_mode) || st->st_size == 0)
        return err_set(err, ENOTSUP, "%s is no image file", path);
    return 0;
}

static ssize_t read_head(int fd, uint8_t *head)
{
    size_t len = 0;
    while (len < VIRT_QCOW2_HEAD) {
        ssize_t n = pread(fd, head + len, VIRT_QCOW2_HEAD - len, (off_t)len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static int read_image(const char *path, uint8_t *head, struct virt_qcow2 *ret, struct err *err)
{
    struct stat st;
    int r = check_file(stat(path, &st), &st, path, err); // before open(), which may act on a device
    if (r < 0)
        return r;
    CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_set(err, errno, "%s: %s", path, strerror(errno));
    r = check_file(fstat(fd, &st), &st, path, err);
    if (r < 0)
        return r;
    ssize_t len = read_head(fd, head);
    if (len < 0)
        return err_set(err, (int)-len, "%s: %s", path, strerror((int)-len));
    return virt_qcow2_read(head, (size_t)len, ret, err);
}

// A backing name is a path, seen from the folder of the image that has it; not a protocol.
static int step(char *path, const char *backing, struct err *err)
{
    const char *colon = strchr(backing, ':'), *slash = strchr(backing, '/');
    if (strncmp(backing, "file:", 5) == 0) {
        backing += 5;
    } else if (colon && (!slash || colon < slash)) {
        return err_set(err, ENOTSUP, "its backing image is no file");
    }
    const char *end = strrchr(path, '/');
    size_t folder = backing[0] != '/' && end ? (size_t)(end - path) + 1 : 0;
    if (folder + strlen(backing) >= PATH_BYTES_MAX)
        return err_set(err, ENAMETOOLONG, "its backing image's path is too long");
    memcpy(path + folder, backing, strlen(backing) + 1);
    return 0;
}

int virt_chain_depth(const char *path, struct err *err)
{
    CLEANUP(freep) uint8_t *head = mem_zalloc(VIRT_QCOW2_HEAD);
    char at[PATH_BYTES_MAX];
    if (strlen(path) >= sizeof(at))
        return err_set(err, ENAMETOOLONG, "the image's path is too long");
    memcpy(at, path, strlen(path) + 1);
    for (int depth = 0; depth <= VIRT_CHAIN_DEPTH_MAX; depth++) {
        struct virt_qcow2 image;
        int r = read_image(at, head, &image, err);
        if (r < 0)
            return r;
        if (image.backing[0] == '\0')
            return depth;
        r = step(at, image.backing, err);
        if (r < 0)
            return r;
    }
    return err_set(err, ELOOP, "the chain of images does not end");
}
