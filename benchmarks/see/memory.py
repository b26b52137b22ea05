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


def churn(report, cycles):
    """Growth over the second half of the cycles: the first half may warm caches."""
    readings = []
    for part in (cycles // 2, cycles):
        uri = f"memory:///?vms=20&churn={part}"
        with Daemon(config={"libvirt": {"uri": uri}}) as daemon:
            wait_for("churned", 60 + part / 10, lambda: "churned" in daemon.vms(), pause=0.5)
            time.sleep(2)
            daemon.metrics()
            readings.append(pss(daemon))
    grown = max(0, readings[1] - readings[0])
    report.at_most(f"growth over the last {cycles - cycles // 2} of {cycles} define/destroy cycles",
                   grown / 1024, "KiB", 128)
