# SPDX-License-Identifier: GPL-3.0-or-later
"""./bench answer: how fast the language answers, beside Debian's Prometheus and VictoriaMetrics.

The engine is measured over samples in memory (tests/promql-query); the peers over HTTP, after one
round that warms them."""

import itertools
import json
import os
import subprocess
import time

import building
import demodata
import promqlcompliance
import promqlpeer

START_MS = promqlcompliance.START_MS
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
OWN_QUERIES = os.path.join(building.ROOT, "tests", "data", "promql", "queries.json")


def queries(report):
    folder = os.environ.get("VHERD_CONFORMANCE", "")
    path = os.path.join(folder, "promql-compliance", "queries.json")
    if not os.path.exists(path):
        report.note("no promql-compliance/queries.json: our own few queries instead")
        path = OWN_QUERIES
    with open(path, encoding="utf-8") as file:
        return [row["query"] for row in json.load(file)]


class Figures:
    """Seconds of each query, and the most memory that one took."""

    def __init__(self, lines):
        rows = [line.split() for line in lines]
        self.seconds = [float(row[0]) for row in rows]
        self.peak_bytes = max(int(row[1]) for row in rows)
        self.answer_bytes = sum(int(row[2]) for row in rows)

    @property
    def total(self):
        return sum(self.seconds)


def ours(samples, asked, times, rounds, copies=1):
    """The engine over a file of samples; the median of so many rounds of each query."""
    program = os.path.join(building.ROOT, "build", "tests", "promql-query")
    lines = "".join(f"{times[0]} {times[1]} {times[2]} {query}\n" for query in asked)
    done = subprocess.run([program, "--copies", str(copies), "--time", str(rounds), samples],
                          input=lines, stdout=subprocess.PIPE, text=True, check=True)
    return Figures(done.stdout.splitlines())


def one_round(peer, asked, times):
    total = 0.0
    for query in asked:
        begin = time.perf_counter()
        try:
            peer.raw(*times, query)
        except OSError:
            pass  # some must fail
        total += time.perf_counter() - begin
    return total


def peak_rss_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def theirs(kind, scratch, samples, asked, times, rounds):
    """(seconds of all queries in the best of so many rounds, peak resident bytes)"""
    directory = os.path.join(scratch, kind.name + str(times[2]))
    os.makedirs(directory)
    with kind(directory, samples) as peer:
        one_round(peer, asked, times)
        best = min(one_round(peer, asked, times) for _ in range(rounds))
        return best, peak_rss_bytes(peer.process.pid)


def compare(report, what, figures, scratch, samples, asked, times, rounds, least):
    for kind in (promqlpeer.Prometheus, promqlpeer.VictoriaMetrics):
        try:
            seconds, peak = theirs(kind, scratch, samples, asked, times, rounds)
        except (promqlpeer.PeerMissing, OSError) as error:
            report.failed(f"{what}: {kind.name}", str(error))
            continue
        report.row(f"{what}: {kind.name}", seconds, "s")
        report.row(f"{what}: {kind.name}, peak resident", peak / 1e6, "MB")
        report.at_least(f"{what}: times faster than {kind.name}", seconds / figures.total, "x",
                        least)


def hour(report, scratch, asked, rounds):
    samples = os.path.join(scratch, "hour")
    demodata.write(samples, demodata.series(START_MS, 7200, 5000))
    times = START_MS + HOUR_MS + 3000, START_MS + 2 * HOUR_MS - 7000, 10_000
    figures = ours(samples, asked, times, rounds)
    what = f"{len(asked)} queries, 1 h of 5 s"
    report.row(f"{what}: ours", figures.total, "s")
    report.row(f"{what}: slowest of ours", max(figures.seconds) * 1000, "ms")
    compare(report, what, figures, scratch, samples, asked, times, rounds, 5)


def week(report, scratch, asked, rounds, days):
    """200 points; the peers on 90 series, which load in a minute."""
    samples = os.path.join(scratch, "week")
    demodata.write(samples, demodata.series(START_MS, days * 86400, 15_000, 2))
    end, step = START_MS + days * DAY_MS - 7000, days * 432_000
    times = end - 199 * step, end, step
    figures = ours(samples, asked, times, rounds)
    what = f"{len(asked)} queries, {days} days of 15 s, 90 series"
    report.row(f"{what}: ours", figures.total, "s")
    compare(report, what, figures, scratch, samples, asked, times, 1, 3)
    figures = ours(samples, asked, times, 1, 11)
    what = f"{len(asked)} queries, {days} days of 15 s, 990 series"
    report.row(f"{what}: ours", figures.total, "s")
    report.row(f"{what}: slowest of ours", max(figures.seconds) * 1000, "ms")
    report.row(f"{what}: most memory of a query", figures.peak_bytes / 1e6, "MB")


def month(report, scratch, rounds):
    samples = os.path.join(scratch, "month")
    everything = demodata.series(START_MS, 30 * 86400, 15_000, 1)
    demodata.write(samples, itertools.islice(
        (row for row in everything if row[0].startswith("demo_cpu")), 1))
    end = START_MS + 30 * DAY_MS
    times = end - 199 * 12_960_000, end, 12_960_000
    for window in ("5m", "1h"):
        figures = ours(samples, [f"rate(demo_cpu_usage_seconds_total[{window}])"], times, rounds,
                       100)
        report.at_most(f"30 days of rate(…[{window}]), 100 series, 200 points",
                       figures.total * 1000, "ms", 50)


def run(arguments, report):
    rounds = 3 if arguments.quick else 5
    if not building.build("build", None, ["tests/promql-query"]):
        report.failed("the engine", "does not build")
        return
    asked = queries(report)
    with promqlpeer.scratch() as scratch:
        hour(report, scratch, asked, rounds)
        month(report, scratch, rounds)
        week(report, scratch, asked, rounds, 1 if arguments.quick else 7)
