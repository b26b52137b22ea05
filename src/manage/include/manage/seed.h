// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_SEED_H
#define MANAGE_SEED_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

/** Largest image. */
#define SEED_BYTES_MAX ((size_t)16 * 1024 * 1024)

/** The three files of a NoCloud seed, by their names there: user-data, meta-data, network-config.
 * The caller owns the texts. */
struct seed {
    char *user_data, *meta_data, *network_config;
};

void seed_done(struct seed *s);

/**
 * Out of the fields of vm.create (seed, seed_users, seed_packages, seed_commands; checked by
 * deed_check()). Values are encoded as JSON, which is YAML: none can become a key of its own.
 * `instance` is cloud-init's instance-id; `name` the host name where no other is given. -EINVAL
 * with the field. Pure.
 * Source of the format: cloudinit.readthedocs.io, datasources/nocloud and network-config v2.
 */
int seed_write(const json_t *body, const char *instance, const char *name, struct seed *ret,
               struct err *err);

/**
 * The files as an ISO 9660 image with Rock Ridge and Joliet, labelled "cidata", appended to `out`.
 * Made by libisofs, which runs a thread meanwhile. 0 or -errno.
 */
int seed_image(const struct seed *s, struct buf *out, struct err *err);

#endif
