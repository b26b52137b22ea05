# SPDX-License-Identifier: GPL-3.0-or-later
"""./bench answer: how fast questions are answered, beside Debian's Prometheus and VictoriaMetrics.

All over HTTP, with the samples in the store of each, after one round that warms them."""

import concurrent.futures
import contextlib
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
QUICK_HOURS = 4
OWN_QUERIES = os.path.join(building.ROOT, "tests", "data", "promql", "queries.json")


def queries(report):
    folder = os.environ.get("VHERD_CONFORMANCE", "")
    path = os.path.join(folder, "promql-compliance", "queries.json")
    if not os.path.exists(path):
        report.note("no promql-compliance/queries.json: our own few queries instead")
        path = OWN_QUERIES
    with open(path, encoding="utf-8") as file:
        return [row["query"] for row in json.load(file)]


class Samples:
    """What is asked of, written once and given to each; to be closed."""

    def __init__(self, report, scratch, hours, copies):
        begin = time.monotonic()
        self.hours, self.copies = hours, copies
        hour, week, month = (os.path.join(scratch, name) for name in ("hour", "week", "month"))
        demodata.write(hour, demodata.series(START_MS, 7200, 5000))
        rows = list(demodata.series(START_MS, hours * 3600, 15_000, 2))
        self.week_series = len(rows) * copies
        demodata.write(week, rows)
        everything = demodata.series(START_MS, 30 * 86400, 15_000, 1)
        demodata.write(month, itertools.islice(
            (row for row in everything if row[0].startswith("demo_cpu")), 1))
        self.month = promqldaemon.Stored(month, 100)
        self.hour = store.Prepared(scratch, hour, 1)
        self.week = store.Prepared(scratch, week, copies)
        report.note(f"samples made: {time.monotonic() - begin:.0f} s")

    def close(self):
        self.month.daemon.close()
        self.hour.close()
        self.week.close()


def hour(report, samples, asked, count, with_each):
    times = START_MS + HOUR_MS + 3000, START_MS + 2 * HOUR_MS - 7000, 10_000
    store.compare(report, f"{len(asked)} queries, 1 h of 5 s", samples.hour, asked, times, count, 5,
                  with_each)


def week(report, samples, asked, count, with_each):
    """200 points. How memory compares is promised of the whole size only: a small store is less than
    what any of the three needs without one."""
    is_whole = samples.hours == WEEK_HOURS and samples.copies == WEEK_COPIES
    end, step = START_MS + samples.hours * HOUR_MS - 7000, samples.hours * 18_000
    span = f"{samples.hours // 24} days" if samples.hours > 48 else f"{samples.hours} h"
    what = f"{len(asked)} queries, {span} of 15 s, {samples.week_series} series"
    mine, peers = store.compare(report, what, samples.week, asked, (end - 199 * step, end, step),
                                count, 3, with_each)
    if not peers:
        return
    name = f"{what}: ours, part of the smaller peer's memory"
    part = mine.peak_bytes / min(other.peak_bytes for other in peers)
    if is_whole:
        report.at_most(name, part, "", 1 / 3)
    else:
        report.row(name, part, "")


def month(report, samples, count):
    end = START_MS + 30 * DAY_MS
    times = end - 199 * 12_960_000, end, 12_960_000
    windows = "5m", "1h"
    with samples.month as daemon:
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


def correct(arguments, report, can_fuzz):
    generated = 200 if arguments.quick else 2000
    seconds = 1 if arguments.quick else 300 if arguments.long else 60
    for name, function in language.CASES.items():
        section(report, name, function)
    section(report, "generated queries", language.generated, generated)
    if can_fuzz:
        section(report, "fuzz", language.fuzz, seconds)


def prepare(arguments, report, can_fuzz, make_samples):
    """The samples, and what must be right; beside each other in the short form, as nothing of that is
    measured."""
    if not arguments.quick:
        correct(arguments, report, can_fuzz)
        return make_samples()
    aside = report.aside()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        right = pool.submit(correct, arguments, aside, can_fuzz)
        samples = make_samples()
        right.result()
    report.add(aside)
    return samples


def run(arguments, report):
    if not building.build("build", None, ["tests/tsdb-load"]):
        report.failed("tests/tsdb-load", "does not build")
        return
    can_fuzz = fuzzing.build(report, language.FUZZED)
    asked = queries(report)
    # As many series in the short form: with few, what a query costs before it reads decides.
    copies = WEEK_COPIES if arguments.quick or arguments.long else 1
    hours = QUICK_HOURS if arguments.quick else WEEK_HOURS
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(promqlpeer.scratch())
        with clients.Herd() as herd:  # which takes its samples meanwhile
            samples = stack.enter_context(contextlib.closing(prepare(
                arguments, report, can_fuzz, lambda: Samples(report, scratch, hours, copies))))
            section(report, f"{clients.CLIENTS} clients at once", herd.run,
                    5 if arguments.quick else 60 if arguments.long else 15)
        section(report, "hour", hour, samples, asked, 2 if arguments.quick else 9,
                arguments.queries)
        section(report, "month", month, samples, 5)
        section(report, "week", week, samples, asked, 2, arguments.queries)
