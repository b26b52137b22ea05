# SPDX-License-Identifier: GPL-3.0-or-later
"""The data centre of `vherd sim run`: speed, determinism, and a herd that is left alone."""

import hashlib
import json
import os
import resource
import subprocess
import tempfile
import time

import building

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, "build", "src", "main", "vherd")
SCENARIOS = os.path.join(ROOT, "lab", "scenarios")

DAY_OF_800 = """
duration: 1d
hosts: [{name: host, count: 800, cores: 2, mips: 2660, memory: 16G}]
vms: [{name: vm, count: 1052, mips: 2000, memory: 1G, workload: bursty, mean: 0.1, peak: 0.6}]
"""

BALANCED = """
duration: 25h
hosts: [{name: host, count: 40, cores: 16, memory: 64G}]
vms: [{name: vm, count: 300, vcpus: 2, memory: 4G, workload: constant, mean: 0.3, noise: 0}]
"""


# The same program for glibc's idea of an older processor, and another compiler's that leaves the
# order of operations alone. Processors of another kind are not at hand.
OLDER = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F,-AVX"}
OTHER_BUILD = "build-clang-O0"
OTHER_PROGRAM = os.path.join(ROOT, OTHER_BUILD, "src", "main", "vherd")


def simulate(path, program=PROGRAM, environment=None):
    """(output, seconds of CPU)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([program, "sim", "run", path, "--json"], check=True,
                          stdout=subprocess.PIPE, timeout=1800,
                          env=dict(os.environ, **(environment or {})))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def simulate_text(text, *how):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        return simulate(file.name, *how)


def differing(a, b):
    return sum(x != y for x, y in zip(a, b)) + abs(len(a) - len(b))


def other_build(quick):
    """Built anew in full runs only, which takes longer than a quick one may."""
    if quick:
        return os.path.exists(OTHER_PROGRAM)
    return (building.configure(OTHER_BUILD, "clang-O0") and
            building.run_quietly(["ninja", "-C", OTHER_BUILD, "src/main/vherd"]))


def determinism(report, output, quick):
    again, _ = simulate_text(DAY_OF_800)
    report.at_most("bytes that differ from a run of the same seed", differing(output, again),
                   "bytes", 0)
    older, _ = simulate_text(DAY_OF_800, PROGRAM, OLDER)
    report.at_most("bytes that differ, glibc as on a CPU without AVX, FMA",
                   differing(output, older), "bytes", 0)
    if other_build(quick):
        other, _ = simulate_text(DAY_OF_800, OTHER_PROGRAM)
        report.at_most("bytes that differ, built by clang -O0 (this: gcc -O2)",
                       differing(output, other), "bytes", 0)
    elif quick:
        report.note(f"not compared with another compiler's build: {OTHER_BUILD} is not there, and "
                    "--quick does not build it")
    else:
        report.failed("bytes that differ, built by clang -O0 (this: gcc -O2)", "does not build")
    report.note(f"sha256 of that run: {hashlib.sha256(output).hexdigest()}; one machine only: "
                "compare it on another")


def run(arguments, report):
    output, seconds = simulate_text(DAY_OF_800)
    report.at_most("a day of 800 hosts and 1,052 VMs at 300 s", seconds, "s CPU", 1)
    determinism(report, output, arguments.quick)
    timeline = json.loads(simulate_text(BALANCED)[0])["runs"][0]["timeline"]
    report.at_most("moves in 24 h on a balanced herd",
                   sum(s["migrations"] for s in timeline if s["time_seconds"] > 3600), "moves", 0)
    _, seconds = simulate(os.path.join(SCENARIOS, "herd-10k.yaml"))
    report.row("a day of 1,000 hosts and 10,000 VMs", seconds, "s CPU")
    if not arguments.quick:
        started = time.monotonic()
        output, seconds = simulate(os.path.join(SCENARIOS, "herd-100k.yaml"))
        report.at_most("a day of 10,000 hosts and 100,000 VMs", seconds, "s CPU", 300)
        report.note(f"of wall time {time.monotonic() - started:.0f} s; "
                    f"{json.loads(output)['runs'][0]['migrations']:.0f} migrations")
