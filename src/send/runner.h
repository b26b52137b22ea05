// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SEND_RUNNER_H
#define SEND_RUNNER_H

/*
 * A process beside vherd-send that does what its sandbox forbids, and only that: it runs the
 * programs that the configuration names, and writes to Nagios' command files. It is started before
 * the sandbox is entered, knows the configuration by heart, and is told no more than a receiver's
 * number and what to give on standard input.
 */

#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"
#include "net/ipc.h"

#define RUNNER_WHY_MAX 512

/** Start it where a receiver needs it; *ret is then the channel to it, else NULL. */
int runner_start(const struct conf *conf, struct ipc **ret, struct err *err);

/**
 * Have a receiver (by its number in the configuration) take `input`; answered by a frame with `id`
 * whose status is 0 where it did, else 1 and a payload that says why. 0 or -errno.
 */
int runner_ask(struct ipc *runner, uint32_t id, size_t receiver, const char *input, size_t len);

#endif
