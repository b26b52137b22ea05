# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers of what comes from outside, fuzzed for a while."""

import concurrent.futures
import os
import re
import shutil
import subprocess
import tempfile
import time

import building


SAID_LINES = 12


def keep_crashes(found, target):
    """What broke it stays, so that it can be tried again."""
    kept = []
    for name in sorted(os.listdir(found)):
        if name.startswith(("crash-", "leak-", "oom-", "timeout-")):
            kept.append(os.path.join(tempfile.gettempdir(), f"vherd-fuzz-{target}-{name}"))
            shutil.copy(os.path.join(found, name), kept[-1])
    return kept


def fuzz(target, seconds):
    """(runs, crashes, what it said before it broke off)"""
    root = os.path.join(building.ROOT, "tests", "fuzz", "corpus", target)
    found = tempfile.mkdtemp(prefix="vherd-fuzz-")
    try:
        done = subprocess.run(
            [os.path.join(building.ROOT, "build-fuzz", "tests", f"fuzz-{target}"),
             f"-max_total_time={seconds}", f"-artifact_prefix={found}/", found, root],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            timeout=seconds + 120, check=False)
        runs = re.findall(r"Done (\d+) runs", done.stdout)
        if done.returncode == 0:
            return int(runs[-1]) if runs else 0, 0, []
        return (int(runs[-1]) if runs else 0, 1,
                [f"exit status {done.returncode}", *keep_crashes(found, target),
                 *done.stdout.splitlines()[-SAID_LINES:]])
    finally:
        shutil.rmtree(found)


def build(report, targets):
    """Before anything is measured: compiling is no part of that."""
    start = time.monotonic()
    if building.build("build-fuzz", "fuzz", [f"tests/fuzz-{one}" for one in targets.values()],
                      whole=False):
        report.note(f"fuzz targets built in {time.monotonic() - start:.0f} s")
        report.begin()
        return True
    report.failed("fuzz", "build-fuzz does not build")
    return False


def run(report, targets, seconds):
    """A row of each that was built; `targets`: what is read → the target's name."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda one: fuzz(one, seconds), targets.values()))
    for what, (runs, crashes, said) in zip(targets, results):
        for line in said:
            report.note(line)
        report.at_most(f"fuzz, {what}: crashes in {seconds} s, {runs} runs",
                       crashes if runs or crashes else None, "", 0)
