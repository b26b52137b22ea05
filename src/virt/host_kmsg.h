// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_KMSG_H
#define VIRT_HOST_KMSG_H

#include <stdint.h>

#include "host_parse.h"
#include "model/batch.h"

/** The kernel's messages from now on, counted by kind. */
struct kmsg {
    int fd;
    int error; /**< -errno where it cannot be read */
    uint64_t counts[KMSG_MAX];
};

/** Begin behind the newest message of dev/kmsg below `root`. */
void kmsg_open(struct kmsg *k, int root);

/** Count what came since, and write the facts. Never waits. */
void kmsg_sample(struct kmsg *k, char *buf, size_t size, struct batch *b);

void kmsg_close(struct kmsg *k);

#endif
