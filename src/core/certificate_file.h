// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_CERTIFICATE_FILE_H
#define CORE_CERTIFICATE_FILE_H

// How long certificates are valid. Blocks as long as the file system does: for workers.

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

// Longest file that is read.
#define CERTIFICATE_BYTES_MAX ((size_t)256 * 1024)
// Most files that are looked at in all.
#define CERTIFICATE_FILES_MAX 64

// When the first of a file's certificates (PEM) ends, Unix time in seconds. -ENODATA: there are
// none in it; -EINVAL: one that cannot be read.
int certificate_end(const char *pem, size_t len, int64_t *ret_s, struct err *err);

struct certificate_file {
    char *path; // as the host names it, without the root
    int64_t not_after_s;
    char *error; // NULL: it could be read
};

struct certificate_files {
    struct certificate_file item[CERTIFICATE_FILES_MAX];
    size_t n;
};

void certificate_files_done(struct certificate_files *f);

// The certificates of libvirt, its QEMU processes and their displays below `root` ("/" is the
// machine itself), where they are: what does not exist, private keys and, in folders, files without
// a certificate are passed over.
void certificate_files_find(const char *root, struct certificate_files *ret);

// One file more; it has to be there.
void certificate_files_add(const char *root, const char *path, struct certificate_files *ret);

#endif
