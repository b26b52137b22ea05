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


def fuzz(target, seconds):
    """(runs, new crashes)"""
    root = os.path.join(building.ROOT, "tests", "fuzz", "corpus", target)
    found = tempfile.mkdtemp(prefix="vherd-fuzz-")
    try:
        done = subprocess.run(
            [os.path.join(building.ROOT, "build-fuzz", "tests", f"fuzz-{target}"),
             f"-max_total_time={seconds}", f"-artifact_prefix={found}/crash-", found, root],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            timeout=seconds + 120, check=False)
        runs = re.findall(r"Done (\d+) runs", done.stdout)
        crashes = len([one for one in os.listdir(found) if one.startswith("crash-")])
        return int(runs[-1]) if runs else 0, crashes + (done.returncode != 0)
    finally:
        shutil.rmtree(found)


def build(report, targets):
    """Before anything is measured: compiling is no part of that."""
    start = time.monotonic()
    if building.build("build-fuzz", "fuzz", [f"tests/fuzz-{one}" for one in targets.values()],
                      whole=False):
        report.note(f"fuzz targets built in {time.monotonic() - start:.0f} s")
        return True
    report.failed("fuzz", "build-fuzz does not build")
    return False


def run(report, targets, seconds):
    """A row of each that was built; `targets`: what is read → the target's name."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda one: fuzz(one, seconds), targets.values()))
    for what, (runs, crashes) in zip(targets, results):
        report.at_most(f"fuzz, {what}: crashes in {seconds} s, {runs} runs",
                       crashes if runs else None, "", 0)
