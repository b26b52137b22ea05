# SPDX-License-Identifier: GPL-3.0-or-later
"""The real daemon over a store that holds a file of samples, asked as the peers are."""

import os
import subprocess

import building
import promqlpeer
import vherd

FOREVER = "36500d"


def fill(directory, samples, copies=1):
    """Make a store of a file of samples; as tests/tools/tsdb-load.c says."""
    program = os.path.join(building.ROOT, "build", "tests", "tsdb-load")
    if not building.build("build", None, ["tests/tsdb-load"]):
        raise AssertionError("tests/tsdb-load does not build")
    subprocess.run([program, directory, samples, str(copies)], check=True,
                   stdout=subprocess.DEVNULL, timeout=1200)


class Stored(promqlpeer.Peer):
    """Use as a context. The daemon is `make(config)`: a vherd.Daemon or one that behaves so."""

    name = "vherd"

    def __init__(self, samples, copies=1, make=vherd.Daemon, config=None):
        super().__init__(None)
        merged = {"libvirt": {"uri": "memory:///?vms=1"},
                  "web": {"listen": [f"127.0.0.1:{self.port}"]},
                  "store": {"keep": FOREVER, "keep_minute": FOREVER, "keep_hour": FOREVER}}
        for section, keys in (config or {}).items():
            merged.setdefault(section, {}).update(keys)
        self.daemon = make(config=merged)
        try:
            fill(self.daemon.store, samples, copies)
        except BaseException:
            self.daemon.close()
            raise

    def __enter__(self):
        self.daemon.__enter__()
        return self

    def __exit__(self, *unused):
        self.daemon.close()

    def pids(self):
        return self.daemon.processes()
