// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "certificate_file.h"
#include "scratch.h"

#define ENDS INT64_C(2000000000)

// A certificate of its own that ends at that time, in PEM. The caller frees.
static char *make(int64_t end)
{
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_t key;
    gnutls_datum_t pem;
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_EDDSA_ED25519, 0, 0), 0);
    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(crt, "\1", 1), 0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(crt, 1000000000), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, (time_t)end), 0);
    assert_int_equal(gnutls_x509_crt_set_key(crt, key), 0);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_UNKNOWN, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
    char *text = mem_strndup((const char *)pem.data, pem.size);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
    return text;
}

static void test_the_first_end_counts(void **state)
{
    CLEANUP(freep) char *a = make(ENDS);
    CLEANUP(freep) char *b = make(ENDS - 1000);
    CLEANUP(freep) char *chain = mem_printf("text before\n%s%s", a, b);
    int64_t end = 0;
    struct err err = {0};
    assert_int_equal(certificate_end(a, strlen(a), &end, &err), 0);
    assert_int_equal(end, ENDS);
    assert_int_equal(certificate_end(chain, strlen(chain), &end, &err), 0);
    assert_int_equal(end, ENDS - 1000);
}

static void test_what_is_no_certificate(void **state)
{
    CLEANUP(freep) char *whole = make(ENDS);
    CLEANUP(freep) char *huge = mem_zalloc(CERTIFICATE_BYTES_MAX + 1);
    struct err err = {0};
    int64_t end;
    assert_int_equal(certificate_end("", 0, &end, &err), -ENODATA);
    assert_int_equal(certificate_end("-----BEGIN PRIVATE KEY-----", 27, &end, &err), -ENODATA);
    assert_int_equal(certificate_end(whole, strlen(whole) / 2, &end, &err), -EINVAL);
    assert_int_equal(certificate_end(huge, CERTIFICATE_BYTES_MAX + 1, &end, &err), -EFBIG);
    assert_true(err.message[0] != '\0');
}

static void put(const char *root, const char *path, const char *text)
{
    CLEANUP(freep) char *whole = mem_printf("%s%s", root, path);
    for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(whole, 0700);
        *slash = '/';
    }
    scratch_write(whole, text);
}

static const struct certificate_file *find(const struct certificate_files *f, const char *path)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->item[i].path, path) == 0)
            return &f->item[i];
    return NULL;
}

static void test_files_are_found_below_the_root(void **state)
{
    struct scratch d CLEANUP(scratch_done) = scratch_new();
    CLEANUP(freep) char *pem = make(ENDS);
    CLEANUP(certificate_files_done) struct certificate_files f = {0};
    put(d.path, "/etc/pki/CA/cacert.pem", pem);
    put(d.path, "/etc/pki/libvirt/servercert.pem", "garbage");
    put(d.path, "/etc/pki/qemu/server-cert.pem", pem);
    put(d.path, "/etc/pki/qemu/server-key.pem", pem);
    put(d.path, "/etc/pki/qemu/notes.txt", pem);
    put(d.path, "/etc/pki/qemu/dh-params.pem", "-----BEGIN DH PARAMETERS-----");
    put(d.path, "/own.pem", pem);
    certificate_files_add(d.path, "/own.pem", &f);
    certificate_files_add(d.path, "/gone.pem", &f);
    certificate_files_find(d.path, &f);
    assert_int_equal(f.n, 5);
    assert_int_equal(find(&f, "/etc/pki/CA/cacert.pem")->not_after_s, ENDS);
    assert_null(find(&f, "/etc/pki/CA/cacert.pem")->error);
    assert_int_equal(find(&f, "/etc/pki/qemu/server-cert.pem")->not_after_s, ENDS);
    assert_int_equal(find(&f, "/own.pem")->not_after_s, ENDS);
    assert_non_null(find(&f, "/etc/pki/libvirt/servercert.pem")->error);
    assert_non_null(find(&f, "/gone.pem")->error);
}

static void test_many_and_odd_files(void **state)
{
    struct scratch d CLEANUP(scratch_done) = scratch_new();
    CLEANUP(certificate_files_done) struct certificate_files f = {0};
    CLEANUP(freep) char *pipe = mem_printf("%s/etc/pki/CA/cacert.pem", d.path);
    for (int i = 0; i < CERTIFICATE_FILES_MAX + 10; i++) {
        CLEANUP(freep) char *path = mem_printf("/etc/pki/qemu/%d.pem", i);
        put(d.path, path, "-----BEGIN CERTIFICATE-----");
    }
    put(d.path, "/etc/pki/CA/x", "x");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    certificate_files_find(d.path, &f); // does not wait for a writer
    assert_int_equal(f.n, CERTIFICATE_FILES_MAX);
    assert_non_null(find(&f, "/etc/pki/CA/cacert.pem")->error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_end_counts),
        cmocka_unit_test(test_what_is_no_certificate),
        cmocka_unit_test(test_files_are_found_below_the_root),
        cmocka_unit_test(test_many_and_odd_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
