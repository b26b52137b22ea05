// SPDX-License-Identifier: GPL-3.0-or-later
// Keys are never opened: files are chosen by name, as libvirt's and QEMU's documentation names
// them.
#include "certificate_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

#define BEGIN_CERTIFICATE "-----BEGIN CERTIFICATE-----"

static const char *const paths[] = {
    "/etc/pki/CA/cacert.pem",
    "/etc/pki/libvirt/servercert.pem",
    "/etc/pki/libvirt/clientcert.pem",
};

static const char *const folders[] = {
    "/etc/pki/qemu",           "/etc/pki/libvirt-vnc",     "/etc/pki/libvirt-spice",
    "/etc/pki/libvirt-nbd",    "/etc/pki/libvirt-migrate", "/etc/pki/libvirt-backup",
    "/etc/pki/libvirt-chardev"};

int certificate_end(const char *pem, size_t len, int64_t *ret_s, struct err *err)
{
    gnutls_x509_crt_t *list = NULL;
    unsigned n = 0;
    const gnutls_datum_t data = {(unsigned char *)(uintptr_t)pem, (unsigned)len};
    if (len > CERTIFICATE_BYTES_MAX)
        return err_set(err, EFBIG, "it is too long");
    if (!memmem(pem, len, BEGIN_CERTIFICATE, strlen(BEGIN_CERTIFICATE)))
        return err_set(err, ENODATA, "it holds no certificate");
    int r = gnutls_x509_crt_list_import2(&list, &n, &data, GNUTLS_X509_FMT_PEM, 0);
    if (r < 0 || n == 0)
        return err_set(err, EINVAL, "its certificate cannot be read: %s", gnutls_strerror(r));
    int64_t first = INT64_MAX;
    for (unsigned i = 0; i < n; i++) {
        time_t end = gnutls_x509_crt_get_expiration_time(list[i]);
        first = MIN_OF(first, (int64_t)end);
        gnutls_x509_crt_deinit(list[i]);
    }
    gnutls_free(list);
    // -1: no such time; 9999-12-31, which stands for "never", is one.
    if (first < 0)
        return err_set(err, EINVAL, "its certificate has no end");
    *ret_s = first;
    return 0;
}

void certificate_files_done(struct certificate_files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->item[i].path);
        free(f->item[i].error);
    }
    f->n = 0;
}

// Only files with a length are opened, as opening a pipe or a device may do something.
static int read_end(const char *path, int64_t *ret_s, struct err *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_set(err, errno, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return err_set(err, EINVAL, "it is no file with anything in it");
    CLEANUP(freep) char *pem = NULL;
    size_t len = 0;
    int r = fs_read_file(AT_FDCWD, path, CERTIFICATE_BYTES_MAX, &pem, &len);
    if (r < 0)
        return err_set(err, -r, "%s", strerror(-r));
    return certificate_end(pem, len, ret_s, err);
}

// What may be passed over without a word.
enum leniency {
    NEEDED,      // nothing
    MAY_BE_GONE, // a file that is not there
    MAY_BE_OTHER // and one that holds something else, such as parameters
};

static void add(const char *root, const char *path, enum leniency leniency,
                struct certificate_files *ret)
{
    CLEANUP(freep)
    char *whole = mem_printf("%s%s", strcmp(root, "/") == 0 ? "" : root, path);
    struct err err = {0};
    int64_t end = 0;
    if (ret->n == CERTIFICATE_FILES_MAX)
        return;
    for (size_t i = 0; i < ret->n; i++)
        if (strcmp(ret->item[i].path, path) == 0)
            return;
    int r = read_end(whole, &end, &err);
    if ((leniency >= MAY_BE_GONE && (r == -ENOENT || r == -ENOTDIR)) ||
        (leniency == MAY_BE_OTHER && r == -ENODATA))
        return;
    ret->item[ret->n++] =
        (struct certificate_file){mem_strdup(path), end, r < 0 ? mem_strdup(err.message) : NULL};
}

static bool is_certificate_name(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && name[0] != '.' && strcmp(name + len - 4, ".pem") == 0 &&
           !(len >= 7 && strcmp(name + len - 7, "key.pem") == 0);
}

static void add_folder(const char *root, const char *folder, struct certificate_files *ret)
{
    CLEANUP(freep)
    char *whole = mem_printf("%s%s", strcmp(root, "/") == 0 ? "" : root, folder);
    DIR *d = opendir(whole);
    if (!d)
        return;
    for (const struct dirent *e = readdir(d); e && ret->n < CERTIFICATE_FILES_MAX; e = readdir(d)) {
        if (!is_certificate_name(e->d_name))
            continue;
        CLEANUP(freep) char *path = mem_printf("%s/%s", folder, e->d_name);
        add(root, path, MAY_BE_OTHER, ret);
    }
    closedir(d);
}

void certificate_files_find(const char *root, struct certificate_files *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        add(root, paths[i], MAY_BE_GONE, ret);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        add_folder(root, folders[i], ret);
}

void certificate_files_add(const char *root, const char *path, struct certificate_files *ret)
{
    add(root, path, NEEDED, ret);
}
