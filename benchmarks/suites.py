# SPDX-License-Identifier: GPL-3.0-or-later
"""Correctness that a subject promises, as rows: the project's own runners, and tests by name."""

import concurrent.futures
import os
import re
import subprocess
import sys

import building

SUMMARY = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped")


def runner(report, what, command, timeout=600):
    """One row of a program that ends with "N passed, N failed, N skipped"."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, cwd=building.ROOT, timeout=timeout)
    found = SUMMARY.findall(done.stdout)
    if not found or done.returncode not in (0, 1):
        report.failed(what, done.stdout or f"exit status {done.returncode}")
        return
    passed, failed, skipped = map(int, found[-1])
    if failed or not passed:
        report.note(done.stdout[-2000:])
    name = f"{what}: failed, of {passed + failed}" + (f" ({skipped} skipped)" if skipped else "")
    report.at_most(name, failed if passed else None, "", 0)


def tool(name, *arguments):
    """The command of a runner in tests/ that is written in Python."""
    return [sys.executable, "-B", os.path.join(building.ROOT, "tests", name), *arguments]


def conformance(*path):
    """A path of other projects' cases, None where they are not at hand."""
    full = os.path.join(os.environ.get("VHERD_CONFORMANCE", ""), *path)
    return full if os.environ.get("VHERD_CONFORMANCE") and os.path.exists(full) else None


def _unittests(name, pattern, timeout):
    """(tests that ran, skipped, failed, what was said)"""
    done = subprocess.run(
        [sys.executable, "-B", "-m", "unittest", "-v", "-k", pattern, f"tests.e2e.{name}"],
        cwd=building.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": os.path.join(building.ROOT, "tests", "lib")},
        timeout=timeout)
    count = re.search(r"^Ran (\d+) test", done.stdout, re.M)
    skipped = int((re.search(r"skipped=(\d+)", done.stdout) or [0, 0])[1])
    failed = sum(map(int, re.findall(r"(?:failures|errors)=(\d+)", done.stdout)))
    ran = int(count.group(1)) - skipped if count else 0
    return ran, skipped, failed or int(done.returncode != 0), done.stdout


def unittests(report, what, name, patterns=("*",), timeout=900):
    """One row of the tests of tests/e2e whose dotted name begins so; those of each pattern beside
    those of the others."""
    with concurrent.futures.ThreadPoolExecutor(len(patterns)) as pool:
        parts = list(pool.map(lambda pattern: _unittests(name, pattern, timeout), patterns))
    for ran, _, failed, said in parts:
        if failed or not ran:
            report.note(said[-2000:])
    ran, skipped, failed = (sum(part[i] for part in parts) for i in range(3))
    report.at_most(f"{what}: failed, of {ran}" + (f" ({skipped} skipped)" if skipped else ""),
                   failed if all(part[0] for part in parts) else None, "", 0)


def unit_cases(report, what, programs, word, timeout=300):
    """One row of those cases of unit test programs whose name has a word."""
    if not building.build("build", None, [f"tests/test-{name}" for name in programs], whole=False):
        report.failed(what, "the unit tests do not build")
        return
    good = bad = 0
    for name in programs:
        done = subprocess.run([os.path.join(building.ROOT, "build", "tests", f"test-{name}")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout)
        ends = {case: how for how, case in
                re.findall(r"\[\s*(OK|FAILED)\s*\] (\w+)$", done.stdout, re.M)}
        good += sum(how == "OK" and word in case for case, how in ends.items())
        bad += sum(how != "OK" and word in case for case, how in ends.items())
    report.at_most(f"{what}: failed, of {good + bad}", bad if good else None, "", 0)
