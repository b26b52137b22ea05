// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TUI_FEED_H
#define TUI_FEED_H

#include "model.h"
#include "net/http.h"

/**
 * A thread that asks the daemon each second, so that the screen never waits for it. The two sides
 * share one slot under a lock; nothing sleeps with the lock held.
 */
struct tui_feed;

/** Start; the caller owns the result. NULL with errno set where there is no thread to be had. */
struct tui_feed *tui_feed_new(const struct http_target *target);

/**
 * Stop it. A request under way is waited for 300 ms at most; then the thread is left behind with
 * its memory, for the process is about to end.
 */
void tui_feed_stop(struct tui_feed *p);

/** Readable when there is news. */
int tui_feed_fd(const struct tui_feed *p);

/** The VM whose detail is wanted from now on (copied); NULL = none. Wakes the thread. */
void tui_feed_want(struct tui_feed *p, const char *uuid);

/** Move the news into the model; what did not come this time stays as it was. */
void tui_feed_take(struct tui_feed *p, struct tui_model *m);

#endif
