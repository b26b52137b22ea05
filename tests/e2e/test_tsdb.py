# SPDX-License-Identifier: GPL-3.0-or-later
"""The store under kill -9, damaged files and a full disk. Counts are higher with --long."""

import os
import unittest

import smalldisk
import tsdbcrash

LONG = bool(os.environ.get("VHERD_TEST_LONG"))
# Each byte with --long; else so many places over the whole file, its ends included.
PLACES = None if LONG else 250


def places(size):
    if PLACES is None or size <= PLACES:
        return range(size)
    return sorted({i * (size - 1) // (PLACES - 1) for i in range(PLACES)})


class Kill(unittest.TestCase):
    def test_kill_at_random(self):
        slowest, safe, failures = tsdbcrash.kill_many(2000 if LONG else 200, 8)
        self.assertEqual(failures, [])
        self.assertGreater(safe, 1000, "the rounds were too short to show anything")


class Damaged(unittest.TestCase):
    def test_log_cut_anywhere(self):
        with tsdbcrash.Damage() as damage:
            size, ends = damage.size("log"), damage.record_ends()
            self.assertIn(size, ends)
            for length in places(size):
                with self.subTest(length=length):
                    # Six batches are in the block and stay.
                    damage.damaged("log", tsdbcrash.cut(length), 6 * tsdbcrash.SERIES,
                                   silent=length in ends)

    def test_log_bit_flipped_anywhere(self):
        with tsdbcrash.Damage() as damage:
            for at in places(damage.size("log")):
                with self.subTest(at=at):
                    # One batch; a description is there twice, and is not missed.
                    damage.damaged("log", tsdbcrash.flip(at, at % 8), tsdbcrash.SERIES)

    def test_block_cut_anywhere(self):
        with tsdbcrash.Damage() as damage:
            for length in places(damage.size("blocks")):
                with self.subTest(length=length):
                    copy = damage.damaged("blocks", tsdbcrash.cut(length), 6 * tsdbcrash.SERIES)
                    names = os.listdir(os.path.join(copy, "blocks"))
                    self.assertTrue(any(name.endswith(".bad") for name in names), names)

    def test_block_bit_flipped_anywhere(self):
        with tsdbcrash.Damage() as damage:
            size = damage.size("blocks")
            for at in places(size):
                with self.subTest(at=at):
                    copy = damage.damaged("blocks", tsdbcrash.flip(at, at % 8),
                                          6 * tsdbcrash.SERIES)
                    kept = [os.path.getsize(os.path.join(copy, "blocks", name))
                            for name in os.listdir(os.path.join(copy, "blocks"))]
                    self.assertIn(size, kept, "a damaged block is never deleted")


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.disk = self.enterContext(smalldisk.SmallDisk())
        self.store = os.path.join(self.disk.top, "store")

    def test_full_freed_restarted(self):
        load = tsdbcrash.Load(self.store, 0, 5000)
        load.wait_for("samples", lambda: len(load.batches) > 200, 60)
        self.disk.fill(leave=64 << 10)
        load.wait_for("full disk", lambda: load.disk[0] != 0, 60)
        full_at = len(load.batches)
        load.wait_for("samples in memory", lambda: len(load.batches) > full_at + 400, 60)
        self.disk.free()
        load.wait_for("writing again", lambda: load.disk[0] == 0, 10)
        freed_at = len(load.batches)
        load.wait_for("more samples", lambda: len(load.batches) > freed_at + 300, 60)
        safe = load.kill()
        self.assertGreater(safe, freed_at)
        tsdbcrash.run("check", self.store, safe)

    def test_restarted_while_full(self):
        load = tsdbcrash.Load(self.store, 0, 5000)
        load.wait_for("samples", lambda: len(load.batches) > 200, 60)
        self.disk.fill()
        load.wait_for("full disk", lambda: load.disk[0] != 0, 60)
        before = load.batches[0][0] + 100
        load.kill()
        load = tsdbcrash.Load(self.store, before, 5000)
        load.wait_for("readiness", lambda: load.ready is not None, 60)
        self.assertGreaterEqual(load.ready, before)
        load.wait_for("samples", lambda: len(load.batches) > 200, 60)
        self.disk.free()
        load.wait_for("writing again", lambda: load.disk[0] == 0, 10)
        count = len(load.batches)
        load.wait_for("more samples", lambda: len(load.batches) > count + 300, 60)
        safe = load.kill()
        self.assertGreater(safe, load.ready + count)
        tsdbcrash.run("check", self.store, safe)


if __name__ == "__main__":
    unittest.main()
