# SPDX-License-Identifier: GPL-3.0-or-later
"""Placement, packing, queues, right-sizing, allocation, reliability: rows of src/place."""

import concurrent.futures
import json
import lzma
import os
import re
import statistics
import subprocess
import tarfile
import tempfile

import building

PROGRAM = os.path.join(building.ROOT, "build", "tests", "think-place")
AZURE = ("flav_map.txt", "v1.dev.txt", "v1.dev.c2100000.txt", "v1.interval_map.txt")
# Live migrations that the online policy may use at each instant of the trace, 300 s apart.
MOVES = 10


def ask(*words):
    done = subprocess.run([PROGRAM, *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"think-place {words[0]} failed")
    return json.loads(done.stdout)


def data(*parts):
    """A file of the shared data, or None where they are missing."""
    path = os.path.join(os.environ.get("VHERD_DATA", ""), *parts)
    return path if os.environ.get("VHERD_DATA") and os.path.exists(path) else None


def unpack_azure(directory):
    """The trace's four files as text; None where they are missing."""
    paths = []
    for name in AZURE:
        path = data("azure-v1", name) or data("azure-v1", name + ".xz")
        if not path:
            return None
        if path.endswith(".xz"):
            text = os.path.join(directory, name)
            with lzma.open(path) as packed, open(text, "wb") as out:
                out.write(packed.read())
            path = text
        paths.append(path)
    return paths


def online(report, directory):
    files = unpack_azure(directory)
    if not files:
        report.failed("packing online, Azure arrivals", "no trace: set VHERD_DATA")
        return
    # The policy that the row is about is what vherd does: nobody tells it when a VM will end, it
    # learns that from the VMs that it has seen, and it may migrate. The others stand beside it.
    moving = f"<={MOVES} live migrations per 300 s"
    runs = ((f"vherd: lifetimes learned, {moving}", "departure", 0, MOVES, 0.05),
            ("lifetimes learned, no migration", "departure", 0, 0, None),
            ("ends known at arrival (leases), no migration", "departure", 1, 0, None),
            (f"best fit with {moving}", "best-fit", 0, MOVES, None),
            ("best fit", "best-fit", 0, 0, None))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        *found, best = pool.map(lambda run: ask("online", *run[1:4], *files), runs)
    report.row("packing online: best fit, time-averaged hosts", best["mean_hosts"], "hosts")
    report.row("packing online: best fit over the vector bound",
               best["mean_hosts"] / best["mean_bound"] - 1, "ratio")
    for (name, _, _, moves, limit), ours in zip(runs, found):
        below = 1 - ours["mean_hosts"] / best["mean_hosts"]
        if limit:
            report.at_least(f"packing online below best fit, {name}", below, "ratio", limit)
        else:
            report.row(f"packing online below best fit, {name}", below, "ratio")
        report.at_most(f"packing online breaches, {name}",
                       ours["breaches"] + ours["refused"], "", 0)
        if moves:
            report.row(f"packing online: migrations per 100 arrivals, {name}",
                       100 * ours["moves"] / ours["placed"], "")


def offline(report):
    for name, found in ask("offline", 2000).items():
        report.at_most(f"packing offline over the bound: {name}",
                       found["hosts"] / found["bound"] - 1, "ratio", 0.03)
        report.at_most(f"packing offline breaches: {name}", found["breaches"], "", 0)


def speed(report):
    runs = [ask("speed", "best-fit") for _ in range(3)]
    report.at_most("100,000 VMs on 10,000 hosts from empty, best fit",
                   statistics.median(run["from_empty_seconds"] for run in runs), "s CPU", 2)
    report.at_most("one more VM among 10,000 hosts, p99",
                   1000 * statistics.median(run["one_more_p99_seconds"] for run in runs), "ms CPU", 1)
    ours = ask("speed", "departure")
    report.at_most("100,000 VMs on 10,000 hosts from empty, departure",
                   ours["from_empty_seconds"], "s CPU", 2)
    report.at_most("one more VM among 10,000 hosts, departure, p99",
                   1000 * ours["one_more_p99_seconds"], "ms CPU", 1)
    report.at_most("placement breaches", sum(run["breaches"] for run in [*runs, ours]), "", 0)
    even = ask("balance")
    report.at_most("balancing plan, 10,000 hosts and 100,000 VMs", even["seconds"], "s CPU", 5)
    report.at_most("balancing plan: breaches", even["breaches"], "", 0)
    report.more_than("balancing plan: spread before over after",
                     even["spread_before"] / even["spread_after"], "", 1)


def queues(report):
    found = ask("queues", 1000000)
    for name in ("M/M/1", "M/M/8", "M/D/1", "M/E2/1", "M/H2/1"):
        for what in ("wait", "response"):
            report.at_most(f"queue {name}: mean {what} against theory, 1 M requests",
                           found[name][what + "_error"], "ratio", 0.02)
    waits = {name: found[name]["wait_mean"] for name in ("fcfs", "sjf")}
    report.more_than("queues: FCFS waits longer than SJF by",
                     waits["fcfs"] / waits["sjf"], "", 1)
    worst = max(abs(seen / expected - 1) for seen, expected
                in zip(found["priority"]["wait_by_priority"], found["cobham"]))
    report.at_most("queues: waits by priority against Cobham", worst, "ratio", 0.05)
    aged, strict = found["ageing"]["wait_by_priority"], found["priority"]["wait_by_priority"]
    ordered = strict[2] < aged[2] < aged[1] < aged[0] < strict[0]
    report.at_least("queues: ageing between priority and FCFS", int(ordered), "", 1)
    # At most 2 × 10 s of arrivals may overtake somebody.
    report.at_most("queues: longest wait with ageing over FCFS's",
                   found["ageing"]["wait_max"] - found["fcfs"]["wait_max"], "s", 2 * 10)
    for name in ("fcfs", "sjf", "priority", "ageing", "round-robin", "backfill"):
        report.row(f"queue {name}: mean slowdown", found[name]["slowdown_mean"], "")
        report.row(f"queue {name}: fairness (Jain)", found[name]["fairness"], "")


def lp_solve(path):
    done = subprocess.run(["lp_solve", "-S3", path], stdout=subprocess.PIPE, text=True)
    found = re.search(r"Value of objective function: ([-+.e0-9]+)", done.stdout)
    return float(found.group(1)) if found else None


def allocation(report, directory, n):
    cases = ask("lp", n, directory)["cases"]
    differ = 0
    for i, case in enumerate(cases):
        theirs = lp_solve(os.path.join(directory, f"{i}.lp"))
        tolerance = 1e-6 * max(1, abs(case["objective"]))
        differ += theirs is None or abs(theirs - case["objective"]) > tolerance
    report.at_most(f"allocation: optimum unlike lp_solve's, {len(cases)} cases", differ, "", 0)
    report.at_most("allocation: worst breach", max(case["breach"] for case in cases), "", 1e-9)
    # Filling is exact for max-min; every second case is proportional.
    ratio = [case["greedy"] / case["objective"] for case in cases[1::2] if case["objective"] > 0]
    report.row("allocation: greedy against the proportional optimum, median",
               statistics.median(ratio), "ratio")


def rightsizing(report, directory):
    path = data("bitbrains", "rnd-30vms.tar.xz")
    if not path:
        report.failed("right-sizing on the Bitbrains VMs", "no traces: set VHERD_DATA")
        return
    with tarfile.open(path) as archive:
        archive.extractall(directory, filter="data")
    root = os.path.join(directory, "bitbrains-rnd")
    vms = sorted(name[:-4] for name in os.listdir(os.path.join(root, "2013-7")))
    found = ask("rightsize", root, *vms)
    report.at_least("right-sizing: VMs advised", found["vms"], "VMs", len(vms))
    for what in ("vcpu", "memory"):
        report.at_least(f"right-sizing: {what} reclaimed", found[what + "_reclaimed"], "ratio",
                        0.4)
        report.at_most(f"right-sizing: {what} intervals exceeding", found[what + "_exceeding"],
                       "ratio", 0.01)
        report.row(f"97th-percentile rule: {what} reclaimed",
                   found[f"rule97_{what}_reclaimed"], "ratio")
        report.row(f"97th-percentile rule: {what} intervals exceeding",
                   found[f"rule97_{what}_exceeding"], "ratio")
    report.row("right-sizing: vCPUs added where VMs are short", found["vcpus_added"], "vCPUs")


def reliability(report, years):
    found = ask("reliability", years)
    report.at_most("availability of groups against simulated faults",
                   found["worst_availability_error"], "", 0.002)


def run(arguments, report):
    if not building.build("build", None, ["tests/think-place"]):
        report.failed("scheduling", "think-place does not build")
        return
    with tempfile.TemporaryDirectory() as directory:
        offline(report)
        speed(report)
        reliability(report, 200 if arguments.quick else 2000)
        rightsizing(report, directory)
        allocation(report, directory, 100 if arguments.quick else 1000)
        queues(report)
        online(report, directory)
