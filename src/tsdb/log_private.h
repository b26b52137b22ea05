// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_LOG_PRIVATE_H
#define TSDB_LOG_PRIVATE_H

/* What log_write.c and log_sync.c share. All but log_run_sync() are called by the log thread. */

#include "log.h"

/** Whether nobody needs the segment any more. */
bool log_is_deleted(struct log *l, uint64_t segment);

/** Whether somebody else removed the file that is being written. */
bool log_was_removed(struct log *l);

/** Fsync what was written, here and now. 0, -ESTALE (the file was removed), -errno. */
int log_sync_file(struct log *l);

/** The same, and wait for what the other thread has. */
int log_sync_now(struct log *l);

/** Hand the file to the thread that fsyncs; false: it has another one waiting already. */
bool log_hand_to_sync(struct log *l);

/** Have what was written fsynced, without waiting for it; true: it is under way. */
bool log_begin_sync(struct log *l);

/** The thread that fsyncs. */
void *log_run_sync(void *log);

/** Once it has done what waits, end it. */
void log_end_sync_thread(struct log *l);

#endif
