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


def churned(cycles):
    """PSS of a daemon that has seen so many VMs defined, started, destroyed and undefined."""
    with Daemon(config={"libvirt": {"uri": f"memory:///?vms=20&churn={cycles}"}}) as daemon:
        wait_for("churned", 60 + cycles / 10, lambda: "churned" in daemon.vms(), pause=0.5)
        time.sleep(2)
        daemon.metrics()
        return pss(daemon)


def churn(report, cycles):
    """Growth over so many cycles after a warm-up of three times as many."""
    before = churned(WARM_UP * cycles)
    grown = max(0, churned((WARM_UP + 1) * cycles) - before)
    report.at_most(f"growth over {cycles} define/start/destroy cycles, after {WARM_UP * cycles}",
                   grown / 1024, "KiB", 128)
