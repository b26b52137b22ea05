# SPDX-License-Identifier: GPL-3.0-or-later
"""./bench answer: how fast questions are answered, beside Debian's Prometheus and VictoriaMetrics.

All over HTTP, with the samples in the store of each, after one round that warms them."""

import itertools
import json
import os
import subprocess
import time

import building
import demodata
import fuzzing
import promqlcompliance
import promqldaemon
import promqlpeer
from answer import clients, language, store

START_MS = promqlcompliance.START_MS
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
WEEK_HOURS, WEEK_COPIES = 168, 11  # 990 series
QUICK_HOURS = 6
OWN_QUERIES = os.path.join(building.ROOT, "tests", "data", "promql", "queries.json")


def queries(report):
    folder = os.environ.get("VHERD_CONFORMANCE", "")
    path = os.path.join(folder, "promql-compliance", "queries.json")
    if not os.path.exists(path):
        report.note("no promql-compliance/queries.json: our own few queries instead")
        path = OWN_QUERIES
    with open(path, encoding="utf-8") as file:
        return [row["query"] for row in json.load(file)]


class Files:
    """Samples to load, written once."""

    def __init__(self, report, scratch, hours):
        begin = time.monotonic()
        self.hours = hours
        self.hour, self.week, self.month = (os.path.join(scratch, name)
                                            for name in ("hour", "week", "month"))
        demodata.write(self.hour, demodata.series(START_MS, 7200, 5000))
        rows = list(demodata.series(START_MS, hours * 3600, 15_000, 2))
        self.week_series = len(rows)
        demodata.write(self.week, rows)
        everything = demodata.series(START_MS, 30 * 86400, 15_000, 1)
        demodata.write(self.month, itertools.islice(
            (row for row in everything if row[0].startswith("demo_cpu")), 1))
        report.note(f"files: {time.monotonic() - begin:.0f} s")


def hour(report, scratch, files, asked, count, with_each):
    times = START_MS + HOUR_MS + 3000, START_MS + 2 * HOUR_MS - 7000, 10_000
    store.compare(report, f"{len(asked)} queries, 1 h of 5 s", scratch, files.hour, 1, asked, times,
                  count, 5, with_each)


def week(report, scratch, files, asked, count, copies, with_each):
    """200 points. How memory compares is promised of the whole size only: a small store is less than
    what any of the three needs without one."""
    is_whole = files.hours == WEEK_HOURS and copies == WEEK_COPIES
    end, step = START_MS + files.hours * HOUR_MS - 7000, files.hours * 18_000
    span = f"{files.hours // 24} days" if files.hours > 48 else f"{files.hours} h"
    what = f"{len(asked)} queries, {span} of 15 s, {files.week_series * copies} series"
    mine, peers = store.compare(report, what, scratch, files.week, copies, asked,
                                (end - 199 * step, end, step), count, 3, with_each)
    if not peers:
        return
    name = f"{what}: ours, part of the smaller peer's memory"
    part = mine.peak_bytes / min(other.peak_bytes for other in peers)
    if is_whole:
        report.at_most(name, part, "", 1 / 3)
    else:
        report.row(name, part, "")


def month(report, files, count):
    end = START_MS + 30 * DAY_MS
    times = end - 199 * 12_960_000, end, 12_960_000
    windows = "5m", "1h"
    with promqldaemon.Stored(files.month, 100) as daemon:
        found = store.rounds(daemon, [f"rate(demo_cpu_usage_seconds_total[{window}])"
                                      for window in windows], times, count)
    for window, seconds, good in zip(windows, found.seconds, found.good):
        report.at_most(f"30 days of rate(…[{window}]), 100 series, 200 points",
                       seconds * 1000 if good else None, "ms", 50)


def section(report, name, function, *arguments):
    """A part that breaks is one short row, and the others go on."""
    begin = time.monotonic()
    try:
        function(report, *arguments)
    except (AssertionError, OSError, ValueError, subprocess.SubprocessError) as error:
        report.failed(name, f"{type(error).__name__}: {error}")
    report.note(f"{name}: {time.monotonic() - begin:.0f} s")


def run(arguments, report):
    if not building.build("build", None, ["tests/tsdb-load"]):
        report.failed("tests/tsdb-load", "does not build")
        return
    can_fuzz = fuzzing.build(report, language.FUZZED)
    asked = queries(report)
    with promqlpeer.scratch() as scratch:
        with clients.Herd() as herd:  # which takes its samples meanwhile
            files = Files(report, scratch, QUICK_HOURS if arguments.quick else WEEK_HOURS)
            section(report, "cases", language.cases)
            section(report, f"{clients.CLIENTS} clients at once", herd.run,
                    5 if arguments.quick else 60 if arguments.long else 15)
        section(report, "hour", hour, scratch, files, asked, 2 if arguments.quick else 9,
                arguments.queries)
        section(report, "month", month, files, 5)
        # As many series in the short form: with few, what a query costs before it reads decides.
        copies = WEEK_COPIES if arguments.quick or arguments.long else 1
        section(report, "week", week, scratch, files, asked, 2, copies, arguments.queries)
    section(report, "generated queries", language.generated, 200 if arguments.quick else 2000)
    if can_fuzz:
        section(report, "fuzz", language.fuzz, 1 if arguments.quick else 300 if arguments.long else 60)
