# SPDX-License-Identifier: GPL-3.0-or-later
"""./bench record: a file that reads back as what the daemon said."""

import io
import os
import re
import shutil
import sys
import tempfile
import unittest
from contextlib import redirect_stdout

import memorydaemon
import vherd

sys.path.append(os.path.join(vherd.ROOT, "benchmarks"))
import record  # noqa: E402
from remember import size  # noqa: E402


@unittest.skipUnless(shutil.which("zstd"), "no zstd")
class Recording(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="vherd-record-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = os.path.join(self.directory, "trace.zst")

    def test_reads_back(self):
        pages = [f'# TYPE a gauge\na{{b="x y"}} {i}\nc 0.5\n' for i in range(4)]
        clock = [100.25]

        def sleep(seconds):
            clock[0] += seconds

        def fetch():
            # The third page takes longer than its second.
            page = pages.pop(0)
            clock[0] += 1.5 if len(pages) == 1 else 0.1
            return page
        samples = record.record(self.path, 5, fetch, lambda: clock[0], sleep)
        self.assertEqual(samples, 8)
        self.assertEqual(list(record.read(self.path)), [
            (101, 'a{b="x y"}', "0"), (101, "c", "0.5"), (102, 'a{b="x y"}', "1"), (102, "c", "0.5"),
            (103, 'a{b="x y"}', "2"), (103, "c", "0.5"), (105, 'a{b="x y"}', "3"), (105, "c", "0.5")])
        self.assertEqual(next(record.read_lines(self.path)), "# TYPE a gauge\n")

    def test_a_running_daemon(self):
        with memorydaemon.MemoryDaemon(vms=2) as daemon:
            with redirect_stdout(io.StringIO()) as out:
                self.assertEqual(record.main([self.path, "--seconds", "3", "--socket",
                                              daemon.socket]), 0)
            self.assertIn("bytes a sample", out.getvalue())
        samples = list(record.read(self.path))
        seconds = {second for second, _, _ in samples}
        self.assertIn(len(seconds), (2, 3))
        self.assertEqual(max(seconds) - min(seconds), 2)
        # Each second has the same series, but for those that come and go.
        first = {series for second, series, _ in samples if second == min(seconds)}
        last = {series for second, series, _ in samples if second == max(seconds)}
        self.assertGreater(len(first & last), 20)

    def test_laid_end_to_end(self):
        with record.Writer(self.path) as writer:
            for second in (500, 501, 503):
                writer.add(f"# TYPE a counter\na {second - 500}.5\n", second)
        text = os.path.join(self.directory, "text")
        self.assertEqual(size.lay(self.path, text), 4)
        self.assertEqual(size.lay(self.path, text, 2, 4), 4)
        with open(text, encoding="utf-8") as file:
            lines = file.read().split("\n")
        begin = size.START_S + 1
        self.assertEqual(lines, [f"a {value} {begin + at}" for value, at in (
            ("0.5", 0), ("1.5", 1), ("3.5", 3), ("0.5", 4), ("1.5", 5), ("3.5", 7))] + ["# EOF", ""])

    def test_what_is_shipped(self):
        """Ten guests or more, each second, in a file that a clone can carry."""
        self.assertLess(os.path.getsize(size.SHIPPED), 300_000)
        seconds, guests = set(), set()
        for second, series, _ in record.read(size.SHIPPED):
            seconds.add(second)
            guests.update(re.findall(r'[{,]domain="([^"]*)"', series))
        self.assertGreaterEqual(len(guests), 10)
        self.assertGreaterEqual(len(seconds), 110)

    def test_damage_is_told(self):
        with record.Writer(self.path) as writer:
            writer.add("a 1\n" * 1000, 5)
        with open(self.path, "r+b") as file:
            file.truncate(os.path.getsize(self.path) - 5)
        with self.assertRaises(OSError):
            list(record.read(self.path))
