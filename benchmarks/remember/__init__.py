# SPDX-License-Identifier: GPL-3.0-or-later
"""./bench remember: every figure that the store promises."""

import concurrent.futures
import os
import re
import shutil
import subprocess
import tempfile
import time

import building
import fuzzing
import promqlpeer
import tsdbcrash
from remember import faults, outage, size
from vherd import ROOT

PROGRAM = os.path.join(ROOT, "build", "tests", "store")

QUICK = {"full": 2, "fuzz": 1, "append": 120, "days": 30, "trace": 900, "scrapes": 100, "kills": 40, "memory": 100,
         "many": 300000, "many_seconds": 5}
NORMAL = {"full": 60, "fuzz": 60, "append": 600, "days": 30, "trace": 3600, "scrapes": 600, "kills": 200, "memory": 200,
          "many": 1000000, "many_seconds": 20}
LONG = {"full": 60, "fuzz": 120, "append": 3600, "days": 30, "trace": 3600, "scrapes": 600, "kills": 2000, "memory": 600,
        "many": 1000000, "many_seconds": 240}

SHAPES = ("constant", "idle counter", "CPU ns", "memory pages", "bytes in bursts")


def measure(*arguments):
    """The rows that the program prints, in a directory of its own."""
    top = tempfile.mkdtemp(prefix="vherd-bench-")
    try:
        words = [word.replace("DIR", os.path.join(top, "store")) if isinstance(word, str)
                 else str(word) for word in arguments]
        done = subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=3000)
    finally:
        shutil.rmtree(top)
    if done.returncode != 0:
        raise RuntimeError(done.stderr or f"exit status {done.returncode}")
    return {name: float(value) for name, value in
            (line.split() for line in done.stdout.splitlines())}


def append(report, times):
    rows = measure("append", "DIR", 10000, times["append"])
    report.at_least("append, one core", rows["append_per_cpu_s"] / 1e6, "M samples/s", 1)
    report.row("append, by the clock", rows["append_per_s"] / 1e6, "M samples/s")
    report.row("batch of 10,000 series, median", rows["batch_median_ms"], "ms")
    report.at_most("batch of 10,000 series, slowest (CPU)", rows["batch_max_cpu_ms"], "ms", 10)
    report.row("batch of 10,000 series, slowest (clock)", rows["batch_max_ms"], "ms")


def memory(report, times):
    rows = measure("memory", "DIR", 100000, times["memory"])
    report.at_most("memory of the head, a series", rows["bytes_per_series"], "B", 1024)
    report.row("the same while blocks are written, at most", rows["most_per_series"], "B")
    many = times["many"]
    rows = measure("memory", "DIR", many, times["many_seconds"])
    what = f"{many} series, {times['many_seconds']} s of samples"
    report.at_most(f"memory of the head, a series of {what}", rows["bytes_per_series"], "B", 1024)
    report.at_most(f"memory, {what}", rows["most_bytes"] / 2**30, "GiB", 1.5 * many / 1000000)


def read(report, times):
    rows = measure("read", "DIR", times["days"])
    report.at_most(f"100 series, {times['days']} days at 1 h", rows["rollup_ms"], "ms", 20)
    report.at_most("1 series, 1 h of samples", rows["raw_hour_ms"], "ms", 1)
    for i, shape in enumerate(SHAPES):
        report.row(f"read, {shape}", rows[f"read_shape_{i}_per_s"] / 1e6, "M samples/s")


def kill(report, times):
    slowest, safe, failures = tsdbcrash.kill_many(times["kills"], 8)
    for failure in failures[:3]:
        report.note(failure)
    report.at_most(f"kill -9, {times['kills']} rounds: stores that failed", len(failures), "", 0)
    report.row("batches checked after the kills", safe, "")
    report.at_most("ready again, slowest", slowest, "ms", tsdbcrash.READY_MAX_MS)


