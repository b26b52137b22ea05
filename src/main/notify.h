// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MAIN_NOTIFY_H
#define MAIN_NOTIFY_H

/** Tell systemd ("READY=1") where $NOTIFY_SOCKET says that it listens; otherwise nothing. */
void notify_systemd(const char *state);

#endif
