// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NET_REMOTE_WRITE_PRIVATE_H
#define NET_REMOTE_WRITE_PRIVATE_H

#include "net/remote_write.h"

/** The family of which this is a sample's metric name; NULL where none is known. */
const struct expo_family *rw_metadata_of(const struct rw_metadata *m, const char *metric);
const struct expo_family *rw_metadata_at(const struct rw_metadata *m, size_t i);

#endif
