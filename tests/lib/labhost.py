# SPDX-License-Identifier: GPL-3.0-or-later
def down_all():
    pass
