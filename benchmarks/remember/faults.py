# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is full for a while, clocks that are set, and what must be right beside the figures."""

import os
import time

import fuzzing
import suites
import tsdbcrash
from smalldisk import SmallDisk

PAUSE_US = 5000
AGAIN_MAX_S = 10
FUZZED = {"OpenMetrics": "expo", "WAL": "tsdb-log", "block file": "tsdb-block",
          "configuration": "conf", "snappy and protobuf": "remote-write"}

# The cases mostly wait: by version and first letter, and the test of the list itself.
SENDER_LANES = (*(f"*.Sender.test_{letters}*_v{version}" for version in (1, 2)
                  for letters in ("[A-Z]", "[a-l]", "[m-z]")), "*_reason")


def full_disk(report, seconds):
    with SmallDisk() as disk:
        store = os.path.join(disk.top, "store")
        load = tsdbcrash.Load(store, 0, PAUSE_US)
        load.wait_for("samples", lambda: len(load.batches) > 200, 60)
        disk.fill()
        load.wait_for("full disk", lambda: load.disk[0] != 0, 60)
        time.sleep(seconds)
        disk.free()
        begin = time.monotonic()
        load.wait_for("writing again", lambda: load.disk[0] == 0, 60)
        again = time.monotonic() - begin
        freed_at = len(load.batches)
        load.wait_for("more samples", lambda: len(load.batches) > freed_at + 300, 60)
        safe = load.kill()
        if safe <= freed_at:
            raise AssertionError("what came after the disk was freed is not safe")
        tsdbcrash.run("check", store, safe)  # restarted: each batch before that is there
    report.at_most(f"disk full for {seconds} s, freed: writing again after", again, "s",
                   AGAIN_MAX_S)
    report.row("– batches found whole after a kill and a restart", safe, "")


def clocks(report):
    suites.unit_cases(report, "clock −1 h, +1 h, 1970: nothing lost, no negative interval",
                      ("tsdb-store", "keep"), "clock")


def sender(report):
    suites.unittests(report, "remote write sender cases", "test_remote_write_sender.Sender",
                    SENDER_LANES)


def fuzz(report, seconds):
    fuzzing.run(report, FUZZED, seconds)
