// SPDX-License-Identifier: GPL-3.0-or-later
// What the store has to say of itself.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fault.h"
#include "store.h"

#define NOTES_MAX 256

static void keep(struct tsdb *db, char *text)
{
    if (db->n_notes == NOTES_MAX) {
        free(db->note[0]);
        memmove(&db->note[0], &db->note[1], --db->n_notes * sizeof(db->note[0]));
    }
    mem_grow(&db->note, &db->notes_cap, db->n_notes, sizeof(db->note[0]));
    db->note[db->n_notes++] = text;
    db->noted++;
}

void store_note(struct tsdb *db, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&db->notes_lock);
    keep(db, mem_strdup(text));
    pthread_mutex_unlock(&db->notes_lock);
}

void store_damaged(struct tsdb *db, const struct block *b)
{
    pthread_mutex_lock(&db->notes_lock);
    bool is_known = db->n_damaged == ARRAY_LEN(db->damaged);
    for (size_t i = 0; i < db->n_damaged; i++)
        is_known |= db->damaged[i] == b->meta.serial;
    if (!is_known) {
        db->damaged[db->n_damaged++] = b->meta.serial;
        db->unreadable++;
        keep(db, fault_is_hit(b->guard)
                     ? mem_printf("block %s: the disk does not give back all of it (%s); it is "
                                  "missing from answers until the next start",
                                  b->name, strerror(EIO))
                     : mem_printf("block %s is damaged in part: what is whole is read, the rest is "
                                  "missing from answers",
                                  b->name));
    }
    pthread_mutex_unlock(&db->notes_lock);
}

void store_disk_error(struct tsdb *db, int error)
{
    pthread_mutex_lock(&db->notes_lock);
    if (error && db->disk_error != error)
        keep(db, mem_printf("writing blocks in %s failed: %s; it is tried again", db->path,
                            strerror(-error)));
    else if (!error && db->disk_error)
        keep(db, mem_printf("blocks are written again in %s", db->path));
    if (!db->disk_error && error)
        db->disk_error_since_ms = store_now_ms(db);
    db->disk_error = error;
    pthread_mutex_unlock(&db->notes_lock);
}

void tsdb_news(struct tsdb *db, uint64_t *seen, struct query_texts *ret)
{
    pthread_mutex_lock(&db->notes_lock);
    size_t n = (size_t)MIN_OF(db->noted - *seen, (uint64_t)db->n_notes);
    *ret = (struct query_texts){mem_zalloc((n + 1) * sizeof(char *)), 0};
    for (size_t i = db->n_notes - n; i < db->n_notes; i++)
        ret->text[ret->n++] = mem_strdup(db->note[i]);
    *seen = db->noted;
    pthread_mutex_unlock(&db->notes_lock);
}

int tsdb_notes(struct tsdb *db, struct query_texts *ret)
{
    pthread_mutex_lock(&db->log.lock);
    int log_error = db->log.error;
    uint64_t waiting = db->log.unwritten_bytes, dropped = db->log.dropped_bytes;
    pthread_mutex_unlock(&db->log.lock);
    pthread_mutex_lock(&db->notes_lock);
    *ret = (struct query_texts){mem_zalloc((db->n_notes + 2) * sizeof(char *)), 0};
    for (size_t i = 0; i < db->n_notes; i++)
        ret->text[ret->n++] = mem_strdup(db->note[i]);
    pthread_mutex_unlock(&db->notes_lock);
    if (log_error)
        ret->text[ret->n++] = mem_printf("the log cannot be written: %s; %llu bytes wait in memory",
                                         strerror(-log_error), (unsigned long long)waiting);
    if (dropped > 0)
        ret->text[ret->n++] =
            mem_printf("%llu bytes of log were given up while the disk could not be written; their "
                       "samples are in memory only until the next block",
                       (unsigned long long)dropped);
    return 0;
}
