// SPDX-License-Identifier: GPL-3.0-or-later
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#define PEM_MAX (60u * 1024)
#define DAY_S (24 * 3600)
#define LIFE_S (825 * DAY_S)
#define RENEW_S (30 * DAY_S)

void tls_pair_done(struct tls_pair *p)
{
    if (p->key)
        explicit_bzero(p->key, strlen(p->key));
    free(p->certificate);
    free(p->key);
    *p = (struct tls_pair){0};
}

static int read_pem(const char *path, char **ret, struct err *err)
{
    size_t len = 0;
    int r = fs_read_file(AT_FDCWD, path, PEM_MAX, ret, &len);
    if (r == 0 && strlen(*ret) == len)
        return 0;
    return err_set(err, r < 0 ? -r : EINVAL, "cannot read %s: %s", path,
                   r < 0 ? strerror(-r) : "it is not PEM");
}

// libcurl's way to name a public key.
static void log_pin(gnutls_x509_crt_t crt)
{
    unsigned char id[32];
    size_t len = sizeof(id);
    gnutls_datum_t raw = {id, sizeof(id)}, text = {0};
    if (gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, id, &len) < 0 ||
        gnutls_base64_encode2(&raw, &text) < 0)
        return;
    log_info("HTTPS: the public key is sha256//%s (for --pin)", (const char *)text.data);
    gnutls_free(text.data);
}

// Do both belong together, and for how long? *ret_until: Unix time.
static int check(const struct tls_pair *p, bool tell, time_t *ret_until)
{
    gnutls_x509_crt_t *list = NULL;
    unsigned n = 0;
    gnutls_certificate_credentials_t both = NULL;
    const gnutls_datum_t crt = {(unsigned char *)p->certificate, (unsigned)strlen(p->certificate)};
    const gnutls_datum_t key = {(unsigned char *)p->key, (unsigned)strlen(p->key)};
    int r = gnutls_certificate_allocate_credentials(&both);
    if (r >= 0)
        r = gnutls_certificate_set_x509_key_mem(both, &crt, &key, GNUTLS_X509_FMT_PEM);
    if (r >= 0)
        r = gnutls_x509_crt_list_import2(&list, &n, &crt, GNUTLS_X509_FMT_PEM, 0);
    if (r >= 0 && n > 0) {
        *ret_until = gnutls_x509_crt_get_expiration_time(list[0]);
        if (tell)
            log_pin(list[0]);
    }
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crt_deinit(list[i]);
    gnutls_free(list);
    if (both)
        gnutls_certificate_free_credentials(both);
    return r < 0 ? r : n > 0 ? 0 : GNUTLS_E_NO_CERTIFICATE_FOUND;
}

// Making one

static int name_it(gnutls_x509_crt_t crt)
{
    static const unsigned char v4[] = {127, 0, 0, 1};
    static const unsigned char v6[16] = {[15] = 1};
    char host[256] = "";
    (void)gethostname(host, sizeof(host) - 1);
    const char *name = *host ? host : "localhost";
    const struct {
        gnutls_x509_subject_alt_name_t type;
        const void *data;
        size_t len;
    } names[] = {
        {GNUTLS_SAN_DNSNAME, name, strlen(name)},
        {GNUTLS_SAN_DNSNAME, "localhost", strlen("localhost")},
        {GNUTLS_SAN_IPADDRESS, v4, sizeof(v4)},
        {GNUTLS_SAN_IPADDRESS, v6, sizeof(v6)},
    };
    int r = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                          (unsigned)MIN_OF(strlen(name), (size_t)64));
    for (size_t i = 0; r >= 0 && i < ARRAY_LEN(names); i++)
        r = gnutls_x509_crt_set_subject_alt_name(crt, names[i].type, names[i].data,
                                                 (unsigned)names[i].len,
                                                 i == 0 ? GNUTLS_FSAN_SET : GNUTLS_FSAN_APPEND);
    return r;
}

static int fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
    unsigned char serial[16], id[32];
    size_t len = sizeof(id);
    time_t now = (time_t)(clock_real_ns(&clock_system) / NS_PER_S);
    int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
    serial[0] &= 0x7F;
    if (r >= 0)
        r = gnutls_x509_crt_set_version(crt, 3);
    if (r >= 0)
        r = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
    if (r >= 0)
        r = gnutls_x509_crt_set_activation_time(crt, now - 3600);
    if (r >= 0)
        r = gnutls_x509_crt_set_expiration_time(crt, now + LIFE_S);
    if (r >= 0)
        r = name_it(crt);
    if (r >= 0)
        r = gnutls_x509_crt_set_key(crt, key);
    if (r >= 0)
        r = gnutls_x509_crt_set_basic_constraints(crt, 1, 0);
    if (r >= 0)
        r = gnutls_x509_crt_set_key_usage(crt,
                                          GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_CERT_SIGN);
    if (r >= 0)
        r = gnutls_x509_crt_get_key_id(crt, 0, id, &len);
    if (r >= 0)
        r = gnutls_x509_crt_set_subject_key_id(crt, id, len);
    return r < 0 ? r : gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
}

