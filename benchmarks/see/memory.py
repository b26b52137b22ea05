# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory: PSS of all processes, and whether churn makes it grow."""

import time

import procfs
from vherd import Daemon, wait_for

MB = 1e6


def pss(daemon):
    return procfs.pss_total(daemon.processes())


def report_real(report, daemon, vms):
    report.at_most(f"PSS of all processes, {vms} real guests", pss(daemon) / MB, "MB", 40)


def many_in_memory(report, vms, seconds):
    uri = f"memory:///?vms={vms}"
    with Daemon(config={"libvirt": {"uri": uri}}) as daemon:
        wait_for("every VM known", 30, lambda: daemon.status()["vms"]["running"] == vms)
        time.sleep(seconds)
        daemon.metrics()
        report.at_most(f"PSS of all processes, {vms} in-memory VMs", pss(daemon) / MB, "MB", 60)


# So many VMs come and go at a time that the store's head fills and is written away every few
# seconds: what is compared is how high its memory rises.
CHURNERS = 8


def highest(daemon, last):
    """Most memory that no file stands behind, and the cycle it ended at, until cycle `last`."""
    peak = cycle = 0
    while cycle < last:
        names = daemon.vms()
        daemon.metrics()
        peak = max(peak, procfs.anonymous_total(daemon.processes()))
        if "churned" in names:
            return peak, last
        cycle = max([cycle] + [int(name[len("churn"):]) for name in names if name.startswith("churn")])
        time.sleep(0.1)
    return peak, cycle


def churn(report, cycles):
    """How much higher memory rises in so many cycles than in as many before, after a warm-up."""
    uri = f"memory:///?vms=20&churners={CHURNERS}&churn={6 * cycles}"
    with Daemon(config={"libvirt": {"uri": uri}}) as daemon:
        highest(daemon, 2 * cycles)
        before, middle = highest(daemon, 4 * cycles)
        after, _ = highest(daemon, 6 * cycles)
    grown = max(0, after - before) * 1000 / (6 * cycles - middle)
    report.at_most(f"growth over 1000 define/start/destroy cycles, mean of {2 * cycles}",
                   grown / 1024, "KiB", 128)
