// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NOTIFY_MESSAGE_H
#define NOTIFY_MESSAGE_H

/*
 * The forms that a message takes on its way. A message is JSON as Alertmanager's webhooks have it
 * (version 4), with `id`, `host`, `subject` and `text` besides.
 */

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "conf/tell.h"

/** An alert within a message, for notify_message_put(). Borrowed. */
struct notify_item {
    const struct alert *alert;
    bool is_resolved;
    const char *acknowledged; /**< by whom; NULL */
};

struct notify_draft {
    const char *id, *receiver, *host, *external_url;
    const char *group_key;
    const struct labels *group_labels;
    const struct notify_item *item; /**< firing ones first */
    size_t n, max;                  /**< all; how many of them are named */
    int64_t now_ms;
    bool is_test;
    bool passes_on; /**< to an Alertmanager: alerts say until when to believe them */
};

/** The message as JSON. */
void notify_message_put(const struct notify_draft *d, struct buf *out);

/** "[FIRING] VmCrashed: db on host1". One line. */
void notify_subject(const struct notify_draft *d, struct buf *out);

/** What a person reads: for each alert which VM, what, since when, what to look at. */
void notify_text(const struct notify_draft *d, struct buf *out);

/**
 * Body of a POST to Alertmanager's /api/v2/alerts. A firing alert ends as long after now as its
 * rule said (4 times the rule's interval or rules.resend_delay, whichever is longer), so that one
 * that waited in the queue does not count as over when it comes.
 */
int notify_form_alertmanager(const json_t *message, int64_t now_ms, struct buf *out);

/**
 * A mail with its header (RFC 5322), lines ending in CRLF: plain text in UTF-8. `from` and `to` are
 * checked addresses. `Message-ID` comes from the message's id.
 */
int notify_form_mail(const json_t *message, const char *from, const struct conf_list *to,
                     int64_t now_ms, struct buf *out);

/**
 * Nagios' external commands, a line for each service ("[time] PROCESS_SERVICE_CHECK_RESULT;…"), or
 * (`nsca`) lines for send_nsca: host, service, code, output, with tabs between.
 */
int notify_form_nagios(const json_t *message, const struct conf_receiver *r, int64_t now_ms,
                       bool nsca, struct buf *out);

/** One entry of the journal for each alert, in its native protocol; call `each` with each. */
int notify_form_journal(const json_t *message, void (*each)(void *arg, const char *entry, size_t n),
                        void *arg);

/** "t=UNIXSECONDS,v1=HEX": HMAC-SHA-256 of "UNIXSECONDS.BODY" under `key`. */
void notify_sign(const char *key, int64_t now_s, const char *body, size_t len, struct buf *out);

#endif
