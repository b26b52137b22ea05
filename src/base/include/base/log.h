// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_MAX,
};

/** "error", "warning", "info", "debug". */
const char *log_level_name(enum log_level level);

/** Which process speaks ("core"), and the least important level that is written. Not copied. */
void log_setup(const char *process, enum log_level level);
void log_set_level(enum log_level level);

/**
 * One line on standard error, in one write(): "vherd-core: warning: …". The text is made safe
 * for a terminal; under systemd (JOURNAL_STREAM) it carries a priority prefix.
 */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
