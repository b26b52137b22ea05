# SPDX-License-Identifier: GPL-3.0-or-later
"""./bench tell: what rules cost, live and over recorded history; faults of real guests and what is
told of them; restarts; the specification and others' files; real peers."""

import os
import statistics
import subprocess
import threading

import building
import promqlpeer
from tell import correct, guests, pack

PACK = os.path.join(building.ROOT, "rules", "*.yml")
PROGRAM = os.path.join(building.ROOT, "build", "tests", "rules")


def measure(*words, timeout=1800):
    """Rows of `name value`; a name that comes several times gives a list."""
    done = subprocess.run([PROGRAM, *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=True, timeout=timeout)
    rows = {}
    for line in done.stdout.splitlines():
        name, value = line.split()
        rows.setdefault(name, []).append(float(value))
    return rows


def evaluate(report, scratch, rules, vms, rounds):
    """CPU time of one thread, since others may use the machine: the median of some rounds."""
    path = os.path.join(scratch, "rules.yaml")
    pack.write(path, rules)
    rows = measure("evaluate", os.path.join(scratch, "evaluate"), path, vms, rounds)
    if rows["failures"][0] or rows["rules"][0] != rules:
        report.failed("rules", f"{rows['failures'][0]} evaluations failed")
        return
    seconds = statistics.median(rows["round"])
    report.at_most(f"{rules} rules over {vms} VMs, evaluated once, CPU", seconds, "s", 1)
    report.row("alerts that were pending or firing meanwhile", rows["alerts"][0], "")


def backtest(report, scratch, vms, days, sample_seconds):
    store = os.path.join(scratch, "history")
    filled = measure("history", store, vms, days, sample_seconds)
    rows = measure("backtest", store, PACK, days)
    if rows["errors"][0]:
        report.failed("backtest", f"{rows['errors'][0]} rules failed")
        return
    what = f"backtest, {days} days of {vms} VMs, the {int(rows['rules'][0])} rules of the pack"
    limit = 60 * days / 30
    report.at_most(f"{what}: CPU", rows["cpu"][0], "s", limit)
    report.row(f"{what}: on the clock", rows["wall"][0], "s")
    report.row(f"{what}: firings found", rows["firings"][0], "")
    report.row(f"{what}: samples in the store", filled["samples"][0], "")


def costs(arguments, report):
    with promqlpeer.scratch() as scratch:
        evaluate(report, scratch, 2000, 1000, 3 if arguments.quick else 9)
        days, seconds = (1, 60) if arguments.quick else (30, 15 if arguments.long else 60)
        backtest(report, scratch, 100, days, seconds)


def run(arguments, report):
    if not building.build("build", None, ["tests/rules", "tests/test-rule-generator"]):
        report.failed("tests/rules", "does not build")
        return
    if not (arguments.quick or arguments.long):  # what waits for the clock goes side by side there
        costs(arguments, report)
        correct.run(arguments, report)
        guests.run(arguments, report)
        return
    aside = report.aside()
    beside = threading.Thread(target=correct.run, args=(arguments, aside))
    beside.start()
    guests.run(arguments, report)
    beside.join()
    report.add(aside)
    costs(arguments, report)
