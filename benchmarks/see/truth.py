# SPDX-License-Identifier: GPL-3.0-or-later
"""vherd's vCPU times against schedstat read by ourselves.

Our reader notes all vCPU threads every 10 ms. A sample of vherd was taken at one moment that the
exposition does not tell; counters only grow, so that moment lies between two of our readings such
that every counter of the sample lies between theirs. Finding one such place for all vCPUs at once
proves the values; the growth between two such places is compared with our own.
"""

import os
import threading
import time

import procfs

PERIOD = 0.010


class Reader(threading.Thread):
    """Readings of run and wait, in nanoseconds, of every vCPU thread, while it runs."""

    def __init__(self, qemus):
        super().__init__(daemon=True)
        self.keys = []
        self.descriptors = []
        for name, pid in sorted(qemus.items()):
            for vcpu, tid in sorted(procfs.qemu_vcpus(pid).items()):
                self.keys.append((name, str(vcpu)))
                self.descriptors.append(os.open(f"/proc/{pid}/task/{tid}/schedstat", os.O_RDONLY))
        self.readings = []
        self.done = threading.Event()

    def run(self):
        due = time.monotonic()
        while not self.done.is_set():
            self.readings.append((time.monotonic(), self.read_all()))
            due += PERIOD
            time.sleep(max(0.0, due - time.monotonic()))

    def read_all(self):
        pread = os.pread
        return [pread(fd, 100, 0) for fd in self.descriptors]

    def stop(self):
        self.done.set()
        self.join()
        for fd in self.descriptors:
            os.close(fd)
        self.readings = [(at, [tuple(int(word) for word in text.split()[:2]) for text in texts])
                         for at, texts in self.readings]


def sampled(metrics, keys):
    """(run, wait) in nanoseconds as vherd says, in the order of the keys."""
    values = []
    for domain, vcpu in keys:
        run = metrics.value("libvirt_domain_vcpu_time_seconds_total", domain=domain, vcpu=vcpu)
        wait = metrics.value("libvirt_domain_vcpu_delay_seconds_total", domain=domain, vcpu=vcpu)
        if run is None or wait is None:
            raise AssertionError(f"no vCPU times of {domain} {vcpu}")
        values.append((round(run * 1e9), round(wait * 1e9)))
    return values


def misfit(low, high, values):
    """How many nanoseconds the values lie outside the two readings, in all."""
    total = 0
    for (run0, wait0), (run1, wait1), (run, wait) in zip(low, high, values):
        total += max(0, run0 - run, run - run1) + max(0, wait0 - wait, wait - wait1)
    return total


def place(readings, values, since, until):
    """The reading right before the sample, and how badly it fits there (0: perfectly)."""
    best = None
    for index in range(len(readings) - 1):
        at = readings[index][0]
        if since <= at <= until:
            bad = misfit(readings[index][1], readings[index + 1][1], values)
            if best is None or bad < best[1]:
                best = index, bad
    return best


class Comparison:
    """The greatest deviation, as a ratio, over vCPUs whose growth can be told from rounding."""

    def __init__(self):
        self.run = 0.0
        self.wait = 0.0
        self.misfit_ns = 0
        self.compared = 0
        self.highest_ratio = 0.0


def compare(reader, first, last, first_at, last_at, seconds):
    """first and last: sampled(); *_at: when they were asked for."""
    result = Comparison()
    early, bad0 = place(reader.readings, first, first_at - 2.5, first_at)
    late, bad1 = place(reader.readings, last, last_at - 2.5, last_at)
    result.misfit_ns = max(bad0, bad1)
    for index in range(len(reader.keys)):
        for kind, name in ((0, "run"), (1, "wait")):
            ours = last[index][kind] - first[index][kind]
            low = reader.readings[late][1][index][kind] - reader.readings[early + 1][1][index][kind]
            high = reader.readings[late + 1][1][index][kind] - reader.readings[early][1][index][kind]
            # Below a thousandth of the window the readings' own 10 ms would be what is measured.
            if high < seconds * 1e6:
                continue
            result.compared += 1
            outside = max(0, low - ours, ours - high)
            setattr(result, name, max(getattr(result, name), outside / high))
        result.highest_ratio = max(result.highest_ratio,
                                   (last[index][0] - first[index][0]) / (last_at - first_at) / 1e9)
    return result
