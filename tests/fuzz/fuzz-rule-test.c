// SPDX-License-Identifier: GPL-3.0-or-later
// Files of rules' tests, without rule files, which would be read from the disk.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "test_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct test_file file;
    struct rule_errors errors = {0};
    int r = test_file_read("fuzz", (const char *)data, size, &file, &errors);
    if ((r < 0) != (errors.n > 0) || (r < 0 && errors.err[0].message[0] == '\0'))
        abort();
    test_file_done(&file);
    rule_errors_done(&errors);
    return 0;
}
