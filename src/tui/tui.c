// SPDX-License-Identifier: GPL-3.0-or-later
#include "tui/tui.h"

#include <errno.h>

int tui_run(const struct tui_params *params, struct err *err)
{
    return err_set(err, ENOSYS, "`vherd top` is not built in yet");
}