def damage(report, quick):
    """Every byte, or a sample of them: files that did not open or gave a wrong value."""
    with tsdbcrash.Damage() as store:
        ends = store.record_ends()

        def attempt(place):
            folder, change, silent = place
            try:
                store.damaged(folder, change, 6 * tsdbcrash.SERIES, silent)
                return None
            except Exception as failure:  # whatever it was: that one did not pass
                return f"{type(failure).__name__}: {failure}"

        places = []
        for folder in ("log", "blocks"):
            for at in range(0, store.size(folder), 40 if quick else 1):
                places += [(folder, tsdbcrash.cut(at), folder == "log" and at in ends),
                           (folder, tsdbcrash.flip(at, at % 8), False)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            failures = [failure for failure in pool.map(attempt, places) if failure]
    for failure in failures[:3]:
        report.note(failure)
    report.at_most(f"cut or flipped at {len(places)} places: failed", len(failures), "", 0)


def openmetrics(report):
    """The cases of other projects where they are, else the project's own."""
    top = os.environ.get("VHERD_CONFORMANCE", os.path.join(ROOT, "..", "shared", "conformance"))
    folder = os.path.join(top, "openmetrics")
    words = [folder] if os.path.isdir(folder) else []
    done = subprocess.run([os.path.join(ROOT, "tests", "openmetrics"), *words],
                          stdout=subprocess.PIPE, text=True, timeout=120)
    found = re.search(r"(\d+) passed, (\d+) failed, (\d+) skipped", done.stdout)
    passed, failed, skipped = (int(n) for n in found.groups())
    where = "other projects' cases" if words else "own cases only"
    report.row(f"OpenMetrics, {where}: judged rightly", passed, "")
    report.at_most("OpenMetrics: judged wrongly or skipped", failed + skipped, "", 0)


def section(report, name, function, *arguments):
    """A part that breaks is one short row, and the others go on."""
    begin = time.monotonic()
    try:
        function(*arguments)
    except (AssertionError, RuntimeError, OSError, KeyError, AttributeError, tsdbcrash.Failure,
            subprocess.SubprocessError) as error:
        report.failed(name, str(error))
    report.note(f"{name}: {time.monotonic() - begin:.0f} s")


def beside(report, *tasks):
    """(name, function, its arguments but the report), each in a thread."""
    report.beside([lambda aside, name=name, function=function, more=more:
                   section(aside, name, function, aside, *more)
                   for name, function, *more in tasks])


def without_clock(report, arguments, times, can_fuzz):
    """Parts whose figures no other work on the machine can change."""
    report.note(size.source(arguments.recording, arguments.long, times["trace"]))
    with promqlpeer.scratch() as top:
        waiting = (("size", size.run, measure, times["trace"], arguments.long, arguments.recording, top),
                   ("receiver away", outage.run, times["scrapes"]),
                   ("full disk", faults.full_disk, times["full"]),
                   ("clocks", faults.clocks),
                   ("sender cases", faults.sender))
        working = (("OpenMetrics", openmetrics), ("damage", damage, arguments.quick),
                   *([("fuzz", faults.fuzz, times["fuzz"])] if can_fuzz else []))
        if arguments.quick:
            beside(report, *waiting, ("work", in_turn, *working))
            return
        beside(report, *waiting)
        in_turn(report, *working)


def in_turn(report, *tasks):
    for name, function, *more in tasks:
        section(report, name, function, report, *more)


def run(arguments, report):
    times = QUICK if arguments.quick else LONG if arguments.long else NORMAL
    if not building.build("build", None, ["tests/store", "tests/expo-check", "tests/flow-core",
                                           "tests/tsdb-crash"]):
        report.failed("build", "see above")
        return
    can_fuzz = fuzzing.build(report, faults.FUZZED)
    in_turn(report, ("append", append, times), ("memory", memory, times), ("read", read, times),
            ("kill -9", kill, times))
    without_clock(report, arguments, times, can_fuzz)
