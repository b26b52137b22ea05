# SPDX-License-Identifier: GPL-3.0-or-later
"""A small file system in memory, which can be filled."""

import errno
import os
import subprocess
import tempfile
import unittest

SIZE = 4 << 20


class SmallDisk:
    """Needs root; where nothing can be mounted, whoever asks for one is skipped."""

    def __enter__(self):
        if os.geteuid() != 0:
            raise unittest.SkipTest("mounting a small file system needs root")
        self.top = tempfile.mkdtemp(prefix="vherd-disk-")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "vherd-test", self.top],
                              stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            os.rmdir(self.top)
            raise unittest.SkipTest(f"no small file system can be mounted: {done.stderr.strip()}")
        self.ballast = os.path.join(self.top, "ballast")
        return self

    def __exit__(self, *unused):
        subprocess.run(["umount", "-l", self.top], check=True)
        os.rmdir(self.top)

    def fill(self, leave=0):
        """Up to the last page, also where somebody else takes some meanwhile; then `leave` bytes
        are given back."""
        file = os.open(self.ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            while os.write(file, bytes(4096)):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            os.truncate(file, max(0, os.fstat(file).st_size - leave))
        finally:
            os.close(file)

    def free(self):
        os.unlink(self.ballast)
