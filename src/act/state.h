// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ACT_STATE_H
#define ACT_STATE_H

// act's database: accounts, tokens, sessions, audit log, and what other parts add to `schemas` in
// state.c. While it cannot be opened everything that needs it is refused, and it is tried again;
// core goes on watching.

#include "auth/account.h"
#include "auth/backoff.h"
#include "auth/grant.h"
#include "conf/conf.h"
#include "store/audit.h"
#include "store/store.h"

struct act_state {
    char *directory;
    struct store *store; // NULL while it is not open
    struct audit *audit;
    struct accounts *accounts;
    struct grant_key key;
    bool has_key; // the supervisor has said it
    int64_t retry_ns, sweep_ns, head_ns;
    struct err err;      // why it is not open
    int64_t refusals_ns; // when the next refusal may be written, for floods
    unsigned unwritten;  // refusals since
};

// The directory in force, made where it is missing: what is confined later can hold on to it.
// Before the first state_ready(). The key must have come.
void state_init(struct act_state *s, const struct conf *conf);
void state_done(struct act_state *s);

// Open it where it is not, at most every 5 s; false with s->err set.
bool state_ready(struct act_state *s, int64_t now_ns);

// What is due by time: forget what is over, write the chain's head to the log once a day.
void state_step(struct act_state *s, int64_t now_ns);

// Write a refusal to the audit log. In a flood, of which the log would fill the disk, some are
// counted only, and the count is written with the next.
void state_refused(struct act_state *s, const struct audit_entry *e, int64_t now_ns);

// Check a request's grant. 0, or an HTTP status.
int state_check_grant(const struct act_state *s, const char *text, struct grant *ret);

#endif
