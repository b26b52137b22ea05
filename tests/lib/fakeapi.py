# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients in front of the made-up API of tests/tools/fake_api.py."""

import contextlib
import os
import subprocess
import sys
import tempfile

from vherd import ROOT

PROGRAM = os.path.join(ROOT, os.environ.get("VHERD_BUILD", "build"), "src", "main", "vherd")
SERVER = os.path.join(ROOT, "tests", "tools", "fake_api.py")


class FakeApi:
    """A made-up daemon on a Unix socket in a folder of its own; use as a context manager."""

    def __init__(self, *options):
        self.options = options
        self.directory = tempfile.mkdtemp(prefix="vherd-test-")
        self.socket = os.path.join(self.directory, "vherd.sock")
        self.process = None

    def start(self):
        self.process = subprocess.Popen([sys.executable, SERVER, self.socket, *self.options],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        text=True)
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError("the fake API did not start")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process.stdout.close()
            self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.stop()
        with contextlib.suppress(OSError):
            os.rmdir(self.directory)

    def run(self, *arguments, **options):
        """`vherd ARGUMENTS` against it, as vherd() below."""
        return vherd("--socket", self.socket, *arguments, **options)


def vherd(*arguments, environment=None, **options):
    """(exit status, standard output, standard error) of the program."""
    base = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    done = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(base, **(environment or {})), **options)
    return done.returncode, done.stdout.decode(), done.stderr.decode()