static int export_both(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, struct tls_pair *ret)
{
    gnutls_datum_t a = {0}, b = {0};
    int r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &a);
    if (r >= 0)
        r = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &b);
    if (r >= 0) {
        ret->certificate = mem_strndup((const char *)a.data, a.size);
        ret->key = mem_strndup((const char *)b.data, b.size);
        explicit_bzero(b.data, b.size);
    }
    gnutls_free(a.data);
    gnutls_free(b.data);
    return r;
}

static int make(struct tls_pair *ret)
{
    gnutls_x509_crt_t crt = NULL;
    gnutls_x509_privkey_t key = NULL;
    int r = gnutls_x509_crt_init(&crt);
    if (r >= 0)
        r = gnutls_x509_privkey_init(&key);
    if (r >= 0)
        r = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                         GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (r >= 0)
        r = fill(crt, key);
    if (r >= 0)
        r = export_both(crt, key, ret);
    if (key)
        gnutls_x509_privkey_deinit(key);
    if (crt)
        gnutls_x509_crt_deinit(crt);
    return r;
}

static int write_file(const char *path, const char *text, mode_t mode, struct err *err)
{
    CLEANUP(freep) char *fresh = mem_printf("%s.new", path);
    (void)unlink(fresh);
    CLEANUP(closep) int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    int r = fd < 0 ? -errno : fs_write_all(fd, text, strlen(text));
    if (r == 0 && (fsync(fd) < 0 || rename(fresh, path) < 0))
        r = -errno;
    return r < 0 ? err_set(err, -r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

// Beside act's directory, which only act may look into.
static char *own_directory(const struct conf *conf)
{
    CLEANUP(freep) char *state = conf_act_state(conf);
    char *slash = strrchr(state, '/');
    *slash = '\0';
    return mem_printf("%s/tls", state);
}

static int make_directories(const char *path, struct err *err)
{
    CLEANUP(freep) char *copy = mem_strdup(path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(copy, 0755);
        *slash = '/';
    }
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return err_set(err, errno, "cannot make the directory %s: %s", path, strerror(errno));
    return 0;
}

static int renew(const char *certificate, const char *key, struct tls_pair *ret, struct err *err)
{
    tls_pair_done(ret);
    int r = make(ret);
    if (r < 0)
        return err_set(err, EIO, "cannot make a certificate: %s", gnutls_strerror(r));
    r = write_file(key, ret->key, 0600, err);
    if (r == 0)
        r = write_file(certificate, ret->certificate, 0644, err);
    if (r == 0)
        log_info("HTTPS: made a certificate, %s", certificate);
    return r;
}

static int load_own(const struct conf *conf, struct tls_pair *ret, struct err *err)
{
    CLEANUP(freep) char *dir = own_directory(conf);
    CLEANUP(freep) char *certificate = mem_printf("%s/certificate.pem", dir);
    CLEANUP(freep) char *key = mem_printf("%s/key.pem", dir);
    struct err ignored;
    time_t until = 0, now = (time_t)(clock_real_ns(&clock_system) / NS_PER_S);
    int r = make_directories(dir, err);
    if (r < 0)
        return r;
    bool good = read_pem(certificate, &ret->certificate, &ignored) == 0 &&
                read_pem(key, &ret->key, &ignored) == 0 && check(ret, false, &until) == 0;
    return good && until - now > RENEW_S ? 0 : renew(certificate, key, ret, err);
}

static int load(const struct conf *conf, struct tls_pair *ret, struct err *err)
{
    time_t until = 0;
    bool own = !*conf->web.tls_certificate && !*conf->web.tls_key;
    if (!own && (!*conf->web.tls_certificate || !*conf->web.tls_key))
        return err_set(err, EINVAL, "web.tls_certificate and web.tls_key belong together");
    int r = own ? load_own(conf, ret, err)
                : read_pem(conf->web.tls_certificate, &ret->certificate, err);
    if (r == 0 && !own)
        r = read_pem(conf->web.tls_key, &ret->key, err);
    if (r < 0)
        return r;
    r = check(ret, true, &until);
    return r < 0 ? err_set(err, EINVAL, "the certificate and key for HTTPS cannot be used: %s",
                           gnutls_strerror(r))
                 : 0;
}

int tls_load(const struct conf *conf, struct tls_pair *ret, struct err *err)
{
    struct tls_pair pair = {0};
    *ret = pair;
    if (conf->web.tls_listen.n == 0)
        return 0;
    int r = load(conf, &pair, err);
    if (r < 0)
        tls_pair_done(&pair);
    else
        *ret = pair;
    return r;
}
