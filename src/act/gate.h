// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ACT_GATE_H
#define ACT_GATE_H

// The connection to web, over which it asks whose a credential is (net/gate.h).

#include <uv.h>

#include "net/ipc.h"
#include "state.h"

struct login;

struct gate {
    uv_loop_t *loop;
    struct act_state *state;
    struct ipc *ipc; // NULL while web is away
    uv_poll_t poll;
    bool closing;
    int waiting_fd;      // a new web that came while the old one was closing; -1 = none
    unsigned connection; // counts them: an answer is for the one that asked
    struct backoff *accounts, *addresses;
    struct login *logins; // waiting for their turn
    size_t n_logins;
    bool running;
};

void gate_init(struct gate *g, uv_loop_t *loop, struct act_state *state);
void gate_connect(struct gate *g, int fd);

// Rights were taken away: web asks again about every credential that it has had an answer for.
void gate_flush(struct gate *g);

#endif
