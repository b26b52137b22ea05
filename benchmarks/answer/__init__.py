# SPDX-License-Identifier: GPL-3.0-or-later
"""./bench answer: how fast questions are answered, beside Debian's Prometheus and VictoriaMetrics.

All over HTTP, with the samples in the store of each, after one round that warms them."""

import itertools
import json
import os
import subprocess

import building
import demodata
import promqlcompliance
import promqldaemon
import promqlpeer
from answer import clients, store

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


def hour(report, scratch, asked, count):
    samples = os.path.join(scratch, "hour")
    demodata.write(samples, demodata.series(START_MS, 7200, 5000))
    times = START_MS + HOUR_MS + 3000, START_MS + 2 * HOUR_MS - 7000, 10_000
    store.compare(report, f"{len(asked)} queries, 1 h of 5 s", scratch, samples, 1, asked, times,
                  count, 5)


def week(report, scratch, asked, count, days, copies):
    """200 points."""
    samples = os.path.join(scratch, "week")
    rows = list(demodata.series(START_MS, days * 86400, 15_000, 2))
    demodata.write(samples, rows)
    end, step = START_MS + days * DAY_MS - 7000, days * 432_000
    what = f"{len(asked)} queries, {days} days of 15 s, {len(rows) * copies} series"
    mine, peers = store.compare(report, what, scratch, samples, copies, asked,
                                (end - 199 * step, end, step), count, 3)
    if peers:
        smallest = min(other.peak_bytes for other in peers)
        report.at_most(f"{what}: ours, part of the smaller peer's memory",
                       mine.peak_bytes / smallest, "", 1 / 3)


def month(report, scratch, count):
    samples = os.path.join(scratch, "month")
    everything = demodata.series(START_MS, 30 * 86400, 15_000, 1)
    demodata.write(samples, itertools.islice(
        (row for row in everything if row[0].startswith("demo_cpu")), 1))
    end = START_MS + 30 * DAY_MS
    times = end - 199 * 12_960_000, end, 12_960_000
    windows = "5m", "1h"
    with promqldaemon.Stored(samples, 100) as daemon:
        found = store.rounds(daemon, [f"rate(demo_cpu_usage_seconds_total[{window}])"
                                      for window in windows], times, count)
    for window, seconds, good in zip(windows, found.seconds, found.good):
        report.at_most(f"30 days of rate(…[{window}]), 100 series, 200 points",
                       seconds * 1000 if good else None, "ms", 50)


def concurrent(report, seconds):
    try:
        clients.run(report, seconds)
    except (AssertionError, OSError, ValueError, subprocess.SubprocessError) as error:
        report.failed(f"{clients.CLIENTS} clients at once", f"{type(error).__name__}: {error}")


def run(arguments, report):
    count = 3 if arguments.quick else 9
    if not building.build("build", None, ["tests/tsdb-load"]):
        report.failed("tests/tsdb-load", "does not build")
        return
    concurrent(report, 5 if arguments.quick else 60 if arguments.long else 15)
    asked = queries(report)
    with promqlpeer.scratch() as scratch:
        hour(report, scratch, asked, count)
        month(report, scratch, 3)
        week(report, scratch, asked, 1, 1 if arguments.quick else 7, 11 if arguments.long else 1)
