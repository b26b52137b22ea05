# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: dead_mount.py DIRECTORY

Mounts a file system there whose server never answers, as a network's storage that has gone: who
looks into the directory waits until this process ends. Says "mounted" once it is so.
"""

import ctypes
import os
import signal
import sys


def main(directory):
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"dead", directory.encode(), b"fuse", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), directory)
    print("mounted", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
