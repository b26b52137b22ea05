# SPDX-License-Identifier: GPL-3.0-or-later
"""./bench tell: what rules cost, live and over recorded history; faults of real guests and what is
told of them; restarts; the specification and others' files; real peers."""

import os
import statistics
import subprocess

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


# --part NAME runs one. In this order, but where all go beside each other.
PARTS = ("costs", *correct.PARTS, *guests.PARTS)


def chosen(arguments):
    unknown = set(arguments.part) - set(PARTS)
    if unknown:
        raise SystemExit(f"./bench tell: no part is called {', '.join(sorted(unknown))};"
                         f" there are {', '.join(PARTS)}")
    return [name for name in PARTS if not arguments.part or name in arguments.part]


def in_turn(arguments, report, parts, here):
    if "costs" in parts:
        costs(arguments, report)
    correct.run(arguments, report, parts)
    guests.run(arguments, report, parts, here)


def together(arguments, report, parts, here):
    """What waits for the clock goes side by side; what is measured in CPU time too, if short."""
    tasks = [lambda aside, name=name: correct.run(arguments, aside, [name])
             for name in correct.PARTS if name in parts]
    tasks.append(lambda aside: guests.run(arguments, aside, parts, here))
    if arguments.quick and "costs" in parts:
        tasks.append(lambda aside: costs(arguments, aside))
    report.beside(tasks)
    if not arguments.quick and "costs" in parts:
        costs(arguments, report)


def run(arguments, report):
    parts = chosen(arguments)
    if not building.build("build", None, ["tests/rules", "tests/test-rule-generator"]):
        report.failed("tests/rules", "does not build")
        return
    here = guests.start(report, parts) if set(parts) & set(guests.PARTS) else None
    report.begin()
    try:
        (together if arguments.quick or arguments.long else in_turn)(arguments, report, parts, here)
        report.took(arguments.quick and not arguments.part)
    finally:
        if here:
            here.close()
