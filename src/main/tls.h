// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MAIN_TLS_H
#define MAIN_TLS_H

#include "base/err.h"
#include "conf/conf.h"

/** Certificate and private key in PEM; owned, NULL where no HTTPS is wanted. */
struct tls_pair {
    char *certificate;
    char *key;
};

/** Free; the key is wiped. */
void tls_pair_done(struct tls_pair *p);

/**
 * Read the files that web.tls_certificate and web.tls_key name, or those of a certificate that
 * signs itself, which is made where it is missing or has less than 30 days left: ECDSA P-256, for
 * this machine's name, localhost and the loopback addresses, 825 days. It is kept beside act.state,
 * its key for its owner only. Checks that the two belong together. 0 or -errno with a sentence.
 */
int tls_load(const struct conf *conf, struct tls_pair *ret, struct err *err);

#endif
