// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"

static char said[300000];

// Runs one log call with standard error going to a file; the text is left in `said`.
#define CAPTURE(call)                                                                              \
    do {                                                                                           \
        FILE *file = tmpfile();                                                                    \
        int keep = dup(STDERR_FILENO);                                                             \
        assert_non_null(file);                                                                     \
        dup2(fileno(file), STDERR_FILENO);                                                         \
        call;                                                                                      \
        dup2(keep, STDERR_FILENO);                                                                 \
        close(keep);                                                                               \
        rewind(file);                                                                              \
        said[fread(said, 1, sizeof(said) - 1, file)] = '\0';                                       \
        fclose(file);                                                                              \
    } while (0)

static void line_names_process_and_level(void **state)
{
    log_setup("vherd-test", LOG_LEVEL_INFO);
    CAPTURE(log_warning("disk %d%%", 95));
    assert_string_equal(said, "vherd-test: warning: disk 95%\n");
}

static void less_important_lines_are_left_out(void **state)
{
    log_setup("vherd-test", LOG_LEVEL_WARNING);
    CAPTURE(log_info("x"));
    assert_string_equal(said, "");
    log_set_level(LOG_LEVEL_DEBUG);
    CAPTURE(log_debug("y"));
    assert_string_equal(said, "vherd-test: debug: y\n");
}

static void text_cannot_forge_lines(void **state)
{
    log_setup("vherd-test", LOG_LEVEL_INFO);
    CAPTURE(log_info("VM %s", "a\nvherd-core: error: \x1b[2J"));
    assert_string_equal(said, "vherd-test: info: VM a\\x0avherd-core: error: \\x1b[2J\n");
}

static void longest_line_still_ends(void **state)
{
    CLEANUP(freep) char *text = mem_zalloc(200001);
    memset(text, 'x', 200000);
    log_setup("vherd-test", LOG_LEVEL_INFO);
    CAPTURE(log_info("%s", text));
    size_t len = strlen(said);
    assert_true(len > 1000);
    assert_int_equal(said[len - 1], '\n');
    assert_memory_equal(said, "vherd-test: info: xxx", 21);
    memset(text, '\n', 200000);
    CAPTURE(log_info("%s", text));
    len = strlen(said);
    assert_true(len > 1000);
    assert_ptr_equal(strchr(said, '\n'), said + len - 1);
}

static void journal_gets_priorities(void **state)
{
    setenv("JOURNAL_STREAM", "8:1", 1);
    log_setup("vherd-test", LOG_LEVEL_DEBUG);
    CAPTURE(log_error("e"));
    assert_string_equal(said, "<3>vherd-test: error: e\n");
    CAPTURE(log_debug("d"));
    assert_string_equal(said, "<7>vherd-test: debug: d\n");
    unsetenv("JOURNAL_STREAM");
}

static void errno_survives(void **state)
{
    log_setup("vherd-test", LOG_LEVEL_INFO);
    int keep = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = ENOSPC;
    log_error("nobody hears this");
    int after = errno;
    dup2(keep, STDERR_FILENO);
    close(keep);
    assert_int_equal(after, ENOSPC);
}

static void every_level_has_a_name(void **state)
{
    static const char *const names[LOG_LEVEL_MAX] = {"error", "warning", "info", "debug"};
    for (int i = 0; i < LOG_LEVEL_MAX; i++)
        assert_string_equal(log_level_name((enum log_level)i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_names_process_and_level),
        cmocka_unit_test(less_important_lines_are_left_out),
        cmocka_unit_test(text_cannot_forge_lines),
        cmocka_unit_test(longest_line_still_ends),
        cmocka_unit_test(journal_gets_priorities),
        cmocka_unit_test(errno_survives),
        cmocka_unit_test(every_level_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
