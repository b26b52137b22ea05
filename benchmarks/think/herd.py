# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon on a simulated herd of 10,000 VMs: everything answers, and each second is new."""

import os
import statistics
import time

from vherd import ROOT, Daemon, wait_for

SCENARIO = os.path.join(ROOT, "lab", "scenarios", "herd-10k.yaml")
VMS = 10000


def timed(function, *arguments):
    started = time.monotonic()
    function(*arguments)
    return time.monotonic() - started


def refreshes(daemon, name, seconds):
    """Distances between the moments at which a VM's CPU time is seen to change."""
    changes, last, end = [], None, time.monotonic() + seconds
    while time.monotonic() < end:
        seen = daemon.vm(name)["cpu_seconds"]
        if seen != last:
            changes.append(time.monotonic())
            last = seen
        time.sleep(0.02)
    return [b - a for a, b in zip(changes, changes[1:])]


def complete(daemon):
    vms = daemon.vms()
    return len(vms) == VMS and all("cpu_ratio" in vm and "memory_current_bytes" in vm
                                   for vm in vms.values())


def run(arguments, report):
    with Daemon(arguments=["--simulate", SCENARIO]) as daemon:
        ready = timed(wait_for, "10,000 VMs with CPU and memory", 60, lambda: complete(daemon), 1)
        report.row("10,000 simulated VMs: until each has CPU and memory", ready, "s")
        rounds = 5 if arguments.quick else 20
        before = daemon.status()["samples"]
        for what, words in (("list", ("list", "--names")), ("show", ("show", "db-7")),
                            ("metrics", ("metrics",))):
            times = [timed(daemon.cli, *words) for _ in range(rounds)]
            report.row(f"10,000 simulated VMs: vherd {what}", statistics.median(times), "s")
        report.at_least("10,000 simulated VMs: named by vherd list",
                        len(daemon.cli("list", "--names").stdout.split()), "VMs", VMS)
        report.at_least("10,000 simulated VMs: in /metrics",
                        daemon.get("/metrics", timeout=30)[2].count("libvirt_domain_info_vstate{"),
                        "VMs", VMS)
        # What top shows anew each second.
        distances = refreshes(daemon, "web-77", 8 if arguments.quick else 30)
        after = daemon.status()["samples"]
        report.at_most("10,000 simulated VMs: refresh, median", statistics.median(distances), "s",
                       1.1)
        report.at_most("10,000 simulated VMs: samples missed",
                       after["missed"] - before["missed"], "samples", 0)
