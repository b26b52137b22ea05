// SPDX-License-Identifier: GPL-3.0-or-later
// The level and name are set once at start (and on reload) by the main thread.
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/esc.h"
#include "base/fs.h"
#include "base/mem.h"

#define TEXT_MAX 8000 // longer messages are cut; escaping makes a byte at most 8

static const char *process_name = "vherd";
static _Atomic enum log_level least = LOG_LEVEL_INFO;
static bool under_journal;

static const struct {
    const char *name;
    int priority; // syslog's
} levels[LOG_LEVEL_MAX] = {
    [LOG_LEVEL_ERROR] = {"error", 3},
    [LOG_LEVEL_WARNING] = {"warning", 4},
    [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_DEBUG] = {"debug", 7},
};

const char *log_level_name(enum log_level level)
{
    return levels[level].name;
}

void log_setup(const char *process, enum log_level level)
{
    process_name = process;
    least = level;
    under_journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_set_level(enum log_level level)
{
    least = level;
}

void log_write(enum log_level level, const char *format, ...)
{
    if (level > least)
        return;
    int saved = errno;
    CLEANUP(freep) char *text = NULL;
    va_list ap;
    va_start(ap, format);
    int n = vasprintf(&text, format, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n > TEXT_MAX)
        text[TEXT_MAX] = '\0';
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, TEXT_MAX * 8 + 256);
    if (under_journal)
        buf_printf(&line, "<%d>", levels[level].priority);
    buf_printf(&line, "%s: %s: ", process_name, levels[level].name);
    esc_terminal(&line, text);
    buf_putc(&line, '\n');
    if (line.data)
        (void)fs_write_all(STDERR_FILENO, line.data, line.len);
    errno = saved;
}
