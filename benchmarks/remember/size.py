# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes a sample of recorded guests: ours, and Debian's Prometheus and VictoriaMetrics with the
same samples, each once it has written and merged what it will."""

import os
import re
import subprocess

import promqlpeer
import record
from remember import guests
from vherd import http_get, wait_for

SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guests.zst")

# Where the shipped recording is laid: the beginning of a window of 2 h, for Prometheus as for us.
START_S = 1700006400
LIMIT_BYTES = 0.8


class Trace:
    """OpenMetrics text with times at `path`; `what` says of what."""

    def __init__(self, path, what):
        self.path, self.what = path, what


def lay(recording, path, rounds=1, length=0):
    """Write the recording as text from START_S on, so many times end to end, each `length` seconds
    long. All values are as recorded: where it begins anew, counters go back. Its seconds."""
    with open(path, "w", encoding="utf-8") as out:
        for turn in range(rounds):
            first = None
            for t, series, value in record.read(recording):
                first = t if first is None else first
                last = t
                out.write(f"{series} {value} {START_S + 1 + turn * length + t - first}\n")
        out.write("# EOF\n")
    return last - first + 1


def kept(recording):
    """The recorded hour in the directory of --recording."""
    return os.path.join(recording, "hour.zst")


def source(recording, is_long, seconds):
    """Where the samples are from, as a sentence."""
    if os.environ.get("VHERD_TRACE"):
        return "size: of the recording that VHERD_TRACE names"
    if recording and os.path.exists(kept(recording)):
        return f"size: of {kept(recording)}, recorded before"
    if is_long:
        return f"size: {guests.GUESTS} guests are recorded now, for {seconds} s"
    path = os.path.relpath(SHIPPED, promqlpeer.ROOT)
    return (f"size: of {path}; as minutes say little of blocks, also end to end for {seconds} s "
            "(counters go back; zstd, as in VictoriaMetrics, gains)")


def record_hour(path, seconds):
    """Under its name only once it is whole."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    guests.record_guests(path + ".part", seconds)
    os.rename(path + ".part", path)


def find_recording(top, seconds, is_long, recording):
    """Path of the samples that the size is promised of; made where --long wants it."""
    if os.environ.get("VHERD_TRACE"):
        return os.environ["VHERD_TRACE"]
    path = kept(recording or top)
    if is_long and not os.path.exists(path):
        record_hour(path, seconds)
    return path if os.path.exists(path) else SHIPPED


def traces(top, seconds, is_long, recording):
    """The trace whose size is promised, and before it what is shown beside."""
    path = find_recording(top, seconds, is_long, recording)
    once, again = os.path.join(top, "once"), os.path.join(top, "again")
    length = lay(path, once)
    what = f"{length} s recorded"
    if path != SHIPPED:
        return [Trace(once, what)]
    rounds = max(1, seconds // length)
    lay(path, again, rounds, length)
    return [Trace(once, what), Trace(again, f"{what}, {rounds} times")]


def bytes_below(*parts):
    total = 0
    for folder, _, names in os.walk(os.path.join(*parts)):
        total += sum(os.path.getsize(os.path.join(folder, name)) for name in names)
    return total


def prometheus(directory, samples):
    """Of its blocks, as promtool makes them; it is not started, so there is no log."""
    peer = promqlpeer.Prometheus(directory, samples)
    return bytes_below(peer.directory, "prometheus")


class Merged(promqlpeer.VictoriaMetrics):
    """With all samples in one part, which a forced merge makes in the background."""

    def load(self):
        super().load()
        self.post("/internal/force_merge", b"")
        wait_for("one part of all samples", 120, lambda: self.parts() == 1, 0.2)

    def parts(self):
        _, _, text = http_get("/metrics", tcp=("127.0.0.1", self.port))
        return sum(int(count) for count in
                   re.findall(r'^vm_parts\{type="storage/[a-z]*"\} (\d+)$', text, re.M))


def victoria_metrics(directory, samples):
    """Of its data and its index, after it has ended in an orderly way."""
    with Merged(directory, samples):
        pass
    return (bytes_below(directory, "victoria", "data") +
            bytes_below(directory, "victoria", "indexdb"))


PEERS = (("Prometheus 2.42", prometheus), ("VictoriaMetrics 1.79", victoria_metrics))


def report_peers(report, trace, samples):
    for name, size_of in PEERS:
        what = f"the same, {name}"
        try:
            with promqlpeer.scratch() as directory:
                report.row(what, size_of(directory, trace.path) / samples, "B/sample")
        except (promqlpeer.PeerMissing, AssertionError, OSError,
                subprocess.SubprocessError) as error:
            report.failed(what, str(error))


def run(report, measure, seconds, is_long, recording, top):
    """measure() runs the store's program and gives its rows."""
    all_traces = traces(top, seconds, is_long, recording)
    for trace in all_traces:
        rows = measure("size", "DIR", trace.path)
        if rows["refused"] > 0:
            report.failed("size", f"{rows['refused']:.0f} samples were refused")
        what = f"size, {trace.what}, {rows['samples'] / 1e6:.1f} M samples"
        if trace is all_traces[-1]:
            report.at_most(what, rows["bytes_per_sample"], "B/sample", LIMIT_BYTES)
        else:
            report.row(what, rows["bytes_per_sample"], "B/sample")
        report_peers(report, trace, rows["samples"])
