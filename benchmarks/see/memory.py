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


# By then the caches of the store and of the event log are full.
WARM_UP = 3


def has_churned(daemon, cycles):
    """Whether so many VMs have been defined, started, destroyed and undefined."""
    names = daemon.vms()
    return "churned" in names or any(
        name.startswith("churn") and int(name[len("churn"):]) >= cycles for name in names)


def own_bytes(daemon):
    """With what scrapes leave behind in buffers, both times. Pages of files that others use too
    would count for less or more as those come and go."""
    for _ in range(3):
        daemon.metrics()
    return procfs.private_total(daemon.processes())


def churn(report, cycles):
    """Growth over so many cycles after a warm-up of three times as many."""
    warm_up = WARM_UP * cycles
    uri = f"memory:///?vms=20&churn={warm_up + cycles}"
    with Daemon(config={"libvirt": {"uri": uri}}) as daemon:
        patience = 60 + warm_up / 10
        wait_for("warmed up", patience, lambda: has_churned(daemon, warm_up), pause=0.02)
        before = own_bytes(daemon)
        wait_for("churned", patience, lambda: "churned" in daemon.vms(), pause=0.1)
        grown = max(0, own_bytes(daemon) - before)
    report.at_most(f"growth over {cycles} define/start/destroy cycles, after {WARM_UP * cycles}",
                   grown / 1024, "KiB", 128)
