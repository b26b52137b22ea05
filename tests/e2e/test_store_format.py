# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/store-format.md against what the store writes, with a reader made from the document."""

import glob
import math
import os
import tempfile
import unittest

import storeformat
import tsdbcrash

T0, SERIES = 1700000000000, 48


def value_at(k, i):
    """As tests/tools/tsdb-crash.c has it."""
    if k % 3 == 0:
        return float(i // 100 % 2) if k % 2 else math.sin(i) + k
    whole = 5 if k % 2 else i * 15000000 + (i * 2654435761 + k) % 4096 + k
    return whole / 1e9


def scaled(value, kind, scale):
    return value / 10 ** scale if kind else value


class Format(unittest.TestCase):
    BATCHES = 14000  # the block is over the end of a window, so that there are roll-ups of it

    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.TemporaryDirectory()
        cls.store = os.path.join(cls.top.name, "store")
        tsdbcrash.run("make", cls.store, cls.BATCHES, 1)
        cls.blocks = []
        for path in glob.glob(os.path.join(cls.store, "blocks", "*.blk")):
            with open(path, "rb") as file:
                cls.blocks.append((os.path.basename(path), storeformat.Block(file.read())))

    @classmethod
    def tearDownClass(cls):
        cls.top.cleanup()

    def logs(self):
        for path in sorted(glob.glob(os.path.join(self.store, "log", "*.log"))):
            with open(path, "rb") as file:
                yield storeformat.read_log(file.read())

    def test_every_sample_is_there_once(self):
        found = [dict() for _ in range(SERIES)]
        covered = max(block.covered for _, block in self.blocks)
        for _, block in self.blocks:
            for series in block.series if block.resolution == 0 else ():
                for times, (values,) in series.chunks:
                    for t, v in zip(times, values):
                        k = int(series.labels["k"])
                        self.assertNotIn(t, found[k])
                        found[k][t] = scaled(v, series.kind, series.scale)
        names = sorted(glob.glob(os.path.join(self.store, "log", "*.log")))
        for name, (described, samples) in zip(names, self.logs()):
            if int(os.path.basename(name).split(".")[0]) <= covered:
                continue
            for kind_of_record, t, ref, kind, v in samples:
                self.assertEqual(kind_of_record, 2)
                own_kind, scale, labels = described[ref]
                self.assertEqual(kind, own_kind)
                found[int(labels["k"])][t] = scaled(v, kind, scale)
        for k in range(SERIES):
            self.assertEqual(sorted(found[k]), [T0 + i * 1000 for i in range(self.BATCHES)])
            for i in range(self.BATCHES):
                self.assertAlmostEqual(found[k][T0 + i * 1000], value_at(k, i), places=12)

    def test_names_and_footers_say_what_is_there(self):
        for name, block in self.blocks:
            resolution, start, end, serial = name.split(".")[0].split("-")
            self.assertEqual((int(resolution[:-1]) * 1000, int(start) * 1000, int(end) * 1000,
                              int(serial)),
                             (block.resolution, block.start, block.end, block.serial))
            times = [t for series in block.series for chunk in series.chunks for t in chunk[0]]
            self.assertEqual((min(times), max(times), len(times)),
                             (block.earliest, block.latest, block.n_samples))
            self.assertTrue(all(block.start < t <= block.end for t in times))
            self.assertEqual(block.n_chunks, sum(len(s.chunks) for s in block.series))
            for label in {name for series in block.series for name in series.labels}:
                want = {}
                for place, series in enumerate(block.series):
                    if label in series.labels:
                        want.setdefault(series.labels[label], []).append(place)
                self.assertEqual(block.names[label], want)

    def test_roll_ups_are_what_the_columns_say(self):
        rollups = [block for _, block in self.blocks if block.resolution == 60000]
        self.assertTrue(rollups)
        for block in rollups:
            for series in block.series:
                k = int(series.labels["k"])
                for ends, columns in series.chunks:
                    for row in zip(ends, *columns):
                        self.check_bucket(k, *row)

    def check_bucket(self, k, end, first_ms, last_ms, first, last, low, high, total, increase,
                     count, resets):
        i = (end - first_ms - T0) // 1000
        values = [value_at(k, i + n) for n in range(count)]
        self.assertEqual(end - last_ms, T0 + (i + count - 1) * 1000)
        self.assertTrue(end - 60000 < end - first_ms <= end - last_ms <= end)
        self.assertEqual((first, last, low, high),
                         (values[0], values[-1], min(values), max(values)))
        self.assertAlmostEqual(total, math.fsum(values), places=6)
        before = value_at(k, i - 1) if i > 0 else values[0]
        pairs = list(zip([before] + values, values))
        self.assertAlmostEqual(increase, sum(b - a if b >= a else b for a, b in pairs), places=6)
        self.assertEqual(resets, sum(b < a for a, b in pairs) << 1)

    def test_the_forms_of_columns_are_met(self):
        seen = set().union(*(block.seen for _, block in self.blocks))
        self.assertTrue({"line", "bits", "decimals"} <= seen, seen)
        self.assertTrue(any(form.startswith("packs") for form in seen), seen)
        self.assertTrue(any(form.startswith("runs") for form in seen), seen)

    def test_a_flipped_bit_is_told(self):
        name = next(name for name, block in self.blocks if block.resolution == 0)
        with open(os.path.join(self.store, "blocks", name), "rb") as file:
            data = bytearray(file.read())
        for at in (3, 20, len(data) // 2, len(data) - 200, len(data) - 100):
            data[at] ^= 4
            with self.assertRaises(storeformat.FormatError):
                storeformat.Block(bytes(data))
            data[at] ^= 4

    def test_the_version(self):
        with open(os.path.join(self.store, "format"), encoding="ascii") as file:
            self.assertEqual(file.read(), "1\n1\n")


if __name__ == "__main__":
    unittest.main()
